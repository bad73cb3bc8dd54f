"""Every plot of the book."""

import itertools
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps

from cpnet.models.look import Look

NAMES = {"nl": "I3D NL Net", "artnet": "ARTNet", "trn": "TRN", "cpnet": "CPNet"}
KINDS = ("motion", "nothing moves", "appearance", "not known")  # what decides classes
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
    axis.set(xticks=[], frame_on=False)
    axis.grid(visible=False)
    return figure


def learning_curves(curves: pd.DataFrame, chance: float) -> Figure:
    """Validation accuracy over epochs, one line a seed, one panel a row of the table.

    Args:
        curves: of `cpnet.results.curves`.
    """
    rows = [row for row in NAMES if row in set(curves["row"])]
    figure, axes = plt.subplots(1, len(rows), figsize=(2.6 * len(rows), 2.8), sharey=True, squeeze=False)
    for axis, row in zip(axes[0], rows, strict=True):
        for _, run in curves[curves["row"] == row].groupby("seed"):
            axis.plot(run["epoch"], run["val_top1"], color=COLOURS[row], alpha=0.7, linewidth=1.5)
        axis.axhline(chance, color="0.4", linestyle=":", linewidth=1)
        axis.set(title=NAMES[row], xlabel="epoch", ylim=(0, 103))
    axes[0, 0].set_ylabel("validation top-1, %")
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


def _mark_phases(axis: Axes, phases: Sequence[float]) -> None:
    """A line before each epoch of `phases` that begins another phase."""
    for i, (before, phase) in enumerate(itertools.pairwise(phases), 1):
        if phase != before:
            axis.axvline(i + 0.5, color="0.4", linestyle=":", linewidth=1)


def accuracy_bars(values: Mapping[str, float], chance: float) -> Figure:
    """Horizontal bars of validation accuracy, one a label, in the order given."""
    figure, axis = plt.subplots(figsize=(7, 0.38 * len(values) + 0.9))
    _bars(axis, pd.Series(values), ".1f", chance)
    axis.set(xlim=(0, 109), xlabel="validation top-1, %   (dotted: chance)")
    return figure


def _bars(axis: Axes, values: pd.Series, form: str, reference: float) -> None:
    """Horizontal bars with their numbers, and a dotted line at a reference."""
    sns.barplot(x=values, y=values.index, orient="h", color="C0", ax=axis)
    axis.bar_label(axis.containers[0], fmt=f"{{:{form}}}", padding=4, fontsize=10)  # type: ignore[arg-type]
    axis.axvline(reference, color="0.2", linestyle=":", linewidth=1.5)
    axis.set_ylabel("")


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


def paper_beside_ours(frame: pd.DataFrame, x: str, hue: str | None = None) -> Figure:
    """Accuracy, the paper's in the left panel and ours in the right one: means, bars of one deviation, and every run.

    Args:
        frame: of `cpnet.experiments.table.Table.long_form`.
        x, hue: its columns to set apart by place and by colour.
    """
    names, colours = list(dict.fromkeys(frame[x])), list(dict.fromkeys(frame[hue])) if hue else None
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6 if hue is None else 4.2))
    for axis, source in zip(axes, ("paper", "ours"), strict=True):
        part = frame[frame["source"] == source]
        shared = {"data": part, "x": x, "y": "value", "order": names, "hue": hue, "hue_order": colours, "ax": axis}
        dodge = 0.8 * (len(colours) - 1) / len(colours) if colours else False  # where stripplot has its points
        sns.pointplot(
            **shared, errorbar="sd", dodge=dodge, linestyle="" if hue else "-", capsize=0.06, err_kws={"linewidth": 1.5}
        )
        if source == "ours":
            sns.stripplot(**shared, dodge=hue is not None, jitter=False, size=3, alpha=0.5, legend=False)
        axis.set(title=source, xlabel="", ylabel="top-1, %" if source == "paper" else "")
        if part.empty:
            _say_not_run(axis)
        axis.tick_params(axis="x", labelsize=10)
        if axis.get_legend():
            axis.get_legend().remove()
    if hue:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(colours or []))
    return figure


