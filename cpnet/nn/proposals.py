"""Correspondence proposals: the k nearest neighbours, in feature space, among the positions of all other frames.

Section 3.2, "k-NN grouping", and Figure 2 of the paper. The distances and indices carry no gradient.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

Ties = Literal["random", "index"]

# Scores computed at once: 8 MiB of float32 stays in a CPU's cache, 256 MiB keeps a GPU busy.
BLOCK_ELEMENTS = {"cpu": 2**21, "cuda": 2**26}
GROUP, WIDE = 8, 2048  # rows of so many columns are searched by the maxima of groups
FEW = 64  # on a CPU, topk is slow for rows of fewer columns than so many times k, too


def correspondence_proposals(x: Tensor, k: int, *, ties: Ties = "random", seeds: Tensor | None = None) -> Tensor:
    """Propose, for every position, its k nearest positions of the other frames by L2 distance of features.

    Neighbours whose distances differ by no more than the rounding of the computation are ties. When ties straddle the
    k-th place, who gets in is drawn uniformly at random (`ties="random"`) or is the lowest index (`ties="index"`).

    Args:
        x: features (B, C, T, H, W); at least two frames.
        k: number of proposals per position, at most (T - 1) * H * W.
        ties: how equally near positions are chosen between.
        seeds: (B,) int64, seeds of each clip's random choices, which depend on nothing else; drawn if None.

    Returns:
        Indices (B, N, k), int64, into the N = T * H * W flattened positions, nearest first.

    Raises:
        ValueError: wrong rank, one frame only, k out of range, unknown `ties`, NaN in the features.
    """
    _check(x, k, ties)
    if ties == "random" and seeds is None:
        seeds = torch.randint(2**63 - 1, (len(x),), device=x.device)
    return _search(x.detach(), k, seeds if ties == "random" else None)


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


@torch.library.custom_op("cpnet::search", mutates_args=())
def _search(x: Tensor, k: int, seeds: Tensor | None) -> Tensor:
    """`correspondence_proposals` as one operator, which compilers take as it is."""
    B, _, T, H, W = x.shape
    frame, N = H * W, T * H * W
    n = N - frame
    elements = BLOCK_ELEMENTS.get(x.device.type, BLOCK_ELEMENTS["cpu"])
    rows = min(frame, max(1, elements // n))
    clips = max(1, elements // (rows * n))
    room = x.new_empty(min(clips, B) * rows * n, dtype=torch.promote_types(x.dtype, torch.float32))  # reused, in cache
    proposals = torch.empty(B, N, k, dtype=torch.int64, device=x.device)
    for b in range(0, B, clips):
        clip = slice(b, b + clips)
        points, keys, shift, tolerance = _prepare(x[clip].flatten(2))
        hashes = points @ torch.linspace(1, 2, points.shape[2], device=x.device, dtype=points.dtype)  # (b, N)
        flat = 2 * (hashes[:, 1:] == hashes[:, :-1]).count_nonzero() > hashes.numel()  # most look like the one before
        for own in range(0, N, frame):  # first position of the queries' own frame
            others = slice(own + frame, own + N)  # the keys are there twice, so these are all other frames
            position = torch.arange(own + frame, own + N, device=x.device) % N  # (n,)
            for start in range(own, own + frame, rows):
                queried = slice(start, min(start + rows, own + frame))
                queries, row = points[:, queried], None  # (b, r, C)
                if flat:
                    queries, row = _distinct(queries, hashes[:, queried])  # (b, u, C), (b * r,)
                with torch.autocast(x.device.type, enabled=False):  # half precision would rank neighbours wrongly
                    scores = room[: queries[..., 0].numel() * n].view(len(queries), -1, n)  # (b, u, n)
                    torch.baddbmm(shift[..., others], queries, keys[..., others], out=scores)
                scores = scores.flatten(0, 1)  # (b * u, n)
                value, column = _top(scores, min(k + 1, n))  # (b * u, k + 1)
                if row is not None:
                    value, column = value[row], column[row]  # (b * r, k + 1)
                near = tolerance[:, queried].reshape(-1, 1)  # (b * r, 1)
                tied = (value[:, k - 1 : k] - value[:, k:] <= near).nonzero()[:, 0]  # (R,)
                value, column = value[:, :k], column[:, :k]
                if len(tied):
                    at = tied if row is None else row[tied]
                    streams = None if seeds is None else _streams(seeds[clip], queried).flatten()[tied]
                    column[tied] = _break_ties(scores, at, value[tied], column[tied], near[tied], position, streams)
                proposals[clip, queried] = position[column].unflatten(0, (len(points), -1))  # (b, r, k)
    return proposals


@_search.register_fake
def _(x: Tensor, k: int, seeds: Tensor | None) -> Tensor:
    return x.new_empty(len(x), x.shape[2] * x.shape[3] * x.shape[4], k, dtype=torch.int64)


@register_flop_formula(torch.ops.cpnet.search)
def _(x: tuple[int, ...], *_: Any, **__: Any) -> int:
    """Of the products of queries with the positions of other frames: torch's counter does not look into operators."""
    B, C, T, H, W = x
    return 2 * B * C * (T * H * W) * ((T - 1) * H * W)


