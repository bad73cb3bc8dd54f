"""Section 3.3 and 6.1: CP modules whose neighbours are others, and what a CP module can be made to compute."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.claims import PAIRED, Claim, Verdict, more_accurate, yes_or_no
from cpnet.experiments.kinetics_rows import STAND_IN, two_modules
from cpnet.experiments.profiles import kinetics
from cpnet.experiments.table import Column, Table
from cpnet.nn.neighbours import Metric
from cpnet.nn.reductions import convolution, relation

METRICS: dict[str, Metric] = {"temporal": "temporal", "spatiotemporal": "spatiotemporal_l2", "joint": "joint"}
CLOSE = 1e-5


def changed(profile: str, seed: int, **how: Any) -> VideoTraining | None:
    """Two modules at res4, k is 8, with another metric, or the distance of features. The paper trains none."""
    if profile == "paper":
        return None
    return kinetics(Network("cpnet_resnet18", positions="2", k=8, **how), profile, seed)


@torch.no_grad()
def as_convolution(metric: Metric = "spatiotemporal_max", seed: int = 0) -> float:
    """How far a CP module built for it is from a 3x3x3 convolution, on noise: the largest difference of an output."""
    torch.manual_seed(seed)
    conv = nn.Conv3d(4, 4, 3, padding=1, bias=False).double()
    x = torch.randn(2, 4, 6, 7, 7, dtype=torch.float64)
    return _largest(convolution(conv, (6, 7, 7), metric)(x) - x - conv(x))


@torch.no_grad()
def as_relation(seed: int = 0) -> float:
    """How far a CP module built for it is from the two-frame relation of TRN, on noise."""
    torch.manual_seed(seed)
    first, second = nn.Linear(16, 12).double(), nn.Linear(12, 8, bias=False).double()
    x = torch.randn(2, 8, 6, 1, 1, dtype=torch.float64)
    frames = x[..., 0, 0].transpose(1, 2)  # (B, T, D)
    later, earlier = torch.tril_indices(6, 6, -1)
    pairs = torch.cat([frames[:, earlier], frames[:, later]], dim=2)
    added = (relation(first, second, 6)(x) - x).sum((2, 3, 4))
    return _largest(added - second(first(pairs).relu()).sum(1))


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max())


def _equal(_: pd.DataFrame, measure: Callable[[], float]) -> Verdict:
    off = measure()
    return yes_or_no(off < CLOSE, f"largest difference {off:.0e}" if off >= CLOSE else f"equal to {CLOSE:.0e}")


def weight_changed_by_others(seed: int = 0) -> float:
    """By how much the attention that one position pays to another changes with a third, which no MLP of a pair sees."""
    torch.manual_seed(seed)
    query, keys = torch.randn(8), torch.randn(3, 8)
    before = (keys @ query).softmax(0)[0]
    keys[2] = torch.randn(8)
    return float(((keys @ query).softmax(0)[0] - before).abs())


def _normalises(_: pd.DataFrame) -> Verdict:
    changed = weight_changed_by_others()
    evidence = (
        f"the weight of a pair changes by {changed:.2f} with a third position, which the MLP of the pair does not see"
    )
    return yes_or_no(changed == 0, evidence)


TABLE = Table(
    name="section33",
    title="Sections 3.3 and 6.1",
    chapter="11_relations",
    subject="Other neighbours, and what CPNet contains",
    data=STAND_IN,
    rows={
        "semantic": partial(two_modules, 8),
        **{name: partial(changed, metric=metric) for name, metric in METRICS.items()},
        "distance": partial(changed, pair="distance"),
    },
    seeds=lambda row, profile: (0, 1, 2) if profile in ("cpu", "gpu") else (0,),
    columns=(Column("top-1"),),
    claims=(
        Claim(
            "CPNet can be reduced to C3D: the k nearest by L1",
            "paper",
            f"a CP module built for it equals a 3x3x3 convolution to {CLOSE:.0e}",
            partial(_equal, measure=partial(as_convolution, "spatiotemporal_l1")),
        ),
        Claim(
            "CPNet can be reduced to C3D with the k nearest by L2, for 3x3x3",
            "ours",
            f"a CP module built for it equals a 3x3x3 convolution to {CLOSE:.0e}",
            partial(_equal, measure=partial(as_convolution, "spatiotemporal_l2")),
        ),
        Claim(
            "the MLP of a pair can perform the normalisation of an NL block, all positions proposed",
            "paper",
            "a counter-example",
            _normalises,
        ),
        Claim(
            "CPNet can be reduced to TRN, of two frames",
            "paper",
            f"a CP module built for it equals the relation to {CLOSE:.0e}",
            partial(_equal, measure=as_relation),
        ),
        Claim(
            "neighbours by features are better than by time, by place, or by both features and place",
            "ours",
            f"top-1, two modules, k = 8; {PAIRED}",
            partial(more_accurate, pairs=[("semantic", name) for name in METRICS]),
        ),
        Claim(
            "sending both features into the MLP is better than their distance",
            "paper",
            f"top-1, two modules, k = 8; {PAIRED}",
            partial(more_accurate, pairs=[("semantic", "distance")]),
        ),
    ),
)
