"""Where trainings run: devices, mixed precision and several processes, by Accelerate."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tyro.conf import Suppress

if TYPE_CHECKING:
    from accelerate import Accelerator

# Processes meet once a test, which takes hours, and some read faster; torchrun ends all if one dies.
PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Machine:
    """Where and how trainings are computed; changes no number but by rounding.

    Attributes:
        device: cpu, cuda, cuda:1, ...; auto is the first GPU, if there is one.
        data_root: folder of annotations and videos of the official data set, where one is trained on.
        workers: number of processes that load videos.
        compile: compile networks of videos in training.
        tensorboard: write curves of trainings on videos for TensorBoard.
        progress: show progress bars.
        position: line of the progress bar, where trainings go on side by side.
        title: text of the progress bar.
        folder: folder of a training on videos, with its checkpoints.
        rerun: train again what an earlier call has trained to the end; an unfinished training is always continued.
        roots: folders of results, where the weights that a training starts from are looked for.
    """

    device: str = "cpu"
    data_root: Path | None = None
    workers: int = 0
    compile: bool = False
    tensorboard: bool = False
    progress: Suppress[bool] = True
    position: Suppress[int] = 0
    title: Suppress[str] = ""
    folder: Suppress[Path | None] = None
    rerun: Suppress[bool] = False
    roots: Suppress[tuple[Path, ...]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_root", Path(self.data_root).expanduser() if self.data_root else None)
        if self.workers < 0:
            raise ValueError(f"workers={self.workers}: give 0 or more")
        if self.device == "auto":
            object.__setattr__(self, "device", "cuda" if torch.cuda.is_available() else "cpu")
        name, _, number = self.device.partition(":")
        if name not in ("cpu", "cuda") or not (number or "0").isdecimal():
            raise ValueError(f"device={self.device!r}: give cpu, cuda, cuda:1, ... or auto")
        if name == "cuda" and int(number or 0) >= torch.cuda.device_count():
            raise ValueError(f"device={self.device!r}: torch finds {torch.cuda.device_count()} GPUs here")

    def accelerator(self, precision: str = "fp32") -> Accelerator:
        """One process on the device; under torchrun, its share of several on that kind of device.

        Args:
            precision: fp32, bf16 or fp16.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # in a notebook its import warns about progress bars
            from accelerate import Accelerator, InitProcessGroupKwargs
            from accelerate.state import AcceleratorState

        device = torch.device(self.device)
        if device.index is not None:
            torch.cuda.set_device(device)
        # Trainings in one process may differ in precision, and in device.
        AcceleratorState._reset_state(reset_partial_state=not in_process_group())
        return Accelerator(
            cpu=device.type == "cpu",
            mixed_precision=mixed_precision(precision),
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )


def is_main_process() -> bool:
    """Whether this process writes, of those that torchrun has started; without it, it does, whatever RANK is."""
    return "LOCAL_RANK" not in os.environ or int(os.environ.get("RANK", 0)) == 0


def in_process_group() -> bool:
    """Whether this process has joined others that torchrun has started."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def check_alike(what: str, found: object, remedy: str) -> None:
    """In each of several processes: ValueError if not all have found the same, which the message shows."""
    from accelerate.utils import gather_object  # here and not above: see `Machine.accelerator`

    every = gather_object([found])
    if any(other != every[0] for other in every):
        raise ValueError(f"processes found {what} {every}: {remedy}")


def leave_processes() -> None:
    """End the group of processes that torchrun has started, if any: a process that only exits may be aborted."""
    if in_process_group():
        torch.distributed.destroy_process_group()


def mixed_precision(precision: str) -> str:
    """Accelerate's word for a recipe's precision."""
    return "no" if precision == "fp32" else precision
