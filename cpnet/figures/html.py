"""Tables and judged claims as the book shows them: HTML that a phone can read, in light and dark."""

import base64
import re
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler
from PIL import Image

from cpnet.experiments.claims import OUTCOMES, Effect, Judged
from cpnet.experiments.table import Table

CLASS = 'class="book-table"'
NUMBER = re.compile(r"[-+−]?[\d.,]+(\xa0±.*|\*| %)?|lost|not run")
PLURAL = {"holds": "hold", "does not hold": "do not hold"}
SOURCES = ("paper", "ours")


def show_in(shell: Any) -> None:
    """Let a notebook's kernel show frames and claims so."""
    pd.set_option("display.max_colwidth", None, "display.width", 200)
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(pd.DataFrame, table)
    formatter.for_type(Judged, claims)


def table(frame: pd.DataFrame) -> str:
    """A frame with one header row; the best mean of each column of ours is bold, no number breaks at its ±, and columns
    without a number are at the left."""
    numbered = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    named = frame.copy() if numbered else frame.rename_axis(index=_names(frame.index)).reset_index()
    named.columns = [_text(name).replace("top-", "top\u2011") for name in named.columns]  # no line ends at its hyphen
    texts = named.map(_text)
    classes = pd.DataFrame("", index=texts.index, columns=texts.columns)
    words = [i for i, name in enumerate(texts) if not any(map(NUMBER.fullmatch, texts[name]))]
    for i in words:
        classes.isetitem(i, "words")
    for column in (name for name in texts if str(name).endswith(", ours")):
        classes.loc[_best(texts[column]), column] = "best"
    style = Styler(texts, uuid="t", cell_ids=False).hide(axis="index").format(escape="html").set_td_classes(classes)
    text = style.set_table_attributes(CLASS).to_html().replace(' id="T_t"', "")  # one a page at most
    for i in words:
        text = text.replace(f'level0 col{i}"', f'level0 col{i} words"')
    return f'<div class="book-scroll" tabindex="0" role="region" aria-label="table">{text}</div>'


def _names(index: pd.Index) -> list[str]:
    """Of its levels; blanks, each of another length, of those that have none."""
    return [" " * (i + 1) if name is None else str(name) for i, name in enumerate(index.names)]


def _text(value: object) -> str:
    """A cell in words and numbers that stay on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value if part != "")
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer() and abs(value) >= 1e4):
        return f"{value:,.0f}" if abs(value) >= 1e4 else str(value)
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.4g}"
    return "" if value is None else str(value).replace(" ± ", "\u00a0±\u00a0")


def _best(column: pd.Series) -> list[int]:
    """Places of the highest mean, if there are several."""
    means = pd.to_numeric(column.astype(str).str.partition("\u00a0")[0], errors="coerce")
    return means.index[means == means.max()].tolist() if means.notna().sum() > 1 else []


def scorecard(tables: Sequence[tuple[Table, Judged]], notebooks: str) -> str:
    """All outcomes counted, then a line for each table: a link to its chapter, and outcomes, which unfold to claims.

    Args:
        tables: with their claims judged.
        notebooks: address of the chapters' pages.
    """
    everything = pd.concat([judged for _, judged in tables])
    total = f'<div class="scoreline"><span>All tables</span><div>{_counted(everything)}</div></div>'
    return total + "".join(_card(table, judged, notebooks) for table, judged in tables)


def _counted(judged: pd.DataFrame) -> str:
    """How many claims come out how, of the paper's and of ours."""
    counted = ""
    for source in SOURCES:
        outcomes = judged.loc[judged["source"] == source, "outcome"].tolist()
        counts = [(outcome, outcomes.count(outcome)) for outcome in OUTCOMES if outcome in outcomes]
        words = [(outcome, f"{n} {PLURAL.get(outcome, outcome) if n > 1 else outcome}") for outcome, n in counts]
        badges = " ".join(_badge(outcome, text) for outcome, text in words)
        counted += f'<span class="counts"><span class="source">{source}</span> {badges}</span>' * bool(counts)
    return counted


