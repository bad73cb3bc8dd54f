import pytest
import torch
from helpers import features

from cpnet.nn import CPModule, correspondence_proposals
from cpnet.nn.neighbours import NORMS, neighbours

SIZE = (3, 3, 4)
N = 36
SEEDS = torch.arange(2)


def places():
    return torch.tensor([(t, r, c) for t in range(3) for r in range(3) for c in range(4)], dtype=torch.float64)


def distances(metric, x, weight=1.0):
    """(N, N) of the first clip, by loops."""
    points, where = x[0].flatten(1).T, places()
    found = torch.empty(N, N, dtype=torch.float64)
    for i in range(N):
        for j in range(N):
            apart, differ = (where[i] - where[j]).abs(), points[i] - points[j]
            found[i, j] = {
                "semantic": differ.square().sum().sqrt(),
                "joint": (differ.square().sum() + weight**2 * apart.square().sum()).sqrt(),
                "temporal": apart[0],
                "spatiotemporal_l1": apart.sum(),
                "spatiotemporal_l2": apart.square().sum().sqrt(),
                "spatiotemporal_max": apart.max(),
            }[metric]
    return found


@pytest.mark.parametrize("own", ["out", "others", "in"])
@pytest.mark.parametrize("metric", ["semantic", "joint", "temporal", *NORMS])
def test_neighbours_are_the_nearest_of_those_allowed(metric, own):
    x = features(2, 5, *SIZE)
    found = neighbours(x, 6, metric, own=own, place_weight=0.7, seeds=SEEDS)
    assert found.shape == (2, N, 6)
    far, frame = distances(metric, x, 0.7), torch.arange(N) // 12
    allowed = torch.ones(N, N, dtype=torch.bool)
    allowed &= (frame[:, None] != frame) if own == "out" else ~torch.eye(N, dtype=torch.bool) | (own == "in")
    for i in range(N):
        chosen = found[0, i].tolist()
        assert len(set(chosen)) == 6 and allowed[i, chosen].all()
        nearest = far[i][allowed[i]].sort().values[:6]
        assert torch.allclose(far[i, chosen].sort().values, nearest)


def test_places_are_the_same_for_all_clips_and_the_default_is_the_papers():
    x = features(2, 5, *SIZE)
    fixed = neighbours(x, 4, "spatiotemporal_l2", seeds=SEEDS)
    assert torch.equal(fixed[0], fixed[1])
    assert torch.equal(neighbours(x, 4, "semantic", seeds=SEEDS), correspondence_proposals(x, 4, seeds=SEEDS))


def test_a_joint_metric_goes_from_features_to_places():
    x = features(1, 5, *SIZE)
    light, heavy = (neighbours(x, 4, "joint", place_weight=w, seeds=SEEDS[:1]) for w in (1e-9, 1e9))
    assert torch.equal(light, neighbours(x, 4, "semantic", seeds=SEEDS[:1]))
    far = distances("spatiotemporal_l2", x)
    assert torch.allclose(
        far.gather(1, heavy[0]), far.gather(1, neighbours(x, 4, "spatiotemporal_l2", seeds=SEEDS[:1])[0])
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "colour"}, "metric='colour': choose one of semantic"),
        ({"own": "some"}, "own='some': choose one of out"),
    ],
)
def test_what_is_no_choice_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CPModule(4, **arguments)


def test_too_many_neighbours_are_refused():
    with pytest.raises(ValueError, match="k=25: there are 24 positions"):
        neighbours(features(1, 2, *SIZE), 25, "spatiotemporal_l1", seeds=SEEDS[:1])
