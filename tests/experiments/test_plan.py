import dataclasses

import pytest

from cpnet.experiments import table5a
from cpnet.experiments.plan import command, plan
from cpnet.models import create_model
from cpnet.models.summary import example_clip, multiply_adds


@pytest.fixture
def run():
    """A run of the table, on clips small enough to be counted at once."""
    run = table5a.runs("paper")[0]
    phases = tuple(dataclasses.replace(phase, num_frames=n) for phase, n in zip(run.recipe.phases, (2, 3), strict=True))
    data = dataclasses.replace(run.data, size=32)
    return dataclasses.replace(run, data=data, recipe=dataclasses.replace(run.recipe, phases=phases))


def test_hours_are_those_of_the_arithmetic(run):
    row = plan([run], sustained_tflops=1e-6).iloc[0]
    model = create_model("c2d_resnet18", num_classes=174, stem="224")
    first, second = (multiply_adds(model, example_clip(n, 32))[""] for n in (2, 3))
    training = 168_913 * 3 * (100 * first + 5 * second)
    testing = 24_777 * (96 * second + 100 * first + 5 * second)
    assert row["GPU hours, training"] == pytest.approx(2 * training / 1e6 / 3600, rel=1e-6)
    assert row["GPU hours, tests"] == pytest.approx(2 * testing / 1e6 / 3600, rel=1e-6)
    assert row["epochs"] == "100 + 5" and row["M training clips"] == round(105 * 168_913 / 1e6, 1)


def test_the_command_names_the_row(run):
    line = command(run, gpus=4, data_root="/data/ssv2")
    assert line.startswith("torchrun --standalone --nproc-per-node 4 -m cpnet reproduce table5a --profile paper")
    assert "--rows c2d_resnet18 " in line and line.endswith("--data-root /data/ssv2")
