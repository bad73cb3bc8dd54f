"""The CP module: correspondence proposals, then the Correspondence Embedding layer (Section 3.2, Figures 2 and 3)."""

from typing import Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cpnet.nn.neighbours import Metric, Own, check, neighbours
from cpnet.nn.pairs import BatchNorm, linear_norm_max, pair_moments
from cpnet.nn.proposals import Ties, scramble

Pool = Literal["before_projection", "after_projection"]
Pair = Literal["features", "distance"]
BN_EPS = 1e-3  # every batch norm of the released code (tf.contrib's default)


class Proposals(NamedTuple):
    """What a CP module looked at, and what it used.

    Attributes:
        indices: (B, N, k) int64, positions proposed to each position, at the resolution of the search.
        wins: (B, N, k) int64, in how many channels a proposal supplied the maximum; `wins > 0` is the set A of Eq. 2.
            Channels whose maximum the ReLU sets to zero choose nobody.
        size: (T, H, W) of the search, to turn indices into places.
    """

    indices: Tensor
    wins: Tensor
    size: tuple[int, int, int]


class CPModule(nn.Module):
    """y = x + BN(W max_j MLP([p_j - p_i, f_i, f_j])), j over the k correspondence proposals of position i (Eq. 1).

    The first layer is linear in [p_j - p_i, f_i, f_j], so it is computed once per position, u_i = W_f f_i - W_p p_i and
    v_j = W_n f_j + W_p p_j, and only v is gathered: the same function at about 1/k of the cost.

    Args:
        channels: C of the features.
        k: correspondence proposals per position; may be changed after construction.
        hidden: widths of the hidden layers; (C / 4, C / 2) as in supplement B if None.
        pool: where the maximum over proposals sits: before the last linear layer (the released code), or after it and
            its batch norm (Eq. 1 as printed).
        shrink: search and embed at 1 / shrink of the spatial resolution (the released code has 2 at res3).
        bottleneck: width of a linear layer with batch norm before search and embedding (released code, ResNet-101).
        displacement: give the MLP the relative displacement; False is a control that the paper does not have.
        displacement_scale: factor on the displacement, whose parts are in (-1, 1); 1 in paper and released code.
            A larger one means larger initial weights and steps: short trainings learn directions sooner.
        pair: what the MLP is given of two features: both, or, the "other design choice" of Section 3.2, their squared
            L2 distance alone.
        metric, own, place_weight: what makes neighbours, see `cpnet.nn.neighbours`; the paper explores the default.
        ties: how equally near positions are chosen between, see `correspondence_proposals`.
        tie_seed: seed of the random ties. Evaluation starts from it for every clip, so its output is reproducible and
            does not depend on how clips are batched; training draws on.

    Shape:
        (B, C, T, H, W) to the same. A fresh module is the identity: the last batch norm's gamma is zero.
    """

    def __init__(
        self,
        channels: int,
        k: int = 8,
        hidden: tuple[int, ...] | None = None,
        *,
        pool: Pool = "before_projection",
        shrink: int = 1,
        bottleneck: int | None = None,
        displacement: bool = True,
        displacement_scale: float = 1.0,
        pair: Pair = "features",
        metric: Metric = "semantic",
        own: Own = "out",
        place_weight: float = 1.0,
        ties: Ties = "random",
        tie_seed: int = 0,
    ) -> None:
        super().__init__()
        if pool not in ("before_projection", "after_projection"):
            raise ValueError(f'pool={pool!r}: choose "before_projection" or "after_projection"')
        if ties not in ("random", "index"):
            raise ValueError(f'ties={ties!r}: choose "random" or "index"')
        if pair not in ("features", "distance"):
            raise ValueError(f'pair={pair!r}: choose "features" or "distance"')
        check(metric, own)
        if k < 1:
            raise ValueError(f"k={k}: give 1 or more")
        if not 0 < displacement_scale < float("inf"):
            raise ValueError(f"displacement_scale={displacement_scale}: give a number above 0")
        if shrink < 1:
            raise ValueError(f"shrink={shrink}: the search resolution is divided by it, give 1 or more")
        hidden = (channels // 4, channels // 2) if hidden is None else tuple(hidden)
        if not hidden or min(hidden) < 1:
            raise ValueError(f"hidden={hidden}: give at least one hidden layer, each of width 1 or more")
        self.channels, self.k, self.hidden = channels, k, hidden
        self.pool, self.shrink, self.displacement = pool, shrink, displacement
        self.displacement_scale, self.pair = displacement_scale, pair
        self.metric, self.own, self.place_weight = metric, own, place_weight
        self.ties, self.tie_seed = ties, tie_seed
        self.reseed(tie_seed)

        self.bottleneck: nn.Module = nn.Identity()
        D = channels if bottleneck is None else bottleneck
        if bottleneck is not None:
            self.bottleneck = nn.Sequential(nn.Conv3d(channels, D, 1, bias=False), BatchNorm(D, eps=BN_EPS))
        compared = 2 * D if pair == "features" else 1
        widths = (compared + 3 * displacement, *hidden)  # input order: displacement (t, h, w), f_i, f_j or distance
        # Biases are left out: a batch norm follows every layer.
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in zip(widths, hidden, strict=False))
        self.norms = nn.ModuleList(BatchNorm(width, eps=BN_EPS) for width in hidden)
        self.projection = nn.Linear(hidden[-1], channels, bias=False)
        self.projection_norm = BatchNorm(channels, eps=BN_EPS)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """MSRA initialisation (Section 3.3) and a zero gamma in the last batch norm."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(self.projection_norm.get_parameter("weight"))

    def forward(self, x: Tensor, return_proposals: bool = False) -> Tensor | tuple[Tensor, Proposals]:
        """Add the correspondence embedding to `x` (B, C, T, H, W), before the ReLU of a residual block.

        Returns:
            The sum, shaped as `x`; with `return_proposals`, also the `Proposals`.

        Raises:
            ValueError: wrong rank or channels, one frame only, too large a k, NaN in the features.
        """
        if x.ndim != 5 or x.shape[1] != self.channels:
            raise ValueError(f"features must be (B, {self.channels}, T, H, W), got shape {tuple(x.shape)}")
        f = self.bottleneck(x)[..., :: self.shrink, :: self.shrink]  # (B, D, T, h, w)
        if f.requires_grad:  # CPU batch norm of a single clip (torch 2.13) misreads the strides of this gradient
            f.register_hook(Tensor.contiguous)
        size = (f.shape[2], f.shape[3], f.shape[4])
        indices = self._propose(f.detach())  # (B, N, k)
        g, winner = self._embed(f, indices)  # (B, C, N), (B, N, channels)
        g = _enlarge(g.unflatten(2, size), self.shrink)[..., : x.shape[3], : x.shape[4]]  # (B, C, T, H, W)
        if not return_proposals:
            return x + g
        wins = torch.stack([(winner == j).sum(2) for j in range(self.k)], dim=2)  # (B, N, k)
        return x + g, Proposals(indices, wins, size)

    def reseed(self, seed: int) -> None:
        """Draw the ties of training from `seed` on; those of evaluation stay with `tie_seed`."""
        self._draws = scramble(torch.tensor(seed))  # streams of neighbouring seeds do not overlap

    def extra_repr(self) -> str:
        shown = ("channels", "hidden", "k", "pool", "shrink", "displacement", "ties")
        return ", ".join(f"{name}={getattr(self, name)}" for name in shown)

    def _propose(self, f: Tensor) -> Tensor:
        seeds = torch.full((len(f),), self.tie_seed)
        if self.training:
            seeds = self._draws + torch.arange(len(f))
            self._draws += len(f)
        seeds, weight = seeds.to(f.device), self.place_weight
        return neighbours(f, self.k, self.metric, own=self.own, place_weight=weight, ties=self.ties, seeds=seeds)

    def _embed(self, f: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Correspondence Embedding of features (B, D, T, h, w): g (B, C, N), and each channel's winner (B, N, c)."""
        B, D, T, h, w = f.shape
        points = f.flatten(2).transpose(1, 2)  # (B, N, D)
        N, k = indices.shape[1:]
        pairs = (indices + N * torch.arange(B, device=f.device)[:, None, None]).flatten(0, 1)  # (B * N, k)
        place = self.displacement_scale * _positions(T, h, w, like=points)  # (N, 3)
        norms = cast(list[BatchNorm], [*self.norms])
        if self.pair == "distance":
            x = self._embed_distances(points, place, indices)  # (B * N, k, h1)
            u, v, pairs = _row_by_row(x)
        else:
            W_p, W_f, W_n = self.layers[0].get_parameter("weight").split((3 * self.displacement, D, D), dim=1)
            u, v = _linear(points, torch.cat([W_f, W_n])).chunk(2, dim=2)  # (B, N, h1)
            if self.displacement:
                p = F.linear(place, W_p)  # (N, h1)
                u, v = u - p, v + p
            u, v = u.flatten(0, 1), v.flatten(0, 1)  # (B * N, h1)
            moments = pair_moments(u, v, pairs) if norms[0].training else None
            scale, shift = norms[0].scale_and_shift(moments, pairs.numel())
            u, v = (u * scale + shift).to(u), (v * scale).to(v)  # batch norm of u_i + v_j, position by position

        stages = [*zip(cast(list[nn.Linear], [*self.layers]), norms, strict=True)][1:]
        if self.pool == "after_projection":
            stages.append((self.projection, self.projection_norm))
        if not stages:
            best, winner = v[pairs].max(dim=1)  # (B * N, h)
            best = best + u
        else:
            *middle, (linear, norm) = stages
            if middle:
                x = F.relu(u[:, None] + v[pairs])  # (B * N, k, h1)
                for layer, normalise in middle:
                    x = F.relu(normalise(layer(x).flatten(0, 1)))  # (B * N * k, h_i)
                    x = x.unflatten(0, (-1, k))  # (B * N, k, h_i)
                u, v, pairs = _row_by_row(x)
            best, winner = linear_norm_max(u, v, pairs, linear.weight, norm)
        best, winner = best.unflatten(0, (B, N)), winner.unflatten(0, (B, N))  # (B, N, c)
        if self.pool == "after_projection":
            return best.transpose(1, 2), winner
        best = F.relu(best)  # after the maximum: the same values, 1/k of the work
        g = self.projection_norm(self.projection.weight @ best.transpose(1, 2))  # (B, C, N)
        return g, winner.masked_fill(best.detach() == 0, -1)

    def _embed_distances(self, points: Tensor, place: Tensor, indices: Tensor) -> Tensor:
        """The first hidden layer, (B * N, k, h1), of displacements and squared distances of points (B, N, D)."""
        proposed = torch.stack([of_clip[j] for of_clip, j in zip(points, indices, strict=True)])  # (B, N, k, D)
        x = (proposed - points[:, :, None]).square().sum(3, keepdim=True)  # (B, N, k, 1)
        if self.displacement:
            x = torch.cat([place[indices] - place[:, None], x], dim=3)  # (B, N, k, 4)
        x = self.norms[0](self.layers[0](x).flatten(0, 2))  # (B * N * k, h1)
        return F.relu(x).unflatten(0, (-1, indices.shape[2]))


