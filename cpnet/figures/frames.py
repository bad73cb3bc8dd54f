"""Frames of clips, and arrows over them."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps

from cpnet.figures.parts import WIDTH, panels
from cpnet.models.look import Look


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


def contact_sheet(clips: Mapping[str, np.ndarray]) -> Figure:
    """Six evenly spaced frames of clips (T, H, W, 3) of any size, cut to squares, under their names; two a row."""
    figure, axes = panels(len(clips), columns=2, height=0.95)
    for axis, (name, clip) in zip(axes, clips.items(), strict=True):
        axis.set_axis_off()
        times = np.linspace(0, len(clip) - 1, 6).round().astype(int)
        _side_by_side(axis, np.stack([np.asarray(ImageOps.fit(Image.fromarray(clip[t]), (64, 64))) for t in times]))
        axis.set_title(textwrap.fill(name, 44), fontsize=9, loc="left")
    return figure


def arrows(
    frames: np.ndarray,
    query: tuple[int, int, int],
    looks: Mapping[str, tuple[Sequence[tuple[int, int, int]], Sequence[float]]],
) -> Figure:
    """Frames (T, H, W, 3) side by side, a row for each title: arrows from a query (t, h, w) to weighted targets.

    Red arrows are as opaque as weights are large, blue ones have none.
    """
    figure, axes = plt.subplots(len(looks), 1, figsize=(WIDTH, 1.9 * len(looks)), squeeze=False)
    for axis, (title, (targets, weights)) in zip(axes[:, 0], looks.items(), strict=True):
        W = _side_by_side(axis, frames)
        start = (query[0] * W + query[2], query[1])
        strongest = max(weights, default=0.0) or 1.0
        for (t, h, w), weight in zip(targets, weights, strict=True):
            colour, alpha = "red" if weight else "tab:blue", 0.25 + 0.75 * weight / strongest
            style = {"arrowstyle": "-|>", "color": colour, "alpha": alpha}
            axis.annotate("", xy=(t * W + w, h), xytext=start, arrowprops=style)
        axis.plot(*start, "o", color="gold", markersize=5)
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, fontsize=10)
        axis.grid(False)
    return figure


def _side_by_side(axis: Axes, frames: np.ndarray) -> int:
    """Draw frames (T, H, W, 3) in a row; by how many pixels each is right of the one before."""
    padded = np.pad(frames, ((0, 0), (0, 0), (0, 2), (0, 0)), constant_values=255)
    axis.imshow(np.hstack([*padded])[:, :-2])
    return padded.shape[2]


def one_position(
    frames: np.ndarray, query: tuple[int, int, int], targets: Sequence[tuple[int, int, int]], values: np.ndarray
) -> Figure:
    """A CP module at one position: its proposals, what the MLP makes of each, and the maximum, as Figures 2 and 3.

    Args:
        frames: (T, H, W, 3) uint8.
        query, targets: frame, row and column of the position and of its k proposals.
        values: (k, channels), the MLP's output for each pair.
    """
    k, channels = values.shape
    figure, (above, middle, below) = plt.subplots(3, 1, figsize=(WIDTH, 4.4), height_ratios=(5, k, 1))
    W = _side_by_side(above, frames)
    start = (query[0] * W + query[2], query[1])
    for j, (t, h, w) in enumerate(targets):
        style = {"arrowstyle": "-|>", "color": f"C{j}", "shrinkB": 4, "connectionstyle": f"arc3,rad={-0.12 * (j + 1)}"}
        above.annotate("", xy=(t * W + w, h), xytext=start, arrowprops=style)
    above.plot(*start, "o", color="gold", markersize=6)
    above.set_title("1. search: the positions of other frames whose features are nearest", fontsize=11)
    scale = {"cmap": "Greys", "vmin": 0, "vmax": max(values.max(), 1e-9), "aspect": "auto"}
    middle.imshow(values, **scale)
    middle.set_yticks(range(k), [f"proposal {j + 1}" for j in range(k)])
    for j, label in enumerate(middle.get_yticklabels()):
        label.set_color(f"C{j}")
    middle.set_title("2. embedding: one MLP for each pair of features and their displacement", fontsize=11)
    below.imshow(values.max(0)[None], **scale)
    for channel, winner in enumerate(values.argmax(0)):
        if values[winner, channel] > 0:
            below.add_patch(Rectangle((channel - 0.46, -0.44), 0.92, 0.88, fill=False, edgecolor=f"C{winner}", lw=3))
    below.set_title("3. maximum, channel by channel, framed in the colour of the proposal that wins", fontsize=11)
    below.set(yticks=[], xlabel=f"{channels} channels")
    for axis in (above, middle, below):
        axis.grid(visible=False)
        axis.set_xticks([])
    above.set_yticks([])
    return figure


# Of a module: what it does with a clip, the position that is asked about, and which pairs of positions are true.
Asked = tuple[Look, tuple[int, int, int], np.ndarray | None]


def proposals(clip: np.ndarray, asked: Sequence[Asked], columns: int = 4) -> Figure:
    """A clip and what CP modules do with it, a row for each, as Figures 5 and 11 to 13 of the paper.

    On the left arrows lead from a position to its proposals: red to those that win in some channel, blue to the others,
    with a ring around those that are true. On the right, how far the module changes the features, by L1 distance.

    Args:
        clip: (T, S, S, 3) uint8.
        asked: of each module, `cpnet.models.look.look`; frame, row and column of the position, at the resolution of the
            search; and (N, N) of `cpnet.standins.truth.Truth.near`, if it is known.
        columns: number of frames beside each other.
    """
    figure, axes = plt.subplots(len(asked), 2, figsize=(WIDTH, 1.9 * len(asked)), squeeze=False)
    for (left, right), (seen, place, near) in zip(axes, asked, strict=True):
        _draw_proposals(left, clip, seen, place, near, columns)
        change = (seen.after - seen.before).abs().sum(0).numpy()  # (T, H, W)
        right.imshow(_tiled(change, columns), cmap="inferno", interpolation="nearest")
        for axis, tile in ((left, clip), (right, change)):
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            for column in range(1, columns):
                axis.axvline(column * tile.shape[2] - 0.5, color="white", linewidth=2)
            for line in range(1, -(-len(tile) // columns)):
                axis.axhline(line * tile.shape[1] - 0.5, color="white", linewidth=2)
        left.set_title(f"{seen.module}: proposals", fontsize=11)
        right.set_title(f"{seen.module}: change of the features", fontsize=11)
    return figure


def _draw_proposals(
    axis: Axes, clip: np.ndarray, seen: Look, place: tuple[int, int, int], near: np.ndarray | None, columns: int
) -> None:
    S = clip.shape[1]
    _, h, w = seen.size
    axis.imshow(_tiled(clip, columns), interpolation="nearest")
    number = int(np.ravel_multi_index(place, seen.size))

    def centre(n: int) -> tuple[float, float]:
        t, r, c = np.unravel_index(n, seen.size)
        return t % columns * S + c * S / w, t // columns * S + r * S / h  # as strided convolutions have it

    for other, wins in zip(seen.indices[number].tolist(), seen.wins[number].tolist(), strict=True):
        colour = "tab:red" if wins else "tab:blue"
        style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.8}
        axis.annotate("", xy=centre(other), xytext=centre(number), arrowprops=style)
        if near is not None and near[number, other]:
            axis.plot(*centre(other), "o", markersize=10, markerfacecolor="none", markeredgecolor="lime")
    axis.plot(*centre(number), "o", color="gold", markeredgecolor="black", markersize=7)


def _tiled(frames: np.ndarray, columns: int) -> np.ndarray:
    """Frames (T, H, W, ...) in rows of so many; the last row is filled with zeros."""
    missing = -len(frames) % columns
    filled = np.concatenate([frames, np.zeros((missing, *frames.shape[1:]), frames.dtype)])
    rows = [np.concatenate([*filled[i : i + columns]], axis=1) for i in range(0, len(filled), columns)]
    return np.concatenate(rows)
