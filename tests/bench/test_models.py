from torch import nn

from cpnet.__main__ import main
from cpnet.bench import models
from cpnet.nn import CPModule, NonLocalBlock

NETWORKS = ["c2d", "c3d", "nl", "artnet", "trn", "cpnet", "cpnet, 2 modules", "c2d, Conv3d 1x3x3"]


def test_networks_are_what_their_names_say(monkeypatch):
    made = []
    monkeypatch.setattr(models, "training_step", lambda net, x, compile: made.append(net) or (lambda: None))
    frame = models.measure_models((1, 3, 32), repeats=1, depth=18, width=8, stem="112_no_pool")
    assert frame["candidate"].tolist() == NETWORKS
    counts = [[sum(isinstance(m, kind) for m in net.modules()) for kind in (CPModule, NonLocalBlock)] for net in made]
    assert counts == [[0, 0], [0, 0], [0, 6], [0, 0], [0, 0], [6, 0], [2, 0], [0, 0]]
    kernels = {m.kernel_size for m in made[-1].modules() if isinstance(m, nn.Conv3d)}
    assert kernels == {(1, 7, 7), (1, 3, 3), (1, 1, 1)}
    assert {net.conv1.weight.shape[0] for net in made if hasattr(net.conv1, "weight")} == {8}


def test_the_command_prints_a_line_a_network(capsys):
    main(["bench", "models", "--repeats", "1", "--clips", "2", "3", "32", "--width", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(maxsplit=2)[0].strip() for line in lines[3:]] == NETWORKS
