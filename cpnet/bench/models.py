"""Time of a training step of each network, relative to C2D's."""

from typing import Any

import pandas as pd
import torch
from torch import nn

from cpnet.bench.timing import measure_time, relative, training_step
from cpnet.models import create_for_clips
from cpnet.models.families import FAMILIES, RES4
from cpnet.models.resnet import Layers, ResNet, Stem


def measure_models(
    clips: tuple[int, int, int],
    device: str = "cpu",
    repeats: int = 5,
    compile: bool = False,
    *,
    depth: int,
    width: int,
    stem: Stem,
) -> pd.DataFrame:
    """Training steps of every family, of CPNet with two modules, and of C2D on Conv3d 1x3x3 in place of Conv2d.

    Args:
        clips: shape (B, T, side) of the clips.
        device: "cpu" or "cuda".
        repeats: rounds of timings to take the median of.
        compile: C2D and CPNet compiled, too, each as one graph.
        depth, width, stem: arguments of the ResNet.

    Returns:
        candidate, ms, and time over that of C2D.
    """
    B, T, side = clips

    def create(family: str, **arguments: Any) -> nn.Module:
        return create_for_clips(f"{family}_resnet{depth}", T, width=width, stem=stem, **arguments)

    networks = {family: create(family) for family in FAMILIES}
    networks["cpnet, 2 modules"] = create("cpnet", positions=RES4)
    networks["c2d, Conv3d 1x3x3"] = ResNet(depth, Layers(1), num_classes=400, width=width, stem=stem, dropout=0.5)
    if compile:
        networks |= {f"{family}, compiled": create(family) for family in ("c2d", "cpnet")}
    x = torch.randn(B, 3, T, side, side, device=device)
    steps = {name: training_step(net.to(device), x, name.endswith("compiled")) for name, net in networks.items()}
    return relative(measure_time(steps, repeats), "c2d", "ms")
