import pytest
import torch

from cpnet.models import create_model
from cpnet.models.summary import count_parameters, describe, example_clip, multiply_adds, stages
from cpnet.nn import CPModule


def test_multiply_adds_of_an_image_are_the_published_ones():
    """torchvision documents 1.81 and 3.66 GFLOPS (multiply-adds) for ResNet-18 and -34 at 224x224."""
    for depth, published in ((18, 1.81), (34, 3.66)):
        net = create_model(f"c2d_resnet{depth}", num_classes=1000, stem="224")
        assert round(multiply_adds(net, example_clip(1, 224))[""] / 1e9, 2) == published


def test_attention_is_counted():
    """theta, phi, g and the projection, then two products of N x M x C/2."""
    clip = example_clip(4, 64)
    c2d, nl = (create_model(f"{f}_resnet18", width=16, stem="112_no_pool") for f in ("c2d", "nl"))
    extra = multiply_adds(nl, clip)["layer2"] - multiply_adds(c2d, clip)["layer2"]
    C, N = 32, 4 * 16 * 16
    assert extra == 2 * (2 * N * C * C // 2 + 2 * (N // 4) * C * C // 2 + 2 * N * (N // 4) * C // 2)


def test_counting_leaves_the_model_as_it_was():
    net = create_model("cpnet_resnet18", width=4, stem="112_no_pool", k=2).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    multiply_adds(net, example_clip(3, 32))
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_stages_are_named_and_sized_as_in_the_paper_s_table_7():
    table = stages(create_model("cpnet_resnet101", variant="paper"), example_clip(2, 64))
    assert table["output size"].to_dict() == {
        "conv1": "32×32×2",
        "maxpool": "16×16×2",
        "res2": "16×16×2",
        "res3": "8×8×2",
        "res4": "4×4×2",
        "res5": "2×2×2",
        "fc": "1×1×1",
    }
    assert table["layers"]["conv1"] == "7×7, 64, stride 2"
    plain, with_cp = "[1×1, 256; 3×3, 256; 1×1, 1024] × 20", "[1×1, 256; 3×3, 256; 1×1, 1024; CP module] × 3"
    assert table["layers"]["res4"] == f"{plain}, {with_cp}"
    assert table["layers"]["fc"] == "fc 400"


@pytest.mark.parametrize("name", ["cpnet_toy", "artnet_resnet18", "trn_resnet34"])
def test_stages_account_for_everything(name):
    arguments = {} if name.endswith("toy") else {"width": 8, "stem": "112_no_pool"}
    net = create_model(name, **arguments)
    clip = example_clip(4 if name.endswith("toy") else 8, 32)
    table = stages(net, clip)
    assert table["weights"].sum() == count_parameters(net)["weights"]
    assert table["multiply-adds"].sum() == multiply_adds(net, clip)[""]


def test_descriptions():
    artnet = create_model("artnet_resnet18", width=8)
    assert describe(artnet.conv1) == ["SMART 7×7×3, 8"]
    assert describe(artnet.layer2) == ["[3×3×3, 16; SMART 3×3×3, 16] × 2"]
    assert describe(create_model("nl_resnet18", width=8).layer4) == ["[3×3, 64; 3×3, 64; NL block] × 2"]
    assert describe(create_model("trn_resnet18", width=8).relation) == ["temporal relations"]


def test_counts_are_of_weights_and_of_everything():
    counts = count_parameters(create_model("c2d_resnet18", num_classes=10, width=8))
    net = create_model("c2d_resnet18", num_classes=10, width=8)
    everything = sum(p.numel() for p in net.parameters())
    vectors = sum(p.numel() for p in net.parameters() if p.ndim == 1)
    assert counts == {"weights": everything - vectors, "trainable": everything}


def test_multiply_adds_of_a_cp_module_are_those_of_its_search_and_of_every_layer():
    C, k, T, H, W = 16, 3, 3, 4, 5
    N, h1, h2 = T * H * W, C // 4, C // 2
    search = N * (N - H * W) * C
    first, second, last = N * 2 * C * h1 + N * 3 * h1, N * k * h1 * h2, N * h2 * C
    x = torch.randn(1, C, T, H, W)
    assert multiply_adds(CPModule(C, k), x)[""] == search + first + second + last