def _card(table: Table, judged: Judged, notebooks: str) -> str:
    return (
        f'<div class="scoreline"><a href="{notebooks}/{table.chapter}.html">{escape(table.title)}</a>'
        f"<details><summary>{escape(table.subject)} {_counted(judged)}</summary>{claims(judged)}"
        f"<p>Measured on: {escape(table.data)}.</p></details></div>"
    )


def claims(judged: Judged) -> str:
    """A line a claim: outcome, statement, and its least certain comparison as an interval; the rest unfolds."""
    lines = zip(judged.itertuples(), judged.effects, strict=True)
    return f'<div class="claims">{"".join(_claim([*map(str, line)], effects) for line, effects in lines)}</div>'


def _badge(outcome: str, text: str) -> str:
    return f'<span class="outcome {outcome.replace(" ", "-")}">{escape(text)}</span>'


def _claim(line: Sequence[str], effects: Sequence[Effect]) -> str:
    statement, source, statistic, outcome, evidence = line
    ranked, span = sorted(effects, key=lambda effect: effect.room), _span(effects)
    least = "".join(_row(effect, _span([effect])) for effect in ranked[:1])
    rest = "".join(_row(effect, span) for effect in ranked if len(ranked) > 1)
    return (
        f'<details class="claim"><summary>{_badge(outcome, outcome)} '
        f'<span class="statement">{escape(statement)}</span> <span class="source">{source}</span>'
        f"{least}</summary>"
        f'<p>Judged by: {escape(statistic)}.</p>{rest}<p class="evidence">{escape(evidence)}.</p></details>'
    )


def _row(effect: Effect, span: tuple[float, float]) -> str:
    """A comparison: its name, mean ± half the interval, and both drawn; shaded is where the claim wants it."""
    low, high = span

    def place(value: float) -> float:
        return 100 * (min(max(value, low), high) - low) / (high - low)

    def mark(kind: str, left: float, right: float) -> str:
        return f'<i class="{kind}" style="left:{place(left):.1f}%;width:{place(right) - place(left):.1f}%"></i>'

    interval = effect.mean - effect.half, effect.mean + effect.half
    drawn = (
        mark("wanted", effect.low, effect.high)
        + mark("zero", 0, 0) * (low < 0 < high)
        + mark("interval", *interval)
        + mark("mean", effect.mean, effect.mean)
    )
    digits = 1 if effect.half >= 0.5 else 2
    number = f"{effect.mean:.{digits}f}\u00a0±\u00a0{effect.half:.{digits}f}"
    return (
        f'<span class="effect"><span class="name">{escape(effect.name)}</span> <span class="number">{number}</span> '
        f'<span class="forest" aria-hidden="true">{drawn}</span></span>'
    )


def _span(effects: Sequence[Effect]) -> tuple[float, float]:
    """An axis that has all intervals and bounds, and a margin."""
    values = [end for e in effects for end in (e.mean - e.half, e.mean + e.half, e.low, e.high) if abs(end) < 1e9]
    margin = 0.15 * (max(values, default=1.0) - min(values, default=0.0)) or 1.0
    return min(values, default=0.0) - margin, max(values, default=1.0) + margin


def film(frames: np.ndarray, alternative: str) -> str:
    """A moving picture of frames (T, H, W, 3), uint8; a still one, the first frame, where motion is unwanted."""
    pictures = [Image.fromarray(frame).resize((4 * frame.shape[1], 4 * frame.shape[0])) for frame in frames]
    moving, still = BytesIO(), BytesIO()
    pictures[0].save(moving, "GIF", save_all=True, append_images=pictures[1:], duration=300, loop=0)
    pictures[0].save(still, "PNG")
    gif, png = (base64.b64encode(data.getvalue()).decode() for data in (moving, still))
    source = f'<source media="(prefers-reduced-motion: reduce)" srcset="data:image/png;base64,{png}">'
    return f'<picture>{source}<img alt="{escape(alternative)}" src="data:image/gif;base64,{gif}"></picture>'
