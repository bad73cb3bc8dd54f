"""Training on videos, in the paper's phases; continued after an interruption as if there had been none."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import save_model
from torch import Tensor, nn

from cpnet.data.loader import training_batches
from cpnet.data.transforms import normalise
from cpnet.data.videos import TrainingClips
from cpnet.engine.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint, snapshot_of
from cpnet.engine.machine import Machine, check_alike, mixed_precision
from cpnet.engine.recipe import Phase, Recipe, batch_norm_momentum, learning_rate, make_optimizer
from cpnet.files import write_atomically
from cpnet.progress import progress_bar

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
    validate: Callable[[nn.Module, int], Mapping[str, float]] | None = None,
    accelerator: Accelerator | None = None,
    save_every: int = 200,
    snapshots: Collection[int] = (),
) -> list[Epoch]:
    """Train in place; if `folder` has a checkpoint, go on from there.

    What is drawn in a step depends on the recipe's seed, the number of the step and the number of processes only. So a
    training that was interrupted at any moment ends with the weights of one that was not.

    Several processes share each batch and average their gradients. Statistics of batch norms are those of each
    process's share, as in the released code; the running ones that are validated and saved are those of the main
    process. It alone writes, and all read what it wrote: several machines need a `folder` that they share.

    Args:
        model: maps clips (B, 3, T, S, S) to logits (B, classes).
        clips: makes the training set of a phase.
        folder: folder of the checkpoints, and of "log.csv": the numbers of each epoch up to the last checkpoint.
        machine: where the training runs. Compiled, an interruption may change the rounding; the weights are those of
            the plain network. TensorBoard has the numbers of each epoch in "tensorboard", by epochs of all phases.
        validate: called after each epoch, in all processes, with the number of the phase; of its numbers, "val_top1"
            tells which checkpoint of a phase is best.
        accelerator: device, precision and processes; the machine's, in the recipe's precision, if None.
        save_every: steps between checkpoints within an epoch.
        snapshots: epochs of all phases, counted from 1, after which the weights are kept in a file, see `snapshot_of`.

    Returns:
        Numbers of each epoch: phase, epoch, lr (at its end), train_loss, train_top1 (in training mode), substituted
        (clips of videos that could not be read), and those of `validate`.

    Raises:
        ValueError: the checkpoint is of another recipe or network, or not the same for all processes; the accelerator
            is of another precision than the recipe; TensorBoard is not installed.
        FloatingPointError: the loss is no longer finite.
    """
    accelerator = accelerator or machine.accelerator(recipe.precision)
    precision, main = mixed_precision(recipe.precision), accelerator.is_main_process
    if accelerator.mixed_precision != precision:
        raise ValueError(
            f"the recipe has precision={recipe.precision!r}, but the accelerator "
            f"mixed_precision={accelerator.mixed_precision!r}: make it with mixed_precision={precision!r}"
        )
    state: dict[str, Any] = {"recipe": asdict(recipe), "history": [], "step": 0} | _beginning(0)
    found = find_checkpoint(folder)
    if found is not None:
        state = load_checkpoint(found, model)
        _compare(state["recipe"], recipe, found)
    check_alike("checkpoints of steps", state["step"], f"{folder} must be one that all machines share")
    history = state["history"]

    def save(optimizer: torch.optim.Optimizer, best: bool = False) -> None:
        if main:
            state["optimizer"] = optimizer.state_dict()
            if accelerator.scaler is not None:
                state["scaler"] = accelerator.scaler.state_dict()
            save_checkpoint(folder, state["step"], model, state, best)
        accelerator.wait_for_everyone()

    def write_log() -> None:
        if main:
            write_atomically(folder / "log.csv", pd.DataFrame(history).to_csv(index=False).encode())

    from accelerate.utils import broadcast  # here and not above: see `Machine.accelerator`

    with _tensorboard(folder, main) if machine.tensorboard else nullcontext() as tensorboard:
        if history:  # a kill may have left the epoch that the checkpoint ends with unwritten
            write_log()
        for number, phase in [*enumerate(recipe.phases)][state["phase"] :]:
            if phase.freeze_bn:
                cast(Any, model).freeze_batch_norm()
            data = clips(phase)
            steps = len(data) // recipe.batch_size
            network, optimizer = accelerator.prepare(model, make_optimizer(recipe, model.parameters()))
            accelerator.unwrap_model(network, keep_fp32_wrapper=False)  # `_step` chooses the precision
            if machine.compile:
                network = torch.compile(network)
            if state["optimizer"] is not None:
                optimizer.load_state_dict(state["optimizer"])
                if accelerator.scaler is not None:
                    accelerator.scaler.load_state_dict(state["scaler"])
            bar = progress_bar(
                machine.progress and main,
                total=phase.epochs * steps,
                initial=state["epoch"] * steps + state["batch"],
                desc=f"{machine.title} phase {number + 1} of {len(recipe.phases)}".lstrip(),
                unit="step",
                position=machine.position,
            )
            with bar:
                for epoch in range(state["epoch"], phase.epochs):
                    batches = training_batches(
                        data,
                        recipe.batch_size,
                        epoch,
                        start=state["batch"],
                        workers=machine.workers,
                        process=accelerator.process_index,
                        processes=accelerator.num_processes,
                    )
                    totals = torch.zeros(4, dtype=torch.float64)  # loss, hits, substituted, clips of this process
                    if state["totals"] is not None and main:
                        totals += torch.tensor(state["totals"], dtype=torch.float64)
                    network.train()
                    for batch, sample in enumerate(batches, state["batch"]):
                        time = epoch + batch / steps
                        words = (recipe.seed, number, epoch, batch, accelerator.process_index)
                        _prepare(model, batch_norm_momentum(recipe, time), words)
                        totals += _step(network, optimizer, accelerator, sample, learning_rate(recipe, phase, time))
                        state["step"] += 1
                        shown = {"epoch": f"{epoch + 1}/{phase.epochs}", "loss": f"{totals[0] / totals[3]:.3f}"}
                        if history and "val_top1" in history[-1]:
                            shown["val_top1"] = f"{history[-1]['val_top1']:.1f}"
                        bar.set_postfix(shown, refresh=False)
                        bar.update()
                        if (batch + 1) % save_every == 0 and batch + 1 < steps:
                            state |= {"batch": batch + 1, "totals": _sum(totals, accelerator, epoch, phase).tolist()}
                            save(optimizer)
                    loss, hits, substituted, seen = _sum(totals, accelerator, epoch, phase).tolist()
                    numbers = {"phase": number, "epoch": epoch, "lr": learning_rate(recipe, phase, epoch + 1)}
                    numbers |= {"train_loss": loss / seen, "train_top1": 100 * hits / seen, "substituted": substituted}
                    if validate is not None:
                        broadcast([*model.buffers()])  # the main process's statistics, as before every step
                        numbers |= validate(model, number)
                    of_phase = [epoch.get("val_top1", -math.inf) for epoch in history if epoch["phase"] == number]
                    better = numbers.get("val_top1", -math.inf) > max(of_phase, default=-math.inf)
                    history.append(numbers)
                    if main and len(history) in snapshots:
                        save_model(model, str(folder / snapshot_of(len(history))))
                    state |= {"epoch": epoch + 1, "batch": 0, "totals": None}
                    save(optimizer, better)
                    write_log()
                    if tensorboard is not None:
                        for name, value in numbers.items():
                            tensorboard.add_scalar(name, value, len(history))
                        tensorboard.flush()
            del network, optimizer
            accelerator.free_memory()  # its hooks on the weights too
            state |= _beginning(number + 1)
    return history


def _beginning(phase: int) -> dict[str, Any]:
    """Position and optimiser at the beginning of a phase."""
    return {"phase": phase, "epoch": 0, "batch": 0, "totals": None, "optimizer": None, "scaler": None}


def _prepare(model: nn.Module, momentum: float, words: tuple[int, ...]) -> None:
    """Before a step: the momentum of batch norms, and all that is drawn in it from a seed of its own."""
    seed = int(np.random.SeedSequence(words).generate_state(1)[0])
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:  # any change is compiled anew
            module.momentum = momentum
        if hasattr(module, "reseed"):
            cast(Any, module).reseed(seed)


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, accelerator: Accelerator, sample: Any, lr: float
) -> Tensor:
    """Change the weights once; returns the loss, hits, substituted clips and clips of this process, summed."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    labels = sample.label.to(accelerator.device)
    with accelerator.autocast():
        logits = network(normalise(sample.clip.to(accelerator.device)))  # (B, classes)
        loss = F.cross_entropy(logits, labels)
    optimizer.zero_grad()
    accelerator.backward(loss)
    optimizer.step()
    hits = (logits.argmax(1) == labels).sum()
    summed = torch.stack([loss.detach() * len(labels), hits.to(loss)]).tolist()  # waits for the device once
    return torch.tensor([*summed, sample.substituted.sum(), len(labels)], dtype=torch.float64)


def _sum(totals: Tensor, accelerator: Accelerator, epoch: int, phase: Phase) -> Tensor:
    """Totals of all processes."""
    if accelerator.num_processes > 1:  # MPS, where there is one, has no float64
        totals = accelerator.reduce(totals.to(accelerator.device)).cpu()
    if not math.isfinite(totals[0]):
        raise FloatingPointError(f"the loss is {totals[0]} in epoch {epoch + 1}: lower lr (now {phase.lr})")
    return totals


def _tensorboard(folder: Path, main: bool) -> AbstractContextManager[Any]:
    """TensorBoard's writer, None but in the main process."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError("tensorboard=True needs a package that is missing: pip install tensorboard") from error
    return closing(SummaryWriter(str(folder / "tensorboard"))) if main else nullcontext()


def _compare(stored: dict[str, Any], recipe: Recipe, path: Path) -> None:
    wanted = asdict(recipe)
    for name, value in wanted.items():
        if stored.get(name) != value:
            raise ValueError(
                f"{path} was trained with {name}={stored.get(name)!r}, not {value!r}: "
                "give another folder, or the recipe it was begun with"
            )
