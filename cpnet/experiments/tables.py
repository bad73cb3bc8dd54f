"""Every table by its name: the command line, the scorecard, the pages and the tests draw from here."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial

from cpnet.engine.video_training import VideoTraining
from cpnet.experiments import (
    architectures,
    figure5,
    how_far,
    leaks,
    run_time,
    section33,
    table1,
    table3a,
    table3b,
    table3c,
    table3d,
    table4,
    table5a,
    table5b,
    trials,
)
from cpnet.experiments.claims import Judged
from cpnet.experiments.parameters import ALL
from cpnet.experiments.profiles import pretraining
from cpnet.experiments.run import Run
from cpnet.experiments.table import Table


def _pretrained(depth: str, profile: str, seed: int) -> VideoTraining | None:
    return None if profile == "paper" else pretraining(profile, depth)


PRETRAIN = Table(
    name="pretrain",  # what the networks on the stand-ins for Kinetics and Jester start from
    rows={f"c2d_resnet{depth}": partial(_pretrained, depth) for depth in ("18", "34")},
)

TABLES = {
    table.name: table
    for table in (
        table1.TABLE,
        table1.CONTROLS,
        table1.LIVE,
        architectures.TABLE,
        PRETRAIN,
        leaks.TABLE,
        trials.TABLE,
        table3a.TABLE,
        table3b.TABLE,
        table3c.TABLE,
        table3d.TABLE,
        table4.TABLE,
        table5a.TABLE,
        table5b.TABLE,
        figure5.TABLE,
        run_time.TABLE,
        section33.TABLE,
        how_far.TABLE,
    )
}


def find_table(name: str) -> Table:
    """A table by its name.

    Raises:
        ValueError: no such table; the message names the nearest ones, and all.
    """
    if name not in TABLES:
        near = [f", did you mean {close}" for close in get_close_matches(name, TABLES, n=1)]
        raise ValueError(f"no table {name!r}{''.join(near)}: there are {', '.join(TABLES)}")
    return TABLES[name]


def select_runs(name: str, profile: str = "cpu", rows: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[Run]:
    """The runs of a table at a profile, or of "all"; only some rows, or with other seeds than those of the profile.

    Raises:
        ValueError: no such table or row, the message lists those there are; or no run.
    """
    tables = TABLES.values() if name == "all" else [find_table(name)]
    runs = [run for table in tables for run in table.runs(profile, seeds or ALL)]
    if not runs:
        raise ValueError(f"{name} has no runs at profile {profile}")
    names = list(dict.fromkeys(run.row for run in runs))
    unknown = [row for row in rows if row not in names]
    if unknown:
        raise ValueError(f"no row {unknown[0]!r} in {name}: choose among {', '.join(names)}")
    return [run for run in runs if not rows or run.row in rows]


def judged_tables() -> list[tuple[Table, Judged]]:
    """Every table of the paper, and those beside it, with its claims as stored results have them."""
    return [(table, table.judge()) for table in TABLES.values() if table.title]
