"""Table 4: Kinetics, large models trained in three phases of 8, 16 and 32 frames."""

from dataclasses import replace
from functools import partial

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.claims import PAIRED, WEIGHTS, Claim, Verdict, fewer_weights, more_accurate
from cpnet.experiments.kinetics_rows import STAND_IN, VIDEOS_OF_MANY_VIEWS
from cpnet.experiments.profiles import kinetics
from cpnet.experiments.table import Table

# Of each phase, frames and step over 96 frames, and the share of the epochs and of the learning rate of the first.
PHASES = ((8, 12, 1.0, 1.0), (16, 6, 0.25, 0.1), (32, 3, 0.125, 0.1))


def large(row: str, profile: str, seed: int) -> VideoTraining | None:
    """ResNet-101 at profile paper, ResNet-18 at the others; a test on 10 clips of 3 crops."""
    if row.endswith("101") != (profile == "paper"):
        return None
    network = Network(row, stem="224" if profile == "paper" else None)
    training = kinetics(network, profile, seed, _protocols(profile))
    data = replace(training.data, size=224) if profile == "paper" else training.data
    return replace(training, data=data, recipe=_in_phases(training.recipe))


def _in_phases(recipe: Recipe) -> Recipe:
    (first,) = recipe.phases
    phases = [
        Phase(max(1, round(epochs * first.epochs)), frames, step, lr * first.lr, freeze_bn=frames > 8)
        for frames, step, epochs, lr in PHASES
    ]
    return replace(recipe, phases=tuple(phases))


def _protocols(profile: str) -> dict[str, Protocol]:
    """Ten clips of three crops; at profile paper of 256x256, where training has 224."""
    if profile == "paper":
        return {"": Protocol(10, 3, size=256, short_side=256), "1x1": Protocol(short_side=256)}
    clips, videos = 1 if profile == "smoke" else 10, VIDEOS_OF_MANY_VIEWS if profile == "cpu" else None
    return {"": Protocol(clips, 3, videos=videos), "1x1": Protocol()}


ROWS = ("nl", "cpnet")


def _trained(frame: pd.DataFrame) -> tuple[str, str]:
    """CPNet and NL C2D: on ResNet-101 where that is trained, else on ResNet-18."""
    depth = 101 if frame["row"].str.endswith("101").any() else 18
    return f"cpnet_resnet{depth}", f"nl_resnet{depth}"


def _more_accurate(frame: pd.DataFrame) -> Verdict:
    return more_accurate(frame, pairs=[_trained(frame)])


def _fewer_weights(frame: pd.DataFrame) -> Verdict:
    cpnet, other = _trained(frame)
    return fewer_weights(frame, row=cpnet, others=[other])


TABLE = Table(
    name="table4",
    title="Table 4",
    chapter="06_large_models",
    subject="Kinetics, large models",
    data=STAND_IN,
    rows={f"{name}_resnet{depth}": partial(large, f"{name}_resnet{depth}") for depth in (101, 18) for name in ROWS},
    seeds=lambda row, profile: (0, 1, 2) if profile == "cpu" else (0,),
    claims=(
        Claim(
            "CPNet beats NL C2D",
            "paper",
            f"top-1 over 10 clips of 3 crops, on ResNet-101 where that is trained, else on ResNet-18; {PAIRED}",
            _more_accurate,
        ),
        Claim(
            "CPNet has fewer weights than NL C2D",
            "paper",
            WEIGHTS,
            _fewer_weights,
        ),
    ),
)
