"""What both parts of Table 5 share: networks in two phases, their tests, and claims that are made of both data sets."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments import table3d
from cpnet.experiments.claims import PAIRED, Claim, Measured, difference, larger_difference, more_accurate, within
from cpnet.experiments.gains import more_gain, no_gain
from cpnet.experiments.profiles import TwentyBN, twentybn
from cpnet.experiments.table import Column

NETWORKS = {
    f"{family}_resnet{depth}": Network(f"{family}_resnet{depth}", positions="5" if family == "cpnet" else None)
    for family in ("c2d", "trn", "c3d", "nl", "cpnet")
    for depth in (18, 34)
}
VIDEOS_OF_MANY_VIEWS = 100  # of short trainings; the published protocol takes all
# Classes that supplement F names, of those that the stand-ins have.
NAMED: dict[TwentyBN, dict[str, str]] = {
    "something": {
        "Moving away from something with your camera": "paper: gains most",
        "Showing a photo of something to the camera": "paper: gains least",
    },
    "jester": {
        "Sliding Two Fingers Up": "paper: gains most",
        "Stop Sign": "paper: gains most",
        "Thumb Up": "paper: gains least",
        "Thumb Down": "paper: gains least",
    },
}
ON_KINETICS = ("cpnet_step12", "c2d_step12")
MAIN = "of single clips, at profile paper by the published views"
MARGIN = 5.0  # points, a gain of less than which is little
MOST_LOST = 2.0  # points, fewer of which the second phase must lose


def row(
    data: TwentyBN, name: str, views: str, paper_rows: Sequence[str], profile: str, seed: int
) -> VideoTraining | None:
    """A network in two phases; at profile paper, one that the paper trains, by the published protocol on both."""
    if profile == "paper":
        if name not in paper_rows:
            return None
        published = Protocol.parse(views)
        return twentybn(data, NETWORKS[name], profile, seed, {"": published, "1x1": Protocol()}, published)
    tests = {"": Protocol(), "shuffled": Protocol(shuffled=True)}
    if profile != "smoke":
        tests[views] = Protocol.parse(views, videos=VIDEOS_OF_MANY_VIEWS)
    return twentybn(data, NETWORKS[name], profile, seed, tests, Protocol())


def seeds(row: str, profile: str) -> Sequence[int]:
    """Three in short trainings, one at profiles paper and smoke."""
    return (0, 1, 2) if profile in ("cpu", "gpu") else (0,)


def columns(views: str) -> tuple[Column, ...]:
    """Accuracy of single clips of both splits, beside the paper's; by many views, shuffled, and between partners."""
    return (
        Column("val top-1"),
        Column("val top-5", "val_top5"),
        Column("test top-1", "test_top1"),
        Column("test top-5", "test_top5"),
        Column(f"val top-1, {views} views", protocol=views),
        Column("val top-1, shuffled", protocol="shuffled"),
        Column("partners", "val_partners"),
    )


def no_loss(rows: Sequence[str]) -> Claim:
    """Networks are not less accurate after the second phase than after the first."""
    pairs = [(row, Measured(row, metric="val_top1_phase1")) for row in rows if not row.startswith("trn")]
    return Claim(
        "the second phase, of twice the frames, does not lose",
        "ours",
        f"top-1 of single clips at most {MOST_LOST:.0f} points below that after the first phase; {PAIRED}",
        lambda frame: more_accurate(_single_clips(frame), pairs=pairs, least=-MOST_LOST),
    )


def larger_than_on_kinetics(rows: tuple[str, str]) -> Claim:
    """Section 5.3: CPNet "has larger advantage on other action-centric datasets"."""
    here, there = (difference(Measured(one), Measured(other)) for one, other in (rows, ON_KINETICS))
    return Claim(
        "the advantage is larger than on Kinetics",
        "paper",
        "gain over C2D in top-1 of single clips, of both stand-ins; Welch's interval over seeds and videos",
        lambda frame: larger_difference(_single_clips(frame), here, there),
    )


def with_kinetics(frame: pd.DataFrame, profile: str = "cpu") -> pd.DataFrame:
    """Results, and of Table 3(d) those stored that the gain is compared with."""
    on_kinetics = table3d.TABLE.load(profile)
    return pd.concat([frame, on_kinetics[on_kinetics["row"].isin(ON_KINETICS)]], ignore_index=True)


def _single_clips(frame: pd.DataFrame) -> pd.DataFrame:
    """Results in which the main test is that of single clips, which at profile paper is another one."""
    named, main = frame["protocol"] == "1x1", frame["protocol"] == ""
    main &= frame["row"].isin(frame.loc[named, "row"]) & frame["metric"].isin(frame.loc[named, "metric"])
    return frame.assign(protocol=frame["protocol"].mask(named, ""))[~main]


def of_classes(data: TwentyBN, rows: tuple[str, str]) -> tuple[Claim, Claim]:
    """Supplement F: which classes gain by CP modules."""
    return (
        Claim(
            "classes that need no motion, as one frame decides or nothing moves, gain little or lose",
            "paper",
            f"their top-1 less than {MARGIN:.0f} points above C2D's; {PAIRED}",
            partial(within, comparisons=[no_gain(data, rows, MARGIN)]),
        ),
        Claim(
            "classes that motion decides gain more than the others",
            "paper",
            f"gain above theirs; {PAIRED}",
            partial(within, comparisons=[more_gain(data, rows)]),
        ),
    )
