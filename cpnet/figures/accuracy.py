"""Accuracies of tables: by row, by k, by class."""

import itertools
import textwrap
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cpnet.figures.parts import WIDTH, bars, colours, panels, say_not_run

KINDS = ("motion", "nothing moves", "appearance", "not known")  # what decides classes


def accuracy_bars(values: Mapping[str, float], chance: float) -> Figure:
    """Horizontal bars of validation accuracy, one a label, in the order given."""
    figure, axis = plt.subplots(figsize=(WIDTH, 0.38 * len(values) + 0.9))
    bars(axis, pd.Series(values), ".1f", chance)
    axis.set(xlim=(0, 109), xlabel="validation top-1, %   (dotted: chance)")
    return figure


def accuracy_by_k(frame: pd.DataFrame, series: Mapping[str, str], chance: float) -> Figure:
    """Accuracy against k, one line for each {column: label} of `series`."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3))
    for (column, label), marker in zip(series.items(), "osv^", strict=False):
        axis.plot(frame["k"], frame[column], marker=marker, label=label)
    axis.axhline(chance, color="0.4", linestyle=":", linewidth=1)
    axis.set_xscale("log", base=2)
    axis.set(xticks=frame["k"], ylim=(0, 105), xlabel="k", ylabel="validation top-1, %")
    axis.set_xticklabels(frame["k"])
    axis.legend(loc="lower right")
    return figure


def accuracy_by_displacement(curves: Mapping[str, pd.DataFrame], reaches: Mapping[str, float], chance: float) -> Figure:
    """Accuracy against displacement, a panel a network: means as a line in a band from the worst seed to the best.

    Every training is a dot; grey is out of reach.

    Args:
        curves: by title, one line a training: step, top1.
        reaches: the largest displacement that the network can see, computed beforehand.
        chance: drawn dotted.
    """
    figure, axes = panels(len(curves), columns=3, height=2, shared=True)
    for axis, (title, frame) in zip(axes, curves.items(), strict=True):
        axis.axvspan(min(reaches[title] + 0.5, 10.6), 10.6, color="0.88", zorder=0)
        axis.axhline(chance, color="0.4", linestyle=":", linewidth=1)
        colour = colours([title])[title]
        sns.lineplot(frame, x="step", y="top1", errorbar=("pi", 100), ax=axis, color=colour)
        sns.scatterplot(frame, x="step", y="top1", ax=axis, color=colour, s=22)
        if frame.empty:
            say_not_run(axis)
        axis.set(xlim=(0.4, 10.6), ylim=(0, 105), xlabel="px a frame", ylabel="top-1, %")
        axis.set_title(title.replace(", ", ",\n", 1), fontsize=10)
        axis.set_xticks(range(2, 11, 2))
    return figure


def top1_by_motion(frame: pd.DataFrame, names: Mapping[str, str], guessing: float) -> Figure:
    """Top-1 by how far things move, a line for each network: means over seeds, and bars of one deviation.

    Args:
        frame: of `cpnet.experiments.by_displacement.by_displacement`.
        names: of the rows that are drawn.
        guessing: drawn dotted.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4))
    drawn = frame[frame["row"].isin(names)]
    titles = drawn["row"].map(names)
    shown = [title for title in names.values() if title in set(titles)]
    if not shown:
        say_not_run(axis)
        return figure
    by_title = {"hue": titles, "hue_order": shown, "palette": colours(shown)}
    sns.lineplot(drawn, x="px", y="top1", **by_title, marker="o", errorbar="sd", err_style="bars", ax=axis)
    axis.axhline(guessing, color="0.4", linestyle=":", linewidth=1)
    axis.set(xlabel="px between frames", ylabel="top-1, %", ylim=(0, 105), xlim=(0, None))
    axis.legend(title="", ncols=2)
    return figure


