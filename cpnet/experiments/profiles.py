"""Settings of trainings on videos, by profile: one knob for data, network size and place."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from cpnet.choices import check_choice
from cpnet.data.layouts import Dataset
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.setting import Network, VideoData
from cpnet.engine.video_training import VideoTraining
from cpnet.models.resnet import Stem
from cpnet.standins import Spec

PROFILES = ("smoke", "cpu", "gpu", "paper")
TwentyBN = Literal["something", "jester"]


@dataclass(frozen=True)
class Scale:
    """Sizes of a short training on a stand-in.

    Attributes:
        train, val: clips of the two splits.
        height: height of the rendered frames.
        size: height and width of the clips.
        width: channels of conv1.
        epochs: passes over the training split.
    """

    train: int
    val: int
    height: int
    size: int
    width: int
    epochs: int


SCALES: dict[Dataset, dict[str, Scale]] = {
    "kinetics": {
        "smoke": Scale(train=100, val=50, height=40, size=32, width=8, epochs=1),
        "cpu": Scale(train=2000, val=1000, height=56, size=48, width=16, epochs=10),
        "gpu": Scale(train=8000, val=2000, height=128, size=112, width=64, epochs=10),
    },
    "something": {
        "smoke": Scale(train=56, val=28, height=40, size=32, width=8, epochs=1),
        "cpu": Scale(train=2000, val=1000, height=72, size=56, width=16, epochs=10),
        "gpu": Scale(train=8000, val=2000, height=128, size=112, width=64, epochs=15),
    },
    "jester": {
        "smoke": Scale(train=54, val=27, height=40, size=32, width=8, epochs=1),
        "cpu": Scale(train=2000, val=1000, height=72, size=56, width=16, epochs=5),
        "gpu": Scale(train=8000, val=2000, height=128, size=112, width=64, epochs=15),
    },
}
IMAGES = {"smoke": (96, 96, 1), "cpu": (9600, 960, 10), "gpu": (38400, 1920, 10)}  # train, val, epochs

SHORT_K = 8  # as in the released code
TWENTYBN_K = 12  # supplement E


class Knobs(NamedTuple):
    """What short trainings choose by trials, as many for each network: the learning rate; and in CPNet the scale of
    displacements, of which a larger one learns directions sooner (book/ambiguities.md)."""

    lr: float
    displacement_scale: float | None = None

    def __str__(self) -> str:
        return f"{self.lr:g}" + (f", scale {self.displacement_scale:g}" if self.displacement_scale else "")


# Of each family of networks, the best of its trials (see `trials`); TRN is C2D with another head.
KNOBS = {
    "c2d": Knobs(4e-3),
    "trn": Knobs(4e-3),
    "c3d": Knobs(8e-3),
    "nl": Knobs(8e-3),
    "artnet": Knobs(4e-3),
    "cpnet": Knobs(4e-3, 32.0),
}
# At every 4th frame of Kinetics, where the best of those trials is another.
DENSE_KNOBS = {"c2d": Knobs(8e-3), "c3d": Knobs(1e-3), "artnet": Knobs(8e-3)}
SHORT = Recipe(batch_size=16, optimizer="adamw", schedule="one_cycle", weight_decay=0.01, bn_schedule=False)
SINGLE_CLIP = {"": Protocol()}
SHORT_SIDE = 128  # of frames that are tested by crops of 112 pixels, in the released code and, nearly, in ARTNet's


def knobs_of(network: Network, frame_step: int = 12) -> Knobs:
    """What trials on Kinetics chose for the family of a network."""
    family = network.name.partition("_")[0]
    return DENSE_KNOBS.get(family, KNOBS[family]) if frame_step == 4 else KNOBS[family]


def check_profile(profile: str) -> str:
    """The profile itself.

    Raises:
        ValueError: unknown profile.
    """
    check_choice("profile", profile, PROFILES)
    return profile


def kinetics(
    network: Network,
    profile: str,
    seed: int,
    protocols: Mapping[str, Protocol] = SINGLE_CLIP,
    frame_step: int = 12,
    knobs: Knobs | None = None,
) -> VideoTraining:
    """Kinetics: clips of 8 frames, every 12th or every 4th of the video; from pretrained weights of frames."""
    if check_profile(profile) == "paper":
        return VideoTraining(
            seed=seed,
            network=replace(network, pretrained="imagenet"),
            data=VideoData("kinetics", size=112),
            recipe=Recipe((Phase(100, 8, frame_step, 0.01),)),
            protocols={name: replace(p, short_side=p.short_side or SHORT_SIDE) for name, p in protocols.items()},
        )
    training = short("kinetics", network, profile, seed, frame_step, knobs or knobs_of(network, frame_step))
    return replace(training, protocols=protocols, init=pretraining(profile))


def on_other_videos(training: VideoTraining, val: int, seed: int) -> VideoTraining:
    """A training on a stand-in of another seed, training videos included, without test split; no weights are kept."""
    assert training.data.rendered is not None
    spec = replace(training.data.rendered, val=val, test=None, seed=seed)
    return replace(training, data=replace(training.data, rendered=spec), test_protocols=None, keeps_weights=False)


def pretraining(profile: str, depth: str = "18") -> VideoTraining:
    """C2D on still images of the stand-in for Kinetics: what ImageNet is to the paper."""
    train, val, epochs = IMAGES[profile]
    training = short("kinetics", Network(f"c2d_resnet{depth}"), profile, 0, 1)
    assert training.data.rendered is not None
    spec = replace(training.data.rendered, name="images", train=train, val=val)
    return replace(
        training,
        data=replace(training.data, name="images", augmentation="released", rendered=spec),
        recipe=replace(training.recipe, batch_size=64, phases=(Phase(epochs, 1, 1, 4e-3),)),
        keeps_weights=True,
    )


def twentybn(
    name: TwentyBN, network: Network, profile: str, seed: int, protocols: Mapping[str, Protocol], test: Protocol
) -> VideoTraining:
    """Something-Something or Jester, of Table 5, in two phases, the second of twice the frames in the same time.

    On Jester from pretrained weights of frames, as on Kinetics: from random ones no direction is learnt (see `trials`).

    Args:
        protocols: tests of the validation split.
        test: that of the test split.
    """
    if network.name.startswith("cpnet"):
        network = replace(network, k=network.k or TWENTYBN_K)
    if check_profile(profile) == "paper":
        training = VideoTraining(
            seed=seed,
            network=replace(network, stem="224" if name == "something" else "112", pretrained="imagenet"),
            data=VideoData(name, size=224 if name == "something" else 112),
            recipe=Recipe(
                (Phase(100, 12, 2, 0.01), Phase(5, 24, 1, 1e-3, freeze_bn=True)),
                decay_epochs=20 if name == "something" else 40,
            ),
        )
    else:
        training = short(name, network, profile, seed, 4)
        (first,) = training.recipe.phases
        second = Phase(-(-first.epochs // 5), 16, 2, first.lr / 10, freeze_bn=True)
        if network.name.startswith("trn"):  # relates frames of a fixed number
            second = replace(second, num_frames=8, frame_step=4)
        assert training.data.rendered is not None
        spec = replace(training.data.rendered, test=training.data.rendered.val)
        training = replace(
            training,
            data=replace(training.data, augmentation="flips", rendered=spec),
            recipe=replace(training.recipe, phases=(first, second)),
            init=pretraining(profile, network.name.partition("_resnet")[2]) if name == "jester" else None,
        )
    return replace(training, protocols=protocols, test_protocols={"": test})


def short(
    name: Dataset, network: Network, profile: str, seed: int, frame_step: int, knobs: Knobs | None = None
) -> VideoTraining:
    """A short training on a stand-in, on clips of 8 frames."""
    scale, knobs = SCALES[name][profile], knobs or knobs_of(network)
    if network.name.startswith("cpnet"):
        network = replace(network, k=network.k or SHORT_K, displacement_scale=knobs.displacement_scale)
    stem: Stem = "112" if profile == "gpu" else "112_no_pool"
    spec = Spec(name, scale.train, scale.val, scale.height, seed=0)
    return VideoTraining(
        seed=seed,
        network=replace(network, width=scale.width, stem=stem, dropout=0.0),
        data=VideoData(name, size=scale.size, augmentation="none", clip_rule="symmetric", rendered=spec),
        recipe=replace(SHORT, phases=(Phase(scale.epochs, 8, frame_step, knobs.lr),)),
        keeps_weights=seed == 0,
    )
