"""What several figures share."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes


def say_not_run(axis: Axes) -> None:
    axis.text(0.5, 0.5, "not run", transform=axis.transAxes, ha="center", va="center", color="0.4")


def bars(axis: Axes, values: pd.Series, form: str, reference: float) -> None:
    """Horizontal bars with their numbers, and a dotted line at a reference."""
    sns.barplot(x=values, y=values.index, orient="h", color="C0", ax=axis)
    axis.bar_label(axis.containers[0], fmt=f"{{:{form}}}", padding=4, fontsize=10)  # type: ignore[arg-type]
    axis.axvline(reference, color="0.2", linestyle=":", linewidth=1.5)
    axis.set_ylabel("")
