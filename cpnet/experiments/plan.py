"""What runs on the real data would cost, and how to start them: arithmetic, nothing is trained."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd
import torch

from cpnet.data.layouts import NUM_CLASSES, Dataset, read_index
from cpnet.engine.recipe import Phase
from cpnet.experiments.run import Run, load
from cpnet.experiments.video_run import Network, VideoRun
from cpnet.models import create_model, for_clips
from cpnet.models.summary import example_clip, multiply_adds

# Training and validation videos of the releases; of Kinetics, what CVDF distributes of about 246,500 and 19,900.
RELEASED: dict[Dataset, tuple[int, int]] = {
    "kinetics": (240_258, 19_881),
    "something": (168_913, 24_777),
    "jester": (118_562, 14_787),
}

# Assumptions, not measured; `python -m cpnet bench models` and `bench data` measure yours.
SUSTAINED_TFLOPS = 20.0  # of one GPU of a data centre, on such networks
CLIPS_A_SECOND = 20.0  # decoded by one core
BACKWARD = 2.0  # multiply-adds of the backward pass, over those of the forward pass


def plan(runs: Sequence[VideoRun], sustained_tflops: float = SUSTAINED_TFLOPS) -> pd.DataFrame:
    """One row a run on a real data set: clips, multiply-adds and estimated GPU hours of training and of the test.

    GPU hours are 2 x multiply-adds / (sustained operations a second): neither decoding nor communication is in them.
    Core hours are those of decoding the training clips.
    """
    rows = []
    for run in runs:
        train, val = RELEASED[run.data.name]
        phases = run.recipe.phases
        macs = [_of_run(run, phase, run.data.size) for phase in phases]
        training = sum(m * (1 + BACKWARD) * phase.epochs * train for phase, m in zip(phases, macs, strict=True))
        validation = sum(m * phase.epochs * val for phase, m in zip(phases, macs, strict=True))
        testing = validation + sum(
            protocol.num_clips * protocol.num_crops * val * _of_run(run, phases[-1], protocol.size or run.data.size)
            for protocol in run.protocols.values()
        )
        clips = sum(phase.epochs for phase in phases) * train
        rows.append(
            {
                "row": run.row,
                "seed": run.seed,
                "frames x step": " → ".join(f"{phase.num_frames}x{phase.frame_step}" for phase in phases),
                "epochs": " + ".join(str(phase.epochs) for phase in phases),
                "G multiply-adds a clip": " → ".join(f"{m / 1e9:.1f}" for m in macs),
                "M training clips": round(clips / 1e6, 1),
                "GPU hours, training": round(2 * training / (sustained_tflops * 1e12) / 3600, 1),
                "GPU hours, tests": round(2 * testing / (sustained_tflops * 1e12) / 3600, 1),
                "core hours, decoding": round(clips / CLIPS_A_SECOND / 3600),
            }
        )
    return pd.DataFrame(rows)


def overview(runs: Sequence[Run]) -> pd.DataFrame:
    """What a chapter trains or loads, one line a row of the table: its runs, and minutes that the stored ones took."""
    lines = []
    for row in dict.fromkeys(run.row for run in runs):
        mine = [run for run in runs if run.row == row]
        frame = load(mine)
        minutes = f"{frame['wall_s'].mean() / 60:.1f}" if len(frame) else "not run"
        seeds = ", ".join(str(run.seed) for run in mine)
        lines.append({"row": row, "seeds": seeds, "stored": f"{len(frame)} of {len(mine)}", "minutes a run": minutes})
    return pd.DataFrame(lines).set_index("row")


def command(run: VideoRun, gpus: int = 8, data_root: str = "DATA_ROOT") -> str:
    """The line that computes a run on the GPUs of one machine."""
    return (
        f"torchrun --standalone --nproc-per-node {gpus} -m cpnet reproduce {run.table} --profile {run.profile} "
        f"--rows {run.row} --seeds {run.seed} --device cuda --workers 12 --data-root {data_root}"
    )


def print_plan(runs: Sequence[Run], data_root: Path | None = None) -> None:
    """Print plan and commands, and count the videos in `data_root`, if it is given.

    Raises:
        ValueError: runs that are not of the published schedule on a real data set.
    """
    real = [run for run in runs if isinstance(run, VideoRun) and run.data.rendered is None]
    if not real:
        raise ValueError(
            f"no training on real data in {runs[0].table} at profile {runs[0].profile}: give profile paper"
        )
    print("counting multiply-adds, some minutes the first time", flush=True)
    print(plan(real).to_string(index=False))
    print(
        f"estimates, at {SUSTAINED_TFLOPS:g} TFLOP/s sustained by a GPU, {CLIPS_A_SECOND:g} clips/s decoded by a core"
    )
    for run in real:
        print(command(run, data_root=str(data_root or "DATA_ROOT")))
    if data_root is not None:
        for split in ("train", "val"):
            print(read_index(real[0].data.name, data_root, split).summary())


def _of_run(run: VideoRun, phase: Phase, size: int) -> int:
    return _multiply_adds(run.network, run.data.name, phase.num_frames, size)


@cache
def _multiply_adds(network: Network, dataset: Dataset, num_frames: int, size: int) -> int:
    """Of one clip, counted on the CPU with untrained weights."""
    arguments = for_clips(network.name, num_frames) | network.arguments()
    arguments.pop("pretrained", None)
    torch.manual_seed(0)
    model = create_model(network.name, num_classes=NUM_CLASSES[dataset], **arguments)
    return multiply_adds(model, example_clip(num_frames, size))[""]
