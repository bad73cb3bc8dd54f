import pytest

from cpnet import results
from cpnet.experiments.profiles import PROFILES
from cpnet.experiments.tables import RUNS, select_runs


def test_results_holds_nothing_that_no_run_owns():
    owned = {run.stored((results.COMMITTED,)) for table in RUNS for run in RUNS[table]("cpu")}
    assert set(results.COMMITTED.rglob("*.json")) <= owned


@pytest.mark.parametrize("table", RUNS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_of_every_table_has_runs_that_differ(table, profile):
    runs = RUNS[table](profile)
    assert len({run.run_id for run in runs}) == len(runs)
    assert {run.table for run in runs} <= {table, "table1", "table1_controls"}
    assert runs or profile != "cpu"
    assert all(run.profile == profile for run in runs if run.table not in ("table1", "table1_controls"))


def test_runs_are_selected_by_row_and_seed():
    assert {(run.row, run.seed) for run in select_runs("table1", rows=("trn", "nl"), seeds=(1,))} == {
        ("trn", 1),
        ("nl", 1),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("table9",), "no table 'table9': choose among table1, table1_controls"),
        (("table5a", "paper", ("c3d_resnet18",)), "no row 'c3d_resnet18' in table5a: choose among c2d_resnet18, c2d_"),
        (("pretrain", "paper"), "pretrain has no runs at profile paper"),
        (("table1", "cpu", (), (99,)), "no seed 99 in table1: choose among 0, 1"),
    ],
)
def test_what_is_not_there_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        select_runs(*arguments)
