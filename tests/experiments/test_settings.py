import pytest

from cpnet.engine.setting import Network
from cpnet.experiments.settings import PROFILES, SINGLE_CLIP, Knobs, check_profile, kinetics, pretraining, something
from cpnet.standins import class_names

CPNET, C2D = Network("cpnet_resnet18"), Network("c2d_resnet18")


def make(setting, profile, network=CPNET):
    return pretraining(profile) if setting is pretraining else setting(network, profile, 0, SINGLE_CLIP)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("setting", [kinetics, something])
def test_only_the_published_profile_has_official_data_and_augmentation(setting, profile):
    found = make(setting, profile)
    published = profile == "paper"
    assert (found.data.rendered is None) == published == (found.network.pretrained == "imagenet")
    assert found.data.augmentation == ("released" if published else "none")
    assert found.recipe.optimizer == ("sgd" if published else "adamw")
    assert found.network.displacement_scale == (None if published else 32.0)


@pytest.mark.parametrize("profile", ["smoke", "cpu", "gpu"])
@pytest.mark.parametrize("setting", [kinetics, something, pretraining])
def test_every_class_of_a_stand_in_is_trained_and_tested(setting, profile):
    data = make(setting, profile).data
    classes = len(class_names(data.rendered.name))
    assert data.rendered.train >= classes and data.rendered.val >= classes
    assert data.rendered.size >= data.size


def test_arguments_of_cpnet_go_to_cpnet_only():
    assert make(something, "cpu", C2D).network.arguments() == {"width": 16, "stem": "112_no_pool", "dropout": 0.0}
    own = {"k": 8, "displacement_scale": 8.0}
    given = something(CPNET, "cpu", 0, SINGLE_CLIP, Knobs(1e-3, 8.0))
    assert given.network.arguments() == make(something, "cpu", C2D).network.arguments() | own
    assert given.recipe.phases[0].lr == 1e-3
    assert make(something, "cpu", Network("cpnet_resnet18", k=3)).network.k == 3


def test_an_unknown_profile_is_refused_by_name():
    with pytest.raises(ValueError, match="profile='laptop': choose one of smoke, cpu, gpu, paper"):
        check_profile("laptop")
