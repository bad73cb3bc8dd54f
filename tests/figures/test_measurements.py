"""Figures of what is proposed."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from cpnet import figures
from cpnet.experiments import figure5

NOTHING = pd.DataFrame(columns=figure5.load().columns)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.shares_of_modules(NOTHING, NOTHING, "share"),
        lambda: figures.shares_by_k(NOTHING, "share"),
        lambda: figures.top1_by_share([0, 0.5], {}, {}),
    ],
)
def test_where_nothing_is_measured_a_figure_says_so(draw):
    figure = draw()
    assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["not run"]
    plt.close(figure)
