"""Rows that several tables on Kinetics share, and what decides the classes of its stand-in."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.profiles import SHORT_SIDE, SINGLE_CLIP, kinetics
from cpnet.experiments.run import Run, records
from cpnet.experiments.table import mean_sd
from cpnet.standins import class_table

STAND_IN = "rendered stand-in"
SEEDS = (0, 1, 2, 3, 4)
SEEDS_OF_MANY_VIEWS = SEEDS[:3]
VIDEOS_OF_MANY_VIEWS = 200  # of profile cpu, 250 views each; the published protocol takes all
SNAPSHOTS = (1, 2, 4, 6, 8)  # epochs after which the weights of CPNet with six modules are kept
K_VALUES = (1, 2, 4, 8, 16, 32)


def seeds(row: str, profile: str) -> Sequence[int]:
    """Five in every row, one at profiles paper and smoke."""
    return SEEDS if profile in ("cpu", "gpu") else SEEDS[:1]


def two_modules(k: int, profile: str, seed: int) -> VideoTraining:
    """Two modules at res4: with k 8 it stands in Tables 3(a), (b) and (c), and is one training, tested with every k."""
    every_k = SINGLE_CLIP | {f"k{test}": Protocol(k=test) for test in sorted({*K_VALUES, k})}
    return kinetics(Network("cpnet_resnet18", positions="2", k=k), profile, seed, every_k)


def compared(family: str, profile: str, seed: int, frame_step: int = 12) -> VideoTraining:
    """A network of Table 3(d); at step 12, C2D stands in Tables 3(a) and (c) too, and CPNet in (a), each as one."""
    network = Network(f"{family}_resnet18", positions="6" if family == "cpnet" else None)
    training = kinetics(network, profile, seed, both_protocols(profile, seed), frame_step)
    followed = (family, profile, seed, frame_step) == ("cpnet", "cpu", 0, 12)
    return replace(training, snapshots=SNAPSHOTS) if followed else training


def both_protocols(profile: str, seed: int) -> dict[str, Protocol]:
    """One clip and its centre crop, and 25 clips of 10 crops; in short trainings also a clip out of order."""
    if profile == "smoke":
        return SINGLE_CLIP
    if profile == "paper":
        return SINGLE_CLIP | {"25x10": Protocol(25, 10)}
    if profile == "gpu":
        many = {"25x10": Protocol(25, 10, short_side=SHORT_SIDE)}
    else:  # the films are hardly higher than the crops, whose corners therefore coincide
        many = {"25x10": Protocol(25, 10, videos=VIDEOS_OF_MANY_VIEWS)}
    return SINGLE_CLIP | {"shuffled": Protocol(shuffled=True)} | (many if seed in SEEDS_OF_MANY_VIEWS else {})


def by_what_decides(runs: Sequence[Run]) -> pd.DataFrame:
    """Top-1 among the classes of the stand-in that one frame decides, and among those that motion decides.

    Means over classes; mean ± deviation over seeds. Classes of the real data set are not so divided.
    """
    kinds = class_table("kinetics")["decided by"].tolist()
    per_class = [
        (record["row"], record["seed"], kinds[label], value)
        for record in records([run for run in runs if run.profile != "paper"])
        for label, value in enumerate(record["metrics"]["val_per_class"])
    ]
    found = pd.DataFrame(per_class, columns=["row", "seed", "kind", "value"]).astype({"value": float})
    lines = {}
    for row in dict.fromkeys(run.row for run in runs):
        ours = found[found["row"] == row]
        lines[row] = {"seeds": str(ours["seed"].nunique())}
        for kind in ("appearance", "motion"):
            means = ours[ours["kind"] == kind].groupby("seed")["value"].mean()
            title = f"{kind} decides, {kinds.count(kind)} classes"
            lines[row][title] = mean_sd(means) if len(means) else "not run"
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("row")
