import dataclasses
import json
import shutil

import pytest
import torch
from helpers import stop_after
from made_jester import CLASSES, make_jester
from made_runs import SHORT, video
from PIL import Image

import cpnet
from cpnet import results
from cpnet.data.layouts import Index, Video
from cpnet.engine.evaluate import accuracy, score_videos
from cpnet.engine.machine import Machine
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase
from cpnet.engine.setting import Network, VideoData, rendered_folder
from cpnet.engine.training import execute
from cpnet.engine.video_training import VideoTraining, weights_digest
from cpnet.files import locked
from cpnet.standins import Spec, class_names, class_table
from cpnet.standins.partners import partners_told_apart


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_jester(tmp_path_factory.mktemp("jester") / "data")


def make_training(**changes):
    return video(**changes).training


def quiet(root, **options):
    return Machine(data_root=root, progress=False, **options)


def test_run_id_covers_all_that_determines_the_number_and_nothing_else():
    run = make_training()
    assert make_training(keeps_weights=True, snapshots=(1,)).run_id == run.run_id
    changes = [
        {"seed": 1},
        {"network": dataclasses.replace(run.network, k=3)},
        {"data": VideoData("jester", size=24)},
        {"data": VideoData("jester", size=16, backend="pyav")},
        {"data": VideoData("jester", size=16, rendered=Spec("jester", 27, 27, 32, 0))},
        {"recipe": dataclasses.replace(SHORT, optimizer="sgd")},
        {"recipe": dataclasses.replace(SHORT, precision="bf16")},
        {"protocols": {"": Protocol(2, 3)}},
        {"data": VideoData("jester", size=16, clip_rule="symmetric")},
        {"init": make_training(seed=3)},
        {"init": make_training(seed=4)},
        {"revision": 0},
        {"test_protocols": {"": Protocol()}},
    ]
    assert len({run.run_id, *(make_training(**change).run_id for change in changes)}) == len(changes) + 1


def test_what_is_none_is_left_out_so_that_new_options_change_no_id():
    assert "None" not in str(make_training().config) and "init" not in make_training().config


def test_the_record_is_what_the_network_scores(root, roots):
    run = make_training(protocols={"": Protocol(), "2x3": Protocol(2, 3), "k3": Protocol(k=3)})
    machine = quiet(root, folder=roots[0] / "mine")
    record, model = execute(run, machine)
    trained = cpnet.load(machine.folder)
    assert trained.classes == tuple(sorted(CLASSES))
    assert weights_digest(trained.model) == weights_digest(model) == record["weights_sha256"]
    index = trained.index("val", root)
    for name, protocol in run.protocols.items():
        found = accuracy(trained.scores(index, protocol, machine), index.labels())
        for metric, right in found.right.items():
            key = f"{metric}_{name}".rstrip("_")
            assert results.unpack(record["right"][key]).tolist() == right.tolist()
            assert record["metrics"][key] == pytest.approx(100 * right.double().mean().item())
    assert record["n_expected"] == record["n_scored"] == 5 and record["n_substituted"] == 0
    assert len(record["curves"]["train_loss"]) == 2
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_an_interrupted_run_goes_on_and_a_finished_one_can_be_run_again(root, roots, monkeypatch):
    whole, _ = execute(make_training(), quiet(root, folder=roots[0] / "whole"))
    again = quiet(root, folder=roots[0] / "stopped", rerun=True)
    steps, cross_entropy = [], torch.nn.functional.cross_entropy
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "cross_entropy", stop_after(2))
        with pytest.raises(KeyboardInterrupt):
            execute(make_training(), again)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda *a: steps.append(1) or cross_entropy(*a))
    resumed, _ = execute(make_training(), again)
    assert len(steps) == 2  # of the second epoch
    assert resumed["weights_sha256"] == whole["weights_sha256"] and resumed["curves"] == whole["curves"]
    assert [part["processes"] for part in resumed["provenance"]["parts"]] == [1, 1]
    assert resumed["provenance"]["wall_s"] >= sum(s["wall_s"] for s in resumed["provenance"]["parts"]) - 0.2
    make_training().finish(again.folder)
    anew, _ = execute(make_training(), again)
    assert "parts" not in anew["provenance"]
    assert len(steps) == 6 and anew["weights_sha256"] == whole["weights_sha256"]


