"""What several figures share."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Looked for in this order in the title of a row: "NL C2D" is an NL net. What names none is a CPNet.
NETWORKS = {"cpnet": "CPNet", "nl": "NL C2D", "c3d": "C3D", "artnet": "ARTNet", "trn": "TRN", "c2d": "C2D"}

# Inches: figures are as wide as the book's text, so that letters of 10 points are 8 pixels high on a phone of 390.
WIDTH = 6.5

Colour = tuple[float, float, float]


def colours(titles: Iterable[str]) -> dict[str, Colour]:
    """By title, one colour for each network in the whole book; several rows of one network have shades of it."""
    of = {title: next((name for name in NETWORKS if name in title.lower()), "cpnet") for title in titles}
    found: dict[str, Colour] = {}
    for colour, network in zip(sns.color_palette("colorblind", len(NETWORKS)), NETWORKS, strict=True):
        mine = [title for title, name in of.items() if name == network]
        shades = sns.light_palette(colour, len(mine) + 2)[2:] if len(mine) > 1 else [colour]
        found |= dict(zip(mine, shades, strict=False))
    return found


def panels(number: int, columns: int, height: float, shared: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, `height` inches high, in rows of `columns`; the last row may stay short."""
    rows = -(-number // columns)
    size = (WIDTH, height * rows + 0.4)
    figure, axes = plt.subplots(rows, columns, figsize=size, sharex=shared, sharey=shared, squeeze=False)
    for axis in axes.flat[number:]:
        axis.set_visible(False)
    for axis in axes.flat[max(number - columns, 0) : number]:
        axis.tick_params(labelbottom=True)  # of the lowest panel of each column
    return figure, list(axes.flat[:number])


def titles(rows: Iterable[str]) -> dict[str, str]:
    """By row, how figures name it: "cpnet_resnet18" is "CPNet, ResNet-18"."""
    named = {row: row.split("_resnet") for row in rows}
    return {row: f"{NETWORKS[network]}, ResNet-{depth}" for row, (network, depth) in named.items()}


def say_not_run(axis: Axes) -> None:
    axis.text(0.5, 0.5, "not run", transform=axis.transAxes, ha="center", va="center", color="0.4")


def bars(axis: Axes, values: pd.Series, form: str, reference: float) -> None:
    """Horizontal bars with their numbers, and a dotted line at a reference."""
    sns.barplot(x=values, y=values.index, orient="h", color="C0", ax=axis)
    axis.bar_label(axis.containers[0], fmt=f"{{:{form}}}", padding=4, fontsize=10)  # type: ignore[arg-type]
    axis.axvline(reference, color="0.2", linestyle=":", linewidth=1.5)
    axis.set_ylabel("")
