from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn

from cpnet.bench import timing
from cpnet.bench.timing import measure_steps, measure_time, peak_bytes, relative, training_step
from cpnet.nn import CPModule


def test_peak_memory_is_that_of_a_case_worked_by_hand():
    before = torch.empty(10_000)

    def call():
        a = torch.empty(1000)  # 4000 bytes
        b = torch.empty(2000)  # 12000 bytes: the peak
        del a  # 8000 bytes
        c = torch.empty(500)  # 10000 bytes
        del b
        torch.empty(2400)  # 11600 bytes
        return c, before

    assert [peak_bytes(call, "cpu") for _ in range(3)] == [12_000] * 3


def test_peak_memory_is_counted_in_the_backward_pass_too():
    w = torch.ones(1000, requires_grad=True)

    def call():
        w.exp().sum().backward()  # the result of exp is kept, 4000 bytes; the gradient of w takes 4000 more
        w.grad = None

    assert 8000 <= peak_bytes(call, "cpu") < 12_000


def test_calls_take_turns():
    made = []
    frame = measure_time({name: lambda name=name: made.append(name) for name in "abc"}, repeats=2)
    turns = [name for i, name in enumerate(made) if i == 0 or name != made[i - 1]]
    assert turns == [*"abcabc"] and frame["candidate"].tolist() == [*"abc"]


def test_times_are_medians_in_milliseconds(monkeypatch):
    seconds = iter([0.001, 0.1, 0.003, 0.1, 0.002, 0.4])
    timer = SimpleNamespace(blocked_autorange=lambda **options: SimpleNamespace(median=next(seconds)))
    monkeypatch.setattr(timing, "Timer", lambda *arguments, **options: timer)
    assert measure_time({"a": print, "b": print}, repeats=3)["ms"].tolist() == pytest.approx([2, 100])


def test_ratios_are_to_the_reference():
    frame = pd.DataFrame({"candidate": ["a", "b"], "ms": [1.0, 4.0]})
    assert relative(frame, "b", "ms")["ms / b"].tolist() == [0.25, 1]


def test_a_training_step_reaches_every_parameter_and_leaves_no_gradient():
    torch.manual_seed(0)
    module, x = CPModule(8, 2), torch.randn(2, 8, 2, 3, 3, requires_grad=True)
    step = training_step(module, x)
    before = [parameter.clone() for parameter in module.parameters()]
    for _ in range(100):
        step()
    assert not [p.shape for p, old in zip(module.parameters(), before, strict=True) if torch.equal(p, old)]
    assert x.grad is None and all(parameter.grad is None for parameter in module.parameters())


class Scale(nn.Module):
    """Keeps its input for the gradient of the factor, and the factors, which are parameters."""

    def __init__(self, times):
        super().__init__()
        self.factors = nn.ParameterList(torch.ones(1) for _ in range(times))

    def forward(self, x):
        for factor in self.factors:
            x = x * factor
        return x


def test_steps_are_measured_on_features():
    x = torch.randn(2, 4, 2, 64, 64)
    frame = measure_steps({"one": Scale(1), "three": Scale(3)}, x, repeats=1)
    assert frame["shape"].tolist() == ["2x4x2x64x64"] * 2 and frame["positions"].tolist() == [2 * 64 * 64] * 2
    assert frame["saved MiB"].tolist() == [0.25, 0.75] and frame["saved MiB / one"].tolist() == [1, 3]
    # Of one: its result, and what is summed to the gradient of the factor. Of three: three results, that, and the
    # gradient of the second result.
    assert frame["peak MiB"].tolist() == pytest.approx([0.5, 1.25], abs=0.001)
