"""The paper's architecture tables drawn from the built networks, and every parameter count that it prints, audited."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Any

import pandas as pd
import torch

from cpnet.engine.memory import saved_for_backward
from cpnet.experiments.claims import Claim, Judge, Verdict
from cpnet.experiments.table import Table
from cpnet.models import create_model, for_clips
from cpnet.models.families import FAMILIES, VARIANTS
from cpnet.models.resnet import BLOCKS
from cpnet.models.summary import count_parameters, example_clip, multiply_adds, stages
from cpnet.nn import CPModule, NonLocalBlock
from cpnet.paper import read_table

MI, MILLION = 2**20, 10**6
KINETICS, SOMETHING, JESTER = 400, 174, 27  # classes


@dataclass(frozen=True)
class Drawn:
    """A network under the title that tables show."""

    title: str
    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def weights(self) -> dict[str, int]:
        """Its parameters, see `cpnet.models.summary.count_parameters`; nothing is allocated."""
        with torch.device("meta"):
            return count_parameters(create_model(self.model, **self.arguments))


def _paper(title: str, model: str, **arguments: Any) -> Drawn:
    return Drawn(title, model, {"variant": "paper", **arguments})


DRAWN = {
    "Table 1": [Drawn(name, f"{name.lower()}_toy") for name in ("NL", "ARTNet", "TRN", "CPNet")],
    "Tables 2 and 6": [
        _paper(title, f"{model}_resnet18")
        for title, model in {"C2D": "c2d", "C3D": "c3d", "ARTNet": "artnet", "NL C2D": "nl", "CPNet": "cpnet"}.items()
    ],
    "Table 7": [_paper("CPNet, 5 CP modules", "cpnet_resnet101")],
    "Table 8": [_paper("CPNet, 5 CP modules", "cpnet_resnet34", num_classes=SOMETHING)],
}
CLIPS = {"Table 1": (4, 32), "Tables 2 and 6": (8, 112), "Table 7": (8, 224), "Table 8": (12, 112)}  # frames, side

# Every parameter count that the paper prints, by (table, row): networks as the paper states them.
STATED = {
    ("table6", "c2d_resnet18"): [Drawn("C2D, ResNet-18", "c2d_resnet18")],
    ("table6", "c3d_resnet18"): [
        Drawn("C3D, 1×1×1 shortcuts", "c3d_resnet18"),
        Drawn("C3D, 3×3×3 shortcuts", "c3d_resnet18", {"shortcut_kernel": 3}),
    ],
    ("table6", "artnet_resnet18"): [
        Drawn("ARTNet, 1×1×1 shortcuts", "artnet_resnet18"),
        Drawn("ARTNet, 3×3×3 shortcuts", "artnet_resnet18", {"shortcut_kernel": 3}),
    ],
    ("table6", "nl_resnet18"): [Drawn("NL, 6 blocks", "nl_resnet18")],
    ("table6", "cpnet_resnet18"): [Drawn("CPNet, 6 modules", "cpnet_resnet18")],
    ("table4", "nl_resnet101"): [Drawn("NL, 5 blocks, as in [33]", "nl_resnet101")],
    ("table4", "cpnet_resnet101"): [_paper("CPNet, printed widths", "cpnet_resnet101")],
    ("table5a", "c2d_resnet18"): [Drawn("C2D, ResNet-18", "c2d_resnet18", {"num_classes": SOMETHING})],
    ("table5a", "c2d_resnet34"): [Drawn("C2D, ResNet-34", "c2d_resnet34", {"num_classes": SOMETHING})],
    ("table5a", "cpnet_resnet18"): [
        Drawn("CPNet, 2 + 3 modules", "cpnet_resnet18", {"num_classes": SOMETHING, "positions": "5"}),
        Drawn("CPNet, 2 + 2 + 1 modules", "cpnet_resnet18", {"num_classes": SOMETHING, "positions": "5_res5"}),
    ],
    ("table5a", "cpnet_resnet34"): [Drawn("CPNet, 5 modules", "cpnet_resnet34", {"num_classes": SOMETHING})],
    ("table5b", "c2d_resnet34"): [Drawn("C2D, ResNet-34", "c2d_resnet34", {"num_classes": JESTER})],
    ("table5b", "cpnet_resnet34"): [Drawn("CPNet, 5 modules", "cpnet_resnet34", {"num_classes": JESTER})],
}
# Networks that would explain a printed count, or might have been what was counted.
WIDE = {"hidden_fractions": (1, 0.5)}
GUESSED = {
    ("table6", "artnet_resnet18"): Drawn("C3D, 1×1×1 shortcuts", "c3d_resnet18"),
    ("table6", "nl_resnet18"): Drawn("NL, 1 block at res3", "nl_resnet18", {"positions": [(3, 1)]}),
    ("table6", "cpnet_resnet18"): Drawn("CPNet, 1 module at res3", "cpnet_resnet18", {"positions": [(3, 1)]}),
    ("table4", "cpnet_resnet101"): Drawn("CPNet, released widths", "cpnet_resnet101"),
    ("table5a", "cpnet_resnet18"): Drawn(
        "CPNet, 2 + 3 modules, hidden [C, C/2], 27 classes",
        "cpnet_resnet18",
        {"num_classes": JESTER, "positions": "5"} | WIDE,
    ),
    ("table5a", "cpnet_resnet34"): Drawn(
        "CPNet, 5 modules, hidden [C, C/2]", "cpnet_resnet34", {"num_classes": SOMETHING} | WIDE
    ),
    ("table5b", "cpnet_resnet34"): Drawn(
        "CPNet, 5 modules, hidden [C, C/2]", "cpnet_resnet34", {"num_classes": JESTER} | WIDE
    ),
}


def architecture_table(table: str) -> pd.DataFrame:
    """One of `DRAWN`: a row a layer with its output size, a column a network, drawn from the built networks."""
    T, side = CLIPS[table]
    clip = example_clip(T, side)
    drawn = {n.title: stages(create_model(n.model, **n.arguments), clip) for n in DRAWN[table]}
    longest = max(drawn.values(), key=len)
    layers = pd.DataFrame({title: frame["layers"] for title, frame in drawn.items()})
    return pd.concat([longest["output size"], layers.reindex(longest.index)], axis=1).fillna("–")


def variants() -> pd.DataFrame:
    """What `variant` chooses between, a column each."""

    def fraction(part: float | None) -> str:
        return "none" if part is None else f"C/{round(1 / part)}"

    stems = {"112": "stride 1, max-pool", "112_no_pool": "stride 2"}
    columns = {
        name: {
            "stem at 112×112": stems[variant.stem[18]],
            "resolution of the search at res3": "full" if variant.shrink == 1 else f"1/{variant.shrink}",
            "maximum over proposals": variant.pool.replace("_", " "),
            "k of ResNet-18, -34, -101": ", ".join(str(variant.k[depth]) for depth in BLOCKS),
            "hidden widths, ResNet-101": ", ".join(map(fraction, variant.hidden_fractions[101])),
            "bottleneck, ResNet-101": fraction(variant.bottleneck[101]),
        }
        for name, variant in VARIANTS.items()
    }
    return pd.DataFrame(columns)


def verdict(printed: str, value: float) -> str:
    """How a count compares with a printed one, at the printed number of decimals."""
    decimals = len(printed.partition(".")[2])
    rounded = f"{value:.{decimals}f}" == printed
    truncated = f"{floor(value * 10**decimals) / 10**decimals:.{decimals}f}" == printed
    if rounded and truncated:
        return "match"
    if rounded or truncated:
        return f"match by {'rounding' if rounded else 'truncation'}"
    return "no match"


def audit() -> pd.DataFrame:
    """Every parameter count of Tables 4, 5 and 6 that belongs to a stated architecture, beside ours.

    `weights, Mi` are those of convolutions and linear layers over 2^20; `trainable, M` is everything over 10^6.
    """
    rows = []
    for (table, row), networks in STATED.items():
        paper = read_table(table).set_index(["row", "column"])
        printed = str(paper["text"][row, "params"])
        for network in [*networks, *([GUESSED[table, row]] if (table, row) in GUESSED else [])]:
            ours = network.weights()
            mi, million = ours["weights"] / MI, ours["trainable"] / MILLION
            rows.append(
                {
                    "table": table.removeprefix("table").replace("5a", "5(a)").replace("5b", "5(b)"),
                    "row": paper["model"][row, "params"],
                    "printed": printed,
                    "network": network.title,
                    "stated": network in networks,
                    "weights": ours["weights"],
                    "weights, Mi": round(mi, 3),
                    "verdict": verdict(printed, mi),
                    "trainable, M": round(million, 3),
                    "verdict, trainable": verdict(printed, million),
                }
            )
    return pd.DataFrame(rows)


def conclusions(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each printed count of an `audit`: what it comes out as, and what would explain a mismatch."""
    rows = []
    for (table, row), group in frame.groupby(["table", "row"], sort=False):
        stated, guesses = group[group["stated"]], group[~group["stated"]]
        matches = stated[stated["verdict"] != "no match"]
        best = (matches if len(matches) else stated).iloc[0]
        fits = guesses[guesses["verdict"] != "no match"]
        rows.append(
            {
                "table": table,
                "row": row,
                "printed": best["printed"],
                "stated architecture": f"{best['weights, Mi']:.3f} ({best['network']})",
                "verdict": best["verdict"] if len(matches) else "cannot follow from the stated architecture",
                "what would print it": "; ".join(f"{g['weights, Mi']:.3f}: {g['network']}" for _, g in fits.iterrows()),
            }
        )
    return pd.DataFrame(rows)


