"""Table 3(c): Kinetics, the position of two CP modules."""

from functools import partial

from cpnet.engine.setting import Network
from cpnet.experiments.claims import PAIRED, Claim, more_accurate
from cpnet.experiments.kinetics_rows import STAND_IN, compared, seeds, two_modules
from cpnet.experiments.profiles import kinetics
from cpnet.experiments.table import Table

TABLE = Table(
    name="table3c",
    title="Table 3(c)",
    chapter="04_ablation_position",
    subject="Kinetics, position of the CP modules",
    data=STAND_IN,
    rows={
        "c2d": partial(compared, "c2d"),
        "res3": partial(kinetics, Network("cpnet_resnet18", positions="res3")),
        "res4": partial(two_modules, 8),
        "res5": partial(kinetics, Network("cpnet_resnet18", positions="res5")),
    },
    seeds=seeds,
    claims=(
        Claim(
            "res4 is the best position",
            "paper",
            f"top-1 at res4 above that at res3 and at res5; {PAIRED}",
            partial(more_accurate, pairs=[("res4", "res3"), ("res4", "res5")]),
        ),
        Claim(
            "two modules are better than none, wherever they are",
            "ours",
            f"top-1 of each position above C2D; {PAIRED}",
            partial(more_accurate, pairs=[("res3", "c2d"), ("res4", "c2d"), ("res5", "c2d")]),
        ),
    ),
)
