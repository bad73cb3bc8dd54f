"""What supplement G speaks of: speed of CPNet, growth of time and memory with N, and searches that may miss neighbours.

An approximate index of faiss is asked for the nearest positions of other frames. What it misses is its recall's lack.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cpnet.bench.cp import faiss_proposals
from cpnet.bench.timing import measure_steps, measure_time
from cpnet.bench.train import blocks
from cpnet.data.moving_square import ToyMotion
from cpnet.engine.protocols import changed
from cpnet.models import create_model
from cpnet.nn import CPModule, correspondence_proposals

Search = Callable[[Tensor, int], Tensor]

POSITIONS_A_LIST = 64  # of an inverted file, on average; k-means asks for 39 at least
PROBED = 4  # lists that are searched
LINKS, BEAM = 16, 64  # of a graph: neighbours of a position, candidates of a search
GROWING = ("CP", "NL, stored", "NL")


@torch.no_grad()
def approximate_proposals(f: Tensor, k: int, kind: str) -> Tensor:
    """Near positions of other frames, (B, N, k), by one index a clip: an inverted file "IVF", or a graph "HNSW".

    Where an index finds fewer than k, the same place of the next frame fills up.
    """
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    N, frame = f[0, 0].numel(), f[0, 0, 0].numel()
    lists = max(1, N // POSITIONS_A_LIST)
    found = []
    for points in f.flatten(2).transpose(1, 2).contiguous().cpu().numpy():  # (N, C)
        index = faiss.index_factory(points.shape[1], f"IVF{lists},Flat" if kind == "IVF" else f"HNSW{LINKS},Flat")
        index.train(points)
        index.add(points)
        for own in range(0, N, frame):  # first position of the queries' own frame
            others = faiss.IDSelectorNot(faiss.IDSelectorRange(own, own + frame))
            if kind == "IVF":
                how = faiss.SearchParametersIVF(sel=others, nprobe=PROBED)  # type: ignore[call-arg]
            else:
                how = faiss.SearchParametersHNSW(sel=others, efSearch=BEAM)  # type: ignore[attr-defined]
            columns = index.search(points[own : own + frame], k, params=how)[1]  # (HW, k), -1 where there is none
            following = (np.arange(own, own + frame)[:, None] + frame) % N  # (HW, 1)
            found.append(np.where(columns < 0, following, columns))
    return torch.from_numpy(np.concatenate(found)).view(len(f), N, k).to(f.device)


SEARCHES: dict[str, Search] = {
    "exact, this package": correspondence_proposals,
    "exact, ties by index": partial(correspondence_proposals, ties="index"),
    "exact, faiss": lambda f, k: faiss_proposals(f.cpu(), k).to(f.device),
    "approximate, faiss IVF": partial(approximate_proposals, kind="IVF"),
    "approximate, faiss HNSW": partial(approximate_proposals, kind="HNSW"),
}


@torch.no_grad()
def recall(f: Tensor, proposals: Tensor, at: Tensor | None = None) -> float:
    """Share of proposals (B, N, k) no farther than the k-th nearest position of other frames: all ties count as found.

    A position that is proposed twice counts once. Only proposals to the positions `at` (B, N) count, if it is given.
    """
    points = f.flatten(2).transpose(1, 2).double()  # (B, N, C)
    clips = torch.arange(len(points), device=f.device)[:, None, None]

    def distances(indices: Tensor) -> Tensor:
        return torch.stack(
            [(points[clips[:, 0], indices[..., j]] - points).norm(dim=2) for j in range(indices.shape[2])], dim=2
        )  # (B, N, k)

    farthest = distances(correspondence_proposals(f, proposals.shape[2])).amax(2, keepdim=True)  # (B, N, 1)
    proposals = proposals.sort(dim=2).values
    first = torch.ones_like(proposals, dtype=torch.bool)
    first[..., 1:] = proposals[..., 1:] != proposals[..., :-1]
    rounding = 1e-3 * points.norm(dim=2).amax()  # float32 squares distances, which costs half the digits
    found = first & (distances(proposals) <= farthest + rounding)  # (B, N, k)
    return float((found if at is None else found[at]).double().mean())


def measure_speed(
    device: str = "cpu",
    batch_sizes: Sequence[int] = (1, 2, 4, 8, 16),
    num_frames: Sequence[int] = (8, 16, 32),
    *,
    most_frames: int = 128,
    model: nn.Module | None = None,
    size: int = 112,
) -> pd.DataFrame:
    """Forward passes of CPNet-34, as on Jester, in evaluation mode: num_frames, batch_size, s/batch, videos/s.

    Batches of more than `most_frames` frames are left out.
    """
    net = (model or create_model("cpnet_resnet34", num_classes=27, k=12)).to(device).eval()
    lines = []
    with torch.no_grad():
        for T, B in [(T, B) for T in num_frames for B in batch_sizes if most_frames >= T * B]:
            clips = torch.randn(B, 3, T, size, size, device=device)
            seconds = measure_time({"": partial(net, clips)}, repeats=3)["ms"][0] / 1e3
            lines.append((T, B, seconds, B / seconds))
    return pd.DataFrame(lines, columns=["num_frames", "batch_size", "s/batch", "videos/s"])


def measure_growth(
    device: str = "cpu", num_frames: Sequence[int] = (2, 4, 8, 16, 32), side: int = 28, channels: int = 64
) -> pd.DataFrame:
    """Training steps of single blocks on one clip of features, the columns of `measure_steps`: N grows with T."""
    modules = {name: block for name, block in blocks(channels).items() if name in GROWING}
    frames = []
    for T in num_frames:
        x = torch.randn(1, channels, T, side, side, device=device, requires_grad=True)
        frames.append(measure_steps({name: modules[name] for name in GROWING}, x, repeats=2))
    return pd.concat(frames, ignore_index=True)


def measure_search(features: Mapping[str, tuple[Tensor, int]], repeats: int = 3) -> pd.DataFrame:
    """Time and recall of each search on features, by their name, and k: features, shape, k, candidate, ms, recall."""
    frames = []
    for name, (f, k) in features.items():
        frame = measure_time({of: partial(search, f, k) for of, search in SEARCHES.items()}, repeats)
        frame["recall"] = [recall(f, search(f, k)) for search in SEARCHES.values()]
        shape = "x".join(map(str, f.shape))
        frames.append(pd.concat([pd.DataFrame({"features": name, "shape": shape, "k": k}, frame.index), frame], axis=1))
    return pd.concat(frames, ignore_index=True)


def measure_accuracy(model: nn.Module, top1: Callable[[], float]) -> pd.DataFrame:
    """What a trained network, whose proposals come from each search, gets right, and what the search finds.

    Returns:
        candidate, top-1 in percent as `top1` says it, and recall, of the first batch, over all CP modules.
    """
    modules = [module for module in model.modules() if isinstance(module, CPModule)]
    lines = []
    for name, search in SEARCHES.items():
        recalls: list[float] = []

        def propose(f: Tensor, search: Search = search, recalls: list[float] = recalls) -> Tensor:
            proposals = search(f, modules[0].k)
            if len(recalls) < len(modules):
                recalls.append(recall(f, proposals))
            return proposals

        with changed(modules, {"_propose": propose}):
            lines.append((name, top1(), np.mean(recalls)))
    return pd.DataFrame(lines, columns=["candidate", "top-1, %", "recall"])


@torch.no_grad()
def recall_at_square(toy: nn.Module, data: ToyMotion, device: str = "cpu") -> list[float]:
    """Recall of each search at the positions of 8 clips of the toy data that see the square."""
    stem = toy.to(device).eval().get_submodule("stem")
    f = stem(torch.stack([data[i][0] for i in range(8)]).to(device)).relu()  # (8, C, T, H, W)
    seen = (f != f[..., :1, :1]).any(1).flatten(1)  # (8, N), features that are not the background's
    (k,) = {module.k for module in toy.modules() if isinstance(module, CPModule)}
    return [recall(f, search(f, k), seen) for search in SEARCHES.values()]
