"""python -m cpnet reproduce."""

import re
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from cpnet.engine.machine import Machine, is_main_process


def reproduce(
    table: Positional[str],
    *,
    profile: Literal["smoke", "cpu", "gpu", "paper"] = "cpu",
    rows: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    rerun: bool = False,
    out: Path | None = None,
    jobs: int = 1,
    dry_run: bool = False,
    budget: str | None = None,
    machine: Annotated[Machine, arg(name="")] = Machine(),  # noqa: B008, frozen
) -> None:
    """Train the runs of a table that are not stored yet, and print the table; call again to go on after a stop.

    Args:
        table: name of a table, such as table1 or table3a, or all; an unknown one is answered by a list.
        profile: data and network size; "paper" is the published schedule on the real data.
        rows: only these rows of the table; all if none is given.
        seeds: only these seeds; all if none is given.
        rerun: train even what is stored.
        out: folder for new results; runs/results if none is given.
        jobs: runs trained side by side, each with its share of the cores.
        dry_run: train nothing; print what is stored, and, of profile paper, what runs cost and the commands.
        budget: time after which no further run is begun, such as 90s, 150m or 8h; those under way finish.
        machine: where the runs are trained.
    """
    from cpnet.experiments.reproduction import reproduce
    from cpnet.experiments.tables import select_runs

    runs = select_runs(table, profile, rows, seeds)
    seconds = None if budget is None else _seconds(budget)
    frame = reproduce(runs, machine, rerun=rerun, out=out, jobs=jobs, budget=seconds, dry_run=dry_run)
    if dry_run or not is_main_process():
        return
    labels, shown = ["table", "row", "profile", "seed"], ["train_top1", "val_top1", "val_top5"]
    main = frame[(frame["protocol"] == "") & frame["metric"].isin(shown)]
    print(main.pivot_table("value", labels, "metric", sort=False).round(2).reset_index().to_string(index=False))
    done = len(frame[labels].drop_duplicates())
    if done < len(runs):
        print(f"{len(runs) - done} of {len(runs)} runs are not done yet: call again to go on")


def _seconds(text: str) -> float:
    """Seconds of "90s", "150m" or "8h"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if found is None:
        raise ValueError(f"budget {text!r}: give a number of seconds, minutes or hours, such as 90s, 150m or 8h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
