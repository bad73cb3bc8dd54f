"""Table 3(d): Kinetics, CPNet beside C2D, C3D, NL C2D and ARTNet, at two frame rates and by two protocols."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from cpnet.experiments import kinetics
from cpnet.experiments.cells import paper_and_ours
from cpnet.experiments.claims import Claim, Verdict, all_hold, paired_difference
from cpnet.experiments.video_run import VideoRun

TABLE = "table3d"
ROWS = ("c2d", "c3d", "nl", "artnet", "cpnet")
STEPS = (12, 4)
SHUFFLED_MARGIN = -3.0  # points, within which two accuracies count as the same
KEPT = ("config", "n_expected")  # of the first step
LARGER = ("c3d_step12", "nl_step12", "artnet_step12")  # than CPNet, says the paper

METRICS = {
    f"{metric}_step{step}{views}": f"{title}, 1/{step}, {named}"
    for step in STEPS
    for views, named in (("", "1x1"), ("_25x10", "25x10"))
    for metric, title in (("val_top1", "top-1"), ("val_top5", "top-5"))
}
SHUFFLED = {f"val_top1_step{step}_shuffled": f"top-1, 1/{step}, 1x1, shuffled" for step in STEPS}  # not the paper's
TOP1 = {name: title.removeprefix("top-1, ") for name, title in METRICS.items() if name.startswith("val_top1")}


def runs(profile: str = "cpu", seeds: Sequence[int] | None = None) -> list[VideoRun]:
    """Five networks at both frame rates; `row` is the network and the step, such as cpnet_step12."""
    return [
        kinetics.compared(TABLE, f"{row}_step{step}", profile, seed, row, step)
        for seed in kinetics.seeds_of(profile, seeds)
        for step in STEPS
        for row in ROWS
    ]


def by_network(frame: pd.DataFrame) -> pd.DataFrame:
    """Both frame rates of a network and a seed in one row, as the paper prints them."""
    labels, parts = ["table", "row", "profile", "seed"], []
    for step in STEPS:
        part = frame[frame["row"].str.endswith(f"_step{step}")]
        part = part.assign(row=part["row"].str.removesuffix(f"_step{step}")).set_index(labels)
        part.columns = part.columns.str.replace(r"^(val_top\d)", rf"\1_step{step}", regex=True)
        parts.append(part[[name for name in part if name in METRICS | SHUFFLED or (step == STEPS[0] and name in KEPT)]])
    return pd.concat(parts, axis=1).reset_index()


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """Paper | ours."""
    return paper_and_ours(TABLE, by_network(frame), ROWS, METRICS | SHUFFLED)


def claims() -> list[Claim]:
    """What Section 5.2 says, and our reading of both frame rates."""
    tests = f"at both frame rates and by both protocols; {kinetics.PAIRED}"
    return [
        *(
            Claim(f"CPNet beats {name}", "paper", f"top-1 {tests}", partial(_beats, row))
            for row, name in (("c2d", "C2D"), ("c3d", "C3D"), ("nl", "NL C2D"), ("artnet", "ARTNet"))
        ),
        Claim(
            "CPNet has fewer weights than C3D, NL C2D and ARTNet",
            "paper",
            "weights of convolutions and linear layers, of the networks as trained",
            lambda frame: kinetics.fewer_weights(frame, "cpnet_step12", LARGER),
        ),
        Claim(
            "CPNet gains by the order of frames: where they are shuffled, it does not beat C2D",
            "ours",
            f"top-1 of C2D, frames shuffled, at most {-SHUFFLED_MARGIN:.0f} points below CPNet's at both frame rates; "
            + kinetics.PAIRED,
            _gain_is_order,
        ),
        Claim(
            "the gain of CPNet over C2D is smaller on dense frames",
            "ours",
            f"gain at step 12 above gain at step 4, of single clips; {kinetics.PAIRED_OVER_SEEDS}",
            _gain_shrinks,
        ),
    ]


def _beats(row: str, frame: pd.DataFrame) -> Verdict:
    frame = by_network(frame)
    return all_hold([kinetics.higher(frame, "cpnet", row, metric) for metric in TOP1])


def _gain_is_order(frame: pd.DataFrame) -> Verdict:
    frame = by_network(frame)
    return all_hold([kinetics.higher(frame, "c2d", "cpnet", name, least=SHUFFLED_MARGIN) for name in SHUFFLED])


def _gain_shrinks(frame: pd.DataFrame) -> Verdict:
    frame = by_network(frame)
    gains = {}
    for step in STEPS:
        cpnet, c2d = (kinetics.by_seed(frame, row, f"val_top1_step{step}") for row in ("cpnet", "c2d"))
        gains[step] = (cpnet - c2d).rename(f"gain at step {step}")
    return paired_difference(gains[12], gains[4], finest=100 / kinetics.videos_of(frame, "val_top1"))