def test_a_folder_keeps_one_training(root, roots):
    machine = quiet(root, folder=roots[0] / "mine")
    execute(make_training(), machine)
    with pytest.raises(ValueError, match=r"a training with another network, data or recipe, see its config\.json"):
        execute(make_training(seed=1), machine)
    less = roots[0] / "less"
    shutil.copytree(root, less)
    shutil.rmtree(less / "20bn-jester-v1" / "2")
    with pytest.raises(ValueError, match="holds a training with another videos"):
        execute(make_training(), dataclasses.replace(machine, data_root=less))
    with locked(machine.folder), pytest.raises(ValueError, match=r"another process is working in .*mine: wait for it"):
        execute(make_training(), machine)


@pytest.mark.parametrize(
    ("protocol", "message"), [(Protocol(k=3), "k=3: .* has no CP modules"), (Protocol(short_side=8), "short_side=8")]
)
def test_what_cannot_be_tested_is_not_trained(root, roots, protocol, message):
    network = Network("c2d_resnet18", width=4)
    with pytest.raises(ValueError, match=message):
        execute(make_training(network=network, protocols={"": protocol}), quiet(root, folder=roots[0] / "mine"))
    assert not (roots[0] / "mine" / "checkpoints.json").exists()


def test_a_record_names_the_commit_that_was_trained_from(root, roots, monkeypatch):
    commits = iter(["before", "before", *["made meanwhile"] * 9])
    monkeypatch.setattr(results, "_git", lambda *words: next(commits) if "HEAD" in words else "")
    record, _ = execute(make_training(), quiet(root, folder=roots[0] / "mine"))
    assert record["provenance"]["commit"] == "before"


def test_a_config_can_be_trained_from(root, roots):
    run = make_training(
        protocols={"": Protocol(), "k3": Protocol(k=3)}, data=VideoData("jester", size=16, backend="pyav")
    )
    execute(run, quiet(root, folder=roots[0] / "mine"))
    assert VideoTraining.from_config(roots[0] / "mine" / "config.json") == run


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init": {}}, r"starts from another run \(init\): remove that, and give a file as model_args.pretrained"),
        ({"seed": 3}, "seed and recipe.seed differ"),
        ({"protocols": {"k3": {}}}, 'protocols lack the one named ""'),
        ({"protocols": {"": {"num_crops": 4}}}, "protocol '1x4': .* crops are one of 1, 3"),
        ({"protocols": {"": {"num_clips": 0}}}, "protocol '0x1'"),
        ({"recipe": {"phases": [{"epoch": 1}], "seed": 0}}, "TypeError"),
        ({"recipe": {"phases": [], "seed": 0, "optimizer": "adam"}}, "optimizer='adam': choose one of sgd, adamw"),
        ({"data": {"name": "jester", "augmentation": "crop"}}, "augmentation='crop': choose one of released, crops"),
        ({"data": {"name": "jester", "clip_rule": "Released"}}, "clip_rule='Released': choose one of released, "),
        ({"data": {"name": "jester", "backend": "ffmpeg"}}, "backend='ffmpeg': choose one of decord, pyav"),
        ({"model_args": {"wdith": 3}}, "TypeError"),
    ],
)
def test_a_config_that_cannot_be_trained_from_is_refused(tmp_path, change, message):
    (tmp_path / "config.json").write_text(json.dumps({"config": make_training().config | change}))
    with pytest.raises(ValueError, match=r"config\.json cannot be trained from: .*" + message):
        VideoTraining.from_config(tmp_path / "config.json")


def test_the_config_of_a_stand_in_is_trained_on_the_folder_that_is_given(root, tmp_path):
    run = make_training(data=VideoData("jester", size=16, rendered=Spec("jester", 27, 27, 32, 0)))
    (tmp_path / "config.json").write_text(json.dumps({"config": run.config}))
    assert VideoTraining.from_config(tmp_path / "config.json").run_id == make_training().run_id


