import dataclasses
import json

import pytest
import torch

from cpnet import results
from cpnet.experiments import run as run_module
from cpnet.experiments import toy_run
from cpnet.experiments.run import Machine, execute, load, reproduce, trained_model
from cpnet.experiments.toy_run import Schedule, ToyRun

MINIATURE = {"size": 24, "num_frames": 2}
QUIET = Machine(progress=False)


@pytest.fixture
def few_clips(monkeypatch):
    monkeypatch.setattr("cpnet.data.moving_square.NUM_CLIPS", {"train": 60, "val": 40})


@pytest.fixture
def trn():
    return ToyRun(
        table="table1",
        row="trn",
        profile="smoke",
        seed=0,
        model="trn_toy",
        model_args={"num_frames": 2},
        data_args=MINIATURE,
        schedule=Schedule(epochs=1, batch_size=20, lr=1e-2),
    )


@pytest.fixture
def cpnet(trn):
    ties = {"ties_index": {"ties": "index"}, "k1": {"k": 1}}
    return dataclasses.replace(trn, row="cpnet", model="cpnet_toy", model_args={"k": 2}, protocol=ties)


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Empty local and committed results."""
    monkeypatch.setenv("CPNET_LOCAL_RESULTS", str(tmp_path / "local"))
    monkeypatch.setattr(results, "COMMITTED", tmp_path / "committed")
    return tmp_path / "local", tmp_path / "committed"


def count_executions(monkeypatch):
    done = []

    def counted(run, *arguments, **options):
        done.append(run)
        return execute(run, *arguments, **options)

    monkeypatch.setattr(run_module, "execute", counted)
    return done


def test_run_id_covers_all_that_determines_the_number_and_nothing_else(trn):
    same = dataclasses.replace(trn, table="table2", row="other", profile="gpu")
    assert same.run_id == trn.run_id
    changes = [
        {"seed": 1},
        {"model": "nl_toy"},
        {"model_args": {"num_frames": 2, "pooling": "average"}},
        {"data_args": {**MINIATURE, "margin": 2}},
        {"schedule": Schedule(2, 20, 1e-2)},
        {"protocol": {"k1": {"k": 1}}},
        {"revision": 0},
    ]
    ids = {dataclasses.replace(trn, **change).run_id for change in changes}
    assert len(ids | {trn.run_id}) == len(changes) + 1


def test_run_id_changes_with_the_data_behind_the_same_arguments(trn, monkeypatch):
    before = trn.run_id
    monkeypatch.setattr("cpnet.data.moving_square.STEPS", (7, 8))
    assert dataclasses.replace(trn).run_id != before


def test_the_record_is_what_the_model_scores(few_clips, trn, roots):
    frame = reproduce([trn], progress=False)
    record = results.read(trn.stored(roots))
    model, dataset = trained_model(trn), trn.dataset("train")
    with torch.no_grad():
        logits = torch.stack([model(dataset[i][0][None])[0] for i in range(len(dataset))])
    hits = (logits.argmax(1) == torch.as_tensor(dataset.labels)).double()
    assert record["metrics"]["train_top1"] == pytest.approx(100 * hits.mean().item())
    assert frame["train_top1"].tolist() == [record["metrics"]["train_top1"]]
    assert record["n_expected"] == record["n_scored"] == 40
    assert record["params"]["trainable"] == sum(p.numel() for p in model.parameters())
    assert len(record["curves"]["val_top1"]) == 1
    assert record["config"] == json.loads(json.dumps(trn.config))


def test_a_changed_default_is_refused(few_clips, trn, roots, monkeypatch):
    reproduce([trn], progress=False)
    path = trn.stored(roots)
    record = results.read(path)
    assert record["model_defaults"]["padding"] == "zeros"
    record["model_defaults"]["padding"] = "replicate"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"padding='replicate', now the default of trn_toy is 'zeros'"):
        dataclasses.replace(trn).stored(roots)


def test_one_seed_controls_everything(few_clips, cpnet):
    torch.manual_seed(1)
    first, model = execute(cpnet, QUIET)
    torch.manual_seed(2)
    again, twin = execute(cpnet, QUIET)
    other, _ = execute(dataclasses.replace(cpnet, seed=1), QUIET)
    assert first["curves"] == again["curves"]
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), twin.state_dict().values(), strict=True))
    assert first["curves"] != other["curves"]


def test_protocol_changes_the_modules_for_one_evaluation_only(few_clips, cpnet, monkeypatch):
    seen = []
    original = toy_run.evaluate

    def spy(model, *arguments, **options):
        seen.append((model.core.ties, model.core.k))
        return original(model, *arguments, **options)

    monkeypatch.setattr(toy_run, "evaluate", spy)
    record, model = execute(cpnet, QUIET)
    assert seen == [("random", 2), ("random", 2), ("index", 2), ("random", 1)]
    assert (model.core.ties, model.core.k) == ("random", 2)
    assert {"val_top1_ties_index", "val_top1_k1"} <= set(record["metrics"])


def test_reproduce_loads_what_is_stored_and_trains_the_rest(few_clips, trn, roots, monkeypatch):
    done = count_executions(monkeypatch)
    other = dataclasses.replace(trn, seed=1)
    reproduce([trn, other], progress=False)
    assert done == [trn, other]
    reproduce([trn, other], progress=False)
    assert done == [trn, other]
    other.stored(roots).unlink()
    frame = reproduce([trn, other], progress=False)
    assert done == [trn, other, other]
    assert frame["seed"].tolist() == [0, 1]
    reproduce([trn], rerun=True, progress=False)
    assert done[3:] == [trn]


def test_committed_results_are_read_and_never_written(few_clips, trn, roots, monkeypatch):
    local, committed = roots
    reproduce([trn], out=committed, progress=False)
    done = count_executions(monkeypatch)
    reproduce([trn], progress=False)
    assert not done
    assert not local.exists()
    before = sorted(committed.rglob("*"))
    reproduce([trn], rerun=True, progress=False)
    assert sorted(committed.rglob("*")) == before
    assert list(local.rglob("*.json"))


def test_side_by_side_equals_one_by_one(trn, tmp_path):
    runs = [trn, dataclasses.replace(trn, seed=1)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = reproduce(runs, out=tmp_path / "alone", progress=False)
    finally:
        torch.set_num_threads(threads)
    together = reproduce(runs, out=tmp_path / "together", jobs=2, progress=False)
    assert together["val_top1"].tolist() == alone["val_top1"].tolist()


def test_load_trains_nothing(trn, roots):
    assert load([trn]).empty


def test_weights_of_a_run_that_is_not_stored_are_asked_for_by_name(trn, roots):
    with pytest.raises(FileNotFoundError, match="trn"):
        trained_model(trn)
