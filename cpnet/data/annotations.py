"""Files of annotations as data sets have them: CSV with a header, lines of fields, JSON; an error names the file."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def first_file(root: Path, names: Sequence[str]) -> Path:
    """The first of some files that exists."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(f"no annotation under {root}: looked for {', '.join(names)}")


def csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a CSV file with a header, with where they stand."""
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    if "youtube_id" not in (reader.fieldnames or ()):
        raise ValueError(f"{path} has no column youtube_id: its header is {reader.fieldnames}")
    for row in reader:
        yield f"{path.name}, line {reader.line_num}", row


def semicolon_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Fields of the lines of a file that are not empty, with where they stand."""
    for i, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            yield f"{path.name}, line {i}", [part.strip() for part in line.split(";")]


def read_json(path: Path, kind: type) -> Any:
    """The content of a JSON file, which is to be a `kind`."""
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON, it may be truncated: {error}") from error
    if not isinstance(content, kind):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a {kind.__name__}: is it the right file?")
    return content


def _text(path: Path) -> str:
    """Of a file in UTF-8, with a byte-order mark or without."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
