"""Correspondence proposals: the k nearest neighbours, in feature space, among the positions of all other frames.

Section 3.2, "k-NN grouping", and Figure 2 of the paper. The distances and indices carry no gradient.
"""

from typing import Literal

import torch
from torch import Tensor

Ties = Literal["random", "index"]

# Scores computed at once: 4 MiB of float32 stays in a CPU's cache, 512 MiB keeps a GPU busy.
BLOCK_ELEMENTS = {"cpu": 2**20, "cuda": 2**27}


@torch.no_grad()
def correspondence_proposals(
    x: Tensor, k: int, *, ties: Ties = "random", generator: torch.Generator | None = None
) -> Tensor:
    """Propose, for every position, its k nearest positions of the other frames by L2 distance of features.

    Neighbours whose distances differ by no more than the rounding of the computation are ties. When ties straddle the
    k-th place, who gets in is drawn uniformly at random (`ties="random"`) or is the lowest index (`ties="index"`).

    Args:
        x: features (B, C, T, H, W); at least two frames.
        k: number of proposals per position, at most (T - 1) * H * W.
        ties: how equally near positions are chosen between.
        generator: source of the random choices, on the device of `x`; torch's default one if None.

    Returns:
        Indices (B, N, k), int64, into the N = T * H * W flattened positions, nearest first.

    Raises:
        ValueError: wrong rank, one frame only, k out of range, unknown `ties`, NaN in the features.
    """
    _check(x, k, ties)
    B, C, T, H, W = x.shape
    frame, N = H * W, T * H * W
    queries, keys = _with_norms(x)  # (B, N, C + 2), (B, C + 2, N)
    largest = -queries[..., -2].amin(dim=1)[:, None, None]  # (B, 1, 1), squared norm
    group = _group_size(N - frame, k)
    filler = keys.new_zeros(B, C + 2, -(N - frame) % group)  # makes the groups even
    filler[:, -1] = -torch.inf  # infinitely far: no query prefers it

    proposals = torch.empty(B, N, k, dtype=torch.int64, device=x.device)
    budget = BLOCK_ELEMENTS.get(x.device.type, 2**20) // N
    clips = 1 if x.device.type == "cpu" else max(1, min(B, budget // frame))
    rows = max(1, min(frame, budget // clips))
    for b in range(0, B, clips):
        for own in range(0, N, frame):  # first position of the queries' own frame
            clip = keys[b : b + clips]
            others = torch.cat([clip[..., :own], clip[..., own + frame :], filler[b : b + clips]], dim=2)
            for start in range(own, own + frame, rows):
                block = (slice(b, b + clips), slice(start, min(start + rows, own + frame)))
                with torch.autocast(x.device.type, enabled=False):  # half precision would rank neighbours wrongly
                    distinct, row = _distinct(queries[block])  # (b, u, C + 2), (r,)
                    scores = distinct @ others  # (b, u, N - frame + filler)
                tolerance = 4 * torch.finfo(scores.dtype).eps * (largest[b : b + clips] - distinct[..., -2:-1])
                chosen = _select(scores, row, k, group, tolerance, ties, generator, N - frame)
                proposals[block] = chosen + frame * (chosen >= own)  # columns skip the own frame
    return proposals


def _check(x: Tensor, k: int, ties: str) -> None:
    if x.ndim != 5:
        raise ValueError(f"features must be (B, C, T, H, W), got shape {tuple(x.shape)}")
    T, H, W = x.shape[2:]
    if T < 2:
        raise ValueError(
            "correspondence proposals come from other frames: the clip has one frame only, give at least 2"
        )
    available = (T - 1) * H * W
    if not 1 <= k <= available:
        raise ValueError(
            f"k={k} proposals were asked for, but the other {T - 1} frame(s) of {H}x{W} hold {available} positions: "
            f"choose k between 1 and {available}"
        )
    if ties not in ("random", "index"):
        raise ValueError(f'ties={ties!r}: choose "random" or "index"')
    if not torch.isfinite(x).all():
        raise ValueError(
            "NaN or infinity in the features: nearest neighbours are undefined (look for a diverged loss or bad input)"
        )


def _with_norms(x: Tensor) -> tuple[Tensor, Tensor]:
    """Augment features so that one matrix product gives 2 q.n - |n|^2 - |q|^2, the negative squared distance."""
    f = x.flatten(2).transpose(1, 2)  # (B, N, C)
    f = f.to(torch.promote_types(f.dtype, torch.float32))
    f = f - f.mean(dim=1, keepdim=True)  # distances stay, rounding errors shrink
    norm, one = f.square().sum(2, keepdim=True), f.new_ones(*f.shape[:2], 1)  # (B, N, 1)
    queries = torch.cat([2 * f, -norm, one], dim=2)  # (B, N, C + 2)
    keys = torch.cat([f, one, -norm], dim=2).transpose(1, 2).contiguous()  # (B, C + 2, N)
    return queries, keys


def _distinct(queries: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (1, r, C) without repeats, and where each row went: the positions of a flat region share their scores.

    Several clips (b, r, C) are left as they are.
    """
    b, r, C = queries.shape
    everything = torch.arange(r, device=queries.device)
    if b > 1:
        return queries, everything
    hashes = queries[0] @ torch.linspace(1, 2, C, device=queries.device, dtype=queries.dtype)
    values, row = hashes.unique(return_inverse=True)  # (u,), (r,)
    member = row.new_empty(len(values)).scatter_(0, row, everything)  # some row of each hash
    distinct = queries[:, member]
    return (distinct, row) if torch.equal(distinct[:, row], queries) else (queries, everything)


def _group_size(N: int, k: int) -> int:
    """Columns per group so that group maxima (N / g) and group members (k g) cost about the same."""
    return max(1, round((N / (k + 1)) ** 0.5))


def _top(scores: Tensor, k: int, group: int) -> tuple[Tensor, Tensor]:
    """Top-k of each row: the best k lie in the k groups of columns with the largest maxima; only those are sorted."""
    *shape, N = scores.shape
    groups = N // group
    if k >= groups:
        return scores.topk(k, dim=-1)
    grouped = scores.view(*shape, group, groups)
    best = grouped.amax(dim=-2).topk(k, dim=-1, sorted=False).indices  # (b, r, k)
    members = grouped.gather(-1, best.unsqueeze(-2).expand(*shape, group, k))  # (b, r, g, k)
    value, place = members.flatten(-2).topk(k, dim=-1)  # (b, r, k)
    row = place // k  # which member of the group
    column = best.gather(-1, place % k)
    return value, row * groups + column


def _select(
    scores: Tensor,
    row: Tensor,
    k: int,
    group: int,
    tolerance: Tensor,
    ties: str,
    generator: torch.Generator | None,
    available: int,
) -> Tensor:
    """The k best columns (b, r, k) for queries whose scores are rows `row` (r,) of `scores` (b, u, N), ties broken."""
    if k == available:
        return _top(scores, k, group)[1][:, row]
    everything = torch.arange(len(row) if ties == "random" else scores.shape[1], device=scores.device)
    row, back = (row, everything) if ties == "random" else (everything, row)  # equal scores share a choice by index
    value, index, tolerance = (best[:, row] for best in (*_top(scores, k + 1, group), tolerance))  # (b, r, k + 1)
    last = value[..., k - 1 : k]
    straddled = (last - value[..., k:] <= tolerance)[..., 0]  # (b, r)
    index = index[..., :k]
    if not straddled.any():
        return index[:, back]
    nearer = value[..., :k] > last + tolerance  # these are in whatever the draw
    clip, query = straddled.nonzero(as_tuple=True)  # (R,) each
    index[clip, query] = _break_ties(
        scores,
        (clip, row[query]),
        index[clip, query],
        nearer[clip, query],
        last[clip, query],
        tolerance[clip, query],
        ties=ties,
        generator=generator,
    )
    return index[:, back]


def _break_ties(
    scores: Tensor,
    at: tuple[Tensor, Tensor],
    index: Tensor,
    nearer: Tensor,
    last: Tensor,
    tolerance: Tensor,
    *,
    ties: str,
    generator: torch.Generator | None,
) -> Tensor:
    """Replace the places of `index` (R, k) that are not `nearer` by a fair choice among the columns tied with `last`.

    `at` says where the scores of each of the R queries are: scores[at[0], at[1]] is (R, N).
    """
    R, k = index.shape
    N = scores.shape[-1]
    clip, row = (part[:, None] for part in at)  # (R, 1)
    place = (~nearer).cumsum(1).sub_(1).clamp_(min=0)  # (R, k), which of the tied columns goes there
    rest = torch.arange(R, device=scores.device)
    if ties == "random":
        # Rejection: where most columns tie (flat background) a few draws replace a pass over all N columns.
        draws = torch.randint(N, (R, 2 * k + 16), generator=generator, device=scores.device)  # (R, m)
        tied = (scores[clip, row, draws] - last).abs() <= tolerance
        ascending, order = draws.sort(dim=1, stable=True)
        repeated = torch.zeros_like(tied).scatter_(1, order[:, 1:], ascending[:, 1:] == ascending[:, :-1])
        usable = tied & ~repeated
        first = usable.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :k]  # usable ones first
        index = torch.where(nearer, index, draws.gather(1, first).gather(1, place))
        rest = (usable.sum(1) < (~nearer).sum(1)).nonzero()[:, 0]
    for part in rest.split(max(1, BLOCK_ELEMENTS["cpu"] // N)):
        values = scores[at[0][part], at[1][part]]  # (p, N)
        tied = (values - last[part]).abs() <= tolerance[part]
        if ties == "random":
            preference = torch.rand(values.shape, generator=generator, device=scores.device)
        else:
            preference = torch.arange(N, 0, -1, device=scores.device, dtype=torch.float32).expand_as(values)
        chosen = preference.masked_fill(~tied, -1.0).topk(k, dim=1).indices  # (p, k)
        index[part] = torch.where(nearer[part], index[part], chosen.gather(1, place[part]))
    return index
