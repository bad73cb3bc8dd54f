"""A ResNet state dict with torchvision's names and the logits that torchvision 0.28.0 gives with it.

The tests read the logits from torchvision_logits.json. To make that file again, where torchvision imports:

    python tests/torchvision_resnet.py
"""

import json
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).with_name("torchvision_logits.json")
CLASSES = 10


def state(shapes):
    """Values for {name: shape} in that order, from a stream that numpy has frozen."""
    stream = np.random.RandomState(0)
    values = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            values[name] = torch.tensor(7)
            continue
        x = stream.standard_normal(shape)
        if len(shape) > 1:
            x *= (1.0 / np.prod(shape[1:])) ** 0.5
        elif name.endswith("running_var"):
            x = 0.5 + np.abs(x)
        elif name.endswith("weight"):
            x = 1 + 0.1 * x
        values[name] = torch.from_numpy(np.asarray(x, dtype=np.float32))
    return values


def frames():
    return torch.from_numpy(np.random.RandomState(1).standard_normal((2, 3, 64, 64)).astype(np.float32))


def main():
    # Beside a CPU build of torch, torchvision's compiled operators are missing: declare the two that it asks for.
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision.models import resnet

    logits = {}
    for depth in (18, 34, 101):
        net = getattr(resnet, f"resnet{depth}")(num_classes=CLASSES).eval()
        net.load_state_dict(state({name: tuple(value.shape) for name, value in net.state_dict().items()}))
        with torch.no_grad():
            logits[f"resnet{depth}"] = net(frames()).tolist()
    GOLDEN.write_text(json.dumps(logits, indent=1) + "\n")


if __name__ == "__main__":
    main()
