"""The four toy nets of Table 1: two convolutions of 16 channels, a core module in place, pooling, one linear layer."""

from typing import Literal

from torch import Tensor, nn

from cpnet.models.registry import register_model
from cpnet.nn import CPModule, MultiScaleRelation, NonLocalBlock, SMARTBlock
from cpnet.nn.correspondence import Pool
from cpnet.nn.proposals import Ties

WIDTH, CLASSES = 16, 4

Kernels = Literal["5x5", "printed"]
Padding = Literal["zeros", "replicate"]
Pooling = Literal["max", "average"]


class ToyNet(nn.Module):
    """conv_1, ReLU, core, conv_2, ReLU, pooling over all positions, linear layer.

    Args:
        stem: conv_1 with batch norm.
        core: the module under test between the convolutions.
        head: conv_2 with batch norm.
        pooling: over all positions; over the positions of each frame if `relation` is given.
        relation: temporal-relation head in place of the linear layer.
    """

    def __init__(
        self, stem: nn.Module, core: nn.Module, head: nn.Module, pooling: Pooling, relation: nn.Module | None = None
    ) -> None:
        super().__init__()
        if pooling not in ("max", "average"):
            raise ValueError(f'pooling={pooling!r}: choose "max" or "average"')
        self.stem, self.core, self.head = stem, core, head
        self.pooling, self.by_frame = pooling, relation is not None
        self.classifier = nn.Linear(WIDTH, CLASSES) if relation is None else relation

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to logits (B, 4)."""
        x = self.head(self.features(x)).relu()  # (B, C, T, H, W)
        over = (3, 4) if self.by_frame else (2, 3, 4)
        x = x.amax(over) if self.pooling == "max" else x.mean(over)
        return self.classifier(x.transpose(1, 2) if self.by_frame else x)  # of (B, T, C) or (B, C)

    def features(self, x: Tensor) -> Tensor:
        """Output of the core, (B, C, T, H, W)."""
        return self.core(self.stem(x).relu())


@register_model
def nl_toy(
    *,
    kernels: Kernels = "5x5",
    padding: Padding = "zeros",
    pooling: Pooling = "max",
    subsample: bool = False,
    seed: int = 0,
) -> ToyNet:
    """I3D NL Net. Printed: conv_2 is 1x1x3, a 3x3 receptive field; "5x5" reads it as 3x3x3, as the text says."""
    second = {"printed": (3, 1, 1), "5x5": (3, 3, 3)}[_known(kernels)]
    block = NonLocalBlock(WIDTH, subsample=subsample)
    return ToyNet(_conv(3, (1, 3, 3), padding), block, _conv(WIDTH, second, padding), pooling)


@register_model
def artnet_toy(
    *, kernels: Kernels = "5x5", padding: Padding = "zeros", pooling: Pooling = "max", seed: int = 0
) -> ToyNet:
    """ARTNet. Printed: conv_2 is SMART-3x3x1, without time; "5x5" reads it as SMART-3x3x3."""
    second = {"printed": (1, 3, 3), "5x5": (3, 3, 3)}[_known(kernels)]
    smart = nn.Sequential(SMARTBlock(WIDTH, WIDTH, second, padding_mode=padding), nn.BatchNorm3d(WIDTH))
    return ToyNet(_conv(3, (3, 3, 3), padding), nn.Identity(), smart, pooling)


@register_model
def trn_toy(
    *,
    kernels: Kernels = "5x5",
    padding: Padding = "zeros",
    pooling: Pooling = "max",
    num_frames: int = 4,
    seed: int = 0,
) -> ToyNet:
    """TRN: spatial convolutions, pooling of each frame, multi-scale temporal relations. Both readings are the same."""
    _known(kernels)
    relation = MultiScaleRelation(WIDTH, num_frames, CLASSES, hidden=WIDTH, dropout=0.0, seed=seed)
    first, second = _conv(3, (1, 3, 3), padding), _conv(WIDTH, (1, 3, 3), padding)
    return ToyNet(first, nn.Identity(), second, pooling, relation)


@register_model
def cpnet_toy(
    *,
    kernels: Kernels = "5x5",
    padding: Padding = "zeros",
    pooling: Pooling = "max",
    k: int = 4,
    hidden: tuple[int, ...] = (16, 16),
    pool: Pool = "before_projection",
    displacement: bool = True,
    ties: Ties = "random",
    seed: int = 0,
) -> ToyNet:
    """C2D CPNet: a CP module between two spatial convolutions. Both readings are the same."""
    _known(kernels)
    module = CPModule(WIDTH, k, hidden, pool=pool, displacement=displacement, ties=ties, tie_seed=seed)
    first, second = _conv(3, (1, 3, 3), padding), _conv(WIDTH, (1, 3, 3), padding)
    return ToyNet(first, module, second, pooling)


def _known(kernels: Kernels) -> Kernels:
    if kernels not in ("5x5", "printed"):
        raise ValueError(f'kernels={kernels!r}: choose "5x5" or "printed"')
    return kernels


class FrameConv(nn.Conv2d):
    """A convolution of frames, run as Conv2d over B * T of them."""

    def forward(self, x: Tensor) -> Tensor:
        B, T = x.shape[0], x.shape[2]
        frames = super().forward(x.transpose(1, 2).flatten(0, 1))  # (B * T, C, H, W)
        return frames.unflatten(0, (B, T)).transpose(1, 2)  # (B, C, T, H, W)


def _conv(in_channels: int, kernel: tuple[int, int, int], padding: Padding) -> nn.Module:
    """Convolution (T, H, W) to 16 channels at the same size, with batch norm."""
    if padding not in ("zeros", "replicate"):
        raise ValueError(f'padding={padding!r}: choose "zeros" or "replicate"')
    t, h, w = kernel
    conv: nn.Module
    if t == 1:
        conv = FrameConv(in_channels, WIDTH, (h, w), padding=(h // 2, w // 2), bias=False, padding_mode=padding)
    else:
        around = (t // 2, h // 2, w // 2)
        conv = nn.Conv3d(in_channels, WIDTH, kernel, padding=around, bias=False, padding_mode=padding)
    return nn.Sequential(conv, nn.BatchNorm3d(WIDTH))
