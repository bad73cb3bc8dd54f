"""The CP module as the paper prints it, for tests and comparisons: every distance and every pair in memory."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cpnet.nn.correspondence import CPModule


class DirectCPModule(CPModule):
    """Eq. 1 as printed, the reference of tests and timings: N x N distances, concatenated pairs, every layer on each.

    Ties fall as `torch.topk` has them.
    """

    def _propose(self, f: Tensor) -> Tensor:
        return cdist_proposals(f, self.k)

    def _embed(self, f: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        points = f.flatten(2).transpose(1, 2)  # (B, N, D)
        B, N = points.shape[:2]
        neighbours = points[torch.arange(B, device=f.device)[:, None, None], indices]  # (B, N, k, D)
        own = points[:, :, None].expand_as(neighbours)
        parts = [own, neighbours] if self.pair == "features" else [((own - neighbours) ** 2).sum(3, keepdim=True)]
        if self.displacement:
            places = torch.unravel_index(torch.arange(N, device=f.device), f.shape[2:])  # (t, h, w), (N,) each
            p = torch.stack([place.to(f) / n for place, n in zip(places, f.shape[2:], strict=True)], dim=1)  # (N, 3)
            parts.insert(0, self.displacement_scale * (p[indices] - p[:, None]))  # (B, N, k, 3)
        pairs = torch.cat(parts, dim=3)  # (B, N, k, 2D + 3 or 4)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            pairs = F.relu(_over_rows(norm, layer(pairs)))  # (B, N, k, h_i)
        if self.pool == "before_projection":
            best, winner = pairs.max(dim=2)  # (B, N, h)
            g = _over_rows(self.projection_norm, self.projection(best))  # (B, N, C)
            return g.transpose(1, 2), winner.masked_fill(best.detach() == 0, -1)
        best, winner = _over_rows(self.projection_norm, self.projection(pairs)).max(dim=2)  # (B, N, C)
        return best.transpose(1, 2), winner


def _over_rows(norm: nn.Module, x: Tensor) -> Tensor:
    """Normalise (..., h) over everything but the last axis."""
    return norm(x.flatten(0, -2)).view(x.shape)


@torch.no_grad()
def cdist_proposals(f: Tensor, k: int) -> Tensor:
    """Nearest positions of other frames, (B, N, k), from all N x N distances of `f` (B, C, T, H, W)."""
    points = f.flatten(2).transpose(1, 2)  # (B, N, C)
    frame = torch.arange(points.shape[1], device=f.device) // (f.shape[3] * f.shape[4])  # (N,)
    distances = torch.cdist(points, points).masked_fill_(frame[:, None] == frame, torch.inf)  # (B, N, N)
    return distances.topk(k, dim=2, largest=False).indices
