"""Time and memory of the CP module and of its search against direct forms."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn

from cpnet.bench.timing import check_device, in_child, median_seconds, peak_bytes
from cpnet.data.moving_square import ToyMotion
from cpnet.models import create_model
from cpnet.nn import CPModule, correspondence_proposals
from cpnet.nn.direct import DirectCPModule, cdist_proposals


@torch.no_grad()
def faiss_proposals(f: Tensor, k: int) -> Tensor:
    """Nearest positions of other frames, (B, N, k): for each frame, an exact faiss index of all others."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    points = f.flatten(2).transpose(1, 2).contiguous().numpy()  # (B, N, C)
    N, frame = points.shape[1], f.shape[3] * f.shape[4]
    proposals = np.empty((len(points), N, k), dtype=np.int64)
    for clip, found in zip(points, proposals, strict=True):
        for own in range(0, N, frame):  # first position of the queries' own frame
            index = faiss.IndexFlatL2(clip.shape[1])
            index.add(clip[:own])
            index.add(clip[own + frame :])
            columns = index.search(clip[own : own + frame], k)[1]  # (frame, k)
            found[own : own + frame] = columns + frame * (columns >= own)  # columns skip the own frame
    return torch.from_numpy(proposals)


@dataclass(frozen=True)
class Case:
    """Features to measure on: random ones, or those of toy clips, where most distances tie."""

    name: str
    shape: tuple[int, int, int, int, int]  # B, C, T, H, W
    k: int
    hidden: tuple[int, ...] | None = None
    toy: bool = False

    def features(self) -> Tensor:
        torch.manual_seed(0)
        if not self.toy:
            return torch.randn(self.shape)
        B, _, T, H, _ = self.shape
        data = ToyMotion(size=H, num_frames=T)
        with torch.no_grad():
            return create_model("cpnet_toy").get_submodule("stem")(torch.stack([data[i][0] for i in range(B)]))


CASES = (
    Case("res4", (4, 256, 8, 14, 14), 8),
    Case("res3", (2, 128, 8, 28, 28), 8),
    Case("toy", (4, 16, 4, 32, 32), 4, (16, 16), toy=True),
)
MODULES: dict[str, type[CPModule]] = {"cpnet": CPModule, "direct": DirectCPModule}
SEARCHES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "cpnet": correspondence_proposals,
    "cdist + topk": cdist_proposals,
    "faiss": faiss_proposals,
}


@dataclass(frozen=True)
class Measurement:
    """Median seconds of one step, and the most memory it held beyond its inputs and parameters."""

    case: str
    part: str
    candidate: str
    seconds: float
    bytes: float


def bench_cp(
    device: str = "cpu", repeats: int = 7, threads: int | None = None, cases: tuple[Case, ...] = CASES
) -> list[Measurement]:
    """Measure the CP module and its search against the alternatives, and print a table.

    Args:
        device: "cpu" or "cuda"; faiss is measured on the CPU only.
        repeats: timed steps, after one that is not timed.
        threads: CPU threads, the same for all; torch's default if None.
        cases: sizes.
    """
    check_device(device)
    threads = torch.get_num_threads() if threads is None else threads
    searches = list(SEARCHES)
    if device != "cpu" or find_spec("faiss") is None:
        searches.remove("faiss")
        print("faiss is left out: it is measured on the CPU, if installed (pip install faiss-cpu)")
    print(f"{device}, {threads} thread(s), median of {repeats}; memory is the peak of a step beyond its inputs")
    print(f"{'':44}{'ms':>10}{'MiB':>10}{'time':>10}{'memory':>10}")
    measurements = []
    for part, candidates in {"module": list(MODULES), "search": searches}.items():
        for case in cases:
            ours = None
            for candidate in candidates:
                step = (part, candidate, case, device, threads)
                m = Measurement(case.name, part, candidate, in_child(_seconds, step, repeats), in_child(_memory, step))
                measurements.append(m)
                ours = ours or m
                title = f"{part} {case.name} {'x'.join(map(str, case.shape))} k {case.k}" if m is ours else ""
                ratios = "" if m is ours else f"{m.seconds / ours.seconds:>9.2f}x{m.bytes / ours.bytes:>9.2f}x"
                print(f"{title:32}{candidate:12}{1e3 * m.seconds:>10.1f}{m.bytes / 2**20:>10.1f}{ratios}", flush=True)
    return measurements


Step = tuple[str, str, Case, str, int]  # part, candidate, case, device, threads


def _seconds(step: Step, repeats: int) -> float:
    return median_seconds(_prepare(step), repeats, step[3])


def _memory(step: Step) -> float:
    return peak_bytes(partial(_prepare, step), step[3])


def _prepare(step: Step) -> Callable[[], None]:
    """What to measure: forward and backward to the features and all parameters, or a search."""
    part, candidate, case, device, threads = step
    torch.set_num_threads(threads)
    x = case.features().to(device)
    if part == "module":
        module = MODULES[candidate](case.shape[1], case.k, case.hidden).to(device)
        nn.init.ones_(module.projection_norm.get_parameter("weight"))  # with a zero gamma no gradient passes

        def run(x: Tensor) -> None:
            module.zero_grad()
            features = x.detach().requires_grad_()
            module(features).backward(x)

    else:

        def run(x: Tensor) -> None:
            SEARCHES[candidate](x, case.k)

    run(x[:1, :, :2, :4, :4].contiguous())  # libraries allocate their own workspace once
    return partial(run, x)
