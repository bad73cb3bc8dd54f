import dataclasses
import json

import pytest
import torch
from made_runs import QUIET, reproduce, toy

from cpnet import results
from cpnet.data import moving_square
from cpnet.engine.toy_training import Schedule, data_digest
from cpnet.engine.training import execute
from cpnet.experiments.run import load_curves, load_origins


def test_run_id_covers_all_that_determines_the_number_and_nothing_else():
    run = toy()
    assert dataclasses.replace(run, table="table2", row="other", profile="gpu").run_id == run.run_id
    changes = [
        {"seed": 1},
        {"model": "nl_toy"},
        {"model_args": {"num_frames": 2, "pooling": "average"}},
        {"data_args": {"size": 24, "num_frames": 2, "margin": 2}},
        {"schedule": Schedule(2, 20, 1e-2)},
        {"protocol": {"k1": {"k": 1}}},
        {"revision": 0},
    ]
    ids = {dataclasses.replace(run.training, **change).run_id for change in changes}
    assert len(ids | {run.run_id}) == len(changes) + 1


def test_run_id_changes_with_the_data_behind_the_same_arguments(monkeypatch):
    before = toy().run_id
    monkeypatch.setitem(moving_square.COLOURS, "alike", (254, 254, 254))
    data_digest.cache_clear()
    assert toy().run_id != before
    data_digest.cache_clear()


def test_the_record_is_what_the_model_scores(few_clips, roots):
    run = toy()
    frame = reproduce([run])
    record = results.read(run.stored(roots))
    trained, dataset = run.trained(), run.training.dataset("train")
    with torch.no_grad():
        logits = torch.stack([trained.model(dataset[i][0][None])[0] for i in range(len(dataset))])
    hits = (logits.argmax(1) == torch.as_tensor(dataset.labels)).double()
    assert record["metrics"]["train_top1"] == pytest.approx(100 * hits.mean().item())
    assert frame.set_index("metric")["value"]["train_top1"] == record["metrics"]["train_top1"]
    assert record["n_expected"] == record["n_scored"] == 40
    assert record["params"]["trainable"] == sum(p.numel() for p in trained.model.parameters())
    assert record["config"] == json.loads(json.dumps(run.training.config))
    assert load_curves([run])["val_top1"].tolist() == record["curves"]["val_top1"]
    assert load_origins([run])["file"].tolist() == [f"table1/{run.stored(roots).name}"]


def test_a_changed_default_is_refused(few_clips, roots):
    reproduce([toy()])
    path = toy().stored(roots)
    record = results.read(path)
    assert record["model_defaults"]["padding"] == "zeros"
    record["model_defaults"]["padding"] = "replicate"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"padding='replicate', now the default of trn_toy is 'zeros'"):
        toy().stored(roots)


def test_one_seed_controls_everything(few_clips):
    cpnet = toy(row="cpnet").training
    torch.manual_seed(1)
    first, model = execute(cpnet, QUIET)
    torch.manual_seed(2)
    again, twin = execute(cpnet, QUIET)
    other, _ = execute(dataclasses.replace(cpnet, seed=1), QUIET)
    assert first["curves"] == again["curves"]
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), twin.state_dict().values(), strict=True))
    assert first["curves"] != other["curves"]


def test_weights_of_a_run_that_is_not_stored_are_asked_for_by_name(roots):
    with pytest.raises(FileNotFoundError, match="no stored result of table1 trn seed 0"):
        toy().trained()
