"""Training on small videos, with interruptions."""

import copy
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from cpnet.data.decode import decode_frames
from cpnet.data.encode import write_jpegs
from cpnet.data.layouts import Index, Video
from cpnet.data.videos import TrainingClips
from cpnet.engine.checkpoint import find_checkpoint, load_checkpoint
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.train import train
from cpnet.models import create_model

N, CLASSES = 12, 3
TWO_PHASES = (Phase(epochs=2, num_frames=3, frame_step=1, lr=0.02), Phase(1, 4, 1, 0.005, freeze_bn=True))
RECIPE = Recipe(TWO_PHASES, batch_size=4, decay_epochs=1)


def make_index(root):
    videos = [Video(str(i), root / str(i), i % CLASSES) for i in range(N)]
    for i, video in enumerate(videos):
        if not video.path.exists():
            colour = 80 * np.eye(CLASSES)[i % CLASSES] + 60
            noise = np.random.RandomState(i).randint(0, 60, (6, 24, 24, 3))
            write_jpegs(video.path, (noise + colour).astype(np.uint8))
    return Index("jester", "train", ("a", "b", "c"), videos)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    make_index(folder)
    return folder


def make_model():
    torch.manual_seed(0)
    return create_model("cpnet_resnet18", num_classes=CLASSES, width=4, positions="4", k=2)


def fit(root, folder, recipe=RECIPE, model=None, **options):
    model = model or make_model()
    index = make_index(root)

    def clips(phase):
        return TrainingClips(
            index,
            num_frames=phase.num_frames,
            frame_step=phase.frame_step,
            size=16,
            read=decode_frames,
            seed=recipe.seed,
        )

    return model, train(model, clips, recipe, folder, **{"progress": False} | options)


def same(first, second):
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


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
    done = []

    def stop(*arguments):
        done.append(1)
        if len(done) > steps:
            raise KeyboardInterrupt
        return cross_entropy(*arguments)

    cross_entropy = torch.nn.functional.cross_entropy
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "cross_entropy", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(root, tmp_path, save_every=1)
    resumed, history = fit(root, tmp_path, save_every=2)
    assert same(resumed, whole[0])
    assert history == whole[1]


SCRIPT = """
import sys; from pathlib import Path
sys.path[:0] = sys.argv[1:3]
import test_train
test_train.fit(Path(sys.argv[3]), Path(sys.argv[4]), save_every=1)
"""


def test_killed_at_random_moments_it_ends_the_same(root, tmp_path, whole):
    here = os.path.dirname(__file__)
    command = [sys.executable, "-c", SCRIPT, here, os.path.dirname(here), str(root), str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    random = np.random.RandomState(0)
    for _ in range(3):
        process = subprocess.Popen(command, env=environment)
        steps = len(list(tmp_path.glob("step-*")))
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("step-*"))) == steps == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, env=environment, check=True)
    model = make_model()
    load_checkpoint(find_checkpoint(tmp_path), model)
    assert same(model, whole[0])


def test_workers_do_not_change_the_weights(root, tmp_path, whole):
    assert same(fit(root, tmp_path, workers=2)[0], whole[0])


def test_the_best_checkpoint_is_that_of_the_best_epoch(root, tmp_path):
    scores = iter([50.0, 70.0, 60.0])
    weights = []

    def validate(model, phase):
        weights.append(copy.deepcopy(model))
        return {"val_top1": next(scores)}

    _, history = fit(root, tmp_path, validate=validate)
    assert [e["val_top1"] for e in history] == [50, 70, 60]
    best, last = make_model(), make_model()
    load_checkpoint(find_checkpoint(tmp_path, "best"), best)
    load_checkpoint(find_checkpoint(tmp_path, "last"), last)
    assert same(best, weights[1]) and same(last, weights[2])


def test_damaged_videos_are_replaced_and_counted(tmp_path):
    make_index(tmp_path / "videos")
    for file in (tmp_path / "videos" / "3").iterdir():
        file.write_bytes(b"damaged")
    _, history = fit(tmp_path / "videos", tmp_path / "run")
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
