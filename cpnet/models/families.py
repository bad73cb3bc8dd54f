"""The six families of networks for videos, and their options; `cpnet.models.video_nets` names each on each ResNet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cpnet.choices import check_choice
from cpnet.models.pretrained import load_pretrained
from cpnet.models.resnet import CPNet, Layers, Place, ResNet, Stem
from cpnet.nn import CPModule, MultiScaleRelation, NonLocalBlock
from cpnet.nn.correspondence import Pair, Pool
from cpnet.nn.neighbours import Metric, Own
from cpnet.nn.proposals import Ties

FAMILIES = ("c2d", "c3d", "nl", "artnet", "trn", "cpnet")
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


@dataclass(frozen=True, kw_only=True)
class Options:
    """Arguments of every network for videos.

    Attributes:
        num_classes: number of scores: 400 for Kinetics, 174 for Something-Something, 27 for Jester.
        variant: "released", as the authors' code has it, or "paper", as printed; book/ambiguities.md lists the
            differences. It sets what is left at None, except positions: those of ResNet-18 are the paper's six in both.
        width: number of channels of conv1 and res2, 64 in the paper; others scale with it.
        stem: strides up to res2, see `cpnet.models.resnet.STEMS`.
        dropout: share dropped before the last linear layer, 0.5 if None; of TRN, before the reduction of frame
            features, 0.8 if None.
        pretrained: "imagenet", or a file of weights with torchvision's names; see `cpnet.models.pretrained`.
        seed: seed of random ties and random frame tuples. Initial weights follow torch's global generator.

    Raises:
        ValueError: unknown variant.
    """

    num_classes: int = 400
    variant: VariantName = "released"
    width: int = 64
    stem: Stem | None = None
    dropout: float | None = None
    pretrained: str | Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, VARIANTS)

    def shared(self, depth: int) -> dict[str, Any]:
        """Arguments of `ResNet` that mean the same in every family."""
        return {
            "num_classes": self.num_classes,
            "width": self.width,
            "stem": self.stem or VARIANTS[self.variant].stem[depth],
            "dropout": 0.5 if self.dropout is None else self.dropout,
        }


@dataclass(frozen=True, kw_only=True)
class C3DOptions(Options):
    """Arguments of C3D and ARTNet."""

    shortcut_kernel: Literal[1, 3] = 1  # size of the convolutions in shortcuts; 3 in the release of ARTNet


@dataclass(frozen=True, kw_only=True)
class TRNOptions(Options):
    """Arguments of TRN."""

    num_frames: int = 8  # T of every clip


@dataclass(frozen=True, kw_only=True)
class NLOptions(Options):
    """Arguments of NL C2D; a position is (stage, block), such as (3, 0) for the first block of res3."""

    positions: Sequence[Place] | None = None  # `NL_POSITIONS` if None
    subsample: bool = True  # whether to halve the resolution of keys and values


@dataclass(frozen=True, kw_only=True)
class CPNetOptions(Options):
    """Arguments of CPNet.

    Attributes:
        positions: a row of the paper by name ("1", "2", "4", "6", "res3", "res4", "res5", "5" and "5_res5" of
            ResNet-18; "5" of ResNet-34 and -101), or (stage, block) of each module. "6" or "5" if None.
        k: number of proposals a position; also an attribute of the net that may be set. 12 for Something-Something and
            Jester in the paper, 8 in the released code.
        hidden_fractions: widths of the hidden layers of the MLP, over the features' channels; (0.25, 0.5) in the paper.
        pool, displacement, displacement_scale, pair, metric, own, place_weight, ties: see `cpnet.nn.CPModule`.
        shrink: stride at which the modules at res3 search; others search at full resolution.
    """

    positions: str | Sequence[Place] | None = None
    k: int | None = None
    hidden_fractions: Sequence[float] | None = None
    pool: Pool | None = None
    shrink: int | None = None
    displacement: bool = True
    displacement_scale: float = 1.0
    pair: Pair = "features"
    metric: Metric = "semantic"
    own: Own = "out"
    place_weight: float = 1.0
    ties: Ties = "random"


def c2d(depth: int, options: Options) -> ResNet:
    """C2D: convolutions of frames; clips are averaged after the last."""
    return load_pretrained(ResNet(depth, Layers(), **options.shared(depth)), options.pretrained)


def c3d(depth: int, options: C3DOptions, smart: bool = False) -> ResNet:
    """C3D: every convolution of size 3 (and conv1) is 3 in time, with stride 1.

    Args:
        smart: SMART blocks for conv1 and for the second convolution of each block of res2 to res4: ARTNet.
    """
    layers = Layers(3, smart=smart, shortcut_kernel=options.shortcut_kernel)
    return load_pretrained(ResNet(depth, layers, **options.shared(depth)), options.pretrained)


def trn(depth: int, options: TRNOptions) -> ResNet:
    """Multi-scale TRN: convolutions of frames, then temporal relations of `num_frames` frame features."""
    features = 8 * options.width * (4 if depth > 34 else 1)
    dropout = 0.8 if options.dropout is None else options.dropout
    head = MultiScaleRelation(features, options.num_frames, options.num_classes, dropout=dropout, seed=options.seed)
    return load_pretrained(ResNet(depth, Layers(), **options.shared(depth), relation=head), options.pretrained)


def nl(depth: int, options: NLOptions) -> ResNet:
    """NL C2D: C2D with non-local blocks after residual blocks."""
    net = ResNet(depth, Layers(), **options.shared(depth))
    for place in _places(NL_POSITIONS[depth] if options.positions is None else options.positions, {}):
        block = net.block(place)
        block.nl.append(NonLocalBlock(block.out_channels, subsample=options.subsample))
    return load_pretrained(net, options.pretrained)


def cpnet(depth: int, options: CPNetOptions) -> CPNet:
    """CPNet: C2D with CP modules on the sums of residual blocks, before their ReLU."""
    variant, net = VARIANTS[options.variant], CPNet(depth, Layers(), **options.shared(depth))
    narrow = variant.bottleneck[depth]
    fractions = variant.hidden_fractions[depth] if options.hidden_fractions is None else options.hidden_fractions
    if not fractions or min(fractions) <= 0 or max(fractions) > 4:
        raise ValueError(f"hidden_fractions={fractions}: give fractions of the channels, such as (0.25, 0.5)")
    shrink = variant.shrink if options.shrink is None else options.shrink
    positions = DEFAULT_POSITIONS[depth] if options.positions is None else options.positions
    for i, place in enumerate(_places(positions, POSITIONS[depth])):
        block = net.block(place)
        C = block.out_channels
        module = CPModule(
            C,
            variant.k[depth] if options.k is None else options.k,
            tuple(max(1, int(C * fraction)) for fraction in fractions),
            pool=options.pool or variant.pool,
            shrink=shrink if place[0] == 3 else 1,
            bottleneck=None if narrow is None else max(1, int(C * narrow)),
            displacement=options.displacement,
            displacement_scale=options.displacement_scale,
            pair=options.pair,
            metric=options.metric,
            own=options.own,
            place_weight=options.place_weight,
            ties=options.ties,
            tie_seed=1000 * options.seed + i,
        )
        block.cp.append(module)
    return load_pretrained(net, options.pretrained)


def _places(positions: str | Sequence[Place], presets: Mapping[str, tuple[Place, ...]]) -> tuple[Place, ...]:
    """Positions by the name of a preset, or as given."""
    if isinstance(positions, str | int) and str(positions) in presets:
        return presets[str(positions)]
    try:
        places = () if isinstance(positions, str) else tuple((int(stage), int(block)) for stage, block in positions)
    except (TypeError, ValueError):
        places = ()
    if not places:
        named = f"choose one of {', '.join(presets)}, or give" if presets else "give"
        raise ValueError(f"positions={positions!r}: {named} (stage, block) pairs, such as [(4, 0), (4, 1)]")
    return places
