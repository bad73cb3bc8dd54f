"""What a network is made of: its stages as the paper's tables print them, parameters, multiply-adds."""

from copy import deepcopy
from itertools import groupby

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cpnet.models.resnet import Stage
from cpnet.nn import CPModule, MultiScaleRelation, NonLocalBlock, SMARTBlock

PAPER_NAMES = {"layer1": "res2", "layer2": "res3", "layer3": "res4", "layer4": "res5"}


def example_clip(num_frames: int, size: int) -> Tensor:
    """A clip of noise (1, 3, T, H, W), always the same. Equal pixels would cost the search of CP modules less."""
    return torch.randn(1, 3, num_frames, size, size, generator=torch.Generator().manual_seed(0))


def count_parameters(model: nn.Module) -> dict[str, int]:
    """`weights`: of convolutions and linear layers, as the paper counts; `trainable`: everything that is not frozen."""
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Conv3d | nn.Linear)]
    return {
        "weights": sum(layer.weight.numel() for layer in layers),
        "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


@torch.no_grad()
def multiply_adds(model: nn.Module, clip: Tensor) -> dict[str, int]:
    """Multiply-adds of a clip (1, 3, T, H, W) in evaluation mode: in all (""), and by the name of a submodule.

    Counted by torch's own counter, of shapes alone: convolutions and matrix products, those of attention and of the
    search included; norms, pooling and element-wise operations are not.
    """
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):  # fused attention would count as nothing
        deepcopy(model).to("meta").eval()(clip.to("meta"))
    counts = {name.partition(".")[2]: sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}
    return counts | {"": counter.get_total_flops() // 2}


def stages(model: nn.Module, clip: Tensor) -> pd.DataFrame:
    """One row a stage, for a clip (1, 3, T, H, W): output size H×W×T, layers, weights, multiply-adds.

    The layout of Tables 2, 6, 7 and 8; a kernel of k×k×1 is printed k×k.
    """
    sizes: dict[str, str] = {}
    T = clip.shape[2]
    hooks = [
        child.register_forward_hook(lambda _module, _inputs, out, name=name: sizes.update({name: _size(out, T)}))
        for name, child in model.named_children()
    ]
    try:
        counts = multiply_adds(model, clip)
    finally:
        for hook in hooks:
            hook.remove()
    rows = [
        {
            "layer": PAPER_NAMES.get(name, name),
            "output size": sizes[name],
            "layers": ", ".join(describe(child)),
            "weights": count_parameters(child)["weights"],
            "multiply-adds": counts.get(name, 0),
        }
        for name, child in model.named_children()
        if describe(child)
    ]
    return pd.DataFrame(rows).set_index("layer")


def describe(module: nn.Module) -> list[str]:
    """The layers of a module in order, as the paper prints them; equal neighbours are counted, [...] × 2."""
    if isinstance(module, SMARTBlock):
        return [f"SMART {_kernel(module.relation)}"]
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        return [_kernel(module)]
    if isinstance(module, nn.MaxPool2d | nn.MaxPool3d):
        return [f"max-pool, stride {_spatial(module.stride)}"]
    if isinstance(module, nn.Linear):
        return [f"fc {module.out_features}"]
    names = {CPModule: "CP module", NonLocalBlock: "NL block", MultiScaleRelation: "temporal relations"}
    if type(module) in names:
        return [names[type(module)]]
    parts = [describe(child) for name, child in module.named_children() if name != "downsample"]
    if not isinstance(module, Stage):
        return [layer for part in parts for layer in part]
    blocks = [[layer.partition(", stride")[0] for layer in part] for part in parts]  # the output size shows strides
    return [f"[{'; '.join(block)}] × {len(list(equal))}" for block, equal in groupby(blocks)]


def _kernel(conv: nn.Module) -> str:
    """Such as 7×7×3, 64, stride 2: height, width, time, channels."""
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)
    *t, h, w = conv.kernel_size
    stride = _spatial(conv.stride)
    size = "×".join(map(str, [h, w, *(n for n in t if n > 1)]))
    return f"{size}, {conv.out_channels}" + f", stride {stride}" * (stride > 1)


def _spatial(stride: int | tuple[int, ...]) -> int:
    return stride if isinstance(stride, int) else stride[-1]


def _size(out: Tensor, T: int) -> str:
    """H×W×T of features of clips (B, C, T, H, W) or of frames (B * T, C, H, W); 1×1×1 of scores."""
    if out.ndim == 5:
        T = out.shape[2]
    return f"{out.shape[-2]}×{out.shape[-1]}×{T}" if out.ndim > 3 else "1×1×1"
