"""200 damaged files and a decoder that hangs: nothing hangs, and every one is named."""

import os
import shutil

import numpy as np
import pytest
from numbered_videos import numbered

from cpnet.__main__ import main
from cpnet.data import check
from cpnet.data.check import _reason, check_videos
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import Index, Video, read_index
from cpnet.data.quarantine import Problem, read_quarantine, write_quarantine
from cpnet.data.videos import EvaluationViews
from cpnet.standins.encode import write_jpegs, write_mp4, write_webm


def damage(whole, kind, stream):
    content = bytearray(whole)
    if kind == "truncated":
        return content[: stream.randint(1, int(0.9 * len(whole)))]  # the very end holds remarks only
    if kind == "flipped":
        for place in stream.randint(0, len(content), 40):
            content[place] ^= 1 << stream.randint(8)
        return content
    return {
        "empty": b"",
        "text": b"No video here.\n" * 50,
        "no frames": content[:48],
        "huge": whole[: (box := whole.index(b"mdat")) - 4] + b"\xff" * 4 + whole[box:],  # a box of 4 GiB
    }[kind]


@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_damaged_files_and_a_hanging_decoder_are_named(tmp_path, backend):
    write_mp4(tmp_path / "good.mp4", numbered(70), 25)
    write_webm(tmp_path / "good.webm", numbered(70), 12)
    write_jpegs(tmp_path / "good", numbered(5))
    write_mp4(tmp_path / "whole.mp4", numbered(20), 25)
    whole = (tmp_path / "whole.mp4").read_bytes()
    stream = np.random.RandomState(0)
    kinds = ["truncated", "flipped", "empty", "text", "no frames", "huge"]
    bad = []
    for i in range(200):
        kind = kinds[i % len(kinds)] if i % 2 else "truncated"
        path = tmp_path / f"bad{i:03}-{kind}.{'webm' if i % 7 == 3 else 'mp4'}"
        path.write_bytes(damage(whole, kind, stream))
        bad.append(path)
    os.mkfifo(tmp_path / "hang.mp4")  # opening it never returns
    good = [tmp_path / name for name in ("good.mp4", "good.webm", "good")]
    videos = [Video(path.name, path, 0) for path in [*good[:2], tmp_path / "hang.mp4", *bad, good[2]]]
    problems = check_videos(videos, tmp_path, IsolatedDecoder(backend, deadline=5), tmp_path / "sound")
    reasons = {problem.path: problem.reason for problem in problems}
    assert reasons.pop("hang.mp4") == "not decoded within 5 seconds"
    assert not set(reasons) & {path.name for path in good}
    survivors = {path.name for path in bad} - set(reasons)
    assert all("flipped" in name for name in survivors)  # some flips hit nothing that matters
    assert len(survivors) <= 6
    assert all(reasons.values())

    index = Index("kinetics", "val", ("a",), videos)
    views = EvaluationViews(index, num_frames=4, frame_step=1, size=32, read=IsolatedDecoder(backend, deadline=5))
    unreadable = {video.id for video, v in zip(videos, views, strict=True) if not v.readable}
    assert len(views) == len(videos) == 204
    assert unreadable <= {*reasons, "hang.mp4"}  # what is damaged elsewhere may be read in the middle
    assert unreadable >= {name for name in reasons if any(kind in name for kind in ("empty", "text", "no frames"))}
    index.quarantined = [video for video in videos if video.id in {*reasons, "hang.mp4"}]
    index.videos = [video for video in videos if video not in index.quarantined]
    views = EvaluationViews(index, num_frames=4, frame_step=1, size=32, read=views.read)
    assert sum(not v.readable for v in views) == len(reasons) + 1 and len(views) == 204


def jester(root, lengths):
    for video_id, length in lengths.items():
        write_jpegs(root / "20bn-jester-v1" / video_id, numbered(length))
    (root / "jester-v1-labels.csv").write_text("Swiping Left\nThumb Up\n")
    rows = "".join(f"{video_id};Thumb Up\n" for video_id in lengths)
    (root / "jester-v1-train.csv").write_text(rows)
    return root


def test_the_command_writes_a_list_that_indexes_honour(tmp_path, capsys):
    root = jester(tmp_path, {"1": 4, "2": 3, "3": 5})
    main(["data", "check", str(root), "--dataset", "jester", "--splits", "train"])
    assert "0 damaged videos" in capsys.readouterr().out
    (root / "20bn-jester-v1" / "2" / "00002.jpg").write_bytes(b"")
    with (root / "jester-v1-train.csv").open("a") as lines:
        lines.write("4;Swiping Left\n")
    with pytest.raises(SystemExit) as stop:
        main(["data", "check", str(root), "--dataset", "jester", "--splits", "train"])
    assert stop.value.code == 1
    out = capsys.readouterr().out
    assert "1 listed but not there: 4" in out and "20bn-jester-v1/2: " in out and "1 damaged videos listed in" in out
    assert out.count("00002.jpg cannot be read") == 1
    index = read_index("jester", root, "train")
    assert [v.id for v in index.videos] == ["1", "3"]
    assert [v.id for v in index.quarantined] == ["2"] and [v.id for v in index.missing] == ["4"]
    assert index.n_expected == 4 and "1 damaged: 2" in index.summary()
    assert len(read_index("jester", root, "train", quarantine=False).videos) == 3
    (root / "jester-v1-validation.csv").write_text("3;Thumb Up\n")
    main(["data", "check", str(root), "--dataset", "jester", "--splits", "val"])
    assert "1 damaged videos listed in" in capsys.readouterr().out  # of another split, checked earlier
    assert [v.id for v in read_index("jester", root, "train").quarantined] == ["2"]
    shutil.copy(root / "20bn-jester-v1" / "2" / "00001.jpg", root / "20bn-jester-v1" / "2" / "00002.jpg")
    (root / "jester-v1-train.csv").write_text("1;Thumb Up\n2;Thumb Up\n")
    main(["data", "check", str(root), "--dataset", "jester", "--splits", "train"])
    assert not read_index("jester", root, "train").quarantined