def heat_maps(grids: Mapping[str, pd.DataFrame], missing: Mapping[str, str]) -> Figure:
    """Annotated grids of accuracy side by side, by name, each with its own colours; the best of each row is framed.

    Args:
        grids: names of index and columns label the axes.
        missing: what stands in cells without a number.
    """
    rows, columns = next(iter(grids.values())).shape
    size = (1.5 + 0.75 * columns * len(grids), 1.2 + 0.55 * rows)
    figure, axes = plt.subplots(1, len(grids), figsize=size, squeeze=False)
    for axis, (name, grid) in zip(axes[0], grids.items(), strict=True):
        bounds = {"vmin": 0, "vmax": 1} if grid.isna().all(axis=None) else {}  # with nothing to take them from
        sns.heatmap(
            grid,
            **bounds,
            annot=True,
            fmt=".1f",
            cmap="viridis",
            cbar=False,
            linewidths=1,
            ax=axis,
            annot_kws={"size": 10},
        )
        values = grid.to_numpy(dtype=float)
        for i, j in itertools.product(range(rows), range(columns)):
            value = float(values[i, j])
            if np.isnan(value):
                axis.text(j + 0.5, i + 0.5, missing[name], ha="center", va="center", fontsize=9, color="0.4")
            elif value == np.nanmax(values[i]):
                axis.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor="red", linewidth=2))
        axis.set_title(name)
        axis.grid(False)
        axis.tick_params(axis="y", rotation=0)
    return figure


def accuracy_by_epoch(curves: pd.DataFrame, rows: Mapping[str, str]) -> Figure:
    """Validation accuracy over epochs, a line a row by its title: means over seeds, and bands of one deviation.

    Args:
        curves: of `cpnet.results.curves`.
        rows: titles of the rows that are drawn.
    """
    points = curves[curves["row"].isin(rows)]
    titles = points["row"].map(rows).rename("model")
    shown = [title for title in rows.values() if title in set(titles)]
    figure, axis = plt.subplots(figsize=(7, 3.4))
    sns.lineplot(points, x="epoch", y="val_top1", hue=titles, hue_order=shown, marker="o", errorbar="sd", ax=axis)
    axis.set(xlabel="epoch", ylabel="validation top-1, %", ylim=(None, 101))
    if shown:
        axis.legend(title="", loc="lower right")
    else:
        _say_not_run(axis)
    return figure


def _say_not_run(axis: Axes) -> None:
    axis.text(0.5, 0.5, "not run", transform=axis.transAxes, ha="center", va="center", color="0.4")


def losses(curves: pd.DataFrame, rows: Mapping[str, str], frames: Sequence[int]) -> Figure:
    """Training loss over epochs, a line a seed and a panel a row; lines where a phase begins say its frames.

    Args:
        curves: of `cpnet.results.curves`.
        rows: titles of the rows that are drawn.
        frames: number of frames of a clip in each phase.
    """
    figure, axes = plt.subplots(1, len(rows), figsize=(5 * len(rows), 3.4), sharey=True, squeeze=False)
    for axis, (row, title) in zip(axes[0], rows.items(), strict=True):
        for _, run in curves[curves["row"] == row].groupby("seed"):
            axis.plot(run["epoch"], run["train_loss"], color="C0", alpha=0.7, marker=".")
            _mark_phases(axis, run["phase"].tolist())
            for number, start in zip(frames, run.groupby("phase")["epoch"].min(), strict=False):
                place = {"transform": axis.get_xaxis_transform(), "rotation": 90, "va": "top", "fontsize": 9}
                axis.text(start - 0.4, 0.97, f"{number} frames", **place)
        axis.set(title=title, xlabel="epoch", yscale="log")
        if row not in set(curves["row"]):
            _say_not_run(axis)
    axes[0, 0].set_ylabel("training loss")
    return figure


def costs(frame: pd.DataFrame) -> Figure:
    """Horizontal bars, one panel for each column that is relative to C2D, one bar a network."""
    columns = [column for column in map(str, frame) if column.endswith("÷ C2D")]
    figure, axes = plt.subplots(1, len(columns), figsize=(3.4 * len(columns), 0.38 * len(frame) + 0.9), sharey=True)
    for axis, column in zip(axes, columns, strict=True):
        _bars(axis, frame[column], ".2f", 1)
        axis.set(xlim=(0, 1.2 * frame[column].max()), xlabel=column)
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
    gap, W = 2, frames.shape[2]
    canvas = np.hstack([*np.pad(frames, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=255)])[:, :-gap]
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


