"""Training on small videos, with interruptions."""

import copy
import csv
import dataclasses
import io
import itertools
import multiprocessing
import re
import signal
import sys
import time
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from helpers import stop_after
from made_jester import make_jester
from safetensors.torch import load_file
from tqdm import tqdm

from cpnet.data.decode import decode_frames
from cpnet.data.layouts import read_index
from cpnet.data.videos import TrainingClips
from cpnet.engine.checkpoint import find_checkpoint, load_checkpoint
from cpnet.engine.machine import Machine
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.train import train
from cpnet.models import create_model

N, CLASSES = 12, 3
TWO_PHASES = (Phase(epochs=2, num_frames=3, frame_step=1, lr=0.02), Phase(1, 4, 1, 0.005, freeze_bn=True))
RECIPE = Recipe(TWO_PHASES, batch_size=4, decay_epochs=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_jester(tmp_path_factory.mktemp("videos") / "data", train=N, val=0)


def make_model():
    torch.manual_seed(0)
    return create_model("cpnet_resnet18", num_classes=CLASSES, width=4, positions="4", k=2)


def fit(root, folder, recipe=RECIPE, model=None, **options):
    model = model or make_model()
    index = read_index("jester", root, "train")

    def clips(phase):
        return TrainingClips(
            index,
            num_frames=phase.num_frames,
            frame_step=phase.frame_step,
            size=16,
            read=decode_frames,
            seed=recipe.seed,
        )

    here = {name: options.pop(name) for name in ("workers", "compile", "tensorboard") if name in options}
    return model, train(model, clips, recipe, folder, **{"machine": Machine(progress=False, **here)} | options)


def same(first, second):
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def assert_logged(folder, history):
    """The log has the numbers of all epochs, to the last digit."""
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [{name: float(value) for name, value in row.items()} for row in rows] == history


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    return fit(root, tmp_path_factory.mktemp("whole"))


def test_every_epoch_of_every_phase_has_its_numbers(whole):
    _, history = whole
    assert [(e["phase"], e["epoch"]) for e in history] == [(0, 0), (0, 1), (1, 0)]
    assert [e["lr"] for e in history] == pytest.approx([0.002, 0.0002, 0.0005])
    assert all(np.isfinite(e["train_loss"]) and e["substituted"] == 0 for e in history)


def test_it_learns(root, tmp_path):
    recipe = Recipe((Phase(12, 3, 1, 0.01),), batch_size=4, optimizer="adamw", schedule="one_cycle")
    _, history = fit(root, tmp_path, recipe)
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]


def test_batch_norms_are_frozen_in_the_second_phase(root, tmp_path, whole):
    one_phase = Recipe(TWO_PHASES[:1], batch_size=4, decay_epochs=1)
    before, _ = fit(root, tmp_path, one_phase)
    after, _ = whole
    norms = [name for name, m in before.named_modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert norms and all(same(before.get_submodule(name), after.get_submodule(name)) for name in norms)
    assert not same(before.get_submodule("fc"), after.get_submodule("fc"))


def test_a_finished_training_is_not_trained_again(root, tmp_path):
    model, history = fit(root, tmp_path)
    again, same_history = fit(root, tmp_path, model=make_model())
    assert same(model, again) and same_history == history


@pytest.mark.parametrize("steps", [1, 2, 4, 7, 8])
def test_stopped_after_any_step_it_ends_the_same(root, tmp_path, whole, monkeypatch, steps):
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "cross_entropy", stop_after(steps))
        with pytest.raises(KeyboardInterrupt):
            fit(root, tmp_path, save_every=1)
    resumed, history = fit(root, tmp_path, save_every=2)
    assert same(resumed, whole[0])
    assert history == whole[1]
    assert_logged(tmp_path, history)


LONG = Recipe((Phase(8, 3, 1, 0.02), Phase(7, 4, 1, 0.005, freeze_bn=True)), batch_size=4, decay_epochs=3)
MOMENTS = 2 * ("starting", "training", "saving", "training", "saving")


def wait_for(moment, folder, random):
    """Sleep until a random time of start-up, or after new steps within an epoch, or while a checkpoint is written."""

    def newest(pattern):
        return max((int(re.findall(r"\d+", path.name)[0]) for path in folder.glob(pattern)), default=0)

    deadline = time.monotonic() + 60
    if moment == "starting":
        time.sleep(random.uniform(0, 1))
    else:
        pattern = "step-*" if moment == "training" else ".step-*.part"
        steps = newest("step-*") + random.randint(2, 5)
        while newest(pattern) < steps and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(random.uniform(0, 0.05 if moment == "training" else 0.004))


