"""Frame i of a video is the i-th that ffmpeg shows, in every order and by every backend, or the video is refused."""

import subprocess
import sys

import numpy as np
import pytest
from odd_videos import FFMPEG, ODD, make, shown

from cpnet.__main__ import main
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.quarantine import read_quarantine

REFUSED = {
    "text.mp4": "decord cannot read .*; PyAV cannot read|^PyAV cannot read",
    "turned45.mp4": "turned45.mp4 is to be shown turned by 45 degrees: encode it anew, upright",
}
NOT_BY_DECORD = {name for name in ODD if name.endswith((".avi", ".ts", ".mpg", ".flv", ".gif", ".h264"))}
NOT_BY_DECORD |= {"cut.mp4", "cut-first.mp4", "turned-cut.mp4", "open-gop.mp4", "intra-refresh.mp4"}
NOT_BY_DECORD |= {"cut.mov", "negative.mkv", "live.webm", "mirrored.mp4", "upside-down.mp4", "turned-mirrored.mp4"}
NOT_BY_DECORD |= {f"{width}-wide.mp4" for width in (16, 24, 48)}
DEPENDS = "72-wide.mp4"  # whether decord reads it: on how the CPU's instructions pad rows


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Paths of all odd files, and what ffmpeg shows of each."""
    folder = tmp_path_factory.mktemp("odd")
    return {name: (path := make(folder, name), shown(path)) for name in ODD}


@pytest.fixture(scope="module")
def not_by_decord(odd):
    """Names of what decord is not given, or fails at on this machine; asked apart, as it clashes with PyAV."""
    code = "import sys, pathlib, cpnet.data.decode as d; d.decode_frames(pathlib.Path(sys.argv[1]), range, 'decord')"
    failed = subprocess.run([sys.executable, "-c", code, str(odd[DEPENDS][0])], capture_output=True, text=True)
    assert failed.returncode == 0 or "decord cannot read" in failed.stderr
    return NOT_BY_DECORD | ({DEPENDS} if failed.returncode else set())


@pytest.fixture(scope="module", params=["decord", "pyav"])
def read(request):
    return IsolatedDecoder(request.param, deadline=20)


def alike(found, expected):
    """The same frames, each nearer to its own than to any other; converters of colours differ, most in 10 bits."""
    if found.shape != expected.shape:
        return False
    apart = np.array([np.abs(found - frame).mean(axis=(1, 2, 3)) for frame in expected.astype(int)])
    return apart.diagonal().max() < 6 and (apart.diagonal() <= apart.min(0) + 1e-9).all()


@pytest.mark.parametrize("name", ODD)
def test_frames_are_those_that_ffmpeg_shows(odd, not_by_decord, read, name):
    path, expected = odd[name]
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            read(path, range)
        return
    assert alike(read(path, range), expected)
    some = np.random.RandomState(0).randint(0, len(expected), 8).tolist()
    assert np.array_equal(read(path, some), read(path, range)[some])
    assert (path in read.by_pyav) == (read.backend == "decord" and name in not_by_decord)


def test_a_stream_that_changes_its_size_is_refused_by_name(tmp_path, read):
    parts = [tmp_path / f"{width}.h264" for width in (64, 128)]
    for width, part in zip((64, 128), parts, strict=True):
        film = f"-f lavfi -i testsrc2=s={width}x64:r=25 -t 0.4 -c:v libx264".split()
        subprocess.run([FFMPEG, "-v", "error", *film, str(part)], check=True)
    changing = tmp_path / "changing.h264"
    changing.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(read(changing, [0, 9])) == 2  # of one size
    with pytest.raises(ValueError, match=r"frames of .*changing\.h264 have different heights and widths"):
        read(changing, range)


def test_the_check_of_a_folder_lists_what_is_refused_and_says_what_pyav_reads(odd, not_by_decord, tmp_path, capsys):
    (tmp_path / "val").mkdir()
    lines = ["label,youtube_id,time_start,time_end,split"]
    for i, (path, _) in enumerate(odd.values()):
        (tmp_path / "val" / f"{i:011d}_000000_000010{path.suffix}").symlink_to(path)
        lines.append(f"class {i % 2},{i:011d},0,10,validate")
    (tmp_path / "val.csv").write_text("\n".join(lines))
    with pytest.raises(SystemExit):
        main(["data", "check", str(tmp_path), "--dataset", "kinetics", "--splits", "val"])
    names = {f"{i:011d}_000000_000010{path.suffix}": name for i, (name, (path, _)) in enumerate(odd.items())}
    damaged = {names[problem.path.removeprefix("val/")] for problem in read_quarantine(tmp_path / "quarantine.jsonl")}
    out = capsys.readouterr().out
    assert damaged == set(REFUSED) and f"{len(ODD)} listed, {len(ODD)} found" in out
    told = {names[line.split()[0].removeprefix("val/")] for line in out.splitlines() if " is read by PyAV: " in line}
    assert told == not_by_decord
