"""Tables 3(a) to 3(d) and 4: their runs, and their claims on made numbers."""

import pandas as pd
import pytest

from cpnet.experiments import kinetics, table3a, table3b, table3c, table3d, table4
from cpnet.experiments.claims import Verdict, all_hold, judge_all
from cpnet.experiments.run import to_frame
from cpnet.standins import class_table

TABLES = (table3a, table3b, table3c, table3d, table4)
NOISE = (0.3, 0.0, -0.3)  # of seeds
PROTOCOLS = {"": {}, "25x10": {"videos": 50}, "shuffled": {}} | {f"k{k}": {} for k in kinetics.K_VALUES}


def frame(**rows):
    """Results {row: {metric: accuracy}} of three seeds, over 500 videos."""
    return pd.DataFrame(
        [
            {"table": "t", "row": row, "profile": "cpu", "seed": seed, "weights": 1 if "cpnet" in row else 2}
            | {"n_expected": 500, "config": {"protocols": PROTOCOLS}}
            | {metric: value + NOISE[seed] * (i % 2) for metric, value in metrics.items()}
            for i, (row, metrics) in enumerate(rows.items())
            for seed in range(3)
        ]
    )


def top1(**values):
    return frame(**{row: {"val_top1": value} for row, value in values.items()})


def outcomes(table, data):
    return judge_all(table.claims(), data)["outcome"].tolist()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.TABLE)
def test_all_runs_start_from_one_pretrained_network(table):
    runs = table.runs("cpu")
    assert {run.init.run_id for run in runs} == {kinetics.pretrain_run("cpu").run_id}
    assert {run.seed for run in runs} == set(table4.SEEDS if table is table4 else kinetics.SEEDS)
    assert kinetics.pretrain_run("cpu").keeps_weights and not any(run.keeps_weights for run in runs)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.TABLE)
def test_the_published_schedule_starts_from_imagenet(table):
    for run in table.runs("paper"):
        assert run.init is None and run.network.pretrained == "imagenet" and run.data.rendered is None


def test_rows_that_several_tables_have_are_one_run():
    ids = {
        table.TABLE: {run.row: run.run_id for run in table.runs("cpu") if run.seed == 0}
        for table in (table3a, table3b, table3c)
    }
    assert ids["table3a"]["cp2"] == ids["table3b"]["k8"] == ids["table3c"]["res4"]
    assert ids["table3a"]["c2d"] == ids["table3c"]["c2d"]
    third = {run.row: run.run_id for run in table3d.runs("cpu") if run.seed == 0}
    assert (ids["table3a"]["c2d"], ids["table3a"]["cp6"]) == (third["c2d_step12"], third["cpnet_step12"])
    every = {run_id for rows in ids.values() for run_id in rows.values()}
    assert len(every) == 5 + 6 + 4 - 3


def test_clips_of_all_steps_and_phases_fit_into_the_shortest_video():
    for table in TABLES:
        for run in table.runs("cpu"):
            assert all((phase.num_frames - 1) * phase.frame_step < 96 for phase in run.recipe.phases)


def test_large_models_are_trained_in_three_phases():
    for run in table4.runs("paper"):
        assert [phase.num_frames for phase in run.recipe.phases] == [8, 16, 32]
        assert [phase.freeze_bn for phase in run.recipe.phases] == [False, True, True]
        assert (run.network.name, run.data.size, run.protocols[""].size) == (run.row, 224, 256)


def test_table_3a():
    assert outcomes(table3a, top1(c2d=50.0, cp1=60.0, cp2=62.0, cp4=64.0, cp6=66.0)) == ["holds", "holds"]
    assert outcomes(table3a, top1(c2d=50.0, cp1=60.0, cp2=60.1, cp4=64.0, cp6=66.0)) == ["undecided", "holds"]
    assert outcomes(table3a, top1(c2d=50.0, cp1=60.0, cp2=52.0, cp4=64.0, cp6=66.0)) == ["does not hold", "holds"]
    assert outcomes(table3a, to_frame([])) == ["not run", "not run"]


def grid(best):
    """Accuracies by k of training and of testing, highest where both are equal, and at `best` over all."""
    place = {k: i for i, k in enumerate(kinetics.K_VALUES)}

    def accuracy(k, test):
        return 60 - 5 * abs(place[k] - place[test]) - 2 * abs(place[k] - place[best])

    return frame(**{f"k{k}": {f"val_top1_k{test}": accuracy(k, test) for test in place} for k in place})


def test_table_3b():
    assert outcomes(table3b, grid(8)) == ["holds", "holds"]
    assert outcomes(table3b, grid(4)) == ["holds", "does not hold"]
    wrong = grid(8)
    wrong.loc[wrong["row"] == "k2", "val_top1_k16"] = 99.0
    assert outcomes(table3b, wrong) == ["does not hold", "holds"]
    assert table3b.side_by_side(grid(8)).loc["k = 8", "test k = 8, paper"] == "60.7*"


def test_grids_have_training_in_rows_and_testing_in_columns():
    uneven = grid(8)
    uneven.loc[uneven["row"] == "k2", "val_top1_k16"] = 12.5
    grids = table3b.grids(uneven, k_train=(2, 32), k_test=(16, 32))
    assert grids["ours"].loc[2, 16] == 12.5 and grids["ours"].shape == (2, 2)
    assert grids["paper"].loc[2, 16] == 53.0 and grids["paper"][32].isna().all()
    assert table3b.grids(to_frame([]))["ours"].isna().all().all()


