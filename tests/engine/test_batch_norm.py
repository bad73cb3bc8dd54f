import pytest
import torch
from helpers import features
from torch import nn

from cpnet.engine.batch_norm import precise_batch_norm
from cpnet.models import create_model
from cpnet.nn.pairs import BatchNorm

CPU = torch.device("cpu")


def test_statistics_are_averages_over_the_batches():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).double()
    batches = [features(2, 3, 5, 5, seed=i) for i in range(3)]
    with torch.no_grad():
        outputs = [model[0](batch) for batch in batches]
    precise_batch_norm(model, batches, CPU)
    mean = torch.stack([y.mean((0, 2, 3)) for y in outputs]).mean(0)
    var = torch.stack([y.var((0, 2, 3)) for y in outputs]).mean(0)
    torch.testing.assert_close(model[1].running_mean, mean)
    torch.testing.assert_close(model[1].running_var, var)
    assert model[1].momentum == 0.1


def test_one_batch_makes_evaluation_equal_training():
    """Of a CPNet too, whose batch norms over pairs keep their own statistics; up to n / (n - 1) in the variances."""
    torch.manual_seed(0)
    net = create_model("cpnet_resnet18", width=8, stem="112_no_pool", num_classes=5, dropout=0.0, ties="index").double()
    for module in net.modules():
        if isinstance(module, BatchNorm):
            nn.init.ones_(module.weight)
    x = features(4, 3, 4, 64, 64)
    with torch.no_grad():
        before = net.eval()(x)
        precise_batch_norm(net, [x], CPU)
        training, evaluation = net.train()(x), net.eval()(x)
    assert (evaluation - training).norm() < 0.1 * (before - training).norm()


def test_frozen_statistics_are_left_alone():
    net = create_model("c2d_resnet18", width=2, stem="112_no_pool").freeze_batch_norm()
    before = net.bn1.running_mean.clone()
    with pytest.raises(ValueError, match="frozen"):
        precise_batch_norm(net, [torch.randn(1, 3, 2, 32, 32)], CPU)
    with pytest.raises(ValueError, match="frozen"):
        precise_batch_norm(nn.Sequential(net), [torch.randn(1, 3, 2, 32, 32)], CPU)  # wrapped
    assert torch.equal(net.bn1.running_mean, before)


def test_no_batches_leave_the_statistics_alone():
    norm = nn.BatchNorm2d(2)
    norm.running_mean.fill_(3)
    with pytest.raises(ValueError, match="no batch"):
        precise_batch_norm(norm, iter([]), CPU)
    assert (norm.running_mean == 3).all()
