"""The toy nets of Table 1, and a C3D like them: convolutions of 16 channels, a core module, pooling, a linear layer."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from cpnet.models.registry import register_model
from cpnet.nn import CPModule, MultiScaleRelation, NonLocalBlock, SMARTBlock
from cpnet.nn.correspondence import Pool
from cpnet.nn.proposals import Ties

WIDTH, CLASSES = 16, 4

Kernels = Literal["5x5", "printed"]
Padding = Literal["zeros", "replicate"]
Pooling = Literal["max", "average"]


@dataclass(frozen=True, kw_only=True)
class ToyOptions:
    """Arguments of every toy net.

    Attributes:
        kernels: "printed", as Table 1 has them, or "5x5", with the receptive field that the text states.
        padding: what convolutions see beyond the edges.
        pooling: maximum or average over all positions.
        seed: seed of random ties and random frame tuples. Initial weights follow torch's global generator.

    Raises:
        ValueError: unknown kernels, padding or pooling.
    """

    kernels: Kernels = "5x5"
    padding: Padding = "zeros"
    pooling: Pooling = "max"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("kernels", Kernels), ("padding", Padding), ("pooling", Pooling)):
            value = getattr(self, name)
            if value not in get_args(choices):
                named = " or ".join(f'"{choice}"' for choice in get_args(choices))
                raise ValueError(f"{name}={value!r}: choose {named}")


@dataclass(frozen=True, kw_only=True)
class NLToyOptions(ToyOptions):
    """Arguments of the toy NL net; subsampled keys would leak the label through their grid."""

    subsample: bool = False


@dataclass(frozen=True, kw_only=True)
class TRNToyOptions(ToyOptions):
    """Arguments of the toy TRN, for clips of `num_frames`."""

    num_frames: int = 4


@dataclass(frozen=True, kw_only=True)
class C3DToyOptions(ToyOptions):
    """Arguments of the toy C3D: how many 3x3x3 convolutions, at least two."""

    layers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers < 2:
            raise ValueError(f"layers={self.layers}: give at least 2")


@dataclass(frozen=True, kw_only=True)
class CPNetToyOptions(ToyOptions):
    """Arguments of the toy CPNet, see `cpnet.nn.CPModule`; how many pixels a cell of its grid is, a power of two."""

    k: int = 4
    stride: int = 1
    hidden: tuple[int, ...] = (16, 16)
    pool: Pool = "before_projection"
    displacement: bool = True
    displacement_scale: float = 1.0
    ties: Ties = "random"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride < 1 or self.stride & (self.stride - 1):
            raise ValueError(f"stride={self.stride}: give a power of two")


class ToyNet(nn.Module):
    """conv_1, ReLU, core, conv_2, ReLU, pooling over all positions, linear layer.

    Args:
        stem: conv_1 with batch norm.
        core: the module under test between the convolutions.
        head: conv_2 with batch norm.
        pooling: maximum or average over all positions; over those of each frame if `relation` is given.
        relation: a temporal-relation head in place of the linear layer.
    """

    def __init__(
        self, stem: nn.Module, core: nn.Module, head: nn.Module, pooling: Pooling, relation: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.stem, self.core, self.head = stem, core, head
        self.pooling, self.by_frame = pooling, relation is not None
        self.classifier = nn.Linear(WIDTH, CLASSES) if relation is None else relation

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to logits (B, 4)."""
        x = self.head(self.core(self.stem(x).relu())).relu()  # (B, C, T, H, W)
        over = (3, 4) if self.by_frame else (2, 3, 4)
        x = x.amax(over) if self.pooling == "max" else x.mean(over)
        return self.classifier(x.transpose(1, 2) if self.by_frame else x)  # of (B, T, C) or (B, C)


