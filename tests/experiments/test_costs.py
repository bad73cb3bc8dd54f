import dataclasses

import pytest

from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase
from cpnet.experiments import costs
from cpnet.experiments.tables import TABLES
from cpnet.models import create_model
from cpnet.models.summary import example_clip, multiply_adds


@pytest.fixture
def run():
    """A run of a table, on clips small enough to be counted at once."""
    run = TABLES["table5a"].runs("paper", rows="c2d_resnet18")[0]
    recipe, data = run.training.recipe, dataclasses.replace(run.training.data, size=32)
    phases = tuple(dataclasses.replace(phase, num_frames=n) for phase, n in zip(recipe.phases, (2, 3), strict=True))
    training = dataclasses.replace(run.training, data=data, recipe=dataclasses.replace(recipe, phases=phases))
    return dataclasses.replace(run, training=training)


def test_hours_are_those_of_the_arithmetic(run):
    row = costs.plan([run], sustained_tflops=1e-6).iloc[0]
    model = create_model("c2d_resnet18", num_classes=174, stem="224")
    first, second = (multiply_adds(model, example_clip(n, 32))[""] for n in (2, 3))
    training = 168_913 * 3 * (100 * first + 5 * second)
    testing = 24_777 * (97 * second + 100 * first + 5 * second) + 27_157 * 96 * second  # 16x6 of both splits, 1x1
    assert row["GPU hours, training"] == pytest.approx(2 * training / 1e6 / 3600, rel=1e-6)
    assert row["GPU hours, tests"] == pytest.approx(2 * testing / 1e6 / 3600, rel=1e-6)
    assert row["epochs"] == "100 + 5" and row["M training clips"] == round(105 * 168_913 / 1e6, 1)


def test_every_phase_and_every_test_is_priced():
    (run,) = TABLES["table3a"].runs("smoke", rows="c2d")  # 100 + 50 videos
    phases = (Phase(2, 8, 4), Phase(3, 16, 2))
    tests = {"": Protocol(), "5x3": Protocol(5, 3, size=40, videos=7)}
    recipe = dataclasses.replace(run.training.recipe, phases=phases)
    training = dataclasses.replace(run.training, recipe=recipe, protocols=tests)
    price = {(8, 32): costs.Price(10.0, 1.0), (16, 32): costs.Price(20.0, 2.0), (16, 40): costs.Price(0.0, 3.0)}
    found = costs.costs([dataclasses.replace(run, training=training)], lambda network, n, shape, batch: price[shape])
    assert found["clips"][0] == 5 * 100
    assert found["training, s"][0] == 100 * (2 * 10 + 3 * 20)
    assert found["tests, s"][0] == 50 * (2 * 1 + 3 * 2) + 50 * 2 + 7 * 15 * 3


def test_steps_are_timed_once_for_all_seeds_and_longer_clips_take_longer():
    runs = TABLES["table3a"].runs("smoke", [0, 1], "c2d")
    found = costs.costs(runs, costs.timed(repeats=1))
    assert found["training, s"][0] == found["training, s"][1] > 0
    price = costs.timed(repeats=2)
    few, many = (price(runs[0].training.network, 5, (n, 32), 2) for n in (2, 64))
    assert few.train < many.train and few.test < many.test


def test_the_command_names_the_row(run):
    line = costs.command(run, gpus=4, data_root="/data/ssv2")
    assert line.startswith("torchrun --standalone --nproc-per-node 4 -m cpnet reproduce table5a --profile paper")
    assert "--rows c2d_resnet18 " in line and line.endswith("--data-root /data/ssv2")
    (small,) = TABLES["table3b"].runs(seeds=2, rows="k8")
    assert costs.command(small) == "python -m cpnet reproduce table3b --rows k8 --seeds 2"


def test_a_row_of_the_table_is_a_line_with_its_seeds():
    table = costs.overview(TABLES["table3a"].runs("smoke", [3, 4]))
    assert list(table.index) == list(TABLES["table3a"].rows)
    assert set(table["seeds"]) == {"3, 4"} and set(table["stored"]) == {"0 of 2"}
    assert set(table["minutes a run"]) == {"not run"}


def test_a_plan_prints_commands_and_names_an_incomplete_folder(run, tmp_path, capsys):
    costs.print_plan([run])
    assert "torchrun" in capsys.readouterr().out
    with pytest.raises((ValueError, FileNotFoundError), match=str(tmp_path)):
        costs.print_plan([run], tmp_path)
    costs.print_plan(TABLES["table3a"].runs("smoke"))
    out = capsys.readouterr().out
    assert "not run" in out and "torchrun" not in out.split("Table")[-1].split("cp6")[-1]
