"""Table 5(a): Something-Something v2."""

from dataclasses import replace
from functools import partial

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.claims import Claim, Measured, Verdict, more_accurate, yes_or_no
from cpnet.experiments.kinetics_rows import STAND_IN
from cpnet.experiments.settings import something
from cpnet.experiments.table import Column, Table
from cpnet.standins import Spec

NETWORKS = {
    "c2d_resnet18": Network("c2d_resnet18"),
    "c2d_resnet34": Network("c2d_resnet34"),
    "c3d_resnet18": Network("c3d_resnet18"),
    "nl_resnet18": Network("nl_resnet18"),
    "cpnet_resnet18": Network("cpnet_resnet18", positions="5"),
    "cpnet_resnet34": Network("cpnet_resnet34", positions="5"),
}
PAPER_ROWS = ("c2d_resnet18", "c2d_resnet34", "cpnet_resnet18", "cpnet_resnet34")

# Every network is trained at each; the row of the table is the one that is best on clips made for choosing.
LEARNING_RATES = (2e-3, 4e-3, 8e-3)
BEST_LEARNING_RATE = {"c2d_resnet18": 4e-3, "c3d_resnet18": 2e-3, "nl_resnet18": 8e-3, "cpnet_resnet18": 4e-3}
TUNING = Spec("something", train=0, val=500, size=72, seed=1)
TESTS = {"": Protocol(), "2x3": Protocol(2, 3), "shuffled": Protocol(shuffled=True)}

PAPER_GAIN = 14.0  # points of validation accuracy over C2D, "significant (>14%)"
PARTNERED_CLIPS = 429  # validation clips of the stand-in at profile cpu whose class has a partner
GUESSING = 50.0  # percent of partners told apart by who does not see the order of frames


def row(name: str, profile: str, seed: int) -> VideoTraining | None:
    """At "paper" what the paper trains, by its schedule; else four networks in short trainings."""
    if profile == "paper":
        return something(NETWORKS[name], profile, seed, {"": Protocol(16, 6)}) if name in PAPER_ROWS else None
    return short(name, BEST_LEARNING_RATE[name], profile, seed) if name in BEST_LEARNING_RATE else None


def short(name: str, lr: float, profile: str, seed: int) -> VideoTraining:
    """A short training at a learning rate."""
    training = something(NETWORKS[name], profile, seed, TESTS, lr)
    return replace(training, tuning=TUNING if profile == "cpu" else None)


def _guessing(frame: pd.DataFrame, row: str, protocol: str = "", beaten: bool = False) -> Verdict:
    """Whether a row tells partners apart no better than by guessing, or better if `beaten`."""
    found = Measured(row, protocol, "val_partners").by_seed(frame[frame["profile"] == "cpu"])
    if not len(found):
        return Verdict("not run", "no result at profile cpu")
    value = float(found.iloc[0])
    half = 1.96 * (GUESSING * (100 - GUESSING) / PARTNERED_CLIPS) ** 0.5
    evidence = f"{value:.1f} % of {PARTNERED_CLIPS} clips, guessing is {GUESSING:.0f} ± {half:.1f} %"
    return yes_or_no((value > GUESSING + half) == beaten, evidence)


CLIPS = "95 % interval over validation clips, one seed"
AT_GUESSING = f"partners told apart at {GUESSING:.0f} %, {CLIPS}"

TABLE = Table(
    name="table5a",
    title="Table 5(a)",
    subject="Something-Something v2",
    data=STAND_IN,
    rows={name: partial(row, name) for name in NETWORKS},
    columns=(
        Column("top-1"),
        Column("top-5", "val_top5"),
        Column("top-1, 2x3 views", protocol="2x3"),
        Column("top-1, shuffled", protocol="shuffled"),
        Column("partners", "val_partners"),
        Column("partners, shuffled", "val_partners", "shuffled"),
    ),
    lines=tuple(BEST_LEARNING_RATE),
    claims=(
        Claim(
            "CP modules raise the accuracy of C2D by more than 14 points",
            "paper",
            CLIPS,
            partial(more_accurate, pairs=[("cpnet_resnet18", "c2d_resnet18")], least=PAPER_GAIN),
        ),
        Claim(
            "CPNet tells films from the same films played backwards",
            "ours",
            f"partners told apart above {GUESSING:.0f} %, {CLIPS}",
            partial(_guessing, row="cpnet_resnet18", beaten=True),
        ),
        Claim("C2D does not", "ours", AT_GUESSING, partial(_guessing, row="c2d_resnet18")),
        Claim(
            "nor does CPNet where frames are shuffled",
            "ours",
            AT_GUESSING,
            partial(_guessing, row="cpnet_resnet18", protocol="shuffled"),
        ),
    ),
)


def _at_cpu_only(name: str, lr: float, profile: str, seed: int) -> VideoTraining | None:
    return short(name, lr, profile, seed) if profile == "cpu" else None


SEARCH = Table(
    name="table5a_search",  # the networks of the table at the other learning rates
    rows={
        f"{name}_lr{lr:g}": partial(_at_cpu_only, name, lr)
        for name, best in BEST_LEARNING_RATE.items()
        for lr in LEARNING_RATES
        if lr != best
    },
)
