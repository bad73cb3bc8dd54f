"""How far each network sees, and how fine: the toy study of Section 4 at one displacement at a time; ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import torch

from cpnet.engine.memory import saved_for_backward
from cpnet.engine.toy_training import ToyTraining
from cpnet.experiments.claims import Claim, Comparison, Measured, Verdict, within, yes_or_no
from cpnet.experiments.parameters import ALL, chosen
from cpnet.experiments.run import Run
from cpnet.experiments.table import Column, Table
from cpnet.experiments.table1 import CHANCE, MARGIN, OVER_SEEDS, SCHEDULE
from cpnet.models import create_model
from cpnet.models.summary import count_parameters, multiply_adds

LEARNT = 90.0  # percent
ORDERLESS = 50.0  # percent: frames without their order can say along which axis the square moves

# Two frames are one displacement. Four 3x3 convolutions with zero padding need a margin of 7 black pixels to see no
# edge together with the square (a test), and up to 10 pixels of travel need this canvas for clips enough.
DATA: Mapping[str, Any] = {"size": 36, "num_frames": 2, "margin": 7}
SMOKE_DATA: Mapping[str, Any] = {"size": 28, "num_frames": 2, "margin": 3}
EVERY = tuple(range(1, 11))  # displacements, pixels from one frame to the next
SOME, FEW = (1, 2, 4, 6, 8, 10), (5, 6, 10)
SEEDS = (0, 1, 2)


class Net(NamedTuple):
    """A network whose reach is measured.

    Attributes:
        title: as figures name it.
        model, arguments: for `cpnet.models.create_model`.
        layers: 3x3 convolutions up to the last that sees two frames; 0 if none does, None if a module is not local.
        steps: displacements that it is trained at.
        distractors: of the clips.
        epochs: of its training.
        size: height and width of the clips.
    """

    title: str
    model: str
    arguments: Mapping[str, Any]
    layers: int | None
    steps: Sequence[int] = EVERY
    distractors: str = "none"
    epochs: int = SCHEDULE.epochs
    size: int = DATA["size"]

    @property
    def reach(self) -> float:
        """The largest displacement that one field of its convolutions can see both ends of, in pixels.

        Fields are 2 L + 1 pixels wide after L layers: their first pixel may see the square leave, the last one where
        it comes to.
        """
        return float("inf") if self.layers is None else 2 * self.layers + 1 if self.layers else 0


SCALED: Mapping[str, Any] = {"k": 4, "displacement_scale": 32.0}  # as all networks on videos; 1 is published
NETS = {
    "trn": Net("TRN", "trn_toy", {"num_frames": 2}, 0),
    "artnet": Net("ARTNet", "artnet_toy", {}, 2),
    "nl": Net("NL Net", "nl_toy", {}, 2, FEW),
    **{f"c3d{n}": Net(f"C3D, {n} layers", "c3d_toy", {"layers": n}, n) for n in (2, 3, 4)},
    "c3d4_long": Net("C3D, 4 layers, 36 epochs", "c3d_toy", {"layers": 4}, 4, (9,), epochs=36),
    **{f"cpnet_k{k}": Net(f"CPNet, k = {k}", "cpnet_toy", {"k": k}, None, SOME) for k in (1, 4)},
    "cpnet_k4_scale32": Net("CPNet, k = 4, scale 32", "cpnet_toy", SCALED, None, SOME),
    "cpnet_k4_long": Net("CPNet, k = 4, 36 epochs", "cpnet_toy", {"k": 4}, None, SOME[:2], epochs=36),
    **{
        f"cpnet_k4_{kind}": Net(f"CPNet, k = 4, {kind} distractors", "cpnet_toy", {"k": 4}, None, SOME[1::2], kind)
        for kind in ("alike", "unlike")
    },
    "cpnet_k4_scale32_alike": Net("CPNet, scale 32, alike distractors", "cpnet_toy", SCALED, None, SOME[1::2], "alike"),
}
# CPNet on features of cells of so many pixels, as those of res3, res4 and res5 are; displacements of a part of a cell.
PARTS = (4, 2)  # a quarter and a half
CELLS = {
    f"cpnet_cell{cell}": Net(
        f"CPNet, cells of {cell} px",
        "cpnet_toy",
        {"k": 4, "stride": cell},
        None,
        [cell // part for part in PARTS],
        epochs=36,
        size=64,
    )
    for cell in (4, 8, 16)
}
ALL_NETS = {**NETS, **CELLS}
LOCAL = {name: net for name, net in NETS.items() if net.layers is not None and net.epochs == SCHEDULE.epochs}
SMOKE_NETS, SMOKE_EPOCHS = ("trn", "c3d2", "cpnet_k4"), 2


def row(name: str, step: int) -> str:
    """Such as "c3d2_step5"."""
    return f"{name}_step{step}"


# Of each row, network and displacement.
PLACES = {row(name, step): (name, step) for name, net in ALL_NETS.items() for step in net.steps}


def trained_at(name: str, step: int, profile: str, seed: int) -> ToyTraining | None:
    """A network at one displacement; at profile smoke a miniature of some of them."""
    net, smoke = ALL_NETS[name], profile == "smoke"
    if smoke and name not in SMOKE_NETS:
        return None
    return ToyTraining(
        seed=seed,
        model=net.model,
        model_args=net.arguments,
        data_args={
            **(SMOKE_DATA if smoke else {**DATA, "size": net.size}),
            "steps": [step],
            "distractors": net.distractors,
        },
        schedule=replace(SCHEDULE, epochs=SMOKE_EPOCHS if smoke else net.epochs),
        revision=3,
    )


def accuracies(frame: pd.DataFrame) -> pd.DataFrame:
    """One line a training: net, step, seed, top1 in percent."""
    mine = frame[(frame["metric"] == "val_top1") & frame["row"].isin(list(PLACES))]
    lines = [(*PLACES[r], seed, value) for r, seed, value in zip(mine["row"], mine["seed"], mine["value"], strict=True)]
    return pd.DataFrame(lines, columns=["net", "step", "seed", "top1"])


def _as_computed(frame: pd.DataFrame, beyond: bool) -> Verdict:
    """Every training of a convolutional net: at chance beyond its reach, or above chance up to there."""
    rows = [row(name, step) for name, net in LOCAL.items() for step in net.steps if (step > net.reach) == beyond]
    found = accuracies(frame[(frame["profile"] != "smoke") & frame["row"].isin(rows)])
    missing = len(rows) * len(SEEDS) - len(found)
    if found.empty:
        return Verdict("not run", "none is trained")
    others = found[(found["top1"] > CHANCE + MARGIN) == beyond]
    named = "; ".join(
        f"{row(n, step)} seed {seed}: {top1:.0f}" for n, step, seed, top1 in others.itertuples(index=False)
    )
    right = f"{len(found) - len(others)} of {len(found)} trainings"
    said = yes_or_no(others.empty, f"{right}{': not ' * bool(named)}{named}")
    return Verdict("partly run", f"{right}; {missing} are to be trained") if others.empty and missing else said


def _above(name: str, least: float = LEARNT) -> list[Comparison]:
    steps = ALL_NETS[name].steps
    return [Comparison(row(name, s), {Measured(row(name, s)): 1.0}, least, own_videos=True) for s in steps]


def _with_and_without(kind: str) -> list[Comparison]:
    """Accuracy with distractors less that without, at each displacement."""
    name = f"cpnet_k4_{kind}"
    pairs = [(row(name, step), row("cpnet_k4", step)) for step in NETS[name].steps]
    return [
        Comparison(f"{a} - {b}", {Measured(a): 1.0, Measured(b): -1.0}, -MARGIN, MARGIN, own_videos=True)
        for a, b in pairs
    ]


TABLE = Table(
    name="how_far",
    title="Section 4, by displacement",
    chapter="12_how_far",
    subject="how far each network sees",
    data="toy set, one displacement at a time",
    rows={name: partial(trained_at, *place) for name, place in PLACES.items()},
    seeds=lambda row, profile: (0,) if profile == "smoke" else SEEDS,
    columns=(Column("val"),),
    claims=(
        Claim(
            "a local network guesses at displacements beyond its reach",
            "ours",
            f"validation accuracy of every training at most {CHANCE + MARGIN:.0f} %; the reach is computed beforehand",
            partial(_as_computed, beyond=True),
        ),
        Claim(
            "a local network learns displacements up to its reach",
            "ours",
            f"validation accuracy of every training above {CHANCE + MARGIN:.0f} %; the reach is computed beforehand",
            partial(_as_computed, beyond=False),
        ),
        Claim(
            "CPNet learns every displacement, as soon as Table 1's",
            "ours",
            f"validation accuracy above {LEARNT:.0f} % at each, k = 1 and k = 4, after {SCHEDULE.epochs} epochs; "
            f"{OVER_SEEDS}",
            partial(within, comparisons=[c for k in (1, 4) for c in _above(f"cpnet_k{k}")]),
        ),
        Claim(
            "CPNet learns small displacements in three times as many epochs",
            "ours",
            f"validation accuracy above {LEARNT:.0f} % at 1 and 2 pixels, k = 4; {OVER_SEEDS}",
            partial(within, comparisons=_above("cpnet_k4_long")),
        ),
        Claim(
            "CPNet learns every displacement, as soon as Table 1's, with displacements multiplied by 32",
            "ours",
            f"validation accuracy above {LEARNT:.0f} % at each, k = 4, after {SCHEDULE.epochs} epochs; {OVER_SEEDS}",
            partial(within, comparisons=_above("cpnet_k4_scale32")),
        ),
        Claim(
            "C3D learns the last displacement within its reach in three times as many epochs",
            "ours",
            f"validation accuracy above {LEARNT:.0f} % at 9 pixels, four layers; {OVER_SEEDS}",
            partial(within, comparisons=_above("c3d4_long")),
        ),
        *(
            Claim(
                f"distractors that look {kind} change nothing for CPNet",
                "ours",
                f"accuracy with them within {MARGIN:.0f} points of that without, at each displacement; {OVER_SEEDS}",
                partial(within, comparisons=_with_and_without(kind)),
            )
            for kind in ("alike", "unlike")
        ),
        Claim(
            "motion of a part of a cell of the feature map can still be captured (Section 6.2)",
            "paper",
            f"validation accuracy above {ORDERLESS + MARGIN:.0f} %, {MARGIN:.0f} above what unordered frames give, "
            f"for motions of a quarter and of a half of a cell of 4, 8 and 16 pixels; {OVER_SEEDS}",
            partial(within, comparisons=[c for name in CELLS for c in _above(name, ORDERLESS + MARGIN)]),
        ),
    ),
)


def runs_of(
    profile: str, seeds: Sequence[int] | int | str, steps: Sequence[int] | int | str = ALL, only_stored: bool = False
) -> list[Run]:
    """Those of all displacements, or of some."""
    wanted = chosen(steps, EVERY)
    names = [name for name, (_, step) in PLACES.items() if step in wanted]
    return TABLE.runs(profile, seeds, names, only_stored)


def overview_of_nets() -> pd.DataFrame:
    """One line a net: its reach, and what a clip costs: weights, multiply-adds, memory kept for the backward pass."""
    lines = []
    for net in (net for net in NETS.values() if net.distractors == "none" and net.epochs == SCHEDULE.epochs):
        torch.manual_seed(0)
        model = create_model(net.model, **net.arguments)
        clip = torch.zeros(1, 3, DATA["num_frames"], DATA["size"], DATA["size"])
        lines.append(
            {
                "net": net.title,
                "reach, px": "any" if net.layers is None else str(net.reach),
                "weights": count_parameters(model)["weights"],
                "M multiply-adds": round(multiply_adds(model, clip)[""] / 1e6, 1),
                "MiB for backward": round(saved_for_backward(model, clip) / 2**20, 1),
                "trained at, px": "1 to 10" if net.steps == EVERY else ", ".join(map(str, net.steps)),
            }
        )
    return pd.DataFrame(lines).set_index("net")


def curves(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By title of each net, one line a training: step, seed, top1."""
    found = accuracies(frame)
    return {net.title: found[found["net"] == name] for name, net in NETS.items()}


def parts_of_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """One line a training of `CELLS`: cell and displacement in pixels, part of a cell, seed, top1."""
    found = accuracies(frame)
    found = found[found["net"].isin(list(CELLS))]
    cell = found["net"].map({name: net.arguments["stride"] for name, net in CELLS.items()}).astype(int)
    return found.assign(cell=cell, part=found["step"] / cell)[["cell", "step", "part", "seed", "top1"]]


def table_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy over seeds, a line a net and a column a displacement."""
    means = accuracies(frame).pivot_table("top1", "net", "step", dropna=False).reindex(index=list(NETS), columns=EVERY)
    printed = means.map(lambda value: "" if pd.isna(value) else f"{value:.0f}")
    return printed.set_axis([net.title for net in NETS.values()]).rename_axis("net").rename_axis("px a frame", axis=1)
