"""What all benchmarks share: time and memory of calls, and training steps to call."""

import os
import statistics
from collections.abc import Callable, Mapping
from itertools import accumulate

import pandas as pd
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.benchmark import Timer

from cpnet.engine.machine import Machine
from cpnet.engine.memory import saved_for_backward
from cpnet.models.resnet import GATES
from cpnet.results import provenance

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler prints when it starts and stops
MEASURED = ("ms", "peak MiB", "saved MiB")  # of a training step


def start(device: str, threads: int | None, repeats: int) -> None:
    """Check arguments, set the number of CPU threads unless it is None, and print a line that says all of them."""
    device = Machine(device).device  # refuses one that is not there
    if repeats < 1:
        raise ValueError(f"--repeats {repeats}: give 1 or more")
    if threads is not None and threads < 1:
        raise ValueError(f"--threads {threads}: give 1 or more")
    torch.set_num_threads(threads or torch.get_num_threads())
    if torch.device(device).index is not None:
        torch.cuda.set_device(device)  # the one that timers wait for
    machine = provenance(torch.device(device))
    print(f"{machine['device']}, CPU threads: {machine['threads']}, repeats: {repeats}, medians", flush=True)


def show(frame: pd.DataFrame) -> None:
    """Print a frame, and an empty line before it."""
    print("\n" + frame.to_string(index=False, float_format="{:.2f}".format), flush=True)


def measure_time(calls: Mapping[str, Callable[[], object]], repeats: int) -> pd.DataFrame:
    """Median time of each call over rounds in which the calls take turns, so that drift of the machine hits all alike.

    In each round, a call is made at least once before it is timed, and finds its own data in the caches. The current
    GPU is waited for, if there is one.

    Returns:
        candidate, ms.
    """
    threads = torch.get_num_threads()
    timers = [Timer("call()", globals={"call": call}, num_threads=threads) for call in calls.values()]
    rounds = [[timer.blocked_autorange(min_run_time=0.01).median for timer in timers] for _ in range(repeats)]
    ms = [1e3 * statistics.median(seconds) for seconds in zip(*rounds, strict=True)]
    return pd.DataFrame({"candidate": list(calls), "ms": ms})


def peak_bytes(call: Callable[[], object], device: str) -> int:
    """Most bytes that the tensors which a call allocates take at once.

    On the CPU, the allocator's own events are counted: the number is exact, but without what libraries take elsewhere.
    """
    call()  # what is allocated only once, such as momentum, is there before
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        call()
    assert recorded.profiler is not None
    events = recorded.profiler.kineto_results.events()  # in order of time
    return max(accumulate((event.nbytes() for event in events if event.name() == "[memory]"), initial=0))


def training_step(module: nn.Module, x: Tensor, compile: bool = False) -> Callable[[], None]:
    """Forward, backward from a random gradient of the output, and SGD step, which leaves no gradient; all of the module
    in one graph, if it is to be compiled.

    Gammas of the module that start at zero are set to one: a zero gamma lets no gradient pass.
    """
    for name, gamma in module.named_parameters():
        if f".{name}".endswith(GATES):
            nn.init.ones_(gamma)
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-6, momentum=0.9)  # so slow that nothing diverges
    with torch.no_grad():
        gradient = torch.randn_like(module(x))
    called = torch.compile(module, fullgraph=True) if compile else module

    def step() -> None:
        called(x).backward(gradient)
        optimiser.step()
        optimiser.zero_grad()
        x.grad = None

    return step


def measure_steps(modules: Mapping[str, nn.Module], x: Tensor, repeats: int) -> pd.DataFrame:
    """Time and memory of training steps on `x` (B, C, T, H, W).

    Returns:
        shape; positions THW; candidate; ms; peak MiB that a step holds at once beyond input, parameters and momentum;
        saved MiB that the forward pass keeps for the backward pass; the last three over those of the first candidate.
    """
    steps = {name: training_step(module.to(x.device), x) for name, module in modules.items()}
    peak = [peak_bytes(step, str(x.device)) / 2**20 for step in steps.values()]
    saved = [saved_for_backward(module, x) / 2**20 for module in modules.values()]
    frame = measure_time(steps, repeats).assign(**{"peak MiB": peak, "saved MiB": saved})
    frame.insert(0, "shape", "x".join(map(str, x.shape)))
    frame.insert(1, "positions", x[0, 0].numel())
    return relative(frame, next(iter(modules)), *MEASURED)


def relative(frame: pd.DataFrame, reference: str, *columns: str) -> pd.DataFrame:
    """The frame, and ratios of its columns to those of the candidate `reference`."""
    values = frame.set_index("candidate")[list(columns)]
    ratios = (values / values.loc[reference]).add_suffix(f" / {reference}")
    return frame.join(ratios.reset_index(drop=True))
