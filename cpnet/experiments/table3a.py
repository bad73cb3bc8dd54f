"""Table 3(a): Kinetics, the number of CP modules."""

from functools import partial
from itertools import pairwise

from cpnet.engine.setting import Network
from cpnet.experiments.claims import PAIRED, Claim, more_accurate, rising
from cpnet.experiments.kinetics_rows import STAND_IN, compared, seeds, two_modules
from cpnet.experiments.profiles import kinetics
from cpnet.experiments.table import Table

MODULES = {"c2d": 0, "cp1": 1, "cp2": 2, "cp4": 4, "cp6": 6}
ROWS = {
    "c2d": partial(compared, "c2d"),
    "cp1": partial(kinetics, Network("cpnet_resnet18", positions="1")),
    "cp2": partial(two_modules, 8),
    "cp4": partial(kinetics, Network("cpnet_resnet18", positions="4")),
    "cp6": partial(compared, "cpnet"),
}

TABLE = Table(
    name="table3a",
    title="Table 3(a)",
    chapter="02_ablation_num_cp",
    subject="Kinetics, number of CP modules",
    data=STAND_IN,
    rows=ROWS,
    seeds=seeds,
    claims=(
        Claim(
            "accuracy rises with the number of CP modules",
            "paper",
            f"slope of top-1 over all five rows; {PAIRED}",
            partial(rising, numbers=MODULES, unit="module"),
        ),
        Claim(
            "every step to more CP modules raises accuracy",
            "paper",
            f"top-1 of each row above that of the row before; {PAIRED}",
            partial(more_accurate, pairs=[(more, less) for less, more in pairwise(ROWS)]),
        ),
        Claim(
            "accuracy rises with the number of CP modules from the first on",
            "ours",
            f"slope of top-1 over the four rows that have modules; {PAIRED}",
            partial(rising, numbers={row: n for row, n in MODULES.items() if n}, unit="module"),
        ),
        Claim(
            "six CP modules are better than none",
            "ours",
            f"top-1; {PAIRED}",
            partial(more_accurate, pairs=[("cp6", "c2d")]),
        ),
    ),
)
