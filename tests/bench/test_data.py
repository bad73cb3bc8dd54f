import pytest

from cpnet.__main__ import main
from cpnet.bench.data import measure_data
from cpnet.data.layouts import read_index
from cpnet.standins import Spec, render


def test_clips_a_second_are_measured_for_each_backend(tmp_path):
    render(Spec("something", train=3, val=0, size=32, seed=0), tmp_path, jobs=1, progress=False)
    frame = measure_data(read_index("something", tmp_path, "train"), 3, (0,), repeats=1, shape=(2, 2, 16))
    assert frame["decoder"].tolist() == ["decord"] * 2 + ["pyav"] * 2
    assert frame["candidate"].tolist() == ["decoding alone", "0 workers"] * 2
    ratio = frame["clips/s"][3] / frame["clips/s"][2]
    assert frame["clips/s / decoding alone"][3] == pytest.approx(ratio)  # of the same decoder


def test_ones_own_data_set_is_measured(tmp_path, capsys):
    render(Spec("jester", train=3, val=0, size=32, seed=0), tmp_path, jobs=1, progress=False)
    options = ["--workers", "0", "1", "--repeats", "1"]
    main(["bench", "data", "--dataset", "jester", "--root", str(tmp_path), *options])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("jester train: 3 listed, 3 found")
    assert [line.split()[:2] for line in lines[-3:]] == [["jester", "JPEG"]] * 3
    with pytest.raises(SystemExit, match="give --dataset and --root together"):
        main(["bench", "data", "--dataset", "jester"])
    with pytest.raises(SystemExit, match="clips=1: give 2 or more"):
        main(["bench", "data", "--dataset", "jester", "--root", str(tmp_path), "--clips", "1"])


def test_stand_ins_are_measured_where_no_data_set_is_given(monkeypatch, capsys):
    monkeypatch.setattr("cpnet.bench.data.HEIGHTS", {"jester": 32})
    main(["bench", "data", "--clips", "2", "--workers", "0", "--repeats", "1"])
    assert "jester    JPEG decoding alone" in capsys.readouterr().out
