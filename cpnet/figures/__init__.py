"""Every plot of the book."""

import builtins

import matplotlib.pyplot as plt
import seaborn as sns

from cpnet.figures.accuracy import (
    accuracy_bars,
    accuracy_by_displacement,
    accuracy_by_k,
    confusions,
    gains,
    heat_maps,
    paper_beside_ours,
    top1_by_motion,
)
from cpnet.figures.frames import arrows, clips, contact_sheet, one_position, proposals
from cpnet.figures.measurements import costs, growth, shares_by_k, shares_of_modules, speed, top1_by_share
from cpnet.figures.parts import titles
from cpnet.figures.training import learning_curves, losses, training_curves

__all__ = [
    "accuracy_bars",
    "accuracy_by_displacement",
    "accuracy_by_k",
    "arrows",
    "clips",
    "confusions",
    "contact_sheet",
    "costs",
    "gains",
    "growth",
    "heat_maps",
    "learning_curves",
    "losses",
    "one_position",
    "paper_beside_ours",
    "proposals",
    "shares_by_k",
    "shares_of_modules",
    "speed",
    "titles",
    "top1_by_motion",
    "top1_by_share",
    "training_curves",
    "use_style",
]


def use_style() -> None:
    """One look for all figures, PNG at a fixed size; in a notebook also for tables and claims."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind")
    plt.rcParams.update({"figure.dpi": 100, "savefig.bbox": "tight", "figure.constrained_layout.use": True})
    plt.rcParams["figure.labelsize"] = plt.rcParams["axes.labelsize"]  # a label of several panels as one of a panel
    if get_shell := getattr(builtins, "get_ipython", None):
        from cpnet.figures import html

        html.show_in(get_shell())
