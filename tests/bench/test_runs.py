from dataclasses import replace

import pytest

from cpnet.bench.runs import bench_runs
from cpnet.engine.recipe import Phase
from cpnet.experiments import table3a, table4


def smoke(row, table=table3a, seeds=(0,)):
    return [run for run in table.runs("smoke", seeds) if run.row == row]


def with_epochs(run, epochs):
    (phase,) = run.recipe.phases
    return replace(run, recipe=replace(run.recipe, phases=(Phase(epochs, phase.num_frames, phase.frame_step),)))


def test_minutes_grow_with_epochs_and_a_run_is_counted_once():
    (run,) = smoke("c2d")
    few, many = with_epochs(run, 1), with_epochs(run, 1000)
    found = bench_runs([few, many, few], repeats=1, progress=False)
    assert len(found) == 2 and found["minutes"].gt(0).all()
    assert found["minutes"][1] > 10 * found["minutes"][0]


def test_seeds_take_alike_and_all_phases_count():
    found = bench_runs([*smoke("c2d", seeds=(0, 1)), *smoke("nl_resnet101", table4)], repeats=1, progress=False)
    assert found["seed"].tolist() == [0, 1, 0] and found["minutes"][0] == found["minutes"][1]


def test_real_data_sets_are_refused():
    with pytest.raises(ValueError, match="dry-run"):
        bench_runs(table3a.runs("paper"), progress=False)
