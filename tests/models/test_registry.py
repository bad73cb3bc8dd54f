"""Every model of the registry, in miniature."""

import copy
from dataclasses import dataclass

import pytest
import safetensors.torch
import torch
from helpers import features
from torch import nn

from cpnet.models import create_model, list_models, resolve_arguments
from cpnet.models.registry import register_model
from cpnet.nn import CPModule

T, SIDE = 3, 32
NO_GRADIENT = ".phi.bias"  # it adds the same to all affinities of a query, which the softmax takes away


def miniature(name, init_seed=0, **arguments):
    """Narrow, without dropout, and for clips of T frames, where the model has these arguments."""
    small = {"width": 8, "stem": "112_no_pool", "num_frames": T, "num_classes": 5, "dropout": 0.0, "k": 3}
    takes = resolve_arguments(name)
    torch.manual_seed(init_seed)
    return create_model(name, **{key: value for key, value in small.items() if key in takes} | arguments)


def clips(B=2):
    """Noise; but the left half of the second frame is black, so that the search meets ties."""
    x = features(B, 3, T, SIDE, SIDE, dtype=torch.float32)
    x[:, :, 1, :, : SIDE // 2] = 0
    return x


def settle(model):
    """Running statistics to those of a batch: without, the squares in a deep ARTNet overflow in evaluation."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(clips())
    for norm in norms:
        norm.momentum = 0.1
    return model


def open_gates(model):
    """Gammas that start at zero to one: with a zero gamma no gradient passes."""
    for name, parameter in model.named_parameters():
        if name.endswith("weight") and not parameter.any():
            nn.init.ones_(parameter)
    return model


@pytest.mark.parametrize("name", list_models())
class TestEveryModel:
    @pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
    def test_clips_to_scores(self, name, training):
        scores = settle(miniature(name)).train(training)(clips())
        assert scores.shape == (2, 4 if name.endswith("_toy") else 5)
        assert scores.isfinite().all()

    def test_every_parameter_has_a_gradient(self, name):
        model = open_gates(miniature(name))
        model(clips()).square().sum().backward()
        without = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert not [key for key in without if not key.endswith(NO_GRADIENT)]

    def test_evaluation_is_deterministic(self, name):
        model = settle(open_gates(miniature(name))).eval().double()
        weights, x = copy.deepcopy(model.state_dict()), clips().double()
        with torch.no_grad():
            scores = model(x)
            model.train()(x)  # draws random ties and frame tuples
            model.load_state_dict(weights)
            assert torch.equal(model.eval()(x), scores)
            torch.testing.assert_close(model(x[1:]), scores[1:], rtol=1e-6, atol=1e-6)  # whatever the batch

    def test_weights_survive_a_file_bit_by_bit(self, name, tmp_path):
        model = settle(open_gates(miniature(name)))
        safetensors.torch.save_file(model.state_dict(), tmp_path / "weights.safetensors")
        twin = miniature(name, init_seed=1)
        twin.load_state_dict(safetensors.torch.load_file(tmp_path / "weights.safetensors"))
        with torch.no_grad():
            assert torch.equal(twin.eval()(clips()), model.eval()(clips()))


@pytest.mark.parametrize("name", list_models("*_resnet*"))
def test_frozen_batch_norms_survive_training(name):
    model = settle(open_gates(miniature(name))).freeze_batch_norm()
    model.eval()
    model.train()
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms
    before = copy.deepcopy(model.state_dict())
    frozen = {id(tensor) for norm in norms for tensor in norm.state_dict(keep_vars=True).values()}
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    model(clips()).square().sum().backward()
    optimiser.step()
    for key, tensor in model.state_dict(keep_vars=True).items():
        assert torch.equal(tensor, before[key]) == (id(tensor) in frozen) or key.endswith(NO_GRADIENT), key


@pytest.mark.parametrize("name", ["cpnet_resnet18", "nl_resnet18"])
def test_what_could_never_learn_is_not_frozen(name):
    with pytest.raises(ValueError, match=r"layer2.0.(cp.0.projection_|nl.0.)norm.weight is still zero"):
        miniature(name).freeze_batch_norm()


def test_arguments_without_a_default_stay_required(monkeypatch):
    monkeypatch.setattr("cpnet.models.registry._models", {})

    @dataclass(frozen=True)
    class Needs:
        num_classes: int

    @register_model
    def needy(options: Needs) -> nn.Module:
        return nn.Linear(1, options.num_classes)

    assert create_model("needy", num_classes=3).out_features == 3
    with pytest.raises(TypeError, match="num_classes"):
        create_model("needy")


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("variant", ["released", "paper"])
@pytest.mark.parametrize("name", [*list_models("cpnet_resnet*"), *list_models("nl_resnet*")])
def test_a_fresh_net_equals_the_c2d_that_it_extends(name, variant, training):
    c2d = miniature(f"c2d_{name.split('_')[1]}", variant=variant, init_seed=1)
    net = miniature(name, variant=variant)
    unknown = net.load_state_dict(c2d.state_dict(), strict=False)
    assert unknown.missing_keys and all(".cp." in key or ".nl." in key for key in unknown.missing_keys)
    assert not unknown.unexpected_keys
    assert torch.equal(net.train(training)(clips()), c2d.train(training)(clips()))


@pytest.mark.parametrize("name", list_models("cpnet*"))
def test_seeds_change_the_ties(name):
    first, second = (
        {module.tie_seed for module in miniature(name, seed=seed).modules() if isinstance(module, CPModule)}
        for seed in (0, 1)
    )
    assert not first & second


def test_names_are_sorted_and_can_be_filtered():
    assert list_models() == sorted(list_models())
    assert list_models("cpnet*") == ["cpnet_resnet101", "cpnet_resnet18", "cpnet_resnet34", "cpnet_toy"]
    assert len(list_models("*_resnet*")) == 18


def test_unknown_names_and_arguments_are_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"resnet999.*cpnet_toy"):
        create_model("resnet999")
    with pytest.raises(ValueError, match=r"cpnet_toy takes no argument kk: it takes kernels, .*k, stride"):
        create_model("cpnet_toy", kk=3)
    with pytest.raises(ValueError, match=r"c2d_resnet18 takes no argument k: it takes num_classes"):
        create_model("c2d_resnet18", k=3)


def test_a_name_is_given_once():
    def cpnet_toy() -> nn.Module:
        return nn.Identity()

    with pytest.raises(ValueError, match="exists already"):
        register_model(cpnet_toy)
