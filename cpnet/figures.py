"""Every plot of the book."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from PIL import Image, ImageOps

NAMES = {"nl": "I3D NL Net", "artnet": "ARTNet", "trn": "TRN", "cpnet": "CPNet"}
COLOURS = dict(zip(NAMES, sns.color_palette("colorblind", len(NAMES)), strict=True))


def use_style() -> None:
    """One look for all figures, PNG at a fixed size."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind")
    plt.rcParams.update({"figure.dpi": 100, "savefig.bbox": "tight", "figure.constrained_layout.use": True})


def clips(frames: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Frames (T, H, W, 3) of several clips, one row each, as Figure 4 of the paper."""
    T = len(frames[0])
    figure, axes = plt.subplots(len(frames), T, figsize=(1.7 * T, 1.8 * len(frames)), squeeze=False)
    for row, clip, title in zip(axes, frames, titles, strict=True):
        for t, (axis, frame) in enumerate(zip(row, clip, strict=True)):
            axis.imshow(frame)
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"t = {t}" if frames[0] is clip else "", fontsize=10)
        row[0].set_ylabel(f"“{title}”")
    return figure


def contact_sheet(clips: Mapping[str, np.ndarray], columns: int = 8, side: int = 64, gap: int = 3) -> Figure:
    """Evenly spaced frames of clips (T, H, W, 3) of any size, cut to squares, one row a clip beside its name."""
    sheet = np.full((len(clips) * (side + gap), columns * (side + gap), 3), 255, dtype=np.uint8)
    for i, frames in enumerate(clips.values()):
        for j, t in enumerate(np.linspace(0, len(frames) - 1, columns).round().astype(int)):
            square = ImageOps.fit(Image.fromarray(frames[t]), (side, side))
            y, x = i * (side + gap), j * (side + gap)
            sheet[y : y + side, x : x + side] = np.asarray(square)
    figure, axis = plt.subplots(figsize=(11, 0.92 * len(clips)))
    axis.imshow(sheet, interpolation="nearest")
    axis.set_yticks([(i + 0.5) * (side + gap) for i in range(len(clips))], list(clips), fontsize=10)
    axis.set(xticks=[])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    sns.despine(figure, left=True, bottom=True)
    return figure


def learning_curves(frame: pd.DataFrame, chance: float, column: str = "curve_val_top1") -> Figure:
    """One line a seed of a curve over epochs, one panel a row of the table."""
    rows = [row for row in NAMES if row in set(frame["row"])]
    figure, axes = plt.subplots(1, len(rows), figsize=(2.6 * len(rows), 2.8), sharey=True, squeeze=False)
    for axis, row in zip(axes[0], rows, strict=True):
        for _, run in frame[frame["row"] == row].iterrows():
            epochs = range(1, len(run[column]) + 1)
            axis.plot(epochs, run[column], color=COLOURS[row], alpha=0.7, linewidth=1.5)
        axis.axhline(chance, color="0.4", linestyle=":", linewidth=1)
        axis.set(title=NAMES[row], xlabel="epoch", ylim=(0, 103))
    axes[0, 0].set_ylabel("validation top-1, %")
    return figure


def training_curves(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Loss, and accuracy in percent, over the epochs of a training on videos; a line where a phase begins."""
    epochs = range(1, len(curves["train_loss"]) + 1)
    begins = [i for i in epochs if i > 1 and curves["phase"][i - 1] != curves["phase"][i - 2]]
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
        for begin in begins:
            axis.axvline(begin - 0.5, color="0.4", linestyle=":", linewidth=1)
    return figure


def accuracy_bars(values: Mapping[str, float], chance: float) -> Figure:
    """Horizontal bars of validation accuracy, one a label, in the order given."""
    figure, axis = plt.subplots(figsize=(7, 0.38 * len(values) + 0.9))
    sns.barplot(x=list(values.values()), y=list(values), orient="h", color="C0", ax=axis)
    axis.axvline(chance, color="0.2", linestyle=":", linewidth=1.5)
    for i, value in enumerate(values.values()):
        axis.text(value + 1, i, f"{value:.1f}", va="center", fontsize=10)
    axis.set(xlim=(0, 109), xlabel="validation top-1, %   (dotted: chance)", ylabel="")
    return figure


def accuracy_by_k(frame: pd.DataFrame, series: Mapping[str, str], chance: float) -> Figure:
    """Accuracy against k, one line for each {column: label} of `series`."""
    figure, axis = plt.subplots(figsize=(6, 3))
    for (column, label), marker in zip(series.items(), "osv^", strict=False):
        axis.plot(frame["k"], frame[column], marker=marker, label=label)
    axis.axhline(chance, color="0.4", linestyle=":", linewidth=1)
    axis.set_xscale("log", base=2)
    axis.set(xticks=frame["k"], ylim=(0, 105), xlabel="k", ylabel="validation top-1, %")
    axis.set_xticklabels(frame["k"])
    axis.legend(loc="lower right")
    return figure


def costs(frame: pd.DataFrame) -> Figure:
    """Horizontal bars, one panel for each column that is relative to C2D, one bar a network."""
    columns = [column for column in map(str, frame) if column.endswith("÷ C2D")]
    figure, axes = plt.subplots(1, len(columns), figsize=(3.4 * len(columns), 0.38 * len(frame) + 0.9), sharey=True)
    for axis, column in zip(axes, columns, strict=True):
        sns.barplot(x=frame[column], y=list(frame.index), orient="h", color="C0", ax=axis)
        for i, value in enumerate(frame[column]):
            axis.text(value, i, f" {value:.2f}", va="center", fontsize=10)
        axis.axvline(1, color="0.2", linestyle=":", linewidth=1.5)
        axis.set(xlim=(0, 1.2 * frame[column].max()), xlabel=column, ylabel="")
    return figure


def arrows(
    frames: np.ndarray,
    query: tuple[int, int, int],
    targets: Sequence[tuple[int, int, int]],
    weights: Sequence[float],
    title: str,
    colour: str = "red",
) -> Figure:
    """Frames (T, H, W, 3) side by side, arrows from a query (t, h, w) to targets, as opaque as their weights."""
    T, H, W = frames.shape[:3]
    gap = 2
    canvas = np.full((H, T * (W + gap) - gap, 3), 255, dtype=np.uint8)
    for t, frame in enumerate(frames):
        canvas[:, t * (W + gap) : t * (W + gap) + W] = frame
    figure, axis = plt.subplots(figsize=(8, 2.4))
    axis.imshow(canvas)
    start = (query[0] * (W + gap) + query[2], query[1])
    strongest = max(weights, default=0.0) or 1.0
    for (t, h, w), weight in zip(targets, weights, strict=True):
        share = weight / strongest
        axis.annotate(
            "",
            xy=(t * (W + gap) + w, h),
            xytext=start,
            arrowprops={"arrowstyle": "-|>", "color": colour if weight else "tab:blue", "alpha": 0.25 + 0.75 * share},
        )
    axis.plot(*start, "o", color="gold", markersize=5)
    axis.set(xticks=[], yticks=[], title=title)
    axis.grid(False)
    return figure
