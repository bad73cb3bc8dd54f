"""Time and memory of a training step: C2D, C2D with attention over all pairs, C2D with k correspondences a position.

Section 4 and supplement G of the paper say that k correspondences save memory and computation. Two forms of attention
are measured. "NL" is `NonLocalBlock`, with the fused kernel that never holds the N x N matrix where torch picks it;
"stored" computes the same and keeps the matrix for the backward pass, as was usual when the paper was written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from cpnet.bench.timing import check_device, in_child, median_seconds, peak_bytes
from cpnet.engine.memory import saved_for_backward
from cpnet.models import create_model
from cpnet.models.families import NL_POSITIONS, VARIANTS
from cpnet.models.resnet import GATES, STEMS
from cpnet.nn import CPModule, NonLocalBlock

Part = Literal["networks", "blocks", "growth"]

PARTS: tuple[Part, ...] = ("networks", "blocks", "growth")
UNITS = {"seconds": 1e-3, "peak bytes": 2**20, "saved bytes": 2**20}  # of the table: ms, MiB, MiB
REFERENCE = "NL"  # ratios are to this


@dataclass(frozen=True)
class Case:
    """Where candidates are measured.

    Attributes:
        title: of the case.
        shape: (B, C, T, H, W) of the input.
        network: clips of whole networks, or features of single blocks.
        depth, width, k: of networks and CP modules.
        device, threads: that compute.
    """

    title: str
    shape: tuple[int, int, int, int, int]
    network: bool
    depth: int
    width: int
    k: int
    device: str
    threads: int


class Stored(nn.Module):
    """Computes what `module` does, but its attention keeps the matrix of all pairs for the backward pass."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return self.module(x)


def _network(case: Case, family: str) -> nn.Module:
    arguments: dict[str, Any] = {"width": case.width}
    if family != "c2d":
        arguments["positions"] = NL_POSITIONS[case.depth]  # of ResNet-18 the paper's six, for CP modules as well
    if family == "cpnet":
        arguments["k"] = case.k
    return create_model(f"{family}_resnet{case.depth}", **arguments)


Build = Callable[[Case], nn.Module]
NETWORKS: dict[str, Build] = {
    "NL": lambda case: _network(case, "nl"),
    "NL, stored": lambda case: Stored(_network(case, "nl")),
    "CP": lambda case: _network(case, "cpnet"),
    "C2D alone": lambda case: _network(case, "c2d"),
}
BLOCKS: dict[str, Build] = {
    "NL": lambda case: NonLocalBlock(case.shape[1]),
    "NL, stored": lambda case: Stored(NonLocalBlock(case.shape[1])),
    "NL, all keys": lambda case: NonLocalBlock(case.shape[1], subsample=False),
    "NL, all keys, stored": lambda case: Stored(NonLocalBlock(case.shape[1], subsample=False)),
    "CP": lambda case: CPModule(case.shape[1], case.k),
    "CP, shrink 2": lambda case: CPModule(case.shape[1], case.k, shrink=2),
}


def bench_train(
    device: str = "cpu",
    repeats: int = 5,
    depth: int = 18,
    shape: tuple[int, int, int] = (2, 8, 112),
    width: int = 64,
    k: int = 8,
    *,
    parts: Sequence[Part] = PARTS,
) -> dict[tuple[str, str, str], float]:
    """Print time and memory of a training step with NL blocks, with CP modules at the same places, and with neither.

    Whole networks; single blocks at the sizes of res3 and res4; and growth with T: both on one clip of half the side,
    of T and of 4 T frames.

    Args:
        device: "cpu" or "cuda".
        repeats: timed steps, after one that is not timed.
        depth: of the ResNet.
        shape: (B, T, side) of the clips.
        width: channels of conv1.
        k: correspondence proposals of a position.
        parts: which of the three are measured.

    Returns:
        By case, candidate and what: "seconds" of a step; "peak bytes" that it held at once beyond inputs, parameters
        and momentum, NaN where the system does not count; "saved bytes" that the forward pass kept for the backward
        pass.

    Raises:
        ValueError: a device that is not there, or an unknown part.
    """
    check_device(device)
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise ValueError(f"parts={unknown}: choose from {', '.join(PARTS)}")
    threads = torch.get_num_threads()
    B, T, side = shape
    clips = Case("network", (B, 3, T, side, side), True, depth, width, k, device, threads)
    print(f"{device}, {threads} thread(s), median of {repeats}: forward, backward and SGD step, ResNet-{depth}, k {k}")
    print("peak: beyond inputs, parameters and momentum; saved: what the forward pass keeps for the backward pass")
    print(f"{'':58}{'ms':>9}{'peak MiB':>10}{'saved MiB':>10}{f'relative to {REFERENCE}':>27}")
    found: dict[tuple[str, str, str], float] = {}
    for part in parts:
        for case in _cases(part, clips):
            shown = f"{case.title}, {'x'.join(map(str, case.shape))}"
            for name in NETWORKS if case.network else BLOCKS:
                measured = _measure(case, name, repeats)
                found |= {(case.title, name, what): value for what, value in measured.items()}
                ratios = [value / found[case.title, REFERENCE, what] for what, value in measured.items()]
                print(f"{shown:36}{name:22}{_row(measured, ratios)}", flush=True)
                shown = ""
    return found


