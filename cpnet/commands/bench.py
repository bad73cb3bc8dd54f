"""python -m cpnet bench ..."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tyro.conf import Positional

from cpnet.bench import cp, data, models, train
from cpnet.bench.timing import show, start
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.costs import costs, timed
from cpnet.experiments.tables import select_runs
from cpnet.standins import render


def bench_cp(*, device: str = "cpu", repeats: int = 7, threads: int | None = None) -> None:
    """Time and memory of the CP module against the direct form of Eq. 1, of its search against matrix products alone.

    The search is timed beside cdist with topk and beside faiss (on the CPU, if installed: pip install faiss-cpu), too.

    Args:
        device: cpu or cuda.
        repeats: rounds of timings to take the median of.
        threads: CPU threads; torch's default number if none is given.
    """
    start(device, threads, repeats)
    show(cp.measure_modules(device, repeats))
    show(cp.measure_searches(device, repeats))


def bench_train(*, device: str = "cpu", repeats: int = 5, threads: int | None = None) -> None:
    """Time and memory of a training step with CP modules, with NL blocks at the same places, and with neither.

    Of ResNet-18, of single blocks at res3 and res4, and how both grow with the length of clips.

    Args:
        device: cpu or cuda.
        repeats: rounds of timings to take the median of.
        threads: CPU threads; torch's default number if none is given.
    """
    start(device, threads, repeats)
    for frame in train.measure_attention(device, repeats):
        show(frame)


def bench_models(
    *,
    device: str = "cpu",
    repeats: int = 5,
    threads: int | None = 1,
    depth: Literal[18, 34, 101] = 18,
    clips: tuple[int, int, int] = (16, 8, 48),
    width: int = 16,
    stem: Literal["224", "112", "112_no_pool"] = "112_no_pool",
) -> None:
    """Time of a training step of every family of networks, relative to C2D's.

    The defaults are those of runs on stand-ins at profile cpu. C2D is timed on Conv3d 1x3x3, too.

    Args:
        device: cpu or cuda.
        repeats: rounds of timings to take the median of.
        threads: CPU threads; torch's default number if None.
        depth: depth of the ResNet.
        clips: number of clips in a step, frames of each, and their height and width.
        width: channels of conv1, 64 in the paper.
        stem: strides up to res2.
    """
    start(device, threads, repeats)
    show(models.measure_models(clips, device, repeats, depth=depth, width=width, stem=stem))


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
    start("cpu", None, repeats)
    with TemporaryDirectory() as folder:
        for name in data.HEIGHTS if dataset is None else [dataset]:
            if root is None:
                render(name, Path(folder, name), train=clips, val=0, size=data.HEIGHTS[name], progress=False)
            show(data.measure_data(name, root or Path(folder, name), clips, workers, repeats))


def bench_runs(
    table: Positional[str] = "all",
    *,
    profile: Literal["smoke", "cpu", "gpu"] = "cpu",
    rows: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (0,),
    device: str = "cpu",
    repeats: int = 3,
) -> None:
    """Minutes that runs on stand-ins take here, estimated from a few steps of each; reading videos is not in it.

    Args:
        table: name of a table, see `reproduce`; or all.
        profile: size of data and networks.
        rows: only these rows of the table.
        seeds: seeds of the runs; they all take alike.
        device: cpu or cuda. On the CPU, OMP_NUM_THREADS=1 is what `reproduce --jobs 2` has on two cores.
        repeats: timed steps.
    """
    runs = {run.run_id: run for run in select_runs(table, profile, rows, seeds)}
    videos = [run for run in runs.values() if isinstance(run.training, VideoTraining)]
    if not videos:
        raise ValueError(f"{table} has no runs on videos")
    found = costs(videos, timed(device, repeats))
    found["minutes"] = (found.pop("training, s") + found.pop("tests, s")) / 60
    print(found.to_string(index=False, float_format="{:.1f}".format))
    print(f"{len(found)} runs, {found['minutes'].sum():.0f} minutes one after the other")
