"""Cells of tables as they are printed."""

import pandas as pd


def mean_sd(values: pd.Series) -> str:
    """ "97.4 ± 0.3", or "97.4" of a single value."""
    return f"{values.mean():.1f} ± {values.std():.1f}" if len(values) > 1 else f"{values.mean():.1f}"