def speed(frame: pd.DataFrame, printed: Mapping[int, float], printed_on: str) -> Figure:
    """Videos a second by batch size, a line for each number of frames, and the paper's points, as Figure 9.

    Args:
        frame: frame of `cpnet.bench.run_time.measure_speed`.
        printed: the paper's videos a second, one at a time, by frames.
        printed_on: its device.
    """
    figure, axis = plt.subplots(figsize=(7, 3.4))
    for i, num_frames in enumerate(sorted(set(frame["num_frames"]))):
        rows = frame[frame["num_frames"] == num_frames]
        axis.plot(rows["batch_size"], rows["videos/s"], marker="o", color=f"C{i}", label=f"ours, {num_frames} frames")
        if num_frames in printed:
            label = f"paper, {num_frames} frames, {printed_on}"
            axis.plot(1, printed[num_frames], marker="*", markersize=12, linestyle="", color=f"C{i}", label=label)
    sizes = sorted(set(frame["batch_size"]))
    axis.set_xscale("log", base=2)
    axis.set(xticks=sizes, xticklabels=sizes, yscale="log", xlabel="batch size", ylabel="videos a second")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=10)
    return figure


def growth(frame: pd.DataFrame, columns: Sequence[str]) -> Figure:
    """Measurements against the number of positions on log-log axes, a panel a column and a line a candidate."""
    figure, axes = plt.subplots(1, len(columns), figsize=(4.5 * len(columns), 3.4), squeeze=False)
    for axis, column in zip(axes[0], columns, strict=True):
        for name, rows in frame.groupby("candidate", sort=False):
            axis.plot(rows["positions"], rows[column], marker="o", label=name)
        axis.set(xscale="log", yscale="log", xlabel="positions", ylabel=column)
        axis.minorticks_off()  # their labels would overlap
    axes[0, 0].legend()
    return figure


def gains(frame: pd.DataFrame, named: Mapping[str, str]) -> Figure:
    """Bars of the gain of each class with their intervals, as Figures 8 and 10, coloured by what decides the class.

    Args:
        frame: of `cpnet.experiments.gains.by_class`.
        named: what stands beside the names of some classes.
    """
    figure, axis = plt.subplots(figsize=(10, 0.24 * len(frame) + 1.2))
    kinds = [kind for kind in KINDS if kind in set(frame["decided by"])]
    for kind in kinds:
        mine = frame["decided by"] == kind
        places, colour = np.flatnonzero(mine), f"C{KINDS.index(kind)}"
        axis.barh(places, frame["gain"][mine], xerr=frame["half"][mine], color=colour, label=kind, ecolor="0.4")
    labels = [f"{label}  ({named[label]})" if label in named else label for label in frame.index]
    axis.set_yticks(range(len(frame)), labels, fontsize=9)
    axis.set(xlabel="gain of CPNet over C2D, points of top-1 of the class", ylim=(len(frame) - 0.4, -0.6))
    axis.axvline(0, color="0.2", linewidth=1)
    if kinds:
        figure.legend(title="decided by", loc="outside lower center", ncols=len(kinds))
    else:
        _say_not_run(axis)
    return figure


def confusions(grids: Mapping[str, pd.DataFrame]) -> Figure:
    """Confusion matrices side by side, by name, in percent; of each class by rows, what it is taken for by columns."""
    classes = list(next(iter(grids.values())).index)
    side = 0.2 * len(classes)
    figure, axes = plt.subplots(1, len(grids), figsize=(side * len(grids) + 4.5, side + 0.8), sharey=True)
    for axis, (name, grid) in zip(np.atleast_1d(axes), grids.items(), strict=True):
        sns.heatmap(grid, vmin=0, vmax=100, cmap="viridis", square=True, cbar=False, ax=axis, yticklabels=True)
        axis.set(title=name, xlabel="taken for, in the same order", ylabel="", xticks=[])
        axis.tick_params(axis="y", labelsize=9)
        if not grid.to_numpy().any():
            _say_not_run(axis)
    return figure


