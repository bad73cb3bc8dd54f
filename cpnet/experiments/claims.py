"""Claims as measured predicates: what is compared, by which statistic, and what comes out.

Frames are those of `cpnet.results.measurements`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from scipy.stats import t as student

OUTCOMES = ("holds", "does not hold", "undecided", "not run")
FEWEST_SEEDS = 3  # two that differ alike by chance would have no width

PAIRED_OVER_SEEDS = "95 % interval, paired over seeds, ± one video at least"
PAIRED = f"{PAIRED_OVER_SEEDS}; of one seed, over its videos"
WEIGHTS = "weights of convolutions and linear layers, of the networks as trained"


@dataclass(frozen=True)
class Verdict:
    """Outcome of a claim, one of `OUTCOMES`, and the numbers it rests on."""

    outcome: str
    evidence: str

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome={self.outcome!r}: choose one of {', '.join(OUTCOMES)}")


Judge = Callable[[pd.DataFrame], Verdict]


class Claim(NamedTuple):
    """A statement, whose it is ("paper" or "ours"), the statistic it is judged by, and the judge of a results frame."""

    statement: str
    source: str
    statistic: str
    judge: Judge


class Measured(NamedTuple):
    """What is compared: a row of a table, by the name of one of its tests, "" for the main one."""

    row: str
    protocol: str = ""
    metric: str = "val_top1"

    def __str__(self) -> str:
        return f"{self.row} ({self.protocol})" if self.protocol else self.row

    def lines(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Its measurements, one a seed; not those of the miniature, of which nothing is claimed."""
        is_it = (frame["row"] == self.row) & (frame["protocol"] == self.protocol) & (frame["metric"] == self.metric)
        return frame[is_it & (frame["profile"] != "smoke")].drop_duplicates("seed")

    def by_seed(self, frame: pd.DataFrame) -> pd.Series:
        """Its values by seed."""
        return self.lines(frame).set_index("seed")["value"].astype(float).dropna().rename(str(self))


def judge_all(claims: Sequence[Claim], frame: pd.DataFrame) -> pd.DataFrame:
    """One line a claim: claim, source, statistic, outcome, evidence."""
    lines = [(*claim[:3], *vars(claim.judge(frame)).values()) for claim in claims]
    return pd.DataFrame(lines, columns=["claim", "source", "statistic", "outcome", "evidence"])


def higher(frame: pd.DataFrame, first: Measured, second: Measured, least: float = 0.0) -> Verdict:
    """Whether the first is more accurate than the second by `least` points, by `PAIRED`."""
    one, two = first.by_seed(frame), second.by_seed(frame)
    seeds = one.index.intersection(two.index)
    n = videos_of(frame, first)
    if len(seeds) != 1:
        return paired_difference(one, two, least, 100 / n)
    verdict = difference_at_least(float(one[seeds[0]]), float(two[seeds[0]]), n, least)
    return Verdict(verdict.outcome, f"{first} - {second}: {verdict.evidence}, one seed, {n} videos")


def videos_of(frame: pd.DataFrame, what: Measured) -> int:
    """How many videos it is measured on; 1 if it is not measured.

    Raises:
        ValueError: a metric that is no share of a number of videos.
    """
    lines = what.lines(frame)
    if lines["n"].isna().any():
        raise ValueError(f"{what.metric} of {what}: of how many videos? Name it in `results.measurements`")
    return int(lines["n"].iloc[0]) if len(lines) else 1


def more_accurate(
    frame: pd.DataFrame, pairs: Sequence[tuple[str | Measured, str | Measured]], least: float = 0.0
) -> Verdict:
    """Whether the first of each pair, rows by name or as measured, is `higher` than the second."""
    compared = [[Measured(what) if isinstance(what, str) else what for what in pair] for pair in pairs]
    verdicts = [higher(frame, first, second, least) for first, second in compared]
    return all_hold(verdicts) if len(verdicts) > 1 else verdicts[0]


def fewer_weights(frame: pd.DataFrame, row: str, others: Sequence[str]) -> Verdict:
    """Whether the network of a row, as trained, has fewer weights than each of the others."""
    counts = frame[frame["metric"] == "weights"].drop_duplicates("row").set_index("row")["value"].astype(int)
    if not {row, *others} <= set(counts.index):
        return Verdict("not run", "not all networks are trained")
    evidence = ", ".join(f"{name} {counts[name]:,}" for name in (row, *others))
    return yes_or_no(all(counts[row] < counts[other] for other in others), evidence)


def yes_or_no(holds: bool, evidence: str) -> Verdict:
    """A verdict that is never undecided."""
    return Verdict("holds" if holds else "does not hold", evidence)


def difference_at_least(first: float, second: float, n: int, least: float) -> Verdict:
    """Whether accuracy `first` exceeds `second` by `least` points, by a 95 % interval over the n clips of each.

    The clips are taken as independent samples, which for nets tested on the same clips is cautious.
    """
    variance = sum(p * (100 - p) / n for p in (first, second))
    half, difference = 1.96 * variance**0.5, first - second
    return _by_interval(difference, half, least, f"{first:.1f} - {second:.1f} = {difference:.1f} ± {half:.1f} points")


def paired_difference(first: pd.Series, second: pd.Series, least: float = 0.0, finest: float = 0.0) -> Verdict:
    """Whether accuracy `first` exceeds `second` by `least` points: Student's 95 % interval over seeds that both have.

    Args:
        first, second: accuracy in percent by seed; their names go into the evidence.
        least: points by which it must be higher.
        finest: points that one video more or less is: the interval reaches as far at least, since seeds whose counts
            differ alike by chance would leave it no width.
    """
    difference = (first - second).dropna()
    n = len(difference)
    if not n:
        return Verdict("not run", f"no seed of {first.name} and {second.name}")
    mean = float(difference.mean())
    pair = f"{first.name} - {second.name}"
    if n < FEWEST_SEEDS:
        return Verdict("undecided", f"{pair}: {mean:+.1f} points, {n} of at least {FEWEST_SEEDS} seeds")
    half = max(float(student.ppf(0.975, n - 1)) * float(difference.std()) / n**0.5, finest)
    return _by_interval(mean, half, least, f"{pair}: {mean:+.1f} ± {half:.1f} points, {n} seeds")


def _by_interval(difference: float, half: float, least: float, evidence: str) -> Verdict:
    """Whether a difference exceeds `least`; undecided where its interval, of width 2 `half`, contains that."""
    if abs(difference - least) <= half:
        return Verdict("undecided", evidence)
    return yes_or_no(difference > least, evidence)


def summarise(outcomes: Sequence[str]) -> str:
    """The outcome of several: the first of does not hold, undecided, not run that any of them is; else holds."""
    worst = ("does not hold", "undecided", "not run", "holds")
    return next((outcome for outcome in worst if outcome in outcomes), "not run")


def all_hold(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict on several comparisons, as `summarise` has it: how many hold, and the evidence of all."""
    outcomes = [verdict.outcome for verdict in verdicts]
    evidence = "; ".join(dict.fromkeys(verdict.evidence for verdict in verdicts))
    return Verdict(summarise(outcomes), f"{outcomes.count('holds')} of {len(outcomes)} hold; {evidence}")
