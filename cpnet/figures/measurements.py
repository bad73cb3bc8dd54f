"""Costs, speed, and what modules propose."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cpnet.figures.parts import WIDTH, bars, say_not_run, titles


def costs(frame: pd.DataFrame) -> Figure:
    """Horizontal bars, a panel below the other for each column that is relative to C2D, one bar a network."""
    columns = [column for column in map(str, frame) if column.endswith("÷ C2D")]
    figure, axes = plt.subplots(len(columns), 1, figsize=(WIDTH, (0.3 * len(frame) + 0.7) * len(columns)))
    for axis, column in zip(axes, columns, strict=True):
        bars(axis, frame[column].rename(titles(frame.index)), ".2f", 1)
        axis.set(xlim=(0, 1.2 * frame[column].max()), xlabel=column)
    return figure


def speed(frame: pd.DataFrame, printed: Mapping[int, float], printed_on: str) -> Figure:
    """Videos a second by batch size, a line for each number of frames, and the paper's points, as Figure 9.

    Args:
        frame: frame of `cpnet.bench.run_time.measure_speed`.
        printed: the paper's videos a second, one at a time, by frames.
        printed_on: its device.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4))
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
    figure, axes = plt.subplots(1, len(columns), figsize=(WIDTH, 3), squeeze=False)
    for axis, column in zip(axes[0], columns, strict=True):
        for name, rows in frame.groupby("candidate", sort=False):
            axis.plot(rows["positions"], rows[column], marker="o", label=name)
        axis.set(xscale="log", yscale="log", xlabel="positions", ylabel=column)
        axis.minorticks_off()  # their labels would overlap
        sizes = sorted(set(frame["positions"]))
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45)
    axes[0, 0].legend(fontsize=9)
    return figure


def shares_of_modules(frame: pd.DataFrame, chance: pd.DataFrame, ylabel: str) -> Figure:
    """A measurement by module with 95 % intervals, a panel a data set, a line a kind of features; dotted: by chance.

    Args:
        frame: lines of `cpnet.experiments.figure5.load`, of one k.
        chance: those of what chance would have.
    """

    def draw(axis: Axes, mine: pd.DataFrame) -> None:
        for features, line in mine.groupby("features", sort=False):
            axis.errorbar(line["module"], line["mean"], line["half"], marker="o", capsize=3, label=features)
        drawn = chance[chance["dataset"].isin(mine["dataset"])].drop_duplicates("module")
        axis.plot(drawn["module"], drawn["mean"], color="0.4", linestyle=":", label="by chance")
        axis.tick_params(axis="x", rotation=45)

    return _by_dataset(frame, ylabel, draw)


def shares_by_k(frame: pd.DataFrame, ylabel: str) -> Figure:
    """A measurement against k, a panel a data set and a line a module.

    Args:
        frame: lines of `cpnet.experiments.figure5.load`, of trained networks.
    """

    def draw(axis: Axes, mine: pd.DataFrame) -> None:
        for module, line in mine.groupby("module", sort=False):
            line = line.sort_values("k")
            axis.plot(line["k"], line["mean"], marker="o", label=module)
        axis.set_xscale("log", base=2)
        axis.set_xlabel("k")

    return _by_dataset(frame, ylabel, draw)


def _by_dataset(frame: pd.DataFrame, ylabel: str, draw: Callable[[Axes, pd.DataFrame], None]) -> Figure:
    """Shares, a panel a data set, one below the other."""
    datasets = list(dict.fromkeys(frame["dataset"])) or ["nothing is measured"]
    figure, axes = plt.subplots(len(datasets), 1, figsize=(WIDTH, 2.5 * len(datasets)), squeeze=False)
    for axis, dataset in zip(axes[:, 0], datasets, strict=True):
        mine = frame[frame["dataset"] == dataset]
        draw(axis, mine)
        axis.set(title=dataset, ylim=(0, 1))
        if mine.empty:
            say_not_run(axis)
        else:
            axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.supylabel(ylabel)
    return figure


def top1_by_share(
    shares: Sequence[float], curves: Mapping[str, Sequence[float]], floors: Mapping[str, float]
) -> Figure:
    """Top-1 against the share of proposals drawn at random, a line a data set; dotted in its colour: C2D."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4))
    for i, (name, values) in enumerate(curves.items()):
        axis.plot([100 * share for share in shares], values, marker="o", color=f"C{i}", label=name)
        axis.axhline(floors[name], color=f"C{i}", linestyle=":", label=f"{name}, C2D")
    axis.set(xlabel="proposals drawn at random, %", ylabel="validation top-1, %", ylim=(0, 101))
    if curves:
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    else:
        say_not_run(axis)
    return figure
