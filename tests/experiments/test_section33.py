from made_results import NOTHING, measured

from cpnet.experiments import section33, table3a
from cpnet.experiments.section33 import TABLE, as_convolution, as_relation, weight_changed_by_others


def test_constructions_are_equal_and_counter_examples_differ():
    for seed in range(3):
        assert max(as_convolution(f"spatiotemporal_{m}", seed) for m in ("max", "l2")) < 1e-9
        assert as_relation(seed) < 1e-9
        assert as_convolution("spatiotemporal_l1", seed) > 0.1 and weight_changed_by_others(seed) > 1e-3


def test_claims_come_out_as_constructions_and_numbers_say():
    rows = {"semantic": 80.0} | dict.fromkeys([*section33.METRICS, "distance"], 70.0)
    built = ["does not hold", "holds", "does not hold", "holds"]
    assert TABLE.judge(measured(rows, n=1000))["outcome"].tolist() == [*built, "holds", "holds"]
    changed = measured(rows | {"joint": 90.0, "distance": 90.0}, n=1000)
    assert TABLE.judge(changed)["outcome"].tolist()[-2:] == ["does not hold"] * 2
    assert TABLE.judge(NOTHING)["outcome"].tolist() == [*built, "not run", "not run"]


def test_rows_differ_in_what_makes_neighbours_and_one_is_that_of_table_3a():
    (semantic,), (two,) = (
        table.runs(seeds=0, rows=row) for table, row in ((TABLE, "semantic"), (table3a.TABLE, "cp2"))
    )
    assert semantic.run_id == two.run_id
    models = {run.row: run.training.create_model for run in TABLE.runs("smoke")}
    others = [*section33.METRICS, "distance"]
    assert set(models) == {"semantic", *others} and not TABLE.runs("paper", rows=others)
    (by_distance,) = TABLE.runs(seeds=0, rows="distance")
    assert by_distance.training.network.arguments()["pair"] == "distance"
    for run in TABLE.runs(seeds=0, rows=list(section33.METRICS)):
        assert run.training.network.arguments()["metric"] == section33.METRICS[run.row]
