"""A training is all that determines a trained network and its numbers; `execute` computes them, with provenance."""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cpnet import results
from cpnet.engine.machine import Machine
from cpnet.models import resolve_arguments
from cpnet.models.summary import count_parameters
from cpnet.results import Record


@dataclass(frozen=True, kw_only=True)
class Training(ABC):
    """A network, what it is trained on, how, and how it is tested; sub-classes say of what kind.

    Attributes:
        seed: seed of all random draws.
    """

    seed: int

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """All that determines the numbers, as JSON has it."""

    @cached_property
    def run_id(self) -> str:
        """Hash of the canonical JSON of `config`."""
        return hashlib.sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def folder(self) -> Path:
        """Folder of the training: what is trained, checkpoints, curves; rows of tables that are it share it."""
        return results.runs_folder() / "training" / f"{self.config['model']}-seed{self.seed}-{self.run_id}"

    @property
    def keeps_weights(self) -> bool:
        """Whether trained weights are stored beside the record."""
        return True

    @property
    def snapshots(self) -> Sequence[int]:
        """Epochs after which weights are stored beside the record too."""
        return ()

    @property
    def needs(self) -> Sequence[Training]:
        """Trainings whose weights this one starts from."""
        return ()

    @abstractmethod
    def create_model(self) -> nn.Module:
        """The network with its initial weights."""

    @abstractmethod
    def measure(self, machine: Machine) -> tuple[Record, nn.Module]:
        """Train and test: the metrics and whatever else belongs in the record, and the trained network."""

    def prepare(self, machine: Machine) -> None:  # noqa: B027, most trainings need nothing
        """Make what several trainings share, before any of them starts."""

    def finish(self, folder: Path) -> None:  # noqa: B027
        """Called once the record is stored, with the folder of the training."""

    def verify(self, path: Path, machine: Machine) -> None:  # noqa: B027
        """Raise ValueError if the record at `path` is of other data than those of `machine`."""

    @cached_property
    def model_defaults(self) -> dict[str, Any]:
        """Arguments of the network that the training leaves at their defaults."""
        name, given = self.config["model"], self.config["model_args"]
        every = resolve_arguments(name, **given)
        return json.loads(json.dumps({name: every[name] for name in every if name not in {*given, "seed"}}))

    def stored(self, roots: tuple[Path, ...]) -> Path | None:
        """The record in the first of `roots` that has it.

        Raises:
            ValueError: a default of the network has changed since.
        """
        path = results.find(self.run_id, roots)
        if path is not None:
            before = results.read(path).get("model_defaults", {})
            for name, value in self.model_defaults.items():
                if before.get(name, value) != value:
                    raise ValueError(
                        f"{path} was computed with {name}={before[name]!r}, "
                        f"now the default of {self.config['model']} is {value!r}: "
                        f"raise `revision` of {type(self).__name__}, or give the training the old value"
                    )
        return path


def execute(training: Training, machine: Machine | None = None) -> tuple[Record, nn.Module]:
    """Train and test: the record, but for where in the book it belongs, and the trained network."""
    machine = machine or Machine()
    start = time.monotonic()
    origin = results.provenance(torch.device(machine.device))  # of the code that trains: a commit may be made meanwhile
    measured, model = training.measure(machine)
    record: Record = {
        "seed": training.seed,
        "run_id": training.run_id,
        "config": training.config,
        "model_defaults": training.model_defaults,
        **measured,
        "params": count_parameters(model),
    }
    end = {"wall_s": round(time.monotonic() - start, 1), "finished": results.now()}
    record["provenance"] = origin | end | record.pop("provenance", {})
    return record, model
