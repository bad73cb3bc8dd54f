"""The non-local block of Wang et al., CVPR 2018, as in facebookresearch/video-nonlocal-net (the paper's NL Net)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Kind = Literal["embedded_gaussian", "dot_product"]


class NonLocalBlock(nn.Module):
    """z = x + BN(W_z y), y_i the sum over all positions j of an affinity of (x_i, x_j) times g(x_j).

    Args:
        channels: C of the features.
        inner: width of theta, phi and g; C / 2 if None.
        kind: affinity softmax_j(theta_i . phi_j) ("embedded_gaussian"), or theta_i . phi_j / number of keys
            ("dot_product").
        scale: multiply theta . phi by inner ** -0.5 before the softmax, as the repository does but not the NL paper.
        subsample: halve the resolution of keys and values by a 1x2x2 max-pool.

    Shape:
        (B, C, T, H, W) to the same. A fresh block is the identity: the batch norm's gamma is zero.
    """

    def __init__(
        self,
        channels: int,
        inner: int | None = None,
        *,
        kind: Kind = "embedded_gaussian",
        scale: bool = True,
        subsample: bool = True,
    ) -> None:
        super().__init__()
        if kind not in ("embedded_gaussian", "dot_product"):
            raise ValueError(f'kind={kind!r}: choose "embedded_gaussian" or "dot_product"')
        self.inner = inner if inner is not None else max(1, channels // 2)
        self.kind, self.scale = kind, self.inner**-0.5 if scale else 1.0
        self.pool = nn.MaxPool3d((1, 2, 2)) if subsample else nn.Identity()
        self.theta = nn.Conv3d(channels, self.inner, 1)
        self.phi = nn.Conv3d(channels, self.inner, 1)
        self.g = nn.Conv3d(channels, self.inner, 1)
        self.project = nn.Conv3d(self.inner, channels, 1)
        self.norm = nn.BatchNorm3d(channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """N(0, 0.01) weights, zero biases and a zero gamma, as the repository."""
        for conv in (self.theta, self.phi, self.g, self.project):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Add the non-local sum to `x` (B, C, T, H, W), after the ReLU of a residual block."""
        theta, phi, g = self._embed(x)
        if self.kind == "embedded_gaussian":
            y = _attend(theta, phi, g, self.scale)
        else:
            y = theta @ (phi.transpose(1, 2) @ g) / phi.shape[1]  # (B, N, c), never N x N
        y = y.transpose(1, 2).unflatten(2, x.shape[2:])  # (B, c, T, H, W)
        return x + self.norm(self.project(y))

    @torch.no_grad()
    def attention(self, x: Tensor, queries: Tensor) -> Tensor:
        """Affinities of `queries` (Q,), flattened positions, to all keys: (B, Q, M); rows of a softmax sum to one."""
        theta, phi, _ = self._embed(x)
        affinity = theta[:, queries] @ phi.transpose(1, 2)  # (B, Q, M)
        if self.kind == "dot_product":
            return affinity / phi.shape[1]
        return (affinity * self.scale).softmax(dim=2)

    def _embed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """theta (B, N, c) of every position; phi and g (B, M, c) of every key."""
        keys = self.pool(x)
        theta, phi, g = (e.flatten(2).transpose(1, 2) for e in (self.theta(x), self.phi(keys), self.g(keys)))
        return theta, phi, g


def _attend(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """Fused softmax(q k^T scale) v, (B, N, c) each; widths are padded to 16, which CPU kernels run twice as fast."""
    c = q.shape[2]
    # Given transposed views, torch would keep the matrix of all pairs instead.
    q, k, v = (F.pad(e, (0, -c % 16)).contiguous().unsqueeze(1) for e in (q, k, v))  # (B, 1, N, c + padding)
    return F.scaled_dot_product_attention(q, k, v, scale=scale)[:, 0, :, :c]
