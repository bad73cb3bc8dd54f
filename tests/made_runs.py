"""Runs small enough to be trained in a test."""

import dataclasses

from cpnet.engine.machine import Machine
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.setting import Network, VideoData
from cpnet.engine.toy_training import Schedule, ToyTraining
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments import reproduce as module
from cpnet.experiments.run import Run

QUIET = Machine(progress=False)
SHORT = Recipe((Phase(2, 3, 1, 0.01),), batch_size=4, optimizer="adamw", schedule="one_cycle")
SMALL = Network("cpnet_resnet18", width=4, stem="112_no_pool", positions="4", k=2)


def reproduce(runs, machine=QUIET, **options):
    return module(runs, machine, **options)


def toy(seed=0, row="trn"):
    arguments = {"num_frames": 2} if row == "trn" else {"k": 2}
    training = ToyTraining(
        seed=seed,
        model=f"{row}_toy",
        model_args=arguments,
        data_args={"size": 24, "num_frames": 2},
        schedule=Schedule(epochs=1, batch_size=20, lr=1e-2),
    )
    return Run("table1", row, "smoke", training)


def video(table="table9", row="cpnet", profile="paper", **changes):
    training = VideoTraining(seed=0, network=SMALL, data=VideoData("jester", size=16), recipe=SHORT)
    return Run(table, row, profile, dataclasses.replace(training, **changes))
