"""One row a table of the paper: what its claims come out as, and on which data."""

import pandas as pd

from cpnet.experiments import architectures, table1, table3a, table3b, table3c, table3d, table4, table5a
from cpnet.experiments.claims import judge_all, summarise
from cpnet.experiments.run import load

TABLES = {
    "Table 1": "toy failure study",
    "Tables 2, 6–8": "architectures, numbers of parameters",
    "Table 3(a)": "Kinetics, number of CP modules",
    "Table 3(b)": "Kinetics, k in training and testing",
    "Table 3(c)": "Kinetics, position of the CP modules",
    "Table 3(d)": "Kinetics, comparison with other nets",
    "Table 4": "Kinetics, large models",
    "Table 5(a)": "Something-Something v2",
    "Table 5(b)": "Jester v1",
}
KINETICS = {
    "Table 3(a)": table3a,
    "Table 3(b)": table3b,
    "Table 3(c)": table3c,
    "Table 3(d)": table3d,
    "Table 4": table4,
}


def scorecard() -> pd.DataFrame:
    """The scorecard, computed from stored results; tables without an experiment are "not run"."""
    judged = {
        "Table 1": judge_all(table1.claims(), load([*table1.runs(), *table1.control_runs()])),
        "Tables 2, 6–8": judge_all(architectures.claims(), architectures.audit()),
        **{name: judge_all(table.claims(), load(table.runs())) for name, table in KINETICS.items()},
        "Table 5(a)": judge_all(table5a.claims(), load(table5a.runs())),
    }
    data = dict.fromkeys(judged, "rendered stand-in") | {
        "Table 1": "toy set, made anew",
        "Tables 2, 6–8": "none: counted",
    }
    rows = []
    for table, subject in TABLES.items():
        outcomes = judged[table]["outcome"].tolist() if table in judged else []
        held = f"{outcomes.count('holds')} of {len(outcomes)} hold" if outcomes else ""
        rows.append((table, subject, summarise(outcomes), held, data.get(table, "")))
    return pd.DataFrame(rows, columns=["table", "subject", "outcome", "claims", "data"]).set_index("table")
