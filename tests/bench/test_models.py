from cpnet.bench import bench_models


def test_networks_are_timed_relative_to_c2d(capsys):
    seconds = bench_models(repeats=1, shape=(1, 3, 56), width=8)
    assert list(seconds) == [f"{f}_resnet18" for f in ("c2d", "c3d", "nl", "artnet", "trn", "cpnet")] + [
        "c2d, Conv3d 1x3x3"
    ]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("c2d_resnet18")] == ["1.00x"]
    assert len(lines) == 9
