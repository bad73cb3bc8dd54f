"""What CP modules see of a clip: features before and after them, what they propose, and which proposals win; and what
non-local blocks attend to."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from cpnet.models.resnet import BLOCKS, Place, ResNet
from cpnet.nn import CPModule, NonLocalBlock, correspondence_proposals

Key = TypeVar("Key")


class Look(NamedTuple):
    """One CP module and one clip.

    Attributes:
        module: its name, such as "res4.1", or "res4.1b" of the second in a block.
        before, after: (C, T, H, W), the features that come in and go out.
        indices: (N, k), the positions proposed to each position of the search.
        wins: (N, k), in how many channels each supplies the maximum.
        size: (T, h, w) of the search, a `shrink`-th of H and W.
    """

    module: str
    before: Tensor
    after: Tensor
    indices: Tensor
    wins: Tensor
    size: tuple[int, int, int]

    @property
    def shrink(self) -> int:
        """Rows of the features to a row of the search."""
        return -(-self.before.shape[2] // self.size[1])  # odd sides are rounded up


def cp_modules(model: ResNet) -> Iterator[tuple[str, Place, CPModule]]:
    """Name, block and module, from first to last."""
    for stage, count in enumerate(BLOCKS[model.depth], 2):
        for block in range(count):
            for letter, module in zip(("", "b", "c"), model.block((stage, block)).cp, strict=False):
                yield f"res{stage}.{block}{letter}", (stage, block), cast(CPModule, module)


@torch.no_grad()
def look(model: ResNet, clip: Tensor) -> list[Look]:
    """All CP modules of a network in evaluation mode, at a clip (3, T, S, S) as the network takes it."""
    modules = {name: module for name, _, module in cp_modules(model)}
    found = []
    for name, x in _inputs(model, clip, modules).items():
        after, proposals = modules[name](x, return_proposals=True)
        found.append(Look(name, x[0], after[0], proposals.indices[0], proposals.wins[0], proposals.size))
    return found


@torch.no_grad()
def attention(model: ResNet, clip: Tensor, shrinks: Mapping[Place, int]) -> dict[Place, tuple[Tensor, tuple[int, ...]]]:
    """What non-local blocks attend to, at a clip (3, T, S, S).

    Args:
        shrinks: places of the blocks, and of each every how many rows and columns a position asks.

    Returns:
        Of each place weights (N, M) of the keys, from each position that asks; and (T, h, w) of the keys.
    """
    blocks = {place: cast(NonLocalBlock, model.block(place).nl[0]) for place in shrinks}
    found = {}
    for place, x in _inputs(model, clip, blocks).items():
        block, shrink = blocks[place], shrinks[place]
        positions = torch.arange(x[0, 0].numel()).view(x.shape[2:])[:, ::shrink, ::shrink].flatten()
        found[place] = block.attention(x, positions)[0], tuple(block.pool(x).shape[2:])
    return found


def _inputs(model: ResNet, clip: Tensor, modules: Mapping[Key, nn.Module]) -> dict[Key, Tensor]:
    """What comes in to each module (1, C, T, H, W), in the order of the network."""
    seen: dict[Key, Tensor] = {}
    with ExitStack() as hooks:
        for key, module in modules.items():
            hook = module.register_forward_pre_hook(lambda _, inputs, key=key: seen.update({key: inputs[0]}))
            hooks.callback(hook.remove)
        model.eval()(clip[None])
    return seen


@torch.no_grad()
def block_sums(model: ResNet, clip: Tensor, places: Sequence[Place]) -> list[Tensor]:
    """Features (C, T, H, W) where CP modules would be: the sums of residual blocks of a network of frames."""
    probes = {place: nn.Identity() for place in places}
    for place, probe in probes.items():
        model.block(place).cp.append(probe)
    try:
        found = _inputs(model, clip, probes)
    finally:
        for place in probes:
            del model.block(place).cp[-1]
    return [found[place][0] for place in places]


def propose(features: Tensor, k: int, shrink: int = 1) -> Tensor:
    """The k proposals (N, k) that a CP module would make from features (C, T, H, W)."""
    seeds = torch.zeros(1, dtype=torch.int64, device=features.device)
    return correspondence_proposals(features[None, ..., ::shrink, ::shrink], k, seeds=seeds)[0]