def paper_beside_ours(frame: pd.DataFrame, x: str, hue: str | None = None) -> Figure:
    """Accuracy, the paper's in the left panel and ours in the right one: means, bars of one deviation, and every run.

    Both axes span the same number of points, so that effects compare by eye.

    Args:
        frame: of `cpnet.experiments.table.Table.long_form`.
        x, hue: its columns to set apart by place and by colour.
    """
    names, hues = list(dict.fromkeys(frame[x])), list(dict.fromkeys(frame[hue])) if hue else None
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.2 if hue is None else 3.8))
    for axis, source in zip(axes, ("paper", "ours"), strict=True):
        part = frame[frame["source"] == source]
        shared = {"data": part, "x": x, "y": "value", "order": names, "hue": hue, "hue_order": hues, "ax": axis}
        shared["palette"] = colours(hues) if hues else None
        dodge = 0.8 * (len(hues) - 1) / len(hues) if hues else False  # where stripplot has its points
        sns.pointplot(
            **shared, errorbar="sd", dodge=dodge, linestyle="" if hue else "-", capsize=0.06, err_kws={"linewidth": 1.5}
        )
        if source == "ours":
            sns.stripplot(**shared, dodge=hue is not None, jitter=False, size=3, alpha=0.5, legend=False)
        axis.set(title=source, xlabel="", ylabel="top-1, %" if source == "paper" else "")
        if part.empty:
            say_not_run(axis)
        axis.set_xticks(range(len(names)), [textwrap.fill(name, 8) for name in names])
        axis.tick_params(labelsize=9)
        if axis.get_legend():
            axis.get_legend().remove()
    span = max(frame.groupby("source")["value"].agg(lambda values: values.max() - values.min()).max(), 1.0)
    for axis, source in zip(axes, ("paper", "ours"), strict=True):
        values = frame.loc[frame["source"] == source, "value"]
        if len(values):
            top = min(values.agg(["min", "max"]).mean() + 0.6 * span, 102)
            axis.set_ylim(top - 1.2 * span, top)
    if hue:
        place = {"loc": "outside lower center", "ncols": len(hues or []), "fontsize": 9, "columnspacing": 1}
        figure.legend(*axes[0].get_legend_handles_labels(), **place)
    return figure


def heat_maps(grids: Mapping[str, pd.DataFrame], missing: Mapping[str, str]) -> Figure:
    """Annotated grids of accuracy, by name, each with its own colours; the best of each row is framed.

    No cell is framed in a row whose own cell, that on the diagonal, is missing.

    Args:
        grids: names of index and columns label the axes.
        missing: what stands in cells without a number.
    """
    rows, columns = next(iter(grids.values())).shape
    size = (1.2 + 0.85 * columns, (1.0 + 0.5 * rows) * len(grids))  # one above the other, to be read on a phone
    figure, axes = plt.subplots(len(grids), 1, figsize=size, squeeze=False)
    for axis, (name, grid) in zip(axes[:, 0], grids.items(), strict=True):
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
            elif value == np.nanmax(values[i]) and not np.isnan(grid.iloc[i].get(grid.index[i], 0.0)):
                axis.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor="red", linewidth=2))
        axis.set_title(name)
        axis.grid(False)
        axis.tick_params(axis="y", rotation=0)
    return figure


def gains(frame: pd.DataFrame, named: Mapping[str, str]) -> Figure:
    """Bars of the gain of each class with their intervals, as Figures 8 and 10, coloured by what decides the class.

    Args:
        frame: of `cpnet.experiments.gains.by_class`.
        named: what stands beside the names of some classes.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.34 * len(frame) + 1.2))
    kinds = [kind for kind in KINDS if kind in set(frame["decided by"])]
    for kind in kinds:
        mine = frame["decided by"] == kind
        places, colour = np.flatnonzero(mine), f"C{KINDS.index(kind)}"
        axis.barh(places, frame["gain"][mine], xerr=frame["half"][mine], color=colour, label=kind, ecolor="0.4")
    labels = [f"{label} ({named[label]})" if label in named else label for label in frame.index]
    axis.set_yticks(range(len(frame)), [textwrap.fill(label, 44) for label in labels], fontsize=9, linespacing=1)
    axis.set(xlabel="gain over C2D, points of top-1", ylim=(len(frame) - 0.4, -0.6))
    axis.axvline(0, color="0.2", linewidth=1)
    if kinds:
        figure.legend(title="decided by", loc="outside lower center", ncols=len(kinds))
    else:
        say_not_run(axis)
    return figure


def confusions(grids: Mapping[str, pd.DataFrame]) -> Figure:
    """Confusion matrices, one below the other, in percent; of each class by rows, what it is taken for by columns."""
    classes = next(iter(grids.values())).index
    figure, axes = plt.subplots(len(grids), 1, figsize=(WIDTH, len(grids) * (0.15 * len(classes) + 0.6)), squeeze=False)
    for axis, (name, grid) in zip(axes[:, 0], grids.items(), strict=True):
        axis.tick_params(axis="y", labelsize=9)  # before seaborn lays the figure out
        labels, bar = {"yticklabels": True, "xticklabels": False}, {"shrink": 0.5, "pad": 0.03, "format": "%d %%"}
        sns.heatmap(grid, vmin=0, vmax=100, cmap="viridis", cbar_kws=bar, ax=axis, **labels)
        axis.set(title=name, xlabel="taken for, in the same order", ylabel="")
        if not grid.to_numpy().any():
            say_not_run(axis)
    return figure
