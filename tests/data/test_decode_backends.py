"""Every frame index is the right frame: frame numbers are written into pixels, and read back."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numbered_videos import LENGTH, WRITERS, numbered, numbers

from cpnet.data.decode import decode_frames
from cpnet.standins.encode import write_jpegs


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbered")
    for name, write in WRITERS.items():
        write(folder / name)
    return folder


ORDERS = [
    list(range(LENGTH)),
    list(range(LENGTH))[::-1],
    *(np.random.RandomState(seed).randint(0, LENGTH, 12).tolist() for seed in range(6)),
]


@pytest.fixture(scope="module", params=["decord", "pyav"])
def decoded(request, videos):
    """For each video the numbers found in each order; each backend has its process, as their FFmpegs can clash."""
    code = (
        "import json, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from numbered_videos import WRITERS, numbers; from cpnet.data.decode import decode_frames\n"
        "orders = json.loads(sys.argv[4])\n"
        "for name in WRITERS:\n"
        "    path = Path(sys.argv[2]) / name\n"
        "    print(json.dumps([name, [numbers(decode_frames(path, order, sys.argv[3])) for order in orders]]))\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parents[1]), str(videos), request.param]
    command.append(json.dumps(ORDERS))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return request.param, dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", WRITERS)
def test_every_index_is_the_right_frame(decoded, name):
    backend, found = decoded
    if (backend, name) == ("decord", "open-gop.mp4"):
        pytest.skip("`IsolatedDecoder` does not give decord open groups of pictures: see test_odd_videos.py")
    assert found[name] == ORDERS


def test_a_function_chooses_by_the_number_of_frames(videos):
    for name in ("vp9.webm", "frames"):
        found = numbers(decode_frames(videos / name, lambda length: [length - 1, length // 2]))
        assert found == [LENGTH - 1, LENGTH // 2]


def test_a_gap_in_a_folder_is_named(videos, tmp_path):
    write_jpegs(tmp_path / "7", numbered(5))
    (tmp_path / "7" / "00003.jpg").unlink()
    with pytest.raises(ValueError, match=r"7 has 4 frames, but not 00003\.jpg"):
        decode_frames(tmp_path / "7", [0])


def test_what_systems_leave_behind_is_no_frame(tmp_path):
    write_jpegs(tmp_path / "7", numbered(5))
    for other in ("._00001.jpg", ".DS_Store", "Thumbs.db", ".hidden.jpg"):
        (tmp_path / "7" / other).write_bytes(b"no frame")
    assert numbers(decode_frames(tmp_path / "7", range(5))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("form", ["img_{:05d}.jpg", "frame{:d}.jpg", "image-{:06d}.jpg"])
def test_frames_may_be_named_otherwise_if_they_are_complete(tmp_path, form):
    write_jpegs(tmp_path / "7", numbered(12))
    for i in range(1, 13):
        (tmp_path / "7" / f"{i:05d}.jpg").rename(tmp_path / "7" / form.format(i))
    assert numbers(decode_frames(tmp_path / "7", [11, 0, 9, 1])) == [11, 0, 9, 1]
    (tmp_path / "7" / form.format(5)).unlink()
    with pytest.raises(ValueError, match=f"7 has 11 frames, but not {re.escape(form.format(5))}: fetch"):
        decode_frames(tmp_path / "7", [0])


def test_what_stands_beside_the_frames_is_named(tmp_path):
    write_jpegs(tmp_path / "7", numbered(5))
    for other in ("img_00001.jpg", "cover.jpg"):
        (tmp_path / "7" / other).write_bytes(b"")
        with pytest.raises(ValueError, match=rf"7 has {other} beside 5 frames named as 00001\.jpg: remove it"):
            decode_frames(tmp_path / "7", [0])
        (tmp_path / "7" / other).unlink()


def test_a_damaged_jpeg_is_named(tmp_path):
    write_jpegs(tmp_path / "7", numbered(3))
    file = tmp_path / "7" / "00002.jpg"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"00002\.jpg cannot be read"):
        decode_frames(tmp_path / "7", [0, 1])
    assert numbers(decode_frames(tmp_path / "7", [2, 0])) == [2, 0]  # the others are there
    (tmp_path / "8").mkdir()
    with pytest.raises(ValueError, match="8 has no frames"):
        decode_frames(tmp_path / "8", [0])


@pytest.mark.parametrize("index", [LENGTH, -1])
def test_an_index_outside_a_folder_names_the_length(videos, index):
    with pytest.raises(IndexError, match=rf"75 frames.*{index}"):
        decode_frames(videos / "frames", [index])


def test_an_unknown_backend_is_refused(videos):
    with pytest.raises(ValueError, match="backend='ffmpeg'"):
        decode_frames(videos / "vp9.webm", [0], backend="ffmpeg")


@pytest.mark.parametrize("form", ["{:05d}.JPG", "{:05d}.jpeg", "{:05d}.png"])
def test_frames_in_another_format_are_named_for_what_they_are(tmp_path, form):
    write_jpegs(tmp_path / "7", numbered(3))
    for i in range(1, 4):
        (tmp_path / "7" / f"{i:05d}.jpg").rename(tmp_path / "7" / form.format(i))
    with pytest.raises(ValueError, match=rf"7 has {re.escape(form.format(1))}, but frames are read from files \*\.jpg"):
        decode_frames(tmp_path / "7", [0])
