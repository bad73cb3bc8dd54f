"""Table 4: Kinetics, large models trained in three phases of 8, 16 and 32 frames."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase, Recipe
from cpnet.experiments import kinetics
from cpnet.experiments.cells import paper_and_ours
from cpnet.experiments.claims import Claim
from cpnet.experiments.video_run import VideoRun

TABLE = "table4"
SEEDS = (0,)  # two networks are compared, not neighbours
ROWS = ("nl_resnet101", "cpnet_resnet101")  # the paper's names; at other profiles than "paper" ResNet-18 stands in

# Of each phase, frames and step over 96 frames, and the share of the epochs and of the learning rate of the first.
PHASES = ((8, 12, 1.0, 1.0), (16, 6, 0.25, 0.1), (32, 3, 0.125, 0.1))


def runs(profile: str = "cpu", seeds: Sequence[int] = SEEDS) -> list[VideoRun]:
    """NL C2D and CPNet, batch norms frozen from the second phase, tested on 10 clips of 3 crops."""
    return [_run(row, profile, seed) for seed in seeds for row in ROWS]


def _run(row: str, profile: str, seed: int) -> VideoRun:
    network = row if profile == "paper" else row.replace("101", "18")
    options: dict[str, Any] = {"stem": "224"} if profile == "paper" else {}
    run = kinetics.make_run(TABLE, row, profile, seed, network, _protocols(profile), **options)
    data = replace(run.data, size=224) if profile == "paper" else run.data
    return replace(run, data=data, recipe=_in_phases(run.recipe))


def _in_phases(recipe: Recipe) -> Recipe:
    (first,) = recipe.phases
    phases = [
        Phase(max(1, round(epochs * first.epochs)), frames, step, lr * first.lr, freeze_bn=frames > 8)
        for frames, step, epochs, lr in PHASES
    ]
    return replace(recipe, phases=tuple(phases))


def _protocols(profile: str) -> Mapping[str, Protocol]:
    """Ten clips of three crops; of 256x256 where training has 224."""
    many = {"paper": Protocol(10, 3, size=256), "smoke": Protocol(1, 3)}.get(profile, Protocol(10, 3))
    return {"": replace(many, videos=kinetics.VIDEOS_OF_MANY_VIEWS) if profile == "cpu" else many, "1x1": Protocol()}


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """Paper | ours."""
    return paper_and_ours(TABLE, frame, ROWS, {"val_top1": "top-1", "val_top5": "top-5"})


def claims() -> list[Claim]:
    """What Section 5.3 says."""
    return [
        Claim(
            "CPNet beats NL C2D",
            "paper",
            f"top-1 over 10 clips of 3 crops; {kinetics.PAIRED}",
            lambda frame: kinetics.higher(frame, "cpnet_resnet101", "nl_resnet101"),
        ),
        Claim(
            "and has fewer weights",
            "paper",
            "weights of convolutions and linear layers, of the networks as trained",
            lambda frame: kinetics.fewer_weights(frame, "cpnet_resnet101", ["nl_resnet101"]),
        ),
    ]
