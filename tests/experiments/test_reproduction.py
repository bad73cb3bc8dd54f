"""Runs of toy nets and of networks on videos: loaded where they are stored, trained where they are not."""

import dataclasses

import pytest
import torch
from helpers import in_two_processes
from made_jester import make_jester
from made_runs import QUIET, SHORT, reproduce, toy, video
from safetensors.torch import load_file

import cpnet
from cpnet import results
from cpnet.engine import toy_training
from cpnet.engine.machine import Machine
from cpnet.engine.recipe import Phase
from cpnet.engine.setting import Network, VideoData, rendered_folder
from cpnet.engine.training import execute
from cpnet.experiments.run import load
from cpnet.standins import Spec


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_jester(tmp_path_factory.mktemp("jester") / "data")


@pytest.fixture
def trained(monkeypatch):
    """Rows and seeds of the trainings so far."""
    done = []

    def counted(training, *arguments):
        done.append((training.config["model"], training.seed))
        return execute(training, *arguments)

    monkeypatch.setattr("cpnet.experiments.reproduction.execute", counted)
    return done


def test_what_is_stored_is_loaded_and_the_rest_trained(few_clips, roots, trained):
    runs = [toy(), toy(seed=1)]
    reproduce(runs)
    assert trained == [("trn_toy", 0), ("trn_toy", 1)]
    reproduce(runs)
    assert len(trained) == 2
    runs[1].stored(roots).unlink()
    frame = reproduce(runs)
    assert trained[2:] == [("trn_toy", 1)]
    assert frame.loc[frame["metric"] == "val_top1", "seed"].tolist() == [0, 1]
    reproduce(runs[:1], rerun=True)
    assert trained[3:] == [("trn_toy", 0)]


def test_committed_results_are_read_and_never_written(few_clips, roots, trained):
    local, committed = roots
    reproduce([toy()], out=committed)
    reproduce([toy()])
    assert len(trained) == 1 and not local.exists()
    before = sorted(committed.rglob("*"))
    reproduce([toy()], rerun=True)
    assert sorted(committed.rglob("*")) == before
    assert list(local.rglob("*.json"))


def test_what_is_trained_elsewhere_is_not_trained_anew_unasked(few_clips, roots, trained, tmp_path):
    reproduce([toy()])
    with pytest.raises(ValueError, match=r"trn--smoke--seed0.* is there, but not in .*other: copy it, or give --rerun"):
        reproduce([toy()], out=tmp_path / "other")
    reproduce([toy()], out=tmp_path / "other", rerun=True)
    assert len(trained) == 2


