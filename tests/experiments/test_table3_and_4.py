"""Tables 3(a) to 3(d) and 4: their runs, and their claims on made numbers."""

import pytest
from made_results import NOTHING, measured, outcomes

from cpnet.experiments import kinetics_rows, table3a, table3b, table3c, table3d, table4
from cpnet.experiments.kinetics_rows import K_VALUES, SNAPSHOTS
from cpnet.experiments.profiles import pretraining
from cpnet.standins import class_table

TABLES = [module.TABLE for module in (table3a, table3b, table3c, table3d, table4)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_all_runs_start_from_one_pretrained_network(table):
    trainings = [run.training for run in table.runs("cpu")]
    assert {training.seed for training in trainings} == ({0, 1, 2} if table is table4.TABLE else {0, 1, 2, 3, 4})
    assert {training.init.run_id for training in trainings} == {pretraining("cpu").run_id}
    assert pretraining("cpu").keeps_weights
    assert all(training.keeps_weights == (training.seed == 0) for training in trainings)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_published_schedule_starts_from_imagenet(table):
    for training in (run.training for run in table.runs("paper")):
        assert training.init is None and training.network.pretrained == "imagenet" and training.data.rendered is None


def ids(table):
    return {run.row: run.run_id for run in table.runs(seeds=0)}


def test_rows_that_several_tables_have_are_one_run():
    a, b, c, d = (ids(table) for table in TABLES[:4])
    assert a["cp2"] == b["k8"] == c["res4"]
    assert a["c2d"] == c["c2d"] == d["c2d_step12"] and a["cp6"] == d["cpnet_step12"]
    assert len({*a.values(), *b.values(), *c.values()}) == 5 + 6 + 4 - 3


def test_five_seeds_of_every_row_and_three_of_many_views():
    for table in TABLES[:4]:
        assert {run.seed for run in table.runs()} == {0, 1, 2, 3, 4}
        assert len(table.runs()) == 5 * len(table.rows)
    runs = table3d.TABLE.runs()
    assert {run.seed for run in runs if "25x10" in run.training.protocols} == {0, 1, 2}


def test_weights_of_one_network_are_kept_as_it_learns():
    followed = {run.title: run.training.snapshots for table in TABLES for run in table.runs() if run.training.snapshots}
    assert followed == {"table3a cp6 seed 0": SNAPSHOTS, "table3d cpnet_step12 seed 0": SNAPSHOTS}
    assert len(SNAPSHOTS) == 5


def test_clips_of_all_steps_and_phases_fit_into_the_shortest_video():
    for run in (run for table in TABLES for run in table.runs("cpu")):
        assert all((phase.num_frames - 1) * phase.frame_step < 96 for phase in run.training.recipe.phases)


def test_large_models_are_trained_in_three_phases():
    for run in table4.TABLE.runs("paper"):
        training = run.training
        assert [phase.num_frames for phase in training.recipe.phases] == [8, 16, 32]
        assert [phase.freeze_bn for phase in training.recipe.phases] == [False, True, True]
        assert (training.network.name, training.data.size, training.protocols[""].size) == (run.row, 224, 256)


def test_table_3a():
    def judged(**top1):
        return outcomes(table3a.TABLE, measured(top1))

    assert judged(c2d=50.0, cp1=60.0, cp2=65.0, cp4=70.0, cp6=75.0) == ["holds"] * 4
    assert judged(c2d=50.0, cp1=60.0, cp2=60.2, cp4=70.0, cp6=75.0) == ["holds", "undecided", "holds", "holds"]
    assert judged(c2d=50.0, cp1=60.0, cp2=52.0, cp4=70.0, cp6=75.0) == ["holds", "does not hold", "holds", "holds"]
    assert judged(c2d=50.0, cp1=75.0, cp2=75.0, cp4=75.0, cp6=75.0) == ["holds", "undecided", "undecided", "holds"]
    assert judged(c2d=75.0, cp1=70.0, cp2=65.0, cp4=60.0, cp6=50.0) == ["does not hold"] * 4
    assert outcomes(table3a.TABLE, NOTHING) == ["not run"] * 4


def grid(best, changed=None):
    """Accuracies by k of training and of testing, highest where both are equal, and at `best` over all."""
    place = {k: i for i, k in enumerate(K_VALUES)}
    rows = {
        f"k{k}": {
            ("val_top1", f"k{test}"): 70.0 - 5 * abs(place[k] - place[test]) - 4 * abs(place[k] - place[best])
            for test in place
        }
        for k in place
    }
    for row, protocol, value in changed or []:
        rows[row]["val_top1", protocol] = value
    return measured(rows)


def test_table_3b():
    assert outcomes(table3b.TABLE, grid(8)) == ["holds"] * 4
    assert outcomes(table3b.TABLE, grid(4)) == ["holds", "holds", "holds", "does not hold"]
    assert outcomes(table3b.TABLE, grid(32))[2:] == ["does not hold", "does not hold"]
    assert outcomes(table3b.TABLE, grid(8, [("k2", "k16", 99.0)])) == ["holds", "does not hold", "holds", "holds"]
    beside = [(f"k{k}", f"k{2 * k}", 99.0) for k in (1, 2, 4, 8, 16)]
    assert outcomes(table3b.TABLE, grid(8, beside))[0] == "does not hold"
    assert table3b.TABLE.side_by_side(grid(8)).loc["k = 8", "test k = 8, paper"] == "60.7*"


def test_grids_have_training_in_rows_and_testing_in_columns():
    uneven = grid(8, [("k2", "k16", 12.5)])
    grids = table3b.grids(uneven, k_train=(2, 32), k_test=(16, 32))
    assert grids["ours"].loc[2, 16] == 12.5 and grids["ours"].shape == (2, 2)
    assert grids["paper"].loc[2, 16] == 53.0 and grids["paper"][32].isna().all()
    assert table3b.grids(NOTHING)["ours"].isna().all().all()


def test_accuracy_is_divided_by_what_decides_classes(monkeypatch):
    kinds = class_table("kinetics")["decided by"].tolist()
    right = [100.0 * (kind == "motion") for kind in kinds]
    right[kinds.index("motion")] = None  # no video was of this class
    runs = table3a.TABLE.runs(rows=["c2d", "cp1"])
    made = [
        {"table": "t", "row": "c2d", "profile": "cpu", "seed": s, "metrics": {"val_per_class": right}} for s in range(3)
    ]
    monkeypatch.setattr(kinetics_rows, "records", lambda runs: made)
    table = kinetics_rows.by_what_decides(runs)
    assert table.loc["c2d"].tolist() == ["3", "0.0 ± 0.0", "100.0 ± 0.0"]
    assert list(table)[2] == f"motion decides, {kinds.count('motion')} classes"
    assert set(table.loc["cp1"]) == {"0", "not run"}


def test_table_3c():
    assert outcomes(table3c.TABLE, measured({"c2d": 50.0, "res3": 60.0, "res4": 66.0, "res5": 55.0})) == ["holds"] * 2
    worse = measured({"c2d": 50.0, "res3": 66.0, "res4": 62.0, "res5": 45.0})
    assert outcomes(table3c.TABLE, worse) == ["does not hold", "does not hold"]


def comparison(gain12, gain4, changes=None, **options):
    """Rows of Table 3(d) in which all baselines have 50 %."""
    tests = [(metric, protocol) for metric in ("val_top1", "val_top5") for protocol in ("", "25x10")]
    rows = {
        f"{network}_step{step}": dict.fromkeys(tests, 50.0 + (gain if network == "cpnet" else 0.0))
        | {("val_top1", "shuffled"): 50.0}
        for step, gain in ((12, gain12), (4, gain4))
        for network in table3d.NETWORKS
    }
    for row, protocol, value in changes or []:
        rows[row]["val_top1", protocol] = value
    return measured(rows, **options)


def test_table_3d():
    assert outcomes(table3d.TABLE, comparison(9.0, 4.0)) == ["holds"] * 7
    assert outcomes(table3d.TABLE, comparison(4.0, 9.0))[-1] == "does not hold"
    one = comparison(9.0, 4.0, [("c3d_step4", "25x10", 70.0)])
    assert outcomes(table3d.TABLE, one) == ["holds", "does not hold", "holds", "holds", "holds", "holds", "holds"]
    seeing = comparison(9.0, 4.0, [("cpnet_step4", "shuffled", 59.0)])
    assert outcomes(table3d.TABLE, seeing)[5] == "does not hold"
    table = table3d.TABLE.side_by_side(comparison(9.0, 4.0))
    assert table.loc["CPNet", "top-1, 1/4, 25x10, paper"] == "64.9"
    assert table.loc["C3D", "top-1, 1/12, 1x1, paper"] == "lost" and table.loc["C3D", "seeds"] == 3
    assert outcomes(table3d.TABLE, NOTHING) == ["not run"] * 7
    heavy = comparison(9.0, 4.0, weights=dict.fromkeys(table3d.TABLE.rows, 3))
    assert outcomes(table3d.TABLE, heavy)[4] == "does not hold"


def test_what_is_not_run_is_not_judged():
    partly = comparison(9.0, 4.0).query("not row.str.endswith('_step4')")
    assert outcomes(table3d.TABLE, partly)[:4] == ["partly run"] * 4


@pytest.mark.parametrize(("depth", "profile"), [(18, "cpu"), (101, "paper")])
def test_table_4(depth, profile):
    def measured_as(nl, cpnet):
        return measured({f"nl_resnet{depth}": nl, f"cpnet_resnet{depth}": cpnet}, profile)

    better = measured_as(50.0, 60.0)
    assert outcomes(table4.TABLE, better) == ["holds", "holds"]
    worse = measured_as(60.0, 50.0)
    assert outcomes(table4.TABLE, worse) == ["does not hold", "holds"]
