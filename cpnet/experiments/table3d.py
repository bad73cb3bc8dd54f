"""Table 3(d): Kinetics, CPNet beside C2D, C3D, NL C2D and ARTNet, at two frame rates and by two protocols."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from cpnet.experiments import claims
from cpnet.experiments.claims import PAIRED, WEIGHTS, Claim, Comparison, Measured, Verdict
from cpnet.experiments.kinetics_rows import STAND_IN, compared, seeds
from cpnet.experiments.table import Column, Table

NETWORKS = ("c2d", "c3d", "nl", "artnet", "cpnet")
STEPS = (12, 4)
SHUFFLED_MARGIN = -3.0  # points, within which two accuracies count as the same

COLUMNS = [
    Column(f"{title}, 1/{step}, {named}", metric, protocol, f"_step{step}")
    for step in STEPS
    for protocol, named in (("", "1x1"), ("25x10", "25x10"))
    for metric, title in (("val_top1", "top-1"), ("val_top5", "top-5"))
]
SHUFFLED = [Column(f"top-1, 1/{step}, 1x1, shuffled", protocol="shuffled", suffix=f"_step{step}") for step in STEPS]
TOP1 = [column for column in COLUMNS if column.metric == "val_top1"]


def _pairs(first: str, second: str, columns: Sequence[Column]) -> list[tuple[Measured, Measured]]:
    """Two networks by the tests of some columns."""
    one, two = ([Measured(name + c.suffix, c.protocol) for c in columns] for name in (first, second))
    return list(zip(one, two, strict=True))


def _gain_shrinks(frame: pd.DataFrame) -> Verdict:
    gains = {
        Measured(f"{name}_step{step}"): of_gain * of_step
        for name, of_gain in (("cpnet", 1.0), ("c2d", -1.0))
        for step, of_step in zip(STEPS, (1.0, -1.0), strict=True)
    }
    return claims.within(frame, [Comparison("gain at step 12 - gain at step 4", gains, low=0.0)])


TABLE = Table(
    name="table3d",
    title="Table 3(d)",
    chapter="05_comparison",
    subject="Kinetics, comparison with other nets",
    data=STAND_IN,
    rows={
        f"{network}_step{step}": partial(compared, network, frame_step=step) for step in STEPS for network in NETWORKS
    },
    seeds=seeds,
    columns=(*COLUMNS, *SHUFFLED),  # shuffled frames are not the paper's
    lines=NETWORKS,
    claims=(
        *(
            Claim(
                f"CPNet beats {name}",
                "paper",
                f"top-1 at both frame rates and by both protocols; {PAIRED}",
                partial(claims.more_accurate, pairs=_pairs("cpnet", network, TOP1)),
            )
            for network, name in (("c2d", "C2D"), ("c3d", "C3D"), ("nl", "NL C2D"), ("artnet", "ARTNet"))
        ),
        Claim(
            "CPNet has fewer weights than C3D, NL C2D and ARTNet",
            "paper",
            WEIGHTS,
            partial(claims.fewer_weights, row="cpnet_step12", others=["c3d_step12", "nl_step12", "artnet_step12"]),
        ),
        Claim(
            "CPNet gains by the order of frames: where they are shuffled, it does not beat C2D",
            "ours",
            f"top-1 of C2D, frames shuffled, at most {-SHUFFLED_MARGIN:.0f} points below CPNet's at both frame rates; "
            + PAIRED,
            partial(claims.more_accurate, pairs=_pairs("c2d", "cpnet", SHUFFLED), least=SHUFFLED_MARGIN),
        ),
        Claim(
            "the gain of CPNet over C2D is smaller on dense frames",
            "ours",
            f"gain at step 12 above gain at step 4, of single clips; {PAIRED}",
            _gain_shrinks,
        ),
    ),
)
