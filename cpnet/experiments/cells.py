"""Cells of tables as they are printed, the paper's beside ours."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cpnet.paper import model_names, read_table


def mean_sd(values: pd.Series) -> str:
    """ "97.4 ± 0.3", or "97.4" of a single value."""
    return f"{values.mean():.1f} ± {values.std():.1f}" if len(values) > 1 else f"{values.mean():.1f}"


def paper_and_ours(table: str, frame: pd.DataFrame, rows: Sequence[str], metrics: Mapping[str, str]) -> pd.DataFrame:
    """A table with two columns for each metric that the paper has, and one for others; mean ± deviation over seeds.

    Args:
        table: name of the table of the paper.
        frame: results at one profile.
        rows: of the table.
        metrics: {column of the paper's table and of the results: title}, in percent. Cells that the paper's text has
            lost are "lost"; a star marks those whose place is inferred.
    """
    paper, models = read_table(table), model_names(table)
    lines = []
    for row in rows:
        ours = frame[frame["row"] == row]
        printed = paper[paper["row"] == row].set_index("column")
        cells: dict[str, object] = {"model": models.get(row, row), "seeds": len(ours)}
        for metric, title in metrics.items():
            known = ours[metric].dropna() if metric in ours else pd.Series(dtype=float)
            if metric in set(paper["column"]):
                cells[f"{title}, paper"] = _printed(printed, metric)
            cells[f"{title}, ours"] = mean_sd(known) if len(known) else "not run"
        lines.append(cells)
    return pd.DataFrame(lines).set_index("model")


def long_form(table: str, frame: pd.DataFrame, rows: Sequence[str], metrics: Mapping[str, str]) -> pd.DataFrame:
    """The numbers of `paper_and_ours`, one a line: source, "paper" or "ours", row, model, metric by title, value."""
    paper, models = read_table(table), model_names(table)
    labels = ["source", "row", "model", "metric"]
    lines: list[tuple[object, ...]] = []
    for row in rows:
        ours = frame[frame["row"] == row]
        for metric, title in metrics.items():
            printed = paper[(paper["row"] == row) & (paper["column"] == metric)]["value"]
            known = ours[metric] if metric in ours else pd.Series(dtype=float)
            for source, values in (("paper", printed), ("ours", known)):
                lines += [(source, row, models.get(row, row), title, value) for value in values.dropna()]
    return pd.DataFrame(lines, columns=[*labels, "value"]).astype({"value": float})


def _printed(cells: pd.DataFrame, metric: str) -> str:
    if metric not in cells.index:
        return ""
    text, status = str(cells["text"][metric]), str(cells["status"][metric])
    return {"lost": "lost", "inferred": f"{text}*"}.get(status, text)
