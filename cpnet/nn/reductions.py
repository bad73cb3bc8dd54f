"""Section 6.1 by construction: CP modules whose weights make them a layer of C3D, or a two-frame relation of TRN.

Both select by displacement. A first hidden layer has, for each axis and offset, how far a pair's displacement is from
the offset; a second one has, for each offset, units that this distance turns off. Of all proposals only the one at the
offset leaves such a unit above zero, so that the maximum over proposals is that one's value, and a linear layer may add
up what it likes. The paper's word for it, "let the MLP learn", needs one unit for each offset and number.
"""

from collections.abc import Sequence
from itertools import product
from typing import cast

import torch
from torch import Tensor, nn

from cpnet.nn.correspondence import BN_EPS, CPModule
from cpnet.nn.neighbours import Metric
from cpnet.nn.pairs import BatchNorm

BOUND = 1e3  # larger than what the gated units reach


def convolution(conv: nn.Conv3d, size: tuple[int, int, int], metric: Metric = "spatiotemporal_max") -> CPModule:
    """A CP module that adds the 3x3x3 convolution of clips of some size to its input: a layer of C3D.

    Its 26 neighbours are those of the metric: by L2 or by the largest part of a displacement; the paper's L1 fails.

    Raises:
        ValueError: another convolution than one of 3x3x3, padded by 1, from as many channels as to.
    """
    C = conv.in_channels
    if conv.kernel_size != (3, 3, 3) or conv.padding != (1, 1, 1) or conv.out_channels != C or conv.bias is not None:
        raise ValueError(f"{conv}: give one of 3x3x3, padded by 1, without bias, from C channels to C")
    offsets = [(t, h, w) for t, h, w in product((-1, 0, 1), repeat=3) if (t, h, w) != (0, 0, 0)]
    weight = conv.weight.detach()
    values = torch.cat([torch.eye(C), -torch.eye(C)]).to(weight)  # of f_j, both signs
    module = _gated(C, size, offsets, of_query=torch.zeros_like(values), of_neighbour=values, keep_query=True)
    module.metric, module.own, module.k = metric, "others", 26
    taps = [weight[:, :, t + 1, h + 1, w + 1] for t, h, w in offsets] + [weight[:, :, 1, 1, 1]]  # (C, C) each
    module.projection.weight.data = torch.cat([part for tap in taps for part in (tap, -tap)], dim=1)
    return module


def relation(first: nn.Linear, second: nn.Linear, num_frames: int) -> CPModule:
    """A CP module on frame features (B, D, T, 1, 1) that adds to frame i the sum of second(relu(first([f_i, f_j]))).

    It is over all later frames j, and so over all i the two-frame relation of TRN. `second` has D outputs and no bias.
    """
    D = first.in_features // 2
    offsets = [(t, 0, 0) for t in range(1, num_frames)]
    of_query, of_neighbour = first.weight.detach().split(D, dim=1)
    module = _gated(D, (num_frames, 1, 1), offsets, of_query, of_neighbour, shift=first.bias.detach())
    module.metric, module.k = "temporal", num_frames - 1
    module.projection.weight.data = second.weight.detach().repeat(1, len(offsets))
    return module


def _gated(
    C: int,
    size: tuple[int, int, int],
    offsets: Sequence[tuple[int, int, int]],
    of_query: Tensor,
    of_neighbour: Tensor,
    shift: Tensor | None = None,
    keep_query: bool = False,
) -> CPModule:
    """A module whose projection is to be set.

    Its last hidden layer has, for each offset, relu(of_query f_i + of_neighbour f_j + shift) of the proposal there, and
    with `keep_query` relu(f_i) and relu(-f_i) after them.
    """
    units, kept = len(of_neighbour), 2 * C * keep_query
    steps = sorted({(axis, offset[axis]) for offset in offsets for axis in range(3)})
    hidden = (2 * len(steps) + 4 * C, units * len(offsets) + kept)
    module = CPModule(C, 1, hidden).to(of_neighbour).eval()
    first, second = (cast(nn.Linear, layer) for layer in module.layers)
    norms = cast(list[BatchNorm], [*module.norms])
    for norm in (*norms, module.projection_norm):
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - BN_EPS)
        nn.init.ones_(norm.weight)
        nn.init.zeros_(norm.bias)

    eye, gates = torch.eye(C).to(of_neighbour), 2 * len(steps)
    one = torch.zeros(hidden[0], 3 + 2 * C).to(of_neighbour)  # of the displacement, f_i and f_j
    for i, (axis, step) in enumerate(steps):  # relu(d - step) and relu(step - d), whose sum is the distance
        one[2 * i, axis], one[2 * i + 1, axis] = size[axis], -size[axis]
        norms[0].bias.data[2 * i : 2 * i + 2] = torch.tensor([-step, step]).to(of_neighbour)
    one[gates:, 3:] = torch.block_diag(torch.cat([eye, -eye]), torch.cat([eye, -eye]))  # f_i, -f_i, f_j, -f_j
    first.weight.data = one

    two = torch.zeros(hidden[1], hidden[0]).to(of_neighbour)
    for n, offset in enumerate(offsets):
        rows = slice(n * units, (n + 1) * units)
        for i, (axis, step) in enumerate(steps):
            two[rows, 2 * i : 2 * i + 2] = -BOUND * (offset[axis] == step)
        two[rows, gates:] = torch.cat([of_query, -of_query, of_neighbour, -of_neighbour], dim=1)
        if shift is not None:
            norms[1].bias.data[rows] = shift
    if keep_query:
        two[-kept:, gates : gates + kept] = torch.eye(kept).to(of_neighbour)
    second.weight.data = two
    return module
