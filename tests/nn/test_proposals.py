import numpy as np
import pytest
import torch
from helpers import features, seeded

from cpnet.nn import correspondence_proposals, proposals

# Upper 0.1 % points of the chi-square distribution, by degrees of freedom.
CHI2_999 = {5: 20.515, 15: 37.697, 19: 43.820}


def other_frames(T, H, W):
    """For each position, the positions of all other frames, ascending: (N, N - HW)."""
    frame = np.arange(T * H * W) // (H * W)
    return np.stack([np.flatnonzero(frame != t) for t in frame])


def brute_force(x, k):
    """Indices and distances (B, N, k) by a loop over queries in float64."""
    B, C, T, H, W = x.shape
    points = x.double().numpy().reshape(B, C, -1).transpose(0, 2, 1)  # (B, N, C)
    candidates = other_frames(T, H, W)
    indices = np.empty((B, T * H * W, k), dtype=np.int64)
    distances = np.empty((B, T * H * W, k))
    for b in range(B):
        for i, others in enumerate(candidates):
            distance = np.sqrt(((points[b, others] - points[b, i]) ** 2).sum(1))
            nearest = np.argsort(distance, kind="stable")[:k]
            indices[b, i], distances[b, i] = others[nearest], distance[nearest]
    return indices, distances


def distances_of(x, indices):
    points = x.double().flatten(2).transpose(1, 2)  # (B, N, C)
    neighbours = points[torch.arange(len(points))[:, None, None], indices]  # (B, N, k, C)
    return (neighbours - points[:, :, None]).norm(dim=3).numpy()


def chi2_of_choices(counts, draws, picked):
    """Statistic of how often each of M items was among `picked` drawn without replacement, `draws` times; M - 1 dof."""
    counts = np.asarray(counts, dtype=np.float64)
    M = len(counts)
    p = picked / M
    assert counts.sum() == draws * picked
    return ((counts - draws * p) ** 2).sum() / (draws * p * (1 - p) * M / (M - 1))


