"""The toy nets, and the proof of chance: without correspondence, no weights tell clips of the default data apart."""

from functools import cache

import numpy as np
import pytest
import torch
from helpers import fill_randomly, spread

from cpnet.data.moving_square import ToyMotion
from cpnet.models import create_model

BLIND = ["nl_toy", "artnet_toy", "trn_toy"]
READINGS = [(kernels, pooling) for kernels in ("5x5", "printed") for pooling in ("max", "average")]
WEIGHT_SETS = 20
SAME, DIFFERENT = 1e-9, 1e-5  # spreads


@cache
def clips(split="train", **variant):
    data = ToyMotion(split, **variant)
    return torch.from_numpy(data.frames).permute(0, 4, 1, 2, 3).double() / 255, data  # (clips, 3, T, H, W)


@cache
def extreme_clips(**variant):
    """Training clips with the outermost squares of each label, and with its shortest and longest travel: 8 to 24."""
    x, data = clips(**variant)
    travel = np.abs(data.paths[:, -1] - data.paths[:, 0]).sum(1)
    quantities = (travel, data.paths[..., 0].min(1), data.paths[..., 1].min(1))
    chosen = set()
    for label in range(4):
        members = np.flatnonzero(data.labels == label)
        for quantity in quantities:
            chosen |= {members[quantity[members].argmin()], members[quantity[members].argmax()]}
    return x[sorted(chosen)]


def random_net(name, seed, **arguments):
    """A net in float64 with every parameter and running statistic random."""
    return fill_randomly(create_model(name, **arguments).double(), seed)


def reading(seed):
    kernels, pooling = READINGS[seed % len(READINGS)]
    return {"kernels": kernels, "pooling": pooling}


# The proof of chance. A net whose logits are the same for all clips scores 25 %, whatever its training.


@pytest.mark.parametrize("seed", range(WEIGHT_SETS))
@pytest.mark.parametrize("name", ["artnet_toy", "trn_toy"])
def test_convolutions_see_all_1200_clips_alike(name, seed):
    """Each weight set compares some extreme clips with a twentieth of both splits."""
    net = random_net(name, seed, **reading(seed))
    every = torch.cat([clips("train")[0], clips("val")[0]])
    assert len(every) == 1200
    assert spread(net, torch.cat([extreme_clips()[seed % 3 :: 3], every[seed::WEIGHT_SETS]])) < SAME


@pytest.mark.parametrize("seed", range(WEIGHT_SETS))
def test_attention_sees_all_clips_alike(seed):
    """Each weight set compares the same 4 clips with 3 of the extreme ones, so that all of those have their turn."""
    x = extreme_clips()
    some = torch.stack([x[(3 * seed + i) % len(x)] for i in range(3)])
    assert spread(random_net("nl_toy", seed, **reading(seed)), torch.cat([clips("val")[0][:4], some])) < SAME


@pytest.mark.parametrize("seed", range(WEIGHT_SETS))
@pytest.mark.parametrize("name", BLIND)
def test_batch_statistics_do_not_help(name, seed):
    x = extreme_clips()
    some = torch.stack([x[(4 * seed + i) % len(x)] for i in range(4 if name == "nl_toy" else 8)])
    assert spread(random_net(name, seed, **reading(seed)), some, training=True) < SAME


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("name", BLIND)
def test_the_same_nets_do_see_the_square(name, pooling):
    """Equal logits are no accident of dead units: without the square they are different."""
    x = extreme_clips()[:1]
    for seed in range(3):
        assert spread(random_net(name, seed, pooling=pooling), torch.cat([x, torch.zeros_like(x)])) > DIFFERENT


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("kernels", "pooling"), READINGS)
@pytest.mark.parametrize("name", BLIND)
def test_naive_placement_leaks(name, kernels, pooling, training):
    net = random_net(name, 0, kernels=kernels, pooling=pooling)
    assert spread(net, extreme_clips(placement="naive")[::4], training) > DIFFERENT


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BLIND)
def test_a_margin_of_two_is_enough_with_replicated_edges_only(name, seed):
    x = extreme_clips(margin=2)[:: 4 if name == "nl_toy" else 1]
    assert spread(random_net(name, seed, padding="replicate", **reading(seed)), x) < SAME


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("name", BLIND)
def test_a_margin_of_two_leaks_with_zero_padding(name, pooling):
    x = extreme_clips(margin=2)[::4]
    assert any(spread(random_net(name, seed, pooling=pooling), x) > DIFFERENT for seed in range(10))


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_subsampled_keys_leak_through_the_grid(pooling):
    """Why the toy NL net has subsampling off."""
    assert spread(random_net("nl_toy", 0, pooling=pooling, subsample=True), extreme_clips()[::4]) > DIFFERENT


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("pool", ["before_projection", "after_projection"])
@pytest.mark.parametrize("ties", ["random", "index"])
def test_cpnet_tells_clips_apart(ties, pool, pooling):
    net = random_net("cpnet_toy", 0, ties=ties, pool=pool, pooling=pooling)
    assert spread(net, extreme_clips()[::4]) > DIFFERENT


# The nets


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize("name", [*BLIND, "cpnet_toy"])
def test_clips_to_logits_and_gradients(name, padding, training):
    net = random_net(name, 0, padding=padding).train(training)
    logits = net(torch.rand(2, 3, 4, 8, 8, dtype=torch.float64))
    assert logits.shape == (2, 4)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "arguments", "kernels"),
    [
        ("nl_toy", {}, [(1, 3, 3), (3, 3, 3)]),
        ("nl_toy", {"kernels": "printed"}, [(1, 3, 3), (3, 1, 1)]),
        ("artnet_toy", {}, [(3, 3, 3), (1, 3, 3), (3, 3, 3)]),
        ("artnet_toy", {"kernels": "printed"}, [(3, 3, 3), (1, 3, 3), (1, 3, 3)]),
        ("trn_toy", {}, [(1, 3, 3), (1, 3, 3)]),
        ("cpnet_toy", {"kernels": "printed"}, [(1, 3, 3), (1, 3, 3)]),
    ],
)
def test_kernels_of_table_1(name, arguments, kernels):
    """(T, H, W) of all convolutions that look beyond a position, in order, each to 16 channels."""
    weights = [p for p in create_model(name, **arguments).parameters() if p.ndim >= 4]
    wide = [(1, *w.shape[2:]) if w.ndim == 4 else tuple(w.shape[2:]) for w in weights]
    assert [size for size in wide if size != (1, 1, 1)] == kernels
    assert all(len(w) == 16 for w, size in zip(weights, wide, strict=True) if size != (1, 1, 1))


@pytest.mark.parametrize("name", ["trn_toy", "cpnet_toy"])
def test_frame_convolutions_equal_3d_ones(name):
    conv = random_net(name, 0).stem[0]
    x = torch.randn(2, 3, 4, 6, 5, dtype=torch.float64)
    expected = torch.nn.functional.conv3d(x, conv.weight[:, :, None], padding=(0, 1, 1))
    torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize("name", [*BLIND, "cpnet_toy"])
@pytest.mark.parametrize("argument", ["kernels", "padding", "pooling"])
def test_unknown_options_are_refused(name, argument):
    with pytest.raises(ValueError, match=rf"{argument}(_mode)?='other'"):
        create_model(name, **{argument: "other"})
