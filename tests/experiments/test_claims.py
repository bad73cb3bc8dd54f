import pytest

from cpnet.experiments.claims import Verdict, summarise


def test_outcomes_are_four():
    with pytest.raises(ValueError, match="holds, does not hold, undecided, not run"):
        Verdict("maybe", "")


@pytest.mark.parametrize(
    ("outcomes", "summary"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undecided"], "undecided"),
        (["undecided", "does not hold", "holds"], "does not hold"),
        (["holds", "not run"], "not run"),
        ([], "not run"),
    ],
)
def test_a_table_is_as_good_as_its_worst_claim(outcomes, summary):
    assert summarise(outcomes) == summary
