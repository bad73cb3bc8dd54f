import errno
import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import torch
from made_jester import make_jester
from odd_videos import make

from cpnet.__main__ import COMMANDS, main
from cpnet.engine.scores import read_scores
from cpnet.experiments.tables import select_runs
from cpnet.results import REPOSITORY

NOWHERE = "/sys/kernel/cpnet"  # where nobody can write, the superuser neither
TEXTS = ("README.md", "CONTRIBUTING.md", "results/README.md", "book/*.md", "notebooks/*.ipynb", "cpnet/**/*.py")


def test_without_a_command_all_are_listed(capsys):
    main([])
    main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines].count(["models", "list", "the", "networks"]) == 2
    assert len(lines) == 2 * (2 + len(COMMANDS))


@pytest.mark.parametrize(
    ("words", "nearest"),
    [(["reprodce", "table1"], "reproduce"), (["bench", "cpp"], "bench cp"), (["data", "--x"], "data check")],
)
def test_an_unknown_command_names_the_nearest(words, nearest):
    with pytest.raises(SystemExit, match=rf"^error: no command '{words[0]}', did you mean {nearest}\?"):
        main(words)


def test_a_command_is_a_function_in_a_module_of_its_name():
    for name in COMMANDS:
        module = name.replace(" ", "_").replace("-", "_")
        source = (REPOSITORY / "cpnet" / "commands" / f"{module}.py").read_text()
        assert len(re.findall(r"^def [a-z]", source, re.M)) == 1 and f"\ndef {module}(" in source


def test_the_setting_of_a_row_is_printed_whole(capsys):
    main(["config", "table3b", "k8"])
    out = capsys.readouterr().out
    assert "# python -m cpnet reproduce table3b --rows k8 --seeds 0" in out
    assert "# test k = 8, paper: 60.7*" in out and "minutes a run: " in out
    parts = [line.partition(": ") for line in out.splitlines() if not line.startswith("#")]
    setting = {name: json.loads(part) for name, _, part in parts}
    (run,) = select_runs("table3b", rows=("k8",), seeds=(0,))
    assert setting.pop("model_defaults") == run.training.model_defaults
    assert setting == run.training.config


def test_errors_of_the_user_are_one_line():
    with pytest.raises(SystemExit, match=r"^error: no row 'x' in table1: choose among"):
        main(["reproduce", "table1", "--rows", "x"])


def documented_commands():
    files = [path for pattern in TEXTS for path in REPOSITORY.glob(pattern)]
    return {
        tuple(match.split()[:2])
        for path in files
        for match in re.findall(r"python -m cpnet ([a-z][\w -]*)", path.read_text())
    }


