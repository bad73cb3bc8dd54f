"""Results made up for tests, one line a measurement."""

import numpy as np
import pandas as pd

NOISE = (0.4, 0.0, -0.4)  # of seeds


def right_about(percent, n):
    """The first so many of n videos."""
    return np.arange(n) < round(n * percent / 100)


def measured(rows, profile="cpu", seeds=(0, 1, 2), n=500, weights=None, noise=NOISE):
    """Frame of {row: value of val_top1, or {(metric, protocol): value}}; every other row differs from seed to seed."""
    lines = []
    for i, (row, values) in enumerate(rows.items()):
        values = values if isinstance(values, dict) else {("val_top1", ""): values}
        for seed in seeds:
            label = ["t", row, profile, seed]
            lines.append([*label, "", "weights", (weights or {}).get(row, 1 if "cpnet" in row else 2), None])
            for (metric, protocol), value in values.items():
                value += noise[seed % 3] * (i % 2)
                lines.append([*label, protocol, metric, value, right_about(value, n)])
    return pd.DataFrame(lines, columns=["table", "row", "profile", "seed", "protocol", "metric", "value", "right"])


NOTHING = measured({})


def outcomes(table, frame):
    return table.judge(frame)["outcome"].tolist()