def _prepare(f: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of features (b, C, N): queries (b, N, C), keys (b, C, 2N), shifts (b, 1, 2N) and what rounding does (b, N).

    A score is q.n - |n|^2 / 2, which orders keys as the distance to the query does. Keys and shifts are there twice.
    """
    f = f.to(torch.promote_types(f.dtype, torch.float32))
    f = f - f.mean(2, keepdim=True)  # distances stay, rounding errors shrink
    points = f.transpose(1, 2).contiguous()
    norm = torch.linalg.vector_norm(points, dim=2)[:, None].square()  # (b, 1, N)
    if not norm.isfinite().all():
        raise ValueError(
            "NaN or infinity in the features: nearest neighbours are undefined (look for a diverged loss or bad input)"
        )
    tolerance = 2 * torch.finfo(f.dtype).eps * (norm + norm.amax(2, keepdim=True))
    return points, f.repeat(1, 1, 2), norm.repeat(1, 1, 2) / -2, tolerance[:, 0]


def _distinct(queries: Tensor, hashes: Tensor) -> tuple[Tensor, Tensor | None]:
    """Queries (b, r, C) without repeats (b, u, C), and which of all b * u each was (b * r,); of equal hashes (b, r).

    The positions of a flat region share their scores. Clips with fewer than u are filled up with any of their queries;
    if queries differ whose hashes do not, all of them are returned, and None.
    """
    b, r, C = queries.shape
    ordered, order = hashes.sort(dim=1)
    rank = F.pad((ordered[:, 1:] != ordered[:, :-1]).cumsum(1), (1, 0))  # (b, r), in the order of hashes
    u = int(rank.max()) + 1
    row = torch.empty_like(rank).scatter_(1, order, rank)  # (b, r)
    everything = torch.arange(r, device=row.device).expand(b, r)
    member = row.new_zeros(b, u).scatter_(1, row, everything)  # (b, u), some query of each hash
    distinct = queries.gather(1, member[:, :, None].expand(b, u, C))
    if not torch.equal(distinct.gather(1, row[:, :, None].expand(b, r, C)), queries):
        return queries, None
    return distinct, (row + u * torch.arange(b, device=row.device)[:, None]).flatten()


def _top(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Top-k of each row: the best k lie in the k groups of columns with the largest maxima; only those are sorted."""
    n = scores.shape[1]
    slow = n >= WIDE or (n < FEW * k and scores.device.type == "cpu")
    if n < 2 * GROUP * k or not slow:
        return scores.topk(k)
    filled = F.pad(scores, (0, -n % GROUP), value=-torch.inf) if n % GROUP else scores
    grouped = filled.unflatten(1, (GROUP, -1))  # (R, g, n / g)
    best = grouped.amax(1).topk(k, sorted=False).indices  # (R, k)
    members = grouped.gather(2, best[:, None].expand(-1, GROUP, -1))  # (R, g, k)
    value, place = members.flatten(1).topk(k)  # (R, k)
    column = place // k * grouped.shape[2] + best.gather(1, place % k)
    if n < WIDE and len(equal := (value[:, 1:] == value[:, :-1]).any(1).nonzero()[:, 0]):
        value[equal], column[equal] = scores[equal].topk(k)  # the order of equal scores, as results are stored with
    return value, column


def _break_ties(
    scores: Tensor,
    at: Tensor,
    best: Tensor,
    column: Tensor,
    tolerance: Tensor,
    position: Tensor,
    streams: Tensor | None,
) -> Tensor:
    """Replace the columns (R, k) that tie with the last by a fair choice among all that do.

    Args:
        scores: (S, n).
        at: (R,), the row of each query.
        best: (R, k), scores of `column`, largest first.
        tolerance: (R, 1), scores that differ by no more are ties.
        position: (n,), of the columns.
        streams: (R,), seeds of random choices; None for those of the lowest position.
    """
    k, device = column.shape[1], scores.device
    last = best[:, -1:]
    nearer = best > last + tolerance  # (R, k), these are in whatever the draw
    place = (~nearer).cumsum(1)  # (R, k), which of those chosen goes there, counted from 1
    rest = torch.arange(len(at), device=device)
    if streams is not None:
        # Rejection: where most columns tie (flat background) a few draws replace a pass over all of them.
        draws = scramble(streams[:, None] + torch.arange(2 * k + 8, device=device)) % len(position)  # (R, m)
        tied = (scores[at[:, None], draws] - last).abs() <= tolerance
        usable = (tied & ~_repeated(draws)).cumsum(1)  # (R, m)
        chosen = torch.searchsorted(usable, place).clamp_(max=draws.shape[1] - 1)  # the first ones that are usable
        column = column.where(nearer, draws.gather(1, chosen))
        rest = (usable[:, -1] < place[:, -1]).nonzero()[:, 0]
    if len(rest):
        tied = (scores[at[rest]] - last[rest]).abs() <= tolerance[rest]  # (p, n)
        preference = -position if streams is None else scramble(streams[rest, None] - 1 - position)
        chosen = torch.where(tied, preference, -(2**63)).topk(k).indices.gather(1, (place[rest] - 1).clamp_(min=0))
        column[rest] = column[rest].where(nearer[rest], chosen)
    return column


def _repeated(draws: Tensor) -> Tensor:
    """Which of the draws (R, m) of each row were drawn before."""
    draws = draws.T.contiguous()  # (m, R), as long rows compare fast
    repeated = torch.zeros_like(draws, dtype=torch.bool)
    for back in range(1, len(draws)):
        repeated[back:] |= draws[back:] == draws[:-back]
    return repeated.T


def _streams(seeds: Tensor, queried: slice) -> Tensor:
    """Seeds (b, r) of some positions of clips with `seeds` (b,)."""
    return scramble(scramble(seeds)[:, None] + torch.arange(queried.start, queried.stop, device=seeds.device))


def scramble(x: Tensor) -> Tensor:
    """Random bits of int64, those of counted up values independent (finaliser of splitmix64)."""
    x = (x ^ (x >> 30)) * -0x40A7B892E31B1A47
    x = (x ^ (x >> 27)) * -0x6B2FB644ECCEEE15
    return x ^ (x >> 31)
