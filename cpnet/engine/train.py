"""Training on videos, in the paper's phases; continued after an interruption as if there had been none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from cpnet.data.loader import training_batches
from cpnet.data.transforms import normalise
from cpnet.data.videos import TrainingClips
from cpnet.engine.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint
from cpnet.engine.machine import Machine, mixed_precision
from cpnet.engine.recipe import Phase, Recipe, batch_norm_momentum, learning_rate, make_optimizer
from cpnet.progress import progress_bar
from cpnet.results import write_atomically

if TYPE_CHECKING:
    from accelerate import Accelerator

Epoch = dict[str, float]  # numbers of an epoch, such as "train_loss"


def train(
    model: nn.Module,
    clips: Callable[[Phase], TrainingClips],
    recipe: Recipe,
    folder: Path,
    machine: Machine,
    *,
    validate: Callable[[nn.Module, Phase], Mapping[str, float]] | None = None,
    accelerator: Accelerator | None = None,
    save_every: int = 200,
) -> list[Epoch]:
    """Train in place; if `folder` has a checkpoint, go on from there.

    What is drawn in a step depends on the recipe's seed, the number of the step and the number of processes only. So a
    training that was interrupted at any moment ends with the weights of one that was not.

    Several processes share each batch and average their gradients. Statistics of batch norms are those of each
    process's share, as in the released code; the running ones that are validated and saved are those of the main
    process. It alone writes, and all read what it wrote: several machines need a `folder` that they share.

    Args:
        model: Maps clips (B, 3, T, S, S) to logits (B, classes).
        clips: Makes the training set of a phase.
        folder: Folder of the checkpoints, and of "log.csv": the numbers of each epoch up to the last checkpoint.
        machine: Where the training runs. Compiled, an interruption may change the rounding; the weights are those of
            the plain network. TensorBoard has the numbers of each epoch in "tensorboard", by epochs of all phases.
        validate: Called after each epoch, in all processes; of its numbers, "val_top1" tells which checkpoint is best.
        accelerator: Device, precision and processes; the machine's, in the recipe's precision, if None.
        save_every: Steps between checkpoints within an epoch.

    Returns:
        Numbers of each epoch: phase, epoch, lr (at its end), train_loss, train_top1 (in training mode), substituted
        (clips of videos that could not be read), and those of `validate`.

    Raises:
        ValueError: the checkpoint is of another recipe or network, or not the same for all processes; the accelerator
            is of another precision than the recipe; TensorBoard is not installed.
        FloatingPointError: the loss is no longer finite.
    """
    accelerator = accelerator or machine.accelerator(recipe.precision)
    _compare_precision(recipe, accelerator)
    main = accelerator.is_main_process
    state: dict[str, Any] = {"recipe": asdict(recipe), "history": [], "step": 0, "best": -math.inf} | _beginning(0)
    found = find_checkpoint(folder)
    if found is not None:
        state = load_checkpoint(found, model)
        _compare(state["recipe"], recipe, found)
    _compare_processes(state["step"], folder)
    with closing(_Log(folder, state["history"], main, machine.tensorboard)) as log:
        for number, phase in enumerate(recipe.phases):
            if number < state["phase"]:
                continue
            if phase.freeze_bn:
                cast(Any, model).freeze_batch_norm()
            loop = _Phase(accelerator, model, recipe, number, clips(phase), folder, machine)
            if state["optimizer"] is not None:
                loop.load(state)
            with loop.bar(state, main) as bar:
                for epoch in range(state["epoch"], phase.epochs):
                    numbers = loop.epoch(epoch, state, save_every, bar)
                    if validate is not None:
                        loop.share_statistics()
                        numbers |= validate(model, phase)
                    lr = learning_rate(recipe, phase, epoch + 1)
                    state["history"].append({"phase": number, "epoch": epoch, "lr": lr} | numbers)
                    top1 = numbers.get("val_top1", -math.inf)
                    better, state["best"] = top1 > state["best"], max(top1, state["best"])
                    state |= {"epoch": epoch + 1, "batch": 0, "totals": None}
                    loop.save(state, better)
                    log.write(state["history"])
            del loop
            accelerator.free_memory()  # its hooks on the weights too
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
        machine: Machine,
    ) -> None:
        self.accelerator, self.recipe, self.number, self.data, self.folder = accelerator, recipe, number, data, folder
        self.machine = machine
        self.phase, self.steps = recipe.phases[number], len(data) // recipe.batch_size
        self.plain = model
        optimizer = make_optimizer(recipe, model.parameters())
        self.model, self.optimizer = accelerator.prepare(model, optimizer)
        accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)  # `step` chooses the precision, not the network
        if machine.compile:
            self.model = torch.compile(self.model)

    def bar(self, state: dict[str, Any], main: bool) -> tqdm:
        """A progress bar over all steps of the phase, in the main process."""
        return progress_bar(
            self.machine.progress and main,
            total=self.phase.epochs * self.steps,
            initial=state["epoch"] * self.steps + state["batch"],
            desc=f"{self.machine.title} phase {self.number + 1} of {len(self.recipe.phases)}".lstrip(),
            unit="step",
            position=self.machine.position,
        )

    def epoch(self, epoch: int, state: dict[str, Any], save_every: int, bar: tqdm) -> Epoch:
        """Train for an epoch, or for the rest of one."""
        batches = training_batches(
            self.data,
            self.recipe.batch_size,
            epoch,
            start=state["batch"],
            workers=self.machine.workers,
            process=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )
        totals = torch.zeros(4, dtype=torch.float64)  # loss, hits, substituted, clips
        if state["totals"] is not None and self.accelerator.is_main_process:
            totals += torch.tensor(state["totals"], dtype=torch.float64)
        self.model.train()
        for batch, sample in enumerate(batches, state["batch"] + 1):
            totals += self.step(sample, epoch, batch - 1)
            state["step"] += 1
            self._show(bar, epoch, float(totals[0] / totals[3]), state["history"])
            if batch % save_every == 0 and batch < self.steps:
                state |= {"batch": batch, "totals": self._sum(totals, epoch).tolist()}
                self.save(state)
        loss, hits, substituted, seen = self._sum(totals, epoch).tolist()
        return {"train_loss": loss / seen, "train_top1": 100 * hits / seen, "substituted": substituted}

    def step(self, sample: Any, epoch: int, batch: int) -> torch.Tensor:
        """Change the weights once; returns the loss, hits, substituted clips and clips of this process, summed."""
        time = epoch + batch / self.steps
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.phase, time)
        momentum = batch_norm_momentum(self.recipe, time)
        words = (self.recipe.seed, self.number, epoch, batch, self.accelerator.process_index)
        seed = int(np.random.SeedSequence(words).generate_state(1)[0])
        torch.manual_seed(seed)
        for module in self.plain.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:  # any change is compiled anew
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

    def share_statistics(self) -> None:
        """Give all processes the main one's running statistics, as at the beginning of every step."""
        from accelerate.utils import broadcast

        broadcast([*self.plain.buffers()])

    def save(self, state: dict[str, Any], best: bool = False) -> None:
        """Write a checkpoint, from the main process."""
        if self.accelerator.is_main_process:
            state["optimizer"] = self.optimizer.state_dict()
            if self.accelerator.scaler is not None:
                state["scaler"] = self.accelerator.scaler.state_dict()
            save_checkpoint(self.folder, state["step"], self.plain, state, best)
        self.accelerator.wait_for_everyone()

    def _show(self, bar: tqdm, epoch: int, loss: float, history: list[Epoch]) -> None:
        """Move the bar on by a step."""
        shown = {"epoch": f"{epoch + 1}/{self.phase.epochs}", "loss": f"{loss:.3f}"}
        if history and "val_top1" in history[-1]:
            shown["val_top1"] = f"{history[-1]['val_top1']:.1f}"
        bar.set_postfix(shown, refresh=False)
        bar.update()

    def _sum(self, totals: torch.Tensor, epoch: int) -> torch.Tensor:
        """Totals of all processes."""
        summed = totals
        if self.accelerator.num_processes > 1:  # MPS, where there is one, has no float64
            summed = self.accelerator.reduce(totals.to(self.accelerator.device)).cpu()
        if not math.isfinite(summed[0]):
            raise FloatingPointError(f"the loss is {summed[0]} in epoch {epoch + 1}: lower lr (now {self.phase.lr})")
        return summed


