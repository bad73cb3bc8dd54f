"""The paper's architecture tables drawn from the built networks, and every parameter count that it prints, audited."""

from functools import partial
from math import floor
from typing import Any

import pandas as pd
import torch

from cpnet.engine.memory import saved_for_backward
from cpnet.experiments.claims import Claim, Verdict, yes_or_no
from cpnet.experiments.table import Table
from cpnet.models import create_for_clips, create_model
from cpnet.models.families import FAMILIES, VARIANTS
from cpnet.models.resnet import BLOCKS
from cpnet.models.summary import count_parameters, example_clip, multiply_adds, stages
from cpnet.nn import CPModule, NonLocalBlock
from cpnet.paper import read_table

MI, MILLION = 2**20, 10**6


RESNET18 = {
    "C2D": "c2d_resnet18",
    "C3D": "c3d_resnet18",
    "ARTNet": "artnet_resnet18",
    "NL C2D": "nl_resnet18",
    "CPNet": "cpnet_resnet18",
}
# What is drawn: frames and side of a clip, arguments, and models by the title of their column.
DRAWN: dict[str, tuple[int, int, dict[str, Any], dict[str, str]]] = {
    "Table 1": (4, 32, {}, {name: f"{name.lower()}_toy" for name in ("NL", "ARTNet", "TRN", "CPNet")}),
    "Tables 2 and 6": (8, 112, {"variant": "paper"}, RESNET18),
    "Table 7": (8, 224, {"variant": "paper"}, {"CPNet, 5 CP modules": "cpnet_resnet101"}),
    "Table 8": (12, 112, {"variant": "paper", "num_classes": 174}, {"CPNet, 5 CP modules": "cpnet_resnet34"}),
}

Networks = dict[str, dict[str, Any]]  # arguments by title; the model is that of the row where they do not name another


def _by_shortcuts(name: str) -> Networks:
    return {f"{name}, {n}×{n}×{n} shortcuts": {"shortcut_kernel": n} for n in (1, 3)}


# Every parameter count that the paper prints, by (table, row): networks as the paper states them.
STATED: dict[tuple[str, str], Networks] = {
    ("table6", "c2d_resnet18"): {"C2D, ResNet-18": {}},
    ("table6", "c3d_resnet18"): _by_shortcuts("C3D"),
    ("table6", "artnet_resnet18"): _by_shortcuts("ARTNet"),
    ("table6", "nl_resnet18"): {"NL, 6 blocks": {}},
    ("table6", "cpnet_resnet18"): {"CPNet, 6 modules": {}},
    ("table4", "nl_resnet101"): {"NL, 5 blocks, as in [33]": {}},
    ("table4", "cpnet_resnet101"): {"CPNet, printed widths": {"variant": "paper"}},
    ("table5a", "c2d_resnet18"): {"C2D, ResNet-18": {}},
    ("table5a", "c2d_resnet34"): {"C2D, ResNet-34": {}},
    ("table5a", "cpnet_resnet18"): {
        "CPNet, 2 + 3 modules": {"positions": "5"},
        "CPNet, 2 + 2 + 1 modules": {"positions": "5_res5"},
    },
    ("table5a", "cpnet_resnet34"): {"CPNet, 5 modules": {}},
    ("table5b", "c2d_resnet34"): {"C2D, ResNet-34": {}},
    ("table5b", "cpnet_resnet34"): {"CPNet, 5 modules": {}},
}
# Networks that would explain a printed count, or might have been what was counted.
WIDE = {"hidden_fractions": (1, 0.5)}
GUESSED: dict[tuple[str, str], Networks] = {
    ("table6", "artnet_resnet18"): {"C3D, 1×1×1 shortcuts": {"name": "c3d_resnet18"}},
    ("table6", "nl_resnet18"): {"NL, 1 block at res3": {"positions": [(3, 1)]}},
    ("table6", "cpnet_resnet18"): {"CPNet, 1 module at res3": {"positions": [(3, 1)]}},
    ("table4", "cpnet_resnet101"): {"CPNet, released widths": {}},
    ("table5a", "cpnet_resnet18"): {
        "CPNet, 2 + 3 modules, hidden [C, C/2], 27 classes": {"num_classes": 27, "positions": "5"} | WIDE
    },
    ("table5a", "cpnet_resnet34"): {"CPNet, 5 modules, hidden [C, C/2]": WIDE},
    ("table5b", "cpnet_resnet34"): {"CPNet, 5 modules, hidden [C, C/2]": WIDE},
}
CLASSES = {"table4": 400, "table5a": 174, "table5b": 27, "table6": 400}