def test_killed_at_random_moments_it_ends_the_same(root, tmp_path_factory):
    expected, history = fit(root, tmp_path_factory.mktemp("long"), LONG)
    folder = tmp_path_factory.mktemp("killed")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "torch._dynamo"])  # the optimiser imports it at its first step
    random = np.random.RandomState(0)
    for moment in (*MOMENTS, None):
        process = context.Process(target=fit, args=(root, folder, LONG), kwargs={"save_every": 1})
        process.start()
        if moment is not None:
            wait_for(moment, folder, random)
            process.kill()
        process.join()
        assert process.exitcode == (-signal.SIGKILL if moment else 0), f"had ended before it was killed while {moment}"
    model = make_model()
    state = load_checkpoint(find_checkpoint(folder), model)
    assert same(model, expected) and state["history"] == history
    assert_logged(folder, history)


def test_workers_do_not_change_the_weights(root, tmp_path, whole):
    assert same(fit(root, tmp_path, workers=2)[0], whole[0])


@pytest.mark.parametrize(("phases", "expected"), [((Phase(3, 3, 1, 0.02),), 1), (TWO_PHASES, 2)])
def test_the_best_checkpoint_is_that_of_the_best_epoch_of_the_last_phase(root, tmp_path, phases, expected):
    """Of the last, whose clips all later tests have."""
    scores = iter([50.0, 70.0, 60.0])
    weights = []

    def validate(model, _):
        weights.append(copy.deepcopy(model))
        return {"val_top1": next(scores)}

    _, history = fit(root, tmp_path, dataclasses.replace(RECIPE, phases=phases), validate=validate)
    assert [e["val_top1"] for e in history] == [50, 70, 60]
    best, last = make_model(), make_model()
    load_checkpoint(find_checkpoint(tmp_path, "best"), best)
    load_checkpoint(find_checkpoint(tmp_path, "last"), last)
    assert same(best, weights[expected]) and same(last, weights[2])


def test_damaged_videos_are_replaced_and_counted(tmp_path):
    root = make_jester(tmp_path / "data", train=N, val=0)
    for file in (root / "20bn-jester-v1" / "3").iterdir():
        file.write_bytes(b"damaged")
    _, history = fit(root, tmp_path / "run")
    assert [e["substituted"] for e in history] == [1, 1, 1]


def test_another_recipe_is_refused_by_name(root, tmp_path):
    fit(root, tmp_path, Recipe((Phase(1, 3, 1),), batch_size=4))
    with pytest.raises(ValueError, match="trained with batch_size=4, not 6"):
        fit(root, tmp_path, Recipe((Phase(1, 3, 1),), batch_size=6))


def test_a_loss_that_is_not_finite_stops_and_is_not_saved(root, tmp_path):
    model = create_model("c2d_resnet18", num_classes=CLASSES, width=4)
    torch.nn.init.constant_(model.get_parameter("fc.weight"), float("nan"))
    with pytest.raises(FloatingPointError, match="lower lr"):
        fit(root, tmp_path, model=model)
    assert find_checkpoint(tmp_path) is None


def stop_at_epoch(number):
    """A validation that is interrupted in the given epoch, counted from 1."""
    calls = itertools.count(1)

    def validate(model, _):
        if next(calls) == number:
            raise KeyboardInterrupt
        return {"val_top1": 50.0}

    return validate


def test_a_log_that_was_not_written_is_made_up_for(root, tmp_path, monkeypatch):
    recipe = Recipe((Phase(1, 3, 1),), batch_size=4)
    with monkeypatch.context() as patched:
        patched.setattr("cpnet.engine.train.write_atomically", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit(root, tmp_path, recipe)
    assert not (tmp_path / "log.csv").exists()
    _, history = fit(root, tmp_path, recipe)
    assert len(history) == 1
    assert_logged(tmp_path, history)


def test_one_bar_a_phase_goes_on_where_training_does(root, tmp_path, monkeypatch):
    bars = []

    def bar(show, **options):
        bars.append(tqdm(file=io.StringIO(), ncols=200, mininterval=0, disable=not show, **options))
        return bars[-1]

    monkeypatch.setattr("cpnet.engine.train.progress_bar", bar)
    shown = Machine(title="c2d", position=1)
    with pytest.raises(KeyboardInterrupt):
        fit(root, tmp_path, validate=stop_at_epoch(2), save_every=2, machine=shown)
    fit(root, tmp_path, validate=stop_at_epoch(0), machine=shown)
    assert [(b.desc, b.initial, b.n, b.total, -b.pos) for b in bars] == [
        ("c2d phase 1 of 2", 0, 6, 6, 1),
        ("c2d phase 1 of 2", 5, 6, 6, 1),
        ("c2d phase 2 of 2", 0, 3, 3, 1),
    ]
    first, resumed, second = (b.fp.getvalue() for b in bars)
    assert "epoch=1/2, loss=" in first and "epoch=2/2, loss=" in first
    assert "epoch=2/2, loss=" in resumed and "val_top1=50.0" in resumed and "epoch=1/2" not in resumed
    assert "epoch=1/1, loss=" in second


def test_tensorboard_gets_each_epoch_once(root, tmp_path, monkeypatch):
    scalars = []

    class SummaryWriter:
        def __init__(self, folder):
            assert folder == str(tmp_path / "tensorboard")

        def add_scalar(self, name, value, step):
            scalars.append((name, step, value))

        def flush(self):
            pass

        def close(self):
            scalars.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=SummaryWriter))
    for number in (2, 3, 0):  # the second time, two epochs after that of the first
        try:
            _, history = fit(root, tmp_path, validate=stop_at_epoch(number), tensorboard=True)
        except KeyboardInterrupt:
            continue
    written = [scalar for scalar in scalars if scalar != "closed"]
    assert written == [(name, i, value) for i, epoch in enumerate(history, 1) for name, value in epoch.items()]
    assert len(history) == 3 and scalars.count("closed") == 3


