"""What chose the knobs of short trainings: as many trials for each network, on videos that no table is tested on."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.settings import (
    KINETICS_KNOBS,
    SINGLE_CLIP,
    TWENTYBN_KNOBS,
    Knobs,
    first_phase,
    kinetics,
    on_other_videos,
)
from cpnet.experiments.table import Table

TRIED = (Knobs(1e-3), Knobs(2e-3), Knobs(4e-3), Knobs(8e-3))
TRIED_CPNET = (Knobs(2e-3, 8.0), Knobs(2e-3, 32.0), Knobs(4e-3, 32.0), Knobs(8e-3, 32.0))
TUNING_SEED, TUNING_VIDEOS = 1, 500  # another stand-in, its training videos included


def trial(
    setting: Callable[..., VideoTraining], network: Network, knobs: Knobs, profile: str, seed: int
) -> VideoTraining | None:
    """A training of a table at given knobs, on other videos; `setting` is `kinetics` or `first_phase`."""
    if profile != "cpu":
        return None
    training = setting(network=network, profile=profile, seed=seed, protocols=SINGLE_CLIP, knobs=knobs)
    return on_other_videos(training, TUNING_VIDEOS, TUNING_SEED)


def name_of(name: str, knobs: Knobs) -> str:
    """A row's name, such as "cpnet_step12_lr0.002_scale8"."""
    scale = f"_scale{knobs.displacement_scale:g}" if knobs.displacement_scale else ""
    return f"{name}_lr{knobs.lr:g}{scale}"


def tried(name: str) -> tuple[Knobs, ...]:
    """As many for each network; its name begins with its family."""
    return TRIED_CPNET if name.startswith("cpnet") else TRIED


def _network(family: str, positions: str) -> Network:
    return Network(f"{family}_resnet18", positions=positions if family == "cpnet" else None)


TABLE3 = Table(
    name="table3_trials",
    rows={
        name_of(f"{family}_step{step}", knobs): partial(
            trial, partial(kinetics, frame_step=step), _network(family, "6"), knobs
        )
        for family, step in KINETICS_KNOBS
        for knobs in tried(family)
    },
)
TABLE5A = Table(
    name="table5a_trials",
    rows={
        name_of(family, knobs): partial(trial, partial(first_phase, "something"), _network(family, "5"), knobs)
        for family in TWENTYBN_KNOBS
        for knobs in tried(family)
    },
)


def overview() -> pd.DataFrame:
    """One line a network, and frame step on Kinetics: accuracy of each trial that is stored, and what is chosen."""
    of_kinetics = {f"{family}_step{step}": knobs for (family, step), knobs in KINETICS_KNOBS.items()}
    lines = []
    for data, table, chosen in (("Kinetics", TABLE3, of_kinetics), ("Something-Something", TABLE5A, TWENTYBN_KNOBS)):
        stored = table.load().query("metric == 'val_top1'").set_index("row")["value"].to_dict()
        for name, knobs in chosen.items():
            top1 = {trial: stored.get(name_of(name, trial)) for trial in tried(name)}
            texts = [f"{trial}: {'not run' if value is None else f'{value:.1f} %'}" for trial, value in top1.items()]
            so_far = "" if None not in top1.values() else ", provisionally"
            lines.append((data, name, *texts, f"{knobs}{so_far}"))
    columns = ["data", "network", "first trial", "second", "third", "fourth", "chosen"]
    return pd.DataFrame(lines, columns=columns).set_index(["data", "network"])