def test_side_by_side_equals_one_by_one(tmp_path):
    runs = [toy(), toy(seed=1)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = reproduce(runs, out=tmp_path / "alone")
    finally:
        torch.set_num_threads(threads)
    together = reproduce(runs, out=tmp_path / "together", jobs=2)
    assert together.equals(alone) and len(alone)


def test_a_dry_run_trains_nothing_and_says_what_is_stored(few_clips, roots, trained, capsys):
    reproduce([toy()])
    frame = reproduce([toy(), toy(seed=1)], dry_run=True, rerun=True)
    assert len(trained) == 1 and set(frame["seed"]) == {0}
    assert "trn  0, 1  1 of 2" in capsys.readouterr().out


def test_a_folder_of_real_videos_is_not_ignored_in_silence():
    with pytest.raises(ValueError, match=r"data_root='/data/k400' is not used at profile smoke.*paper"):
        reproduce([toy()], Machine(data_root="/data/k400"))


@pytest.mark.parametrize(("world", "message"), [("1", "jobs=0: give at least one"), ("2", "jobs=2 under torchrun")])
def test_numbers_of_jobs_that_cannot_be_are_refused(monkeypatch, world, message):
    monkeypatch.setenv("WORLD_SIZE", world)
    with pytest.raises(ValueError, match=message):
        reproduce([toy()], jobs=0 if world == "1" else 2)


def test_protocol_changes_the_modules_for_one_test_only(few_clips, monkeypatch):
    seen = []
    original = toy_training.evaluate

    def spy(model, *arguments, **options):
        seen.append((model.core.ties, model.core.k))
        return original(model, *arguments, **options)

    monkeypatch.setattr(toy_training, "evaluate", spy)
    tests = {"ties_index": {"ties": "index"}, "k1": {"k": 1}}
    record, model = execute(dataclasses.replace(toy(row="cpnet").training, protocol=tests), QUIET)
    assert seen == [("random", 2), ("random", 2), ("random", 2), ("index", 2), ("random", 1)]
    assert (model.core.ties, model.core.k) == ("random", 2)
    assert {"val_top1_ties_index", "val_top1_k1"} <= set(record["metrics"])


def test_only_what_is_reached_in_time_is_trained(root, roots):
    machine = Machine(data_root=root, progress=False)
    runs = [video(), video(seed=1)]
    assert reproduce(runs, machine, budget=0).empty
    reproduce(runs[:1], machine)
    path = runs[0].stored((roots[0],))
    before = path.stat().st_mtime_ns
    assert not list(roots[0].rglob("*.safetensors"))
    frame = reproduce(runs, machine)
    assert set(frame["seed"]) == {0, 1} and path.stat().st_mtime_ns == before


def test_a_run_starts_from_the_weights_of_another(root, roots):
    c2d = Network("c2d_resnet18", width=4, stem="112_no_pool")
    first = video(network=c2d, keeps_weights=True)
    second = video(init=first.training, recipe=dataclasses.replace(SHORT, phases=(Phase(1, 3, 1, 0.0),)))
    frame = reproduce([second], Machine(data_root=root, progress=False))
    assert set(frame["row"]) == {"cpnet"}
    records = [results.read(path) for path in roots[0].rglob("*.json")]
    assert sorted((record["table"], record["row"]) for record in records) == [
        ("pretrain", "c2d_resnet18"),
        ("table9", "cpnet"),
    ]
    before = load_file(first.stored(roots).with_suffix(".safetensors"))
    after = cpnet.load(second.training.folder).model.state_dict()
    parameters = [name for name in before if name.endswith("weight") and not name.startswith("fc.")]
    assert len(parameters) > 20 and all(torch.equal(before[name], after[name]) for name in parameters)
    assert not torch.equal(before["fc.weight"], after["fc.weight"])


def test_a_run_that_others_start_from_is_trained_once_and_first(root, roots, monkeypatch):
    first = video(network=Network("c2d_resnet18", width=4, stem="112_no_pool"), keeps_weights=True, row="pretrain")
    done = []
    monkeypatch.setattr(
        "cpnet.experiments.reproduction.train_and_store", lambda run, machine, out: done.append(run.row)
    )
    machine = Machine(data_root=root, progress=False)
    reproduce([video(init=first.training), first, video(init=first.training, seed=1)], machine)
    assert done == ["c2d_resnet18", "cpnet", "cpnet"]
    reproduce([video(init=first.training), first], machine, rerun=True)
    assert done[3:] == ["c2d_resnet18", "cpnet"]


def test_a_stored_result_of_other_videos_is_refused(root, roots, tmp_path):
    reproduce([video()], Machine(data_root=root, progress=False))
    other = make_jester(tmp_path / "other", train=9)
    with pytest.raises(ValueError, match=r"is of other train videos than .*other lists"):
        reproduce([video()], Machine(data_root=other, progress=False))


def test_a_stand_in_is_rendered_when_it_is_needed(roots):
    spec = Spec("jester", 27, 27, 32, 0)
    recipe = dataclasses.replace(SHORT, phases=(Phase(1, 3, 4, 0.01),), batch_size=9)
    run = video(profile="smoke", data=VideoData("jester", size=32, rendered=spec), recipe=recipe)
    frame = reproduce([run])
    assert (rendered_folder(spec) / "jester-v1-train.csv").is_file()
    assert {"val_top1", "val_partners"} <= {*frame["metric"]}


def test_rows_that_are_one_training_are_trained_once(root, roots):
    runs = [video(), video(table="table8", row="same")]
    frame = reproduce(runs, Machine(data_root=root, progress=False), jobs=2)
    top1 = frame[frame["metric"] == "val_top1"]
    assert top1["table"].tolist() == ["table9", "table8"] and top1["value"].nunique() == 1
    assert len(list(roots[0].rglob("*.json"))) == 1


def test_a_deleted_result_is_trained_again(root, roots):
    machine = Machine(data_root=root, progress=False)
    reproduce([video()], machine)
    log = video().training.folder / "log.csv"
    before = log.stat().st_mtime_ns
    video().stored((roots[0],)).unlink()
    reproduce([video()], machine)
    assert log.stat().st_mtime_ns > before


SCRIPT = """
from made_runs import VideoData, reproduce, video
from cpnet.standins import Spec
specs = [Spec("jester", 27, 27, 32, seed) for seed in (0, 1)]
runs = [video(profile="smoke", seed=s.seed, data=VideoData("jester", size=32, rendered=s)) for s in specs]
reproduce(runs, budget=600)
"""


def test_two_processes_render_train_and_store_once(roots, tmp_path):
    """The second stand-in is rendered when both are under way: the other process has to wait for it."""
    in_two_processes(SCRIPT, beside=__file__)
    records = [results.read(path) for path in roots[0].rglob("*.json")]
    assert sorted(record["seed"] for record in records) == [0, 1]
    assert all(record["provenance"]["processes"] == 2 and record["n_scored"] == 27 for record in records)


def test_load_trains_nothing(roots):
    assert load([toy()]).empty