def architecture_table(table: str) -> pd.DataFrame:
    """One of `DRAWN`: a row a layer with its output size, a column a network, drawn from the built networks."""
    T, side, arguments, models = DRAWN[table]
    drawn = {title: stages(create_model(m, **arguments), example_clip(T, side)) for title, m in models.items()}
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
        for title, options in (networks | GUESSED.get((table, row), {})).items():
            arguments: dict[str, Any] = {"name": row, "num_classes": CLASSES[table]} | options
            with torch.device("meta"):  # nothing is allocated
                ours = count_parameters(create_model(**arguments))
            mi, million = ours["weights"] / MI, ours["trainable"] / MILLION
            rows.append(
                {
                    "table": table.removeprefix("table").replace("5a", "5(a)").replace("5b", "5(b)"),
                    "row": paper["model"][row, "params"],
                    "printed": printed,
                    "network": title,
                    "stated": title in networks,
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
    return yes_or_no(follow == len(verdicts), f"{follow} of {len(verdicts)} do")


def _smaller(frame: pd.DataFrame, table: str, row: str, other: str, printed: str = "", part: float = 1.0) -> Verdict:
    """Whether a network has fewer weights than another one, or than a part of what the paper has in table `printed`."""
    ours = _stated(frame, table, row)
    if printed:
        theirs = float(read_table(printed).set_index(["row", "column"])["value"][other, "params"])
    else:
        theirs = _stated(frame, table, other)
    return yes_or_no(ours < part * theirs, _in_mi(ours, theirs))


def _alike(frame: pd.DataFrame, table: str, row: str, other: str) -> Verdict:
    ours, theirs = _stated(frame, table, row), _stated(frame, table, other)
    return yes_or_no(abs(ours / theirs - 1) <= 0.01, _in_mi(ours, theirs))


def _stated(frame: pd.DataFrame, table: str, row: str) -> float:
    """Mi of the first stated reading of a row."""
    return float(frame.loc[(frame["table"] == table) & (frame["row"] == row) & frame["stated"], "weights, Mi"].iloc[0])


def _in_mi(ours: float, theirs: float) -> str:
    return f"{ours:.2f} against {theirs:.2f} Mi"


SMALLER = "weights of convolutions and linear layers, of the stated architecture"


def _fewer(statement: str, others: str = "", **compared: Any) -> Claim:
    return Claim(f"CPNet {statement}", "paper", f"{SMALLER}{others}", partial(_smaller, **compared))


TABLE = Table(
    name="architectures",
    title="Tables 2, 6–8",
    chapter="00_architectures",
    subject="architectures, numbers of parameters",
    data="no data, as parameters are counted",
    evidence=audit,
    claims=(
        Claim(
            "Every printed count follows from the stated architecture",
            "ours",
            "the count at the printed number of decimals, rounded or truncated",
            _every_count_follows,
        ),
        *(
            _fewer(f"has fewer parameters than {name}", table="6", row="CPNet, 6 CP modules", other=other)
            for name, other in (
                ("NL C2D on ResNet-18", "NL C2D Net, 6 NL blocks [33]"),
                ("C3D", "C3D"),
                ("ARTNet", "ARTNet [32]"),
            )
        ),
        _fewer(
            "has fewer parameters than NL C2D on ResNet-101",
            table="4",
            row="CPNet C2D ResNet-101",
            other="NL C2D ResNet-101 [33]",
        ),
        *(
            _fewer(
                f"on ResNet-{depth} has less than half the parameters of {name}",
                f"; those of {name} as printed",
                table="5(a)",
                row=f"CPNet Res{depth}, 5 CP",
                other=other,
                printed="table5a",
                part=0.5,
            )
            for depth, name, other in ((34, "Two-stream TRN", "trn_two_stream"), (18, "MultiScale TRN", "trn"))
        ),
        _fewer(
            "is smaller than every published model it is compared with on Jester",
            "; those of TPRN, the smallest of them, as printed",
            table="5(b)",
            row="CPNet Res34, 5 CP",
            other="tprn",
            printed="table5b",
        ),
        _fewer(
            "is smaller than every model of others that it is compared with on Kinetics",
            "; those of I3D Inception, the smallest of them, as printed",
            table="4",
            row="CPNet C2D ResNet-101",
            other="i3d_inception",
            printed="table4",
        ),
        Claim(
            "ARTNet has as many parameters as C3D",
            "paper",
            f"{SMALLER}, within 1 %",
            partial(_alike, table="6", row="ARTNet [32]", other="C3D"),
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
        model = create_for_clips(name, num_frames)
        rows[name] = {
            "weights, Mi": count_parameters(model)["weights"] / MI,
            "multiply-adds, G": multiply_adds(model, clip)[""] / 1e9,
            "activations, MiB": saved_for_backward(model, clip) / MI,
        }
    frame = pd.DataFrame(rows).T
    relative = frame / frame.iloc[0]
    return frame.join(relative.add_suffix(" ÷ C2D")).round(2)
