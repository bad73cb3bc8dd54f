import torch
from torch import nn

from cpnet.engine.memory import saved_for_backward


def test_bytes_by_hand():
    x = torch.randn(10, 8, requires_grad=True)
    assert saved_for_backward(nn.Sigmoid(), x) == 10 * 8 * 4  # its output
    assert saved_for_backward(nn.Linear(8, 3, bias=False), x) == 10 * 8 * 4  # its input, not the weight
    assert saved_for_backward(nn.Sequential(nn.Sigmoid(), nn.Linear(8, 3)), x) == 10 * 8 * 4  # shared
    assert saved_for_backward(nn.Identity(), x) == 0