def _every_count_follows(frame: pd.DataFrame) -> Verdict:
    verdicts = conclusions(frame)["verdict"]
    follow = int(verdicts.str.startswith("match").sum())
    return Verdict("holds" if follow == len(verdicts) else "does not hold", f"{follow} of {len(verdicts)} do")


def _smaller(table: str, row: str, other: str) -> Judge:
    def judge(frame: pd.DataFrame) -> Verdict:
        ours, theirs = _stated(frame, table, row), _stated(frame, table, other)
        return _judge(ours < theirs, ours, theirs)

    return judge


def _smaller_than_printed(table: str, row: str, source: str, other: str, part: float) -> Judge:
    def judge(frame: pd.DataFrame) -> Verdict:
        printed = float(read_table(source).set_index(["row", "column"])["value"][other, "params"])
        ours = _stated(frame, table, row)
        return _judge(ours < part * printed, ours, part * printed)

    return judge


def _stated(frame: pd.DataFrame, table: str, row: str) -> float:
    """Mi of the first stated reading of a row."""
    return float(frame.loc[(frame["table"] == table) & (frame["row"] == row) & frame["stated"], "weights, Mi"].iloc[0])


def _judge(holds: bool, ours: float, theirs: float) -> Verdict:
    return Verdict("holds" if holds else "does not hold", f"{ours:.2f} against {theirs:.2f} Mi")


