"""A run is a training in its place in the book; results of runs are loaded as tidy frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cpnet import results
from cpnet.engine.machine import Machine
from cpnet.engine.trained import Trained
from cpnet.engine.trained import load as load_trained
from cpnet.engine.training import Training
from cpnet.results import Record


@dataclass(frozen=True)
class Run:
    """One row of one table, with one seed.

    Attributes:
        table, row, profile: where the numbers belong; they do not determine them.
        training: what does.
    """

    table: str
    row: str
    profile: str
    training: Training

    @property
    def seed(self) -> int:
        """Seed of all random draws."""
        return self.training.seed

    @property
    def run_id(self) -> str:
        """Hash of all that determines the numbers: rows of several tables may be one training."""
        return self.training.run_id

    @property
    def title(self) -> str:
        """Text of progress bars."""
        return f"{self.table} {self.row} seed {self.seed}"

    @property
    def labels(self) -> dict[str, str]:
        """What the record says of its place."""
        return {"table": self.table, "row": self.row, "profile": self.profile}

    @property
    def needs(self) -> list[Run]:
        """Runs whose weights this one starts from."""
        return [Run("pretrain", need.config["model"], self.profile, need) for need in self.training.needs]

    def stored(self, roots: tuple[Path, ...] | None = None) -> Path | None:
        """JSON file of the result, locally or in the repository if no `roots` are given."""
        return self.training.stored(results.roots() if roots is None else roots)

    def is_stored(self, roots: tuple[Path, ...], machine: Machine) -> bool:
        """Whether a result is there; ValueError if it is of other data than those of the machine."""
        path = self.stored(roots)
        if path is not None:
            self.training.verify(path, machine)
        return path is not None

    def trained(self, which: str = "last") -> Trained:
        """The trained network of a stored run, see `cpnet.load`.

        Raises:
            FileNotFoundError: the run, or its weights, are not stored.
        """
        path = self.stored()
        if path is None:
            raise FileNotFoundError(f"no stored result of {self.title}, run {self.run_id}: reproduce it first")
        return load_trained(path, which)


def records(runs: Sequence[Run], roots: tuple[Path, ...] | None = None) -> list[Record]:
    """Records of those runs that are stored, under the runs' own labels: one training may serve several rows."""
    found = [(run, path) for run in runs if (path := run.stored(roots)) is not None]
    return [results.read(path) | run.labels | {"file": f"{path.parent.name}/{path.name}"} for run, path in found]


def load(runs: Sequence[Run], roots: tuple[Path, ...] | None = None) -> pd.DataFrame:
    """Measurements of those runs that are stored, see `cpnet.results.measurements`; nothing is trained."""
    return results.measurements(records(runs, roots))


def load_curves(runs: Sequence[Run]) -> pd.DataFrame:
    """Numbers of the epochs of those runs that are stored, see `cpnet.results.curves`."""
    return results.curves(records(runs))


def load_origins(runs: Sequence[Run]) -> pd.DataFrame:
    """Where the numbers of those runs that are stored come from, see `cpnet.results.origins`."""
    return results.origins(records(runs))