def test_tensorboard_that_is_missing_is_asked_for(root, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        fit(root, tmp_path, tensorboard=True)
    assert find_checkpoint(tmp_path) is None


class Compiled(torch.nn.Module):
    """Stands for what `torch.compile` makes of a module, and counts its calls."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod, self.calls = module, 0

    def forward(self, x):
        self.calls += 1
        return self._orig_mod(x)


def test_compiled_networks_are_trained_and_plain_ones_saved(root, tmp_path, whole, monkeypatch):
    compiled, validated = [], []

    def compile(module):
        compiled.append(Compiled(module))
        return compiled[-1]

    def validate(model, _):
        validated.append(model)
        return {}

    monkeypatch.setattr(torch, "compile", compile)
    model, history = fit(root, tmp_path, compile=True, validate=validate)
    assert [network.calls for network in compiled] == [6, 3]  # steps of the phases
    assert all(network is model for network in validated)
    assert same(model, whole[0]) and history == whole[1]
    saved = make_model()
    load_checkpoint(find_checkpoint(tmp_path), saved)
    assert same(saved, model)


@pytest.fixture
def accelerate_state():
    """Accelerate keeps the precision of the whole process: leave the others' as it was."""
    yield
    AcceleratorState._reset_state()


@pytest.mark.usefixtures("accelerate_state")
def test_bfloat16_is_for_the_forward_pass_only(root, tmp_path, whole):
    careful = Recipe(tuple(dataclasses.replace(phase, lr=1e-5) for phase in TWO_PHASES), batch_size=4)
    half = dataclasses.replace(careful, precision="bf16")
    seen, validated = [], []

    def look(module, inputs, output):
        (seen if module.training else validated).append(output.dtype)

    def validate(model, _):
        model.eval()(torch.zeros(1, 3, 3, 16, 16))
        return {}

    model = make_model()
    model.fc.register_forward_hook(look)
    _, history = fit(root, tmp_path, half, model, validate=validate)
    assert set(seen) == {torch.bfloat16} and set(validated) == {torch.float32}
    _, single = fit(root, tmp_path / "single", careful)
    losses, expected = ([e["train_loss"] for e in numbers] for numbers in (history, single))
    assert losses != expected and losses == pytest.approx(expected, rel=0.1)
    file = find_checkpoint(tmp_path) / "model.safetensors"
    assert {t.dtype for t in load_file(file).values()} == {torch.float32, torch.int64}  # counters of batches
    assert same(fit(root, tmp_path / "again")[0], whole[0])  # precisions of one process do not mix


def test_an_accelerator_of_another_precision_is_refused(root, tmp_path):
    half = dataclasses.replace(RECIPE, precision="bf16")
    with pytest.raises(ValueError, match=r"precision='bf16', but the accelerator mixed_precision='no'"):
        fit(root, tmp_path, half, accelerator=Accelerator(mixed_precision="no"))


def test_recipes_that_cannot_be_followed_are_refused():
    with pytest.raises(ValueError, match="precision='half': choose one of fp32, bf16, fp16"):
        Recipe(precision="half")
    with pytest.raises(ValueError, match="freeze the later ones too"):
        Recipe((Phase(freeze_bn=True), Phase()))


def scaling():
    """An accelerator with a scaled loss, as for float16, which needs a GPU; gradients overflow in the first steps."""
    accelerator = Accelerator(mixed_precision="no")
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=3)
    return accelerator


@pytest.mark.parametrize("steps", [2, 5, 8])
def test_skipped_steps_and_the_scale_of_the_loss_outlive_an_interruption(root, tmp_path, whole, monkeypatch, steps):
    accelerator = scaling()
    expected, history = fit(root, tmp_path / "whole", accelerator=accelerator)
    assert not same(expected, whole[0])  # steps were skipped
    assert not same(expected, make_model()) and np.isfinite([e["train_loss"] for e in history]).all()
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "cross_entropy", stop_after(steps))
        with pytest.raises(KeyboardInterrupt):
            fit(root, tmp_path / "stopped", accelerator=scaling(), save_every=1)
    resumed = scaling()
    model, same_history = fit(root, tmp_path / "stopped", accelerator=resumed)
    assert same(model, expected) and same_history == history
    assert resumed.scaler.state_dict() == accelerator.scaler.state_dict()
