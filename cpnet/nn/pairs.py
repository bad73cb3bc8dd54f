"""Layers over all N * k pairs of the Correspondence Embedding, in the memory of N positions.

The first hidden value of a pair is u_i + v_j, so batch statistics of all pairs follow from sums over positions; and the
maximum over j needs the pairs of one block of positions at a time.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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
    k, n = pairs.shape[1], pairs.numel()
    u, v = u.double(), v.double()  # u may cancel v
    times = torch.bincount(pairs.flatten(), minlength=len(v)).to(v)[:, None]  # how often a position is proposed
    mean_u, mean_v = u.mean(0), (times * v).sum(0) / n
    u, v = u - mean_u, v - mean_v
    together = sum(v.index_select(0, pairs[:, j]) for j in range(k))  # (P, h)
    variance = (k * u.square() + times * v.square() + 2 * u * together).sum(0) / n
    return mean_u + mean_v, variance


def linear_norm_max(u: Tensor, v: Tensor, pairs: Tensor, weight: Tensor, norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Maximum over j of norm(W relu(u_i + v_j)), and the winning j, (P, c) each.

    Batch norm keeps the order of a channel's values, or with a negative gamma reverses it: so the maximum comes first.
    """
    sign = torch.where(norm.weight < 0, -1.0, 1.0).to(norm.weight)  # (c,)
    weight = (weight * sign[:, None]).to(u.dtype)
    best, mean, variance, winner = _MaxOverPairs.apply(u, v, pairs, weight, norm.training)
    moments = (mean * sign, variance) if norm.training else None
    scale, shift = norm.scale_and_shift(moments, pairs.numel())
    return best * (scale * sign) + shift, winner


class _MaxOverPairs(torch.autograd.Function):
    """For z_ij = W relu(u_i + v_j): maximum and winner over j, (P, c), and mean and variance over all pairs, (c,).

    The backward pass computes the pairs anew, so that memory does not grow with k.
    """

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, v: Tensor, pairs: Tensor, weight: Tensor, moments: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        (P, k), c = pairs.shape, len(weight)
        best, winner = u.new_empty(P, c), torch.zeros(P, c, dtype=torch.int32, device=u.device)
        mean, square = (torch.zeros(c, dtype=torch.float64, device=u.device) for _ in range(2))
        shift: Tensor | None = None
        order = torch.arange(k, 0, -1, dtype=u.dtype, device=u.device)[:, None]  # (k, 1)
        for block in _blocks(pairs, weight):
            z = _pairs(u, v, pairs, block) @ weight.T  # (p, k, c)
            if moments:
                rows = z.flatten(0, 1).to(torch.promote_types(z.dtype, torch.float32))  # (p * k, c)
                shift = rows.mean(0) if shift is None else shift  # any value near the mean: no digits cancel
                rows = rows - shift
                mean += rows.sum(0)
                square += rows.square_().sum(0)
            best[block] = z.amax(1)
            won = z.ge_(best[block, None])  # (p, k, c), in numbers of one type: several times as fast as max(dim=1)
            winner[block] = k - won.mul_(order).amax(1)  # the first of equals
        if shift is not None:
            mean, square = mean / pairs.numel(), square / pairs.numel()
            square -= mean.square()
            mean = mean + shift
        mean, variance = (m.to(torch.promote_types(u.dtype, torch.float32)) for m in (mean, square))
        ctx.save_for_backward(u, v, pairs, weight, winner, mean)
        ctx.mark_non_differentiable(winner)
        ctx.set_materialize_grads(False)
        return best, mean, variance, winner

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_best: Tensor | None, d_mean: Tensor | None, d_variance: Tensor | None, _: None
    ) -> tuple[Tensor, Tensor, None, Tensor, None]:
        u, v, pairs, weight, winner, mean = ctx.saved_tensors
        d_u, d_v, d_weight = torch.empty_like(u), torch.zeros_like(v), torch.zeros_like(weight)
        n = pairs.numel()
        for block in _blocks(pairs, weight):
            x = _pairs(u, v, pairs, block)  # (p, k, h)
            d_z = x @ weight.T  # (p, k, c), so far z
            d_z = d_z.sub_(mean).mul_(d_variance * (2 / n)) if d_variance is not None else d_z.zero_()
            if d_mean is not None:
                d_z.add_(d_mean / n)
            if d_best is not None:
                d_z.scatter_add_(1, winner[block, None].long(), d_best[block, None])
            d_weight.addmm_(d_z.flatten(0, 1).T, x.flatten(0, 1))
            d_x = (d_z @ weight).mul_(x.sign_())  # (p, k, h)
            d_u[block] = d_x.sum(1)
            d_v.index_add_(0, pairs[block].flatten(), d_x.flatten(0, 1))
        return d_u, d_v, None, d_weight, None


def _pairs(u: Tensor, v: Tensor, pairs: Tensor, block: slice) -> Tensor:
    """relu(u_i + v_j), (p, k, h)."""
    rows = v.index_select(0, pairs[block].flatten()).unflatten(0, (-1, pairs.shape[1]))  # (p, k, h)
    return rows.add_(u[block, None]).relu_()


def _blocks(pairs: Tensor, weight: Tensor) -> list[slice]:
    """Positions whose pairs are computed together."""
    elements = BLOCK_ELEMENTS.get(pairs.device.type, 2**20) // 8
    rows = max(1, elements // (pairs.shape[1] * max(weight.shape)))
    return [slice(i, i + rows) for i in range(0, len(pairs), rows)]
