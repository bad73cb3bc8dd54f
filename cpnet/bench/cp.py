"""Time and memory of the CP module and of its search, against direct forms and against the matrix products alone."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from math import prod

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cpnet.bench.timing import measure_steps, measure_time, relative
from cpnet.data.moving_square import ToyMotion
from cpnet.models import create_model
from cpnet.nn import CPModule, correspondence_proposals
from cpnet.nn.direct import DirectCPModule, cdist_proposals

Shape = tuple[int, int, int, int, int]  # B, C, T, H, W
Case = tuple[Shape, int]  # and k

TOY = "toy"
CASES: dict[str, Case] = {
    "res4": ((4, 256, 8, 14, 14), 8),
    "res3": ((2, 128, 8, 28, 28), 8),
    "res4 narrow": ((2, 128, 8, 14, 14), 8),
    TOY: ((4, 16, 4, 32, 32), 4),
    "res3 in training": ((16, 32, 8, 12, 12), 8),  # of runs on stand-ins at profile cpu
    "res4 in training": ((16, 64, 8, 6, 6), 8),
}


@torch.no_grad()
def faiss_proposals(f: Tensor, k: int) -> Tensor:
    """Nearest positions of other frames, (B, N, k), by the exact search of faiss, frame by frame."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    frame = f[0, 0, 0].numel()
    found = []
    for points in f.flatten(2).transpose(1, 2).contiguous().numpy():  # (N, C)
        for own in range(0, len(points), frame):  # first position of the queries' own frame
            others = np.delete(points, slice(own, own + frame), axis=0)  # (N - HW, C)
            columns = faiss.knn(points[own : own + frame], others, k)[1]  # (HW, k)
            found.append(columns + frame * (columns >= own))  # columns skip the own frame
    return torch.from_numpy(np.concatenate(found)).view(len(f), -1, k)


@torch.no_grad()
def matrix_products(f: Tensor, k: int) -> None:
    """Scores of each frame's positions with those of all other frames, thrown away: the search without its choice."""
    N, frame = f[0, 0].numel(), f[0, 0, 0].numel()
    budget = (2**27 if f.is_cuda else 2**20) // N  # queries at once: 4 MiB of scores stay in a CPU's cache
    clips = max(1, min(len(f), budget // frame))
    rows = max(1, min(frame, budget))
    scores = f.new_empty(clips * rows * N)  # the same memory for all
    for x in f.flatten(2).split(clips):  # (b, C, N)
        for own in range(0, N, frame):  # first position of the queries' own frame
            for queries in x[..., own : own + frame].transpose(1, 2).split(rows, dim=1):  # (b, r, C)
                for keys in (x[..., :own], x[..., own + frame :]):  # (b, C, n)
                    size = (*queries.shape[:2], keys.shape[2])
                    torch.bmm(queries, keys, out=scores[: prod(size)].view(size))


SEARCHES: dict[str, Callable[[Tensor, int], object]] = {
    "search": correspondence_proposals,
    "matrix products": matrix_products,
    "cdist + topk": cdist_proposals,
    "faiss": faiss_proposals,
}


def measure_modules(device: str = "cpu", repeats: int = 7, cases: Mapping[str, Case] = CASES) -> pd.DataFrame:
    """Training steps of the CP module and of the direct form of Eq. 1: case, k, and the columns of `measure_steps`."""
    frames = {}
    for name, (shape, k) in cases.items():
        hidden = (16, 16) if name == TOY else None
        modules = {"CP module": CPModule(shape[1], k, hidden), "direct": DirectCPModule(shape[1], k, hidden)}
        frames[name, k] = measure_steps(modules, features(name, shape).to(device).requires_grad_(), repeats)
    return _by_case(frames).drop(columns="positions")


def measure_searches(device: str = "cpu", repeats: int = 7, cases: Mapping[str, Case] = CASES) -> pd.DataFrame:
    """Time of the search, of its matrix products alone, and of others that find the same; faiss on the CPU only.

    Returns:
        case, k, shape, candidate, ms; time over that of the search, and over that of the matrix products.
    """
    with_faiss = device == "cpu" and find_spec("faiss") is not None
    frames = {}
    for name, (shape, k) in cases.items():
        x = features(name, shape).to(device)
        calls = {of: partial(search, x, k) for of, search in SEARCHES.items() if with_faiss or of != "faiss"}
        frame = relative(relative(measure_time(calls, repeats), "search", "ms"), "matrix products", "ms")
        frame.insert(0, "shape", "x".join(map(str, shape)))
        frames[name, k] = frame
    return _by_case(frames)


def features(name: str, shape: Shape) -> Tensor:
    """Features of a case: random ones, or those of the toy net, where most distances tie."""
    torch.manual_seed(0)
    if name != TOY:
        return torch.randn(shape)
    B, _, T, H, _ = shape
    data = ToyMotion(size=H, num_frames=T)
    with torch.no_grad():
        return create_model("cpnet_toy").get_submodule("stem")(torch.stack([data[i][0] for i in range(B)]))


def _by_case(frames: dict[tuple[str, int], pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, names=["case", "k"]).droplevel(2).reset_index()
