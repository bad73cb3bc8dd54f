"""The paper's architecture tables drawn from the built networks, and every parameter count that it prints, audited."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Any

import pandas as pd
import torch

from cpnet.engine.memory import saved_for_backward
from cpnet.experiments.claims import Claim, Verdict
from cpnet.models import create_model, for_clips
from cpnet.models.families import FAMILIES, VARIANTS
from cpnet.models.resnet import BLOCKS
from cpnet.models.summary import count_parameters, example_clip, multiply_adds, stages
from cpnet.nn import CPModule, NonLocalBlock
from cpnet.paper import read_table

Judge = Callable[[pd.DataFrame], Verdict]

MI, MILLION = 2**20, 10**6
KINETICS, SOMETHING, JESTER = 400, 174, 27  # classes


@dataclass(frozen=True)
class Network:
    """A network under a title."""

    title: str
    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def weights(self) -> dict[str, int]:
        """Its parameters, see `cpnet.models.summary.count_parameters`; nothing is allocated."""
        with torch.device("meta"):
            return count_parameters(create_model(self.model, **self.arguments))


@dataclass(frozen=True)
class Count:
    """A parameter count that the paper prints, with a network that is, or might be, what was counted.

    Attributes:
        table, row: where it is printed, see `cpnet.paper`.
        network: as stated in the paper, unless `stated` is False: then a guess that would explain the number.
    """

    table: str
    row: str
    network: Network
    stated: bool = True


def _paper(title: str, model: str, **arguments: Any) -> Network:
    return Network(title, model, {"variant": "paper", **arguments})


TABLES = {
    "Table 1": [Network(name, f"{name.lower()}_toy") for name in ("NL", "ARTNet", "TRN", "CPNet")],
    "Tables 2 and 6": [
        _paper(title, f"{model}_resnet18")
        for title, model in {"C2D": "c2d", "C3D": "c3d", "ARTNet": "artnet", "NL C2D": "nl", "CPNet": "cpnet"}.items()
    ],
    "Table 7": [_paper("CPNet, 5 CP modules", "cpnet_resnet101")],
    "Table 8": [_paper("CPNet, 5 CP modules", "cpnet_resnet34", num_classes=SOMETHING)],
}
CLIPS = {"Table 1": (4, 32), "Tables 2 and 6": (8, 112), "Table 7": (8, 224), "Table 8": (12, 112)}  # frames, side

COUNTS = [
    Count("table6", "c2d_resnet18", Network("C2D, ResNet-18", "c2d_resnet18")),
    Count("table6", "c3d_resnet18", Network("C3D, 1×1×1 shortcuts", "c3d_resnet18")),
    Count("table6", "c3d_resnet18", Network("C3D, 3×3×3 shortcuts", "c3d_resnet18", {"shortcut_kernel": 3})),
    Count("table6", "artnet_resnet18", Network("ARTNet, 1×1×1 shortcuts", "artnet_resnet18")),
    Count("table6", "artnet_resnet18", Network("ARTNet, 3×3×3 shortcuts", "artnet_resnet18", {"shortcut_kernel": 3})),
    Count("table6", "artnet_resnet18", Network("C3D, 1×1×1 shortcuts", "c3d_resnet18"), stated=False),
    Count("table6", "nl_resnet18", Network("NL, 6 blocks", "nl_resnet18")),
    Count(
        "table6", "nl_resnet18", Network("NL, 1 block at res3", "nl_resnet18", {"positions": [(3, 1)]}), stated=False
    ),
    Count("table6", "cpnet_resnet18", Network("CPNet, 6 modules", "cpnet_resnet18")),
    Count(
        "table6",
        "cpnet_resnet18",
        Network("CPNet, 1 module at res3", "cpnet_resnet18", {"positions": [(3, 1)]}),
        stated=False,
    ),
    Count("table4", "nl_resnet101", Network("NL, 5 blocks, as in [33]", "nl_resnet101")),
    Count("table4", "cpnet_resnet101", _paper("CPNet, printed widths", "cpnet_resnet101")),
    Count("table4", "cpnet_resnet101", Network("CPNet, released widths", "cpnet_resnet101"), stated=False),
    Count("table5a", "c2d_resnet18", Network("C2D, ResNet-18", "c2d_resnet18", {"num_classes": SOMETHING})),
    Count("table5a", "c2d_resnet34", Network("C2D, ResNet-34", "c2d_resnet34", {"num_classes": SOMETHING})),
    *(
        Count("table5a", "cpnet_resnet18", Network(title, "cpnet_resnet18", arguments), stated)
        for title, arguments, stated in (
            ("CPNet, 2 + 3 modules", {"num_classes": SOMETHING, "positions": "5"}, True),
            ("CPNet, 2 + 2 + 1 modules", {"num_classes": SOMETHING, "positions": "5_res5"}, True),
            (
                "CPNet, 2 + 3 modules, hidden [C, C/2], 27 classes",
                {"num_classes": JESTER, "positions": "5", "hidden_fractions": (1, 0.5)},
                False,
            ),
        )
    ),
    Count("table5a", "cpnet_resnet34", Network("CPNet, 5 modules", "cpnet_resnet34", {"num_classes": SOMETHING})),
    Count(
        "table5a",
        "cpnet_resnet34",
        Network(
            "CPNet, 5 modules, hidden [C, C/2]",
            "cpnet_resnet34",
            {"num_classes": SOMETHING, "hidden_fractions": (1, 0.5)},
        ),
        stated=False,
    ),
    Count("table5b", "c2d_resnet34", Network("C2D, ResNet-34", "c2d_resnet34", {"num_classes": JESTER})),
    Count("table5b", "cpnet_resnet34", Network("CPNet, 5 modules", "cpnet_resnet34", {"num_classes": JESTER})),
    Count(
        "table5b",
        "cpnet_resnet34",
        Network(
            "CPNet, 5 modules, hidden [C, C/2]", "cpnet_resnet34", {"num_classes": JESTER, "hidden_fractions": (1, 0.5)}
        ),
        stated=False,
    ),
]


def architecture_table(table: str) -> pd.DataFrame:
    """One of `TABLES`: a row a layer with its output size, a column a network, drawn from the built networks."""
    T, side = CLIPS[table]
    clip = example_clip(T, side)
    drawn = {n.title: stages(create_model(n.model, **n.arguments), clip) for n in TABLES[table]}
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
    for count in COUNTS:
        paper = read_table(count.table).set_index(["row", "column"])
        printed = str(paper["text"][count.row, "params"])
        ours = count.network.weights()
        mi, million = ours["weights"] / MI, ours["trainable"] / MILLION
        rows.append(
            {
                "table": count.table.removeprefix("table").replace("5a", "5(a)").replace("5b", "5(b)"),
                "row": paper["model"][count.row, "params"],
                "printed": printed,
                "network": count.network.title,
                "stated": count.stated,
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


def claims() -> list[Claim]:
    """What the paper says about numbers of parameters, judged on an `audit`."""
    smaller = "weights of convolutions and linear layers, of the stated architecture"
    return [
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
                smaller,
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
            smaller,
            _smaller("4", "CPNet C2D ResNet-101 (ours)", "NL C2D ResNet-101 [33]"),
        ),
        Claim(
            "CPNet on ResNet-34 has less than half the parameters of Two-stream TRN",
            "paper",
            f"{smaller}; those of Two-stream TRN as printed",
            _smaller_than_printed("5(a)", "CPNet Res34, 5 CP (ours)", "table5a", "trn_two_stream", 0.5),
        ),
        Claim(
            "CPNet on ResNet-18 has less than half the parameters of MultiScale TRN",
            "paper",
            f"{smaller}; those of MultiScale TRN as printed",
            _smaller_than_printed("5(a)", "CPNet Res18, 5 CP (ours)", "table5a", "trn", 0.5),
        ),
        Claim(
            "CPNet is smaller than every published model it is compared with on Jester",
            "paper",
            f"{smaller}; those of TPRN, the smallest of them, as printed",
            _smaller_than_printed("5(b)", "CPNet Res34, 5 CP (ours)", "table5b", "tprn", 1.0),
        ),
        Claim(
            "ARTNet has as many parameters as C3D",
            "paper",
            f"{smaller}, within 1 %",
            lambda frame: _judge(
                abs(_stated(frame, "6", "ARTNet [32]") / _stated(frame, "6", "C3D") - 1) <= 0.01,
                _stated(frame, "6", "ARTNet [32]"),
                _stated(frame, "6", "C3D"),
            ),
        ),
    ]


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
