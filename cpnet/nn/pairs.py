"""Layers over all N * k pairs of the Correspondence Embedding, in the memory of N positions.

The first hidden value of a pair is u_i + v_j. Both layers here are operators of their own, forward and backward: pairs
exist for one block of positions at a time, proposal by proposal, (k, p, h), and are computed anew on the way back.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

from cpnet.nn.proposals import BLOCK_ELEMENTS


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of any rank, channels second."""

    momentum: float | None
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def scale_and_shift(self, moments: tuple[Tensor, Tensor] | None, n: int) -> tuple[Tensor, Tensor]:
        """The affine map that this is, given mean and variance of `n` values in training; updates what it tracks."""
        if moments is None:
            mean, variance = self.running_mean, self.running_var
        else:
            mean, variance = (m.to(self.weight) for m in moments)
            self.num_batches_tracked += 1
            momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.detach(), momentum)
            self.running_var.lerp_(variance.detach() * (n / (n - 1)), momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return scale, self.bias - mean * scale


def pair_moments(u: Tensor, v: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance, (h,) each, of u_i + v_j over all pairs.

    Args:
        u, v: (P, h), hidden values of all positions as query and as proposal.
        pairs: (P, k), the positions j proposed to each position i.
    """
    mean, variance, *_ = _moments(u, v, pairs)
    return mean, variance


def linear_norm_max(u: Tensor, v: Tensor, pairs: Tensor, weight: Tensor, norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Maximum over j of norm(W relu(u_i + v_j)), and the winning j, (P, c) each.

    Batch norm keeps the order of a channel's values, or with a negative gamma reverses it: so the maximum comes first.
    """
    sign = torch.where(norm.weight < 0, -1.0, 1.0).to(norm.weight)  # (c,)
    weight = (weight * sign[:, None]).to(u.dtype)
    best, mean, variance, winner, _, _ = _maximum(u, v, pairs, weight, norm.training)
    moments = (mean * sign, variance) if norm.training else None
    scale, shift = norm.scale_and_shift(moments, pairs.numel())
    return best * (scale * sign) + shift, winner


@torch.library.custom_op("cpnet::pair_moments", mutates_args=())
def _moments(u: Tensor, v: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean and variance (h,) of y_ij = u_i + v_j, and what their gradients need.

    That is the sums of y_ij - mean over j and over i, (P, h) each, and how often a position is proposed, (P, 1).
    """
    u, v = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (u, v))
    times = torch.bincount(pairs.flatten(), minlength=len(v))[:, None].to(v)
    mean = u.mean(0) + (times * v).mean(0) / pairs.shape[1]
    square = torch.zeros(u.shape[1], dtype=torch.float64, device=u.device)
    over_j, over_i = torch.empty_like(u), torch.zeros_like(v)
    for block, proposed in _blocks(pairs, u.shape[1]):
        y = _sums(u - mean, v, block, proposed)  # (k, p, h)
        over_j[block] = y.sum(0)
        over_i.index_add_(0, proposed, y.flatten(0, 1))
        square += y.square_().sum((0, 1))
    return mean, (square / pairs.numel()).to(u), over_j, over_i, times


@_moments.register_fake
def _(u: Tensor, v: Tensor, pairs: Tensor) -> tuple[Tensor, ...]:
    dtype = torch.promote_types(u.dtype, torch.float32)
    return tuple(u.new_empty(shape, dtype=dtype) for shape in (u.shape[1:], u.shape[1:], u.shape, v.shape, (len(v), 1)))


def _keep_sums(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output[2:])
    ctx.n, ctx.dtype = inputs[2].numel(), inputs[0].dtype


def _moments_backward(ctx: Any, d_mean: Tensor, d_variance: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    over_j, over_i, times = ctx.saved_tensors
    d_mean, d_variance = d_mean / ctx.n, d_variance * (2 / ctx.n)
    k = ctx.n // len(over_j)
    return (k * d_mean + d_variance * over_j).to(ctx.dtype), (times * d_mean + d_variance * over_i).to(ctx.dtype), None


_moments.register_autograd(_moments_backward, setup_context=_keep_sums)


@torch.library.custom_op("cpnet::max_over_pairs", mutates_args=())
def _maximum(
    u: Tensor, v: Tensor, pairs: Tensor, weight: Tensor, moments: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of z_ij = W x_ij, x_ij = relu(u_i + v_j): maximum (P, c) over j, mean and variance (c,), winner (P, c).

    Mean and variance of z follow from the mean (h,) and the covariance (h, h) of x, which come last.
    """
    (P, k), (c, h) = pairs.shape, weight.shape
    best, winner = u.new_empty(P, c), torch.empty(P, c, dtype=torch.int32, device=u.device)
    total, square = (torch.zeros(*shape, dtype=torch.float64, device=u.device) for shape in ((h,), (h, h)))
    order = torch.arange(k - 1, -1, -1, dtype=u.dtype, device=u.device)[:, None, None]  # (k, 1, 1)
    centre: Tensor | None = None
    for block, proposed in _blocks(pairs, max(c, h)):
        x = _sums(u, v, block, proposed).relu_()  # (k, p, h)
        z = x @ weight.T  # (k, p, c)
        if moments:
            rows = x.flatten(0, 1).to(torch.promote_types(x.dtype, torch.float32))  # (k * p, h)
            centre = rows.mean(0) if centre is None else centre  # any value near the mean: no digits cancel
            rows = rows - centre
            total += rows.sum(0)
            with torch.autocast(u.device.type, enabled=False):  # half precision would lose the variance
                square += rows.T @ rows
        best[block] = z.amax(0)
        won = z.ge_(best[block])  # in numbers of one type: several times as fast as max(dim=0)
        winner[block] = k - 1 - won.mul_(order).amax(0)  # the first of equals
    mean, square = total / pairs.numel(), square / pairs.numel()
    square -= mean.outer(mean)
    mean = mean if centre is None else mean + centre
    wide = weight.double()
    outputs = (wide @ mean, ((wide @ square) * wide).sum(1), mean, square)
    mean_z, variance_z, mean, square = (m.to(torch.promote_types(u.dtype, torch.float32)) for m in outputs)
    return best, mean_z, variance_z, winner, mean, square


@_maximum.register_fake
def _(u: Tensor, v: Tensor, pairs: Tensor, weight: Tensor, moments: bool) -> tuple[Tensor, ...]:
    c, h = weight.shape
    winner = torch.empty(len(u), c, dtype=torch.int32, device=u.device)
    dtype = torch.promote_types(u.dtype, torch.float32)
    mean_z, variance_z, mean, covariance = (u.new_empty(shape, dtype=dtype) for shape in (c, c, h, (h, h)))
    return u.new_empty(len(u), c), mean_z, variance_z, winner, mean, covariance


@register_flop_formula(torch.ops.cpnet.max_over_pairs)
def _(
    u: tuple[int, ...], v: tuple[int, ...], pairs: tuple[int, ...], weight: tuple[int, ...], *_: Any, **__: Any
) -> int:
    """Of the layer on all pairs."""
    return 2 * prod(pairs) * prod(weight)


@torch.library.custom_op("cpnet::max_over_pairs_backward", mutates_args=())
def _maximum_backward(
    u: Tensor,
    v: Tensor,
    pairs: Tensor,
    weight: Tensor,
    winner: Tensor,
    mean: Tensor,
    covariance: Tensor,
    d_best: Tensor,
    d_mean: Tensor,
    d_variance: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of u, v and W: that of z is sparse (winners only) but for a part that is affine in x.

    d_z = [j wins] d_best + d_mean / n + 2 d_variance / n (z - mean of z), and z - mean of z = W (x - mean of x).
    """
    d_u, d_v = torch.empty_like(u), torch.zeros_like(v)
    (k, n), c = (pairs.shape[1], pairs.numel()), len(weight)
    wide = weight.to(mean)
    pull = 2 * d_variance[:, None] * wide  # (c, h)
    d_weight = d_mean.outer(mean) + pull @ covariance
    slope = wide.T @ pull / n  # (h, h)
    constant, slope = ((d_mean @ wide / n - mean @ slope).to(u), slope.to(u))  # (h,), (h, h)
    for block, proposed in _blocks(pairs, max(weight.shape)):
        x = _sums(u, v, block, proposed).relu_().flatten(0, 1)  # (k * p, h)
        d_z = u.new_zeros(k, len(x) // k, c)
        d_z = d_z.scatter_(0, winner[None, block].long(), d_best[None, block]).flatten(0, 1)  # (k * p, c)
        d_weight += d_z.T @ x
        d_x = torch.addmm(constant, x, slope).addmm_(d_z, weight)
        d_x = d_x.mul_(x.sign_())  # (k * p, h)
        d_u[block] = d_x.unflatten(0, (k, -1)).sum(0)  # (p, h)
        d_v.index_add_(0, proposed, d_x)
    return d_u, d_v, d_weight.to(weight)


@_maximum_backward.register_fake
def _(u: Tensor, v: Tensor, pairs: Tensor, weight: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
    return u.new_empty(u.shape), v.new_empty(v.shape), weight.new_empty(weight.shape)


def _keep_inputs(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs[:4], *output[3:])


def _through_maximum(
    ctx: Any, d_best: Tensor, d_mean: Tensor, d_variance: Tensor, *_: Any
) -> tuple[Tensor | None, ...]:
    d_u, d_v, d_weight = _maximum_backward(*ctx.saved_tensors, d_best, d_mean, d_variance)
    return d_u, d_v, None, d_weight, None


_maximum.register_autograd(_through_maximum, setup_context=_keep_inputs)


def _sums(u: Tensor, v: Tensor, block: slice, proposed: Tensor) -> Tensor:
    """u_i + v_j of a block's pairs, (k, p, h)."""
    rows = u[block]  # (p, h)
    return v.index_select(0, proposed).view(-1, *rows.shape).add_(rows)


def _blocks(pairs: Tensor, width: int) -> Iterator[tuple[slice, Tensor]]:
    """Positions whose pairs are computed together, and what is proposed to them, (k * p,), proposal by proposal."""
    elements = BLOCK_ELEMENTS.get(pairs.device.type, BLOCK_ELEMENTS["cpu"]) // 2  # of each of a few arrays
    rows = max(1, elements // (pairs.shape[1] * width))
    for i in range(0, len(pairs), rows):
        yield slice(i, i + rows), pairs[i : i + rows].T.flatten()
