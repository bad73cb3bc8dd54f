"""Time and memory of a training step: C2D, C2D with attention over all pairs, C2D with k correspondences a position.

Section 4 and supplement G of the paper say that k correspondences save memory and computation. Two forms of attention
are measured. "NL" is `NonLocalBlock`, with the fused kernel that never holds the N x N matrix where torch picks it;
"stored" computes the same and keeps the matrix for the backward pass, as was usual when the paper was written.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from cpnet.bench.timing import MEASURED, measure_steps
from cpnet.models import create_model
from cpnet.models.families import NL_POSITIONS, VARIANTS
from cpnet.models.resnet import STEMS
from cpnet.nn import CPModule, NonLocalBlock


class Stored(nn.Module):
    """Computes what `module` does, but its attention keeps the matrix of all pairs for the backward pass."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return self.module(x)


def measure_attention(
    device: str = "cpu", repeats: int = 5, clips: tuple[int, int, int] = (2, 8, 112), width: int = 64, k: int = 8
) -> Iterator[pd.DataFrame]:
    """Training steps with CP modules, with NL blocks at the same places, and with neither, as `measure_steps` has them.

    Args:
        clips: shape (B, T, side) of the clips.
        width: channels of conv1.
        k: number of proposals of CP modules.

    Returns:
        One frame each of networks; of networks on one clip of half the size, and of four times the length; of single
        blocks at res3 and res4; of those at res3 on such clips of T, 2 T and 4 T; and the exponents of their growth.
    """
    B, T, side = clips

    def of_networks(*clips: int) -> pd.DataFrame:
        B, T, side = clips
        return measure_steps(networks(width, k), torch.randn(B, 3, T, side, side, device=device), repeats)

    def of_blocks(stage: int, *clips: int) -> pd.DataFrame:
        x = torch.randn(features(stage, clips, width), device=device, requires_grad=True)
        return measure_steps(blocks(x.shape[1], k), x, repeats)

    yield of_networks(B, T, side)
    yield pd.concat([of_networks(1, factor * T, side // 2) for factor in (1, 4)])
    yield pd.concat([of_blocks(stage, B, T, side) for stage in (3, 4)])
    growing = pd.concat([of_blocks(3, 1, factor * T, side // 2) for factor in (1, 2, 4)])
    yield growing
    yield exponents(growing)


def networks(width: int = 64, k: int = 8) -> dict[str, nn.Module]:
    """ResNet-18: C2D alone, and with NL blocks and CP modules at the paper's six places."""
    given: dict[str, Any] = {"width": width, "positions": NL_POSITIONS[18]}
    return {
        "NL": create_model("nl_resnet18", **given),
        "NL, stored": Stored(create_model("nl_resnet18", **given)),
        "CP": create_model("cpnet_resnet18", k=k, **given),
        "C2D alone": create_model("c2d_resnet18", width=width),
    }


def blocks(channels: int, k: int = 8) -> dict[str, nn.Module]:
    """Single NL blocks and CP modules on features of `channels`."""
    return {
        "NL": NonLocalBlock(channels),
        "NL, stored": Stored(NonLocalBlock(channels)),
        "NL, all keys": NonLocalBlock(channels, subsample=False),
        "NL, all keys, stored": Stored(NonLocalBlock(channels, subsample=False)),
        "CP": CPModule(channels, k),
        "CP, shrink 2": CPModule(channels, k, shrink=2),
    }


def features(stage: int, clips: tuple[int, ...], width: int = 64) -> tuple[int, ...]:
    """Shape (B, C, T, H, W) of the features of a stage, such as 3 for res3, of ResNet-18 on clips (B, T, side)."""
    B, T, side = clips
    stem = STEMS[VARIANTS["released"].stem[18]]
    side = -(-side // (stem.stride * 2**stem.pool * 2 ** (stage - 2)))
    return B, width * 2 ** (stage - 2), T, side, side


def exponents(frame: pd.DataFrame) -> pd.DataFrame:
    """Exponents p of growth with the number N of positions as N^p, one line a candidate: slopes on log-log axes."""
    slopes = {
        name: np.polyfit(np.log(steps["positions"]), np.log(steps[[*MEASURED]]), 1)[0]
        for name, steps in frame.groupby("candidate", sort=False)
    }
    return pd.DataFrame(slopes, MEASURED).T.add_prefix("exponent of ").rename_axis("candidate").reset_index()
