from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from made_runs import SHORT
from PIL import Image

from cpnet.engine.recipe import Phase
from cpnet.engine.setting import Network, VideoData
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments import correspondences, figure5
from cpnet.experiments.correspondences import (
    BETWEEN,
    CHANGE,
    WHOLE,
    WON_MORE,
    change,
    drawn_at_random,
    groups,
    scenes,
    shares,
    top1_with,
)
from cpnet.models import create_model
from cpnet.models.look import Look, look
from cpnet.standins import Spec
from cpnet.standins.canvas import WORLD, Camera, Film, Layer
from cpnet.standins.truth import truth

SIDE, T = 16, 3  # pixels, frames; 4 x 4 positions


@pytest.fixture
def square():
    """A square covers column 0, then 1, then 2 of row 1: its centre moves from pixel 0.5 to 4.5 to 8.5."""
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 255))
    x = (np.array([0.5, 4.5, 8.5]) - SIDE / 2) / SIDE
    ground = Image.new("RGB", (int(WORLD * SIDE),) * 2, (90, 90, 90))
    film = Film(ground, [Layer(image, x, (4.5 - SIDE / 2) / SIDE, 1.9 / SIDE)], Camera(), (T, SIDE, SIDE))
    return truth(film, range(T), SIDE, (4, 4))


def at(t, r, c):
    return (t * 4 + r) * 4 + c


def test_positions_are_grouped_by_what_moves(square):
    moving, everything = groups(square)
    assert moving.nonzero()[0].tolist() == [at(0, 1, 0), at(1, 1, 1), at(2, 1, 2)]
    assert everything.all() and square.moving_place(1) == (1, 1, 1)


def test_shares_of_a_clip_worked_out_by_hand(square):
    """At t = 0 the square proposes itself at t = 1, a neighbour of that and two wrong places; later wrong ones."""
    indices = np.tile([at(1, 3, 3), at(1, 3, 2), at(2, 3, 0), at(2, 0, 0)], (48, 1))
    indices[16:32] = [at(0, 3, 3), at(0, 3, 2), at(2, 3, 3), at(2, 3, 2)]
    indices[32:] = [at(0, 3, 3), at(0, 3, 2), at(1, 3, 3), at(1, 3, 2)]
    indices[at(0, 1, 0)] = [at(1, 1, 1), at(1, 2, 2), at(1, 1, 3), at(2, 3, 0)]
    wins = np.zeros_like(indices)
    wins[at(0, 1, 0)] = [3, 1, 4, 0]
    found = {name: value for group, name, value in shares(indices, square, wins) if group == "moving things"}
    assert found["true"] == pytest.approx(2 / 12) and found["same thing"] == pytest.approx(1 / 12)
    assert found["frames"] == pytest.approx(1 / 6)  # each of three points is seen in two other frames
    assert found["wins of a true one"] == 2.0 and found["wins of a false one"] == pytest.approx(4 / 10)
    assert found[WON_MORE] == pytest.approx(1.6)
    assert found["false ones that win nowhere"] == pytest.approx(9 / 10)
    # Within a row and a column of (1, 0) are 6 places, of (1, 1) and of (1, 2) 9 each; of 32 in two frames.
    assert found["true, by chance"] == pytest.approx((9 + 9 + 6 + 9 + 6 + 9) / 3 / 32)
    assert found["same thing, by chance"] == pytest.approx(2 / 32)


def test_random_proposals_have_the_shares_of_chance(square):
    random = np.random.RandomState(0)
    frame = np.arange(48) // 16
    others = [np.flatnonzero(frame != t) for t in frame]
    many = [shares(np.stack([random.choice(o, 4) for o in others]), square) for _ in range(400)]
    found = pd.DataFrame([line for lines in many for line in lines]).groupby([0, 1])[2].mean()
    for group in ("moving things", "all"):
        for name in ("true", "same thing", "frames"):
            assert found[group, name] == pytest.approx(found[group, f"{name}, by chance"], rel=0.1)


def test_change_is_that_of_what_moves_over_the_rest(square):
    before, after = torch.zeros(2, T, 4, 4), torch.ones(2, T, 4, 4)
    for t, r, c in ((0, 1, 0), (1, 1, 1), (2, 1, 2)):
        after[:, t, r, c] = -3.0
    seen = Look("res4.0", before, after, torch.zeros(48, 1), torch.zeros(48, 1), (T, 4, 4))
    assert change(seen, square) == [("all", CHANGE, pytest.approx(np.log(3)))]
    assert change(seen._replace(after=before), square) == []


@pytest.fixture
def training():
    data = VideoData("jester", size=32, clip_rule="symmetric", rendered=Spec("jester", 27, 27, 40, 0))
    network = Network("cpnet_resnet18", width=8, stem="112_no_pool", positions="4", k=4)
    recipe = replace(SHORT, phases=(Phase(1, 8, 4),))
    return VideoTraining(seed=0, network=network, data=data, recipe=recipe)


