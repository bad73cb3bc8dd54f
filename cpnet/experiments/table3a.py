"""Table 3(a): Kinetics, the number of CP modules."""

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from cpnet.experiments import kinetics
from cpnet.experiments.cells import paper_and_ours
from cpnet.experiments.claims import Claim, all_hold
from cpnet.experiments.video_run import VideoRun

TABLE = "table3a"
ROWS = ("c2d", "cp1", "cp2", "cp4", "cp6")


def runs(profile: str = "cpu", seeds: Sequence[int] | None = None) -> list[VideoRun]:
    """C2D, and CPNet with one, two, four and six modules."""
    return [run for seed in kinetics.seeds_of(profile, seeds) for run in _rows(profile, seed)]


def _rows(profile: str, seed: int) -> list[VideoRun]:
    return [
        kinetics.compared(TABLE, "c2d", profile, seed, "c2d"),
        kinetics.cpnet(TABLE, "cp1", profile, seed, "1"),
        kinetics.two_modules(TABLE, "cp2", profile, seed),
        kinetics.cpnet(TABLE, "cp4", profile, seed, "4"),
        kinetics.compared(TABLE, "cp6", profile, seed, "cpnet"),
    ]


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """Paper | ours."""
    return paper_and_ours(TABLE, frame, ROWS, {"val_top1": "top-1", "val_top5": "top-5"})


def claims() -> list[Claim]:
    """What Section 5.1 says of the number of modules."""
    return [
        Claim(
            "accuracy rises with the number of CP modules",
            "paper",
            f"top-1 of each row above that of the row before; {kinetics.PAIRED}",
            lambda frame: all_hold([kinetics.higher(frame, more, less) for less, more in pairwise(ROWS)]),
        ),
        Claim(
            "six CP modules are better than none",
            "ours",
            f"top-1; {kinetics.PAIRED}",
            lambda frame: kinetics.higher(frame, "cp6", "c2d"),
        ),
    ]
