import json

import pytest

from cpnet import results
from cpnet.experiments.claims import OUTCOMES
from cpnet.experiments.profiles import PROFILES
from cpnet.experiments.tables import TABLES, find_table, judged_tables, select_runs


def test_every_stored_result_is_found_by_a_run_of_a_table_and_no_other_is_there():
    """A change of the code that changes a run_id would leave its result behind."""
    owned = {run.stored((results.COMMITTED,)) for run in select_runs("all")}
    stored = set(results.COMMITTED.rglob("*.json"))
    assert len(stored) > 30 and stored <= owned


def test_the_run_id_of_a_stored_result_is_the_hash_of_its_config():
    ids = {run.run_id: run for run in select_runs("all")}
    for path in results.COMMITTED.rglob("*.json"):
        record = json.loads(path.read_text())
        assert ids[record["run_id"]].training.config == record["config"]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_of_every_table_has_runs_that_differ(table, profile):
    runs = table.runs(profile)
    assert len({run.run_id for run in runs}) == len(runs)
    assert {(run.table, run.profile) for run in runs} <= {(table.name, profile)}
    assert runs or profile != "cpu" or table.name in ("architectures", "figure5", "run_time")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tabel3b",), "no table 'tabel3b', did you mean table3b: there are table1, table1_controls"),
        (("table5a", "paper", ("c3d_resnet18",)), "no row 'c3d_resnet18' in table5a: choose among c2d_resnet18, c2d_"),
        (("pretrain", "paper"), "pretrain has no runs at profile paper"),
    ],
)
def test_what_is_not_there_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        select_runs(*arguments)


def test_other_seeds_can_be_asked_for():
    assert {run.seed for run in select_runs("table4", seeds=(7,))} == {7}


def test_runs_are_selected_by_row_and_seed():
    chosen = select_runs("table1", rows=("trn", "nl"), seeds=(1,))
    assert {(run.row, run.seed) for run in chosen} == {("trn", 1), ("nl", 1)}
    assert find_table("table3b").rows.keys() == {"k1", "k2", "k4", "k8", "k16", "k32"}


def test_every_table_is_judged_and_has_its_chapter():
    tables = judged_tables()
    judged = {table.title: claims["outcome"].tolist() for table, claims in tables}
    assert {outcome for outcomes in judged.values() for outcome in outcomes} <= set(OUTCOMES)
    assert judged["Tables 2, 6–8"].count("holds") == 7
    chapters = {table.chapter for table, _ in tables}
    assert chapters == {path.stem for path in (results.REPOSITORY / "notebooks").glob("*.ipynb")}