def _row_by_row(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values of pairs (P, k, h) as u, v and pairs with u_i + v_j = x_ij, see `linear_norm_max`."""
    (P, k, h), device = x.shape, x.device
    return x.new_zeros(P, h), x.flatten(0, 1), torch.arange(P * k, device=device).view(P, k)


def _linear(x: Tensor, weight: Tensor) -> Tensor:
    """x W^T for `x` (B, N, D), which F.linear would copy where it is a transposed view."""
    return x @ weight.T.expand(len(x), -1, -1)  # (B, N, h)


def _positions(T: int, H: int, W: int, *, like: Tensor) -> Tensor:
    """Locations (t / T, h / H, w / W) of all positions, (N, 3) in [0, 1)."""
    axes = [torch.arange(n, device=like.device, dtype=like.dtype) / n for n in (T, H, W)]
    return torch.stack(torch.meshgrid(axes, indexing="ij"), dim=-1).flatten(0, 2)


def _enlarge(x: Tensor, factor: int) -> Tensor:
    """Bilinear resize of (B, C, T, h, w) as TF 1 did it: copies at multiples of `factor`, clamped at the far edge."""
    if factor == 1:
        return x
    h, w = x.shape[3:]
    frames = x.flatten(1, 2)  # (B, C * T, h, w)
    for axis in (2, 3):  # not F.pad, whose compiled gradient torch 2.13 refuses for its strides
        frames = torch.cat([frames, frames.narrow(axis, -1, 1)], dim=axis)
    size = (h * factor + 1, w * factor + 1)
    frames = F.interpolate(frames, size, mode="bilinear", align_corners=True)[..., :-1, :-1]
    return frames.unflatten(1, x.shape[1:3])
