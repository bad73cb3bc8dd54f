import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from made_jester import CLASSES, make_jester

from cpnet import results
from cpnet.data.layouts import Index, Video
from cpnet.engine.accelerator import make_accelerator
from cpnet.engine.evaluate import accuracy
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase, Recipe
from cpnet.experiments import run as run_module
from cpnet.experiments.run import Machine, execute, reproduce
from cpnet.experiments.training_folder import read_training, rendered_folder
from cpnet.experiments.video_run import (
    Network,
    VideoData,
    VideoRun,
    partners_told_apart,
    read_config,
    weights_digest,
)
from cpnet.lock import locked
from cpnet.standins import Spec, class_table

SHORT = Recipe((Phase(2, 3, 1, 0.01),), batch_size=4, optimizer="adamw", schedule="one_cycle")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_jester(tmp_path_factory.mktemp("jester") / "data")


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Empty folders of runs, and of local and committed results."""
    monkeypatch.setenv("CPNET_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("CPNET_LOCAL_RESULTS", str(tmp_path / "local"))
    monkeypatch.setattr(results, "COMMITTED", tmp_path / "committed")
    return tmp_path / "local", tmp_path / "committed"


def make_run(**changes):
    run = VideoRun(
        "table9",
        "cpnet",
        "smoke",
        0,
        network=Network("cpnet_resnet18", width=4, stem="112_no_pool", positions="4", k=2),
        data=VideoData("jester", size=16),
        recipe=SHORT,
    )
    return dataclasses.replace(run, **changes)


def quiet(root, **options):
    return Machine(data_root=root, progress=False, **options)


def test_run_id_covers_all_that_determines_the_number_and_nothing_else():
    run = make_run()
    assert make_run(table="table2", row="other", profile="gpu", keeps_weights=True).run_id == run.run_id
    changes = [
        {"seed": 1},
        {"network": dataclasses.replace(run.network, k=3)},
        {"data": VideoData("jester", size=24)},
        {"data": VideoData("jester", size=16, backend="pyav")},
        {"data": VideoData("jester", size=16, rendered=Spec("jester", 27, 27, 32, 0))},
        {"recipe": dataclasses.replace(SHORT, optimizer="sgd")},
        {"recipe": dataclasses.replace(SHORT, precision="bf16")},
        {"protocols": {"": Protocol(2, 3)}},
        {"tuning": Spec("jester", 0, 27, 32, 1)},
        {"init": make_run(seed=3)},
        {"init": make_run(seed=4)},
        {"revision": 0},
    ]
    assert len({run.run_id, *(make_run(**change).run_id for change in changes)}) == len(changes) + 1


def test_what_is_none_is_left_out_so_that_new_options_change_no_id():
    assert "None" not in str(make_run().config) and "init" not in make_run().config


def test_the_record_is_what_the_network_scores(root, roots):
    run = make_run(protocols={"": Protocol(), "2x3": Protocol(2, 3), "k3": Protocol(k=3)})
    record, model = execute(run, quiet(root))
    training = read_training(run.folder(quiet(root)))
    assert training.classes == tuple(sorted(CLASSES))
    assert weights_digest(training.model) == weights_digest(model) == record["weights_sha256"]
    index = training.index("val", root)
    for name, protocol in run.protocols.items():
        views = training.views(index, protocol)
        found = accuracy(
            protocol.scores(training.model, views, make_accelerator("cpu"), progress=False), index.labels()
        )
        assert record["metrics"][f"val_top1_{name}".rstrip("_")] == found.top1
    assert record["n_expected"] == record["n_scored"] == 5 and record["n_substituted"] == 0
    assert len(record["curves"]["train_loss"]) == 2
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_an_interrupted_run_goes_on_and_a_finished_one_can_be_run_again(root, roots, monkeypatch):
    whole, _ = execute(make_run(), quiet(root, folder=roots[0] / "whole"))
    steps = []

    def stop(*arguments):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return cross_entropy(*arguments)

    cross_entropy = torch.nn.functional.cross_entropy
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "cross_entropy", stop)
        with pytest.raises(KeyboardInterrupt):
            execute(make_run(), quiet(root, rerun=True))
    steps.clear()
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda *a: steps.append(1) or cross_entropy(*a))
    resumed, _ = execute(make_run(), quiet(root, rerun=True))
    assert len(steps) == 2  # of the second epoch
    assert resumed["weights_sha256"] == whole["weights_sha256"] and resumed["curves"] == whole["curves"]
    assert [part["processes"] for part in resumed["provenance"]["parts"]] == [1, 1]
    assert resumed["provenance"]["wall_s"] >= sum(s["wall_s"] for s in resumed["provenance"]["parts"]) - 0.2
    make_run().finish(quiet(root))
    again, _ = execute(make_run(), quiet(root, rerun=True))
    assert "parts" not in again["provenance"]
    assert len(steps) == 6 and again["weights_sha256"] == whole["weights_sha256"]


def test_reproduce_loads_what_is_stored_and_trains_the_rest(root, roots):
    options = {"data_root": root, "progress": False}
    runs = [make_run(), make_run(seed=1)]
    frame = reproduce(runs, **options, budget=0)
    assert frame.empty
    frame = reproduce(runs[:1], **options)
    assert (
        frame["seed"].tolist() == [0] and list(roots[0].rglob("*.json")) and not list(roots[0].rglob("*.safetensors"))
    )
    path = runs[0].stored((roots[0],))
    before = path.stat().st_mtime_ns
    frame = reproduce(runs, **options)
    assert frame["seed"].tolist() == [0, 1] and path.stat().st_mtime_ns == before


def test_a_run_starts_from_the_weights_of_another(root, roots):
    first = make_run(network=Network("c2d_resnet18", width=4, stem="112_no_pool"), keeps_weights=True, row="pretrain")
    second = make_run(init=first, recipe=dataclasses.replace(SHORT, phases=(Phase(1, 3, 1, 0.0),)))
    frame = reproduce([second], data_root=root, progress=False)
    assert len(frame) == 1
    records = [results.read(path) for path in roots[0].rglob("*.json")]
    assert sorted(record["row"] for record in records) == ["cpnet", "pretrain"]
    before = results.read_weights(first.stored(roots))
    after = read_training(second.folder(Machine())).model.state_dict()
    parameters = [name for name in before if name.endswith("weight") and not name.startswith("fc.")]
    assert len(parameters) > 20 and all(torch.equal(before[name], after[name]) for name in parameters)
    assert not torch.equal(before["fc.weight"], after["fc.weight"])


def test_a_folder_keeps_one_training(root, roots):
    machine = quiet(root, folder=roots[0] / "mine")
    execute(make_run(), machine)
    with pytest.raises(ValueError, match=r"a training with another network, data or recipe, see its config\.json"):
        execute(make_run(seed=1), machine)
    less = roots[0] / "less"
    shutil.copytree(root, less)
    shutil.rmtree(less / "20bn-jester-v1" / "2")
    with pytest.raises(ValueError, match="holds a training with another videos"):
        execute(make_run(), dataclasses.replace(machine, data_root=less))
    with locked(machine.folder), pytest.raises(ValueError, match=r"another process is working in .*mine: wait for it"):
        execute(make_run(), machine)


def test_a_config_can_be_trained_from(root, roots):
    run = make_run(protocols={"": Protocol(), "k3": Protocol(k=3)}, data=VideoData("jester", size=16, backend="pyav"))
    execute(run, quiet(root, folder=roots[0] / "mine"))
    assert read_config(roots[0] / "mine" / "config.json", "row").run_id == run.run_id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init": {}}, r"starts from another run \(init\): remove that, and give a file as model_args.pretrained"),
        ({"seed": 3}, "seed and recipe.seed differ"),
        ({"protocols": {"k3": {}}}, 'protocols lack the one named ""'),
        ({"recipe": {"phases": [{"epoch": 1}], "seed": 0}}, "TypeError"),
        ({"recipe": {"phases": [], "seed": 0, "optimizer": "adam"}}, "optimizer='adam': choose one of sgd, adamw"),
        ({"data": {"name": "jester", "augmentation": "crop"}}, "augmentation='crop': choose one of released, crops"),
        ({"model_args": {"wdith": 3}}, "TypeError"),
    ],
)
def test_a_config_that_cannot_be_trained_from_is_refused(tmp_path, change, message):
    (tmp_path / "config.json").write_text(json.dumps({"config": make_run().config | change}))
    with pytest.raises(ValueError, match=r"config\.json cannot be trained from: .*" + message):
        read_config(tmp_path / "config.json", "row")


def test_the_config_of_a_stand_in_is_trained_on_the_folder_that_is_given(root, tmp_path):
    run = make_run(data=VideoData("jester", size=16, rendered=Spec("jester", 27, 27, 32, 0)))
    (tmp_path / "config.json").write_text(json.dumps({"config": run.config}))
    assert read_config(tmp_path / "config.json", "row").run_id == make_run().run_id


def test_a_stored_result_of_other_videos_is_refused(root, roots, tmp_path):
    reproduce([make_run()], data_root=root, progress=False)
    other = make_jester(tmp_path / "other", train=9)
    with pytest.raises(ValueError, match=r"is of other train videos than .*other lists"):
        reproduce([make_run()], data_root=other, progress=False)


def test_a_data_set_without_a_folder_or_with_other_classes_is_refused(root, roots, tmp_path):
    with pytest.raises(ValueError, match="no folder of jester: give data_root"):
        execute(make_run(), Machine(progress=False))
    execute(make_run(), quiet(root, folder=roots[0] / "mine"))
    training = read_training(roots[0] / "mine")
    other = make_jester(tmp_path / "other")
    (other / "jester-v1-labels.csv").write_text("Red\nBlue\nGreen\nYellow\n")
    with pytest.raises(ValueError, match=r"other classes than those trained on \(4 and 3; one has Yellow\)"):
        training.index("val", other)
    with pytest.raises(ValueError, match="no folder of jester: give --data-root"):
        training.index("val", None)
    with pytest.raises(FileNotFoundError, match=r"no config.json in .*nowhere: give the folder of a training"):
        read_training(tmp_path / "nowhere")


def test_damaged_videos_are_counted_as_errors_and_training_ends(roots, tmp_path):
    damaged = make_jester(tmp_path / "damaged", train=8, val=5)
    for number in (3, 10):  # one of each split
        for file in (damaged / "20bn-jester-v1" / str(number)).iterdir():
            file.write_bytes(b"damaged")
    right = Protocol()
    record, _ = execute(make_run(protocols={"": right}), quiet(damaged, folder=tmp_path / "mine"))
    assert (record["n_expected"], record["n_scored"], record["n_substituted"]) == (5, 4, 2)
    training = read_training(tmp_path / "mine")
    index = training.index("val", damaged)
    scores = right.scores(training.model, training.views(index, right), make_accelerator("cpu"), progress=False)
    hits = (scores.nan_to_num(-1).argmax(1) == index.labels()) & ~scores.isnan().any(1)
    assert record["metrics"]["val_top1"] == pytest.approx(100 * hits.sum().item() / 5)


def test_a_stand_in_is_rendered_when_it_is_needed(roots):
    spec, tuning = Spec("jester", 27, 27, 32, 0), Spec("jester", 0, 27, 32, 1)
    run = make_run(data=VideoData("jester", size=32, rendered=spec), tuning=tuning)
    run = dataclasses.replace(run, recipe=dataclasses.replace(SHORT, phases=(Phase(1, 3, 4, 0.01),), batch_size=9))
    frame = reproduce([run], progress=False)
    assert (rendered_folder(spec) / "jester-v1-train.csv").is_file()
    assert {"tune_top1", "val_top1", "val_partners"} <= {*frame}


def test_partners_are_told_apart_by_their_own_two_scores():
    partner = class_table("something")["partner, played backwards"]
    classes = tuple(sorted(partner.index))
    label = {name: i for i, name in enumerate(classes)}
    paired = [name for name in classes if partner[name]]
    index = Index("something", "val", classes, [Video(str(i), i, label[name]) for i, name in enumerate(classes)])
    scores = torch.zeros(len(classes), len(classes))
    scores[:, label["Holding something"]] = 9.0  # what wins over all plays no role
    right = paired[::3]
    for i, name in enumerate(classes):
        if partner[name]:
            scores[i, label[name if name in right else partner[name]]] = 1.0
    index.videos = [Video(video.id, results.REPOSITORY, video.label) for video in index.videos]
    assert partners_told_apart(scores, index)["val_partners"] == pytest.approx(100 * len(right) / len(paired))
    assert partners_told_apart(torch.full_like(scores, float("nan")), index) == {"val_partners": 0.0}


def test_rows_that_are_one_run_are_trained_once(root, roots):
    runs = [make_run(), make_run(table="table8", row="same")]
    frame = reproduce(runs, data_root=root, jobs=2, progress=False)
    assert frame["table"].tolist() == ["table9", "table8"] and frame["val_top1"].nunique() == 1
    assert len(list(roots[0].rglob("*.json"))) == 1


def test_a_deleted_result_is_trained_again(root, roots):
    reproduce([make_run()], data_root=root, progress=False)
    log = make_run().folder(Machine()) / "log.csv"
    before = log.stat().st_mtime_ns
    make_run().stored((roots[0],)).unlink()
    reproduce([make_run()], data_root=root, progress=False)
    assert log.stat().st_mtime_ns > before


def test_a_run_that_others_start_from_is_trained_once_and_first(root, roots, monkeypatch):
    first = make_run(network=Network("c2d_resnet18", width=4, stem="112_no_pool"), keeps_weights=True, row="pretrain")
    done = []
    monkeypatch.setattr(run_module, "_execute_and_store", lambda run, machine, out: done.append(run.row))
    reproduce([make_run(init=first), first, make_run(init=first, seed=1)], data_root=root, progress=False)
    assert done == ["pretrain", "cpnet", "cpnet"]
    reproduce([make_run(init=first), first], data_root=root, progress=False, rerun=True)
    assert done[3:] == ["pretrain", "cpnet"]


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_video_run import Spec, VideoData, make_run, reproduce
from cpnet.engine.accelerator import leave_processes
runs = [make_run(seed=i, data=VideoData("jester", size=32, rendered=Spec("jester", 27, 27, 32, i))) for i in (0, 1)]
reproduce(runs, budget=float(sys.argv[2]), progress=False)
leave_processes()
"""


def test_two_processes_render_train_and_store_once(roots, tmp_path):
    """The second stand-in is rendered when both are under way: the other process has to wait for it."""
    here = str(Path(__file__).parent)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*launch, sys.executable, "-c", SCRIPT, here, "600"], check=True, env=environment)
    records = [results.read(path) for path in roots[0].rglob("*.json")]
    assert sorted(record["seed"] for record in records) == [0, 1]
    assert all(record["provenance"]["processes"] == 2 and record["n_scored"] == 27 for record in records)
