import pytest
import torch
from made_jester import make_jester

from cpnet.data.decode import decode_frames
from cpnet.data.layouts import read_index
from cpnet.engine.evaluate import score_videos
from cpnet.engine.machine import Machine
from cpnet.engine.protocols import PAPER_PROTOCOLS, Protocol
from cpnet.engine.recipe import Phase
from cpnet.engine.setting import VideoData
from cpnet.models import create_model

PHASE = Phase(num_frames=4, frame_step=1)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return read_index("jester", make_jester(tmp_path_factory.mktemp("jester") / "data"), "val")


def make_views(index, protocol):
    return protocol.views(index, PHASE, VideoData("jester", size=16), decode_frames)


@pytest.mark.parametrize("name", PAPER_PROTOCOLS)
def test_the_paper_s_protocols_are_known_by_name(name):
    protocol = Protocol.parse(name, k=3)
    assert f"{protocol.num_clips}x{protocol.num_crops}" == name and protocol.k == 3


@pytest.mark.parametrize("wrong", ["", "10", "x3", "3x", "0x1", "10x4", "-1x3", "10x3x2", "ten x one"])
def test_what_is_no_protocol_is_refused_with_examples(wrong):
    with pytest.raises(ValueError, match=r"give clips x crops, such as 1x1, 25x10"):
        Protocol.parse(wrong)


def test_views_are_as_many_and_as_large_as_the_protocol_says(index):
    assert make_views(index, Protocol(3, 6))[0].views.shape == (18, 3, 4, 16, 16)
    assert make_views(index, Protocol(1, 3, size=20, short_side=22))[0].views.shape == (3, 3, 4, 20, 20)


def test_shuffled_views_have_the_same_frames_in_another_order(index):
    plain, shuffled = make_views(index, Protocol(2, 3)), make_views(index, Protocol(2, 3, shuffled=True))
    moved = 0
    for i in range(len(plain)):
        one, other = plain[i].views, shuffled[i].views  # (V, 3, T, S, S)
        order = [next(t for t in range(4) if torch.equal(one[0, :, t], other[0, :, s])) for s in range(4)]
        assert sorted(order) == [0, 1, 2, 3]
        assert torch.equal(one[:, :, order], other)  # the same order in all views of a video
        assert torch.equal(other, shuffled[i].views)
        moved += order != [0, 1, 2, 3]
    assert moved > len(plain) / 2


QUIET = Machine(progress=False)


def scored(model, index, protocol):
    return protocol.scores(model, make_views(index, protocol), QUIET, QUIET.accelerator())


def test_another_k_is_that_of_the_test_only(index):
    torch.manual_seed(0)
    model = create_model("cpnet_resnet18", num_classes=3, width=4, positions="4", k=2)
    for name, parameter in model.named_parameters():
        if name.endswith("projection_norm.weight"):
            torch.nn.init.ones_(parameter)
    found = {k: scored(model, index, Protocol(k=k)) for k in (None, 5)}
    assert model.k == 2
    model.k = 5
    by_hand = score_videos(model, make_views(index, Protocol()), QUIET)
    torch.testing.assert_close(found[5], by_hand)
    assert not torch.allclose(found[None], by_hand)


def test_a_network_without_proposals_has_no_k(index):
    model = create_model("c2d_resnet18", num_classes=3, width=4)
    with pytest.raises(ValueError, match="k=5: ResNet has no CP modules"):
        scored(model, index, Protocol(k=5))
