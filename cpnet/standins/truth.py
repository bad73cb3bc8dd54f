"""What the renderer knows: what is seen where in a clip, and where the same point is in every other frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
from PIL import Image

from cpnet.data.clips import crops, even_clips, resized
from cpnet.data.layouts import Dataset
from cpnet.standins.canvas import Film
from cpnet.standins.write import VIDEOS, compose_clips

CELLS = {"res3": 4, "res4": 8, "res5": 16}  # pixels of a clip that a cell is wide, in short trainings
BACKGROUND = -1


@dataclass(frozen=True)
class Truth:
    """What each position of a feature map shows, and where that very point is in every frame of the clip.

    A hand that is drawn anew in each frame counts as one thing that moves as a whole.

    Attributes:
        shows: (T, h, w), number of the film's layer whose paint is there, or `BACKGROUND`.
        places: (T, h, w, T, 2), row and column of the point in each frame, in positions and their fractions.
        seen: (T, h, w, T), whether it is in view there, and not hidden.
    """

    shows: np.ndarray
    places: np.ndarray
    seen: np.ndarray

    @cached_property
    def near(self) -> np.ndarray:
        """(N, N) bool of flattened positions: whether the second, in another frame, is within a row and a column of
        where the point of the first is seen."""
        T, h, w = self.shows.shape
        t, r, c = np.unravel_index(np.arange(T * h * w), (T, h, w))
        places, seen = self.places.reshape(-1, T, 2)[:, t], self.seen.reshape(-1, T)[:, t]  # (N, N, 2), (N, N)
        off = np.maximum(np.abs(places[..., 0] - r), np.abs(places[..., 1] - c))
        return seen & (off <= 1) & (t[:, None] != t)

    @cached_property
    def reach(self) -> np.ndarray:
        """(T, h, w), by how many rows or columns the point is away from here at most, where it is seen."""
        here = np.moveaxis(np.indices(self.shows.shape[1:]), 0, -1)[None, :, :, None]  # (1, h, w, 1, 2)
        return (np.abs(self.places - here).max(-1) * self.seen).max(-1)

    def moving_place(self, t: int) -> tuple[int, int, int]:
        """Frame, row and column of the place in a frame whose point moves farthest, on a thing if one is seen."""
        far = self.reach[t] + 1e3 * (self.shows[t] != BACKGROUND)  # (h, w)
        r, c = np.unravel_index(np.argmax(far), far.shape)
        return t, int(r), int(c)


def truth(film: Film, frames: Sequence[int], size: int, grid: tuple[int, int]) -> Truth:
    """The truth about a clip: its frames resized to a short side of `size`, and cut to the centre square.

    Args:
        frames: numbers of the clip's frames in the film, as shown.
        grid: height and width of a feature map of that square. Its positions are where strided convolutions with
            padding have the centres of their fields: at every so manyth pixel from the first one on.
    """
    T, H, W = film.shape
    filmed = [T - 1 - t if film.backwards else t for t in frames]
    tracks, camera = film.tracks(), film.camera_track()
    high, wide = resized(H, W, size)
    (crop,) = crops(high, wide, size, 1)
    scale, corner = np.array([wide / W, high / H]), np.array([crop.left, crop.top])  # x, y
    stride = np.array([size / grid[1], size / grid[0]])
    rows, columns = np.indices(grid)
    points = (np.stack([columns, rows], -1).reshape(-1, 2) * stride + 0.5 + corner) / scale  # (h * w, 2) in the film
    n, number = len(frames), len(points)
    shows = np.empty((n, number), dtype=int)
    places, seen = np.empty((n, number, n, 2)), np.empty((n, number, n), dtype=bool)
    for a, t in enumerate(filmed):
        shows[a] = _shown(film, tracks[:, :, t], t, points)
        for b, other in enumerate(filmed):
            moved = _with_camera(points, film.shape, camera[:, t], camera[:, other])
            for number, track in enumerate(tracks):
                mine = shows[a] == number
                moved[mine] = _out_of(track[:, other], _into(track[:, t], points[mine]))
            at = (moved * scale - corner - 0.5) / stride  # columns, rows
            places[a, :, b] = at[:, ::-1]
            inside = ((at > -0.5) & (at < np.array(grid[::-1]) - 0.5)).all(1)
            seen[a, :, b] = inside & (_shown(film, tracks[:, :, other], other, moved) == shows[a])
    whole = (n, *grid)
    return Truth(shows.reshape(whole), places.reshape(*whole, n, 2), seen.reshape(*whole, n))


def _shown(film: Film, tracks: np.ndarray, t: int, points: np.ndarray) -> np.ndarray:
    """Number of the layer whose paint is at points (n, 2) of a frame, as filmed; later layers hide earlier ones.

    `tracks` are (layers, 4), those of the frame.
    """
    shown = np.full(len(points), BACKGROUND)
    for number, (layer, track) in enumerate(zip(film.layers, tracks, strict=True)):
        image = layer.image if isinstance(layer.image, Image.Image) else layer.image[t]
        alpha = np.asarray(image)[..., 3]
        own = np.floor((_into(track, points) + 1) / 2 * len(alpha)).astype(int)
        inside = np.flatnonzero(((own >= 0) & (own < len(alpha))).all(1))
        shown[inside[alpha[own[inside, 1], own[inside, 0]] >= 128]] = number
    return shown


def _with_camera(points: np.ndarray, shape: tuple[int, int, int], then: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Where points (n, 2) of the background are once the camera is not as `then`, x, y and zoom, but as `now`."""
    _, H, W = shape
    middle, (*was, zoom), (*is_at, zoom_now) = np.array([W, H]) / 2, then, now
    return (((points - middle) / (H * zoom) + was) - is_at) * H * zoom_now + middle