class _Log:
    """The numbers of each epoch in files, written by the main process; never ahead of the checkpoint."""

    def __init__(self, folder: Path, history: list[Epoch], main: bool, tensorboard: bool) -> None:
        self.folder, self.main, self.seen = folder, main, len(history)
        self.writer = _summary_writer(folder, main) if tensorboard else None
        if history:  # a kill may have left the epoch that the checkpoint ends with unwritten
            self.write(history)

    def write(self, history: list[Epoch]) -> None:
        """Bring the files up to date."""
        if self.main:
            write_atomically(self.folder / "log.csv", pd.DataFrame(history).to_csv(index=False).encode())
        if self.writer is not None:
            for number, epoch in enumerate(history[self.seen :], self.seen + 1):
                for name, value in epoch.items():
                    self.writer.add_scalar(name, value, number)
            self.writer.flush()
        self.seen = len(history)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _summary_writer(folder: Path, main: bool) -> Any:
    """TensorBoard's writer, None but in the main process."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError("tensorboard=True needs a package that is missing: pip install tensorboard") from error
    return SummaryWriter(str(folder / "tensorboard")) if main else None


def _compare_precision(recipe: Recipe, accelerator: Accelerator) -> None:
    precision = mixed_precision(recipe.precision)
    if accelerator.mixed_precision != precision:
        raise ValueError(
            f"the recipe has precision={recipe.precision!r}, but the accelerator "
            f"mixed_precision={accelerator.mixed_precision!r}: make it with mixed_precision={precision!r}"
        )


def _compare_processes(step: int, folder: Path) -> None:
    from accelerate.utils import gather_object

    steps = gather_object([step])
    if len(set(steps)) > 1:
        raise ValueError(f"processes found checkpoints of steps {steps}: {folder} must be one that all machines share")


def _compare(stored: dict[str, Any], recipe: Recipe, path: Path) -> None:
    wanted = asdict(recipe)
    for name, value in wanted.items():
        if stored.get(name) != value:
            raise ValueError(
                f"{path} was trained with {name}={stored.get(name)!r}, not {value!r}: "
                "give another folder, or the recipe it was begun with"
            )
