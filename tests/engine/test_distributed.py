"""Training by two processes, against one process, and against two groups whose gradients are averaged by hand."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from helpers import fill_randomly, in_two_processes, stop_after
from torch.nn.modules.batchnorm import _BatchNorm

from cpnet.data.layouts import Index, Video
from cpnet.data.loader import training_batches
from cpnet.data.transforms import normalise
from cpnet.data.videos import TrainingClips
from cpnet.engine.checkpoint import find_checkpoint, load_checkpoint
from cpnet.engine.machine import PATIENCE, Machine
from cpnet.engine.recipe import Phase, Recipe, batch_norm_momentum, learning_rate
from cpnet.engine.setting import check_same_everywhere
from cpnet.engine.train import train
from cpnet.models import create_model

N, CLASSES, BATCH = 20, 3, 4  # 5 steps an epoch
FROZEN = Recipe((Phase(4, 3, 1, 0.001, freeze_bn=True),), BATCH, decay_epochs=1)
LIVE = Recipe((Phase(2, 3, 1, 0.002), Phase(2, 4, 1, 0.001, freeze_bn=True)), BATCH, decay_epochs=1)
RECIPES = {"frozen": FROZEN, "live": LIVE}
ARGUMENTS = {"c2d_resnet18": {}, "cpnet_resnet18": {"positions": "4", "k": 2, "ties": "index"}}
QUIET = Machine(progress=False)
CASES = [(name, recipe) for name in ARGUMENTS for recipe in RECIPES]


def read(path, choose):
    """Frames of a video that is not there."""
    frames = np.random.RandomState(int(path.name)).randint(0, 256, (6, 20, 20, 3))
    return frames[choose(len(frames))].astype(np.uint8)


def clips(phase):
    videos = [Video(str(i), Path(str(i)), i % CLASSES) for i in range(N)]
    index = Index("jester", "train", ("a", "b", "c"), videos)
    return TrainingClips(index, num_frames=phase.num_frames, frame_step=phase.frame_step, size=16, read=read)


def make_model(name):
    torch.manual_seed(0)
    model = create_model(name, num_classes=CLASSES, width=4, dropout=0.0, **ARGUMENTS[name])
    for norm in (module for module in model.modules() if isinstance(module, _BatchNorm)):
        if not norm.weight.any():
            fill_randomly(norm)  # gates of CP modules, which learn nothing if frozen at zero
    return model


@pytest.fixture(autouse=True)
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def in_each_process(out):
    """What each of the two processes runs; it leaves weights, histories and validated statistics in `out`."""
    torch.set_default_dtype(torch.float64)
    accelerator = QUIET.accelerator()
    rank = accelerator.process_index
    assert accelerator.num_processes == 2

    def fit(name, recipe, folder, **options):
        model, validated = make_model(name), []

        def validate(model, _):
            model.eval()
            validated.append(torch.cat([buffer.double().flatten() for buffer in model.buffers()]))
            return {"val_top1": float(len(validated))}

        options = {"validate": validate, "accelerator": accelerator} | options
        history = train(model, clips, RECIPES[recipe], folder, QUIET, **options)
        return {"weights": model.state_dict(), "history": history, "validated": validated}

    for name, recipe in CASES:
        found = fit(name, recipe, out / f"folder-{name}-{recipe}-{rank}", save_every=2)
        torch.save(found, out / f"{name}-{recipe}-{rank}.pt")
    for stop in (4, 8, 13):
        stopped = out / f"stopped-{stop}"
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(F, "cross_entropy", stop_after(stop))
            with pytest.raises(KeyboardInterrupt):
                fit("cpnet_resnet18", "live", stopped, save_every=2)
        torch.save(fit("cpnet_resnet18", "live", stopped, save_every=3), out / f"stopped-{stop}-{rank}.pt")
    with pytest.raises(ValueError, match=r"steps \[20, 0\].*must be one that all machines share"):
        fit("c2d_resnet18", "live", out / f"folder-c2d_resnet18-live-{rank}")  # that of process 1 is empty
    index = Index("jester", "val", ("a",), [Video(str(i), Path(str(i)), 0) for i in range(3)])
    check_same_everywhere([index])
    index.quarantined += index.videos[rank:1]  # by process 0 alone
    del index.videos[rank:1]
    with pytest.raises(ValueError, match=r"videos \[\['val: 2 of 3 .*'val: 3 of 3 .*must be the same on all machines"):
        check_same_everywhere([index])
    assert dist.group.WORLD._get_backend(torch.device("cpu")).options._timeout == PATIENCE


SCRIPT = """
import sys; from pathlib import Path
import test_distributed
test_distributed.in_each_process(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    in_two_processes(SCRIPT, folder, beside=__file__)
    return folder


def load(path):
    return torch.load(path, weights_only=True)


def assert_same(weights, expected, **tolerance):
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_with_frozen_statistics_two_processes_are_one(out, tmp_path, name):
    model = make_model(name)
    history = train(model, clips, FROZEN, tmp_path, QUIET)
    assert not torch.equal(model.conv1.weight, make_model(name).conv1.weight)
    for rank in (0, 1):
        found = load(out / f"{name}-frozen-{rank}.pt")
        assert_same(found["weights"], model.state_dict(), rtol=0, atol=1e-9)
        for epoch, alone in zip(found["history"], history, strict=True):
            assert {key: epoch[key] for key in alone} == pytest.approx(alone, abs=1e-9)


def two_groups(model, recipe):
    """Train by hand: each half of a batch apart, with its own batch statistics; running ones of the first half."""
    other = copy.deepcopy(model)
    for phase in recipe.phases:
        if phase.freeze_bn:
            model.freeze_batch_norm(), other.freeze_batch_norm()
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], momentum=recipe.momentum)
        for epoch in range(phase.epochs):
            halves = [training_batches(clips(phase), BATCH, epoch, process=i, processes=2) for i in (0, 1)]
            for step, pair in enumerate(zip(*halves, strict=True)):
                time = epoch + step / (N // BATCH)
                other.load_state_dict(model.state_dict())
                for net, half in zip((model, other), pair, strict=True):
                    for norm in (module for module in net.train().modules() if isinstance(module, _BatchNorm)):
                        norm.momentum = batch_norm_momentum(recipe, time)
                    net.zero_grad()
                    F.cross_entropy(net(normalise(half.clip)), half.label).backward()
                for mine, its in zip(model.parameters(), other.parameters(), strict=True):
                    if mine.requires_grad:
                        mine.grad = (mine.grad + its.grad) / 2
                optimizer.param_groups[0]["lr"] = learning_rate(recipe, phase, time)
                optimizer.step()
    return model


@pytest.mark.parametrize("name", ARGUMENTS)
def test_with_live_statistics_each_process_has_its_own(out, name):
    weights = load(out / f"{name}-live-0.pt")["weights"]
    expected = two_groups(make_model(name), LIVE).state_dict()
    assert_same(weights, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("name", "recipe"), CASES)
def test_processes_agree_on_weights_numbers_and_validated_statistics(out, name, recipe):
    first, second = (load(out / f"{name}-{recipe}-{rank}.pt") for rank in (0, 1))
    assert_same(first["weights"], second["weights"], rtol=0, atol=0)
    assert first["history"] == second["history"]
    assert all(torch.equal(a, b) for a, b in zip(first["validated"], second["validated"], strict=True))


@pytest.mark.parametrize("stop", [4, 8, 13])
def test_interrupted_and_resumed_they_end_the_same(out, stop):
    whole = load(out / "cpnet_resnet18-live-0.pt")
    for rank in (0, 1):
        resumed = load(out / f"stopped-{stop}-{rank}.pt")
        assert_same(resumed["weights"], whole["weights"], rtol=0, atol=0)
        for epoch, uninterrupted in zip(resumed["history"], whole["history"], strict=True):
            numbers = {key: value for key, value in uninterrupted.items() if key != "val_top1"}  # counts validations
            assert {key: epoch[key] for key in numbers} == pytest.approx(numbers, rel=1e-12)


@pytest.mark.parametrize(("name", "recipe"), CASES)
def test_the_main_process_alone_writes(out, name, recipe):
    """Processes were given folders of their own."""
    assert not (out / f"folder-{name}-{recipe}-1").exists()
    folder = out / f"folder-{name}-{recipe}-0"
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoints.json", "log.csv", "step-00000020"]
    model = make_model(name)
    load_checkpoint(find_checkpoint(folder), model)
    assert_same(model.state_dict(), load(out / f"{name}-{recipe}-0.pt")["weights"], rtol=0, atol=0)
    assert len((folder / "log.csv").read_text().splitlines()) == 1 + 4
