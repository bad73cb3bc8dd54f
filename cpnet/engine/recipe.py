"""How weights are changed: phases, optimisers, and schedules as functions of the time, of which nothing is stored."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from cpnet.choices import check_choice

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["step", "cosine", "one_cycle"]
Precision = Literal["fp32", "bf16", "fp16"]

ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1e-4 / 25  # as torch's OneCycleLR


@dataclass(frozen=True)
class Phase:
    """Epochs on clips of one length; a phase starts from the weights that the one before ended with.

    Attributes:
        epochs: number of passes over the training set.
        num_frames: number T of frames of a clip.
        frame_step: distance of neighbouring frames.
        lr: base learning rate.
        freeze_bn: whether batch norms keep statistics, gamma and beta; the paper's second and later phases.
    """

    epochs: int = 100
    num_frames: int = 8
    frame_step: int = 4
    lr: float = 0.01
    freeze_bn: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "num_frames", "frame_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} in a phase: give 1 or more")
        if not 0 <= self.lr < math.inf:
            raise ValueError(f"lr={self.lr} in a phase: give 0 or more")


@dataclass(frozen=True)
class Recipe:
    """All that determines training but the network and the data. Defaults are the released code's.

    Attributes:
        phases: what is trained one after the other.
        batch_size: number of clips in a step, of all processes together.
        optimizer: "sgd" with momentum, not Nesterov's, or "adamw".
        schedule: how the learning rate falls: "step", to a tenth every `decay_epochs`; "cosine"; "one_cycle".
        momentum: momentum of SGD.
        weight_decay: decay of weights only, not of biases and batch norms.
        warmup_epochs: how long the learning rate grows linearly at first, in epochs.
        decay_epochs: period of the step schedule and of `bn_schedule`, in epochs.
        min_lr: lowest learning rate of the step and cosine schedules.
        bn_schedule: the momentum of batch norms' statistics is 0.5, halved every `decay_epochs`, at least 0.01; torch's
            0.1 if False.
        precision: numbers of the forward pass: float32, or mixed with bfloat16, or with float16 and a scaled loss.
            Weights, gradients and the optimiser are float32.
        seed: seed of the order of clips, of what is drawn from them, of dropout and of ties.

    Raises:
        ValueError: unknown optimiser, schedule or precision, a number out of range, batch norms frozen in a phase and
            not in the next.
    """

    phases: tuple[Phase, ...] = (Phase(),)
    batch_size: int = 32
    optimizer: Optimizer = "sgd"
    schedule: Schedule = "step"
    momentum: float = 0.9
    weight_decay: float = 0.0
    warmup_epochs: float = 0.0
    decay_epochs: float = 40.0
    min_lr: float = 1e-5
    bn_schedule: bool = True
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("optimizer", Optimizer), ("schedule", Schedule), ("precision", Precision)):
            check_choice(name, getattr(self, name), get_args(choices))
        if not self.phases or self.batch_size < 1:
            raise ValueError(f"{len(self.phases)} phases, batch_size={self.batch_size}: give 1 or more of both")
        for name, fits, remedy in (
            ("momentum", 0 <= self.momentum < 1, "0 or more, less than 1"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "0 or more"),
            ("warmup_epochs", 0 <= self.warmup_epochs < math.inf, "0 or more"),
            ("decay_epochs", self.decay_epochs > 0, "more than 0"),
            ("min_lr", 0 <= self.min_lr < math.inf, "0 or more"),
            ("seed", self.seed >= 0, "0 or more"),
        ):
            if not fits:
                raise ValueError(f"{name}={getattr(self, name)}: give {remedy}")
        if self.schedule == "one_cycle" and self.warmup_epochs:
            raise ValueError(f"warmup_epochs={self.warmup_epochs}: one_cycle has a rise of its own, leave it out")
        frozen = [phase.freeze_bn for phase in self.phases]
        if frozen != sorted(frozen):
            raise ValueError(f"freeze_bn={frozen} in the phases: batch norms stay frozen, so freeze the later ones too")


def learning_rate(recipe: Recipe, phase: Phase, epoch: float) -> float:
    """The learning rate at a time in a phase, in epochs, fractions included."""
    if recipe.schedule == "one_cycle":
        rise = ONE_CYCLE_RISE * phase.epochs
        if epoch < rise:
            return _cosine(phase.lr * ONE_CYCLE_START, phase.lr, epoch / rise)
        return _cosine(phase.lr, phase.lr * ONE_CYCLE_END, (epoch - rise) / (phase.epochs - rise))
    if recipe.schedule == "cosine":
        lr = _cosine(phase.lr, recipe.min_lr, epoch / phase.epochs)
    else:
        lr = max(recipe.min_lr, phase.lr * 0.1 ** (epoch // recipe.decay_epochs))
    return lr * min(1.0, epoch / recipe.warmup_epochs) if recipe.warmup_epochs else lr


def batch_norm_momentum(recipe: Recipe, epoch: float) -> float:
    """Share of a batch in running statistics at a time in a phase (the released code has 1 minus it)."""
    return max(0.01, 0.5 * 0.5 ** (epoch // recipe.decay_epochs)) if recipe.bn_schedule else 0.1


def make_optimizer(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """An optimiser of the parameters that are not frozen; tensors of one dimension are biases or of batch norms."""
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups)
    return torch.optim.SGD(groups, momentum=recipe.momentum)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
