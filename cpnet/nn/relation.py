"""The multi-scale temporal-relation head of Zhou et al., ECCV 2018 (TRN), as in zhoubolei/TRN-pytorch."""

from math import comb
from random import Random

import torch
from torch import Tensor, nn

MANY = 10_000  # tuples; there are exponentially many in the number of frames


class MultiScaleRelation(nn.Module):
    """Sums class scores of MLPs over ordered frame tuples, one MLP for each tuple size from `num_frames` down to two.

    Args:
        in_features: width of a frame's feature vector.
        num_frames: T.
        num_classes: number of scores.
        hidden: width of the reduced frame feature and of the MLPs.
        tuples_per_scale: at most this many tuples of each size; training draws them anew at each forward pass,
            evaluation takes tuples spread evenly over the list in lexicographic order.
        dropout: probability of dropping a frame feature, before its reduction.
        seed: seed of the drawn tuples.

    Shape:
        (B, T, in_features) to logits (B, num_classes).
    """

    def __init__(
        self,
        in_features: int,
        num_frames: int,
        num_classes: int,
        *,
        hidden: int = 256,
        tuples_per_scale: int = 3,
        dropout: float = 0.8,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if num_frames < 2:
            raise ValueError(f"num_frames={num_frames}: a relation needs at least two frames")
        self.num_frames, self.tuples_per_scale = num_frames, tuples_per_scale
        self.reduce = nn.Sequential(nn.Dropout(dropout), nn.Linear(in_features, hidden))
        self.scales = tuple(range(num_frames, 1, -1))
        self.heads = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Linear(size * hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
            for size in self.scales
        )
        self._generator = torch.Generator().manual_seed(seed)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[1] != self.num_frames:
            raise ValueError(f"frame features must be (B, {self.num_frames}, C), got shape {tuple(x.shape)}")
        frames = self.reduce(x)  # (B, T, hidden)
        logits = [
            head(frames[:, list(frame_tuple)].flatten(1))  # (B, classes)
            for size, head in zip(self.scales, self.heads, strict=True)
            for frame_tuple in self._tuples(size)
        ]
        return torch.stack(logits).sum(0)

    def reseed(self, seed: int) -> None:
        """Draw the tuples of training from `seed` on."""
        self._generator.manual_seed(seed)

    def _tuples(self, size: int) -> list[tuple[int, ...]]:
        total = comb(self.num_frames, size)
        count = min(self.tuples_per_scale, total)
        if not self.training:
            chosen = [i * total // count for i in range(count)]
        elif total <= MANY:
            chosen = torch.randperm(total, generator=self._generator)[:count].tolist()
        else:  # randperm would list them all
            seed = int(torch.randint(2**31, (), generator=self._generator))
            chosen = Random(seed).sample(range(total), count)
        return [_combination(i, self.num_frames, size) for i in chosen]


def _combination(rank: int, n: int, size: int) -> tuple[int, ...]:
    """The combination of `size` out of range(n) at a place of the lexicographic order."""
    chosen: list[int] = []
    for item in range(n):
        if len(chosen) == size:
            break
        starting_here = comb(n - item - 1, size - len(chosen) - 1)
        if rank < starting_here:
            chosen.append(item)
        else:
            rank -= starting_here
    return tuple(chosen)
