"""What runs cost: clips trained and views tested, times what one of each takes, counted or timed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import nn

from cpnet.bench.timing import measure_time, training_step
from cpnet.data.layouts import NUM_CLASSES, Dataset, read_index
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.run import Run, records
from cpnet.models import create_for_clips
from cpnet.models.summary import example_clip, multiply_adds

# Training, validation and test videos of the releases; of Kinetics, what CVDF distributes.
RELEASED: dict[Dataset, tuple[int, int, int]] = {
    "kinetics": (240_258, 19_881, 38_685),
    "something": (168_913, 24_777, 27_157),
    "jester": (118_562, 14_787, 14_743),
}

# Assumptions, not measured; `python -m cpnet bench models` and `bench data` measure yours.
SUSTAINED_TFLOPS = 20.0  # of one GPU of a data centre, on such networks
CLIPS_A_SECOND = 20.0  # decoded by one core
BACKWARD = 2.0  # multiply-adds of the backward pass, over those of the forward pass

VIEWS = 16  # tested together


class Price(NamedTuple):
    """Seconds of training on one clip, and of testing one view."""

    train: float
    test: float


# Of a network for a number of classes, on clips of (frames, side), in batches of a number of clips.
Pricing = Callable[[Network, int, tuple[int, int], int], Price]


def counted(sustained_tflops: float = SUSTAINED_TFLOPS) -> Pricing:
    """Prices by multiply-adds, at so many TFLOP/s sustained; neither decoding nor communication is in them."""

    def price(network: Network, num_classes: int, shape: tuple[int, int], batch_size: int) -> Price:
        seconds = 2 * clip_multiply_adds(network, num_classes, *shape) / (sustained_tflops * 1e12)
        return Price((1 + BACKWARD) * seconds, seconds)

    return price


def timed(device: str = "cpu", repeats: int = 3) -> Pricing:
    """Prices by a few steps of each network on random clips, here; reading videos is not in them."""

    @cache
    def price(network: Network, num_classes: int, shape: tuple[int, int], batch_size: int) -> Price:
        num_frames, side = shape
        model = _untrained(network, num_classes, num_frames).to(device)
        clips = torch.randn(max(batch_size, VIEWS), 3, num_frames, side, side, device=device)
        step = measure_time({"step": training_step(model, clips[:batch_size])}, repeats)["ms"][0] / 1e3
        with torch.no_grad():
            test = measure_time({"test": partial(model.eval(), clips[:VIEWS])}, repeats)["ms"][0] / 1e3
        return Price(step / batch_size, test / VIEWS)

    return price


def costs(runs: Sequence[Run], pricing: Pricing) -> pd.DataFrame:
    """One line a run on videos: row, seed, frames x step, epochs, clips trained, seconds of training and of tests.

    Validation after each epoch counts as a test. Runs that differ in their seeds only cost the same.
    """
    lines = []
    for run in runs:
        training = run.training
        assert isinstance(training, VideoTraining)
        spec, phases, side = training.data.rendered, training.recipe.phases, training.data.size
        train, val, test = RELEASED[training.data.name] if spec is None else (spec.train, spec.val, spec.test or 0)

        def price(num_frames: int, size: int, training: VideoTraining = training) -> Price:
            classes = NUM_CLASSES[training.data.name]
            return pricing(training.network, classes, (num_frames, size), training.recipe.batch_size)

        prices = [price(phase.num_frames, side) for phase in phases]
        tests = sum(p.test * phase.epochs * val for p, phase in zip(prices, phases, strict=True))
        on_val, on_test = training.protocols.values(), (training.test_protocols or {}).values()
        for protocol, count in (*((p, val) for p in on_val), *((p, test) for p in on_test)):
            views = protocol.num_clips * protocol.num_crops * (protocol.videos or count)
            tests += views * price(phases[-1].num_frames, protocol.size or side).test
        lines.append(
            {
                "row": run.row,
                "seed": run.seed,
                "frames x step": " → ".join(f"{phase.num_frames}x{phase.frame_step}" for phase in phases),
                "epochs": " + ".join(str(phase.epochs) for phase in phases),
                "clips": sum(phase.epochs for phase in phases) * train,
                "training, s": sum(p.train * phase.epochs * train for p, phase in zip(prices, phases, strict=True)),
                "tests, s": tests,
            }
        )
    return pd.DataFrame(lines)


def plan(runs: Sequence[Run], sustained_tflops: float = SUSTAINED_TFLOPS) -> pd.DataFrame:
    """Estimated GPU hours of runs on real data, and core hours of decoding their training clips, one line a run."""
    found = costs(runs, counted(sustained_tflops))
    return found[["row", "seed", "frames x step", "epochs"]].assign(
        **{
            "M training clips": (found["clips"] / 1e6).round(1),
            "GPU hours, training": (found["training, s"] / 3600).round(1),
            "GPU hours, tests": (found["tests, s"] / 3600).round(1),
            "core hours, decoding": (found["clips"] / CLIPS_A_SECOND / 3600).round(),
        }
    )


def overview(runs: Sequence[Run]) -> pd.DataFrame:
    """One line a row of a table: its seeds, how many runs are stored, and the mean minutes that these took."""
    lines = []
    for row in dict.fromkeys(run.row for run in runs):
        mine = [run for run in runs if run.row == row]
        seconds = [record["provenance"]["wall_s"] for record in records(mine)]
        lines.append(
            {
                "row": row,
                "seeds": ", ".join(str(run.seed) for run in mine),
                "stored": f"{len(seconds)} of {len(mine)}",
                "minutes a run": f"{sum(seconds) / len(seconds) / 60:.1f}" if seconds else "not run",
            }
        )
    return pd.DataFrame(lines, columns=["row", "seeds", "stored", "minutes a run"]).set_index("row")


def command(run: Run, gpus: int = 8, data_root: str = "DATA_ROOT") -> str:
    """The line that computes a run on the GPUs of one machine; that of a stand-in, on a CPU."""
    if run.profile != "paper":
        profile = f" --profile {run.profile}" * (run.profile != "cpu")
        return f"python -m cpnet reproduce {run.table}{profile} --rows {run.row} --seeds {run.seed}"
    return (
        f"torchrun --standalone --nproc-per-node {gpus} -m cpnet reproduce {run.table} --profile {run.profile} "
        f"--rows {run.row} --seeds {run.seed} --device cuda --workers 12 --data-root {data_root}"
    )


def print_plan(runs: Sequence[Run], data_root: Path | None = None) -> None:
    """Print what is stored; of runs on real data also their costs and commands, and the videos found in `data_root`."""
    print(overview(runs).to_string())
    real = [run for run in runs if isinstance(run.training, VideoTraining) and run.training.data.rendered is None]
    if not real:
        return
    print("counting multiply-adds, some minutes the first time", flush=True)
    print(plan(real).to_string(index=False))
    print(
        f"estimates, at {SUSTAINED_TFLOPS:g} TFLOP/s sustained by a GPU, {CLIPS_A_SECOND:g} clips/s decoded by a core"
    )
    for run in real:
        print(command(run, data_root=str(data_root or "DATA_ROOT")))
    if data_root is not None:
        for split in ("train", "val"):
            print(read_index(real[0].training.config["data"]["name"], data_root, split).summary())


@cache
def clip_multiply_adds(network: Network, num_classes: int, num_frames: int, side: int) -> int:
    """Multiply-adds of one clip, counted on the CPU with untrained weights."""
    return multiply_adds(_untrained(network, num_classes, num_frames), example_clip(num_frames, side))[""]


def _untrained(network: Network, num_classes: int, num_frames: int) -> nn.Module:
    torch.manual_seed(0)
    arguments = replace(network, pretrained=None).arguments()
    return create_for_clips(network.name, num_frames, num_classes=num_classes, **arguments)
