"""A table of the paper as one object: its rows, their trainings, what is measured, and the claims made about it."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from cpnet.engine.training import Training
from cpnet.experiments.claims import Claim, Judged, judge_all
from cpnet.experiments.parameters import ALL, chosen
from cpnet.experiments.profiles import check_profile
from cpnet.experiments.run import Run, load
from cpnet.paper import model_names, read_table

# The training of a row at a profile with a seed; None where the profile has no such row.
Row = Callable[[str, int], Training | None]


@dataclass(frozen=True)
class Column:
    """A measurement as a column of a table.

    Attributes:
        title: head of the column.
        metric, protocol: what is measured, and by which test, see `cpnet.results.measurements`.
        suffix: what distinguishes the row that is trained from the line that is printed, such as "_step12".
    """

    title: str
    metric: str = "val_top1"
    protocol: str = ""
    suffix: str = ""

    @property
    def paper(self) -> str:
        """Its name in the paper's table, if that has it."""
        return f"{self.metric}{self.suffix}" + f"_{self.protocol}" * bool(self.protocol)

    def values(self, frame: pd.DataFrame, line: str) -> pd.Series:
        """What is measured of a line, one value a seed."""
        is_it = (frame["protocol"] == self.protocol) & (frame["metric"] == self.metric)
        return frame.loc[is_it & (frame["row"] == line + self.suffix), "value"].astype(float).dropna()


TOP1_TOP5 = (Column("top-1"), Column("top-5", "val_top5"))


@dataclass(frozen=True)
class Table:
    """A table of the paper, or trainings beside one.

    Attributes:
        name: name of its folder in results/, and of the paper's numbers in `cpnet.paper`.
        title, subject: as the scorecard has it; "" of trainings that are no table of the paper.
        chapter: its notebook.
        data: what ours are measured on.
        rows: the training of each row, by profile and seed.
        seeds: seeds of a row at a profile.
        columns: what is printed, the paper's beside ours.
        lines: lines as they are printed, where they are not the rows.
        claims: what is judged.
        evidence: results that claims are judged on, where they are not those of the table's own rows.
    """

    name: str
    title: str = ""
    subject: str = ""
    chapter: str = ""
    data: str = ""
    rows: Mapping[str, Row] = field(default_factory=dict)
    seeds: Callable[[str, str], Sequence[int]] = lambda row, profile: (0,)
    columns: tuple[Column, ...] = TOP1_TOP5
    lines: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    evidence: Callable[[], pd.DataFrame] | None = None

    def runs(
        self,
        profile: str = "cpu",
        seeds: Sequence[int] | int | str = ALL,
        rows: Sequence[str] | str = ALL,
        only_stored: bool = False,
    ) -> list[Run]:
        """Runs of some rows with some seeds: one, a list, or "all"; "all" seeds are those of the profile.

        Args:
            only_stored: leave out what would have to be trained.

        Raises:
            ValueError: unknown profile or row.
        """
        check_profile(profile)
        names = chosen(rows, list(self.rows))
        for name in names:
            if name not in self.rows:
                raise ValueError(f"no row {name!r} in {self.name}: choose among {', '.join(self.rows)}")
        pairs = [(name, seed) for name in names for seed in chosen(seeds, self.seeds(name, profile))]
        pairs.sort(key=lambda pair: pair[1])  # of all rows the first seed first
        trainings = [(name, self.rows[name](profile, seed)) for name, seed in pairs]
        runs = [Run(self.name, name, profile, training) for name, training in trainings if training is not None]
        return [run for run in runs if not only_stored or run.stored() is not None]

    def load(self, profile: str = "cpu") -> pd.DataFrame:
        """Measurements of the runs that are stored."""
        return load(self.runs(profile))

    def judge(self, frame: pd.DataFrame | None = None) -> Judged:
        """The claims, one a line, judged on results, or on the stored ones."""
        if frame is None:
            frame = self.load() if self.evidence is None else self.evidence()
        return judge_all(self.claims, frame)

    def side_by_side(
        self, frame: pd.DataFrame, columns: Sequence[Column] | None = None, lines: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The paper's numbers beside ours, in percent; mean ± deviation over seeds.

        Each column that the paper has is two, and others are one; of lines that the paper quotes, ours are empty. Cells
        that the paper's text has lost are "lost"; a star marks those whose place is inferred.
        """
        paper, models = read_table(self.name), model_names(self.name)
        columns = self.columns if columns is None else columns
        found = []
        for line in self._lines(lines):
            printed = paper[paper["row"] == line].set_index("column")
            ours = [frame["row"] == line + column.suffix for column in columns]
            cells: dict[str, object] = {
                "model": models.get(line, line),
                "seeds": max((frame.loc[mine, "seed"].nunique() for mine in ours), default=0),
            }
            for column in columns:
                values = column.values(frame, line)
                if column.paper in set(paper["column"]):
                    cells[f"{column.title}, paper"] = _printed(printed, column.paper)
                trained_here = line + column.suffix in self.rows
                cells[f"{column.title}, ours"] = mean_sd(values) if len(values) else "not run" if trained_here else ""
            found.append(cells)
        return pd.DataFrame(found).set_index("model")

    def long_form(
        self, frame: pd.DataFrame, columns: Sequence[Column] | None = None, lines: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The numbers of `side_by_side`, one a line: source ("paper" or "ours"), row, model, column, value."""
        paper, models = read_table(self.name), model_names(self.name)
        found: list[tuple[object, ...]] = []
        for line in self._lines(lines):
            for column in self.columns if columns is None else columns:
                printed = paper.loc[(paper["row"] == line) & (paper["column"] == column.paper), "value"].dropna()
                for source, values in (("paper", printed), ("ours", column.values(frame, line))):
                    found += [(source, line, models.get(line, line), column.title, value) for value in values]
        return pd.DataFrame(found, columns=["source", "row", "model", "column", "value"]).astype({"value": float})

    def _lines(self, chosen: Sequence[str] | None) -> Sequence[str]:
        return (self.lines or list(self.rows)) if chosen is None else chosen


def mean_sd(values: pd.Series) -> str:
    """ "97.4 ± 0.3", or "97.4" of a single value."""
    mean = f"{statistics.mean(values):.1f}"  # exact sums: at a tie, the last digit would hang on their order
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _printed(cells: pd.DataFrame, name: str) -> str:
    if name not in cells.index:
        return ""
    text, status = str(cells["text"][name]), str(cells["status"][name])
    return {"lost": "lost", "inferred": f"{text}*"}.get(status, text)
