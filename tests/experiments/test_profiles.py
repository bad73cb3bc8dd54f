import pytest

from cpnet.engine.protocols import Protocol
from cpnet.engine.setting import Network
from cpnet.experiments.profiles import (
    PROFILES,
    SINGLE_CLIP,
    Knobs,
    check_profile,
    kinetics,
    pretraining,
    twentybn,
)
from cpnet.standins import class_names

CPNET, C2D = Network("cpnet_resnet18"), Network("c2d_resnet18")


def something(*arguments):
    return twentybn("something", *arguments, Protocol())


def jester(*arguments):
    return twentybn("jester", *arguments, Protocol())


def make(setting, profile, network=CPNET):
    return pretraining(profile) if setting is pretraining else setting(network, profile, 0, SINGLE_CLIP)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("setting", [kinetics, something, jester])
def test_only_the_published_profile_has_official_data_and_augmentation(setting, profile):
    found = make(setting, profile)
    published = profile == "paper"
    assert (found.data.rendered is None) == published == (found.network.pretrained == "imagenet")
    short = "none" if setting is kinetics else "flips"
    assert found.data.augmentation == ("released" if published else short)
    assert found.recipe.optimizer == ("sgd" if published else "adamw")
    assert found.network.displacement_scale == (None if published else 32.0)


@pytest.mark.parametrize("depth", ["18", "34"])
def test_jester_begins_with_weights_of_stills_of_the_same_depth_and_something_with_random_ones(depth):
    network = Network(f"cpnet_resnet{depth}", positions="5")
    assert make(jester, "cpu", network).init == pretraining("cpu", depth)
    assert make(jester, "paper", network).init is None  # ImageNet's, see above
    assert make(something, "cpu", network).init is None


@pytest.mark.parametrize("profile", ["smoke", "cpu", "gpu"])
@pytest.mark.parametrize("setting", [kinetics, something, jester, pretraining])
def test_every_class_of_a_stand_in_is_trained_and_tested(setting, profile):
    data = make(setting, profile).data
    classes = len(class_names(data.rendered.name))
    assert data.rendered.train >= classes and data.rendered.val >= classes
    assert data.rendered.size >= data.size


def test_arguments_of_cpnet_go_to_cpnet_only():
    others = {"width": 16, "stem": "112_no_pool", "dropout": 0.0}
    assert make(something, "cpu", C2D).network.arguments() == others
    assert make(something, "cpu").network.arguments() == others | {"k": 12, "displacement_scale": 32.0}
    given = kinetics(CPNET, "cpu", 0, knobs=Knobs(1e-3, 8.0))
    assert given.network.arguments() == others | {"k": 8, "displacement_scale": 8.0}
    assert given.recipe.phases[0].lr == 1e-3
    assert make(something, "cpu", Network("cpnet_resnet18", k=3)).network.k == 3


def test_an_unknown_profile_is_refused_by_name():
    with pytest.raises(ValueError, match="profile='laptop': choose one of smoke, cpu, gpu, paper"):
        check_profile("laptop")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("setting", [something, jester])
def test_the_second_phase_has_twice_the_frames_in_the_same_time_and_frozen_batch_norms(setting, profile):
    for network in (CPNET, C2D):
        first, second = make(setting, profile, network).recipe.phases
        assert second.num_frames == 2 * first.num_frames and 2 * second.frame_step == first.frame_step
        assert second.freeze_bn and not first.freeze_bn and second.lr == pytest.approx(first.lr / 10)


def test_trn_relates_a_fixed_number_of_frames_and_is_trained_as_long():
    first, second = make(something, "cpu", Network("trn_resnet18")).recipe.phases
    assert (first.num_frames, first.frame_step) == (second.num_frames, second.frame_step) == (8, 4)
    assert second.epochs == make(something, "cpu").recipe.phases[1].epochs


@pytest.mark.parametrize("setting", [something, jester])
def test_the_test_split_is_rendered_and_tested(setting):
    found = make(setting, "cpu")
    assert found.data.rendered.test == found.data.rendered.val == 1000 and found.test_protocols == {"": Protocol()}


def test_cpnet_has_twelve_proposals_on_these_data():
    assert {make(s, p).network.k for s in (something, jester) for p in PROFILES} == {12}
