"""What the paper prints, one CSV a table: row, model, column, value, and a status, printed, inferred or lost."""

from importlib.resources import files

import pandas as pd

STATUSES = ("printed", "inferred", "lost")


def read_table(name: str) -> pd.DataFrame:
    """A table of the paper, tidy; `text` is the value as printed, `value` the number, NaN where it is lost.

    Models go by their printed names but for "(ours)", which in this book would mean the book's.

    Raises:
        ValueError: no such table.
    """
    file = files("cpnet.paper") / f"{name}.csv"
    if not file.is_file():
        known = sorted(f.name.removesuffix(".csv") for f in files("cpnet.paper").iterdir() if f.name.endswith(".csv"))
        raise ValueError(f"no table {name!r}: choose one of {', '.join(known)}")
    with file.open() as lines:
        table = pd.read_csv(lines, dtype=str, keep_default_na=False)
    table = table.rename(columns={"value": "text"})
    table["model"] = table["model"].str.replace(" (ours)", "", case=False, regex=False)
    return table.assign(value=pd.to_numeric(table["text"].where(table["text"] != "")))


def model_names(table: str) -> dict[str, str]:
    """{row: model, as `read_table` names it}, in its order."""
    return dict(read_table(table).drop_duplicates("row").set_index("row")["model"])
