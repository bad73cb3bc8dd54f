"""Table 3(b): Kinetics, k in training and in testing."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from math import log2

import pandas as pd

from cpnet.experiments.claims import (
    PAIRED,
    Claim,
    Comparison,
    Measured,
    Verdict,
    mean_difference,
    slope,
    within,
)
from cpnet.experiments.kinetics_rows import K_VALUES, STAND_IN, seeds, two_modules
from cpnet.experiments.table import Column, Table

BEST_K = 8


def columns(k_test: Sequence[int] = K_VALUES, metric: str = "val_top1") -> list[Column]:
    """Accuracy with each k of testing."""
    top5 = "top-5, " * (metric == "val_top5")
    return [Column(f"{top5}test k = {k}", metric, f"k{k}") for k in k_test]


def alike(k: int) -> Measured:
    """Trained and tested with the same k."""
    return Measured(f"k{k}", f"k{k}")


def _alike_is_best(frame: pd.DataFrame) -> Verdict:
    """The diagonal of the table above all other cells, and above those beside it, in the mean."""
    diagonal = [alike(k) for k in K_VALUES]
    off = [Measured(f"k{k}", f"k{i}") for k, i in permutations(K_VALUES, 2)]
    near = [Measured(f"k{k}", f"k{i}") for k, i in permutations(K_VALUES, 2) if max(k, i) == 2 * min(k, i)]
    cells = {"all other cells": off, "the cells beside it": near}
    return within(
        frame,
        [Comparison(f"diagonal minus {name}", mean_difference(diagonal, group), 0.0) for name, group in cells.items()],
    )


def _in_its_row(k: int, other: int) -> Comparison:
    name = f"trained with k = {k}: tested with {k} minus with {other}"
    return Comparison(name, mean_difference([alike(k)], [Measured(f"k{k}", f"k{other}")]), 0.0)


def _best_and(k: int) -> Comparison:
    name = f"trained and tested with {BEST_K} minus with {k}"
    return Comparison(name, mean_difference([alike(BEST_K)], [alike(k)]), 0.0)


def _rises_and_falls(frame: pd.DataFrame) -> Verdict:
    """Over log2 k, trained and tested alike, a slope above 0 up to the best k, and below 0 from there."""
    up, down = [k for k in K_VALUES if k <= BEST_K], [k for k in K_VALUES if k >= BEST_K]
    slopes = [dict(zip(map(alike, ks), slope([log2(k) for k in ks]), strict=True)) for ks in (up, down)]
    return within(
        frame,
        [
            Comparison(f"slope up to k = {BEST_K}, per doubling", slopes[0], low=0.0),
            Comparison(f"slope from k = {BEST_K}, per doubling", slopes[1], high=0.0),
        ],
    )


TABLE = Table(
    name="table3b",
    title="Table 3(b)",
    chapter="03_ablation_k",
    subject="Kinetics, k in training and testing",
    data=STAND_IN,
    rows={f"k{k}": partial(two_modules, k) for k in K_VALUES},
    seeds=seeds,
    columns=tuple(columns()),
    claims=(
        Claim(
            "testing with the k of training is best",
            "paper",
            f"mean top-1 of the diagonal above that of all other cells, and of those beside it; {PAIRED}",
            _alike_is_best,
        ),
        Claim(
            "testing with the k of training is best for each k",
            "paper",
            f"top-1 on the diagonal above each other cell of its row; {PAIRED}",
            partial(within, comparisons=[_in_its_row(k, i) for k, i in permutations(K_VALUES, 2)]),
        ),
        Claim(
            f"accuracy rises with k up to {BEST_K}, and falls from there",
            "paper",
            f"slopes of top-1 over log2 k, trained and tested alike; {PAIRED}",
            _rises_and_falls,
        ),
        Claim(
            f"k = {BEST_K} is better than each other k",
            "paper",
            f"top-1 at k = {BEST_K} above each other k, trained and tested alike; {PAIRED}",
            partial(within, comparisons=[_best_and(k) for k in K_VALUES if k != BEST_K]),
        ),
    ),
)


def with_rows(k_train: Sequence[int]) -> Table:
    """The table, and a row for each further k of training, tested with it and with the paper's."""
    return replace(TABLE, rows={**TABLE.rows, **{f"k{k}": partial(two_modules, k) for k in k_train}})


def grids(
    frame: pd.DataFrame, k_train: Sequence[int] = K_VALUES, k_test: Sequence[int] = K_VALUES
) -> dict[str, pd.DataFrame]:
    """The paper's top-1 and ours, means over seeds: rows by the k of training, columns by that of testing.

    NaN is what the text copy of the paper has lost, or what is not run.
    """
    rows, tests = [f"k{k}" for k in k_train], columns(k_test)
    long = TABLE.long_form(frame, tests, rows)
    return {
        source: long[long["source"] == source]
        .pivot_table("value", "row", "column", dropna=False)
        .reindex(index=rows, columns=[column.title for column in tests])
        .set_axis(pd.Index(k_train, name="k in training"))
        .set_axis(pd.Index(k_test, name="k in testing"), axis=1)
        for source in ("paper", "ours")
    }
