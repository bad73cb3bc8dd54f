"""Table 5(a): Something-Something v2."""

from functools import partial

from cpnet.engine.protocols import Protocol
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.claims import PAIRED, Claim, Comparison, Measured, more_accurate, within
from cpnet.experiments.kinetics_rows import STAND_IN
from cpnet.experiments.leaks import AT_GUESSING, GUESSING, guesses
from cpnet.experiments.settings import something
from cpnet.experiments.table import Column, Table

NETWORKS = {
    "c2d_resnet18": Network("c2d_resnet18"),
    "c2d_resnet34": Network("c2d_resnet34"),
    "c3d_resnet18": Network("c3d_resnet18"),
    "nl_resnet18": Network("nl_resnet18"),
    "cpnet_resnet18": Network("cpnet_resnet18", positions="5"),
    "cpnet_resnet34": Network("cpnet_resnet34", positions="5"),
}
PAPER_ROWS = ("c2d_resnet18", "c2d_resnet34", "cpnet_resnet18", "cpnet_resnet34")

TESTS = {"": Protocol(), "2x3": Protocol(2, 3), "shuffled": Protocol(shuffled=True)}
SHORT_ROWS = ("c2d_resnet18", "c3d_resnet18", "nl_resnet18", "cpnet_resnet18")

PAPER_GAIN = 14.0  # points of validation accuracy over C2D, "significant (>14%)"


def row(name: str, profile: str, seed: int) -> VideoTraining | None:
    """At "paper" what the paper trains, by its schedule; else four networks in short trainings."""
    if profile == "paper":
        return something(NETWORKS[name], profile, seed, {"": Protocol(16, 6)}) if name in PAPER_ROWS else None
    return something(NETWORKS[name], profile, seed, TESTS) if name in SHORT_ROWS else None


SEEN = Comparison(
    "partners told apart by cpnet_resnet18", {Measured("cpnet_resnet18", "", "val_partners"): 1.0}, GUESSING
)

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
    lines=SHORT_ROWS,
    claims=(
        Claim(
            "CP modules raise the accuracy of C2D by more than 14 points",
            "paper",
            f"top-1; {PAIRED}",
            partial(more_accurate, pairs=[("cpnet_resnet18", "c2d_resnet18")], least=PAPER_GAIN),
        ),
        Claim(
            "CPNet tells films from the same films played backwards",
            "ours",
            f"partners told apart above {GUESSING:.0f} %; {PAIRED}",
            partial(within, comparisons=[SEEN]),
        ),
        Claim("C2D does not", "ours", AT_GUESSING, partial(within, comparisons=[guesses("c2d_resnet18")])),
        Claim(
            "nor does CPNet where frames are shuffled",
            "ours",
            AT_GUESSING,
            partial(within, comparisons=[guesses("cpnet_resnet18", "shuffled")]),
        ),
    ),
)
