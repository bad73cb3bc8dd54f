import pytest
import torch
from torch import nn

from cpnet.engine.recipe import Phase, Recipe, batch_norm_momentum, learning_rate, make_optimizer


def test_one_cycle_is_that_of_torch():
    phase, steps = Phase(epochs=5, lr=0.3), 7
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=5 * steps + 1, cycle_momentum=False)
    # torch's peak is at a whole step
    for step in range(5 * steps + 1):
        ours = learning_rate(Recipe(schedule="one_cycle"), phase, step / steps)
        assert ours == pytest.approx(schedule.get_last_lr()[0], rel=0.12, abs=2e-5)
        optimizer.step()
        schedule.step()


def test_one_cycle_has_no_other_warm_up():
    with pytest.raises(ValueError, match=r"warmup_epochs=1.0: one_cycle has a rise of its own"):
        Recipe(schedule="one_cycle", warmup_epochs=1.0)


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 0.01), (39.9, 0.01), (40, 1e-3), (85, 1e-4), (130, 1e-5), (250, 1e-5)]
)
def test_steps_are_those_of_the_released_code(epoch, expected):
    assert learning_rate(Recipe(), Phase(), epoch) == pytest.approx(expected)


def test_cosine_falls_from_the_base_to_the_least():
    recipe, phase = Recipe(schedule="cosine", min_lr=0.001), Phase(epochs=10, lr=0.1)
    rates = [learning_rate(recipe, phase, epoch) for epoch in range(11)]
    assert rates[0] == 0.1 and rates[-1] == pytest.approx(0.001) and rates == sorted(rates, reverse=True)
    assert rates[5] == pytest.approx((0.1 + 0.001) / 2)


def test_warm_up_is_linear():
    recipe = Recipe(warmup_epochs=4)
    assert [learning_rate(recipe, Phase(), epoch) for epoch in (0, 1, 2, 4, 9)] == [0, 0.0025, 0.005, 0.01, 0.01]


def test_batch_norm_momentum_is_halved_down_to_a_hundredth():
    found = [batch_norm_momentum(Recipe(), epoch) for epoch in (0, 39, 40, 80, 1000)]
    assert found == [0.5, 0.5, 0.25, 0.125, 0.01]
    assert batch_norm_momentum(Recipe(bn_schedule=False), 500) == 0.1


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weights_alone_decay_and_frozen_parameters_are_left_out(optimizer):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    net[2].weight.requires_grad_(False)
    made = make_optimizer(Recipe(optimizer=optimizer, weight_decay=0.1), net.parameters())
    by_decay = {group["weight_decay"]: group["params"] for group in made.param_groups}
    assert [p.shape for p in by_decay[0.1]] == [(4, 3)]
    assert [p.shape for p in by_decay[0.0]] == [(4,), (4,), (4,), (2,)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"momentum": 1.0}, "momentum=1.0: give 0 or more, less than 1"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1: give 0 or more"),
        ({"warmup_epochs": float("inf")}, "warmup_epochs=inf: give 0 or more"),
        ({"decay_epochs": 0.0}, "decay_epochs=0.0: give more than 0"),
        ({"min_lr": float("nan")}, "min_lr=nan: give 0 or more"),
        ({"seed": -1}, "seed=-1: give 0 or more"),
    ],
)
def test_numbers_that_train_nothing_sensible_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf")])
def test_a_learning_rate_is_0_or_more(lr):
    with pytest.raises(ValueError, match=f"lr={lr} in a phase: give 0 or more"):
        Phase(lr=lr)
