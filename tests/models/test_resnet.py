import json

import pytest
import torch
from helpers import features
from torchvision_resnet import CLASSES, GOLDEN, frames, state

from cpnet.models import create_model
from cpnet.models.resnet import GATES, Layers, ResNet


@pytest.mark.parametrize("depth", [18, 34, 101])
def test_logits_equal_torchvision_s(depth):
    """The same state dict by torchvision's names; a clip of one frame is an image."""
    net = create_model(f"c2d_resnet{depth}", num_classes=CLASSES, stem="224").eval()
    net.load_state_dict(state({name: tuple(value.shape) for name, value in net.state_dict().items()}))
    expected = torch.tensor(json.loads(GOLDEN.read_text())[f"resnet{depth}"])
    with torch.no_grad():
        logits = net(frames()[:, :, None])
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_convolutions_of_frames_equal_3d_ones_without_time(training):
    options = {"num_classes": 5, "width": 8, "stem": "224", "dropout": 0.0}
    frames, clips = (ResNet(18, layers, **options).double().train(training) for layers in (Layers(), Layers(1)))
    weights = frames.state_dict()
    clips.load_state_dict({key: v[:, :, None] if v.ndim == 4 else v for key, v in weights.items()})
    x = features(2, 3, 3, 64, 64)
    torch.testing.assert_close(clips(x), frames(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", ["c2d", "c3d", "nl", "artnet", "cpnet"])
def test_any_number_of_frames_and_any_size(family):
    net = create_model(f"{family}_resnet18", width=8, stem="112_no_pool", num_classes=5).eval()
    with torch.no_grad():
        assert net(features(1, 3, 5, 37, 50, dtype=torch.float32)).shape == (1, 5)
        assert net(features(1, 3, 9, 32, 32, dtype=torch.float32)).shape == (1, 5)


@pytest.mark.parametrize(("stem", "side"), [("224", 224), ("112", 112), ("112_no_pool", 112)])
@pytest.mark.parametrize("family", ["c2d", "c3d"])
def test_every_stem_ends_at_56(family, stem, side):
    net = create_model(f"{family}_resnet18", width=2, stem=stem).eval()
    seen = []
    net.layer1.register_forward_hook(lambda module, inputs, out: seen.append(out.shape[-2:]))
    with torch.no_grad():
        net(torch.zeros(1, 3, 2, side, side))
    assert seen == [(56, 56)]


def test_c2d_and_nl_cannot_see_the_order_of_frames():
    x = features(1, 3, 4, 32, 32, dtype=torch.float32)
    order = {"c2d": False, "nl": False, "c3d": True, "artnet": True, "trn": True, "cpnet": True}
    for family, sees_order in order.items():
        torch.manual_seed(0)
        frames = {"num_frames": 4} if family == "trn" else {}
        net = create_model(f"{family}_resnet18", width=8, stem="112_no_pool", num_classes=5, **frames).eval()
        for name, parameter in net.named_parameters():
            if name.endswith(GATES):
                torch.nn.init.ones_(parameter)
        with torch.no_grad():
            same = torch.allclose(net(x), net(x.flip(2)), rtol=1e-4, atol=1e-5)
        assert same == (not sees_order), family


def test_hooks_see_what_a_cp_module_adds():
    """The ReLU after the module does not overwrite its output."""
    torch.manual_seed(0)
    net = create_model("cpnet_resnet18", width=8, stem="112_no_pool", num_classes=5).eval()
    seen = []
    net.layer2[0].cp[0].register_forward_hook(lambda module, inputs, out: seen.append(out))
    with torch.no_grad():
        net(features(1, 3, 4, 32, 32, dtype=torch.float32))
    assert seen[0].min() < 0


@pytest.mark.parametrize("shape", [(3, 4, 32, 32), (1, 4, 3, 32, 32)])
def test_wrong_clips_are_refused(shape):
    with pytest.raises(ValueError, match=r"clips must be \(B, 3, T, H, W\), got shape"):
        create_model("c2d_resnet18", width=2)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stem": "113"}, "stem='113': choose one of 224, 112, 112_no_pool"),
        ({"width": 7}, "width=7"),
        ({"variant": "original"}, "variant='original': choose one of released, paper"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model("c2d_resnet18", **arguments)


def test_wrong_shortcut_is_refused():
    with pytest.raises(ValueError, match="shortcut_kernel=2"):
        create_model("c3d_resnet18", shortcut_kernel=2)