def test_accuracy_is_divided_by_what_decides_classes():
    kinds = class_table("kinetics")["decided by"].tolist()
    moving = kinds.count("motion")
    right = [100.0 * (kind == "motion") for kind in kinds]
    made = top1(c2d=0.0).assign(val_per_class=[right] * 3)
    table = kinetics.by_what_decides(made, ("c2d", "cp1"))
    assert table.loc["c2d"].tolist() == ["3", "0.0 ± 0.0", "100.0 ± 0.0"]
    assert list(table)[2] == f"motion decides, {moving} classes"
    assert set(table.loc["cp1"]) == {"0", "not run"}


def test_of_the_miniature_nothing_is_claimed():
    made = top1(c2d=50.0, res3=60.0, res4=62.0, res5=55.0)
    assert set(outcomes(table3c, made.assign(profile="smoke"))) == {"not run"}
    assert set(outcomes(table3c, made.assign(profile="gpu"))) == {"holds"}


def test_of_one_seed_the_interval_is_over_videos():
    made = frame(c2d={"val_top1": 60.0, "val_top1_25x10": 60.0}, cp1={"val_top1": 70.0, "val_top1_25x10": 70.0})
    made = made[made["seed"] == 1]
    verdict = kinetics.higher(made, "cp1", "c2d")
    assert verdict == Verdict("holds", "cp1 - c2d: 70.0 - 60.0 = 10.0 ± 5.9 points, one seed, 500 videos")
    assert kinetics.higher(made, "cp1", "c2d", "val_top1_25x10").outcome == "undecided"
    step = made.assign(row=made["row"].replace({"c2d": "c2d_step12", "cp1": "cpnet_step12"}))
    joined = table3d.by_network(step)
    assert kinetics.higher(joined, "cpnet", "c2d", "val_top1_step12_25x10").outcome == "undecided"
    assert kinetics.higher(joined, "cpnet", "c2d", "val_top1_step12").outcome == "holds"


def test_an_interval_over_seeds_is_one_video_at_least():
    alike = frame(c2d={"val_top1": 60.0}, cp1={"val_top1": 62.0}).round({"val_top1": 0})
    alike["val_top1_25x10"] = alike["val_top1"]
    assert kinetics.higher(alike, "cp1", "c2d").evidence.endswith("+2.0 ± 0.2 points, 3 seeds")
    assert kinetics.higher(alike, "cp1", "c2d", "val_top1_25x10").outcome == "undecided"


def test_what_is_not_run_is_not_judged():
    partly = comparison(9.0, 4.0).query("not row.str.endswith('_step4')")
    assert outcomes(table3d, partly)[:4] == ["not run"] * 4
    half = frame(c2d={"val_top1": 60.0}, cp1={"val_top1": float("nan")})
    assert kinetics.higher(half, "cp1", "c2d").outcome == "not run"


def test_table_3c():
    assert outcomes(table3c, top1(c2d=50.0, res3=60.0, res4=62.0, res5=55.0)) == ["holds", "holds"]
    assert outcomes(table3c, top1(c2d=50.0, res3=66.0, res4=62.0, res5=45.0)) == ["does not hold", "does not hold"]


def comparison(gain12, gain4, **changes):
    """Rows of Table 3(d) in which all baselines have 50 %."""
    metrics = ("val_top1", "val_top1_25x10", "val_top5", "val_top5_25x10")
    values = {
        f"{row}_step{step}": dict.fromkeys(metrics, 50.0 + (gain if row == "cpnet" else 0.0))
        | {"val_top1_shuffled": 50.0}
        for step, gain in ((12, gain12), (4, gain4))
        for row in table3d.ROWS
    }
    for row, metric_values in changes.items():
        values[row] = values[row] | metric_values
    return frame(**values)


def test_table_3d():
    assert outcomes(table3d, comparison(9.0, 4.0)) == ["holds"] * 7
    assert outcomes(table3d, comparison(4.0, 9.0))[-1] == "does not hold"
    one = comparison(9.0, 4.0, c3d_step4={"val_top1_25x10": 70.0})
    assert outcomes(table3d, one) == ["holds", "does not hold", "holds", "holds", "holds", "holds", "holds"]
    seeing = comparison(9.0, 4.0, cpnet_step4={"val_top1_shuffled": 59.0})
    assert outcomes(table3d, seeing)[5] == "does not hold"
    table = table3d.side_by_side(comparison(9.0, 4.0))
    assert table.loc["CPNet (Ours)", "top-1, 1/4, 25x10, paper"] == "64.9"
    assert table.loc["C3D", "top-1, 1/12, 1x1, paper"] == "lost" and table.loc["C3D", "seeds"] == 3
    assert outcomes(table3d, to_frame([])) == ["not run"] * 7
    assert outcomes(table3d, comparison(9.0, 4.0).assign(weights=3))[4] == "does not hold"


def test_table_4():
    assert outcomes(table4, top1(nl_resnet101=50.0, cpnet_resnet101=60.0)) == ["holds", "holds"]
    assert outcomes(table4, top1(nl_resnet101=60.0, cpnet_resnet101=50.0)) == ["does not hold", "holds"]


def test_the_worst_of_several_verdicts_counts():
    verdicts = [Verdict("holds", "a"), Verdict("undecided", "b"), Verdict("holds", "a")]
    assert all_hold(verdicts) == Verdict("undecided", "2 of 3 hold; a; b")
    assert all_hold([*verdicts, Verdict("does not hold", "c")]).outcome == "does not hold"
