"""Inputs and weights that several tests share."""

import json
import shutil

import torch
from safetensors import safe_open

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def features(*shape, seed=0, dtype=torch.float64):
    """Standard normal values, the same on every call."""
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64).to(dtype)


def fill_randomly(module, seed=0):
    """Standard normal parameters and running means, zero gammas included, and positive running variances."""
    generator = seeded(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.copy_(values.abs() + 0.5 if name.endswith("running_var") else values)
    return module


@torch.no_grad()
def spread(net, x, training=False):
    """Largest difference of a logit between clips, relative to the largest logit."""
    parts = [x] if training else x.split(16)
    logits = torch.cat([net.train(training)(part) for part in parts])
    assert logits.isfinite().all()
    return ((logits.amax(0) - logits.amin(0)).max() / logits.abs().max()).item()


def read_scores(path):
    """Scores, ids, labels and classes of a file that `save_scores` wrote."""
    with safe_open(path, "pt") as file:
        texts = json.loads(file.metadata()["cpnet_scores"])
        return file.get_tensor("scores"), texts["ids"], file.get_tensor("labels").tolist(), texts["classes"]
