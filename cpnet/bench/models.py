"""Time of a training step of each network, relative to C2D's."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from cpnet.bench.timing import check_device, median_seconds
from cpnet.models import create_model, for_clips
from cpnet.models.families import FAMILIES, VARIANTS
from cpnet.models.resnet import Layers, ResNet


def bench_models(
    device: str = "cpu", repeats: int = 5, depth: int = 18, shape: tuple[int, int, int] = (2, 8, 56), width: int = 64
) -> dict[str, float]:
    """Print seconds of a training step of every family, relative to C2D's, and of C2D on Conv3d 1x3x3.

    Args:
        device: "cpu" or "cuda".
        repeats: timed steps, after one that is not timed.
        depth: of the ResNet.
        shape: (B, T, side) of the clips.
        width: channels of conv1.
    """
    check_device(device)
    B, T, side = shape
    x = torch.randn(B, 3, T, side, side, device=device)
    nets: dict[str, Callable[[], nn.Module]] = {
        name: partial(create_model, name, width=width, **for_clips(name, T))
        for name in (f"{family}_resnet{depth}" for family in FAMILIES)
    }
    nets["c2d, Conv3d 1x3x3"] = partial(
        ResNet, depth, Layers(1), num_classes=400, width=width, stem=VARIANTS["released"].stem[depth], dropout=0.5
    )
    threads = torch.get_num_threads()
    print(f"{device}, {threads} thread(s), median of {repeats}: forward and backward of {B} clips of {T}x{side}x{side}")
    print(f"{'':24}{'ms':>10}{'relative to C2D':>20}")
    seconds: dict[str, float] = {}
    for name, build in nets.items():
        torch.manual_seed(0)
        net = build().to(device)
        seconds[name] = median_seconds(partial(_step, net, x), repeats, device)
        print(
            f"{name:24}{1e3 * seconds[name]:>10.1f}{seconds[name] / next(iter(seconds.values())):>19.2f}x", flush=True
        )
    return seconds


def _step(net: nn.Module, x: Tensor) -> None:
    net.zero_grad()
    net(x).sum().backward()
