"""Losses and accuracies over epochs."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cpnet.figures.parts import WIDTH, colours, panels, say_not_run


def learning_curves(curves: pd.DataFrame, rows: Mapping[str, str], chance: float | None = None) -> Figure:
    """Validation accuracy over epochs, a line a seed and a panel a row; dotted: chance, and where a phase begins.

    Args:
        curves: of `cpnet.results.curves`.
        rows: titles of the rows that are drawn.
        chance: in percent.
    """
    figure, axes = panels(len(rows), columns=3 if len(rows) > 4 else 2, height=2, shared=True)
    for axis, (row, title) in zip(axes, rows.items(), strict=True):
        mine = curves[curves["row"] == row]
        for _, run in mine.groupby("seed"):
            axis.plot(run["epoch"], run["val_top1"], color=colours([title])[title], alpha=0.7, linewidth=1.5)
            _mark_phases(axis, run.get("phase", ()))
        if mine.empty:
            say_not_run(axis)
        if chance is not None:
            axis.axhline(chance, color="0.4", linestyle=":", linewidth=1)
        axis.set(title=title, ylim=(0, 103))
        axis.locator_params(axis="x", integer=True)
    figure.supxlabel("epoch")
    figure.supylabel("validation top-1, %")
    return figure


def training_curves(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Loss, and accuracy in percent, over the epochs of a training on videos; a line where a phase begins."""
    epochs = range(1, len(curves["train_loss"]) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    left.plot(epochs, curves["train_loss"], marker=".")
    left.set(xlabel="epoch", ylabel="training loss")
    for name, label in (
        ("train_top1", "training, running"),
        ("val_top1", "validation"),
        ("val_top5", "validation, top-5"),
    ):
        right.plot(epochs, curves[name], marker=".", label=label)
    right.set(xlabel="epoch", ylabel="top-1, %", ylim=(0, 103))
    right.legend()
    for axis in (left, right):
        _mark_phases(axis, curves["phase"])
    return figure


def _mark_phases(axis: Axes, phases: Iterable[float]) -> None:
    """A line before each epoch of `phases` that begins another phase."""
    for i, (before, phase) in enumerate(itertools.pairwise(phases), 1):
        if phase != before:
            axis.axvline(i + 0.5, color="0.4", linestyle=":", linewidth=1)


def losses(curves: pd.DataFrame, rows: Mapping[str, str], frames: Sequence[int]) -> Figure:
    """Training loss over epochs, a line a seed and a panel a row; lines where a phase begins say its frames.

    Args:
        curves: of `cpnet.results.curves`.
        rows: titles of the rows that are drawn.
        frames: number of frames of a clip in each phase.
    """
    figure, axes = plt.subplots(1, len(rows), figsize=(WIDTH, 3), sharey=True, squeeze=False)
    for axis, (row, title) in zip(axes[0], rows.items(), strict=True):
        for _, run in curves[curves["row"] == row].groupby("seed"):
            axis.plot(run["epoch"], run["train_loss"], color=colours([title])[title], alpha=0.7, marker=".")
            _mark_phases(axis, run["phase"])
            for number, start in zip(frames, run.groupby("phase")["epoch"].min(), strict=False):
                place = {"transform": axis.get_xaxis_transform(), "rotation": 90, "va": "top", "fontsize": 9}
                axis.text(start - 0.4, 0.97, f"{number} frames", **place)
        axis.set(title=title, xlabel="epoch", yscale="log")
        axis.locator_params(axis="x", integer=True)
        if row not in set(curves["row"]):
            say_not_run(axis)
    axes[0, 0].set_ylabel("training loss")
    return figure
