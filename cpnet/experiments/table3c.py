"""Table 3(c): Kinetics, the position of two CP modules."""

from collections.abc import Sequence

import pandas as pd

from cpnet.experiments import kinetics
from cpnet.experiments.cells import paper_and_ours
from cpnet.experiments.claims import Claim, all_hold
from cpnet.experiments.video_run import VideoRun

TABLE = "table3c"
ROWS = ("c2d", "res3", "res4", "res5")


def runs(profile: str = "cpu", seeds: Sequence[int] | None = None) -> list[VideoRun]:
    """C2D, and two modules at res3, res4 or res5."""
    return [run for seed in kinetics.seeds_of(profile, seeds) for run in _rows(profile, seed)]


def _rows(profile: str, seed: int) -> list[VideoRun]:
    return [
        kinetics.compared(TABLE, "c2d", profile, seed, "c2d"),
        kinetics.cpnet(TABLE, "res3", profile, seed, "res3"),
        kinetics.two_modules(TABLE, "res4", profile, seed),
        kinetics.cpnet(TABLE, "res5", profile, seed, "res5"),
    ]


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """Paper | ours."""
    return paper_and_ours(TABLE, frame, ROWS, {"val_top1": "top-1", "val_top5": "top-5"})


def claims() -> list[Claim]:
    """What Section 5.1 says of positions."""
    return [
        Claim(
            "res4 is the best position",
            "paper",
            f"top-1 at res4 above that at res3 and at res5; {kinetics.PAIRED}",
            lambda frame: all_hold([kinetics.higher(frame, "res4", row) for row in ("res3", "res5")]),
        ),
        Claim(
            "two modules are better than none, wherever they are",
            "ours",
            f"top-1 of each position above C2D; {kinetics.PAIRED}",
            lambda frame: all_hold([kinetics.higher(frame, row, "c2d") for row in ROWS[1:]]),
        ),
    ]
