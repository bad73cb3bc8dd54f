"""Lists of videos that cannot be used, which `python -m cpnet data check` writes and indexes honour."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cpnet.files import write_atomically

FILE_NAME = "quarantine.jsonl"  # in the root of a data set


class Problem(NamedTuple):
    """A video that cannot be used, its path relative to the root of the data set, and why."""

    id: str
    path: str
    reason: str


def write_quarantine(path: Path, problems: Iterable[Problem]) -> None:
    """Write problems as JSON lines."""
    write_atomically(path, "".join(json.dumps(problem._asdict()) + "\n" for problem in problems).encode())


def read_quarantine(path: Path) -> list[Problem]:
    """Read what `write_quarantine` wrote.

    Raises:
        ValueError: the file is something else.
    """
    problems = []
    for i, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        try:
            problems.append(Problem(**json.loads(line)))
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError(f"{path}, line {i}, is no entry of a quarantine list: delete the file") from error
    return problems
