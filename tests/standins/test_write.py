"""Rendered data sets are what they are said to be, and the same after an interruption."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cpnet.__main__ import main
from cpnet.data.decode import decode_frames
from cpnet.data.layouts import NO_LABEL, read_index
from cpnet.data.videos import EvaluationViews, TrainingClips
from cpnet.files import LOCK, locked
from cpnet.standins import NAMES, class_table, examples, is_rendered, jester, kinetics, render, something
from cpnet.standins.write import COMPLETE, SPEC, Spec, clips_of

TRAIN, VAL, SIZE = 10, 4, 32


def write(out, name, **options):
    jobs = options.pop("jobs", 1)
    render(
        Spec(name, **{"train": TRAIN, "val": VAL, "size": SIZE, "seed": 0} | options), out, jobs=jobs, progress=False
    )
    return out


def digest(index):
    """SHA-256 of ids, labels and decoded frames, in the order of the index."""
    sums = hashlib.sha256()
    for video in index.videos:
        sums.update(f"{video.id} {video.label}\n".encode() + decode_frames(video.path, range).tobytes())
    return sums.hexdigest()


def both_splits(name, root):
    return [read_index(name, root, split) for split in ("train", "val")]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return {name: write(tmp_path_factory.mktemp(name) / "data", name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_reader_of_the_official_layout_reads_it(data, name):
    for index, count in zip(both_splits(name, data[name]), (TRAIN, VAL), strict=True):
        assert len(index.videos) == count and not index.missing and not index.malformed
        planned = [clip for clip in clips_of(Spec(name, TRAIN, VAL, SIZE, 0)) if clip.split == index.split]
        assert {(v.id, index.classes[v.label]) for v in index.videos} == {(clip.id, clip.label) for clip in planned}
    assert not (data[name] / ".unfinished").exists()


@pytest.mark.parametrize(("name", "world"), [("kinetics", kinetics), ("something", something), ("jester", jester)])
def test_all_classes_are_in_the_index(data, name, world):
    # Kinetics has no list of classes: those of its rows are all there are.
    found = read_index(name, data[name], "train").classes
    assert set(found) <= set(world.CLASSES) and (name == "kinetics" or list(found) == sorted(world.CLASSES))


@pytest.mark.parametrize("name", NAMES)
def test_clips_and_views_are_decoded_from_it(data, name):
    T, step = (1, 1) if name == "images" else (8, 4)
    train, val = both_splits(name, data[name])
    clip = TrainingClips(train, num_frames=T, frame_step=step, size=32)[3]
    views = EvaluationViews(val, num_frames=T, frame_step=step, size=32, num_clips=2, num_crops=3)[1]
    assert clip.clip.shape == (3, T, 32, 32) and not clip.substituted
    assert views.views.shape == (6, 3, T, 32, 32) and views.readable


@pytest.mark.parametrize("name", ["something", "kinetics"])
def test_killed_half_way_and_restarted_it_is_the_same(tmp_path, data, name):
    out = tmp_path / "data"
    command = [sys.executable, "-m", "cpnet", "data", "render", name, "--out", str(out), "--size", str(SIZE)]
    command += ["--train", str(TRAIN), "--val", str(VAL)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    pattern = "train/*.mp4" if name == "kinetics" else "20bn-something-something-v2/*.webm"
    deadline = time.monotonic() + 120
    while len(list(out.glob(pattern))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    written = {path: path.stat().st_mtime_ns for path in out.glob(pattern)}
    assert len(written) >= 3
    with pytest.raises(FileNotFoundError, match="no annotation"):
        read_index(name, out, "train")
    subprocess.run(command, env=environment, check=True)
    assert {path: path.stat().st_mtime_ns for path in written} == written  # none was rendered again
    assert [digest(i) for i in both_splits(name, out)] == [digest(i) for i in both_splits(name, data[name])]


def test_a_second_process_waits_for_the_first_and_writes_nothing(tmp_path, data, capfd):
    out = tmp_path / "data"
    shutil.copytree(data["jester"], out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != LOCK}
    with ThreadPoolExecutor(1) as pool:
        with locked(out):
            second = pool.submit(write, out, "jester")
            while "waiting for another process" not in capfd.readouterr().err:
                assert not second.done()
                time.sleep(0.01)
        second.result()
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_examples_and_table_have_a_row_for_every_class():
    table, clips = class_table("jester"), examples("jester", size=32)
    assert list(table.index) == list(clips) == sorted(jester.CLASSES)
    assert table.loc["Swiping Left"].tolist() == ["motion", "Swiping Right"]
    assert table.loc["Thumb Up"].tolist() == ["appearance", ""]
    with pytest.raises(ValueError, match="name='images'"):
        class_table("images")


def test_seeds_render_other_clips(tmp_path, data):
    other = write(tmp_path / "data", "jester", seed=1)
    assert digest(read_index("jester", other, "val")) != digest(read_index("jester", data["jester"], "val"))


@pytest.mark.parametrize("name", NAMES)
def test_clips_do_not_depend_on_how_many_there_are_and_classes_take_turns(name):
    few, many = (clips_of(Spec(name, train, 3, SIZE, 0)) for train in (40, 200))
    assert [clip.label for clip in few[:40]] == [clip.label for clip in many[:40]]
    classes = len({clip.label for clip in many})
    assert len({clip.label for clip in many[:classes]}) == classes
    assert [clip.label for clip in many[:classes]] != [clip.label for clip in many[classes : 2 * classes]]
    assert len({(clip.split, clip.id) for clip in many}) == len({clip.path for clip in many}) == 203


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 0, "val": 0}, "at least one clip"),
        ({"train": -1}, "train=-1"),
        ({"size": 30}, "size=30"),
        ({"size": 33}, "size=33"),
        ({"jobs": 0}, "jobs=0"),
        ({"name": "sthv2"}, "name='sthv2': choose one of kinetics"),
        ({"revision": 1}, "revision=1: this code renders"),
    ],
)
def test_what_cannot_be_rendered_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "data", **({"name": "jester"} | options))
    assert not (tmp_path / "data").exists()


def test_a_damaged_folder_is_named_with_the_remedy(tmp_path):
    (tmp_path / SPEC).write_text('{"name": "jes')
    (tmp_path / COMPLETE).touch()
    assert not is_rendered(Spec("jester", 1, 1, 32, 0), tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path} holds None, .*give another folder, or delete it"):
        write(tmp_path, "jester")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ValueError, match="is not empty, and holds no rendered data"):
        write(tmp_path, "jester")
    out = write(tmp_path / "data", "jester", train=1, val=0)
    with pytest.raises(ValueError, match="delete it"):
        write(out, "jester", train=2, val=0)
    assert json.loads((out / "rendered.json").read_text())["train"] == 1


def test_the_command_prints_what_it_rendered(tmp_path, capsys):
    out = str(tmp_path / "data")
    main(["data", "render", "images", "--out", out, "--train", "3", "--val", "0", "--size", "32", "--jobs", "1"])
    assert "images train: 3 listed, 3 found, 3 classes" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["something", "jester"])
def test_a_test_split_has_its_answers_apart(tmp_path, data, name):
    out = write(tmp_path / "data", name, train=3, val=2, test=5)
    planned = {clip.id: clip.label for clip in clips_of(Spec(name, 3, 2, SIZE, 0, test=5)) if clip.split == "test"}
    index = read_index(name, out, "test")
    assert {video.id: index.classes[video.label] for video in index.videos} == planned and len(planned) == 5
    assert dict(line.split(";") for line in (out / "test-answers.csv").read_text().splitlines()) == planned
    (out / "test-answers.csv").unlink()
    assert all(video.label == NO_LABEL for video in read_index(name, out, "test").videos)
    others = {digest(read_index(name, out, split)) for split in ("train", "val", "test")}
    assert len(others) == 3 and not (data[name] / "test-answers.csv").exists()


def test_a_test_split_of_kinetics_is_read(tmp_path):
    assert len(read_index("kinetics", write(tmp_path / "data", "kinetics", train=3, val=2, test=5), "test").videos) == 5


def test_a_folder_without_a_test_split_is_none_with_one(tmp_path):
    out = write(tmp_path / "data", "jester")
    with pytest.raises(ValueError, match=r"'test': 5.*give another folder"):
        write(out, "jester", test=5)
    assert not is_rendered(Spec("jester", TRAIN, VAL, SIZE, 0, test=5), out)
