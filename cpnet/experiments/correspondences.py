"""Figures 5 and 11 to 13, measured: what CP modules propose, which proposals win, and what the features become.

The renderer of a stand-in knows where every point of a clip is in every other frame, so "reasonable" proposals of
Section 5.6 can be counted: those within one row and column of that place.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student
from torch import Tensor, nn

from cpnet import results
from cpnet.data.clips import crops, even_clips, resized
from cpnet.data.transforms import normalise, view
from cpnet.engine.protocols import changed
from cpnet.engine.trained import load as load_trained
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments import table3a, table5a, table5b
from cpnet.experiments.claims import Claim, Judge, Verdict, chances_between, outcome_of
from cpnet.experiments.intervals import SIDE, Estimate
from cpnet.experiments.kinetics_rows import STAND_IN
from cpnet.experiments.run import Run
from cpnet.experiments.table import Table
from cpnet.models.look import Look, block_sums, cp_modules, look, propose
from cpnet.models.resnet import CPNet, ResNet
from cpnet.nn import CPModule
from cpnet.progress import progress_bar
from cpnet.standins import class_names
from cpnet.standins.canvas import Film
from cpnet.standins.truth import BACKGROUND, Truth, truth
from cpnet.standins.write import clips_of, film_of

K_VALUES = (1, 2, 4, 8, 16, 32)
REPLACED = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of the proposals that are drawn at random
GROUPS = ("moving things", "things", "all")
WON_MORE = "wins of a true one, less those of a false one"
CHANGE = "log of change, moving over still"
BETWEEN, WHOLE = "last less first", "whole network"  # in the place of a module
FOLDER = results.COMMITTED / "correspondences"


class Scene(NamedTuple):
    """A validation clip: its film, the numbers of its frames in that, the clip (3, T, S, S) uint8, its class."""

    film: Film
    frames: list[int]
    clip: Tensor
    label: int

    def truth(self, grid: tuple[int, int]) -> Truth:
        """What each position of a feature map shows, and where that is in every frame."""
        return truth(self.film, self.frames, self.clip.shape[-1], grid)


def scenes(training: VideoTraining, count: int) -> Iterator[Scene]:
    """The first validation clips of the stand-in of a training, as its main test shows them, but not encoded."""
    spec, phase, size = training.data.rendered, training.recipe.phases[-1], training.data.size
    assert spec is not None
    names = class_names(spec.name)
    for clip in [clip for clip in clips_of(spec) if clip.split == "val"][:count]:
        film = film_of(spec, clip)
        (frames,) = even_clips(film.shape[0], phase.num_frames, phase.frame_step, 1, training.data.clip_rule)
        (crop,) = crops(*resized(*film.shape[1:], size), size, 1)
        yield Scene(film, frames, view(film.frames()[frames], crop, size), names.index(clip.label))


def moving_place(true: Truth, t: int) -> tuple[int, int, int]:
    """Frame, row and column of the place in a frame whose point moves farthest, on a thing if one is seen."""
    far = np.abs(true.places[t] - np.moveaxis(np.indices(true.shows.shape[1:]), 0, -1)[:, :, None]).max(-1)
    far = (far * true.seen[t]).max(-1) + (true.shows[t] != BACKGROUND)  # (h, w)
    r, c = np.unravel_index(np.argmax(far), far.shape)
    return t, int(r), int(c)


def shares(indices: np.ndarray, true: Truth, wins: np.ndarray | None = None) -> list[tuple[str, str, float]]:
    """Of the proposals (N, k) of a clip: group of positions, measurement, value.

    Measurements: share of proposals within one row and column of the true place, and on the same thing; of the other
    frames in which the point is seen, the share with a true proposal; channels won by a true proposal and by a false
    one; share of false proposals that win nowhere. "by chance" is what proposals drawn at random would have.
    """
    T = len(true.shows)
    N, k = indices.shape
    frame = np.arange(N) // (N // T)
    near, others = true.near(), frame[:, None] != frame  # (N, N)
    shows, seen = true.shows.reshape(-1), true.seen.reshape(N, T) & (np.arange(T) != frame[:, None])
    hits = np.take_along_axis(near, indices, 1)  # (N, k)
    same = shows[indices] == shows[:, None]
    reached = np.zeros((N, T), dtype=bool)
    np.logical_or.at(reached, (np.repeat(np.arange(N), k), frame[indices].ravel()), hits.ravel())
    in_frame = near.reshape(N, T, -1).sum(2) / (N // T)  # chance that a random position of a frame is true
    drawn = k / (T - 1)  # proposals a frame, by chance
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
            "frames, by chance": _ratio(((1 - (1 - in_frame) ** drawn) * seen)[mine].sum(), seen[mine].sum()),
        }
        if wins is not None:
            of_true, of_false = (_ratio((wins * which)[mine].sum(), which[mine].sum()) for which in (hits, ~hits))
            values |= {"wins of a true one": of_true, "wins of a false one": of_false, WON_MORE: of_true - of_false}
            values["false ones that win nowhere"] = _ratio(((wins == 0) & ~hits)[mine].sum(), (~hits)[mine].sum())
        found += [(group, name, float(value)) for name, value in values.items()]
    return found


def groups(true: Truth) -> list[np.ndarray]:
    """Which positions (N,) show things that move by one position or more in the clip, things, anything."""
    T, h, w = true.shows.shape
    own = np.moveaxis(np.indices((h, w)), 0, -1)[None, :, :, None]  # (1, h, w, 1, 2)
    far = np.abs(true.places - own).max(-1) * true.seen  # (T, h, w, T)
    moving, thing = far.max(-1).ravel() >= 1, (true.shows != BACKGROUND).ravel()
    return [moving & thing, thing, np.ones(T * h * w, dtype=bool)]


def change(seen: Look, true: Truth) -> list[tuple[str, str, float]]:
    """How much more a module changes features, by L1 distance, of moving things than of what does not move; its log."""
    changed = (seen.after - seen.before).abs().sum(0)[..., :: seen.shrink, :: seen.shrink].flatten().numpy()
    moving, still = groups(true)[0], ~groups(true)[0]
    if not moving.any() or not still.any() or not changed.any():
        return []
    return [("all", CHANGE, float(np.log(changed[moving].mean() / changed[still].mean())))]


def measure(
    run: Run, baseline: Run, videos: int = 100, epochs: Sequence[str] = (), progress: bool = True
) -> pd.DataFrame:
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
    earlier = {epoch: cast(CPNet, _after(run, epoch)) for epoch in epochs}
    earlier["untrained"] = cast(CPNet, training.create_model())
    places = [place for _, place, _ in cp_modules(net)]
    lines: list[tuple[object, ...]] = []
    films = progress_bar(progress, iterable=scenes(training, videos), total=videos, desc="films", unit="film")
    for video, scene in enumerate(films):
        clip = normalise(scene.clip)
        truths: dict[tuple[int, int], Truth] = {}
        changes: list[float] = []
        for seen, sums in zip(look(net, clip), block_sums(plain, clip, places), strict=True):
            grid = seen.size[1:]
            true = truths[grid] = truths.get(grid) or scene.truth(grid)
            values = [*shares(seen.indices.numpy(), true, seen.wins.numpy()), *change(seen, true)]
            changes += [value for _, name, value in values if name == CHANGE]
            lines += [("trained", seen.module, net.k, video, *value) for value in values]
            for k in (k for k in K_VALUES if k != net.k):
                values = shares(propose(seen.before, k, seen.shrink).numpy(), true)
                lines += [("trained", seen.module, k, video, *value) for value in values]
            values = shares(propose(sums, net.k, seen.shrink).numpy(), true)
            lines += [("C2D", seen.module, net.k, video, *value) for value in values]
        if changes:  # by module, from first to last
            lines.append(("trained", BETWEEN, net.k, video, "all", CHANGE, changes[-1] - changes[0]))
        for name, model in earlier.items():
            for seen in look(model, clip):
                values = shares(seen.indices.numpy(), truths[seen.size[1:]])
                lines += [(name, seen.module, net.k, video, *value) for value in values]
    return _over_videos(lines, net.k)


@torch.no_grad()
def robustness(run: Run, baseline: Run, videos: int = 200, progress: bool = True) -> pd.DataFrame:
    """Top-1 of CPNet where a share of all proposals is drawn at random, and its gain over C2D; as `measure` has it."""
    assert isinstance(run.training, VideoTraining)
    net, plain = cast(CPNet, run.trained().model), baseline.trained().model
    lines: list[tuple[object, ...]] = []
    films = progress_bar(progress, iterable=scenes(run.training, videos), total=videos, desc="films", unit="film")
    for video, scene in enumerate(films):
        clip = normalise(scene.clip)[None]
        floor = 100.0 * (int(plain(clip).argmax()) == scene.label)
        lines.append(("C2D", WHOLE, net.k, video, "all", "top-1", floor))
        for share in REPLACED:
            with drawn_at_random(net, share):
                right = 100.0 * (int(net(clip).argmax()) == scene.label)
            lines.append(("trained", WHOLE, net.k, video, "all", top1_with(share), right))
            lines.append(("trained", WHOLE, net.k, video, "all", f"{top1_with(share)}, gain", right - floor))
    return _over_videos(lines, net.k)


def top1_with(share: float) -> str:
    """Name of the accuracy with so large a share of the proposals drawn at random."""
    return f"top-1, {share:.0%} drawn at random"


def drawn_at_random(net: CPNet, share: float) -> ExitStack:
    """Inside, so large a share of the proposals of all modules are positions of other frames, drawn anew each time."""
    modules = [module for _, _, module in cp_modules(net)]
    generator = torch.Generator().manual_seed(0)

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


def _after(run: Run, epoch: str) -> nn.Module:
    path = run.stored()
    assert path is not None
    return load_trained(path, epoch).model


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def write(dataset: str, frame: pd.DataFrame, folder: Path = FOLDER) -> None:
    """Store what `measure` and `robustness` said of a network."""
    origin = results.provenance(torch.device("cpu"), 0.0)
    text = frame.assign(dataset=dataset, commit=origin["commit"], torch=origin["versions"]["torch"])
    results.write_atomically(folder / f"{dataset}.csv", text.to_csv(index=False, float_format="%.4g").encode())


def load(folder: Path = FOLDER) -> pd.DataFrame:
    """What is stored, of all data sets."""
    parts = [pd.read_csv(file) for file in sorted(folder.glob("*.csv"))]
    columns = ["dataset", "features", "module", "k", "trained_k", "group", "metric", "mean", "half", "videos"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


DATASETS: dict[str, tuple[Table, str, str]] = {  # where CPNet and C2D of a data set are: table, row, row
    "kinetics": (table3a.TABLE, "cp6", "c2d"),
    "something": (table5a.TABLE, "cpnet_resnet18", "c2d_resnet18"),
    "jester": (table5b.TABLE, "cpnet_resnet34", "c2d_resnet34"),
}


def runs_of(dataset: str, seed: int = 0, row: str = "") -> tuple[Run, Run]:
    """CPNet and C2D that are looked into; `row` is another CPNet of the table."""
    table, default, plain = DATASETS[dataset]
    (one,), (other,) = (table.runs("cpu", seed, name) for name in (row or default, plain))
    return one, other


def _above(metric: str, low: float, group: str = "all", module: str = "res") -> Judge:
    """Whether a measurement of trained networks is above a bound, at every module whose name begins so."""

    def judge(frame: pd.DataFrame) -> Verdict:
        mine = frame[(frame["metric"] == metric) & (frame["group"] == group) & (frame["features"] == "trained")]
        mine = mine[(mine["k"] == mine["trained_k"]) & mine["module"].str.startswith(module)]
        if mine.empty:
            return Verdict("not run", "nothing is measured")
        chances, texts = [], []
        for row in mine.to_dict("records"):
            freedom = row["videos"] - 1
            error = row["half"] / student.ppf(1 - SIDE, freedom)
            chances.append(chances_between(Estimate(row["mean"], error, freedom, 1, row["videos"]), low))
            texts.append(f"{row['dataset']}, {row['module']}: {row['mean']:.2f} ± {row['half']:.2f}")
        above = sum(inside <= SIDE for inside, _ in chances)
        return Verdict(outcome_of(chances, len(chances)), f"{above} of {len(chances)} hold; {'; '.join(texts)}")

    return judge


OVER_VIDEOS = "95 % interval over videos, of the network of seed 0"

TABLE = Table(
    name="figure5",
    title="Figure 5",
    subject="What CP modules propose, use and change",
    data=STAND_IN,
    claims=(
        Claim(
            "CP modules find the majority of reasonable correspondences",
            "paper",
            "of the frames that show a point of a moving thing, more than half have a proposal within a row and column "
            f"of it, at every module; {OVER_VIDEOS}",
            _above("frames", 0.5, "moving things"),
        ),
        Claim(
            "max pooling is robust to wrong proposals: a true one wins in more channels than a false one",
            "paper",
            f"every module, all positions; {OVER_VIDEOS}",
            _above(WON_MORE, 0.0),
        ),
        Claim(
            "with a quarter of the proposals drawn at random, CPNet is still above C2D",
            "ours",
            f"top-1, paired per video; {OVER_VIDEOS}",
            _above(f"{top1_with(0.25)}, gain", 0.0, module=WHOLE),
        ),
        Claim(
            "CP modules change the features of moving things more than the rest",
            "paper",
            f"log of the ratio of L1 changes above 0, every module; {OVER_VIDEOS}",
            _above(CHANGE, 0.0),
        ),
        Claim(
            "later modules focus more on what moves",
            "paper",
            f"log of that ratio, last module less first; {OVER_VIDEOS}",
            _above(CHANGE, 0.0, module=BETWEEN),
        ),
    ),
    evidence=load,
)
