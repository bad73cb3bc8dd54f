"""What chose the knobs: as many trials for each network, on other videos, and the best of them is in use."""

import pytest

from cpnet.experiments.settings import KINETICS_KNOBS, TWENTYBN_KNOBS
from cpnet.experiments.table3d import TABLE as TABLE3D
from cpnet.experiments.table5a import TABLE as TABLE5A
from cpnet.experiments.trials import TABLE3, name_of, tried
from cpnet.experiments.trials import TABLE5A as TRIALS5A


def family_of(name):
    return name.partition("_")[0]


KNOBS = {f"{family}_step{step}": knobs for (family, step), knobs in KINETICS_KNOBS.items()} | TWENTYBN_KNOBS


FAMILIES = {family_of(name) for name in KNOBS}


def spec_of(run):
    return run.training.data.rendered


@pytest.mark.parametrize("table", [TABLE3, TRIALS5A], ids=lambda table: table.name)
def test_each_network_has_the_knobs_of_its_best_trial(table):
    stored = table.load().query("metric == 'val_top1'").set_index("row")["value"]
    for name, knobs in KNOBS.items():
        trials = {candidate: name_of(name, candidate) for candidate in tried(name)}
        if set(trials.values()) <= set(stored.index):
            assert max(trials, key=lambda candidate: stored[trials[candidate]]) == knobs


def test_each_network_has_as_many_trials():
    assert {len({*tried(name)}) for name in KNOBS} == {4}
    assert all(knobs in tried(name) for name, knobs in KNOBS.items())


@pytest.mark.parametrize(("trials", "table"), [(TABLE3, TABLE3D), (TRIALS5A, TABLE5A)])
def test_trials_are_trainings_of_the_table_on_other_videos(trials, table):
    def rest(run):
        """All of the first phase but the knobs, the videos and the tests."""
        config = run.training.config
        phase = config["recipe"]["phases"][0] | {"lr": 0}
        data, recipe = config["data"] | {"rendered": 0}, config["recipe"] | {"phases": phase}
        arguments = config["model_args"] | {"displacement_scale": 0}
        tests = {"protocols": 0, "test_protocols": 0}
        return config | {"data": data, "recipe": recipe, "model_args": arguments} | tests

    rows = [run for run in table.runs(seeds=0) if family_of(run.row) in FAMILIES]
    assert {spec_of(run).seed for run in trials.runs()}.isdisjoint(spec_of(run).seed for run in rows)
    of_rows = [rest(run) for run in rows]
    assert all(rest(run) in of_rows for run in trials.runs())
