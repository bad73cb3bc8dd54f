import pytest
import torch
import torch.nn.functional as F
from helpers import features, fill_randomly
from torch.nn.attention import SDPBackend, sdpa_kernel

from cpnet.engine.memory import saved_for_backward
from cpnet.nn import NonLocalBlock


def random_block(*args, **kwargs):
    """Large random weights, so that attention is far from flat."""
    return fill_randomly(NonLocalBlock(*args, **kwargs).double())


def pointwise(conv, x):
    return torch.einsum("dc,bcthw->bdthw", conv.weight[:, :, 0, 0, 0], x) + conv.bias[:, None, None, None]


def affinity_by_einsum(block, x, scale, subsample):
    """(B, N, M) and the values (B, c, M)."""
    keys = x.unfold(3, 2, 2).unfold(4, 2, 2).amax((5, 6)) if subsample else x
    theta, phi, g = pointwise(block.theta, x), pointwise(block.phi, keys), pointwise(block.g, keys)
    a = torch.einsum("bcn,bcm->bnm", theta.flatten(2), phi.flatten(2))
    factor = block.theta.out_channels**-0.5 if scale else 1.0
    return (a * factor).softmax(2), g.flatten(2)


def reference(block, x, scale, subsample):
    affinity, g = affinity_by_einsum(block, x, scale, subsample)
    y = torch.einsum("bnm,bcm->bcn", affinity, g).unflatten(2, x.shape[2:])
    norm, z = block.norm, pointwise(block.project, y)
    return x + F.batch_norm(
        z, norm.running_mean.clone(), norm.running_var.clone(), norm.weight, norm.bias, norm.training, eps=1e-5
    )


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("subsample", [True, False], ids=["subsample", "full"])
@pytest.mark.parametrize("scale", [True, False], ids=["scale", "plain"])
@pytest.mark.parametrize("channels", [6, 8, 32])
def test_equals_einsum(channels, scale, subsample, training):
    block = random_block(channels, scale=scale, subsample=subsample).train(training)
    x = features(2, channels, 3, 4, 6)
    torch.testing.assert_close(block(x), reference(block, x, scale, subsample), rtol=1e-9, atol=1e-9)


def test_scale_matters():
    x = features(1, 8, 2, 4, 4)
    scaled, plain = (random_block(8, scale=scale).eval()(x) for scale in (True, False))
    assert (scaled - plain).abs().max() > 1e-3


def test_gradients_equal_those_of_einsum():
    block = random_block(6)
    x = features(2, 6, 2, 4, 4).requires_grad_()
    weights = features(2, 6, 2, 4, 4, seed=1)
    inputs = [x, *block.parameters()]
    ours = torch.autograd.grad((block(x) * weights).sum(), inputs)
    theirs = torch.autograd.grad((reference(block, x, True, True) * weights).sum(), inputs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_fresh_block_is_the_identity(training):
    x = features(2, 8, 3, 4, 4)
    assert torch.equal(NonLocalBlock(8).double().train(training)(x), x)


def test_initialisation_is_that_of_the_repository():
    torch.manual_seed(0)
    block = NonLocalBlock(128)
    for conv in (block.theta, block.phi, block.g, block.project):
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not conv.bias.any()
    assert block.theta.out_channels == block.phi.out_channels == block.g.out_channels == 64


def test_attention_rows_sum_to_one():
    block = random_block(8)
    attention = block.attention(features(2, 8, 3, 4, 4), torch.tensor([0, 5, 47]))
    assert attention.shape == (2, 3, 3 * 2 * 2)
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum(2), torch.ones(2, 3, dtype=torch.float64))


@pytest.mark.parametrize("subsample", [True, False], ids=["subsample", "full"])
def test_attention_is_the_one_of_forward(subsample):
    block = random_block(8, subsample=subsample)
    x, queries = features(2, 8, 3, 4, 4), torch.tensor([3, 0, 40])
    affinity, _ = affinity_by_einsum(block, x, True, subsample)
    torch.testing.assert_close(block.attention(x, queries), affinity[:, queries])


def test_gradient_reaches_every_parameter():
    block = random_block(8).eval()
    block(features(2, 8, 3, 4, 4)).square().sum().backward()
    idle = {name for name, p in block.named_parameters() if p.grad.abs().max() < 1e-6}
    assert idle == {"phi.bias"}  # a constant on every key moves no softmax


@pytest.mark.parametrize("inner", [8, 16, 24])
def test_no_matrix_of_all_pairs_is_kept(inner):
    """The fused kernel keeps a few values a position, whatever the width."""
    block = NonLocalBlock(2 * inner, subsample=False)
    x = features(1, 2 * inner, 4, 16, 16, dtype=torch.float32).requires_grad_()
    pairs = 4 * (4 * 16 * 16) ** 2  # bytes of one float32 matrix
    assert saved_for_backward(block, x) < pairs
    with sdpa_kernel(SDPBackend.MATH):
        assert saved_for_backward(block, x) > pairs
