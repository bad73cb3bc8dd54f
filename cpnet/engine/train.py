"""Training on videos, in the paper's phases; continued after an interruption as if there had been none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cpnet.data.loader import training_batches
from cpnet.data.transforms import normalise
from cpnet.data.videos import TrainingClips
from cpnet.engine.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint
from cpnet.engine.recipe import Phase, Recipe, batch_norm_momentum, learning_rate, make_optimizer
from cpnet.progress import progress_bar

if TYPE_CHECKING:
    from accelerate import Accelerator

Epoch = dict[str, float]  # numbers of an epoch, such as "train_loss"


def train(
    model: nn.Module,
    clips: Callable[[Phase], TrainingClips],
    recipe: Recipe,
    folder: Path,
    *,
    validate: Callable[[nn.Module, Phase], Mapping[str, float]] | None = None,
    accelerator: Accelerator | None = None,
    workers: int = 0,
    save_every: int = 200,
    progress: bool = True,
) -> list[Epoch]:
    """Train in place; if `folder` has a checkpoint, go on from there.

    What is drawn in a step depends on the recipe's seed and on the number of the step only. So a training that was
    interrupted at any moment ends with the weights of one that was not.

    Args:
        model: maps clips (B, 3, T, S, S) to logits (B, classes).
        clips: makes the training set of a phase.
        folder: of the checkpoints.
        validate: called after each epoch; of its numbers, "val_top1" tells which checkpoint is the best.
        accelerator: device, precision and processes; one process on the best device if None.
        workers: that load clips.
        save_every: steps between checkpoints within an epoch.

    Returns:
        Numbers of each epoch: phase, epoch, lr (at its end), train_loss, train_top1 (in training mode), substituted
        (clips of videos that could not be read), and those of `validate`.

    Raises:
        ValueError: the checkpoint is of another recipe or network.
        FloatingPointError: the loss is no longer finite.
    """
    from accelerate import Accelerator  # here and not above: in a notebook its import warns about progress bars

    accelerator = accelerator or Accelerator()
    state: dict[str, Any] = {"recipe": asdict(recipe), "history": [], "step": 0, "best": -math.inf} | _beginning(0)
    found = find_checkpoint(folder)
    if found is not None:
        state = load_checkpoint(found, model)
        _compare(state["recipe"], recipe, found)
    for number, phase in enumerate(recipe.phases):
        if number < state["phase"]:
            continue
        if phase.freeze_bn:
            cast(Any, model).freeze_batch_norm()
        data = clips(phase)
        loop = _Phase(accelerator, model, recipe, number, data, folder)
        if state["optimizer"] is not None:
            loop.load(state)
        for epoch in range(state["epoch"], phase.epochs):
            numbers = loop.epoch(epoch, state, workers, save_every, progress)
            if validate is not None:
                numbers |= validate(model, phase)
            state["history"].append({"phase": number, "epoch": epoch, "lr": loop.lr(epoch + 1)} | numbers)
            top1 = numbers.get("val_top1", -math.inf)
            better, state["best"] = top1 > state["best"], max(top1, state["best"])
            state |= {"epoch": epoch + 1, "batch": 0, "totals": None}
            loop.save(state, better)
        state |= _beginning(number + 1)
    return state["history"]


def _beginning(phase: int) -> dict[str, Any]:
    """Position and optimiser at the beginning of a phase."""
    return {"phase": phase, "epoch": 0, "batch": 0, "totals": None, "optimizer": None, "scaler": None}


class _Phase:
    """One phase: network and optimiser, prepared for device and processes."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        recipe: Recipe,
        number: int,
        data: TrainingClips,
        folder: Path,
    ) -> None:
        self.accelerator, self.recipe, self.number, self.data, self.folder = accelerator, recipe, number, data, folder
        self.phase = recipe.phases[number]
        self.plain = model
        optimizer = make_optimizer(recipe, model.parameters())
        self.model, self.optimizer = accelerator.prepare(model, optimizer)

    def lr(self, epoch: float) -> float:
        """Learning rate at a time in epochs."""
        return learning_rate(self.recipe, self.phase, epoch)

    def epoch(self, epoch: int, state: dict[str, Any], workers: int, save_every: int, progress: bool) -> Epoch:
        """Train for an epoch, or for the rest of one."""
        batches = training_batches(
            self.data,
            self.recipe.batch_size,
            epoch,
            start=state["batch"],
            workers=workers,
            process=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )
        steps = len(self.data) // self.recipe.batch_size
        totals = torch.zeros(4, dtype=torch.float64)  # loss, hits, substituted, clips
        if state["totals"] is not None and self.accelerator.is_main_process:
            totals += torch.tensor(state["totals"], dtype=torch.float64)
        show = progress and self.accelerator.is_main_process
        title = f"phase {self.number + 1}, epoch {epoch + 1} of {self.phase.epochs}"
        self.model.train()
        with progress_bar(show, total=steps, initial=state["batch"], desc=title, unit="step") as bar:
            for batch, sample in enumerate(batches, state["batch"] + 1):
                totals += self.step(sample, epoch, batch - 1, steps)
                state["step"] += 1
                bar.update()
                if batch % save_every == 0 and batch < steps:
                    state |= {"batch": batch, "totals": self._sum(totals, epoch).tolist()}
                    self.save(state)
        loss, hits, substituted, seen = self._sum(totals, epoch).tolist()
        return {"train_loss": loss / seen, "train_top1": 100 * hits / seen, "substituted": substituted}

    def step(self, sample: Any, epoch: int, batch: int, steps: int) -> torch.Tensor:
        """Change the weights once; returns the loss, hits, substituted clips and clips of this process, summed."""
        time = epoch + batch / steps
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr(time)
        momentum = batch_norm_momentum(self.recipe, time)
        words = (self.recipe.seed, self.number, epoch, batch, self.accelerator.process_index)
        seed = int(np.random.SeedSequence(words).generate_state(1)[0])
        torch.manual_seed(seed)
        for module in self.plain.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = momentum
            if hasattr(module, "reseed"):
                cast(Any, module).reseed(seed)
        device = self.accelerator.device
        labels = sample.label.to(device)
        with self.accelerator.autocast():
            logits = self.model(normalise(sample.clip.to(device)))  # (B, classes)
            loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.optimizer.step()
        hits = (logits.argmax(1) == labels).sum()
        summed = torch.stack([loss.detach() * len(labels), hits.to(loss)]).tolist()  # waits for the device once
        return torch.tensor([*summed, sample.substituted.sum(), len(labels)], dtype=torch.float64)

    def load(self, state: dict[str, Any]) -> None:
        """Take over the optimiser of a checkpoint."""
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    def save(self, state: dict[str, Any], best: bool = False) -> None:
        """Write a checkpoint, from the main process."""
        if self.accelerator.is_main_process:
            state["optimizer"] = self.optimizer.state_dict()
            if self.accelerator.scaler is not None:
                state["scaler"] = self.accelerator.scaler.state_dict()
            save_checkpoint(self.folder, state["step"], self.plain, state, best)
        self.accelerator.wait_for_everyone()

    def _sum(self, totals: torch.Tensor, epoch: int) -> torch.Tensor:
        """Totals of all processes."""
        summed = self.accelerator.reduce(totals.to(self.accelerator.device)).cpu()
        if not math.isfinite(summed[0]):
            raise FloatingPointError(f"the loss is {summed[0]} in epoch {epoch + 1}: lower lr (now {self.phase.lr})")
        return summed


def _compare(stored: dict[str, Any], recipe: Recipe, path: Path) -> None:
    wanted = asdict(recipe)
    for name, value in wanted.items():
        if stored.get(name) != value:
            raise ValueError(
                f"{path} was trained with {name}={stored.get(name)!r}, not {value!r}: "
                "give another folder, or the recipe it was begun with"
            )
