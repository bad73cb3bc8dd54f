import math

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from cpnet.engine.evaluate import evaluate
from cpnet.engine.machine import Machine
from cpnet.engine.toy_training import Schedule, train

CPU = torch.device("cpu")


def separable(n=64):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 3
    clips = nn.functional.one_hot(labels, 3).float() + 0.1 * torch.randn(n, 3, generator=generator)
    return TensorDataset(clips, labels)


def fit(model, data, epochs=5, lr=0.1, seed=0):
    return train(model, data, data, Schedule(epochs, 16, lr), seed, Machine(progress=False))


def test_it_learns_and_keeps_one_value_an_epoch():
    curves = fit(nn.Linear(3, 3), separable())
    assert set(curves) == {"train_loss", "train_top1", "val_top1"}
    assert all(len(values) == 5 for values in curves.values())
    assert curves["val_top1"][-1] == 100
    assert curves["train_loss"][-1] < curves["train_loss"][0]


def test_the_last_small_batch_counts_by_its_size():
    model = nn.Linear(3, 3)
    data = separable(18)
    curves = fit(model, data, epochs=1, lr=0.0)
    clips, labels = data.tensors
    assert curves["train_loss"][0] == pytest.approx(nn.functional.cross_entropy(model(clips), labels).item(), rel=1e-5)


def test_the_seed_decides_the_order():
    def losses(seed):
        torch.manual_seed(5)
        return fit(nn.Linear(3, 3), separable(), seed=seed)["train_loss"]

    assert losses(0) == losses(0)
    assert losses(0) != losses(1)


def test_a_diverged_loss_stops_the_training():
    model = nn.Linear(3, 3)
    nn.init.constant_(model.weight, math.nan)
    with pytest.raises(FloatingPointError, match="lower lr"):
        fit(model, separable())


def test_accuracy_by_hand():
    scores = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 1.0]])
    labels = torch.tensor([0, 1, 1, 0, 1])
    result = evaluate(nn.Identity(), TensorDataset(scores, labels), batch_size=2, device=CPU)
    assert result.top1 == pytest.approx(80)
    assert result.per_class == pytest.approx([100, 200 / 3])
    assert (result.n_expected, result.n_scored) == (5, 5)


def test_a_constant_classifier_gets_chance_and_evaluation_mode_is_on():
    class Constant(nn.Module):
        def forward(self, x):
            assert not self.training
            return torch.eye(4)[[2]].expand(len(x), 4)

    data = TensorDataset(torch.zeros(40, 1), torch.arange(40) % 4)
    assert evaluate(Constant(), data, batch_size=7, device=CPU).top1 == 25