def test_scenes_are_the_validation_clips(training):
    (scene,) = scenes(training, 1)
    assert scene.clip.shape == (3, 8, 32, 32) and scene.clip.dtype == torch.uint8
    assert scene.truth((4, 4)).shows.shape == (8, 4, 4)


def test_drawn_at_random_is_the_share_that_is_asked_for(training):
    net = training.create_model(27).eval()
    for parameter in (p for name, p in net.named_parameters() if name.endswith("projection_norm.weight")):
        torch.nn.init.ones_(parameter)
    clip = torch.randn(3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    own = look(net, clip)[0].indices
    for share in (0.0, 0.5, 1.0):
        with drawn_at_random(net, share):
            drawn = look(net, clip)[0].indices
        kept = (drawn == own).float().mean().item()
        assert kept == pytest.approx(1 - share, abs=0.2)
        assert (drawn // 16 != torch.arange(len(drawn))[:, None] // 16).all()  # never of its own frame
    assert torch.equal(look(net, clip)[0].indices, own)


def test_from_first_to_last_is_said_only_of_clips_that_have_both(training, monkeypatch):
    net = training.create_model(27).eval()
    stored = SimpleNamespace(training=training, trained=lambda: SimpleNamespace(model=net))
    values = {"res3.0": 1.0, "res3.1": 5.0, "res4.0": 2.0, "res4.1": 3.0}
    missing = set()

    def told(seen, true):
        return [] if seen.module in missing else [("all", CHANGE, values[seen.module])]

    monkeypatch.setattr(correspondences, "change", told)
    found = correspondences.measure(stored, stored, videos=2)
    assert found[found["module"] == BETWEEN]["mean"].tolist() == [2.0]
    missing.add("res4.1")
    found = correspondences.measure(stored, stored, videos=2)
    assert BETWEEN not in set(found["module"])


def test_what_has_no_interval_is_not_judged():
    line = ("kinetics", "trained", "res3.0", 8, 8, "all", WON_MORE, 0.0, 0.0, 1)
    frame = pd.DataFrame([line], columns=figure5.MEASURED)
    assert set(figure5.TABLE.judge(frame)["outcome"]) == {"not run"}


def test_what_is_measured_of_a_network_is_stored_and_judged(training, tmp_path, monkeypatch):
    plain = create_model("c2d_resnet18", num_classes=27, width=8, stem="112_no_pool").eval()
    net = training.create_model(27).eval()
    for parameter in (p for name, p in net.named_parameters() if name.endswith("projection_norm.weight")):
        torch.nn.init.ones_(parameter)

    class Stored:
        def __init__(self, model):
            self.training, self.model = training, model

        def trained(self):
            return self

    parts = [f(Stored(net), Stored(plain), videos=6) for f in (correspondences.measure, correspondences.robustness)]
    figure5.write("jester", pd.concat(parts), tmp_path)
    stored = figure5.load(tmp_path)
    assert set(stored["features"]) == {"trained", "untrained", "C2D"} and set(stored["dataset"]) == {"jester"}
    assert set(stored["module"]) == {"res3.0", "res3.1", "res4.0", "res4.1", WHOLE, BETWEEN}
    chance = stored[(stored["metric"] == "true, by chance") & (stored["group"] == "all")]
    assert chance.groupby("module")["mean"].nunique().eq(1).all()  # whatever proposes
    judged = figure5.TABLE.judge(stored)
    assert set(judged["outcome"]) <= {"holds", "does not hold", "undecided"}
    assert judged["evidence"].str.contains("jester, res4.1|jester, whole|jester, last").all()


def test_every_claim_finds_its_numbers_in_what_is_committed():
    assert "not run" not in set(figure5.TABLE.judge(figure5.load())["outcome"])


@pytest.mark.parametrize(("mean", "expected"), [(2.0, "holds"), (-2.0, "does not hold"), (0.1, "undecided")])
def test_a_claim_comes_out_as_its_numbers_say(mean, expected):
    values = {WON_MORE: mean, CHANGE: mean, "frames": 0.5 + mean / 5, f"{top1_with(0.25)}, gain": mean}
    places = {f"{top1_with(0.25)}, gain": [WHOLE], CHANGE: ["res3.0", "res4.1", BETWEEN]}
    lines = [
        ("kinetics", "trained", module, 8, 8, "moving things" if name == "frames" else "all", name, value, 0.19, 100)
        for name, value in values.items()
        for module in places.get(name, ["res3.0", "res4.1"])
    ]
    frame = pd.DataFrame(lines, columns=figure5.MEASURED)
    assert set(figure5.TABLE.judge(frame)["outcome"]) == {expected}
    assert set(figure5.TABLE.judge(frame.iloc[:0])["outcome"]) == {"not run"}
