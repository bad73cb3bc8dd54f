import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from numbered_videos import numbered, numbers

from cpnet.data.cache import DiskCache
from cpnet.data.decode import decode_frames
from cpnet.data.layouts import Video
from cpnet.standins.encode import write_jpegs


@pytest.fixture
def videos(tmp_path):
    for name in "abc":
        write_jpegs(tmp_path / name, numbered(10))
    return [Video(name, tmp_path / name, 0) for name in "abc"]


MEMORY = """
import sys
from pathlib import Path
from cpnet.data.decode import decode_frames
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
for number in range(1, 801):
    decode_frames(Path(sys.argv[1]), lambda length: range(0, length, 8), sys.argv[2])
    if number in (200, 800):
        print(resident())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no count of resident memory")
@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_memory_does_not_grow_with_the_number_of_videos(tmp_path, backend):
    from cpnet.standins.encode import write_mp4

    write_mp4(tmp_path / "video.mp4", numbered(30), 25)
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "video.mp4"), backend]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    early, late = map(float, done.stdout.split())
    assert late <= early + 20


def test_an_array_on_disk_has_the_frames_of_the_decoder_and_is_decoded_once_by_all(videos, tmp_path):
    read = []
    first, second = (
        DiskCache(lambda path, indices: read.append(path.name) or decode_frames(path, indices), tmp_path / "decoded")
        for _ in range(2)
    )
    for cache in (first, second, first):
        for indices in ([3, 0, 9, 3], range(10), lambda length: [length - 1]):
            for _, path, _ in videos:
                assert np.array_equal(cache(path, indices), decode_frames(path, indices))
    assert read == ["a", "b", "c"]
    with pytest.raises(IndexError, match="has 10 frames, but frame 10"):
        first(videos[0].path, [10])


def test_what_cannot_be_decoded_to_its_end_is_not_kept_on_disk(videos, tmp_path):
    (videos[1].path / "00007.jpg").write_bytes(b"damaged")
    cache = DiskCache(decode_frames, tmp_path / "decoded")
    assert numbers(cache(videos[1].path, [2, 5])) == [2, 5]
    with pytest.raises(ValueError, match="00007"):
        cache(videos[1].path, [6])
    cache(videos[0].path, [0])
    assert len(list((tmp_path / "decoded").iterdir())) == 1


def test_an_array_that_is_cut_off_is_decoded_again(videos, tmp_path):
    cache = DiskCache(decode_frames, tmp_path / "decoded")
    for damage in (lambda content: content[:-100], lambda content: b"", lambda content: b"x" * len(content)):
        expected = cache(videos[0].path, [9])
        (file,) = (tmp_path / "decoded").iterdir()
        file.write_bytes(damage(file.read_bytes()))
        assert np.array_equal(cache(videos[0].path, [9]), expected)


def test_a_video_that_has_changed_is_decoded_again(tmp_path):
    cache = DiskCache(decode_frames, tmp_path / "decoded")
    write_jpegs(tmp_path / "a", numbered(10))
    assert numbers(cache(tmp_path / "a", [4])) == [4]
    shutil.rmtree(tmp_path / "a")
    write_jpegs(tmp_path / "a", numbered(10)[::-1])
    assert numbers(cache(tmp_path / "a", [4])) == [5]
