"""Table 5(a): Something-Something v2."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.experiments.claims import Claim, Verdict
from cpnet.experiments.profiles import Setting, something
from cpnet.experiments.video_run import VideoRun

TABLE, SEARCH = "table5a", "table5a_search"

# The paper trains the first four itself; C3D and NL C2D are ours, to place CPNet between them as Table 3(d) does.
PAPER_ROWS = ("c2d_resnet18", "c2d_resnet34", "cpnet_resnet18", "cpnet_resnet34")
SHORT_ROWS = ("c2d_resnet18", "c3d_resnet18", "nl_resnet18", "cpnet_resnet18")

# Of each row, the best of `LEARNING_RATES` in the search (a test checks it on the stored results).
LEARNING_RATES = (2e-3, 4e-3, 8e-3)
BEST_LEARNING_RATE = {"c2d_resnet18": 4e-3, "c3d_resnet18": 4e-3, "nl_resnet18": 4e-3, "cpnet_resnet18": 4e-3}
SEARCH_EPOCHS = 5

PAPER_GAIN = 14.0  # points of validation accuracy over C2D, "significant (>14%)"
TIMES_CHANCE = 3


def runs(profile: str = "cpu", *, seeds: Sequence[int] | None = None) -> list[VideoRun]:
    """The rows: at "paper" those that the paper trains, by its schedule; else four networks in short trainings."""
    setting = something(profile)
    if profile == "paper":
        return [
            _run(TABLE, row, profile, seed, setting, {"": Protocol(16, 6)})
            for row in PAPER_ROWS
            for seed in seeds or (0,)
        ]
    tests = {"": Protocol(), "2x3": Protocol(2, 3), "shuffled": Protocol(shuffled=True)}
    return [
        _run(TABLE, row, profile, seed, _with_lr(setting, BEST_LEARNING_RATE[row]), tests)
        for row in SHORT_ROWS
        for seed in seeds or (0,)
    ]


def search_runs() -> list[VideoRun]:
    """Every row at every learning rate, in a third of the epochs on half as many clips, none of them of the table."""
    setting = something("cpu")
    assert setting.data.rendered is not None
    spec = replace(setting.data.rendered, train=1000, seed=1)
    (phase,) = setting.recipe.phases
    recipe = replace(setting.recipe, phases=(replace(phase, epochs=SEARCH_EPOCHS),))
    setting = replace(setting, data=replace(setting.data, rendered=spec), recipe=recipe)
    return [
        _run(SEARCH, f"{row}_lr{lr:g}", "cpu", 0, _with_lr(setting, lr), {"": Protocol()})
        for row in SHORT_ROWS
        for lr in LEARNING_RATES
    ]


def _with_lr(setting: Setting, lr: float) -> Setting:
    (phase,) = setting.recipe.phases
    return replace(setting, recipe=replace(setting.recipe, phases=(replace(phase, lr=lr),)))


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
    )
