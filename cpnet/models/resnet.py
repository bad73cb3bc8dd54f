"""ResNets of clips: C2D, C3D, NL C2D, ARTNet, TRN and CPNet on ResNet-18, -34 and -101 (Tables 2, 6, 7 and 8).

Parameters have torchvision's names, so ImageNet weights load as they are (`cpnet.models.pretrained`).
"""

from typing import Literal, NamedTuple, Self, cast

from torch import Tensor, nn

from cpnet.choices import check_choice
from cpnet.nn import CPModule, SMARTBlock

Stem = Literal["224", "112", "112_no_pool"]
Place = tuple[int, int]  # stage (3 is res3) and block in it, from 0

GATES = ("projection_norm.weight", ".norm.weight")  # gammas of CP modules and NL blocks that start at zero
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class _Stem(NamedTuple):
    stride: int  # of conv1
    pool: bool  # a 3x3 max-pool of stride 2 after it


# All three end at 56x56, from inputs of 224 (torchvision's), of 112 (released code), of 112 as Tables 2 and 6 print it.
STEMS = {"224": _Stem(2, True), "112": _Stem(1, True), "112_no_pool": _Stem(2, False)}


class Layers:
    """Convolutions and norms of a net: of frames (2D), or of clips (3D), without stride in time.

    Args:
        time: temporal size of 3D convolutions, 3 for C3D; None for 2D ones.
        smart: a SMART block for conv1 and for the second convolution of every block of res2 to res4 (ARTNet).
        shortcut_kernel: size of the convolution in a shortcut, 1 or 3.
    """

    def __init__(self, time: Literal[None, 1, 3] = None, *, smart: bool = False, shortcut_kernel: int = 1) -> None:
        if shortcut_kernel not in (1, 3):
            raise ValueError(f"shortcut_kernel={shortcut_kernel}: choose 1 or 3")
        self.time, self.smart, self.shortcut_kernel = time, smart, shortcut_kernel

    def conv(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, smart: bool = False) -> nn.Module:
        half = kernel // 2
        if self.time is None:
            conv: nn.Conv2d | nn.Conv3d = nn.Conv2d(in_channels, out_channels, kernel, stride, half, bias=False)
        else:
            t = min(kernel, self.time)
            size, strides, padding = (t, kernel, kernel), (1, stride, stride), (t // 2, half, half)
            if smart and self.smart:
                return SMARTBlock(in_channels, out_channels, size, strides)
            conv = nn.Conv3d(in_channels, out_channels, size, strides, padding, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")  # as torchvision
        return conv

    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels) if self.time is None else nn.BatchNorm3d(channels)

    def max_pool(self) -> nn.Module:
        return nn.MaxPool2d(3, 2, 1) if self.time is None else nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))


class Block(nn.Module):
    """A residual block with what is inserted into it: CP modules on the sum, before its ReLU; NL blocks after the ReLU.

    Two 3x3 convolutions (basic), or 1x1, 3x3 with the stride, 1x1 to four times the width (bottleneck).
    """

    downsample: nn.Module | None

    def __init__(
        self, layers: Layers, in_channels: int, width: int, stride: int, *, bottleneck: bool, smart: bool
    ) -> None:
        super().__init__()
        self.out_channels = 4 * width if bottleneck else width
        if bottleneck:
            self.conv1, self.bn1 = layers.conv(in_channels, width, 1), layers.norm(width)
            self.conv2, self.bn2 = layers.conv(width, width, 3, stride, smart=smart), layers.norm(width)
            self.conv3, self.bn3 = layers.conv(width, self.out_channels, 1), layers.norm(self.out_channels)
        else:
            self.conv1, self.bn1 = layers.conv(in_channels, width, 3, stride), layers.norm(width)
            self.conv2, self.bn2 = layers.conv(width, width, 3, smart=smart), layers.norm(width)
        self.bottleneck = bottleneck
        self.downsample = None
        if stride > 1 or in_channels != self.out_channels:
            shortcut = layers.conv(in_channels, self.out_channels, layers.shortcut_kernel, stride)
            self.downsample = nn.Sequential(shortcut, layers.norm(self.out_channels))
        self.cp = nn.ModuleList()
        self.nl = nn.ModuleList()

    def forward(self, x: Tensor, T: int) -> Tensor:
        """`x` is (B * T, C, H, W) in nets of frames and (B, C, T, H, W) in nets of clips, and so is the result."""
        out = self.bn1(self.conv1(x)).relu_()
        out = self.bn2(self.conv2(out))
        if self.bottleneck:
            out = self.bn3(self.conv3(out.relu_()))
        x = out + (x if self.downsample is None else self.downsample(x))
        x = _on_clips(self.cp, x, T)
        x = x.relu() if self.cp else x.relu_()  # the output of a CP module stays readable for hooks
        return _on_clips(self.nl, x, T)


class Stage(nn.Sequential):
    """res2, res3, res4 or res5: residual blocks in sequence."""

    def forward(self, x: Tensor, T: int) -> Tensor:  # type: ignore[override]
        for block in self:
            x = block(x, T)
        return x


