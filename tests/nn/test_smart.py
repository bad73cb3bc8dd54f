import pytest
import torch
import torch.nn.functional as F
from helpers import features, fill_randomly

from cpnet.nn import SMARTBlock


def random_block(*args, **kwargs):
    return fill_randomly(SMARTBlock(*args, **kwargs).double())


def normalise(norm, x):
    mean, var = norm.running_mean, norm.running_var
    if norm.training:
        mean, var = x.mean((0, 2, 3, 4)), x.var((0, 2, 3, 4), unbiased=False)
    mean, var, weight, bias = (v[:, None, None, None] for v in (mean, var, norm.weight, norm.bias))
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def reference(block, x, kernel, stride):
    """The prototxt's layers: the pair mean is a grouped 1x1x1 convolution with fixed weights of a half."""
    padding = [n // 2 for n in kernel]
    appearance = F.conv3d(x, block.appearance.weight, None, stride, (0, *padding[1:]))
    relation = normalise(block.relation_norm, F.conv3d(x, block.relation.weight, None, stride, padding)) ** 2
    C = relation.shape[1]
    halves = x.new_full((C // 2, 2, 1, 1, 1), 0.5)
    relation = normalise(block.pair_norm, F.conv3d(relation, halves, groups=C // 2))
    both = torch.cat([normalise(block.appearance_norm, appearance), relation], dim=1).clamp(min=0)
    return torch.einsum("dc,bcthw->bdthw", block.reduce.weight[:, :, 0, 0, 0], both)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 2, 2), (1, 2, 2)], ids=str)
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (3, 5, 5)], ids=str)
def test_equals_the_formula(kernel, stride, training):
    block = random_block(3, 8, kernel, stride).train(training)
    x = features(2, 3, 4, 7, 6)
    y = block(x)
    assert y.shape == (2, 8, *((n - 1) // s + 1 for n, s in zip((4, 7, 6), stride, strict=True)))
    torch.testing.assert_close(y, reference(block, x, kernel, stride), rtol=1e-9, atol=1e-9)


def test_appearance_sees_one_frame_and_relation_sees_neighbours():
    block = random_block(3, 4).eval()
    x = features(1, 3, 5, 4, 4).requires_grad_()

    def frames_seen(branch):
        (gradient,) = torch.autograd.grad(branch(x)[:, :, 2].square().sum(), x)
        return gradient.abs().amax((0, 1, 3, 4)).nonzero()[:, 0].tolist()

    assert frames_seen(block.appearance) == [2]
    assert frames_seen(block.relation) == [1, 2, 3]


def test_the_pair_mean_is_not_trained():
    shapes = {name: tuple(p.shape) for name, p in SMARTBlock(3, 8).named_parameters() if p.ndim > 1}
    assert shapes == {
        "appearance.weight": (8, 3, 1, 3, 3),
        "relation.weight": (8, 3, 3, 3, 3),
        "reduce.weight": (8, 12, 1, 1, 1),
    }


def test_gradient_reaches_every_parameter():
    block = random_block(3, 8)
    block(features(2, 3, 3, 5, 5)).square().sum().backward()
    for name, p in block.named_parameters():
        assert p.grad is not None and p.grad.abs().max() > 1e-6, name


def test_padding_mode_reaches_both_branches():
    x = torch.ones(1, 3, 3, 5, 5, dtype=torch.float64)
    for branch in ("appearance", "relation"):
        y = getattr(random_block(3, 4, padding_mode="replicate"), branch)(x)
        torch.testing.assert_close(y, y[:, :, :1, :1, :1].expand_as(y))
        y = getattr(random_block(3, 4), branch)(x)
        assert y.std((2, 3, 4)).min() > 1e-3


def test_odd_widths_are_refused():
    with pytest.raises(ValueError, match="out_channels=5"):
        SMARTBlock(3, 5)
