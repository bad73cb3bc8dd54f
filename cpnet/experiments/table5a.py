"""Table 5(a): Something-Something v2."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from cpnet.engine.protocols import Protocol
from cpnet.experiments.cells import paper_and_ours
from cpnet.experiments.claims import Claim, Verdict, difference_at_least
from cpnet.experiments.profiles import Setting, something
from cpnet.experiments.video_run import VideoRun
from cpnet.standins import Spec

TABLE, SEARCH = "table5a", "table5a_search"

PAPER_ROWS = ("c2d_resnet18", "c2d_resnet34", "cpnet_resnet18", "cpnet_resnet34")

# Every network is trained at each; the row of the table is the one that is best on clips made for choosing.
LEARNING_RATES = (2e-3, 4e-3, 8e-3)
BEST_LEARNING_RATE = {"c2d_resnet18": 4e-3, "c3d_resnet18": 2e-3, "nl_resnet18": 8e-3, "cpnet_resnet18": 4e-3}
TUNING = Spec("something", train=0, val=500, size=72, seed=1)

PAPER_GAIN = 14.0  # points of validation accuracy over C2D, "significant (>14%)"
VAL_CLIPS, PARTNERED_CLIPS = 500, 429  # of the stand-in at profile cpu, and those of classes with a partner
GUESSING = 50.0  # percent of partners told apart by who does not see the order of frames


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


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """Validation accuracy, paper | ours: ours on the stand-in."""
    metrics = {
        "val_top1": "top-1",
        "val_top5": "top-5",
        "val_top1_2x3": "top-1, 2x3 views",
        "val_top1_shuffled": "top-1, shuffled",
        "val_partners": "partners",
        "val_partners_shuffled": "partners, shuffled",
    }
    return paper_and_ours(TABLE, frame, tuple(BEST_LEARNING_RATE), metrics)


def claims() -> list[Claim]:
    """What Section 5.4 says of CP modules, and what the stand-in adds."""
    clips = "95 % interval over validation clips, one seed"
    return [
        Claim(
            "CP modules raise the accuracy of C2D by more than 14 points",
            "paper",
            clips,
            lambda frame: _compare(frame, "val_top1", PAPER_GAIN),
        ),
        Claim(
            "CPNet tells films from the same films played backwards",
            "ours",
            f"partners told apart above {GUESSING:.0f} %, {clips}",
            lambda frame: _against_guessing(frame, "cpnet_resnet18", "val_partners", above=True),
        ),
        Claim(
            "C2D does not",
            "ours",
            f"partners told apart at {GUESSING:.0f} %, {clips}",
            lambda frame: _against_guessing(frame, "c2d_resnet18", "val_partners", above=False),
        ),
        Claim(
            "nor does CPNet where frames are shuffled",
            "ours",
            f"partners told apart at {GUESSING:.0f} %, {clips}",
            lambda frame: _against_guessing(frame, "cpnet_resnet18", "val_partners_shuffled", above=False),
        ),
    ]


def _value(frame: pd.DataFrame, row: str, metric: str) -> float | None:
    """Of seed 0 at profile cpu."""
    ours = frame[(frame["row"] == row) & (frame["profile"] == "cpu") & (frame["seed"] == 0)]
    return float(ours[metric].iloc[0]) if len(ours) else None


def _compare(frame: pd.DataFrame, metric: str, least: float) -> Verdict:
    cpnet, c2d = (_value(frame, row, metric) for row in ("cpnet_resnet18", "c2d_resnet18"))
    if cpnet is None or c2d is None:
        return Verdict("not run", "no result at profile cpu")
    return difference_at_least(cpnet, c2d, VAL_CLIPS, least)


def _against_guessing(frame: pd.DataFrame, row: str, metric: str, *, above: bool) -> Verdict:
    value = _value(frame, row, metric)
    if value is None:
        return Verdict("not run", "no result at profile cpu")
    half = 1.96 * (GUESSING * (100 - GUESSING) / PARTNERED_CLIPS) ** 0.5
    evidence = f"{value:.1f} % of {PARTNERED_CLIPS} clips, guessing is {GUESSING:.0f} ± {half:.1f} %"
    apart = value > GUESSING + half
    return Verdict("holds" if apart == above else "does not hold", evidence)
