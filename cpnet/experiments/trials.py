"""What chose the knobs of short trainings, and what those on Jester start from: trials on videos of no table."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.profiles import SINGLE_CLIP, Knobs, kinetics, knobs_of, on_other_videos, twentybn
from cpnet.experiments.table import Table
from cpnet.experiments.table3d import STEPS
from cpnet.experiments.twentybn import NETWORKS

TRIED = (Knobs(1e-3), Knobs(2e-3), Knobs(4e-3), Knobs(8e-3))
TRIED_CPNET = (Knobs(2e-3, 8.0), Knobs(2e-3, 32.0), Knobs(4e-3, 32.0), Knobs(8e-3, 32.0))
# Beside them, by frame rate, and choosing nothing: displacements as published, and larger ones of small motion.
BESIDE = {12: (Knobs(2e-3, 1.0), Knobs(4e-3, 1.0)), 4: (Knobs(4e-3, 128.0),)}
FAMILIES = ("c2d", "c3d", "nl", "artnet", "cpnet")
TUNING_SEED, TUNING_VIDEOS = 1, 500  # another stand-in, its training videos included


def trial(family: str, knobs: Knobs, step: int, profile: str, seed: int) -> VideoTraining | None:
    """A training of Table 3(d), of every so many frames, at given knobs, on other videos."""
    if profile != "cpu":
        return None
    network = Network(f"{family}_resnet18", positions="6" if family == "cpnet" else None)
    training = kinetics(network, profile, seed, frame_step=step, knobs=knobs)
    return on_other_videos(training, TUNING_VIDEOS, TUNING_SEED)


def start(stills: bool, profile: str, seed: int) -> VideoTraining | None:
    """The first phase of Table 5(b) with ResNet-18, from weights of still images or from random ones."""
    if profile != "cpu":
        return None
    training = twentybn("jester", NETWORKS["cpnet_resnet18"], profile, seed, SINGLE_CLIP, Protocol())
    first = replace(training.recipe, phases=training.recipe.phases[:1])
    training = replace(training, recipe=first, init=training.init if stills else None)
    return on_other_videos(training, TUNING_VIDEOS, TUNING_SEED)


def name_of(family: str, knobs: Knobs, step: int) -> str:
    """A row's name, such as "cpnet_step12_lr0.002_scale8"."""
    scale = f"_scale{knobs.displacement_scale:g}" if knobs.displacement_scale else ""
    return f"{family}_step{step}_lr{knobs.lr:g}{scale}"


def tried(family: str) -> tuple[Knobs, ...]:
    """As many for each network."""
    return TRIED_CPNET if family == "cpnet" else TRIED


STARTS = {"jester_random": "random weights", "jester_stills": "weights from still images"}
TABLE = Table(
    name="table3_trials",
    rows={
        name_of(family, knobs, step): partial(trial, family, knobs, step)
        for step in STEPS
        for family in FAMILIES
        for knobs in tried(family)
    }
    | {name_of("cpnet", knobs, step): partial(trial, "cpnet", knobs, step) for step in STEPS for knobs in BESIDE[step]}
    | {name: partial(start, name == "jester_stills") for name in STARTS},
)


def overview() -> pd.DataFrame:
    """One line a network and frame rate: accuracy of each trial, and what is chosen once all are run."""
    top1 = TABLE.load().query("metric == 'val_top1'").set_index("row")["value"]
    lines = []
    for step in STEPS:
        for family in FAMILIES:
            found = [(knobs, top1.get(name_of(family, knobs, step))) for knobs in tried(family)]
            shown = [f"{knobs}: {'not run' if value is None else f'{value:.1f} %'}" for knobs, value in found]
            chosen = "" if None in dict(found).values() else str(knobs_of(Network(family), step))
            lines.append([f"{family}, 1/{step}", *shown, chosen])
    columns = ["network, frames", "first trial", "second", "third", "fourth", "chosen"]
    return pd.DataFrame(lines, columns=columns).set_index("network, frames")


def told_apart(names: Mapping[str, str]) -> pd.DataFrame:
    """Of some trials, by names to show: top-1, and partners told apart, in percent."""
    found = TABLE.load().query("row in @names").pivot(index="row", columns="metric", values="value")
    columns = {"val_top1": "val top-1", "val_partners": "partners"}
    return (
        found.reindex(list(names))[list(columns)]
        .round(1)
        .rename(index=names, columns=columns)
        .rename_axis("trial", axis=0)
    )


def scales() -> pd.DataFrame:
    """Of CPNet, by frame rate, scale of displacements and learning rate."""
    names = {}
    for step in STEPS:
        for knobs in sorted((*BESIDE[step], *TRIED_CPNET), key=lambda knobs: (knobs.displacement_scale or 0, knobs.lr)):
            names[name_of("cpnet", knobs, step)] = f"1/{step}, {knobs}"
    return told_apart(names)