@register_model
def nl_toy(options: NLToyOptions) -> ToyNet:
    """I3D NL Net. Printed: conv_2 is 1x1x3, a 3x3 receptive field; "5x5" reads it as 3x3x3, as the text says."""
    second = (3, 1, 1) if options.kernels == "printed" else (3, 3, 3)
    block = NonLocalBlock(WIDTH, subsample=options.subsample)
    stem, head = _conv(3, (1, 3, 3), options.padding), _conv(WIDTH, second, options.padding)
    return ToyNet(stem, block, head, options.pooling)


@register_model
def artnet_toy(options: ToyOptions) -> ToyNet:
    """ARTNet. Printed: conv_2 is SMART-3x3x1, without time; "5x5" reads it as SMART-3x3x3."""
    second = (1, 3, 3) if options.kernels == "printed" else (3, 3, 3)
    smart = SMARTBlock(WIDTH, WIDTH, second, padding_mode=options.padding)
    head = nn.Sequential(smart, nn.BatchNorm3d(WIDTH))
    return ToyNet(_conv(3, (3, 3, 3), options.padding), nn.Identity(), head, options.pooling)


@register_model
def c3d_toy(options: C3DToyOptions) -> ToyNet:
    """C3D, which Table 1 does not have: 3x3x3 convolutions alone, as many as wanted."""
    first, *others = (_conv(3 if i == 0 else WIDTH, (3, 3, 3), options.padding) for i in range(options.layers))
    between = [nn.Sequential(conv, nn.ReLU()) for conv in others[:-1]]
    return ToyNet(first, nn.Sequential(*between), others[-1], options.pooling)


@register_model
def trn_toy(options: TRNToyOptions) -> ToyNet:
    """TRN: spatial convolutions, pooling of each frame, multi-scale temporal relations. Both readings are the same."""
    relation = MultiScaleRelation(WIDTH, options.num_frames, CLASSES, hidden=WIDTH, dropout=0.0, seed=options.seed)
    stem, head = _conv(3, (1, 3, 3), options.padding), _conv(WIDTH, (1, 3, 3), options.padding)
    return ToyNet(stem, nn.Identity(), head, options.pooling, relation)


@register_model
def cpnet_toy(options: CPNetToyOptions) -> ToyNet:
    """C2D CPNet: a CP module between two spatial convolutions. Both readings are the same."""
    module = CPModule(
        WIDTH,
        options.k,
        options.hidden,
        pool=options.pool,
        displacement=options.displacement,
        displacement_scale=options.displacement_scale,
        ties=options.ties,
        tie_seed=options.seed,
    )
    stem: list[nn.Module] = [_conv(3, (1, 3, 3), options.padding)]
    for _ in range(options.stride.bit_length() - 1):
        stem += [nn.ReLU(), _conv(WIDTH, (1, 3, 3), options.padding, stride=2)]
    head = _conv(WIDTH, (1, 3, 3), options.padding)
    first = stem[0] if options.stride == 1 else nn.Sequential(*stem)  # by these names weights are stored
    return ToyNet(first, module, head, options.pooling)


class FrameConv(nn.Conv2d):
    """A convolution of frames, run as Conv2d over B * T of them."""

    def forward(self, x: Tensor) -> Tensor:
        B, T = x.shape[0], x.shape[2]
        frames = super().forward(x.transpose(1, 2).flatten(0, 1))  # (B * T, C, H, W)
        return frames.unflatten(0, (B, T)).transpose(1, 2)  # (B, C, T, H, W)


def _conv(in_channels: int, kernel: tuple[int, int, int], padding: Padding, stride: int = 1) -> nn.Module:
    """Convolution (T, H, W) to 16 channels with batch norm, at the same size or, of frames, one `stride` times less."""
    t, h, w = kernel
    conv: nn.Module
    if t == 1:
        conv = FrameConv(in_channels, WIDTH, (h, w), stride, (h // 2, w // 2), bias=False, padding_mode=padding)
    else:
        around = (t // 2, h // 2, w // 2)
        conv = nn.Conv3d(in_channels, WIDTH, kernel, padding=around, bias=False, padding_mode=padding)
    return nn.Sequential(conv, nn.BatchNorm3d(WIDTH))
