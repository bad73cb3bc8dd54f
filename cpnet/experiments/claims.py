"""Claims as measured predicates: what is compared, by which statistic, and what comes out.

Frames are those of `cpnet.results.measurements`. One rule judges all that is said of accuracy, see `within`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from cpnet.choices import check_choice
from cpnet.experiments.intervals import SIDE, Estimate, over_seeds, over_seeds_and_videos

OUTCOMES = ("holds", "does not hold", "undecided", "partly run", "not run")
FEWEST_SEEDS = 3  # what differs between two may differ alike by chance
SHOWN = 4  # comparisons of a claim that are spelt out
TITLES = {"val_top1": "", "val_top5": "top-5", "test_top1": "test", "test_top5": "test, top-5"}

PAIRED = "95 % interval over seeds and videos, paired per video"
WEIGHTS = "weights of convolutions and linear layers, of the networks as trained"


class Effect(NamedTuple):
    """What a claim compares, in points: its mean, half its 95 % interval, and the bounds it is to lie between."""

    name: str
    mean: float
    half: float
    low: float
    high: float

    @property
    def room(self) -> float:
        """How far the mean is inside the nearer bound, in halves of its interval: the least certain have the least."""
        return min(self.mean - self.low, self.high - self.mean) / self.half


@dataclass(frozen=True)
class Verdict:
    """Outcome of a claim, one of `OUTCOMES`, the numbers it rests on, and what it compares."""

    outcome: str
    evidence: str
    effects: tuple[Effect, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        check_choice("outcome", self.outcome, OUTCOMES)


Judge = Callable[[pd.DataFrame], Verdict]


class Judged(pd.DataFrame):
    """Claims with their outcomes, by statement: source, statistic, outcome, evidence; `effects`, in the same order."""

    _metadata: ClassVar = ["effects"]
    effects: list[tuple[Effect, ...]]


class Claim(NamedTuple):
    """A statement, whose it is ("paper" or "ours"), the statistic it is judged by, and the judge of a results frame."""

    statement: str
    source: str
    statistic: str
    judge: Judge


class Measured(NamedTuple):
    """What is compared: a row of a table, by the name of one of its tests, "" for the main one.

    `videos` says of a number of videos of a stand-in which count, (videos,) bool; all if None.
    """

    row: str
    protocol: str = ""
    metric: str = "val_top1"
    videos: Callable[[int], np.ndarray] | None = None

    def __str__(self) -> str:
        how = [text for text in (self.protocol, TITLES.get(self.metric, self.metric)) if text]
        return f"{self.row} ({', '.join(how)})" if how else self.row

    def right(self, frame: pd.DataFrame) -> dict[int, np.ndarray]:
        """By seed, 100 for each video that it is right about and 0 for the others; nothing of the miniature.

        Of some videos, the others have the mean of these, which lie as much farther from it as there are fewer of them:
        the mean over all is then that of these alone, and the interval nearly.
        """
        is_it = (frame["row"] == self.row) & (frame["protocol"] == self.protocol) & (frame["metric"] == self.metric)
        is_it &= ~frame["profile"].isin(["smoke"] if self.videos is None else ["smoke", "paper"])
        lines = frame[is_it & frame["right"].notna()].drop_duplicates("seed")
        found = {seed: 100.0 * right for seed, right in zip(lines["seed"], lines["right"], strict=True)}
        if self.videos is not None:
            for seed, right in found.items():
                counted = self.videos(len(right))
                mean = right[counted].mean()
                found[seed] = np.where(counted, mean + (right - mean) * (1 / counted.mean()), mean)
        return found

    def counted(self, count: int) -> np.ndarray:
        """(count,) bool: which of so many videos count."""
        return np.ones(count, dtype=bool) if self.videos is None else self.videos(count)


Contrast = Mapping[Measured, float]  # a sum of accuracies, each times a number


class Comparison(NamedTuple):
    """Whether a sum of accuracies is above `low` and below `high`, in points.

    Attributes:
        name: what the evidence calls it.
        contrast: accuracies, each times a number.
        low, high: bounds.
        own_videos: whether each seed is tested on videos of its own, as in the toy study.
    """

    name: str
    contrast: Contrast
    low: float = -math.inf
    high: float = math.inf
    own_videos: bool = False

    @property
    def sign(self) -> str:
        """How its value is written: a difference with its sign."""
        return "+" if abs(sum(self.contrast.values())) < 1e-9 else ""


def judge_all(claims: Sequence[Claim], frame: pd.DataFrame) -> Judged:
    """One line a claim, judged on results."""
    verdicts = [claim.judge(frame) for claim in claims]
    lines = [(*claim[:3], v.outcome, v.evidence) for claim, v in zip(claims, verdicts, strict=True)]
    columns = ["claim", "source", "statistic", "outcome", "evidence"]
    judged = Judged(pd.DataFrame(lines, columns=columns).set_index("claim"))
    judged.effects = [verdict.effects for verdict in verdicts]
    return judged


def within(frame: pd.DataFrame, comparisons: Sequence[Comparison]) -> Verdict:
    """Whether each sum of accuracies lies between its bounds, by 95 % intervals over seeds and videos.

    All of an interval between the bounds holds: for two finite ones, two one-sided tests of equivalence. A claim holds
    if every comparison does, each at this level (an intersection of tests needs no correction). It does not hold if any
    interval lies outside, of m comparisons at a level of 1/m of that, as S. Holm's first step has it ("A simple
    sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).
    """
    found = [(comparison, _per_video(frame, comparison.contrast)) for comparison in comparisons]
    measured = [(comparison, values) for comparison, values in found if values is not None]
    if not measured:
        return Verdict("not run", f"no seed has every row of {comparisons[0].name}")
    few = [(comparison, values) for comparison, values in measured if len(values) < FEWEST_SEEDS]
    if few:
        first, values = few[0]
        seeds = f"{len(values)} of at least {FEWEST_SEEDS} seeds"
        return Verdict("undecided", f"{first.name}: {values.mean():{first.sign}.1f} points, {seeds}")
    estimates = [(comparison, _estimate(comparison, values)) for comparison, values in measured]
    chances = [chances_between(estimate, comparison.low, comparison.high) for comparison, estimate in estimates]
    outcome = outcome_of(chances, len(comparisons))
    if outcome == "holds" and len(measured) < len(found):
        outcome = "partly run"
    effects = tuple(Effect(c.name, e.mean, e.half, c.low, c.high) for c, e in estimates)
    return Verdict(outcome, _evidence(estimates, [inside for inside, _ in chances], len(found)), effects)


def outcome_of(chances: Sequence[tuple[float, float]], count: int) -> str:
    """What comes out of so many comparisons, by the chances of those that are measured, see `within`."""
    if min(outside for _, outside in chances) <= SIDE / count:
        return "does not hold"
    return "holds" if all(inside <= SIDE for inside, _ in chances) else "undecided"


def _estimate(comparison: Comparison, values: np.ndarray) -> Estimate:
    if comparison.own_videos:
        return over_seeds(values)
    counted = {what: what.counted(values.shape[1]) for what in comparison.contrast}
    most = max(abs(part) / counted[what].mean() for what, part in comparison.contrast.items())
    estimate = over_seeds_and_videos(values, one_video=100 * most)
    return estimate._replace(videos=int(np.any([*counted.values()], axis=0).sum()))


def chances_between(estimate: Estimate, low: float, high: float = math.inf) -> tuple[float, float]:
    """Of a mean so far inside two bounds, were the true one outside; and so far outside, were it inside."""
    inside = max(estimate.p_not_above(low), estimate.p_not_below(high))
    outside = min(estimate.p_not_below(low), estimate.p_not_above(high))
    return inside, outside


def _evidence(estimates: Sequence[tuple[Comparison, Estimate]], inside: Sequence[float], count: int) -> str:
    """How many hold, and of the least certain ones the effect and its interval."""
    ranked = sorted(zip(inside, estimates, strict=True), key=lambda pair: -pair[0])
    sizes = [f", {e.seeds} seeds x {e.videos} videos" for _, (_, e) in ranked[:SHOWN]]
    alike = len(set(sizes)) == 1
    texts = [
        f"{c.name}: {e.mean:{c.sign}.1f} ± {e.half:.1f} points" + size * (not alike or i == len(sizes) - 1)
        for i, ((_, (c, e)), size) in enumerate(zip(ranked, sizes, strict=False))
    ]
    if count == 1:
        return texts[0]
    shown = "the least certain are " if len(ranked) > SHOWN else ""
    return f"{sum(p <= SIDE for p in inside)} of {count} hold; {shown}" + "; ".join(texts)


def _per_video(frame: pd.DataFrame, contrast: Contrast) -> np.ndarray | None:
    """(seeds, videos) of a sum of accuracies, of the seeds that have all of them; None if none has."""
    parts = {what: what.right(frame) for what in contrast}
    seeds = sorted(set.intersection(*(set(part) for part in parts.values())))
    if not seeds:
        return None
    return sum(weight * np.stack([parts[what][seed] for seed in seeds]) for what, weight in contrast.items())  # type: ignore[return-value]


def difference(first: Measured, second: Measured, low: float = -math.inf) -> Comparison:
    """The accuracy of the first less that of the second, which is to be above a bound."""
    return Comparison(f"{first} - {second}", {first: 1.0, second: -1.0}, low)


def more_accurate(
    frame: pd.DataFrame, pairs: Sequence[tuple[str | Measured, str | Measured]], least: float = 0.0
) -> Verdict:
    """Whether the first of each pair, rows by name or as measured, is more accurate than the second by some points."""
    compared = [[Measured(what) if isinstance(what, str) else what for what in pair] for pair in pairs]
    return within(frame, [difference(first, second, least) for first, second in compared])


def rising(frame: pd.DataFrame, numbers: Mapping[str, float], unit: str) -> Verdict:
    """Whether accuracy rises with a number that each row has: the slope of the straight line through all rows."""
    contrast = {Measured(row): weight for row, weight in zip(numbers, slope([*numbers.values()]), strict=True)}
    return within(frame, [Comparison(f"slope per {unit}", contrast, low=0.0)])


def slope(values: Sequence[float]) -> list[float]:
    """Numbers to multiply the heights of points at some values with, for the slope of the line through them."""
    centred = np.array(values, dtype=float) - np.mean(values)
    return (centred / (centred**2).sum()).tolist()


def mean_difference(first: Sequence[Measured], second: Sequence[Measured]) -> dict[Measured, float]:
    """The mean accuracy of the first less that of the second."""
    return {what: sign / len(group) for sign, group in ((1, first), (-1, second)) for what in group}


def larger_difference(frame: pd.DataFrame, here: Comparison, there: Comparison) -> Verdict:
    """Whether a sum of accuracies is larger than one on other videos, each with its own seeds and videos.

    The interval is Welch's, of two estimates with chances of their own.
    """
    values = [_per_video(frame, comparison.contrast) for comparison in (here, there)]
    if values[0] is None or values[1] is None:
        return Verdict("not run", f"no seed has every row of {(here if values[0] is None else there).name}")
    if min(map(len, values)) < FEWEST_SEEDS:  # type: ignore[arg-type]
        return Verdict("undecided", f"fewer than {FEWEST_SEEDS} seeds")
    one, other = (_estimate(c, v) for c, v in zip((here, there), values, strict=True))  # type: ignore[arg-type]
    found = one.minus(other)
    outcome = outcome_of([chances_between(found, 0.0)], 1)
    texts = [f"{c.name}: {e.mean:+.1f} ± {e.half:.1f}" for c, e in ((here, one), (there, other))]
    effect = Effect("difference of gains", found.mean, found.half, 0.0, math.inf)
    return Verdict(outcome, f"{'; '.join(texts)}; difference {found.mean:+.1f} ± {found.half:.1f} points", (effect,))


def fewer_weights(frame: pd.DataFrame, row: str, others: Sequence[str], times: float = 1.0) -> Verdict:
    """Whether the network of a row, as trained, has fewer weights than each of the others; so many times fewer."""
    counts = frame[frame["metric"] == "weights"].drop_duplicates("row").set_index("row")["value"].astype(int)
    if not {row, *others} <= set(counts.index):
        return Verdict("not run", "not all networks are trained")
    evidence = ", ".join(f"{name} {counts[name]:,}" for name in (row, *others))
    return yes_or_no(all(times * counts[row] < counts[other] for other in others), evidence)


def yes_or_no(holds: bool, evidence: str) -> Verdict:
    """A verdict that is never undecided."""
    return Verdict("holds" if holds else "does not hold", evidence)


def all_hold(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict on several comparisons, the worst; partly run where some hold and the others are not run."""
    outcomes = [verdict.outcome for verdict in verdicts] or ["not run"]
    worst = next(o for o in ("does not hold", "undecided", "partly run", "not run", "holds") if o in outcomes)
    said = "partly run" if set(outcomes) == {"holds", "not run"} else worst
    evidence = "; ".join(dict.fromkeys(verdict.evidence for verdict in verdicts))
    return Verdict(said, f"{outcomes.count('holds')} of {len(verdicts)} hold; {evidence}")