class ResNet(nn.Module):
    """A residual network of clips without striding in time; its parts are named as torchvision names them.

    Args:
        depth: number of layers, 18, 34 or 101.
        layers: convolutions of frames or of clips.
        num_classes, width, stem, dropout: see `cpnet.models.families.Options`.
        relation: temporal-relation head on frame features, in place of their mean, the dropout and the linear layer.
    """

    layer1: Stage  # res2
    layer2: Stage
    layer3: Stage
    layer4: Stage

    def __init__(
        self,
        depth: int,
        layers: Layers,
        *,
        num_classes: int,
        width: int,
        stem: Stem,
        dropout: float,
        relation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_choice("stem", stem, STEMS)
        if width < 2 or width % 2:
            raise ValueError(f"width={width}: give an even number of channels")
        self.depth, self.layers = depth, layers
        self.frozen = False
        self.fresh: list[str] = []  # parameters that pretrained weights left as initialised
        stride, pool = STEMS[stem]
        self.conv1, self.bn1 = layers.conv(3, width, 7, stride, smart=True), layers.norm(width)
        self.maxpool = layers.max_pool() if pool else nn.Identity()
        channels = width
        for i, count in enumerate(BLOCKS[depth]):
            blocks = []
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(Block(layers, channels, width * 2**i, stride, bottleneck=depth > 34, smart=i < 3))
                channels = blocks[-1].out_channels
            self.add_module(f"layer{i + 1}", Stage(*blocks))
        self.relation = relation
        if relation is None:
            self.dropout = nn.Dropout(dropout)
            self.fc = nn.Linear(channels, num_classes)
            nn.init.kaiming_normal_(self.fc.weight, nonlinearity="relu")  # as the released code
            nn.init.zeros_(self.fc.bias)

    def block(self, place: Place) -> Block:
        """A block by stage and index.

        Raises:
            ValueError: the net has no such block.
        """
        stage, index = place
        if not 2 <= stage <= 5 or not 0 <= index < BLOCKS[self.depth][stage - 2]:
            sizes = ", ".join(f"res{i} 0 to {n - 1}" for i, n in enumerate(BLOCKS[self.depth], 2))
            raise ValueError(f"no block {index} in res{stage}: ResNet-{self.depth} has {sizes}")
        return cast(Block, self.get_submodule(f"layer{stage - 1}.{index}"))

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to scores (B, num_classes).

        Raises:
            ValueError: wrong rank or number of channels.
        """
        if x.ndim != 5 or x.shape[1] != 3:
            raise ValueError(f"clips must be (B, 3, T, H, W), got shape {tuple(x.shape)}")
        B, _, T = x.shape[:3]
        if self.layers.time is None:
            x = x.transpose(1, 2).flatten(0, 1)  # (B * T, 3, H, W)
        x = self.maxpool(self.bn1(self.conv1(x)).relu_())
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x, T)
        x = x.mean((-2, -1))  # (B, C, T) or (B * T, C)
        frames = x.unflatten(0, (B, T)) if self.layers.time is None else x.transpose(1, 2)  # (B, T, C)
        if self.relation is not None:
            return self.relation(frames)
        return self.fc(self.dropout(frames.mean(1)))

    def freeze_batch_norm(self) -> Self:
        """From now on batch norms keep their statistics, gamma and beta, in training too (the paper's later phases).

        Raises:
            ValueError: CP modules or NL blocks are untrained; frozen at gamma zero, they would never learn.
        """
        for name, gamma in self.named_parameters():
            if name.endswith(GATES) and not gamma.any():
                raise ValueError(f"{name} is still zero, so what it scales could never learn: train or load it first")
        self.frozen = True
        for norm in self._batch_norms():
            for parameter in norm.parameters():
                parameter.requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`, but frozen batch norms stay in evaluation mode."""
        super().train(mode)
        if self.frozen:
            for norm in self._batch_norms():
                norm.eval()
        return self

    def _batch_norms(self) -> list[nn.Module]:
        return [module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


class CPNet(ResNet):
    """A ResNet of frames with CP modules."""

    @property
    def k(self) -> int:
        """Correspondence proposals of every CP module; may be set, to test with another k than was trained with."""
        (k,) = {module.k for module in self._cp_modules()}
        return k

    @k.setter
    def k(self, k: int) -> None:
        for module in self._cp_modules():
            module.k = k

    def _cp_modules(self) -> list[CPModule]:
        return [module for module in self.modules() if isinstance(module, CPModule)]


def _on_clips(modules: nn.ModuleList, x: Tensor, T: int) -> Tensor:
    """Apply modules of clips to frames (B * T, C, H, W)."""
    if not modules:
        return x
    x = x.unflatten(0, (-1, T)).transpose(1, 2)  # (B, C, T, H, W)
    for module in modules:
        x = module(x)
    return x.transpose(1, 2).flatten(0, 1)  # (B * T, C, H, W)
