"""How far networks see: what no weights can tell apart, and how claims come out."""

import numpy as np
import pytest
import torch
from helpers import fill_randomly, spread
from made_results import NOTHING, measured
from scipy.stats import ks_2samp

from cpnet.data.moving_square import CLASSES, ToyMotion
from cpnet.experiments import how_far
from cpnet.experiments.how_far import CELLS, DATA, EVERY, LOCAL, NETS, TABLE, row
from cpnet.models import create_model

SAME, DIFFERENT = 1e-9, 1e-6  # spreads of logits over clips, relative


def clips(step, distractors="none", count=8):
    """Clips of all directions, in float64."""
    data = ToyMotion("val", **DATA, steps=[step], distractors=distractors)
    return torch.from_numpy(data.frames[:count]).permute(0, 4, 1, 2, 3).double() / 255  # (count, 3, T, H, W)


def random_net(name, seed=0, pooling="max"):
    net = NETS[name]
    return fill_randomly(create_model(net.model, pooling=pooling, **net.arguments).double(), seed)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", LOCAL)
def test_no_weights_see_beyond_the_reach_and_some_see_up_to_it(name, training):
    """Equal logits for all clips score 25 %, whatever the training; NL Net is slow and has fewer displacements."""
    net = NETS[name]
    within = [step for step in net.steps if step <= net.reach]
    beyond = [step for step in EVERY if step > net.reach]
    for step in (beyond[0], beyond[-1]) if name == "nl" else beyond:
        assert all(
            spread(random_net(name, seed), clips(step), training) < SAME for seed in range(1 if name == "nl" else 3)
        )
    if within:
        # Averages over positions, as the maximum of a random net is often elsewhere.
        assert spread(random_net(name, pooling="average"), clips(within[-1]), training) > DIFFERENT


@pytest.mark.parametrize("kind", ["alike", "unlike"])
def test_distractors_tell_a_net_with_two_layers_nothing(kind):
    for step in (6, 10):
        assert spread(random_net("artnet"), clips(step, kind), True) < SAME
        assert spread(random_net("cpnet_k4"), clips(step, kind), True) > DIFFERENT


@pytest.mark.parametrize("kind", ["alike", "unlike"])
def test_distractors_stand_still_and_apart(kind):
    data = ToyMotion("val", **DATA, steps=[10], distractors=kind)
    assert data.still.shape == (200, 2, 2)
    everything = np.concatenate([data.still, data.paths], axis=1)
    for places in everything:
        distances = np.abs(places[:2, None] - places[None]).max(2)
        assert np.sort(distances, axis=1)[:, 1].min() >= 7  # five black pixels between squares of two
    assert (data.frames[..., 0].astype(bool).sum((2, 3)) == 12).all()
    assert (data.frames[..., 1].astype(bool).sum((2, 3)) == (12 if kind == "alike" else 4)).all()
    train = ToyMotion("train", **DATA, steps=[10], distractors=kind)
    assert not {clip.tobytes() for clip in train.frames} & {clip.tobytes() for clip in data.frames}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distractors": "many"}, "distractors='many'"),
        ({"steps": []}, "steps"),
        ({"steps": [0]}, "steps"),
        ({"size": 20, "num_frames": 2, "distractors": "alike"}, "do not fit"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ToyMotion("val", **arguments)


def as_expected():
    """Accuracies as the reach has them: 100 % or chance."""
    nets = {**NETS, **CELLS}
    return {row(name, step): 100.0 if step <= net.reach else 25.0 for name, net in nets.items() for step in net.steps}


def outcomes(values):
    noiseless = measured(values, n=200, noise=(0, 0, 0))
    return TABLE.judge(noiseless)["outcome"].tolist()


@pytest.mark.parametrize(
    ("changed", "refuted"),
    [
        ({}, []),
        ({"c3d2_step6": 50.0}, [0]),
        ({"c3d4_step9": 25.0}, [1]),
        ({"cpnet_k1_step8": 60.0}, [2]),
        ({"cpnet_k4_alike_step10": 80.0}, [6]),
        ({"cpnet_k4_scale32_step1": 50.0}, [4]),
        ({"c3d4_long_step9": 50.0}, [5]),
        ({"cpnet_cell8_step4": 50.0}, [8]),
    ],
    ids=str,
)
def test_claims_come_out_as_their_numbers_say(changed, refuted):
    assert [i for i, said in enumerate(outcomes(as_expected() | changed)) if said != "holds"] == refuted
    assert TABLE.judge(NOTHING)["outcome"].tolist() == ["not run"] * 9
    some = {name: value for name, value in as_expected().items() if name.startswith("trn")}
    assert outcomes(some | changed)[0] == ("does not hold" if 0 in refuted else "partly run")


def test_the_reach_is_judged_on_three_seeds_of_each_displacement():
    verdict = TABLE.judge(measured(as_expected(), n=200, seeds=(0, 1))).iloc[0]
    assert verdict["outcome"] == "partly run" and verdict["evidence"].endswith("; 26 are to be trained")


@pytest.mark.parametrize(("one", "other", "axis"), [("left", "right", 1), ("up", "down", 0)])
def test_frames_without_their_order_do_not_tell_the_direction(one, other, axis):
    """Frames of motions to the left lie where those of motions to the right do: whoever sees a bag of them guesses."""
    data = ToyMotion("train", seed=0, **DATA, steps=[8])
    first, second = (data.paths[data.labels == CLASSES.index(name)] for name in (one, other))
    assert (first[:, 0, axis] > first[:, 1, axis]).all() and (second[:, 0, axis] < second[:, 1, axis]).all()
    for corner in (0, 1):
        assert ks_2samp(first.min(1)[:, corner], second.min(1)[:, corner]).pvalue > 0.01


@pytest.mark.parametrize("name", CELLS)
def test_a_net_of_coarse_cells_searches_on_their_grid_and_can_tell_parts_of_them(name):
    cell, (step, _) = CELLS[name].arguments["stride"], CELLS[name].steps
    net = fill_randomly(create_model("cpnet_toy", pooling="average", **CELLS[name].arguments).double(), 0)
    data = ToyMotion("val", **{**DATA, "size": 64}, steps=[step])
    shown = torch.from_numpy(data.frames[:8]).permute(0, 4, 1, 2, 3).double() / 255
    sizes = []
    net.core.register_forward_hook(lambda module, given, out: sizes.append(tuple(out.shape[2:])))
    assert spread(net, shown, True) > DIFFERENT
    assert set(sizes) == {(2, 64 // cell, 64 // cell)}


def test_runs_of_one_displacement_and_of_the_miniature():
    assert {run.row for run in how_far.runs_of("cpu", 0, 6)} == {row(n, 6) for n, net in NETS.items() if 6 in net.steps}
    assert {run.row for run in how_far.runs_of("smoke", "all", 6)} == {row(n, 6) for n in how_far.SMOKE_NETS}
    assert len(how_far.runs_of("smoke", 0)) < len(how_far.runs_of("cpu", 0))
    assert list(how_far.overview_of_nets()["reach, px"]) == ["0", "5", "5", "5", "7", "9", "any", "any", "any"]