def proposals(clip: np.ndarray, seen: Look, place: tuple[int, int, int], near: np.ndarray | None = None) -> Figure:
    """A clip and what a CP module does with it, as Figures 5 and 11 to 13 of the paper.

    Arrows lead from a position to its proposals: red to those that win in some channel, blue to the others, with a ring
    around those that are true. Below, how far the module changes the features, by L1 distance.

    Args:
        clip: (T, S, S, 3) uint8.
        seen: of `cpnet.models.look.look`.
        place: frame, row and column of the position, at the resolution of the search.
        near: (N, N) of `cpnet.standins.truth.Truth.near`.
    """
    T, S = clip.shape[:2]
    _, h, w = seen.size
    number = int(np.ravel_multi_index(place, seen.size))
    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 3.1))
    above.imshow(np.hstack([*clip]))

    def centre(n: int) -> tuple[float, float]:
        t, r, c = np.unravel_index(n, seen.size)
        return t * S + c * S / w, r * S / h  # as strided convolutions have it, in the coordinates of imshow

    for other, wins in zip(seen.indices[number].tolist(), seen.wins[number].tolist(), strict=True):
        style = {"arrowstyle": "-|>", "color": "tab:red" if wins else "tab:blue", "shrinkA": 0, "shrinkB": 0}
        above.annotate("", xy=centre(other), xytext=centre(number), arrowprops=style)
        if near is not None and near[number, other]:
            above.plot(*centre(other), "o", markersize=9, markerfacecolor="none", markeredgecolor="lime")
    above.plot(*centre(number), "o", color="gold", markeredgecolor="black", markersize=6)
    change = (seen.after - seen.before).abs().sum(0).numpy()  # (T, H, W)
    below.imshow(np.hstack([*change]), cmap="inferno", interpolation="nearest")
    for axis in (above, below):
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
    for t in range(1, T):
        above.axvline(t * S - 0.5, color="white", linewidth=2)
        below.axvline(t * change.shape[2] - 0.5, color="white", linewidth=2)
    above.set_title(seen.module, fontsize=11)
    return figure


def shares_of_modules(frame: pd.DataFrame, chance: pd.DataFrame, ylabel: str) -> Figure:
    """A measurement by module with 95 % intervals, a panel a data set, a line a kind of features; dotted: by chance.

    Args:
        frame: lines of `cpnet.experiments.correspondences.load`, of one k.
        chance: those of what chance would have.
    """
    datasets = list(dict.fromkeys(frame["dataset"])) or ["nothing is measured"]
    figure, axes = plt.subplots(1, len(datasets), figsize=(5.2 * len(datasets), 3.4), sharey=True, squeeze=False)
    for axis, dataset in zip(axes[0], datasets, strict=True):
        mine = frame[frame["dataset"] == dataset]
        for features, line in mine.groupby("features", sort=False):
            axis.errorbar(line["module"], line["mean"], line["half"], marker="o", capsize=3, label=features)
        drawn = chance[(chance["dataset"] == dataset)].drop_duplicates("module")
        axis.plot(drawn["module"], drawn["mean"], color="0.4", linestyle=":", label="by chance")
        axis.set(title=dataset, ylim=(0, 1))
        axis.tick_params(axis="x", rotation=45)
        if mine.empty:
            _say_not_run(axis)
    axes[0, 0].set_ylabel(ylabel)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure


def shares_by_k(frame: pd.DataFrame, ylabel: str) -> Figure:
    """A measurement against k, a panel a data set and a line a module.

    Args:
        frame: lines of `cpnet.experiments.correspondences.load`, of trained networks.
    """
    datasets = list(dict.fromkeys(frame["dataset"])) or ["nothing is measured"]
    figure, axes = plt.subplots(1, len(datasets), figsize=(5.2 * len(datasets), 3.4), sharey=True, squeeze=False)
    for axis, dataset in zip(axes[0], datasets, strict=True):
        mine = frame[frame["dataset"] == dataset]
        for module, line in mine.groupby("module", sort=False):
            axis.plot("k", "mean", data=line.sort_values("k"), marker="o", label=module)
        axis.set_xscale("log", base=2)
        axis.set(title=dataset, xlabel="k", ylim=(0, 1))
        if mine.empty:
            _say_not_run(axis)
    axes[0, 0].set_ylabel(ylabel)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure


def top1_by_share(
    shares: Sequence[float], curves: Mapping[str, Sequence[float]], floors: Mapping[str, float]
) -> Figure:
    """Top-1 against the share of proposals drawn at random, a line a data set; dotted in its colour: C2D."""
    figure, axis = plt.subplots(figsize=(7, 3.4))
    for i, (name, values) in enumerate(curves.items()):
        axis.plot([100 * share for share in shares], values, marker="o", color=f"C{i}", label=name)
        axis.axhline(floors[name], color=f"C{i}", linestyle=":", label=f"{name}, C2D")
    axis.set(xlabel="proposals drawn at random, %", ylabel="validation top-1, %", ylim=(0, 101))
    if curves:
        axis.legend()
    else:
        _say_not_run(axis)
    return figure
