"""Table 5(a): Something-Something v2."""

from collections.abc import Sequence
from dataclasses import replace

from cpnet.data.rendered import Spec
from cpnet.engine.protocols import Protocol
from cpnet.experiments.profiles import Setting, something
from cpnet.experiments.video_run import VideoRun

TABLE, SEARCH = "table5a", "table5a_search"

PAPER_ROWS = ("c2d_resnet18", "c2d_resnet34", "cpnet_resnet18", "cpnet_resnet34")

# Every network is trained at each; the row of the table is the one that is best on clips made for choosing.
LEARNING_RATES = (2e-3, 4e-3, 8e-3)
BEST_LEARNING_RATE = {"c2d_resnet18": 4e-3, "c3d_resnet18": 4e-3, "nl_resnet18": 4e-3, "cpnet_resnet18": 4e-3}
TUNING = Spec("something", train=0, val=500, size=72, seed=1)

PAPER_GAIN = 14.0  # points of validation accuracy over C2D, "significant (>14%)"
TIMES_CHANCE = 3


def runs(profile: str = "cpu", *, seeds: Sequence[int] = (0,)) -> list[VideoRun]:
    """The rows: at "paper" those that the paper trains, by its schedule; else four networks in short trainings."""
    setting = something(profile)
    if profile == "paper":
        return [_run(TABLE, row, profile, seed, setting, {"": Protocol(16, 6)}) for row in PAPER_ROWS for seed in seeds]
    return [_short(row, profile, seed, setting, lr) for row, lr in BEST_LEARNING_RATE.items() for seed in seeds]


def search_runs() -> list[VideoRun]:
    """The networks of the table at the other learning rates."""
    return [
        _short(row, "cpu", 0, something("cpu"), lr)
        for row, best in BEST_LEARNING_RATE.items()
        for lr in LEARNING_RATES
        if lr != best
    ]


def _short(row: str, profile: str, seed: int, setting: Setting, lr: float) -> VideoRun:
    (phase,) = setting.recipe.phases
    recipe = replace(setting.recipe, phases=(replace(phase, lr=lr),))
    labels = (TABLE, row) if lr == BEST_LEARNING_RATE[row] else (SEARCH, f"{row}_lr{lr:g}")
    tests = {"": Protocol(), "2x3": Protocol(2, 3), "shuffled": Protocol(shuffled=True)}
    return _run(*labels, profile, seed, replace(setting, recipe=recipe), tests)


def _run(table: str, row: str, profile: str, seed: int, setting: Setting, protocols: dict[str, Protocol]) -> VideoRun:
    """A run of the network that the row's name starts with; CPNet has the five modules of the table."""
    name = row.partition("_lr")[0]
    network = setting.make_network(name, **({"positions": "5"} if name.startswith("cpnet") else {}))
    return VideoRun(
        table=table,
        row=row,
        profile=profile,
        seed=seed,
        network=network,
        data=setting.data,
        recipe=setting.recipe,
        protocols=protocols,
        tuning=TUNING if profile == "cpu" else None,
    )
