"""Checkpoints: written as a whole or not at all, read without unrestricted pickle."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save, save_model
from torch import nn

from cpnet.files import write_atomically

WEIGHTS, STATE = "model.safetensors", "state.pt"


def save_checkpoint(folder: Path, step: int, model: nn.Module, state: dict[str, Any], best: bool = False) -> None:
    """Write weights and state; then name them the last checkpoint, and the best one too if `best`, and drop others.

    Args:
        folder: where all checkpoints of a training are.
        step: number of the checkpoint.
        state: tensors, numbers, strings, and lists and dictionaries of them.
    """
    name = f"step-{step:08d}"
    unfinished = folder / f".{name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save_model(model, str(unfinished / WEIGHTS))
    torch.save(state, unfinished / STATE)
    for file in unfinished.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    if (folder / name).exists():  # written before the interruption that this training was continued after
        shutil.rmtree(folder / name)
    unfinished.replace(folder / name)
    names = _names(folder) | {"last": name} | ({"best": name} if best else {})
    write_atomically(folder / "checkpoints.json", json.dumps(names).encode())
    for path in folder.glob("step-*"):
        if path.name not in names.values():
            shutil.rmtree(path)


def find_checkpoint(folder: Path, which: str = "last") -> Path | None:
    """Folder of the last or the best checkpoint; None if there is none yet."""
    name = _names(folder).get(which)
    return folder / name if name else None


def load_checkpoint(path: Path, model: nn.Module) -> dict[str, Any]:
    """Read weights into `model`, and return the state.

    Raises:
        ValueError: weights of another network, or a damaged file; the message names the file.
    """
    load_weights(path / WEIGHTS, model)
    try:
        return torch.load(path / STATE, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path / STATE} cannot be read: {error}") from error


def load_weights(path: Path, model: nn.Module) -> None:
    """Read weights from a safetensors file; ValueError if they cannot be read into this network."""
    try:
        load_model(model, str(path), device="cpu")
    except Exception as error:
        raise ValueError(f"{path} cannot be read into this network: {error}") from error


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of all parameters and buffers."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    return hashlib.sha256(save(tensors)).hexdigest()


def snapshot_of(epoch: int) -> str:
    """Name of the file of weights after an epoch, counted from 1, in the folder of a training."""
    return f"epoch{epoch}.safetensors"


def _names(folder: Path) -> dict[str, str]:
    file = folder / "checkpoints.json"
    return json.loads(file.read_text()) if file.is_file() else {}
