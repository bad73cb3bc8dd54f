import hashlib

import pytest
import safetensors.torch
import torch
from helpers import features, fill_randomly

from cpnet.models import create_model, pretrained
from cpnet.models.pretrained import _inflate, load_pretrained

SMALL = {"width": 4, "stem": "112_no_pool", "num_classes": 5}


def small(name, **arguments):
    return create_model(name, **SMALL, **arguments)


@pytest.fixture
def image_net(tmp_path):
    """A file of weights with torchvision's names, as its ImageNet files are: another number of classes, no counters."""
    net = fill_randomly(create_model("c2d_resnet18", width=4, stem="224", num_classes=7))
    weights = {key: value for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "resnet18.pth")
    return tmp_path / "resnet18.pth", weights


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_net_of_frames_takes_all_but_the_classes(image_net, tmp_path, suffix):
    path, weights = image_net
    if suffix == "safetensors":
        path = tmp_path / "resnet18.safetensors"
        safetensors.torch.save_file(weights, path)
    net = small("c2d_resnet18", pretrained=path)
    assert net.fresh == ["fc.weight", "fc.bias"]
    for key, value in net.state_dict().items():
        if not key.startswith("fc.") and not key.endswith("num_batches_tracked"):
            assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize(
    ("name", "fresh"),
    [("cpnet_resnet18", {"cp", "fc"}), ("nl_resnet18", {"nl", "fc"}), ("trn_resnet18", {"relation"})],
)
def test_what_is_inserted_stays_fresh_and_is_listed(image_net, name, fresh):
    torch.manual_seed(0)
    untouched = small(name).state_dict()
    torch.manual_seed(0)
    net = small(name, pretrained=str(image_net[0]))
    assert {kind for key in net.fresh for kind in ("cp", "nl", "fc", "relation") if kind in key.split(".")} == fresh
    loaded = [key for key, _ in net.named_parameters() if key not in net.fresh]
    assert len(loaded) == 60  # 20 convolutions, and gamma and beta of 20 norms
    values = net.state_dict()
    assert all(torch.equal(values[key], untouched[key]) for key in net.fresh)
    assert all(torch.equal(values[key], image_net[1][key]) for key in loaded)


def test_inflated_weights_give_a_still_clip_what_2d_ones_give_its_frame():
    w = features(3, 2, 3, 3)
    frame = features(1, 2, 6, 6, seed=1)
    still = frame[:, :, None].expand(-1, -1, 5, -1, -1)
    inflated = _inflate(w, features(3, 2, 3, 3, 3))
    expected = torch.nn.functional.conv2d(frame, w)[:, :, None].expand(-1, -1, 3, -1, -1)
    torch.testing.assert_close(torch.nn.functional.conv3d(still, inflated), expected)


def test_c3d_is_inflated(image_net):
    path, weights = image_net
    net = small("c3d_resnet18", pretrained=path)
    assert net.fresh == ["fc.weight", "fc.bias"]
    torch.testing.assert_close(net.conv1.weight.sum(2), weights["conv1.weight"])
    assert torch.equal(net.layer2[0].downsample[0].weight[:, :, 0], weights["layer2.0.downsample.0.weight"])


def test_both_branches_of_a_smart_block_start_from_the_convolution(image_net):
    path, weights = image_net
    net = small("artnet_resnet18", pretrained=path)
    smart = net.layer1[0].conv2
    assert torch.equal(smart.appearance.weight[:, :, 0], weights["layer1.0.conv2.weight"])
    torch.testing.assert_close(smart.relation.weight.sum(2), weights["layer1.0.conv2.weight"])
    assert torch.equal(smart.appearance_norm.running_var, weights["layer1.0.bn2.running_var"])
    assert torch.equal(net.bn1.weight, torch.ones(4))  # after the reduction, which the file does not know
    assert torch.equal(net.layer4[0].bn2.weight, weights["layer4.0.bn2.weight"])  # res5 has no SMART blocks
    assert {"conv1.reduce.weight", "bn1.weight", "layer1.0.conv2.relation_norm.weight"} <= set(net.fresh)
    assert not {"layer4.0.bn2.weight", "conv1.relation.weight"} & set(net.fresh)


def test_shortcuts_of_3x3x3_start_as_1x1(image_net):
    path, weights = image_net
    kernel = small("c3d_resnet18", shortcut_kernel=3, pretrained=path).layer2[0].downsample[0].weight
    torch.testing.assert_close(
        kernel[:, :, :, 1, 1].sum(2, keepdim=True)[..., 0], weights["layer2.0.downsample.0.weight"][..., 0, 0]
    )
    assert kernel.count_nonzero() == 3 * weights["layer2.0.downsample.0.weight"].count_nonzero()


