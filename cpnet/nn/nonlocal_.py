"""The non-local block of Wang et al., CVPR 2018, as in facebookresearch/video-nonlocal-net (the paper's NL Net)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NonLocalBlock(nn.Module):
    """z = x + BN(W_z y), y_i the sum over all positions j of softmax_j(theta_i . phi_j) times g(x_j).

    Args:
        channels: C of the features; theta, phi and g have C / 2.
        scale: multiply theta . phi by (C / 2) ** -0.5 before the softmax, as the repository does but not the NL paper.
        subsample: halve the resolution of keys and values by a 1x2x2 max-pool.

    Shape:
        (B, C, T, H, W) to the same. A fresh block is the identity: the batch norm's gamma is zero.
    """

    def __init__(self, channels: int, *, scale: bool = True, subsample: bool = True) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.scale = inner**-0.5 if scale else 1.0
        self.pool = nn.MaxPool3d((1, 2, 2)) if subsample else nn.Identity()
        self.theta = nn.Conv3d(channels, inner, 1)
        self.phi = nn.Conv3d(channels, inner, 1)
        self.g = nn.Conv3d(channels, inner, 1)
        self.project = nn.Conv3d(inner, channels, 1)
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
        y = _attend(theta, phi, g, self.scale)  # (B, N, c), never N x N
        y = y.transpose(1, 2).unflatten(2, x.shape[2:])  # (B, c, T, H, W)
        return x + self.norm(self.project(y))

    @torch.no_grad()
    def attention(self, x: Tensor, queries: Tensor) -> Tensor:
        """Weights of all keys for `queries` (Q,), flattened positions: (B, Q, M), rows sum to one."""
        theta, phi, _ = self._embed(x)
        affinity = theta[:, queries] @ phi.transpose(1, 2)  # (B, Q, M)
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