def _into(track: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 2) of a frame in coordinates of a layer, whose square reaches from -1 to 1."""
    x, y, radius, angle = track
    a, b = np.cos(angle) / max(radius, 1e-9), np.sin(angle) / max(radius, 1e-9)
    return (points - (x, y)) @ np.array([[a, -b], [b, a]])


def _out_of(track: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The inverse of `_into`."""
    x, y, radius, angle = track
    a, b = np.cos(angle) * radius, np.sin(angle) * radius
    return own @ np.array([[a, b], [-b, a]]) + (x, y)


def displacements(name: Dataset, size: int, num_frames: int, frame_step: int, videos: int = 240) -> np.ndarray:
    """(videos,): pixels by which the fastest thing moves between neighbouring frames of a clip, when it is fastest.

    Args:
        name: a stand-in; only classes that motion decides are filmed.
        size: height and width of the clips.
        num_frames, frame_step: frames of a clip, and how many of the video lie between them.
        videos: number of videos.
    """
    moving = [label for label, chosen in VIDEOS[name].CLASSES.items() if chosen.decided_by == "motion"]
    films = compose_clips(name, [moving[i % len(moving)] for i in range(videos)])
    clip_of = partial(even_clips, num_frames=num_frames, frame_step=frame_step, num_clips=1, rule="symmetric")
    return np.array([largest_step(film, clip_of(film.shape[0])[0], size) for film in films])


def largest_step(film: Film, clip: Sequence[int], size: int) -> float:
    """Pixels by which the fastest thing of a film moves between frames of a clip, the short side being `size`."""
    corners = film.corners()[:, clip] * size / min(film.shape[1:])  # (layers, frames, 4, 2)
    return float(np.linalg.norm(np.diff(corners, axis=1), axis=-1).mean(-1).max())


def displacement_table(clips: dict[str, tuple[Dataset, int, int, int]]) -> pd.DataFrame:
    """Median of `displacements`, in pixels and in cells of the feature maps that CP modules search, one line a clip."""
    medians = {title: float(np.median(displacements(*clip))) for title, clip in clips.items()}
    rows = {
        title: {"pixels": px} | {f"cells of {r}": px / cell for r, cell in CELLS.items()}
        for title, px in medians.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
