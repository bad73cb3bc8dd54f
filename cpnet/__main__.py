"""The command line: python -m cpnet --help."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cpnet import results


def reproduce(
    table: Annotated[Literal["table1", "table1_controls"], tyro.conf.Positional],
    *,
    profile: Literal["smoke", "cpu", "gpu", "paper"] = "cpu",
    rows: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    live: bool = False,
    rerun: bool = False,
    out: Path | None = None,
    jobs: int = 1,
    device: str = "cpu",
) -> None:
    """Train the runs of a table that are not stored yet, and print the table.

    Args:
        table: which table.
        profile: data and network size.
        rows: only these rows of the table; all if none is given.
        seeds: only these seeds; all if none is given.
        live: one seed of every row, the slow ones for a short budget only: minutes instead of hours.
        rerun: train even what is stored.
        out: folder for new results; runs/results if none is given.
        jobs: runs trained side by side, each with its share of the cores.
        device: cpu, cuda, cuda:1, ...
    """
    from cpnet.experiments import table1
    from cpnet.experiments.run import reproduce as reproduce_runs

    if live:
        runs = table1.live_runs()
    elif table == "table1":
        runs = table1.runs(profile)
    else:
        runs = table1.control_runs()
    names = list(dict.fromkeys(run.row for run in runs))
    unknown = [row for row in rows if row not in names]
    if unknown:
        sys.exit(f"no row {unknown[0]!r} in {table}: choose among {', '.join(names)}")
    runs = [run for run in runs if (not rows or run.row in rows) and (not seeds or run.seed in seeds)]
    frame = reproduce_runs(runs, rerun=rerun, device=device, out=out, jobs=jobs)
    print(frame[["table", "row", "profile", "seed", "train_top1", "val_top1", "wall_s"]].to_string(index=False))


def compare(
    fresh: Annotated[Path, tyro.conf.Positional],
    stored: Annotated[Path, tyro.conf.Positional] = results.COMMITTED,
) -> None:
    """Print how far freshly computed results are from stored ones of the same runs.

    Args:
        fresh: folder of fresh results.
        stored: folder of stored results.
    """
    print(results.compare(fresh, stored).to_string(index=False))


def figure(
    table: Annotated[Literal["table1"], tyro.conf.Positional], out: Annotated[Path, tyro.conf.Positional]
) -> None:
    """Draw a table's main figure from stored results.

    Args:
        table: which table.
        out: image file to write.
    """
    from cpnet import figures
    from cpnet.experiments import table1
    from cpnet.experiments.run import load

    figures.use_style()
    out.parent.mkdir(parents=True, exist_ok=True)
    figures.learning_curves(load(table1.runs()), table1.CHANCE).savefig(out)


def bench_cp(*, device: str = "cpu", repeats: int = 5) -> None:
    """Time and memory of the CP module against the direct form of Eq. 1, and of the search against cdist and faiss.

    Args:
        device: cpu or cuda.
        repeats: timings to take the median of.
    """
    from cpnet import bench

    bench.bench_cp(device=device, repeats=repeats)


def toy_videos(
    out: Annotated[Path, tyro.conf.Positional], *, split: Literal["train", "val"] = "val", seed: int = 0
) -> None:
    """Write the toy clips as mp4 files, one folder a class.

    Args:
        out: folder to write to.
        split: which clips.
        seed: of the data set.
    """
    from cpnet.data.toy import ToyMotion

    files = ToyMotion(split, seed).write_videos(out)
    print(f"{len(files)} videos in {out}")


COMMANDS: dict[str, Callable[..., None]] = {
    "reproduce": reproduce,
    "compare": compare,
    "figure": figure,
    "bench cp": bench_cp,
    "toy-videos": toy_videos,
}


def main(args: Sequence[str] | None = None) -> None:
    """Parse the command line and run a subcommand; errors of the user end with one line, not a traceback."""
    args = list(sys.argv[1:] if args is None else args)
    if " ".join(args[:2]) in COMMANDS:  # a subcommand of two words is one argument to tyro
        args[:2] = [" ".join(args[:2])]
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            args=args,
            prog="python -m cpnet",
            description="CPNet: learning video representations from correspondence proposals, replicated.",
        )
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
