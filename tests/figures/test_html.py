"""Tables and claims as HTML: every value is there, no text becomes markup, and drawings lie where they should."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from made_results import measured

from cpnet.experiments.claims import Claim, Effect, Verdict, judge_all, more_accurate
from cpnet.experiments.table import Table
from cpnet.figures import html


def soup(text):
    return BeautifulSoup(text, "html.parser")


def cells(frame):
    return [
        [cell.text.strip() for cell in row.find_all(["th", "td"])] for row in soup(html.table(frame)).find_all("tr")
    ]


def test_a_table_has_one_header_row_and_texts_on_one_line():
    frame = pd.DataFrame({"top-1, ours": ["71.2 ± 0.4", "80.1 ± 1.0"], "stated": [True, False], "n": [7, 18528]})
    frame.index = pd.Index(["C2D", "<b>CPNet"], name="model")
    head, *body = cells(frame)
    assert head == ["model", "top\u20111, ours", "stated", "n"]
    assert body == [["C2D", "71.2\u00a0±\u00a00.4", "yes", "7"], ["<b>CPNet", "80.1\u00a0±\u00a01.0", "no", "18,528"]]


def test_columns_without_a_number_are_at_the_left():
    frame = pd.DataFrame(
        {"of": ["[1×1, 64] × 2", ""], "n": [1, 2], "mean": ["71.2 ± 0.4", "not run"], "paper": ["59.2*", "lost"]}
    )
    assert [cell.text for cell in soup(html.table(frame)).select("th.words, td.words")] == ["of", "[1×1, 64] × 2", ""]


def test_the_best_of_ours_is_bold_and_nothing_of_the_paper():
    frame = pd.DataFrame({"top-1, paper": ["90.0", "60.0"], "top-1, ours": ["71.2 ± 0.4", "80.1 ± 1.0"]})
    assert [cell.text for cell in soup(html.table(frame)).select(".best")] == ["80.1\u00a0±\u00a01.0"]
    assert not soup(html.table(frame.iloc[:1])).select(".best")


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(
            {("a", "b"): [1.0, math.nan]}, index=pd.MultiIndex.from_tuples([("x", 1), ("x", 2)], names=["r", "k"])
        ),
        pd.DataFrame(columns=["seeds", "stored"]).rename_axis("row"),
        pd.DataFrame({"a": [0.123456, 1e6]}),
        pd.DataFrame({"a": [1, 2]}, index=["x", "y"]),
    ],
    ids=["two levels", "empty", "numbered", "no name"],
)
def test_any_frame_is_shown(frame):
    head, *body = cells(frame)
    assert len(body) == len(frame) and all(len(row) == len(head) for row in body)
    labels = [] if isinstance(frame.index, pd.RangeIndex) else frame.index.get_level_values(0)
    assert all(row[0] == label for row, label in zip(body, labels, strict=False))


def claim(statement, verdict):
    return Claim(statement, "ours", "a statistic", lambda frame: verdict)


def test_claims_show_outcome_statement_and_evidence():
    effects = (Effect("a - b", 3.0, 1.0, 0.0, math.inf), Effect("a - <c>", 9.0, 1.0, 0.0, math.inf))
    claims = [
        claim("x < y", Verdict("holds", "2 of 2 hold", effects)),
        claim("nothing", Verdict("not run", "no seed")),
    ]
    first, second = soup(html.claims(judge_all(claims, pd.DataFrame()))).select(".claim")
    assert first.select_one(".outcome").text == "holds" and first.select_one(".statement").text == "x < y"
    assert first.summary.select_one(".name").text == "a - b"
    assert [name.text for name in first.select(":scope > .effect .name")] == ["a - b", "a - <c>"]
    assert first.select_one(".evidence").text == "2 of 2 hold."
    assert second.select_one(".outcome")["class"] == ["outcome", "not-run"] and not second.select(".effect")


def test_an_interval_is_drawn_on_the_side_where_it_lies():
    def ends(effect, kind):
        style = soup(html.claims(judge_all([claim("c", Verdict("undecided", "", (effect,)))], pd.DataFrame())))
        left, width = map(float, re.findall(r"([\d.]+)%", style.select_one(f".{kind}")["style"]))
        return left, left + width

    below, across = Effect("e", -5.0, 1.0, 0.0, math.inf), Effect("e", 0.5, 2.0, 0.0, math.inf)
    assert ends(below, "interval")[1] < ends(below, "wanted")[0]
    left, right = ends(across, "interval")
    assert left < ends(across, "wanted")[0] < right and ends(across, "wanted")[1] == pytest.approx(100, abs=0.1)
    between = Effect("e", 25.0, 1.0, 21.0, 29.0)
    wanted, drawn = ends(between, "wanted"), ends(between, "interval")
    assert wanted[0] < drawn[0] < drawn[1] < wanted[1]
    assert ends(across, "zero")[0] == ends(across, "wanted")[0]  # which begins at 0


def test_effects_of_a_judged_frame_are_those_of_its_evidence():
    frame = measured({"a": 50.0, "b": 40.0, "c": 49.0})
    verdict = more_accurate(frame, [("a", "b"), ("a", "c")])
    (shown,) = soup(html.claims(judge_all([claim("c", verdict)], frame))).select(".claim")
    names = [name.text for name in shown.select(":scope > .effect .name")]
    assert names == ["a - c", "a - b"]  # the least certain first
    for effect in verdict.effects:
        assert f"{effect.name}: {effect.mean:+.1f} ± {effect.half:.1f}" in verdict.evidence


def test_the_scorecard_links_chapters_and_counts_claims():
    judged = judge_all([claim("c", Verdict("holds", "")), claim("d", Verdict("holds", ""))], pd.DataFrame())
    table = Table(name="t", title="Table 1", subject="toys & such", data="made", chapter="01_toy_failure")
    card = soup(html.scorecard([(table, judged)], "../notebooks"))
    assert card.a["href"] == "../notebooks/01_toy_failure.html" and "toys & such" in card.summary.text
    assert [badge.text for badge in card.summary.select(".counts .outcome")] == ["2 hold"]
    other = judge_all([claim("e", Verdict("does not hold", ""))], pd.DataFrame())
    total, *lines = soup(html.scorecard([(table, judged), (table, other)], "../notebooks")).select(".scoreline")
    assert [badge.text for badge in total.select(".outcome")] == ["2 hold", "1 does not hold"] and len(lines) == 2


def test_a_film_moves_and_has_a_still_for_those_who_want_none():
    picture = soup(html.film(np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3), 'a "film"')).picture
    assert picture.img["alt"] == 'a "film"' and picture.img["src"].startswith("data:image/gif")
    assert picture.source["media"] == "(prefers-reduced-motion: reduce)"
