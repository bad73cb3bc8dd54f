from functools import partial

import pytest
import torch
from torch import nn

from cpnet.__main__ import main
from cpnet.bench import run_time
from cpnet.bench.run_time import (
    SEARCHES,
    approximate_proposals,
    measure_accuracy,
    measure_growth,
    measure_search,
    measure_speed,
    recall,
    recall_at_square,
)
from cpnet.bench.train import exponents
from cpnet.data.moving_square import ToyMotion
from cpnet.engine.protocols import changed
from cpnet.experiments import run_time as chapter
from cpnet.models import create_model
from cpnet.nn import correspondence_proposals


def features(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_recall_of_the_exact_search_is_one_and_what_is_missed_lowers_it():
    f = features(2, 5, 3, 8, 8)
    exact = correspondence_proposals(f, 4)
    assert recall(f, exact) == 1
    crippled = exact.clone()
    crippled[:, :, 0] = correspondence_proposals(f, 128)[:, :, -1]  # the farthest in place of the nearest
    assert recall(f, crippled) == pytest.approx(0.75)
    assert recall(f, exact[:, :, :1].expand(-1, -1, 4)) == pytest.approx(0.25)  # one, four times


def test_recall_counts_every_choice_between_ties():
    assert recall(torch.zeros(1, 3, 2, 4, 4), correspondence_proposals(torch.zeros(1, 3, 2, 4, 4), 3)) == 1


@pytest.mark.parametrize("kind", ["IVF", "HNSW"])
@pytest.mark.parametrize("tied", [False, True])
def test_approximate_proposals_are_of_other_frames(kind, tied):
    pytest.importorskip("faiss")
    f = features(2, 5, 3, 8, 8)
    found = approximate_proposals(f.round() if tied else f, 6, kind)
    assert found.shape == (2, 192, 6) and found.dtype == torch.int64
    assert ((found >= 0) & (found < 192)).all()
    assert (found // 64 != torch.arange(192)[:, None] // 64).all()
    if not tied:
        assert 0.3 < recall(f, found) <= 1


def test_an_index_that_probes_all_its_lists_is_exact(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(run_time, "PROBED", 1000)
    f = features(1, 5, 3, 8, 8)
    expected = correspondence_proposals(f, 4).sort(dim=2).values
    assert torch.equal(approximate_proposals(f, 4, "IVF").sort(dim=2).values, expected)


def test_a_net_searches_with_what_it_is_given_and_then_as_before():
    net = create_model("cpnet_toy", k=3).eval()
    nn.init.ones_(net.core.projection_norm.weight)
    clip = ToyMotion("val", size=24, num_frames=2)[0][0][None]
    asked = []

    def next_frame(f, k):
        asked.append(k)
        N, frame = f[0, 0].numel(), f[0, 0, 0].numel()
        return ((torch.arange(N) + frame) % N)[None, :, None].expand(len(f), -1, k)

    before = net(clip)
    with changed([net.core], {"_propose": partial(next_frame, k=3)}):
        within = net(clip)
    assert asked == [3] and not torch.equal(within, before)
    assert torch.equal(net(clip), before)


def test_accuracy_is_measured_for_each_search_in_all_modules():
    pytest.importorskip("faiss")
    torch.manual_seed(0)  # with some weights two distances are so near that rounding chooses between them
    net = create_model("cpnet_resnet18", width=4, positions="res3", k=4, num_classes=3).eval()
    clips, outputs = features(2, 3, 4, 64, 64), []

    def top1():
        with torch.no_grad():
            outputs.append(net(clips))
        return 10.0 * len(outputs)

    for module in net._cp_modules():
        nn.init.ones_(module.projection_norm.weight)
    frame = measure_accuracy(net, top1)
    assert frame["candidate"].tolist() == [*SEARCHES] and frame["top-1, %"].tolist() == [10, 20, 30, 40, 50]
    assert frame["recall"][:3].tolist() == [1, 1, 1] and (frame["recall"][3:] > 0.3).all()
    torch.testing.assert_close(outputs[1], outputs[2], rtol=1e-4, atol=1e-4)  # this package and faiss


@pytest.mark.usefixtures("few_clips")
def test_recall_at_the_square():
    pytest.importorskip("faiss")
    found = recall_at_square(create_model("cpnet_toy"), ToyMotion("val", size=24, num_frames=2))
    assert len(found) == len(SEARCHES) and found[:3] == [1, 1, 1]


def test_speed_leaves_out_large_batches():
    net = create_model("cpnet_resnet18", width=4, positions="2")
    frame = measure_speed(batch_sizes=(1, 2), num_frames=(2, 4), most_frames=4, model=net, size=32)
    assert frame[["num_frames", "batch_size"]].to_numpy().tolist() == [[2, 1], [2, 2], [4, 1]]
    assert (frame["videos/s"] * frame["s/batch"]).tolist() == pytest.approx([1, 2, 1])


def test_memory_grows_like_positions_in_the_cp_module_and_like_pairs_where_they_are_stored():
    frame = measure_growth(num_frames=(4, 16), side=12, channels=16)
    found = exponents(frame).set_index("candidate")["exponent of peak MiB"]
    assert found.index.tolist() == ["CP", "NL, stored", "NL"]
    assert found["CP"] < 1.3 < found["NL, stored"]


def test_searches_are_timed_with_their_recall():
    pytest.importorskip("faiss")
    frame = measure_search({"tiny": (features(1, 5, 3, 8, 8), 4)}, repeats=1)
    assert frame["candidate"].tolist() == [*SEARCHES]
    assert frame["recall"][:3].tolist() == [1, 1, 1] and (frame["ms"] > 0).all()


def test_the_command_stores_what_the_chapter_loads(monkeypatch, tmp_path, capsys):
    speed = {"batch_sizes": (1, 2), "num_frames": (2,), "model": nn.Flatten(), "size": 8}
    monkeypatch.setattr(chapter, "measure_speed", lambda device, most_frames: measure_speed(device, **speed))
    growth = {"num_frames": (2, 4), "side": 4, "channels": 8}
    monkeypatch.setattr(chapter, "measure_growth", lambda device: measure_growth(device, **growth))
    monkeypatch.setattr(chapter, "features", lambda net, device: {"tiny": (features(1, 5, 3, 8, 8), 4)})
    monkeypatch.setattr(chapter, "_of_toy_net", lambda net, device: measure_growth(**growth)[:1])
    monkeypatch.setattr(chapter, "_of_video_net", lambda device: measure_growth(**growth)[:1])
    monkeypatch.setattr("cpnet.experiments.run.Run.trained", lambda run: TRAINED)
    main(["bench", "run-time", "--out", str(tmp_path), "--threads", "1"])
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(chapter.MEASUREMENTS)
    origins = chapter.origins(chapter.load(tmp_path))
    assert (origins["threads"] == 1).all() and origins["device"].str.startswith("cpu: ").all()
    assert str(tmp_path / "speed.csv") in capsys.readouterr().out


class TRAINED:
    model = nn.Identity()
