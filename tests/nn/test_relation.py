from functools import partial
from itertools import combinations

import helpers
import pytest
import torch

from cpnet.nn import MultiScaleRelation
from cpnet.nn.relation import _combination

features = partial(helpers.features, dtype=torch.float32)


def relation(in_features=5, num_frames=4, num_classes=3, **kwargs):
    torch.manual_seed(0)
    return MultiScaleRelation(in_features, num_frames, num_classes, **{"hidden": 7, "dropout": 0.0} | kwargs)


def enumerate_tuples(module, x, tuples):
    """Sum over the tuples of ReLU, linear, ReLU, linear of the concatenated reduced frames, written with matrices."""
    linear = module.reduce[1]
    frames = x @ linear.weight.T + linear.bias
    total = 0
    for frame_tuple in tuples:
        head = module.heads[module.num_frames - len(frame_tuple)]
        y = torch.cat([frames[:, t] for t in frame_tuple], dim=1).clamp(min=0)
        y = (y @ head[1].weight.T + head[1].bias).clamp(min=0)
        total = total + y @ head[3].weight.T + head[3].bias
    return total


@pytest.mark.parametrize(
    ("num_frames", "limit", "tuples"),
    [
        (2, 3, [(0, 1)]),
        (3, 3, [(0, 1, 2), (0, 1), (0, 2), (1, 2)]),
        (3, 1, [(0, 1, 2), (0, 1)]),
        (4, 100, [c for size in (4, 3, 2) for c in combinations(range(4), size)]),
        (4, 3, [(0, 1, 2, 3), (0, 1, 2), (0, 1, 3), (0, 2, 3), (0, 1), (0, 3), (1, 3)]),
    ],
)
def test_evaluation_sums_these_tuples(num_frames, limit, tuples):
    module = relation(num_frames=num_frames, tuples_per_scale=limit).eval()
    x = features(6, num_frames, 5)
    torch.testing.assert_close(module(x), enumerate_tuples(module, x, tuples))


def test_training_sums_some_distinct_ordered_tuples_of_each_size():
    module = relation().train()
    x = features(2, 4, 5)
    choices = [
        [all_four, *threes, *twos]
        for all_four in combinations(range(4), 4)
        for threes in combinations(combinations(range(4), 3), 3)
        for twos in combinations(combinations(range(4), 2), 3)
    ]
    sums = torch.stack([enumerate_tuples(module, x, tuples) for tuples in choices])
    for _ in range(10):
        assert (sums - module(x)).abs().amax((1, 2)).min() < 1e-5


def test_training_varies_and_is_seeded():
    x = features(2, 4, 5)

    def five_calls(seed):
        module = relation(seed=seed).train()
        return torch.stack([module(x) for _ in range(5)])

    first = five_calls(3)
    assert torch.equal(first, five_calls(3))
    assert not torch.equal(first, five_calls(4))
    assert (first - first[0]).abs().max() > 1e-4


def test_all_tuples_have_their_turn():
    module = relation().train()
    drawn = {t for _ in range(60) for t in module._tuples(2)}
    assert drawn == set(combinations(range(4), 2))


@pytest.mark.parametrize("size", range(1, 8))
def test_combinations_are_in_lexicographic_order(size):
    expected = list(combinations(range(7), size))
    assert [_combination(i, 7, size) for i in range(len(expected))] == expected


def test_many_frames_need_no_list_of_all_tuples():
    module = relation(num_frames=48).train()  # 32 trillion tuples of 24
    for _ in range(5):
        drawn = module._tuples(24)
        assert len(set(drawn)) == 3
        assert all(len(t) == 24 and list(t) == sorted(set(t)) and t[-1] < 48 for t in drawn)
    assert module(features(2, 48, 5)).shape == (2, 3)


def test_evaluation_is_fixed():
    module = relation(tuples_per_scale=2)
    x = features(2, 4, 5)
    before = module.eval()(x)
    module.train()(x)
    assert torch.equal(module.eval()(x), before)
    torch.testing.assert_close(module(x[1:]), before[1:])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("num_frames", [2, 4, 8])
def test_the_full_scale_is_the_one_tuple_of_all_frames(num_frames, training):
    module = relation(num_frames=num_frames).train(training)
    assert module._tuples(num_frames) == [tuple(range(num_frames))]
    assert module.scales == tuple(range(num_frames, 1, -1))


def test_order_of_frames_matters():
    module = relation().eval()
    x = features(2, 4, 5)
    assert (module(x) - module(x.flip(1))).abs().max() > 1e-3


def test_dropout_is_for_training_only():
    x = features(4, 2, 5)
    module = relation(num_frames=2, dropout=0.8)  # one tuple: nothing else is random
    assert not torch.equal(module.train()(x), module(x))
    assert torch.equal(module.eval()(x), module(x))


def test_gradient_reaches_every_parameter():
    module = relation(num_frames=3)
    module(features(8, 3, 5)).square().sum().backward()
    for name, p in module.named_parameters():
        assert p.grad is not None and p.grad.abs().max() > 0, name


def test_one_frame_is_refused():
    with pytest.raises(ValueError, match="num_frames=1"):
        relation(num_frames=1)


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 5), (2, 4, 5, 1)], ids=str)
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(B, 4, C\)"):
        relation()(torch.zeros(shape))
