"""Profiles: one knob for data, network size and place."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cpnet.data.layouts import Dataset
from cpnet.engine.recipe import Phase, Recipe
from cpnet.experiments.video_run import Network, VideoData
from cpnet.standins import Spec

PROFILES = ("smoke", "cpu", "gpu", "paper")


def check_profile(profile: str) -> str:
    """The profile itself.

    Raises:
        ValueError: unknown profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile={profile!r}: choose one of {', '.join(PROFILES)}")
    return profile


@dataclass(frozen=True)
class Setting:
    """What all runs of a table share at a profile, but for what its rows vary.

    Attributes:
        data: which videos.
        network: arguments of every network.
        cp: further arguments of CPNet.
        recipe: of every training; the learning rate may differ between networks.
    """

    data: VideoData
    network: Network
    cp: Mapping[str, Any]
    recipe: Recipe

    def make_network(self, name: str, **arguments: Any) -> Network:
        """A network by name, with further arguments."""
        shared = dict(self.cp) if name.startswith("cpnet") else {}
        return replace(self.network, name=name, **shared | arguments)


# CPNet in short trainings: a larger scale learns directions sooner (book/ambiguities.md).
SHORT_SCALE: dict[Dataset, float] = {"something": 8.0, "kinetics": 32.0}
SHORT_K = 8  # as in the released code
SHORT = Recipe(batch_size=16, optimizer="adamw", schedule="one_cycle", weight_decay=0.01, bn_schedule=False)


def kinetics(profile: str, frame_step: int = 12) -> Setting:
    """Kinetics, of Tables 3: clips of 8 frames, every 12th or every 4th one of the video."""
    check_profile(profile)
    if profile == "paper":
        return Setting(
            VideoData("kinetics", size=112),
            Network(pretrained="imagenet"),
            {},
            Recipe((Phase(100, 8, frame_step, 0.01),)),
        )
    sizes = {
        "smoke": (100, 50, 40, 32, 8, 1),
        "cpu": (2000, 500, 56, 48, 16, 10),
        "gpu": (8000, 2000, 128, 112, 64, 10),
    }
    return _short("kinetics", profile, sizes[profile], frame_step, lr=2e-3)


def images(profile: str) -> Setting:
    """Still images of the world of the stand-in for Kinetics, to pretrain a C2D on; "paper" has ImageNet."""
    setting = kinetics(profile)
    train, val, epochs = {"smoke": (96, 96, 1), "cpu": (9600, 960, 10), "gpu": (38400, 1920, 10)}[profile]
    assert setting.data.rendered is not None
    spec = replace(setting.data.rendered, name="images", train=train, val=val)
    phase = Phase(epochs, num_frames=1, frame_step=1, lr=4e-3)
    return replace(
        setting,
        data=VideoData("images", setting.data.size, augmentation="released", rendered=spec),
        recipe=replace(setting.recipe, batch_size=64, phases=(phase,)),
    )


def something(profile: str) -> Setting:
    """Something-Something, of Table 5(a)."""
    check_profile(profile)
    if profile == "paper":
        phases = (Phase(100, 12, 2, 0.01), Phase(5, 24, 1, 1e-3, freeze_bn=True))
        return Setting(
            VideoData("something", size=224),
            Network(stem="224", pretrained="imagenet"),
            {"k": 12},
            Recipe(phases, decay_epochs=20),
        )
    sizes = {
        "smoke": (56, 28, 40, 32, 8, 1),
        "cpu": (2000, 500, 72, 56, 16, 10),
        "gpu": (8000, 2000, 128, 112, 64, 15),
    }
    return _short("something", profile, sizes[profile], frame_step=4, lr=4e-3)


def _short(
    name: Dataset, profile: str, sizes: tuple[int, int, int, int, int, int], frame_step: int, lr: float
) -> Setting:
    """A short training on a stand-in: clips of both splits, height of frames and of clips, width, epochs."""
    train, val, height, size, width, epochs = sizes
    return Setting(
        VideoData(name, size=size, augmentation="none", rendered=Spec(name, train, val, height, 0)),
        Network(width=width, stem="112" if profile == "gpu" else "112_no_pool", dropout=0.0),
        {"displacement_scale": SHORT_SCALE[name], "k": SHORT_K},
        replace(SHORT, phases=(Phase(epochs, 8, frame_step, lr),)),
    )
