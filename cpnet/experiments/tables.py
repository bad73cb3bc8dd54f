"""Every table that has runs, by the name of its folder in results/."""

from collections.abc import Callable, Sequence

from cpnet.experiments import kinetics, table1, table3a, table3b, table3c, table3d, table4, table5a
from cpnet.experiments.run import Run

RUNS: dict[str, Callable[[str], Sequence[Run]]] = {
    "table1": table1.runs,
    "table1_controls": lambda profile: table1.control_runs() if profile == "cpu" else [],
    "pretrain": lambda profile: [] if profile == "paper" else [kinetics.pretrain_run(profile)],
    "table3a": table3a.runs,
    "table3b": table3b.runs,
    "table3c": table3c.runs,
    "table3d": table3d.runs,
    "table4": table4.runs,
    "table5a": table5a.runs,
    "table5a_search": lambda profile: table5a.search_runs() if profile == "cpu" else [],
}


def select_runs(table: str, profile: str = "cpu", rows: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[Run]:
    """The runs of a table at a profile, or of "all"; only those of some rows and seeds, if any are given.

    Raises:
        ValueError: no such table, row or seed; the message lists those there are.
    """
    if table not in (*RUNS, "all"):
        raise ValueError(f"no table {table!r}: choose among {', '.join(RUNS)}, all")
    runs = [run for name in RUNS if table in (name, "all") for run in RUNS[name](profile)]
    if not runs:
        raise ValueError(f"{table} has no runs at profile {profile}")
    names, numbers = ([*dict.fromkeys(part)] for part in zip(*((run.row, run.seed) for run in runs), strict=True))
    for what, wanted, known in (("row", rows, names), ("seed", seeds, numbers)):
        unknown = [value for value in wanted if value not in known]
        if unknown:
            raise ValueError(f"no {what} {unknown[0]!r} in {table}: choose among {', '.join(map(str, known))}")
    return [run for run in runs if (not rows or run.row in rows) and (not seeds or run.seed in seeds)]
