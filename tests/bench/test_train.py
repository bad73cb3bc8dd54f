import math

import pytest
import torch

from cpnet.bench import bench_train
from cpnet.bench import train as bench
from cpnet.bench.train import BLOCKS, NETWORKS, Case, Stored
from cpnet.engine.memory import saved_for_backward
from cpnet.nn import NonLocalBlock

WHAT = ["seconds", "peak bytes", "saved bytes"]


def test_networks_are_measured_in_processes_of_their_own(monkeypatch, capsys):
    for name in ("NL, stored", "C2D alone"):  # a process each takes seconds
        monkeypatch.delitem(NETWORKS, name)
    found = bench_train(repeats=1, shape=(1, 2, 64), width=4, k=2, parts=("networks",))
    assert list(found) == [("network", name, what) for name in NETWORKS for what in WHAT]
    assert all(0 < value < math.inf for value in found.values())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + len(NETWORKS)
    assert lines[3].startswith("network, 1x3x2x64x64")
    assert lines[3].split()[-3:] == ["1.00x"] * 3  # the reference, relative to itself


def test_all_parts_are_measured_where_they_should_be(monkeypatch, capsys):
    shapes = []

    def here(function, case, name, *repeats):  # in this process; the memory of a process is measured above
        if function is bench._seconds:
            return function(case, name, *repeats)
        shapes.append((case.title, case.shape))
        module, _, x = bench._prepare(case, name)
        return 1.0, float(saved_for_backward(module, x))

    monkeypatch.setattr(bench, "in_child", here)
    found = bench_train(repeats=1, shape=(2, 2, 64), width=4, k=2)
    assert dict(shapes) == {
        "network": (2, 3, 2, 64, 64),
        "res3": (2, 8, 2, 16, 16),
        "res4": (2, 16, 2, 8, 8),
        "network, T 2": (1, 3, 2, 32, 32),
        "network, T 8": (1, 3, 8, 32, 32),
        "res3, T 2": (1, 8, 2, 8, 8),
        "res3, T 8": (1, 8, 8, 8, 8),
    }
    names = {title: NETWORKS if title.startswith("network") else BLOCKS for title in dict(shapes)}
    assert list(found) == [(title, name, what) for title in names for name in names[title] for what in WHAT]
    assert all(0 < value < math.inf for value in found.values())
    assert len(capsys.readouterr().out.splitlines()) == 3 + len(shapes)
    # Saved bytes are counted, so what they grow like is exact: a matrix of all pairs of positions, or features.
    pairs = {T: 4 * (T * 64) ** 2 for T in (2, 8)}
    for T in (2, 8):
        stored, fused = (found[f"res3, T {T}", f"NL, all keys{form}", "saved bytes"] for form in (", stored", ""))
        assert stored - fused == pytest.approx(pairs[T], rel=0.05)
    for name in ("NL", "CP", "CP, shrink 2"):
        short, long = (found[f"res3, T {T}", name, "saved bytes"] for T in (2, 8))
        assert long / short == pytest.approx(4, rel=0.1)


def test_the_networks_differ_in_their_blocks_only():
    case = Case("", (1, 3, 2, 64, 64), True, 18, 4, 2, "cpu", 1)
    plain = NETWORKS["C2D alone"](case).state_dict().keys()
    places = {"layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0", "layer4.1"}
    for name, kind in (("NL", "nl"), ("CP", "cp")):
        more = NETWORKS[name](case).state_dict().keys() - plain
        assert {tuple(key.split(".")[:3]) for key in more} == {(*place.split("."), kind) for place in places}


def test_stored_attention_computes_the_same():
    torch.manual_seed(0)
    block = NonLocalBlock(16)
    torch.nn.init.ones_(block.norm.weight)
    x = torch.randn(2, 16, 3, 6, 6)
    torch.testing.assert_close(Stored(block)(x), block(x), rtol=1e-4, atol=1e-5)


def test_unknown_parts_are_refused():
    with pytest.raises(ValueError, match="choose from networks, blocks, growth"):
        bench_train(parts=("network",))
