"""Results made up for tests, one line a measurement."""

import pandas as pd

NOISE = (0.3, 0.0, -0.3)  # of seeds


def measured(rows, profile="cpu", seeds=(0, 1, 2), n=500, weights=None, noise=NOISE):
    """Frame of {row: value of val_top1, or {(metric, protocol): value}}; every other row differs from seed to seed."""
    lines = []
    for i, (row, values) in enumerate(rows.items()):
        values = values if isinstance(values, dict) else {("val_top1", ""): values}
        for seed in seeds:
            label = ["t", row, profile, seed]
            lines.append([*label, "", "weights", (weights or {}).get(row, 1 if "cpnet" in row else 2), None])
            for (metric, protocol), value in values.items():
                several = 50 if protocol == "25x10" else n
                lines.append([*label, protocol, metric, value + noise[seed % 3] * (i % 2), several])
    return pd.DataFrame(lines, columns=["table", "row", "profile", "seed", "protocol", "metric", "value", "n"])


NOTHING = measured({})


def outcomes(table, frame):
    return table.judge(frame)["outcome"].tolist()
