"""Section 6.1: what a CP module can be made to compute, and what it cannot."""

import pytest
import torch
from helpers import features, fill_randomly
from torch import nn

from cpnet.nn import CPModule, NonLocalBlock
from cpnet.nn.neighbours import fixed_neighbours, grid
from cpnet.nn.reductions import convolution, relation

SIZE = (4, 5, 6)


@pytest.fixture
def conv():
    torch.manual_seed(0)
    return nn.Conv3d(3, 3, 3, padding=1, bias=False).double()


@torch.no_grad()
def added(module, x):
    return module(x) - x


def test_a_cp_module_is_a_layer_of_c3d_to_the_edges(conv):
    x = features(2, 3, *SIZE)
    assert torch.allclose(added(convolution(conv, SIZE), x), conv(x), atol=1e-9)


def test_any_neighbours_do_if_the_26_are_among_them(conv):
    module, x = convolution(conv, SIZE, "spatiotemporal_l1"), features(1, 3, *SIZE)
    module.k = 4 * 5 * 6 - 1
    assert torch.allclose(added(module, x), conv(x), atol=1e-9)


def test_the_26_nearest_by_l1_as_the_paper_has_them_do_not(conv):
    """In the inside of a clip, 8 corners of the box are at a distance of 3, and (0, 0, 2) is at 2."""
    x = features(1, 3, 5, 5, 5)
    ours, theirs = added(convolution(conv, (5, 5, 5), "spatiotemporal_l1"), x), conv(x)
    assert (ours - theirs)[0, :, 2, 2, 2].abs().max() > 0.01
    middle = 62
    offsets = grid((5, 5, 5))[fixed_neighbours((5, 5, 5), 26, 1.0, "others")[middle]] - grid((5, 5, 5))[middle]
    box = offsets.abs().max(1).values == 1
    assert box.sum() <= 18 + 2 and (offsets.abs().sum(1) <= 2).sum() == 24


def test_a_convolution_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="give one of 3x3x3"):
        convolution(nn.Conv3d(3, 4, 3, padding=1, bias=False), SIZE)


def test_a_cp_module_is_the_two_frame_relation_of_trn():
    torch.manual_seed(0)
    first, second = nn.Linear(6, 5).double(), nn.Linear(5, 3, bias=False).double()
    x = features(2, 3, 6, 1, 1)
    frames = x[..., 0, 0].transpose(1, 2)  # (B, T, D)
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
    expected = sum(second(first(torch.cat([frames[:, i], frames[:, j]], 1)).relu()) for i, j in pairs)
    assert torch.allclose(added(relation(first, second, 6), x).sum((2, 3, 4)), expected, atol=1e-9)


def test_without_displacement_a_maximum_is_of_a_set_and_attention_of_a_bag():
    """A neighbour shown twice changes the average that an NL block takes, and not the maximum."""
    torch.manual_seed(0)
    cp = CPModule(4, 3, displacement=False, own="others").double().eval()
    nn.init.ones_(cp.projection_norm.weight)
    nl = fill_randomly(NonLocalBlock(4, subsample=False).double()).eval()
    a, b, c = features(3, 4)
    once, twice = (torch.stack(points, 1).view(1, 4, len(points), 1, 1) for points in ([a, b, c, c], [a, b, b, c]))
    with torch.no_grad():
        assert torch.allclose(cp(once)[0, :, 0], cp(twice)[0, :, 0], atol=1e-12)
        assert (nl(once)[0, :, 0] - nl(twice)[0, :, 0]).abs().max() > 1e-3


def test_sums_of_pairs_and_one_division_are_attention():
    """What a maximum cannot: with a sum in its place, and a division after it, pairs give the softmax average."""
    query, key, value = features(3, 5, 4)
    pair = torch.exp(query @ key.T)[..., None] * value  # of each pair alone
    total, weight = pair.sum(1), torch.exp(query @ key.T).sum(1, keepdim=True)
    assert torch.allclose(total / weight, (query @ key.T).softmax(1) @ value, atol=1e-12)
