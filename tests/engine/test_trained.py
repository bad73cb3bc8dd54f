import pytest
import torch
from made_jester import CLASSES, make_jester
from made_runs import toy, video

import cpnet
from cpnet import results
from cpnet.data.moving_square import CLASSES as TOY_CLASSES
from cpnet.engine.machine import Machine
from cpnet.experiments import reproduce


@pytest.fixture
def run(tmp_path, roots):
    """A finished training on videos, and its data."""
    root = make_jester(tmp_path / "jester")
    reproduce([video()], Machine(data_root=root, progress=False))
    return video(), root


def test_the_folder_of_a_training_gives_its_network(run):
    run, root = run
    trained = cpnet.load(run.training.folder)
    assert trained.classes == tuple(sorted(CLASSES)) and not trained.model.training
    found = trained.predict(root / "20bn-jester-v1" / "10")
    assert list(found.values()) == sorted(found.values(), reverse=True) and set(found) == set(CLASSES)
    assert sum(found.values()) == pytest.approx(1)


def test_a_stored_result_gives_its_network(few_clips, roots):
    run = toy(seed=3)
    reproduce([run], Machine(progress=False))
    trained = cpnet.load(run.stored())
    assert trained.classes == TOY_CLASSES
    clips, labels = zip(*(run.training.dataset("val")[i] for i in range(40)), strict=True)
    with torch.no_grad():
        hits = trained.model(torch.stack(clips)).argmax(1) == torch.tensor(labels)
    assert 100 * hits.double().mean() == results.read(run.stored())["metrics"]["val_top1"]


def test_what_has_no_weights_is_named(run, tmp_path):
    run, _ = run
    with pytest.raises(FileNotFoundError, match=r"cpnet--paper--seed0.*safetensors is not kept: train it anew"):
        cpnet.load(run.stored())
    (run.training.folder / "checkpoints.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no checkpoint in .* yet"):
        cpnet.load(run.training.folder)


def test_what_cannot_be_tested_or_read_is_named(few_clips, roots):
    run = toy(seed=3)
    reproduce([run], Machine(progress=False))
    with pytest.raises(ValueError, match="a network of the toy study sees moving squares"):
        cpnet.load(run.stored()).index("val")
    weights = run.stored().with_suffix(".safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match=rf"{weights.name} cannot be read into this network"):
        cpnet.load(run.stored())


def test_every_stored_network_of_the_toy_study_can_be_loaded():
    files = sorted((results.COMMITTED / "table1").glob("cpnet*.json"))
    assert len(files) == 5
    for file in files:
        assert cpnet.load(file).model.core.tie_seed == results.read(file)["seed"]
    assert cpnet.load(files[0], backend="pyav").config == cpnet.load(files[0]).config  # there is no file to decode
