"""Table 5(a): Something-Something v2."""

from functools import partial

import pandas as pd

from cpnet.experiments.claims import (
    PAIRED,
    WEIGHTS,
    Claim,
    Comparison,
    Measured,
    Verdict,
    fewer_weights,
    more_accurate,
    within,
)
from cpnet.experiments.kinetics_rows import STAND_IN
from cpnet.experiments.leaks import AT_GUESSING, GUESSING, guesses
from cpnet.experiments.table import Table
from cpnet.experiments.twentybn import (
    MAIN,
    columns,
    larger_than_on_kinetics,
    no_loss,
    of_classes,
    row,
    seeds,
    with_kinetics,
)

PAPER_ROWS = ("c2d_resnet18", "c2d_resnet34", "cpnet_resnet18", "cpnet_resnet34")
ROWS = ("c2d_resnet18", "c2d_resnet34", "trn_resnet18", "trn_resnet34", "c3d_resnet18", "nl_resnet18", *PAPER_ROWS[2:])
VIEWS = "16x6"  # clips x crops of the published test
CITED = ("goyal", "trn", "trn_two_stream")  # what the paper quotes

LARGE_GAIN = 14.0  # points over C2D: "significant (>14%)"
INFERRED = " (inferred: 14.3 in top-5 is the smallest gain that the paper prints)"
PAIRS = {18: ("cpnet_resnet18", "c2d_resnet18"), 34: ("cpnet_resnet34", "c2d_resnet34")}
RIVAL = "trn_resnet34"  # with more than twice the weights of CPNet on ResNet-18, as in the paper
SEEN = Comparison(
    "partners told apart by cpnet_resnet18", {Measured("cpnet_resnet18", "", "val_partners"): 1.0}, GUESSING
)


def _pairs(metric: str, *names: tuple[str, str]) -> list[tuple[Measured, Measured]]:
    return [(Measured(one, metric=metric), Measured(other, metric=metric)) for one, other in names]


def _two_stream(frame: pd.DataFrame) -> Verdict:
    return Verdict("not run", "Two-stream TRN sees optical flow, which nothing here computes")


TABLE: Table = Table(
    name="table5a",
    title="Table 5(a)",
    chapter="07_something",
    subject="Something-Something v2",
    data=STAND_IN,
    rows={name: partial(row, "something", name, VIEWS, PAPER_ROWS) for name in ROWS},
    seeds=seeds,
    columns=columns(VIEWS),
    lines=(*CITED, *ROWS),
    claims=(
        *(
            Claim(
                f"CP modules raise the {title} of C2D on ResNet-{depth} by more than {LARGE_GAIN:.0f} points",
                "paper",
                f"{title} {MAIN}{meant}; {PAIRED}",
                partial(more_accurate, pairs=_pairs(metric, pair), least=LARGE_GAIN),
            )
            for metric, title, meant in (("val_top1", "top-1", ""), ("val_top5", "top-5", INFERRED))
            for depth, pair in PAIRS.items()
        ),
        *(
            Claim(
                f"CPNet on ResNet-18 beats MultiScale TRN by more than {points:.0f} points in {split}",
                "paper",
                f"top-1 {MAIN}, TRN on ResNet-34; {PAIRED}",
                partial(more_accurate, pairs=_pairs(metric, ("cpnet_resnet18", RIVAL)), least=points),
            )
            for split, metric, points in (("validation", "val_top1", 5.0), ("testing", "test_top1", 2.0))
        ),
        Claim(
            "CPNet on ResNet-18 has fewer than half the weights of MultiScale TRN",
            "paper",
            WEIGHTS,
            partial(fewer_weights, row="cpnet_resnet18", others=[RIVAL], times=2.0),
        ),
        *(
            Claim(
                f"CPNet on ResNet-34 beats Two-stream TRN by more than {points} in {split}",
                "paper",
                "top-1",
                _two_stream,
            )
            for split, points in (("validation", "2 points"), ("testing", "1 point"))
        ),
        Claim(
            "ResNet-34 beats ResNet-18",
            "paper",
            f"top-1 {MAIN}, C2D and CPNet; {PAIRED}",
            partial(
                more_accurate, pairs=_pairs("val_top1", *((f"{n}_resnet34", f"{n}_resnet18") for n in ("c2d", "cpnet")))
            ),
        ),
        larger_than_on_kinetics(PAIRS[18]),
        *of_classes("something", PAIRS[18]),
        Claim(
            "CPNet beats MultiScale TRN on the same ResNet-18",
            "ours",
            f"top-1 {MAIN}; {PAIRED}",
            partial(more_accurate, pairs=[("cpnet_resnet18", "trn_resnet18")]),
        ),
        Claim(
            "CPNet beats C3D on the same ResNet-18",
            "ours",
            f"top-1 {MAIN}; {PAIRED}",
            partial(more_accurate, pairs=[("cpnet_resnet18", "c3d_resnet18")]),
        ),
        no_loss(ROWS),
        Claim(
            "CPNet tells films from the same films played backwards",
            "ours",
            f"partners told apart above {GUESSING:.0f} %; {PAIRED}",
            partial(within, comparisons=[SEEN]),
        ),
        Claim(
            "C2D does not tell films from the same films played backwards",
            "ours",
            AT_GUESSING,
            partial(within, comparisons=[guesses("c2d_resnet18")]),
        ),
        Claim(
            "CPNet, where frames are shuffled, does not tell them apart either",
            "ours",
            AT_GUESSING,
            partial(within, comparisons=[guesses("cpnet_resnet18", "shuffled")]),
        ),
    ),
    evidence=lambda: with_kinetics(TABLE.load()),
)
