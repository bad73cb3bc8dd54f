import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from safetensors.torch import load_file

from cpnet import results


def record(**changes):
    base = {field: {} for field in results.FIELDS}
    base |= {
        "table": "table9",
        "row": "net",
        "profile": "cpu",
        "seed": 3,
        "run_id": "abc",
        "metrics": {"val_top1": 50.0},
    }
    return base | changes


def test_a_record_comes_back_from_where_the_layout_says(tmp_path):
    weights = {"w": torch.arange(6.0).view(2, 3).t()}
    path = results.write(record(), tmp_path, weights)
    assert path == tmp_path / "table9" / "net--cpu--seed3--abc.json"
    assert results.read(path) == record()
    assert torch.equal(load_file(path.with_suffix(".safetensors"))["w"], weights["w"])


def test_the_first_root_wins(tmp_path):
    local, committed = tmp_path / "local", tmp_path / "committed"
    assert results.find("abc", (local, committed)) is None
    stored = results.write(record(), committed)
    assert results.find("abc", (local, committed)) == stored
    fresh = results.write(record(), local)
    assert results.find("abc", (local, committed)) == fresh
    assert results.find("other", (local, committed)) is None


def test_a_record_without_a_field_is_refused(tmp_path):
    incomplete = record()
    del incomplete["provenance"]
    with pytest.raises(ValueError, match="provenance"):
        results.write(incomplete, tmp_path)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("content", ["{", "[]", '{"table": "table9"}', "\xff"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "net.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"net\.json.*delete it"):
        results.read(path)


def test_numbers_that_json_lacks_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        results.write(record(metrics={"val_top1": float("nan")}), tmp_path)


def test_two_writers_leave_one_whole_file_and_no_litter(tmp_path):
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(results.write, [record()] * 100, [tmp_path] * 100))
    assert [path.name for path in (tmp_path / "table9").iterdir()] == ["net--cpu--seed3--abc.json"]
    results.read(tmp_path / "table9" / "net--cpu--seed3--abc.json")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = results.write(record(), tmp_path)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        results.write(record(metrics={}), tmp_path)
    assert json.loads(path.read_text())["metrics"] == {"val_top1": 50.0}


def test_compare_lines_up_the_same_runs(tmp_path):
    results.write(record(metrics={"val_top1": 60.0, "curve": [1.0]}), tmp_path / "fresh")
    results.write(record(metrics={"val_top1": 50.0, "curve": [1.0]}), tmp_path / "stored")
    results.write(record(row="new", run_id="fedcba9876"), tmp_path / "fresh")
    table = results.compare(tmp_path / "fresh", tmp_path / "stored").set_index("row")
    assert table.loc["net", "difference"] == 10
    assert table["difference"].isna()["new"]


def test_compare_finds_a_run_under_another_row(tmp_path):
    results.write(record(metrics={"val_top1": 60.0}), tmp_path / "fresh")
    results.write(record(row="other", metrics={"val_top1": 50.0}), tmp_path / "stored")
    assert results.compare(tmp_path / "fresh", tmp_path / "stored")["difference"].tolist() == [10.0]


def test_compare_says_when_there_is_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results"):
        results.compare(tmp_path, tmp_path)


def test_a_measurement_is_a_line_whatever_its_test_is_called():
    tests = {"": {}, "k1": {"k": 1}, "k16": {"k": 16}, "25x10": {"videos": 50}}
    metrics = {"train_loss": 0.5, "val_top1": 1.0, "val_top1_k1": 2.0, "val_top1_k16": 3.0, "val_top5_25x10": 4.0}
    made = record(config={"protocols": tests}, metrics=metrics | {"val_per_class": [1.0]}, n_expected=500)
    made |= {"params": {"weights": 7}, "right": {"val_top1_k16": results.pack([True, False, True])}}
    lines = results.measurements([made]).set_index(["metric", "protocol"])
    assert lines["value"].to_dict() == {
        ("weights", ""): 7,
        ("train_loss", ""): 0.5,
        ("val_top1", ""): 1,
        ("val_top1", "k1"): 2,
        ("val_top1", "k16"): 3,
        ("val_top5", "25x10"): 4,
    }
    told = {key: right.tolist() for key, right in lines["right"].items() if right is not None}
    assert told == {("val_top1", "k16"): [True, False, True]}


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
def test_which_videos_are_right_comes_back_as_packed(count):
    right = [i % 3 == 0 for i in range(count)]
    text = results.pack(right)
    assert results.unpack(text).tolist() == right and len(text) < 8 + count / 2
    assert results.measurements([]).empty and "value" in results.measurements([])


def test_an_epoch_is_a_line():
    made = record(curves={"phase": [0, 1], "val_top1": [10.0, 20.0]})
    found = results.curves([made, record(seed=4, curves={"val_top1": [30.0]})])
    assert found[["seed", "epoch", "val_top1"]].to_numpy().tolist() == [[3, 1, 10], [3, 2, 20], [4, 1, 30]]
    assert results.curves([]).empty


def test_the_local_root_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("CPNET_LOCAL_RESULTS", str(tmp_path))
    assert results.local_root() == tmp_path
    monkeypatch.delenv("CPNET_LOCAL_RESULTS")
    monkeypatch.setenv("CPNET_RUNS", str(tmp_path / "runs"))
    assert results.local_root() == tmp_path / "runs" / "results"
    monkeypatch.delenv("CPNET_RUNS")
    assert results.local_root() == results.REPOSITORY / "runs" / "results"


def test_provenance_names_commit_and_versions():
    source = results.provenance(torch.device("cpu"))
    assert torch.__version__.startswith(source["versions"]["torch"].partition("+")[0])  # wheels differ in the rest
    assert source["device"].startswith("cpu: ")
    assert source["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert source["commit"] is None or len(source["commit"]) == 40