def test_a_check_that_was_stopped_goes_on(tmp_path, monkeypatch):
    root, read = jester(tmp_path, {str(i): 2 for i in range(40)}), []
    (root / "20bn-jester-v1" / "0" / "00001.jpg").write_bytes(b"")

    def reason(path, _):
        read.append(path.name)
        if len(read) == 5:
            raise KeyboardInterrupt
        return _reason(path, _)

    monkeypatch.setattr(check, "_reason", reason)
    command = ["data", "check", str(root), "--dataset", "jester", "--splits", "train", "--jobs", "1"]
    with pytest.raises(SystemExit, match="130"):
        main(command)
    assert len(read) < 10  # it did not wait for the rest
    with pytest.raises(SystemExit, match="1"):
        main(command)
    assert {read.count(str(i)) for i in (1, 2, 3)} == {1} and read.count("0") == 2  # what is damaged may be mended
    assert [problem.id for problem in read_quarantine(root / "quarantine.jsonl")] == ["0"]
    assert sorted(path.name for path in root.glob("quarantine*")) == ["quarantine.jsonl"]


def test_checks_of_two_splits_at_once_lose_no_list(tmp_path, monkeypatch):
    root = jester(tmp_path, {"1": 2, "2": 2})
    (root / "jester-v1-validation.csv").write_text("2;Thumb Up\n")
    (root / "jester-v1-train.csv").write_text("1;Thumb Up\n")

    def screened(videos, *_, **__):  # meanwhile the other check ends
        write_quarantine(root / "quarantine.jsonl", [Problem("1", "20bn-jester-v1/1", "damaged")])
        return [Problem(video.id, f"20bn-jester-v1/{video.id}", "damaged too") for video in videos]

    monkeypatch.setattr("cpnet.commands.data_check.check_videos", screened)
    with pytest.raises(SystemExit, match="1"):
        main(["data", "check", str(root), "--dataset", "jester", "--splits", "val"])
    assert {problem.id for problem in read_quarantine(root / "quarantine.jsonl")} == {"1", "2"}


@pytest.mark.parametrize(
    ("decord", "message"), [("raise ImportError('no decord')", "no decord"), ("raise SystemExit(3)", "did not start")]
)
def test_a_broken_decoder_is_no_damaged_video(tmp_path, monkeypatch, decord, message):
    write_mp4(tmp_path / "good.mp4", numbered(4), 25)
    (tmp_path / "decord.py").write_text(decord)
    monkeypatch.syspath_prepend(tmp_path)
    videos = [Video("good", tmp_path / "good.mp4", 0)]
    with pytest.raises((ValueError, ChildProcessError), match=message):
        check_videos(videos, tmp_path, IsolatedDecoder(), tmp_path / "sound")


def test_no_process_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give at least one process"):
        check_videos([Video("a", tmp_path / "a.mp4", 0)], tmp_path, IsolatedDecoder(), tmp_path / "sound", jobs=0)


def test_quarantine_lists_are_read_as_written(tmp_path):
    problems = [Problem("a", "x/a.mp4", "frame 3 is damaged"), Problem("b", "b c.webm", "ünreadable")]
    write_quarantine(tmp_path / "list.jsonl", problems)
    assert read_quarantine(tmp_path / "list.jsonl") == problems
    (tmp_path / "list.jsonl").write_text("a.mp4\n")
    with pytest.raises(ValueError, match=r"list.jsonl, line 1, is no entry of a quarantine list"):
        read_quarantine(tmp_path / "list.jsonl")


def test_all_splits_are_listed_before_the_first_is_decoded(tmp_path, monkeypatch):
    root = jester(tmp_path, {"1": 4})
    (root / "jester-v1-validation.csv").write_text("9;Thumb Up\n")
    monkeypatch.setattr("cpnet.commands.data_check.check_videos", lambda *a, **k: pytest.fail("hours of decoding"))
    with pytest.raises(SystemExit, match="error: no usable video in the val split"):
        main(["data", "check", str(root), "--dataset", "jester"])
    with pytest.raises(SystemExit, match="error: no annotation under"):
        main(["data", "check", str(tmp_path / "none"), "--dataset", "jester"])
    assert not (tmp_path / "none").exists()
