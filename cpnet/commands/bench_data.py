"""python -m cpnet bench data."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from cpnet.bench import data
from cpnet.bench.timing import show, start
from cpnet.data.layouts import read_index
from cpnet.standins import Spec, render


def bench_data(
    dataset: Literal["kinetics", "something", "jester"] | None = None,
    *,
    root: Path | None = None,
    clips: int = 24,
    workers: tuple[int, ...] = (0, 1, 2),
    repeats: int = 3,
) -> None:
    """Clips a second of 8 frames, 112x112, by layout, backend and number of workers, beside decoding alone.

    Args:
        dataset: layout of the data set in root; stand-ins of all three are rendered if none is given.
        root: folder of annotations and videos, as distributed.
        clips: number of clips of each data set.
        workers: numbers of loader processes.
        repeats: epochs to take the median of.
    """
    if (dataset is None) != (root is None):
        raise ValueError("give --dataset and --root together, or neither")
    own = None if dataset is None or root is None else read_index(dataset, root, "train")
    if own is not None:
        print(own.summary())
    start("cpu", None, repeats)
    with TemporaryDirectory() as folder:
        for name in data.HEIGHTS if dataset is None else [dataset]:
            if own is None:
                render(Spec(name, clips, 0, data.HEIGHTS[name], seed=0), Path(folder, name), progress=False)
            index = own or read_index(name, Path(folder, name), "train")
            show(data.measure_data(index, clips, workers, repeats))
