"""What the renderer knows: where things are in every frame."""

import numpy as np
import pandas as pd

from cpnet.data.clips import even_clips
from cpnet.data.layouts import Dataset
from cpnet.standins.write import VIDEOS, compose_clips

CELLS = {"res3": 4, "res4": 8, "res5": 16}  # pixels of a clip that a cell is wide, in short trainings


def displacements(name: Dataset, size: int, num_frames: int, frame_step: int, videos: int = 240) -> np.ndarray:
    """(videos,): pixels by which the fastest thing moves between neighbouring frames of a clip, when it is fastest.

    Args:
        name: a stand-in; only classes that motion decides are filmed.
        size: height and width of the clips.
        num_frames, frame_step: frames of a clip, and how many of the video lie between them.
        videos: number of videos.
    """
    moving = [label for label, chosen in VIDEOS[name].CLASSES.items() if chosen.decided_by == "motion"]
    found = []
    for film in compose_clips(name, [moving[i % len(moving)] for i in range(videos)]):
        T, H, W = film.shape
        (clip,) = even_clips(T, num_frames, frame_step, 1, "symmetric")
        corners = film.corners()[:, clip] * size / min(H, W)  # (layers, frames, 4, 2)
        moved = np.linalg.norm(np.diff(corners, axis=1), axis=-1).mean(-1)  # (layers, frames - 1)
        found.append(moved.max())
    return np.array(found)


def displacement_table(clips: dict[str, tuple[Dataset, int, int, int]]) -> pd.DataFrame:
    """Median of `displacements`, in pixels and in cells of the feature maps that CP modules search, one line a clip."""
    medians = {title: float(np.median(displacements(*clip))) for title, clip in clips.items()}
    rows = {
        title: {"pixels": px} | {f"cells of {r}": px / cell for r, cell in CELLS.items()}
        for title, px in medians.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
