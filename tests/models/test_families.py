from collections import Counter

import pytest
import torch

from cpnet.models import create_model
from cpnet.models.families import POSITIONS
from cpnet.nn import CPModule, MultiScaleRelation, NonLocalBlock, SMARTBlock


def on_meta(name, **arguments):
    with torch.device("meta"):
        return create_model(name, **arguments)


def places(net, kind):
    """How many modules of a kind each (stage, block) holds."""
    found = Counter()
    for name, module in net.named_modules():
        if isinstance(module, kind):
            stage, block = name.split(".")[:2]
            found[int(stage.removeprefix("layer")) + 1, int(block)] += 1
    return dict(found)


def cp_modules(net):
    return [module for module in net.modules() if isinstance(module, CPModule)]


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ("1", {(4, 1): 1}),
        ("2", {(4, 0): 1, (4, 1): 1}),
        ("4", {(3, 0): 1, (3, 1): 1, (4, 0): 1, (4, 1): 1}),
        (None, {(s, b): 1 for s in (3, 4, 5) for b in (0, 1)}),
        ("res3", {(3, 0): 1, (3, 1): 1}),
        ("res5", {(5, 0): 1, (5, 1): 1}),
        ("5", {(3, 0): 1, (3, 1): 1, (4, 0): 1, (4, 1): 2}),
        ([[2, 0], [5, 1]], {(2, 0): 1, (5, 1): 1}),
        (4, {(3, 0): 1, (3, 1): 1, (4, 0): 1, (4, 1): 1}),  # as papermill passes it
    ],
)
def test_positions_on_resnet18(positions, expected):
    assert places(on_meta("cpnet_resnet18", positions=positions), CPModule) == expected


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("cpnet_resnet34", CPModule, {(3, 2), (3, 3), (4, 3), (4, 4), (4, 5)}),
        ("cpnet_resnet101", CPModule, {(3, 2), (3, 3), (4, 20), (4, 21), (4, 22)}),
        ("nl_resnet18", NonLocalBlock, {(3, 0), (3, 1), (4, 0), (4, 1), (5, 0), (5, 1)}),
        ("nl_resnet101", NonLocalBlock, {(3, 1), (3, 3), (4, 6), (4, 13), (4, 20)}),
    ],
)
def test_default_positions(name, kind, expected):
    assert places(on_meta(name), kind) == dict.fromkeys(expected, 1)


def test_artnet_has_smart_blocks_up_to_res4():
    names = {name for name, module in on_meta("artnet_resnet18").named_modules() if isinstance(module, SMARTBlock)}
    assert names == {"conv1"} | {f"layer{stage}.{block}.conv2" for stage in (1, 2, 3) for block in (0, 1)}


def test_dropout():
    assert on_meta("c2d_resnet18").dropout.p == on_meta("cpnet_resnet101").dropout.p == 0.5
    assert on_meta("trn_resnet18").relation.reduce[0].p == 0.8
    assert (
        on_meta("c3d_resnet18", dropout=0.1).dropout.p
        == on_meta("trn_resnet18", dropout=0.1).relation.reduce[0].p
        == 0.1
    )


def test_trn_has_relations_in_place_of_the_linear_layer():
    net = on_meta("trn_resnet18", num_frames=5)
    assert isinstance(net.relation, MultiScaleRelation) and net.relation.scales == (5, 4, 3, 2)
    assert not hasattr(net, "fc")


@pytest.mark.parametrize(
    ("name", "variant", "k", "pool", "hidden", "bottleneck", "shrink"),
    [
        ("cpnet_resnet18", "released", 8, "before_projection", (32, 64), None, 2),
        ("cpnet_resnet34", "released", 8, "before_projection", (32, 64), None, 2),
        ("cpnet_resnet101", "released", 4, "before_projection", (64,), 64, 2),
        ("cpnet_resnet18", "paper", 8, "after_projection", (32, 64), None, 1),
        ("cpnet_resnet34", "paper", 12, "after_projection", (32, 64), None, 1),
        ("cpnet_resnet101", "paper", 4, "after_projection", (32, 64), None, 1),
    ],
)
def test_variants(name, variant, k, pool, hidden, bottleneck, shrink):
    """Of the first module, at res3; every other one searches at full resolution."""
    modules = cp_modules(on_meta(name, variant=variant))
    first = modules[0]
    assert (first.k, first.pool, first.hidden, first.shrink) == (k, pool, hidden, shrink)
    width = None if isinstance(first.bottleneck, torch.nn.Identity) else first.bottleneck[0].out_channels
    assert width == bottleneck
    at_res4 = [module for module in modules if module.channels != first.channels]
    assert at_res4 and all(module.shrink == 1 for module in at_res4)


def test_what_is_given_overrides_the_variant():
    module = cp_modules(on_meta("cpnet_resnet18", k=3, hidden_fractions=(1, 0.5), pool="after_projection", shrink=1))[0]
    assert (module.k, module.hidden, module.pool, module.shrink) == (3, (128, 64), "after_projection", 1)


def test_k_may_be_set_after_construction():
    torch.manual_seed(0)
    net = create_model("cpnet_resnet18", width=8, stem="112_no_pool", num_classes=5, k=2).eval()
    for module in cp_modules(net):
        torch.nn.init.ones_(module.projection_norm.weight)
    x = torch.randn(1, 3, 4, 32, 32)
    with torch.no_grad():
        two = net(x)
        net.k = 8
        eight = net(x)
        net.k = 2
        assert torch.equal(net(x), two)
    assert not torch.equal(eight, two)
    assert {module.k for module in cp_modules(net)} == {net.k} == {2}


def test_no_two_modules_draw_the_same_ties():
    seeds = [m.tie_seed for seed in range(3) for m in cp_modules(on_meta("cpnet_resnet18", seed=seed))]
    assert len(set(seeds)) == len(seeds) == 18


@pytest.mark.parametrize(
    ("name", "positions", "message"),
    [
        ("cpnet_resnet18", "3", r"positions='3': choose one of 1, 2, 4, 6, res3, .* or give \(stage, block\) pairs"),
        ("cpnet_resnet34", "6", "positions='6': choose one of 5"),
        ("cpnet_resnet18", [(4, 2)], "no block 2 in res4: ResNet-18 has res2 0 to 1"),
        ("nl_resnet18", [(6, 0)], "no block 0 in res6"),
        ("nl_resnet18", "6", r"positions='6': give \(stage, block\) pairs"),
        ("cpnet_resnet18", (4, 1), r"positions=\(4, 1\): .* give \(stage, block\) pairs"),
        ("cpnet_resnet18", [], r"positions=\[\]"),
    ],
)
def test_wrong_positions_are_refused(name, positions, message):
    with pytest.raises(ValueError, match=message):
        on_meta(name, positions=positions)


@pytest.mark.parametrize("fractions", [(64, 128), (0, 0.5), ()])
def test_hidden_widths_are_fractions(fractions):
    with pytest.raises(ValueError, match="hidden_fractions="):
        on_meta("cpnet_resnet18", hidden_fractions=fractions)


def test_every_preset_can_be_built():
    for depth, presets in POSITIONS.items():
        for preset, expected in presets.items():
            assert len(cp_modules(on_meta(f"cpnet_resnet{depth}", positions=preset))) == len(expected)
