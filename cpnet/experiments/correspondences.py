"""Figures 5 and 11 to 13, measured: what CP modules propose, which proposals win, and what the features become.

The renderer of a stand-in knows where every point of a clip is in every other frame, so "reasonable" proposals of
Section 5.6 can be counted: those within one row and column of that place.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from scipy.stats import hypergeom
from scipy.stats import t as student
from torch import Tensor

from cpnet.data.clips import crops, even_clips, resized
from cpnet.data.transforms import normalise, view
from cpnet.engine.protocols import changed
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.intervals import SIDE
from cpnet.experiments.kinetics_rows import K_VALUES
from cpnet.experiments.run import Run
from cpnet.models.look import Look, block_sums, cp_modules, look, propose
from cpnet.models.resnet import CPNet, ResNet
from cpnet.nn import CPModule
from cpnet.progress import progress_bar
from cpnet.standins import Spec, class_names
from cpnet.standins.canvas import Film
from cpnet.standins.truth import BACKGROUND, Truth, truth
from cpnet.standins.write import Clip, clips_of, film_of

REPLACED = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of the proposals that are drawn at random
GROUPS = ("moving things", "all")
WON_MORE = "wins of a true one, less those of a false one"
CHANGE = "log of change, moving over still"
BETWEEN, WHOLE = "last less first", "whole network"  # in the place of a module


class Scene(NamedTuple):
    """A validation clip: its film, the numbers of its frames in that, the clip (3, T, S, S) uint8, its class."""

    film: Film
    frames: list[int]
    clip: Tensor
    label: int

    def truth(self, grid: tuple[int, int]) -> Truth:
        """What each position of a feature map shows, and where that is in every frame."""
        return truth(self.film, self.frames, self.clip.shape[-1], grid)


def validation_clips(spec: Spec) -> list[Clip]:
    """Those of a stand-in, in its order."""
    return [clip for clip in clips_of(spec) if clip.split == "val"]


def filmed(training: VideoTraining, clip: Clip) -> tuple[Film, list[int]]:
    """The film of a clip of the stand-in of a training, and the frames of it that the main test shows."""
    spec, phase = training.data.rendered, training.recipe.phases[-1]
    assert spec is not None
    film = film_of(spec, clip)
    (frames,) = even_clips(film.shape[0], phase.num_frames, phase.frame_step, 1, training.data.clip_rule)
    return film, frames


def scenes(training: VideoTraining, count: int) -> Iterator[Scene]:
    """The first validation clips of the stand-in of a training, as its main test shows them, but not encoded."""
    spec, size = training.data.rendered, training.data.size
    assert spec is not None
    names = class_names(spec.name)
    for clip in validation_clips(spec)[:count]:
        film, frames = filmed(training, clip)
        (crop,) = crops(*resized(*film.shape[1:], size), size, 1)
        yield Scene(film, frames, view(film.frames(frames), crop, size), names.index(clip.label))


def shares(indices: np.ndarray, true: Truth, wins: np.ndarray | None = None) -> list[tuple[str, str, float]]:
    """Of the proposals (N, k) of a clip: group of positions, measurement, value.

    Measurements: share of proposals within one row and column of the true place, and on the same thing; of the other
    frames in which the point is seen, the share with a true proposal; channels won by a true proposal and by a false
    one; share of false proposals that win nowhere. "by chance" is what proposals drawn at random would have.
    """
    T = len(true.shows)
    N, k = indices.shape
    frame = np.arange(N) // (N // T)
    near, others = true.near, frame[:, None] != frame  # (N, N)
    shows, seen = true.shows.reshape(-1), true.seen.reshape(N, T) & (np.arange(T) != frame[:, None])
    hits = np.take_along_axis(near, indices, 1)  # (N, k)
    same = shows[indices] == shows[:, None]
    reached = np.zeros((N, T), dtype=bool)
    np.logical_or.at(reached, (np.repeat(np.arange(N), k), frame[indices].ravel()), hits.ravel())
    missed = hypergeom.pmf(0, N - N // T, near.reshape(N, T, -1).sum(2), k)  # (N, T), chance of no true one of k drawn
    found = []
    for group, mine in zip(GROUPS, groups(true), strict=True):
        if not mine.any():
            continue
        values = {
            "true": hits[mine].mean(),
            "true, by chance": near[mine].sum(1).mean() / others[0].sum(),
            "same thing": same[mine].mean(),
            "same thing, by chance": ((shows == shows[:, None]) & others)[mine].sum(1).mean() / others[0].sum(),
            "frames": _ratio((reached & seen)[mine].sum(), seen[mine].sum()),
            "frames, by chance": _ratio(((1 - missed) * seen)[mine].sum(), seen[mine].sum()),
        }
        if wins is not None:
            of_true, of_false = (_ratio((wins * which)[mine].sum(), which[mine].sum()) for which in (hits, ~hits))
            values |= {"wins of a true one": of_true, "wins of a false one": of_false, WON_MORE: of_true - of_false}
            values["false ones that win nowhere"] = _ratio(((wins == 0) & ~hits)[mine].sum(), (~hits)[mine].sum())
        found += [(group, name, float(value)) for name, value in values.items()]
    return found


def groups(true: Truth) -> list[np.ndarray]:
    """Which positions (N,) show things that move by one position or more in the clip, and which anything."""
    thing = (true.shows != BACKGROUND).ravel()
    return [(true.reach.ravel() >= 1) & thing, np.ones_like(thing)]


def change(seen: Look, true: Truth) -> list[tuple[str, str, float]]:
    """How much more a module changes features, by L1 distance, of moving things than of what does not move; its log."""
    changed = (seen.after - seen.before).abs().sum(0)[..., :: seen.shrink, :: seen.shrink].flatten().numpy()
    moving, _ = groups(true)
    if not moving.any() or moving.all() or not changed.any():
        return []
    return [("all", CHANGE, float(np.log(changed[moving].mean() / changed[~moving].mean())))]


def measure(run: Run, baseline: Run, videos: int = 100, epochs: Sequence[str] = ()) -> pd.DataFrame:
    """Means over videos, and halves of their 95 % intervals, of what `shares` and `change` say of each CP module.

    Features are those of the trained network; of itself after some of its epochs; as its training began; and those that
    C2D, trained alike, has at the same places.

    Args:
        run, baseline: of CPNet and of C2D; their weights must be stored.
        videos: how many of the first validation videos.
        epochs: names of weights that are kept, such as "epoch2".
    """
    training = run.training
    assert isinstance(training, VideoTraining)
    net, plain = cast(CPNet, run.trained().model), cast(ResNet, baseline.trained().model)
    earlier = {epoch: cast(CPNet, run.trained(epoch).model) for epoch in epochs}
    earlier["untrained"] = cast(CPNet, training.create_model())
    (first, *_, last), places = zip(*((name, place) for name, place, _ in cp_modules(net)), strict=True)
    lines: list[tuple[object, ...]] = []
    films = progress_bar(True, iterable=scenes(training, videos), total=videos, desc="films", unit="film")
    for video, scene in enumerate(films):
        clip = normalise(scene.clip)
        truths: dict[tuple[int, int], Truth] = {}
        changes: dict[str, float] = {}
        for seen, sums in zip(look(net, clip), block_sums(plain, clip, places), strict=True):
            grid = seen.size[1:]
            true = truths[grid] = truths.get(grid) or scene.truth(grid)
            of_change = change(seen, true)
            if of_change:
                changes[seen.module] = of_change[0][2]
            values = [*shares(seen.indices.numpy(), true, seen.wins.numpy()), *of_change]
            lines += [("trained", seen.module, net.k, video, *value) for value in values]
            for k in (k for k in K_VALUES if k != net.k):
                values = shares(propose(seen.before, k, seen.shrink).numpy(), true)
                lines += [("trained", seen.module, k, video, *value) for value in values]
            values = shares(propose(sums, net.k, seen.shrink).numpy(), true)
            lines += [("C2D", seen.module, net.k, video, *value) for value in values]
        if first in changes and last in changes:
            lines.append(("trained", BETWEEN, net.k, video, "all", CHANGE, changes[last] - changes[first]))
        for name, model in earlier.items():
            for seen in look(model, clip):
                values = shares(seen.indices.numpy(), truths[seen.size[1:]])
                lines += [(name, seen.module, net.k, video, *value) for value in values]
    return _over_videos(lines, net.k)


@torch.no_grad()
def robustness(run: Run, baseline: Run, videos: int = 200) -> pd.DataFrame:
    """Top-1 of CPNet where a share of all proposals is drawn at random, and its gain over C2D; as `measure` has it."""
    assert isinstance(run.training, VideoTraining)
    net, plain = cast(CPNet, run.trained().model), baseline.trained().model
    lines: list[tuple[object, ...]] = []
    films = progress_bar(True, iterable=scenes(run.training, videos), total=videos, desc="films", unit="film")
    for video, scene in enumerate(films):
        clip = normalise(scene.clip)[None]
        floor = 100.0 * (int(plain(clip).argmax()) == scene.label)
        lines.append(("C2D", WHOLE, net.k, video, "all", "top-1", floor))
        for share in REPLACED:
            with drawn_at_random(net, share, seed=video):
                right = 100.0 * (int(net(clip).argmax()) == scene.label)
            lines.append(("trained", WHOLE, net.k, video, "all", top1_with(share), right))
            lines.append(("trained", WHOLE, net.k, video, "all", f"{top1_with(share)}, gain", right - floor))
    return _over_videos(lines, net.k)


def top1_with(share: float) -> str:
    """Name of the accuracy with so large a share of the proposals drawn at random."""
    return f"top-1, {share:.0%} drawn at random"


def drawn_at_random(net: CPNet, share: float, seed: int = 0) -> ExitStack:
    """Inside, so large a share of the proposals of all modules are positions of other frames, drawn from a seed."""
    modules = [module for _, _, module in cp_modules(net)]
    generator = torch.Generator().manual_seed(seed)

    def propose_some(module: CPModule, f: Tensor) -> Tensor:
        indices = CPModule._propose(module, f)  # (B, N, k)
        frame, N = f.shape[3] * f.shape[4], indices.shape[1]
        first = torch.arange(N)[None, :, None] // frame * frame + frame  # the frame after one's own
        others = (first + torch.randint(N - frame, indices.shape, generator=generator)) % N
        return torch.where(torch.rand(indices.shape, generator=generator) < share, others, indices)

    stack = ExitStack()
    for module in modules:
        stack.enter_context(changed([module], {"_propose": partial(propose_some, module)}))
    return stack


def _over_videos(lines: Sequence[tuple[object, ...]], trained_k: int) -> pd.DataFrame:
    """Means over videos and halves of their 95 % intervals."""
    by = ["features", "module", "k", "group", "metric"]
    found = pd.DataFrame(lines, columns=[*by[:3], "video", *by[3:], "value"])
    means = found.groupby(by, sort=False)["value"].agg(["mean", "sem", "count"]).reset_index()
    means["half"] = means["sem"] * student.ppf(1 - SIDE, means["count"] - 1)
    return means.rename(columns={"count": "videos"}).drop(columns="sem").assign(trained_k=trained_k)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
