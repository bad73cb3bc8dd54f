"""Time and memory of a training step: C2D, C2D with attention over all pairs, C2D with k correspondences a position.

Section 4 and supplement G of the paper say that k correspondences save memory and computation. Two forms of attention
are measured. "NL" is `NonLocalBlock`, with the fused kernel that never holds the N x N matrix where torch picks it;
"stored" computes the same and keeps the matrix for the backward pass, as was usual when the paper was written.
"""

import numpy as np
import pandas as pd
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from cpnet.bench.timing import MEASURED
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


def networks(depth: int = 18, width: int = 64, k: int = 8) -> dict[str, nn.Module]:
    """C2D alone, and with NL blocks and CP modules at the same places."""
    positions = NL_POSITIONS[depth]  # of ResNet-18 the paper's six, for CP modules as well
    return {
        "NL": create_model(f"nl_resnet{depth}", width=width, positions=positions),
        "NL, stored": Stored(create_model(f"nl_resnet{depth}", width=width, positions=positions)),
        "CP": create_model(f"cpnet_resnet{depth}", width=width, positions=positions, k=k),
        "C2D alone": create_model(f"c2d_resnet{depth}", width=width),
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


def features(stage: int, clips: tuple[int, int, int], depth: int = 18, width: int = 64) -> tuple[int, ...]:
    """Shape (B, C, T, H, W) of the features of a stage, such as 3 for res3, of a network on clips (B, T, side)."""
    B, T, side = clips
    stem = STEMS[VARIANTS["released"].stem[depth]]
    side = -(-side // (stem.stride * 2**stem.pool * 2 ** (stage - 2)))
    return B, width * 2 ** (stage - 2) * (4 if depth > 34 else 1), T, side, side


def exponents(frame: pd.DataFrame) -> pd.DataFrame:
    """Exponents p of growth with the number N of positions as N^p, one line a candidate: slopes on log-log axes."""
    slopes = {
        name: np.polyfit(np.log(steps["positions"]), np.log(steps[[*MEASURED]]), 1)[0]
        for name, steps in frame.groupby("candidate", sort=False)
    }
    return pd.DataFrame(slopes, MEASURED).T.add_prefix("exponent of ").rename_axis("candidate").reset_index()
