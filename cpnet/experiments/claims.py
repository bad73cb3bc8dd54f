"""Claims of the paper as measured predicates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

OUTCOMES = ("holds", "does not hold", "undecided", "not run")
FEWEST_SEEDS = 3  # two that differ alike by chance would have no width
T_95 = {
    2: 4.303,
    3: 3.182,
    4: 2.776,
    5: 2.571,
    6: 2.447,
}  # Student's, two-sided, by degrees of freedom; cautious for more


@dataclass(frozen=True)
class Verdict:
    """Outcome of a claim, one of `OUTCOMES`, and the numbers it rests on."""

    outcome: str
    evidence: str

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome={self.outcome!r}: choose one of {', '.join(OUTCOMES)}")


@dataclass(frozen=True)
class Claim:
    """A statement, whose it is ("paper" or "ours"), the statistic it is judged by, and the judge of a results frame."""

    statement: str
    source: str
    statistic: str
    judge: Callable[[pd.DataFrame], Verdict]


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
        least: points.
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
    half = max(T_95.get(n - 1, T_95[6]) * float(difference.std()) / n**0.5, finest)
    return _by_interval(mean, half, least, f"{pair}: {mean:+.1f} ± {half:.1f} points, {n} seeds")


def _by_interval(difference: float, half: float, least: float, evidence: str) -> Verdict:
    """Whether a difference exceeds `least`; undecided where its interval, of width 2 `half`, contains that."""
    if abs(difference - least) <= half:
        return Verdict("undecided", evidence)
    return Verdict("holds" if difference > least else "does not hold", evidence)


def judge_all(claims: list[Claim], frame: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: statement, source, statistic, outcome, evidence."""
    rows = []
    for claim in claims:
        verdict = claim.judge(frame)
        rows.append(
            {
                "claim": claim.statement,
                "source": claim.source,
                "statistic": claim.statistic,
                "outcome": verdict.outcome,
                "evidence": verdict.evidence,
            }
        )
    return pd.DataFrame(rows)


def summarise(outcomes: Sequence[str]) -> str:
    """The outcome of several: the first of does not hold, undecided, not run that any of them is; else holds."""
    worst = ("does not hold", "undecided", "not run", "holds")
    return next((outcome for outcome in worst if outcome in outcomes), "not run")


def all_hold(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict on several comparisons, as `summarise` has it: how many hold, and the evidence of all."""
    outcomes = [verdict.outcome for verdict in verdicts]
    evidence = "; ".join(dict.fromkeys(verdict.evidence for verdict in verdicts))
    return Verdict(summarise(outcomes), f"{outcomes.count('holds')} of {len(outcomes)} hold; {evidence}")
