import pytest

from cpnet.experiments.profiles import PROFILES, check_profile, images, kinetics, something
from cpnet.standins import class_names


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("setting", [kinetics, something])
def test_only_the_published_profile_has_official_data_and_augmentation(setting, profile):
    found = setting(profile)
    published = profile == "paper"
    assert (found.data.rendered is None) == published == (found.network.pretrained == "imagenet")
    assert found.data.augmentation == ("released" if published else "none")
    assert found.recipe.optimizer == ("sgd" if published else "adamw")
    scale = {kinetics: 32, something: 8}[setting]
    assert "displacement_scale" not in found.cp if published else found.cp["displacement_scale"] == scale


@pytest.mark.parametrize("profile", ["smoke", "cpu", "gpu"])
@pytest.mark.parametrize("setting", [kinetics, something, images])
def test_every_class_of_a_stand_in_is_trained_and_tested(setting, profile):
    spec = setting(profile).data.rendered
    classes = len(class_names(spec.name))
    assert spec.train >= classes and spec.val >= classes
    assert spec.size >= setting(profile).data.size


def test_arguments_of_cpnet_go_to_cpnet_only():
    setting = something("cpu")
    assert setting.make_network("c2d_resnet18").k is None
    assert setting.make_network("cpnet_resnet18", k=3).k == 3
    assert setting.make_network("cpnet_resnet18").arguments() == {
        "width": 16,
        "stem": "112_no_pool",
        "dropout": 0.0,
        "k": 8,
        "displacement_scale": 8.0,
    }


def test_an_unknown_profile_is_refused_by_name():
    with pytest.raises(ValueError, match="profile='laptop': choose one of smoke, cpu, gpu, paper"):
        check_profile("laptop")