def test_a_data_set_without_a_folder_or_with_other_classes_is_refused(root, roots, tmp_path):
    with pytest.raises(ValueError, match="no folder of jester: give data_root"):
        execute(make_training(), Machine(progress=False))
    execute(make_training(), quiet(root, folder=roots[0] / "mine"))
    training = cpnet.load(roots[0] / "mine")
    other = make_jester(tmp_path / "other")
    (other / "jester-v1-labels.csv").write_text("Red\nBlue\nGreen\nYellow\n")
    with pytest.raises(ValueError, match=r"other classes than those trained on \(4 and 3; one has Yellow\)"):
        training.index("val", other)
    with pytest.raises(ValueError, match="no folder of jester: give --data-root"):
        training.index("val", None)
    with pytest.raises(FileNotFoundError, match=r"no config.json in .*nowhere: give the folder of a training"):
        cpnet.load(tmp_path / "nowhere")


def test_a_validation_split_with_other_classes_is_refused_before_training(tmp_path):
    for image in ("train/a/1.png", "train/b/2.png", "val/b/3.png"):
        (tmp_path / image).parent.mkdir(parents=True)
        Image.new("RGB", (20, 20)).save(tmp_path / image)
    with pytest.raises(ValueError, match=r"val of .* has other classes than .* \(1 and 2; one has a\)"):
        execute(make_training(data=VideoData("images", size=16)), quiet(tmp_path, folder=tmp_path / "mine"))
    assert not (tmp_path / "mine").exists()


def test_what_is_tested_is_not_tested_again_after_an_interruption(root, roots, monkeypatch):
    training = make_training(protocols={"": Protocol(), "2x1": Protocol(2), "3x1": Protocol(3, videos=4)})
    whole, _ = execute(training, quiet(root, folder=roots[0] / "whole"))
    stopped, tested, score = quiet(root, folder=roots[0] / "stopped"), [], score_videos

    def stop_at(clips):
        def scored(model, views, *arguments, **options):
            tested.append(views.num_clips)
            if views.num_clips == clips:
                raise KeyboardInterrupt
            return score(model, views, *arguments, **options)

        monkeypatch.setattr("cpnet.engine.protocols.score_videos", scored)

    stop_at(3)
    with pytest.raises(KeyboardInterrupt):
        execute(training, stopped)
    assert tested == [1, 1, 1, 2, 3]  # after each of two epochs, then by each protocol
    stop_at(0)
    again, _ = execute(training, stopped)
    assert tested[5:] == [3]
    assert (again["right"], again["metrics"]) == (whole["right"], whole["metrics"])


def test_damaged_videos_are_counted_as_errors_and_training_ends(roots, tmp_path):
    damaged = make_jester(tmp_path / "damaged", train=8, val=5)
    for number in (3, 10):  # one of each split
        for file in (damaged / "20bn-jester-v1" / str(number)).iterdir():
            file.write_bytes(b"damaged")
    right = Protocol()
    machine = quiet(damaged, folder=tmp_path / "mine")
    record, _ = execute(make_training(protocols={"": right}), machine)
    assert (record["n_expected"], record["n_scored"], record["n_substituted"]) == (5, 4, 2)
    trained = cpnet.load(tmp_path / "mine")
    index = trained.index("val", damaged)
    scores = trained.scores(index, right, machine)
    hits = (scores.nan_to_num(-1).argmax(1) == torch.tensor(index.labels())) & ~scores.isnan().any(1)
    assert record["metrics"]["val_top1"] == pytest.approx(100 * hits.sum().item() / 5)


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
    told = partners_told_apart(scores, index)
    assert (len(told), sum(told)) == (len(paired), len(right))
    assert not any(partners_told_apart(torch.full_like(scores, float("nan")), index))


TWO_PHASES = dataclasses.replace(SHORT, phases=(Phase(2, 3, 1, 0.01), Phase(2, 6, 1, 0.001, freeze_bn=True)))


