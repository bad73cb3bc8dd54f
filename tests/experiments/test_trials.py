"""What chose the knobs: as many trials for each network, on other videos, and the best of them is in use."""

from dataclasses import replace

from cpnet.engine.setting import Network
from cpnet.experiments.profiles import KNOBS, knobs_of
from cpnet.experiments.table3d import STEPS
from cpnet.experiments.table3d import TABLE as TABLE3D
from cpnet.experiments.table5b import TABLE as TABLE5B
from cpnet.experiments.trials import FAMILIES, STARTS, TABLE, name_of, tried


def test_each_network_has_the_knobs_of_its_best_trial():
    top1 = TABLE.load().query("metric == 'val_top1'").set_index("row")["value"]
    for step in STEPS:
        for family in FAMILIES:
            found = {knobs: top1.get(name_of(family, knobs, step)) for knobs in tried(family)}
            if None not in found.values():
                assert max(found, key=found.get) == knobs_of(Network(family), step)
            else:  # rows wait for their trials
                assert step == 4 and not TABLE3D.runs(rows=f"{family}_step4", only_stored=True)
    assert KNOBS["trn"] == KNOBS["c2d"]


def test_each_network_has_as_many_trials():
    assert {len({*tried(family)}) for family in FAMILIES} == {4}
    assert all(KNOBS[family] in tried(family) for family in FAMILIES)


def test_trials_are_trainings_of_the_table_on_other_videos():
    def rest(run):
        """All but the knobs, the videos and the tests."""
        config = run.training.config
        phase = config["recipe"]["phases"][0] | {"lr": 0}
        data, recipe = config["data"] | {"rendered": 0}, config["recipe"] | {"phases": phase}
        arguments = config["model_args"] | {"displacement_scale": 0}
        return config | {"data": data, "recipe": recipe, "model_args": arguments, "protocols": 0}

    rows = TABLE3D.runs(seeds=0)
    seeds = [{run.training.data.rendered.seed for run in runs} for runs in (TABLE.runs(), rows)]
    assert seeds[0].isdisjoint(seeds[1])
    of_rows = [rest(run) for run in rows]
    assert all(rest(run) in of_rows for run in TABLE.runs() if run.row not in STARTS)


def test_starts_are_the_first_phase_of_table_5b_on_other_videos_and_differ_by_their_weights_only():
    (row,) = TABLE5B.runs(seeds=0, rows="cpnet_resnet34")
    random, stills = (TABLE.runs(rows=name)[0].training for name in STARTS)
    assert random.init is None and stills.init is not None
    assert replace(stills, init=None) == random
    assert random.recipe.phases == row.training.recipe.phases[:1]
    assert random.data.rendered.seed != row.training.data.rendered.seed
