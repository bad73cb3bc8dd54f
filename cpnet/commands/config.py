"""python -m cpnet config."""

from typing import Literal

from tyro.conf import Positional


def config(
    table: Positional[str], row: Positional[str], *, profile: Literal["smoke", "cpu", "gpu", "paper"] = "cpu"
) -> None:
    """Print the whole setting of a row: network, data, recipe, tests, with its command, numbers and minutes.

    Args:
        table: name of a table, such as table3b.
        row: name of one of its rows, such as k8.
        profile: data and network size.
    """
    import json

    from cpnet.experiments.costs import command, overview
    from cpnet.experiments.run import load, load_origins
    from cpnet.experiments.tables import find_table, select_runs

    runs = select_runs(table, profile, rows=(row,))
    print(f"# {command(runs[0])}{' --rerun' if runs[0].stored() else ''}")
    taken = overview(runs).loc[row]
    print(f"# seeds {taken['seeds']}, stored {taken['stored']}, minutes a run: {taken['minutes a run']}")
    for origin in load_origins(runs).itertuples():
        print(f"# seed {origin.seed}: {origin.file}, commit {origin.commit}")
    found = find_table(table)
    lines = [line for line in found.lines or found.rows if row in (line, *(line + c.suffix for c in found.columns))]
    if found.title and lines:
        numbers = found.side_by_side(load(runs), lines=lines).iloc[0]
        print("".join(f"# {name}: {value}\n" for name, value in numbers.items() if value != "not run"), end="")
    training = runs[0].training
    for name, part in (training.config | {"model_defaults": training.model_defaults}).items():
        print(f"{name}: {json.dumps(part)}")