def test_another_cpnet_gives_its_modules_too(tmp_path):
    kinetics = fill_randomly(create_model("cpnet_resnet18", width=4, stem="112_no_pool", num_classes=9))
    torch.save(kinetics.state_dict(), tmp_path / "kinetics.pth")
    net = small("cpnet_resnet18", pretrained=tmp_path / "kinetics.pth")
    assert net.fresh == ["fc.weight", "fc.bias"]
    assert torch.equal(net.layer3[1].cp[0].projection.weight, kinetics.layer3[1].cp[0].projection.weight)
    with pytest.raises(ValueError, match=r"also has layer2.0.cp.0.layers.0.weight, .* and \d+ more"):
        small("c2d_resnet18", pretrained=tmp_path / "kinetics.pth")


def test_imagenet_is_fetched_by_torchvision_s_file_name(image_net, tmp_path, monkeypatch):
    """The real path, torch.hub and its check of the hash in the name, with a server of files."""
    content = image_net[0].read_bytes()
    name = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(pretrained, "URL", tmp_path.as_uri() + "/{}")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    with pytest.raises(
        ValueError, match=r"resnet18-f37072fd\.pth cannot be fetched .* put it into .*home/hub/checkpoints"
    ):
        small("c2d_resnet18", pretrained="imagenet")
    monkeypatch.setitem(pretrained.IMAGENET, 18, name)
    assert small("cpnet_resnet18", pretrained="imagenet").fresh
    cached = tmp_path / "home" / "hub" / "checkpoints" / name
    cached.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf"{name} is damaged, .*: delete it"):
        small("c2d_resnet18", pretrained="imagenet")
    monkeypatch.setitem(pretrained.IMAGENET, 18, "resnet18-00000000.pth")
    (tmp_path / "resnet18-00000000.pth").write_bytes(content)
    with pytest.raises(RuntimeError, match="invalid hash value"):
        small("c2d_resnet18", pretrained="imagenet")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"no file of weights at {tmp_path}/none.pth"):
        small("c2d_resnet18", pretrained=tmp_path / "none.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("size", [0, 10, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(image_net, tmp_path, suffix, size):
    path = tmp_path / f"cut.{suffix}"
    if suffix == "safetensors":
        safetensors.torch.save_file(image_net[1], path)
    else:
        path.write_bytes(image_net[0].read_bytes())
    whole = path.read_bytes()
    path.write_bytes(whole[: size if isinstance(size, int) else int(size * len(whole))])
    with pytest.raises(ValueError, match=rf"cut.{suffix} cannot be read as weights, it may be truncated"):
        small("c2d_resnet18", pretrained=path)


def test_pickled_objects_are_refused(tmp_path):
    torch.save({"conv1.weight": pytest.raises}, tmp_path / "objects.pth")
    with pytest.raises(ValueError, match=r"objects.pth cannot be read as weights"):
        small("c2d_resnet18", pretrained=tmp_path / "objects.pth")
    torch.save({"epoch": 3, "state": {}}, tmp_path / "checkpoint.pth")
    with pytest.raises(ValueError, match=r"checkpoint.pth is no state dict"):
        small("c2d_resnet18", pretrained=tmp_path / "checkpoint.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: w.pop("layer3.1.bn2.running_mean"),
            r"does not fit a ResNet-18: it lacks layer3.1.bn2.running_mean$",
        ),
        (lambda w: w.update({"layer3.2.conv1.weight": w["conv1.weight"]}), r"it also has layer3.2.conv1.weight$"),
        (
            lambda w: w.update({"bn1.weight": torch.ones(3)}),
            r"other shapes than the net: bn1.weight \(3,\) for bn1.wei",
        ),
    ],
)
def test_a_mismatching_file_is_named_with_its_keys(image_net, tmp_path, change, message):
    weights = image_net[1]
    change(weights)
    torch.save(weights, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=rf"other.pth.*{message}"):
        small("c2d_resnet18", pretrained=tmp_path / "other.pth")


def test_another_depth_is_refused(image_net):
    with pytest.raises(ValueError, match=r"does not fit a ResNet-34: it lacks layer1.2.conv1.weight, .* and \d+ more"):
        small("c2d_resnet34", pretrained=image_net[0])


def test_a_refused_file_changes_nothing(image_net, tmp_path):
    net = small("c2d_resnet18")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    weights = image_net[1] | {"bn1.weight": torch.ones(3)}
    torch.save(weights, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="other shapes"):
        load_pretrained(net, tmp_path / "other.pth")
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
