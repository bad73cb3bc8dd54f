"""Devices, mixed precision and several processes, by Accelerate."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator


def make_accelerator(device: str, precision: str = "fp32") -> Accelerator:
    """One process on `device`; under torchrun or `accelerate launch`, its share of several on that kind of device.

    Args:
        device: cpu, cuda or cuda:1, ...
        precision: fp32, bf16 or fp16.

    Raises:
        ValueError: a GPU that is not there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in a notebook its import warns about progress bars
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

    kind = torch.device(device)
    if kind.type == "cuda":
        if (kind.index or 0) >= torch.cuda.device_count():
            raise ValueError(f"device={device!r}: torch finds {torch.cuda.device_count()} GPUs here")
        if kind.index is not None:
            torch.cuda.set_device(kind)
    AcceleratorState._reset_state()  # runs in one process may differ in precision
    return Accelerator(cpu=kind.type == "cpu", mixed_precision=mixed_precision(precision))


def in_process_group() -> bool:
    """Whether this process has joined others that torchrun has started."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def leave_processes() -> None:
    """End the group of processes that torchrun has started, if any: a process that only exits may be aborted."""
    if in_process_group():
        torch.distributed.destroy_process_group()


def best_device() -> str:
    """The first GPU, if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def mixed_precision(precision: str) -> str:
    """Accelerate's word for a recipe's precision."""
    return "no" if precision == "fp32" else precision