SMALLER = "weights of convolutions and linear layers, of the stated architecture"

TABLE = Table(
    name="architectures",
    title="Tables 2, 6–8",
    subject="architectures, numbers of parameters",
    data="none: counted",
    evidence=audit,
    claims=(
        Claim(
            "Every printed count follows from the stated architecture",
            "ours",
            "the count at the printed number of decimals, rounded or truncated",
            _every_count_follows,
        ),
        *(
            Claim(
                f"CPNet has fewer parameters than {other}",
                "paper",
                SMALLER,
                _smaller("6", "CPNet (ours), 6 CP modules", row),
            )
            for other, row in (
                ("NL C2D on ResNet-18", "NL C2D Net, 6 NL blocks [33]"),
                ("C3D", "C3D"),
                ("ARTNet", "ARTNet [32]"),
            )
        ),
        Claim(
            "CPNet has fewer parameters than NL C2D on ResNet-101",
            "paper",
            SMALLER,
            _smaller("4", "CPNet C2D ResNet-101 (ours)", "NL C2D ResNet-101 [33]"),
        ),
        Claim(
            "CPNet on ResNet-34 has less than half the parameters of Two-stream TRN",
            "paper",
            f"{SMALLER}; those of Two-stream TRN as printed",
            _smaller_than_printed("5(a)", "CPNet Res34, 5 CP (ours)", "table5a", "trn_two_stream", 0.5),
        ),
        Claim(
            "CPNet on ResNet-18 has less than half the parameters of MultiScale TRN",
            "paper",
            f"{SMALLER}; those of MultiScale TRN as printed",
            _smaller_than_printed("5(a)", "CPNet Res18, 5 CP (ours)", "table5a", "trn", 0.5),
        ),
        Claim(
            "CPNet is smaller than every published model it is compared with on Jester",
            "paper",
            f"{SMALLER}; those of TPRN, the smallest of them, as printed",
            _smaller_than_printed("5(b)", "CPNet Res34, 5 CP (ours)", "table5b", "tprn", 1.0),
        ),
        Claim(
            "ARTNet has as many parameters as C3D",
            "paper",
            f"{SMALLER}, within 1 %",
            lambda frame: _judge(
                abs(_stated(frame, "6", "ARTNet [32]") / _stated(frame, "6", "C3D") - 1) <= 0.01,
                _stated(frame, "6", "ARTNet [32]"),
                _stated(frame, "6", "C3D"),
            ),
        ),
    ),
)


def insertions(channels: tuple[int, ...] = (128, 256, 512)) -> pd.DataFrame:
    """Weights that one CP module ([C/4, C/2]) and one NL block add to features of C channels."""
    rows = {
        f"C = {C}": {
            "CP module, 1.125 C² + 0.75 C": count_parameters(CPModule(C))["weights"],
            "NL block, 2 C²": count_parameters(NonLocalBlock(C))["weights"],
        }
        for C in channels
    }
    return pd.DataFrame(rows).T


def costs(num_frames: int, size: int, depth: int = 18) -> pd.DataFrame:
    """Multiply-adds, and MiB kept for the backward pass, of a clip in every family of networks, and relative to C2D."""
    clip = example_clip(num_frames, size)
    rows = {}
    for family in FAMILIES:
        name = f"{family}_resnet{depth}"
        torch.manual_seed(0)
        model = create_model(name, **for_clips(name, num_frames))
        rows[name] = {
            "weights, Mi": count_parameters(model)["weights"] / MI,
            "multiply-adds, G": multiply_adds(model, clip)[""] / 1e9,
            "activations, MiB": saved_for_backward(model, clip) / 2**20,
        }
    frame = pd.DataFrame(rows).T
    relative = frame / frame.iloc[0]
    return frame.join(relative.add_suffix(" ÷ C2D")).round(2)
