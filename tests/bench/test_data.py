import pytest

from cpnet.__main__ import main
from cpnet.bench import bench_data
from cpnet.standins import render


def test_clips_a_second_are_printed_for_each_layout_and_backend(capsys):
    heights = {"kinetics": 32, "something": 32, "jester": 32}
    found = bench_data(clips=3, workers=(1,), repeats=1, shape=(2, 2, 16), heights=heights)
    kinds = [("kinetics", "decord"), ("kinetics", "pyav"), ("something", "decord"), ("something", "pyav")]
    measured = ["decoding alone", "1 workers"]
    assert list(found) == [(*kind, what) for kind in [*kinds, ("jester", "JPEG")] for what in measured]
    assert all(rate > 0 for rate in found.values())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + len(found)
    assert [line.split()[-1] for line in lines if "decoding alone" in line][1:] == ["1.00x"] * 5


def test_ones_own_data_set_is_measured(tmp_path, capsys):
    render("jester", tmp_path, train=3, val=0, size=32, jobs=1, progress=False)
    main(["bench", "data", "--dataset", "jester", "--root", str(tmp_path), "--workers", "0", "--repeats", "1"])
    out = capsys.readouterr().out
    assert "jester     JPEG    0 workers" in out and "kinetics" not in out
    with pytest.raises(SystemExit, match="give --dataset and --root together"):
        main(["bench", "data", "--dataset", "jester"])
