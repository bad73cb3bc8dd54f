import pytest
import torch
from torch import nn

from cpnet.engine.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint


def net(fill):
    model = nn.Linear(2, 3)
    nn.init.constant_(model.weight, fill)
    return model


def test_last_and_best_are_kept_and_others_dropped(tmp_path):
    assert find_checkpoint(tmp_path) is None
    for step in (1, 2, 3, 4):
        save_checkpoint(tmp_path, step, net(step), {"step": step, "rates": [0.1] * step}, best=step == 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints.json", "step-00000002", "step-00000004"]
    for which, step in (("last", 4), ("best", 2)):
        model = net(0)
        assert load_checkpoint(find_checkpoint(tmp_path, which), model) == {"step": step, "rates": [0.1] * step}
        assert (model.weight == step).all()


@pytest.mark.parametrize("moment", ["torch.save", "os.fsync", "pathlib.Path.replace"])
def test_an_interruption_while_writing_leaves_the_one_before(tmp_path, monkeypatch, moment):
    save_checkpoint(tmp_path, 1, net(1), {"step": 1})
    with monkeypatch.context() as patched:
        patched.setattr(moment, lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path, 2, net(2), {"step": 2})
    assert load_checkpoint(find_checkpoint(tmp_path), net(0)) == {"step": 1}
    save_checkpoint(tmp_path, 2, net(2), {"step": 2})
    assert load_checkpoint(find_checkpoint(tmp_path), net(0)) == {"step": 2}


def test_damaged_and_foreign_files_are_named(tmp_path):
    save_checkpoint(tmp_path, 1, net(1), {"step": 1})
    path = find_checkpoint(tmp_path)
    with pytest.raises(ValueError, match=r"model\.safetensors cannot be read into this network"):
        load_checkpoint(path, nn.Linear(2, 4))
    torch.save({"model": nn.Linear(2, 2)}, path / "state.pt")  # a pickled class
    with pytest.raises(ValueError, match=r"state\.pt cannot be read"):
        load_checkpoint(path, net(0))
