"""Inputs and weights that several tests share."""

import itertools
import os
import shutil
import subprocess
import sys

import torch
import torch.nn.functional as F

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


def stop_after(steps):
    """A loss that interrupts the training in the step after `steps`."""
    cross_entropy, calls = F.cross_entropy, itertools.count(1)

    def stop(*arguments):
        if next(calls) > steps:
            raise KeyboardInterrupt
        return cross_entropy(*arguments)

    return stop


def in_two_processes(script, *arguments, beside):
    """Run a script in two processes; it can import the test file `beside`, and has its arguments in sys.argv[1:]."""
    script += "\nfrom cpnet.engine.machine import leave_processes\nleave_processes()\n"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    command += [sys.executable, "-c", script, *map(str, arguments)]
    places = os.pathsep.join([os.path.dirname(beside), os.path.dirname(__file__), *sys.path])
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": places})


def dump_dom(page, profile, *options):
    """A page, a file, as a headless browser has it once its scripts have run."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *options]
    return subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=180).stdout
