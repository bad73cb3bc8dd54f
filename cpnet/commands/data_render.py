"""python -m cpnet data render."""

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from cpnet.data.layouts import read_index
from cpnet.standins import Spec, render


def data_render(
    name: Positional[Literal["kinetics", "something", "jester", "images"]],
    *,
    out: Path,
    train: int = 2000,
    val: int = 1000,
    test: int | None = None,
    size: int = 72,
    seed: int = 0,
    jobs: int = 2,
) -> None:
    """Render a stand-in for a data set into its official layout; call again to go on after an interruption.

    Args:
        name: which data set to stand in for; images are stills of the world of kinetics, to pretrain on.
        out: folder of the data set.
        train: clips of the training split.
        val: clips of the validation split.
        test: clips of a test split; the labels of something and jester are in a file apart.
        size: height of the frames in pixels; for kinetics the least short side.
        seed: seed of all random draws.
        jobs: processes side by side.
    """
    render(Spec(name, train, val, size, seed, test=test), out, jobs=jobs)
    for split, count in (("train", train), ("val", val), ("test", test)):
        if count:
            print(read_index(name, out, split).summary())  # type: ignore[arg-type]
