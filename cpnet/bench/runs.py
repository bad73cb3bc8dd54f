"""How long runs on stand-ins take here: a few steps of each are timed, and multiplied by their number."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn

from cpnet.bench.timing import check_device, measure_time, training_step
from cpnet.engine.recipe import Phase
from cpnet.experiments.video_run import VideoRun
from cpnet.models import create_model, for_clips
from cpnet.progress import progress_bar

VIEWS = 16  # tested together


def bench_runs(
    runs: Sequence[VideoRun], device: str = "cpu", repeats: int = 3, *, progress: bool = True
) -> pd.DataFrame:
    """Estimated minutes of each distinct run: training, and all tests, without reading videos.

    Args:
        runs: on stand-ins, whose numbers of clips are known; those of one run_id are one.
        device: "cpu" or "cuda".
        repeats: rounds of timings to take the median of.
        progress: show a progress bar.

    Returns:
        One row a run: table, row, seed, minutes.

    Raises:
        ValueError: a device that is not there, or a run that is not on a stand-in.
    """
    check_device(device)
    if any(run.data.rendered is None for run in runs):
        raise ValueError("a run on a real data set: `reproduce --dry-run` estimates those")
    measured: dict[str, float] = {}
    rows = []
    distinct: dict[str, VideoRun] = {}
    for run in runs:
        distinct.setdefault(run.run_id, run)
    for run in progress_bar(progress, iterable=list(distinct.values()), desc="runs", unit="run"):
        alike = replace(run, seed=0).run_id
        if alike not in measured:
            measured[alike] = _seconds(run, device, repeats)
        rows.append({"table": run.table, "row": run.row, "seed": run.seed, "minutes": measured[alike] / 60})
    return pd.DataFrame(rows)


def _seconds(run: VideoRun, device: str, repeats: int) -> float:
    spec, recipe = run.data.rendered, run.recipe
    assert spec is not None
    seconds = 0.0
    for phase in recipe.phases:
        step, forward = _of_step(run, phase, device, repeats)
        seconds += phase.epochs * (spec.train / recipe.batch_size * step + spec.val * forward)
    for protocol in run.protocols.values():
        views = protocol.num_clips * protocol.num_crops * (protocol.videos or spec.val)
        side = (protocol.size or run.data.size) / run.data.size
        seconds += views * forward * side**2
    return seconds


def _of_step(run: VideoRun, phase: Phase, device: str, repeats: int) -> tuple[float, float]:
    """Seconds of a training step, and of testing one view, with random clips and weights."""
    network = replace(run.network, pretrained=None)
    torch.manual_seed(0)
    model = create_model(network.name, **for_clips(network.name, phase.num_frames) | network.arguments()).to(device)
    size = run.data.size
    clips = torch.randn(max(run.recipe.batch_size, VIEWS), 3, phase.num_frames, size, size, device=device)
    calls: dict[str, Callable[[], object]] = {
        "step": training_step(model, clips[: run.recipe.batch_size]),
        "test": partial(_test, deepcopy(model).eval(), clips[:VIEWS]),
    }
    step, test = measure_time(calls, repeats)["ms"] / 1e3
    return step, test / VIEWS


@torch.no_grad()
def _test(model: nn.Module, clips: Tensor) -> None:
    model(clips)