def test_documented_commands_exist():
    commands = documented_commands()
    assert len(commands) >= 8
    assert not [words for words in commands if " ".join(words) not in COMMANDS and words[0] not in COMMANDS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "table1", "--budget", "3 days"], "error: budget '3 days': give a number of seconds, minutes"),
        (["predict", "nowhere.mp4", "--checkpoint", "nowhere"], "error: no config.json in nowhere: give the folder"),
        (["evaluate", "nowhere"], "error: no config.json in nowhere"),
        (["train", "--out", "x", "--data-root", "nowhere"], "error: no annotation under nowhere: looked for"),
        (["train", "--out", "x", "--data-root", "y", "--protocol", "9"], "error: protocol '9': give clips x crops"),
        (["train", "--out", "x"], "error: no folder of something: give --data-root"),
        (["config", "table3b", "k9"], "error: no row 'k9' in table3b: choose among k1, k2"),
        (["reproduce", "tabel1"], "error: no table 'tabel1', did you mean table1: there are table1, table1_controls"),
        (["train", "--out", "README.md", "--data-root", "y"], "error: README.md is a file: give a folder"),
        (["train", "--out", "x", "--data-root", "y", "--config", "z", "--network.k", "3"], "error: --config takes the"),
        (["evaluate", "x", "--submission", "y"], "error: --submission is for test sets: give --split test, not val"),
        (["reproduce", "table3a", "--jobs", "0"], "error: jobs=0: give at least one job"),
        (["models", "zzz*"], "error: no network matches 'zzz*': there are artnet_resnet101"),
        (["summary", "cpnet_toy", "--num-frames", "0"], "error: --num-frames 0: give 1 or more"),
        (["summary", "c2d_resnet18", "--k", "3"], "error: c2d_resnet18 takes no argument k"),
        (["summary", "cpnet_resnet18", "--positions", "7"], "error: positions='7': choose one of 1, 2, 4"),
    ],
)
def test_errors_say_what_is_wrong(arguments, message, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert str(stop.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dump", "tests"], "error: tests cannot be written (it is a folder): give another file"),
        (["--dump", "README.md/x"], "error: README.md/x cannot be written ("),
        (["--split", "test", "--submission", "README.md"], "error: README.md/ids.csv cannot be written ("),
    ],
)
def test_outputs_of_an_evaluation_are_probed_before_it(trained, options, message, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", str(trained[1]), "--data-root", str(trained[0]), *options])
    assert str(stop.value).startswith(message) and not capsys.readouterr().out


def test_a_full_disk_is_said(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write to an open file says it, without a name

    monkeypatch.setattr("cpnet.__main__._run", full)
    with pytest.raises(SystemExit, match=r"^error: \[Errno \d+\] No space left on device$"):
        main(["models"])


def test_rows_that_cannot_be_used_count_as_errors(trained, capsys, tmp_path):
    root, folder = trained
    shutil.copytree(root, tmp_path / "data")
    with (tmp_path / "data" / "jester-v1-validation.csv").open("a") as lines:
        lines.write("99;Purple\n;Blue\n")
    main(["evaluate", str(folder), "--data-root", str(tmp_path / "data"), "--per-class", str(tmp_path / "c.csv")])
    out = capsys.readouterr().out
    assert "jester val: 7 listed, 5 found" in out and "2 unusable rows: " in out
    assert "5 of 7 videos scored, the others count as errors" in out
    top1 = float(re.search(r"top-1 (\S+) %", out)[1])
    assert top1 * 7 / 100 == pytest.approx(round(top1 * 7 / 100), abs=0.01)
    assert pd.read_csv(tmp_path / "c.csv")["videos"].sum() == 5


def test_what_decord_cannot_read_is_predicted_by_pyav(trained, capsys, tmp_path):
    make(tmp_path, "stream.ts")
    given = ["--checkpoint", str(trained[1]), "--protocol", "1x1", "--device", "cpu"]
    main(["predict", str(tmp_path / "stream.ts"), *given])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("read by PyAV: decord would misread it: ") and len(lines) == 3
    main(["predict", str(tmp_path / "stream.ts"), *given, "--backend", "pyav"])
    assert capsys.readouterr().out.splitlines() == lines


def test_models_are_listed_with_their_weights(capsys):
    main(["models", "c2d*"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["c2d_resnet18", "10.84", "Mi"] in lines and len(lines) == 3


def test_a_summary_has_the_paper_s_stages(capsys):
    main(["summary", "cpnet_resnet18", "--variant", "paper", "--width", "16", "--size", "64", "--num-frames", "4"])
    out = capsys.readouterr().out
    assert "8×8×4" in out and "[3×3, 64; 3×3, 64; CP module] × 2" in out
    assert "weights of convolutions and linear layers: " in out and "multiply-adds: " in out


OWN = ["--data.name", "jester", "--data.size", "16", "--network.width", "4", "--network.positions", "4"]
OWN += ["--network.k", "2", "--recipe.batch-size", "4", "--recipe.phases.0.epochs", "2"]
OWN += ["--recipe.phases.0.num-frames", "3", "--recipe.phases.0.frame-step", "1", "--workers", "0", "--device", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set, and the folder of a training on it by the command line."""
    folder = tmp_path_factory.mktemp("main")
    root = make_jester(folder / "jester", val=5, test=4)
    main(["train", "--out", str(folder / "own"), "--data-root", str(root), *OWN])
    return root, folder / "own"


def test_a_training_leaves_all_that_is_needed_to_use_it(trained):
    _, folder = trained
    assert {"config.json", "log.csv", "result.json", "curves.png"} <= {path.name for path in folder.iterdir()}
    assert len((folder / "log.csv").read_text().splitlines()) == 3
    record = json.loads((folder / "result.json").read_text())
    assert record["n_expected"] == 5 and record["config"]["model"] == "cpnet_resnet18"


def test_a_training_goes_on_or_refuses_to(trained, capsys):
    root, folder = trained
    before = (folder / "log.csv").read_text()
    main(["train", "--out", str(folder), "--data-root", str(root), *OWN])
    assert "5 of 5 videos scored" in capsys.readouterr().out
    assert (folder / "log.csv").read_text() == before
    with pytest.raises(SystemExit, match="exists already: give another folder, or --resume auto"):
        main(["train", "--out", str(folder), "--data-root", str(root), *OWN, "--resume", "never"])


def test_a_training_that_never_began_does_not_block_its_folder(trained, tmp_path, capsys):
    root, _ = trained
    command = ["train", "--out", str(tmp_path / "own"), "--data-root", str(root), *OWN]
    with pytest.raises(SystemExit, match="error: batch_size=100: give 1 to 8, the number of videos"):
        main([*command, "--recipe.batch-size", "100"])
    main(command)
    for option, message in (
        (["--recipe.phases.0.epochs", "0"], "epochs=0 in a phase: give 1 or more"),
        (["--workers", "-1"], "workers=-1: give 0 or more"),
        (["--device", "cuda:99"], "device='cuda:99': torch finds"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*command, *option])
        assert message in " ".join(re.sub("[│╭╮╰╯─]", " ", f"{stop.value} {capsys.readouterr().err}").split())


def test_a_damaged_checkpoint_is_named(trained, tmp_path):
    root, folder = trained
    shutil.copytree(folder, tmp_path / "own")
    for weights in (tmp_path / "own").glob("*/model.safetensors"):
        weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(SystemExit, match=r"error: .*model\.safetensors cannot be read into this network"):
        main(["evaluate", str(tmp_path / "own"), "--data-root", str(root)])
    (tmp_path / "own" / "config.json").write_text("{")
    with pytest.raises(SystemExit, match=r"error: .*config\.json is damaged"):
        main(["evaluate", str(tmp_path / "own"), "--data-root", str(root)])


def test_a_video_that_is_missing_is_named(trained, capsys, tmp_path):
    root, folder = trained
    shutil.copytree(root, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "20bn-jester-v1" / "10")
    main(["evaluate", str(folder), "--data-root", str(tmp_path / "data")])
    assert "4 of 5 videos scored, the others count as errors\nnot scored: 10\n" in capsys.readouterr().out


def test_an_evaluation_prints_accuracy_and_keeps_scores(trained, capsys, tmp_path):
    root, folder = trained
    dump = tmp_path / "scores.safetensors"
    by_class = tmp_path / "classes.csv"
    options = ["--protocol", "2x3", "--k", "4", "--dump", str(dump), "--per-class", str(by_class)]
    main(["evaluate", str(folder), "--data-root", str(root), *options])
    out = capsys.readouterr().out
    scores, ids, labels, _ = read_scores(dump)
    top1 = 100 * (scores.argmax(1) == torch.tensor(labels)).double().mean().item()
    assert f"top-1 {top1:.2f} %, top-5 100.00 %, 2x3, jester val, k 4, last checkpoint" in out and len(ids) == 5
    table = pd.read_csv(by_class)
    assert table["videos"].sum() == 5 and (table["top1"] * table["videos"]).sum() / 5 == pytest.approx(top1)
    assert table["top1"].is_monotonic_increasing


def test_what_is_exchanged_in_mirrored_views_is_said(trained, capsys, tmp_path):
    root, folder = (shutil.copytree(path, tmp_path / path.name) for path in trained)
    for file in (*root.glob("*.csv"), folder / "config.json"):
        text = file.read_text().replace("Blue", "Swiping Left").replace("Green", "Swiping Right")
        file.write_text(text.replace("Red", "Thumb Up"))
    said = "in mirrored views, scores of left and right are exchanged: Swiping Left and Swiping Right\n"
    for protocol, times in (("1x10", 1), ("1x3", 0)):
        main(["evaluate", str(folder), "--data-root", str(root), "--protocol", protocol])
        assert capsys.readouterr().out.count(said) == times


def test_a_test_split_without_labels_gives_submissions_and_no_accuracy(trained, capsys, tmp_path):
    root, folder = trained
    main(["evaluate", str(folder), "--data-root", str(root), "--split", "test", "--submission", str(tmp_path)])
    out = capsys.readouterr().out
    assert "no labels here: no accuracy" in out and "top-1" not in out
    assert len((tmp_path / "jester-test-labels.csv").read_text().splitlines()) == 4


def test_a_prediction_of_any_file_is_its_evaluation(trained, capsys, tmp_path):
    root, folder = trained
    dump = tmp_path / "scores.safetensors"
    main(["evaluate", str(folder), "--data-root", str(root), "--dump", str(dump)])
    scores, ids, _, classes = read_scores(dump)
    video = root / "20bn-jester-v1" / ids[0]
    capsys.readouterr()
    main(["predict", str(video), "--checkpoint", str(folder), "--protocol", "1x1", "--device", "cpu"])
    lines = capsys.readouterr().out.splitlines()
    best = scores[0].sort(descending=True)
    assert lines == [f"{100 * s:6.2f} %  {classes[c]}" for s, c in zip(*map(torch.Tensor.tolist, best), strict=True)]


def test_torchrun_trains_and_tests_each_video_once(trained, tmp_path):
    root, _ = trained
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "cpnet"]
    command = [*launch, "train", "--out", str(tmp_path / "own"), "--data-root", str(root), *OWN]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("5 of 5 videos scored") == 1  # an odd number, by two processes, of which one speaks
    assert len((tmp_path / "own" / "log.csv").read_text().splitlines()) == 3


# Each command with what is not there: a file, a device, a folder that can be written. Where {x} stands, is a training.
WITHOUT_FILE = [
    "compare {nowhere}",
    "train --out {tmp}/x --data-root {nowhere}",
    "evaluate {nowhere}",
    "evaluate {x} --data-root {nowhere}",
    "predict {nowhere}.mp4 --checkpoint {x}",
    "explore {nowhere}.mp4 --checkpoint {x}",
    "data check {nowhere} --dataset kinetics",
    "bench data --dataset jester --root {nowhere}",
    "reproduce table5b --profile paper --data-root {nowhere}",
    "config {nowhere} k8",
    "models {nowhere}",
    "summary {nowhere}",
]
WITH_DEVICE = {
    "reproduce": "table1_live",
    "train": "--out {tmp}/x --data-root {data}",
    "evaluate": "{x} --data-root {data}",
    "predict": "{data}/20bn-jester-v1/10 --checkpoint {x}",
    "bench cp": "",
    "bench models": "",
    "bench train": "",
    "bench run-time": "--out {tmp}",
    "bench runs": "table3a",
}
WITH_OUT = {
    "reproduce": "table1_live --rerun",
    "train": "--data-root {data} " + " ".join(OWN),
    "explore": "{data}/20bn-jester-v1/10 --checkpoint {x}",
    "data check": "{data} --dataset jester",
    "data render": "jester",
    "bench run-time": "",
    "bench correspondences": "",
    "bench coverage": "",
}
FOLDERS = ("train", "data render")  # commands that make one
READ_ONLY = {f"{name} --out": line for name, line in WITH_OUT.items()}
READ_ONLY |= {f"evaluate --{option}": "{x} --data-root {data}" for option in ("dump", "per-class")}
READ_ONLY |= {"evaluate --submission": "{x} --data-root {data} --split test"}


def refusal(line, trained, tmp_path):
    """The one line that a command ends with."""
    data, x = trained
    places = {"tmp": tmp_path, "nowhere": tmp_path / "nowhere", "data": data, "x": x}
    with pytest.raises(SystemExit) as stop:
        main([word.format(**places) for word in line.split()])
    first, *rest = str(stop.value).splitlines()
    assert first.startswith("error: ") and not any("Error" in word for word in rest)
    assert not (tmp_path / "nowhere").exists()
    return first


@pytest.mark.parametrize("line", WITHOUT_FILE)
def test_no_command_shows_a_traceback_without_a_file(trained, tmp_path, line):
    assert "nowhere" in refusal(line, trained, tmp_path)


@pytest.mark.parametrize(
    ("device", "remedy"), [("cuda:99", "torch finds "), ("gpu", "give cpu, cuda, cuda:1, ... or auto")]
)
@pytest.mark.parametrize("command", WITH_DEVICE)
def test_no_command_shows_a_traceback_without_a_device(trained, tmp_path, command, device, remedy):
    line = f"{command} {WITH_DEVICE[command]} --device {device}"
    assert refusal(line, trained, tmp_path).startswith(f"error: device='{device}': {remedy}")


@pytest.mark.parametrize("command", READ_ONLY)
def test_no_command_shows_a_traceback_or_works_for_a_folder_that_is_read_only(trained, tmp_path, command, capsys):
    name, option = command.split(" --")
    line = f"{name} {READ_ONLY[command]} --{option} {NOWHERE}"
    said = r"used \(.+\): give another place" if name in FOLDERS else r"written \(.+\): give another file"
    assert re.match(rf"error: {NOWHERE}\S* cannot be {said}$", refusal(line, trained, tmp_path))
    assert not capsys.readouterr().out


def test_the_walk_leaves_no_command_out(capsys):
    options = {}
    for command in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            main([*command.split(), "--help"])
        out = capsys.readouterr().out
        assert stop.value.code == 0 and f"python -m cpnet {command}" in " ".join(out.split())
        options[command] = set(re.findall(r"--[\w-]+", out))
    assert {name for name, found in options.items() if "--device" in found} == set(WITH_DEVICE)
    assert {name for name, found in options.items() if "--out" in found} == set(WITH_OUT)
    walked = {name for name in COMMANDS for line in WITHOUT_FILE if line.startswith(f"{name} ")}
    assert walked | set(WITH_DEVICE) | set(WITH_OUT) == set(COMMANDS)
    assert {name for name, found in options.items() if "--backend" in found} == {
        "evaluate",
        "predict",
        "explore",
        "data check",
    }


SUBSETS = {
    "one of a pair": ["Stop Sign", "Swiping Left"],
    "one of each pair": ["Sliding Two Fingers Right", "Swiping Left"],
}


@pytest.mark.parametrize("augmentation", ["released", "flips", "none"])
@pytest.mark.parametrize("classes", SUBSETS.values(), ids=SUBSETS)
def test_a_subset_of_classes_is_trained_on_and_what_is_not_mirrored_is_said(
    tmp_path, monkeypatch, capsys, classes, augmentation
):
    monkeypatch.setattr("made_jester.CLASSES", (*classes, "Thumb Up"))
    root = make_jester(tmp_path / "jester", train=4, val=3)
    main(["train", "--out", str(tmp_path / "own"), "--data-root", str(root), *OWN, "--data.augmentation", augmentation])
    said = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines() if "are not mirrored" in line]
    assert said == [name for name in classes if name != "Stop Sign"]


@pytest.mark.parametrize("name", ["anim.gif", "h264.avi", "raw.h264", "48-wide.mp4", "cut.mp4", "av1.mp4"])
def test_any_video_is_predicted(trained, capsys, tmp_path, name):
    make(tmp_path, name)
    main(["predict", str(tmp_path / name), "--checkpoint", str(trained[1]), "--protocol", "1x1", "--device", "cpu"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + (name != "av1.mp4") and all(" %  " in line for line in lines[-3:])
    assert name == "av1.mp4" or lines[0].startswith("read by PyAV: decord ")
