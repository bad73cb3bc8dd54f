import pytest
import torch
from helpers import fill_randomly

from cpnet.models import create_model
from cpnet.models.look import block_sums, cp_modules, look, propose
from cpnet.nn import correspondence_proposals

ARGUMENTS = {"num_classes": 5, "width": 8, "stem": "112_no_pool"}


@pytest.fixture
def net():
    return fill_randomly(create_model("cpnet_resnet18", positions="5", k=4, **ARGUMENTS)).eval()


@pytest.fixture
def clip():
    return torch.randn(3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


def test_every_module_is_seen_in_order_and_what_comes_out_goes_on(net, clip):
    seen = look(net, clip)
    assert [one.module for one in seen] == [name for name, _, _ in cp_modules(net)]
    assert [one.module for one in seen] == ["res3.0", "res3.1", "res4.0", "res4.1", "res4.1b"]
    assert [one.shrink for one in seen] == [2, 2, 1, 1, 1]
    assert torch.equal(seen[3].after, seen[4].before)  # two modules in one block
    channels = [module.hidden[-1] for _, _, module in cp_modules(net)]
    assert all(one.indices.shape == one.wins.shape == (4 * 4 * 4, 4) for one in seen[:2])
    assert all((one.wins.sum(1) <= c).all() for one, c in zip(seen, channels, strict=True))


def test_rows_of_odd_features_to_a_row_of_the_search(net):
    clip = torch.randn(3, 2, 100, 100, generator=torch.Generator().manual_seed(0))
    one = look(net, clip)[0]
    assert one.before.shape[2] == 25 and one.size == (2, 13, 13) and one.shrink == 2


def test_looking_changes_nothing(net, clip):
    before = net(clip[None])
    look(net, clip)
    block_sums(net, clip, [(3, 0), (4, 1)])
    assert torch.equal(net(clip[None]), before) and not net.block((3, 0)).nl


def test_block_sums_of_c2d_are_what_a_module_would_see(clip):
    plain = fill_randomly(create_model("c2d_resnet18", **ARGUMENTS)).eval()
    net = create_model("cpnet_resnet18", positions=[(3, 0), (4, 1)], k=4, **ARGUMENTS).eval()
    net.load_state_dict(plain.state_dict(), strict=False)  # fresh modules change nothing
    sums = block_sums(plain, clip, [(3, 0), (4, 1)])
    for one, features in zip(look(net, clip), sums, strict=True):
        assert torch.equal(one.before, features) and torch.equal(one.after, features)
    assert torch.equal(block_sums(plain, clip, [(4, 1), (3, 0), (4, 1)])[2], sums[1])


def test_proposals_are_those_of_the_module(net, clip):
    for one in look(net, clip):
        alone = propose(one.before, 4, one.shrink)
        distinct = torch.cdist(one.before.flatten(1).T, one.before.flatten(1).T).unique().numel() > 1
        assert alone.shape == one.indices.shape and distinct
    features = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    expected = correspondence_proposals(features[None], 5, ties="index")[0]
    assert torch.equal(propose(features, 5), expected)  # nothing is tied
