"""A run of the toy study: one network, trained on moving squares."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn

from cpnet.data.moving_square import ToyMotion
from cpnet.engine import evaluate
from cpnet.engine.train_toy import train
from cpnet.experiments.run import Machine, Run
from cpnet.models import create_model
from cpnet.nn import CPModule
from cpnet.results import Record

DATASETS = {"toy": ToyMotion}


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: Adam, one cycle of the learning rate up to `lr`."""

    epochs: int
    batch_size: int
    lr: float


@dataclass(frozen=True)
class ToyRun(Run):
    """One number of Table 1, or of its controls.

    Attributes:
        seed: of the data, the initial weights, the order of the clips and the ties.
        model, model_args: name and arguments for `cpnet.models.create_model`.
        data, data_args: name of a data set, and its arguments.
        schedule: see there.
        protocol: further evaluations on the validation set, {name: {attribute of every CP module: value}}; the
            result is the metric `val_top1_<name>`.
        revision: raised by hand when a change of code changes numbers, so that stale ones are not loaded.
    """

    model: str
    schedule: Schedule
    model_args: Mapping[str, Any] = field(default_factory=dict)
    data: str = "toy"
    data_args: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    revision: int = 2

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that determines the number, the digest of the data included."""
        return super().config | {"data_digest": self.dataset("train").digest() + self.dataset("val").digest()}

    def dataset(self, split: str) -> ToyMotion:
        return DATASETS[self.data](split, seed=self.seed, **self.data_args)  # type: ignore[arg-type]

    def create_model(self) -> nn.Module:
        """The model with its initial weights."""
        torch.manual_seed(self.seed)
        return create_model(self.model, seed=self.seed, **self.model_args)

    def measure(self, machine: Machine) -> tuple[Record, nn.Module]:
        """Train, and evaluate."""
        device = torch.device(machine.device)
        model = self.create_model()
        train_set, val_set = self.dataset("train"), self.dataset("val")
        curves = train(
            model,
            train_set,
            val_set,
            **asdict(self.schedule),
            seed=self.seed,
            device=device,
            description=self.title,
            progress=machine.progress,
            position=machine.position,
        )
        batch_size = self.schedule.batch_size
        on_train = evaluate(model, train_set, batch_size=batch_size, device=device)
        on_val = evaluate(model, val_set, batch_size=batch_size, device=device)
        metrics = {"train_top1": on_train.top1, "val_top1": on_val.top1, "val_per_class": on_val.per_class}
        for name, attributes in self.protocol.items():
            with _changed(model, attributes):
                metrics[f"val_top1_{name}"] = evaluate(model, val_set, batch_size=batch_size, device=device).top1
        measured = {"metrics": metrics, "n_expected": on_val.n_expected, "n_scored": on_val.n_scored, "curves": curves}
        return measured, model


@contextmanager
def _changed(model: nn.Module, attributes: Mapping[str, Any]) -> Iterator[None]:
    """Every CP module of the model has other attributes inside the context."""
    modules = [module for module in model.modules() if isinstance(module, CPModule)]
    before = [{name: getattr(module, name) for name in attributes} for module in modules]
    for module in modules:
        vars(module).update(attributes)
    try:
        yield
    finally:
        for module, values in zip(modules, before, strict=True):
            vars(module).update(values)
