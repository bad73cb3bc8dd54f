"""The toy study's training: one network, on moving squares."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property, partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from cpnet import results
from cpnet.data.moving_square import ToyMotion
from cpnet.engine.evaluate import evaluate
from cpnet.engine.machine import Machine
from cpnet.engine.protocols import changed
from cpnet.engine.training import Training
from cpnet.models import create_model
from cpnet.nn import CPModule
from cpnet.progress import progress_bar
from cpnet.results import Record

Curves = dict[str, list[float]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: Adam, one cycle of the learning rate up to `lr`, no early stop."""

    epochs: int
    batch_size: int
    lr: float


@cache
def data_digest(seed: int, data_args: str) -> str:
    """Of both splits of `ToyMotion`, whose other arguments come as JSON: many networks are trained on one set."""
    splits: tuple[Literal["train"], Literal["val"]] = ("train", "val")
    return "".join(ToyMotion(split, seed=seed, **json.loads(data_args)).digest() for split in splits)


@dataclass(frozen=True, kw_only=True)
class ToyTraining(Training):
    """One number of Table 1, or of its controls.

    Attributes:
        seed: seed of the data, the initial weights, the order of the clips and the ties.
        model, model_args: name and arguments for `cpnet.models.create_model`.
        schedule: how long and how fast to train.
        data, data_args: name of the data set, and the arguments of `ToyMotion`.
        protocol: further tests on the validation set, {name: {attribute of every CP module: value}}; the result is the
            metric `val_top1_<name>`.
        revision: raised by hand when a change of code changes numbers, so that stale ones are not loaded.
    """

    model: str
    schedule: Schedule
    model_args: Mapping[str, Any] = field(default_factory=dict)
    data: Literal["toy"] = "toy"
    data_args: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    revision: int = 2

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that determines the number, the digest of the data included."""
        drawn = data_digest(self.seed, json.dumps(dict(self.data_args), sort_keys=True))
        return json.loads(json.dumps(asdict(self) | {"data_digest": drawn}))

    def dataset(self, split: Literal["train", "val"]) -> ToyMotion:
        """The clips of a split."""
        return ToyMotion(split, seed=self.seed, **self.data_args)

    def create_model(self) -> nn.Module:
        """The network with its initial weights."""
        torch.manual_seed(self.seed)
        return create_model(self.model, seed=self.seed, **self.model_args)

    def measure(self, machine: Machine) -> tuple[Record, nn.Module]:
        """Train, and test."""
        model = self.create_model()
        train_set, val_set = self.dataset("train"), self.dataset("val")
        curves = train(model, train_set, val_set, self.schedule, self.seed, machine)
        test = partial(evaluate, model, batch_size=self.schedule.batch_size, device=torch.device(machine.device))
        on_val = test(val_set)
        metrics: dict[str, Any] = {"train_top1": test(train_set).top1}
        metrics |= {"val_top1": on_val.top1, "val_per_class": on_val.per_class}
        modules = [module for module in model.modules() if isinstance(module, CPModule)]
        for name, attributes in self.protocol.items():
            with changed(modules, attributes):
                metrics[f"val_top1_{name}"] = test(val_set).top1
        measured = {"metrics": metrics, "n_expected": on_val.n_expected, "n_scored": on_val.n_scored, "curves": curves}
        measured["right"] = {"val_top1": results.pack(on_val.right["val_top1"].tolist())}
        return measured, model


def train(
    model: nn.Module, train_set: Dataset, val_set: Dataset, schedule: Schedule, seed: int, machine: Machine
) -> Curves:
    """Train in place, a fixed number of epochs.

    Args:
        model: maps clips (B, C, T, H, W) to logits (B, classes).
        train_set, val_set: items (clip, label).
        schedule: epochs, batch size and peak learning rate.
        seed: seed of the order of the training clips.
        machine: device and progress bar.

    Returns:
        One value an epoch of "train_loss", "train_top1" (running, in training mode) and "val_top1", in percent.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    device = torch.device(machine.device)
    loader = DataLoader(train_set, schedule.batch_size, shuffle=True, generator=torch.Generator().manual_seed(seed))
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), schedule.lr)
    steps = schedule.epochs * len(loader)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.lr, total_steps=steps)
    curves: Curves = {"train_loss": [], "train_top1": [], "val_top1": []}
    bar = progress_bar(machine.progress, total=steps, desc=machine.title, unit="batch", position=machine.position)
    for epoch in range(schedule.epochs):
        model.train()
        loss_sum = correct = seen = 0.0
        for clips, labels in loader:
            clips, labels = clips.to(device), labels.to(device)
            logits = model(clips)  # (B, classes)
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rates.step()
            loss_sum += loss.item() * len(labels)
            correct += (logits.argmax(1) == labels).sum().item()
            seen += len(labels)
            bar.update()
        if not loss_sum < float("inf"):
            where = f"{machine.title}: loss {loss_sum / seen} in epoch {epoch + 1}"
            raise FloatingPointError(f"{where}: lower lr (now {schedule.lr})")
        curves["train_loss"].append(loss_sum / seen)
        curves["train_top1"].append(100 * correct / seen)
        curves["val_top1"].append(evaluate(model, val_set, batch_size=schedule.batch_size, device=device).top1)
        bar.set_postfix(loss=f"{loss_sum / seen:.3f}", val=f"{curves['val_top1'][-1]:.1f}")
    bar.close()
    return curves