def test_a_run_in_two_phases_says_what_was_right_after_the_first(root, roots, monkeypatch):
    first = make_training(recipe=dataclasses.replace(TWO_PHASES, phases=TWO_PHASES.phases[:1]))
    alone, _ = execute(first, quiet(root, folder=roots[0] / "alone"))
    training = make_training(recipe=TWO_PHASES)
    whole, _ = execute(training, quiet(root, folder=roots[0] / "whole"))
    assert whole["right"]["val_top1_phase1"] == alone["right"]["val_top1"] and "val_top1_phase2" not in whole["right"]
    assert whole["metrics"]["val_top1_phase1"] == alone["metrics"]["val_top1"]

    again = quiet(root, folder=roots[0] / "stopped")
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "cross_entropy", stop_after(6))  # in the last epoch
        with pytest.raises(KeyboardInterrupt):
            execute(training, again)
    resumed, _ = execute(training, again)
    assert len(resumed["provenance"]["parts"]) == 2
    same = ("metrics", "right", "predicted", "curves", "weights_sha256")
    assert {name: resumed[name] for name in same} == {name: whole[name] for name in same}


def test_classes_that_are_predicted_are_stored(root, roots):
    machine = quiet(root, folder=roots[0] / "mine")
    record, _ = execute(make_training(), machine)
    index = cpnet.load(machine.folder).index("val", root)
    hits = [int(n) == label for n, label in zip(record["predicted"]["val"].split(), index.labels(), strict=True)]
    assert results.unpack(record["right"]["val_top1"]).tolist() == hits


def answers(path):
    return dict(line.split(";") for line in path.read_text().splitlines())


def test_submissions_are_right_as_often_as_the_record_says(roots):
    data = VideoData("jester", size=16, rendered=Spec("jester", 27, 27, 32, 0, test=40))
    machine = Machine(progress=False, folder=roots[0] / "mine")
    training = make_training(data=data, test_protocols={"": Protocol(), "2x3": Protocol(2, 3)})
    training.prepare(machine)
    record, _ = execute(training, machine)
    truth = answers(rendered_folder(data.rendered) / "test-answers.csv")
    best = answers(machine.folder / "submission" / "jester-test-labels.csv")
    assert len(truth) == 40 and set(best) == set(truth)
    assert record["metrics"]["test_top1"] == 100 * sum(best[video] == truth[video] for video in truth) / 40
    names = sorted(class_names("jester"))
    lines = (machine.folder / "submission" / "jester-test-indices.csv").read_text().splitlines()
    five = {video: [names[int(n)] for n in numbers] for video, *numbers in (line.split(";") for line in lines)}
    assert record["metrics"]["test_top5"] == 100 * sum(truth[video] in five[video] for video in truth) / 40
    frame = results.measurements([record | {"table": "t", "row": "r", "profile": "smoke"}]).set_index(
        ["metric", "protocol"]
    )
    assert frame.loc[("test_top1", ""), "value"] == record["metrics"]["test_top1"]
    assert frame.loc[("test_top1", "2x3"), "value"] == record["metrics"]["test_top1_2x3"]


def test_a_test_split_without_answers_has_submissions_and_no_accuracy(tmp_path, roots, capsys):
    root = make_jester(tmp_path / "data", test=4)
    machine = quiet(root, folder=roots[0] / "mine")
    record, _ = execute(make_training(test_protocols={"": Protocol()}), machine)
    assert "jester test has no labels here" in capsys.readouterr().out
    assert not any(name.startswith("test_") for name in record["metrics"])
    assert len(answers(machine.folder / "submission" / "jester-test-labels.csv")) == 4


def test_a_folder_without_a_test_split_is_trained_on_all_the_same(tmp_path, roots, capsys):
    root = make_jester(tmp_path / "data")
    (root / "jester-v1-test.csv").unlink()
    record, _ = execute(make_training(test_protocols={"": Protocol()}), quiet(root, folder=roots[0] / "mine"))
    assert "the test split is left out: no annotation under" in capsys.readouterr().out
    assert "val_top1" in record["metrics"] and "test_top1" not in record["metrics"]
