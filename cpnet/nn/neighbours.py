"""Neighbours of a generic CP module (Section 3.3): by features, by time, by place, or by features and place."""

from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor

from cpnet.choices import check_choice
from cpnet.nn.proposals import Ties, correspondence_proposals

Metric = Literal["semantic", "joint", "temporal", "spatiotemporal_l1", "spatiotemporal_l2", "spatiotemporal_max"]
Own = Literal["out", "others", "in"]
NORMS = {"spatiotemporal_l1": 1.0, "spatiotemporal_l2": 2.0, "spatiotemporal_max": float("inf")}


def check(metric: str, own: str) -> None:
    """ValueError if there is no such metric, or no such way with the own frame."""
    check_choice("metric", metric, get_args(Metric))
    check_choice("own", own, get_args(Own))


def neighbours(
    f: Tensor,
    k: int,
    metric: Metric,
    *,
    own: Own = "out",
    place_weight: float = 1.0,
    ties: Ties = "random",
    seeds: Tensor,
) -> Tensor:
    """The k nearest positions of every position, (B, N, k), nearest first.

    Args:
        f: features (B, D, T, h, w).
        metric: distance of "semantic" features (L2, the paper's choice), of frames ("temporal", which leaves ties to
            chance), of places in frames, rows and columns ("spatiotemporal_l1", "_l2", "_max", the largest part), or
            "joint": L2 of features and of places together.
        own: whether positions of the own frame are "out", "in", or in but for the position itself ("others").
        place_weight: factor on places in the joint metric.
        ties: how equally near positions are chosen between; lower indices come first of places, and with `own` let in.
        seeds: (B,), of random ties.
    """
    if metric in NORMS:
        T, h, w = f.shape[2:]
        return fixed_neighbours((T, h, w), k, NORMS[metric], own).to(f.device).expand(len(f), -1, -1)
    places = grid(f.shape[2:]).to(f).T.unflatten(1, f.shape[2:]).expand(len(f), -1, -1, -1, -1)  # (B, 3, T, h, w)
    if metric == "joint":
        f = torch.cat([f, place_weight * places], dim=1)
    elif metric == "temporal":
        f = places[:, :1]
    if own == "out":
        return correspondence_proposals(f, k, ties=ties, seeds=seeds)
    points = f.flatten(2).transpose(1, 2)  # (B, N, D)
    return _nearest(torch.cdist(points, points), k, f.shape[2], own)


@cache
def fixed_neighbours(size: tuple[int, int, int], k: int, norm: float, own: Own) -> Tensor:
    """The k nearest places (N, k) of each place of T frames of h x w, the same for all clips."""
    places = grid(size)
    return _nearest(torch.cdist(places, places, p=norm)[None], k, size[0], own)[0]


def grid(size: tuple[int, ...]) -> Tensor:
    """(N, 3) frame, row and column of every position."""
    return torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in size))


def _nearest(distances: Tensor, k: int, T: int, own: Own) -> Tensor:
    """Indices (B, N, k) of the smallest of distances (B, N, N), of equal ones the lower."""
    N = distances.shape[1]
    frame = torch.arange(N, device=distances.device) // (N // T)
    excluded = {
        "out": frame[:, None] == frame,
        "others": torch.eye(N, dtype=torch.bool, device=distances.device),
        "in": torch.zeros(N, N, dtype=torch.bool, device=distances.device),
    }[own]
    available = N - int(excluded[0].sum())
    if not 1 <= k <= available:
        raise ValueError(f"k={k}: there are {available} positions to choose from")
    return distances.masked_fill(excluded, float("inf")).sort(dim=2, stable=True).indices[..., :k]