def _row(measured: dict[str, float], ratios: list[float]) -> str:
    ms, peak, saved = (measured[what] / unit for what, unit in UNITS.items())
    return f"{ms:>9.1f}{peak:>10.1f}{saved:>10.1f}" + "".join(f"{ratio:>8.2f}x" for ratio in ratios)


def _cases(part: Part, clips: Case) -> Iterator[Case]:
    """Cases of a part, for networks of `clips`."""
    if part == "networks":
        yield clips
    elif part == "blocks":
        for stage in (3, 4):
            yield _block(clips, stage, f"res{stage}")
    else:
        T, half = clips.shape[2], clips.shape[3] // 2
        longer = [replace(clips, title=f"network, T {t}", shape=(1, 3, t, half, half)) for t in (T, 4 * T)]
        yield from longer
        yield from (_block(case, 3, f"res3, T {case.shape[2]}") for case in longer)


def _block(clips: Case, stage: int, title: str) -> Case:
    """Single blocks on features like those of a stage of a network of `clips`."""
    B, _, T, side, _ = clips.shape
    stem = STEMS[VARIANTS["released"].stem[clips.depth]]
    side = -(-side // (stem.stride * 2**stem.pool * 2 ** (stage - 2)))
    channels = clips.width * 2 ** (stage - 2) * (4 if clips.depth > 34 else 1)
    return replace(clips, title=title, shape=(B, channels, T, side, side), network=False)


def _measure(case: Case, name: str, repeats: int) -> dict[str, float]:
    """Time and memory, in processes of their own: an allocator that counts exactly is slow."""
    seconds = in_child(_seconds, case, name, repeats)
    peak, saved = in_child(_memory, case, name)
    return {"seconds": seconds, "peak bytes": peak, "saved bytes": saved}


def _seconds(case: Case, name: str, repeats: int) -> float:
    return median_seconds(partial(_step, case, *_prepare(case, name)), repeats, case.device)


def _memory(case: Case, name: str) -> tuple[float, float]:
    """Peak bytes, and saved bytes."""

    def prepare() -> Callable[[], None]:
        step = partial(_step, case, *_prepare(case, name))
        step()  # libraries and optimiser allocate their own once
        return step

    peak = peak_bytes(prepare, case.device)
    module, _, x = _prepare(case, name)
    return peak, float(saved_for_backward(module, x))


def _prepare(case: Case, name: str) -> tuple[nn.Module, torch.optim.Optimizer, Tensor]:
    """A candidate, its optimiser and random input."""
    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    module = (NETWORKS if case.network else BLOCKS)[name](case).to(case.device)
    for parameter, gamma in module.named_parameters():
        if f".{parameter}".endswith(GATES):
            nn.init.ones_(gamma)  # a zero gamma lets no gradient pass
    # Momentum as in training, at a rate so small that nothing diverges.
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-6, momentum=0.9)
    x = torch.randn(case.shape, device=case.device, requires_grad=not case.network)
    return module, optimiser, x


def _step(case: Case, module: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor) -> None:
    """Forward, backward and SGD step; no gradient is left."""
    if case.network:
        classes = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        F.cross_entropy(module(x), classes).backward()
    else:
        module(x).backward(x.detach())
    optimiser.step()
    optimiser.zero_grad()
    x.grad = None
