"""The six families of networks, each on ResNet-18, -34 and -101: `create_model("cpnet_resnet18", positions="4")`.

A model takes all `Options`, and the keyword arguments of its family.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from torch import nn

from cpnet.models.pretrained import load_pretrained
from cpnet.models.registry import add_model
from cpnet.models.resnet import BLOCKS, CPNet, Layers, Place, ResNet, Stem
from cpnet.nn import CPModule, MultiScaleRelation, NonLocalBlock
from cpnet.nn.correspondence import Pool
from cpnet.nn.proposals import Ties

Net = TypeVar("Net", bound=ResNet)
VariantName = Literal["released", "paper"]


class Variant(NamedTuple):
    """What the released code and the printed paper disagree on; dictionaries are by depth, fractions are of C."""

    stem: dict[int, Stem]
    pool: Pool
    shrink: int  # of CP modules at res3
    k: dict[int, int]
    hidden_fractions: dict[int, tuple[float, ...]]
    bottleneck: dict[int, float | None]


VARIANTS = {
    "released": Variant(
        stem={18: "112", 34: "112", 101: "224"},
        pool="before_projection",
        shrink=2,
        k={18: 8, 34: 8, 101: 4},
        hidden_fractions={18: (1 / 4, 1 / 2), 34: (1 / 4, 1 / 2), 101: (1 / 8,)},
        bottleneck={18: None, 34: None, 101: 1 / 8},
    ),
    "paper": Variant(
        stem={18: "112_no_pool", 34: "112_no_pool", 101: "224"},
        pool="after_projection",
        shrink=1,
        k={18: 8, 34: 12, 101: 4},
        hidden_fractions={18: (1 / 4, 1 / 2), 34: (1 / 4, 1 / 2), 101: (1 / 16, 1 / 8)},
        bottleneck={18: None, 34: None, 101: None},
    ),
}

RES3, RES4, RES5 = ((3, 0), (3, 1)), ((4, 0), (4, 1)), ((5, 0), (5, 1))  # of ResNet-18
# Rows of Tables 3(a) and 3(c), and the five modules of Tables 5, 7 and 8. A block named twice gets two in sequence.
POSITIONS: dict[int, dict[str, tuple[Place, ...]]] = {
    18: {
        "1": ((4, 1),),
        "2": RES4,
        "4": RES3 + RES4,
        "6": RES3 + RES4 + RES5,
        "res3": RES3,
        "res4": RES4,
        "res5": RES5,
        "5": (*RES3, *RES4, (4, 1)),
        "5_res5": (*RES3, *RES4, (5, 1)),
    },
    34: {"5": ((3, 2), (3, 3), (4, 3), (4, 4), (4, 5))},
    101: {"5": ((3, 2), (3, 3), (4, 20), (4, 21), (4, 22))},
}
DEFAULT_POSITIONS = {18: "6", 34: "5", 101: "5"}
# Every block of res3 to res5 (Table 6); on deeper nets the five blocks of facebookresearch/video-nonlocal-net.
NL_POSITIONS: dict[int, tuple[Place, ...]] = {
    18: RES3 + RES4 + RES5,
    34: ((3, 1), (3, 3), (4, 1), (4, 3), (4, 5)),
    101: ((3, 1), (3, 3), (4, 6), (4, 13), (4, 20)),
}


@dataclass(frozen=True)
class Options:
    """Arguments of every network.

    Attributes:
        num_classes: 400 for Kinetics, 174 for Something-Something, 27 for Jester.
        variant: "released", as the authors' code has it, or "paper", as printed; book/ambiguities.md lists the
            differences. It sets what is left at None, except positions: those of ResNet-18 are the paper's six in both.
        width: channels of conv1 and res2, 64 in the paper; others scale with it.
        stem: strides up to res2, see `cpnet.models.resnet.STEMS`.
        dropout: before the last linear layer, 0.5 if None; of TRN, before the reduction of frame features, 0.8 if None.
        pretrained: "imagenet", or a file of weights with torchvision's names; see `cpnet.models.pretrained`.
        seed: of random ties and random frame tuples. Initial weights follow torch's global generator.
    """

    num_classes: int = 400
    variant: VariantName = "released"
    width: int = 64
    stem: Stem | None = None
    dropout: float | None = None
    pretrained: str | Path | None = None
    seed: int = 0

    def resnet(self, depth: int, layers: Layers, kind: type[Net], relation: nn.Module | None = None) -> Net:
        """A network as these options say."""
        return kind(
            depth,
            layers,
            num_classes=self.num_classes,
            width=self.width,
            stem=self.stem or _variant(self.variant).stem[depth],
            dropout=0.5 if self.dropout is None else self.dropout,
            relation=relation,
        )


def c2d(depth: int, options: Options) -> ResNet:
    """C2D: convolutions of frames; clips are averaged after the last."""
    return options.resnet(depth, Layers(), ResNet)


def c3d(depth: int, options: Options, *, shortcut_kernel: Literal[1, 3] = 1) -> ResNet:
    """C3D: every convolution of size 3 (and conv1) is 3 in time, with stride 1.

    Args:
        shortcut_kernel: of the convolutions in shortcuts; 3 in the release of ARTNet.
    """
    return options.resnet(depth, Layers(3, shortcut_kernel=shortcut_kernel), ResNet)


def artnet(depth: int, options: Options, *, shortcut_kernel: Literal[1, 3] = 1) -> ResNet:
    """ARTNet: C3D with SMART blocks for conv1 and for the second convolution of each block of res2 to res4."""
    return options.resnet(depth, Layers(3, smart=True, shortcut_kernel=shortcut_kernel), ResNet)


def trn(depth: int, options: Options, *, num_frames: int = 8) -> ResNet:
    """Multi-scale TRN: convolutions of frames, then temporal relations of `num_frames` frame features."""
    features = 8 * options.width * (4 if depth > 34 else 1)
    dropout = 0.8 if options.dropout is None else options.dropout
    head = MultiScaleRelation(features, num_frames, options.num_classes, dropout=dropout, seed=options.seed)
    return options.resnet(depth, Layers(), ResNet, head)


def nl(depth: int, options: Options, *, positions: Sequence[Place] | None = None, subsample: bool = True) -> ResNet:
    """NL C2D: C2D with non-local blocks after residual blocks.

    Args:
        positions: (stage, block) of each, such as (3, 0) for the first block of res3; `NL_POSITIONS` if None.
        subsample: halve the resolution of keys and values.
    """
    net = options.resnet(depth, Layers(), ResNet)
    for place in _places(positions, {"": NL_POSITIONS[depth]}, ""):
        block = net.block(place)
        block.nl.append(NonLocalBlock(block.out_channels, subsample=subsample))
    return net


def cpnet(
    depth: int,
    options: Options,
    *,
    positions: str | Sequence[Place] | None = None,
    k: int | None = None,
    hidden_fractions: Sequence[float] | None = None,
    pool: Pool | None = None,
    shrink: int | None = None,
    displacement: bool = True,
    displacement_scale: float = 1.0,
    ties: Ties = "random",
) -> CPNet:
    """CPNet: C2D with CP modules on the sums of residual blocks, before their ReLU.

    Args:
        positions: a row of the paper by name ("1", "2", "4", "6", "res3", "res4", "res5", "5" and "5_res5" of
            ResNet-18; "5" of ResNet-34 and -101), or (stage, block) of each module. "6" or "5" if None.
        k: proposals per position; also an attribute of the net that may be set. 12 for Something-Something and Jester
            in the paper, 8 in the released code.
        hidden_fractions: widths of the hidden layers of the MLP, over the features' channels; (0.25, 0.5) in the paper.
        pool, displacement, displacement_scale, ties: see `cpnet.nn.CPModule`.
        shrink: of the modules at res3; others search at full resolution.
    """
    variant = _variant(options.variant)
    net = options.resnet(depth, Layers(), CPNet)
    narrow = variant.bottleneck[depth]
    fractions = variant.hidden_fractions[depth] if hidden_fractions is None else hidden_fractions
    if not fractions or min(fractions) <= 0 or max(fractions) > 4:
        raise ValueError(f"hidden_fractions={fractions}: give fractions of the channels, such as (0.25, 0.5)")
    for i, place in enumerate(_places(positions, POSITIONS[depth], DEFAULT_POSITIONS[depth])):
        block = net.block(place)
        C = block.out_channels
        module = CPModule(
            C,
            variant.k[depth] if k is None else k,
            tuple(max(1, int(C * fraction)) for fraction in fractions),
            pool=pool or variant.pool,
            shrink=(variant.shrink if shrink is None else shrink) if place[0] == 3 else 1,
            bottleneck=None if narrow is None else max(1, int(C * narrow)),
            displacement=displacement,
            displacement_scale=displacement_scale,
            ties=ties,
            tie_seed=1000 * options.seed + i,
        )
        block.cp.append(module)
    return net


def _variant(name: str) -> Variant:
    if name not in VARIANTS:
        raise ValueError(f"variant={name!r}: choose one of {', '.join(VARIANTS)}")
    return VARIANTS[name]


def _places(
    positions: str | Sequence[Place] | None, presets: Mapping[str, tuple[Place, ...]], default: str
) -> tuple[Place, ...]:
    """Positions by the name of a preset, or as given."""
    positions = default if positions is None else positions
    if isinstance(positions, str | int) and str(positions) in presets:
        return presets[str(positions)]
    try:
        places = () if isinstance(positions, str) else tuple((int(stage), int(block)) for stage, block in positions)
    except (TypeError, ValueError):
        places = ()
    if not places:
        named = f"choose one of {', '.join(presets)}, or give" if any(presets) else "give"
        raise ValueError(f"positions={positions!r}: {named} (stage, block) pairs, such as [(4, 0), (4, 1)]")
    return places


def _model(family: Callable[..., ResNet], depth: int) -> Callable[..., ResNet]:
    """A function of all options and of the family's own arguments."""
    shared = inspect.signature(Options).parameters
    own = [p for p in inspect.signature(family).parameters.values() if p.kind is p.KEYWORD_ONLY]

    def build(**arguments: Any) -> ResNet:
        options = Options(**{name: value for name, value in arguments.items() if name in shared})
        net = family(depth, options, **{name: value for name, value in arguments.items() if name not in shared})
        return load_pretrained(net, options.pretrained)

    every = [p.replace(kind=p.KEYWORD_ONLY) for p in (*shared.values(), *own)]
    build.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    return build


FAMILIES: dict[str, Callable[..., ResNet]] = {
    "c2d": c2d,
    "c3d": c3d,
    "nl": nl,
    "artnet": artnet,
    "trn": trn,
    "cpnet": cpnet,
}
for _name, _family in FAMILIES.items():
    for _depth in BLOCKS:
        add_model(f"{_name}_resnet{_depth}", _model(_family, _depth))
