from functools import partial

import pandas as pd
import pytest
import torch

from cpnet.__main__ import main
from cpnet.bench import train
from cpnet.bench.train import Stored, blocks, exponents, features, measure_attention, networks
from cpnet.engine.memory import saved_for_backward
from cpnet.nn import NonLocalBlock


def test_the_networks_differ_in_their_blocks_only():
    kinds = networks(width=4, k=2)
    plain = kinds["C2D alone"].state_dict().keys()
    places = {"layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0", "layer4.1"}
    for name, kind in (("NL", "nl"), ("CP", "cp")):
        more = kinds[name].state_dict().keys() - plain
        assert {tuple(key.split(".")[:3]) for key in more} == {(*place.split("."), kind) for place in places}


def test_stored_attention_computes_the_same():
    torch.manual_seed(0)
    block = NonLocalBlock(16)
    torch.nn.init.ones_(block.norm.weight)
    x = torch.randn(2, 16, 3, 6, 6)
    torch.testing.assert_close(Stored(block)(x), block(x), rtol=1e-4, atol=1e-5)


def test_saved_memory_grows_like_pairs_where_they_are_stored_and_like_positions_elsewhere():
    saved = {}
    for T in (2, 8):
        x = torch.randn(1, 8, T, 8, 8, requires_grad=True)
        saved[T] = {name: saved_for_backward(block, x) for name, block in blocks(8, k=2).items()}
        pairs = saved[T]["NL, all keys, stored"] - saved[T]["NL, all keys"]
        assert pairs == pytest.approx(4 * (T * 64) ** 2, rel=0.05)  # bytes
    for name in ("NL", "CP", "CP, shrink 2"):
        assert saved[8][name] / saved[2][name] == pytest.approx(4, rel=0.1)


def test_exponents_are_those_of_powers():
    N = torch.tensor([64.0, 128, 512])
    powers = {"pairs": 2, "positions": 1}
    measured = [
        pd.DataFrame({"positions": N, "candidate": name, "ms": 3 * N**p, "peak MiB": N**p, "saved MiB": N ** (p / 2)})
        for name, p in powers.items()
    ]
    found = exponents(pd.concat(measured)).set_index("candidate")
    assert found.columns.tolist() == ["exponent of ms", "exponent of peak MiB", "exponent of saved MiB"]
    assert found.loc["pairs"].tolist() == pytest.approx([2, 2, 1])
    assert found.loc["positions"].tolist() == pytest.approx([1, 1, 0.5])


def test_features_are_as_large_as_in_the_network():
    net = networks(width=4)["C2D alone"]
    seen = []
    for stage in (net.layer2, net.layer3):
        stage.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    net(torch.randn(2, 3, 2, 72, 72))
    for stage, (images, C, H, W) in zip((3, 4), seen, strict=True):
        B, *shape = features(stage, (2, 2, 72), width=4)
        assert B * shape[1] == images and shape == [C, 2, H, W]


def test_the_command_measures_networks_blocks_and_growth(monkeypatch, capsys):
    monkeypatch.setattr(train, "measure_attention", partial(measure_attention, clips=(2, 2, 64), width=4, k=2))
    main(["bench", "train", "--repeats", "1"])
    header, *frames = capsys.readouterr().out.split("\n\n")
    assert header.startswith("cpu: ")
    shapes = [{line.split()[0] for line in frame.splitlines()[1:]} for frame in frames[:4]]
    assert shapes == [
        {"2x3x2x64x64"},
        {"1x3x2x32x32", "1x3x8x32x32"},
        {"2x8x2x16x16", "2x16x2x8x8"},
        {"1x8x2x8x8", "1x8x4x8x8", "1x8x8x8x8"},
    ]
    assert len(frames[4].splitlines()) == 1 + len(blocks(8))