SHAPES = [
    # B, C, T, H, W, k
    (1, 4, 2, 2, 2, 1),
    (2, 8, 3, 4, 5, 4),
    (1, 3, 4, 5, 7, 8),  # 105 candidates, groups of 3
    (2, 16, 5, 3, 3, 5),
    (3, 1, 3, 1, 11, 3),
    (1, 6, 3, 5, 5, 40),
    (2, 5, 3, 3, 4, 24),  # every position of the other frames
    (1, 5, 2, 1, 1, 1),
    (1, 70, 2, 13, 17, 9),  # 221 candidates, a multiple of no group size
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", ["random", "index"])
def test_equals_brute_force(shape, ties):
    *shape, k = shape
    x = features(*shape)
    expected, _ = brute_force(x, k)
    np.testing.assert_array_equal(correspondence_proposals(x, k, ties=ties).numpy(), expected)


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_low_precision_inputs_are_ranked_by_exact_distances(dtype, offset):
    x = (features(2, 16, 3, 6, 6) * (8 if offset else 1) + offset).to(dtype)
    x = x + features(2, 16, 3, 6, 6, seed=1, dtype=dtype)
    _, expected = brute_force(x, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        indices = correspondence_proposals(x, 5)
    np.testing.assert_allclose(distances_of(x, indices), expected, rtol=1e-4)


def test_own_frame_is_never_proposed_even_if_it_is_nearest():
    T, H, W = 3, 4, 5
    x = torch.arange(T).float()[None, None, :, None, None].expand(2, 4, T, H, W).clone()
    x += 1e-3 * features(2, 4, T, H, W, dtype=torch.float32)
    indices = correspondence_proposals(x, k=2 * H * W)
    own = torch.arange(T * H * W)[:, None] // (H * W)
    assert (indices // (H * W) != own).all()
    for row in indices.flatten(0, 1):
        assert len(row.unique()) == 2 * H * W


def test_nearest_first():
    x = features(2, 6, 4, 5, 5, dtype=torch.float32)
    distances = distances_of(x, correspondence_proposals(x, 12))
    assert (np.diff(distances, axis=2) >= -1e-6).all()


@pytest.mark.parametrize("elements", [1, 100, 1000, 5000, 2**24])
@pytest.mark.parametrize("distinct", [True, False], ids=["distinct", "tied"])
def test_block_size_changes_nothing(monkeypatch, elements, distinct):
    x = features(3, 4, 3, 4, 5)
    x = x if distinct else x.round()
    whole = correspondence_proposals(x, 6, ties="index")
    monkeypatch.setattr(proposals, "BLOCK_ELEMENTS", {"cpu": elements})
    blocks = correspondence_proposals(x, 6, ties="index")
    assert torch.equal(blocks.sort(2).values, whole.sort(2).values)  # the order of ties inside the k is open
    np.testing.assert_array_equal(distances_of(x, blocks), distances_of(x, whole))


@pytest.mark.parametrize("ties", ["random", "index"])
def test_equal_and_distinct_queries_mixed(ties):
    """Few distinct features in every frame; which of the equals is chosen is open, so distances are compared."""
    palette = features(7, 3)
    x = palette[torch.randint(7, (2, 3, 5, 6), generator=seeded(0))].permute(0, 4, 1, 2, 3).contiguous()
    _, expected = brute_force(x, 9)
    np.testing.assert_allclose(distances_of(x, correspondence_proposals(x, 9, ties=ties)), expected, atol=1e-12)


def test_colliding_hashes_of_queries_do_no_harm(monkeypatch):
    x = features(1, 4, 3, 4, 5)
    expected, _ = brute_force(x, 5)
    monkeypatch.setattr(torch, "linspace", lambda start, end, steps, **kwargs: torch.zeros(steps, **kwargs))
    np.testing.assert_array_equal(correspondence_proposals(x, 5).numpy(), expected)


def test_no_gradient_and_no_change_of_the_features():
    x = features(1, 4, 2, 3, 3).requires_grad_()
    before = x.detach().clone()
    indices = correspondence_proposals(x, 3)
    assert indices.dtype == torch.int64 and not indices.requires_grad
    assert torch.equal(x.detach(), before)


# Ties


def drawn(seed, x, k):
    """Proposals whose random choices begin with a seed of torch's generator."""
    torch.manual_seed(seed)
    return correspondence_proposals(x, k)


def few_ties(queries=1000):
    """Frame 0: equal queries. Frame 1: two near positions, six at one larger distance, the rest are farther."""
    features = 10 + torch.arange(queries).double()
    place = torch.randperm(queries, generator=seeded(5))[:8]
    features[place[:2]] = torch.tensor([1.0, 1.5], dtype=torch.float64)
    features[place[2:]] = torch.tensor([2.0, -2.0] * 3, dtype=torch.float64)
    x = torch.stack([torch.zeros(queries, dtype=torch.float64), features])[None, None]  # (1, 1, T, N)
    return x.unflatten(3, (20, -1)), place[:2], place[2:]


def test_ties_on_a_flat_map_are_uniform_over_positions(monkeypatch):
    def refuse(size, **kwargs):
        assert size[0] == 0, "a flat map needs no pass over all columns"
        return torch.empty(size)

    monkeypatch.setattr(torch, "rand", refuse)
    H, W, k, clips = 4, 5, 3, 200
    indices = drawn(0, torch.zeros(clips, 2, 2, H, W), k)
    for frame in (0, 1):
        chosen = indices[:, frame * H * W : (frame + 1) * H * W] - (1 - frame) * H * W
        counts = torch.bincount(chosen.flatten(), minlength=H * W)
        assert chi2_of_choices(counts, clips * H * W, k) < CHI2_999[19]
        for place in range(k):
            counts = torch.bincount(chosen[:, :, place].flatten(), minlength=H * W)
            assert chi2_of_choices(counts, clips * H * W, 1) < CHI2_999[19]
    assert all(len(row.unique()) == k for row in indices.flatten(0, 1))


def test_few_tied_columns_are_chosen_uniformly_and_nearer_ones_always():
    x, near, tied = few_ties()
    indices = drawn(0, x, 4)[0, :1000] - 1000  # (queries, k)
    assert (indices[:, :2] == near).all()
    counts = (indices[:, 2:, None] == tied).sum((0, 1))
    assert counts.sum() == 2 * 1000
    assert (indices[:, 2] != indices[:, 3]).all()
    assert chi2_of_choices(counts, 1000, 2) < CHI2_999[5]


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "few"])
def test_tied_choices_of_two_queries_are_independent(flat):
    if flat:
        indices = drawn(1, torch.zeros(1600, 1, 2, 2, 2), 1)  # (clips, N, 1)
        first, second = indices[:, 0, 0] - 4, indices[:, 1, 0] - 4
    else:
        features = 10 + torch.arange(400).double()
        features[:4] = 1
        x = torch.stack([torch.zeros_like(features), features])[None, None, :, None]  # (1, 1, T, 1, W)
        choices = torch.cat([drawn(s, x, 1)[0, :400, 0] for s in range(8)]) - 400
        first, second = choices[::2], choices[1::2]
    counts = torch.bincount(4 * first + second, minlength=16)
    assert chi2_of_choices(counts, 1600, 1) < CHI2_999[15]


def test_index_ties_take_the_lowest_indices():
    x = torch.zeros(1, 2, 3, 2, 3)
    indices = correspondence_proposals(x, 7, ties="index")
    np.testing.assert_array_equal(indices[0].sort(1).values.numpy(), other_frames(3, 2, 3)[:, :7])


def test_index_ties_keep_nearer_neighbours():
    x, near, tied = few_ties()
    indices = correspondence_proposals(x, 4, ties="index")[0, :1000] - 1000
    assert (indices[:, :2] == near).all()
    assert (indices[:, 2:] == tied.sort().values[:2]).all()


def test_distances_that_differ_by_rounding_only_are_ties():
    """The entries of all neighbours are permutations of each other: equal distances to a constant vector."""
    C, W = 24, 60
    entries = torch.randn(C, generator=seeded(0))
    shuffled = torch.stack([entries[torch.randperm(C, generator=seeded(s))] for s in range(W)], dim=1)  # (C, W)
    x = torch.stack([torch.full((C, W), 0.3), shuffled], dim=1)[None, :, :, None]  # (1, C, T, 1, W)
    indices = correspondence_proposals(x, 5, ties="index")[0, :W]
    assert torch.equal(indices.sort(1).values, W + torch.arange(5).expand(W, 5))


def test_small_but_real_differences_are_not_ties():
    W = 200
    features = 1 + 1e-5 * torch.arange(W, 0, -1)
    x = torch.stack([torch.zeros(W), features])[None, None, :, None]  # (1, 1, T, 1, W)
    indices = drawn(0, x, 3)[0, :W]
    assert torch.equal(indices.sort(1).values, W + torch.arange(W - 3, W).expand(W, 3))


def test_same_seed_same_draws():
    x = torch.zeros(2, 3, 3, 4, 4)
    first = drawn(3, x, 4)
    assert torch.equal(first, drawn(3, x, 4))
    assert not torch.equal(first, drawn(4, x, 4))


def test_default_generator_is_the_global_one():
    x = torch.zeros(1, 3, 3, 4, 4)
    torch.manual_seed(0)
    first, second = correspondence_proposals(x, 4), correspondence_proposals(x, 4)
    torch.manual_seed(0)
    assert torch.equal(first, correspondence_proposals(x, 4))
    assert not torch.equal(first, second)


# Errors


def test_too_large_k_names_both_numbers():
    with pytest.raises(ValueError, match=r"k=19\b.*\b18\b"):
        correspondence_proposals(torch.zeros(1, 2, 3, 3, 3), 19)


@pytest.mark.parametrize(
    ("x", "k", "ties", "message"),
    [
        (torch.zeros(1, 2, 3, 3, 3), 0, "random", "k=0"),
        (torch.zeros(1, 2, 3, 3, 3), -2, "random", "k=-2"),
        (torch.zeros(1, 2, 1, 3, 3), 1, "random", "one frame"),
        (torch.zeros(2, 3, 3, 3), 1, "random", r"\(B, C, T, H, W\)"),
        (torch.zeros(1, 2, 3, 3, 3), 1, "first", "ties='first'"),
        (torch.full((1, 2, 3, 3, 3), torch.nan), 1, "random", "NaN"),
    ],
    ids=["zero", "negative", "one frame", "rank", "ties", "nan"],
)
def test_bad_arguments(x, k, ties, message):
    with pytest.raises(ValueError, match=message):
        correspondence_proposals(x, k, ties=ties)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_value_that_is_not_finite_is_enough(value):
    x = torch.zeros(2, 2, 2, 3, 3)
    x[1, 0, 1, 2, 2] = value
    with pytest.raises(ValueError, match="NaN"):
        correspondence_proposals(x, 1)


def test_clips_do_not_depend_on_their_batch():
    """Ties included: the seed of a clip and its own features decide. Flat clips and others are searched together."""
    x = features(6, 5, 3, 4, 6, dtype=torch.float32)
    x[1], x[2], x[4] = 0, x[2].round(), x[1]
    seeds = torch.tensor([3, 1, 4, 1, 5, 9])
    together = correspondence_proposals(x, 5, seeds=seeds)
    for b in range(6):
        assert torch.equal(correspondence_proposals(x[b : b + 1], 5, seeds=seeds[b : b + 1]), together[b : b + 1])
    again = correspondence_proposals(x[[1, 1, 1]], 5, seeds=seeds[[1, 3, 4]])
    assert torch.equal(again[0], again[1]) and not torch.equal(again[0], again[2])


@pytest.mark.parametrize("W", [300, 301])
def test_wide_rows_equal_brute_force(W):
    """Enough columns that maxima of groups come first, in a number that groups divide, and one that they do not."""
    x = features(1, 3, 8, 1, W)
    assert 7 * W > proposals.WIDE
    expected, _ = brute_force(x, 6)
    np.testing.assert_array_equal(correspondence_proposals(x, 6).numpy(), expected)


@pytest.mark.parametrize(("side", "k"), [(6, 8), (11, 15)])
def test_searching_by_groups_keeps_the_order_of_equal_distances(monkeypatch, side, k):
    """In half of the features only, so that rows with and without equals meet."""
    x = features(2, 3, 8, side, side, dtype=torch.float32)
    x[:, :, :, : side // 2] = x[:, :, :, : side // 2].mul(2).round()
    by_groups = correspondence_proposals(x, k, ties="index")
    monkeypatch.setattr(proposals, "FEW", 0)
    assert torch.equal(by_groups, correspondence_proposals(x, k, ties="index"))


def test_the_search_is_a_sound_operator():
    x = features(2, 3, 2, 3, 4, dtype=torch.float32)
    for seeds in (None, torch.tensor([1, 2])):
        torch.library.opcheck(proposals._search, (x, 4, seeds))
