"""Table 3(b): Kinetics, k in training and in testing."""

import pandas as pd

from cpnet.experiments import kinetics
from cpnet.experiments.cells import paper_and_ours
from cpnet.experiments.claims import Claim, all_hold
from cpnet.experiments.kinetics import K_VALUES
from cpnet.experiments.video_run import VideoRun

TABLE = "table3b"
ROWS = tuple(f"k{k}" for k in K_VALUES)
BEST_K = 8


def runs(profile: str = "cpu") -> list[VideoRun]:
    """Two modules at res4, trained with each k, and tested with every k."""
    return [
        kinetics.two_modules(TABLE, f"k{k}", profile, seed, k) for k in K_VALUES for seed in kinetics.seeds_of(profile)
    ]


def side_by_side(frame: pd.DataFrame, metric: str = "val_top1") -> pd.DataFrame:
    """Paper | ours: rows by the k of training, columns by the k of testing."""
    columns = {f"{metric}_k{k}": f"test k = {k}" for k in K_VALUES}
    return paper_and_ours(TABLE, frame, ROWS, columns)


def claims() -> list[Claim]:
    """What Section 5.1 says of k."""
    others = [k for k in K_VALUES if k != BEST_K]
    return [
        Claim(
            "each k of training is best tested with the same k",
            "paper",
            "top-1 on the diagonal above each other cell of its row; 95 % intervals, paired over seeds",
            lambda frame: all_hold(
                [
                    kinetics.higher(frame, f"k{k}", f"k{k}", f"val_top1_k{k}", f"val_top1_k{test}")
                    for k in K_VALUES
                    for test in K_VALUES
                    if test != k
                ]
            ),
        ),
        Claim(
            f"the best k is {BEST_K}, falling on both sides",
            "paper",
            f"top-1 at k = {BEST_K} above each other k, trained and tested alike; 95 % intervals, paired over seeds",
            lambda frame: all_hold(
                [kinetics.higher(frame, f"k{BEST_K}", f"k{k}", f"val_top1_k{BEST_K}", f"val_top1_k{k}") for k in others]
            ),
        ),
    ]
