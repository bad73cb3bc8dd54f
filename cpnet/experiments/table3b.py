"""Table 3(b): Kinetics, k in training and in testing."""

from collections.abc import Sequence

import pandas as pd

from cpnet.experiments import kinetics
from cpnet.experiments.cells import long_form, paper_and_ours
from cpnet.experiments.claims import Claim, all_hold
from cpnet.experiments.kinetics import K_VALUES
from cpnet.experiments.video_run import VideoRun

TABLE = "table3b"
ROWS = tuple(f"k{k}" for k in K_VALUES)
BEST_K = 8


def runs(profile: str = "cpu", seeds: Sequence[int] | None = None, k_train: Sequence[int] = K_VALUES) -> list[VideoRun]:
    """Two modules at res4, trained with each k, and tested with every k."""
    every = kinetics.seeds_of(profile, seeds)
    return [kinetics.two_modules(TABLE, f"k{k}", profile, seed, k) for k in k_train for seed in every]


def side_by_side(
    frame: pd.DataFrame,
    metric: str = "val_top1",
    k_train: Sequence[int] = K_VALUES,
    k_test: Sequence[int] = K_VALUES,
) -> pd.DataFrame:
    """Paper | ours: rows by the k of training, columns by the k of testing."""
    return paper_and_ours(TABLE, frame, [f"k{k}" for k in k_train], _columns(metric, k_test))


def grids(
    frame: pd.DataFrame,
    metric: str = "val_top1",
    k_train: Sequence[int] = K_VALUES,
    k_test: Sequence[int] = K_VALUES,
) -> dict[str, pd.DataFrame]:
    """The paper's numbers and ours, means over seeds: rows by the k of training, columns by that of testing.

    NaN is what the paper's text has lost, or what is not run.
    """
    long = long_form(TABLE, frame, [f"k{k}" for k in k_train], _columns(metric, k_test))
    index, columns = pd.Index(k_train, name="k in training"), pd.Index(k_test, name="k in testing")
    return {
        source: long[long["source"] == source]
        .pivot_table("value", "row", "metric", dropna=False)
        .reindex(index=[f"k{k}" for k in k_train], columns=[f"test k = {k}" for k in k_test])
        .set_axis(index)
        .set_axis(columns, axis=1)
        for source in ("paper", "ours")
    }


def _columns(metric: str, k_test: Sequence[int]) -> dict[str, str]:
    return {f"{metric}_k{k}": f"test k = {k}" for k in k_test}


def claims() -> list[Claim]:
    """What Section 5.1 says of k."""
    others = [k for k in K_VALUES if k != BEST_K]
    return [
        Claim(
            "each k of training is best tested with the same k",
            "paper",
            f"top-1 on the diagonal above each other cell of its row; {kinetics.PAIRED}",
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
            f"top-1 at k = {BEST_K} above each other k, trained and tested alike; {kinetics.PAIRED}",
            lambda frame: all_hold(
                [kinetics.higher(frame, f"k{BEST_K}", f"k{k}", f"val_top1_k{BEST_K}", f"val_top1_k{k}") for k in others]
            ),
        ),
    ]
