"""What the tables on Kinetics share: initial weights, runs, and how claims are judged over seeds."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.experiments.cells import mean_sd
from cpnet.experiments.claims import Verdict, difference_at_least, paired_difference
from cpnet.experiments.profiles import images, kinetics
from cpnet.experiments.video_run import VideoRun
from cpnet.standins import class_table

PRETRAIN = "pretrain"
SEEDS = (0, 1, 2)
PAIRED_OVER_SEEDS = "95 % interval, paired over seeds, ± one video at least"
PAIRED = f"{PAIRED_OVER_SEEDS}; of one seed, over its videos"
SINGLE_CLIP = {"": Protocol()}
VIDEOS_OF_MANY_VIEWS = 50  # of profile cpu, 250 views each; the published protocol takes all
K_VALUES = (1, 2, 4, 8, 16, 32)
EVERY_K = SINGLE_CLIP | {f"k{k}": Protocol(k=k) for k in K_VALUES}


def pretrain_run(profile: str = "cpu") -> VideoRun:
    """C2D on still images: what ImageNet is to the paper. All networks of a profile start from it."""
    setting = images(profile)
    return VideoRun(
        table=PRETRAIN,
        row="c2d_resnet18",
        profile=profile,
        seed=0,
        network=setting.make_network("c2d_resnet18"),
        data=setting.data,
        recipe=setting.recipe,
        keeps_weights=True,
    )


def make_run(
    table: str,
    row: str,
    profile: str,
    seed: int,
    network: str,
    protocols: Mapping[str, Protocol],
    frame_step: int = 12,
    **arguments: Any,
) -> VideoRun:
    """A run on ResNet-18, from pretrained weights: 3D networks inflate them."""
    setting = kinetics(profile, frame_step)
    return VideoRun(
        table=table,
        row=row,
        profile=profile,
        seed=seed,
        network=setting.make_network(network, **arguments),
        data=setting.data,
        recipe=setting.recipe,
        protocols=protocols,
        init=None if profile == "paper" else pretrain_run(profile),
    )


def both_protocols(profile: str) -> Mapping[str, Protocol]:
    """One clip and its centre crop, and 25 clips of 10 crops; in short trainings also a clip out of order."""
    if profile == "smoke":
        return SINGLE_CLIP
    if profile == "paper":
        return SINGLE_CLIP | {"25x10": Protocol(25, 10)}
    many = Protocol(25, 10, videos=VIDEOS_OF_MANY_VIEWS if profile == "cpu" else None)
    return SINGLE_CLIP | {"25x10": many, "shuffled": Protocol(shuffled=True)}


def cpnet(table: str, row: str, profile: str, seed: int, positions: str) -> VideoRun:
    """CPNet with modules at some positions, by the name of a row of the paper."""
    return make_run(table, row, profile, seed, "cpnet_resnet18", SINGLE_CLIP, positions=positions)


def compared(table: str, row: str, profile: str, seed: int, network: str, frame_step: int = 12) -> VideoRun:
    """A network of Table 3(d); at step 12, C2D stands in Tables 3(a) and (c) too, and CPNet in (a), each as one run."""
    positions = {"positions": "6"} if network == "cpnet" else {}
    return make_run(table, row, profile, seed, f"{network}_resnet18", both_protocols(profile), frame_step, **positions)


def two_modules(table: str, row: str, profile: str, seed: int, k: int = 8) -> VideoRun:
    """Two modules at res4: with k 8 it stands in Tables 3(a), (b) and (c), and is one run, tested with every k."""
    return make_run(table, row, profile, seed, "cpnet_resnet18", EVERY_K, positions="2", k=k)


def seeds_of(profile: str, seeds: Sequence[int] | None = None) -> Sequence[int]:
    """Those given; else three for claims that compare neighbours, one at profiles paper and smoke."""
    if seeds is not None:
        return seeds
    return SEEDS if profile in ("cpu", "gpu") else SEEDS[:1]


def higher(
    frame: pd.DataFrame,
    first: str,
    second: str,
    metric: str = "val_top1",
    other: str | None = None,
    least: float = 0.0,
) -> Verdict:
    """Whether row `first` is more accurate than `second`, by `PAIRED`; of the miniature nothing is claimed.

    Args:
        frame: results.
        first, second: rows.
        metric, other: of the two rows; the same if there is no other.
        least: points by which it must be.
    """
    one, two = by_seed(frame, first, metric), by_seed(frame, second, other or metric)
    if metric != "val_top1":
        one, two = one.rename(f"{first} ({metric})"), two.rename(f"{second} ({other or metric})")
    seeds = one.index.intersection(two.index)
    videos = videos_of(frame, metric)
    if len(seeds) != 1:
        return paired_difference(one, two, least, 100 / videos)
    verdict = difference_at_least(float(one[seeds[0]]), float(two[seeds[0]]), videos, least)
    return Verdict(verdict.outcome, f"{one.name} - {two.name}: {verdict.evidence}, one seed, {videos} videos")


def videos_of(frame: pd.DataFrame, metric: str) -> int:
    """How many videos a metric of the rows is over; 1 if none of them has it."""
    name = re.sub(r"^val_top\d(_step\d+)?_?", "", metric)
    known = frame.dropna(subset="config")
    for config, expected in zip(known["config"], known["n_expected"], strict=True):
        if name in config["protocols"]:
            return config["protocols"][name].get("videos") or int(expected)
    return 1


def by_seed(frame: pd.DataFrame, row: str, metric: str) -> pd.Series:
    """A metric of a row by seed; not of the miniature."""
    if metric not in frame:
        return pd.Series(dtype=float, name=row)
    ours = frame[(frame["row"] == row) & (frame["profile"] != "smoke")].drop_duplicates("seed")
    return ours.set_index("seed")[metric].dropna().rename(row)


def by_what_decides(frame: pd.DataFrame, rows: Sequence[str]) -> pd.DataFrame:
    """Top-1 among the classes of the stand-in that one frame decides, and among those that motion decides.

    Means over classes; mean ± deviation over seeds. Classes of the real data set are not so divided.
    """
    kinds = class_table("kinetics")["decided by"]
    lines = {}
    for row in rows:
        ours = frame[(frame["row"] == row) & (frame["profile"] != "paper")]
        lines[row] = {"seeds": str(len(ours))}
        for kind in ("appearance", "motion"):
            mine = (kinds == kind).to_numpy()
            values = [pd.Series(top1, dtype=float)[mine].mean() for top1 in ours["val_per_class"]] if len(ours) else []
            title = f"{kind} decides, {mine.sum()} classes"
            lines[row][title] = mean_sd(pd.Series(values)) if values else "not run"
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("row")


def fewer_weights(frame: pd.DataFrame, row: str, others: Sequence[str]) -> Verdict:
    """Whether the network of a row, as trained, has fewer weights than each of the others."""
    weights = dict(zip(frame["row"], frame["weights"], strict=True))
    if not {row, *others} <= set(weights):
        return Verdict("not run", "not all networks are trained")
    fewer = all(weights[row] < weights[other] for other in others)
    evidence = ", ".join(f"{name} {weights[name]:,}" for name in (row, *others))
    return Verdict("holds" if fewer else "does not hold", evidence)
