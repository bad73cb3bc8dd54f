import copy

import pytest
import torch
import torch.nn.functional as F
from helpers import features, seeded

from cpnet.models import create_model
from cpnet.nn import CPModule, correspondence, pairs
from cpnet.nn.correspondence import Proposals, _enlarge
from cpnet.nn.direct import DirectCPModule

POOLS = ["before_projection", "after_projection"]


def randomise(module, seed=0):
    """Random gammas, betas and running statistics; weights stay as initialised, but from `seed`."""
    generator = seeded(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if "norm" in name and name.endswith("weight"):
                tensor.copy_(values + 0.5 * values.sign())  # gammas of both signs, none near zero
            else:
                tensor.copy_(values.abs() + 0.5 if name.endswith("running_var") else 0.5 * values)
    return module


def cp_module(*args, seed=0, dtype=torch.float64, **kwargs):
    return randomise(CPModule(*args, **kwargs).to(dtype), seed)


def direct_twin(module):
    """The same parameters and buffers, computed as Eq. 1 is printed."""
    twin = copy.deepcopy(module)
    twin.__class__ = DirectCPModule
    return twin


def outputs_and_gradients(module, x):
    x = x.clone().requires_grad_()
    y, proposals = module(x, return_proposals=True)
    weights = features(*y.shape, seed=9).to(y)
    (y * weights).sum().backward()
    gradients = {name: p.grad for name, p in module.named_parameters()}
    buffers = {name: b.clone() for name, b in module.named_buffers()}
    return {"y": y.detach(), "x.grad": x.grad, "wins": proposals.wins.sort(2).values} | gradients | buffers


CONFIGS = [
    {"channels": 8},
    {"channels": 8, "k": 1},
    {"channels": 8, "k": 24},
    {"channels": 6, "k": 3, "hidden": (5,)},
    {"channels": 6, "k": 5, "hidden": (7, 4, 9)},
    {"channels": 8, "k": 4, "displacement": False},
    {"channels": 8, "k": 4, "displacement_scale": 8.0},
    {"channels": 8, "k": 4, "pair": "distance"},
    {"channels": 8, "k": 3, "pair": "distance", "displacement": False, "shrink": 2, "hidden": (5,)},
    {"channels": 8, "k": 4, "bottleneck": 3},
    {"channels": 8, "k": 4, "shrink": 2},
    {"channels": 8, "k": 2, "shrink": 2, "bottleneck": 4, "displacement": False, "hidden": (4,)},
]


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_equals_the_direct_form_with_gradients(config, pool, training):
    module = cp_module(**config, pool=pool).train(training)
    twin = direct_twin(module)
    x = features(2, config["channels"], 3, 4, 6)
    ours, direct = outputs_and_gradients(module, x), outputs_and_gradients(twin, x)
    assert ours.keys() == direct.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, direct[name], rtol=1e-8, atol=1e-10, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("pool", POOLS)
def test_equals_the_direct_form_in_single_precision(pool):
    module = cp_module(16, 4, pool=pool, dtype=torch.float32)
    twin = direct_twin(module)
    x = features(2, 16, 3, 5, 5, dtype=torch.float32)
    indices = module._propose(x)
    module._propose = twin._propose = lambda f: indices  # nearly equal distances may fall either way
    torch.testing.assert_close(module(x), twin(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_gradcheck(pool):
    module = cp_module(4, 2, (3, 2), pool=pool, bottleneck=3, seed=2).eval()
    x = features(1, 4, 2, 2, 2, seed=3).requires_grad_()
    names = [name for name, _ in module.named_parameters()]

    def run(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *module.parameters()), eps=1e-7)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_fresh_module_is_the_identity(pool, training):
    module = CPModule(8, 3, pool=pool, bottleneck=4, shrink=2).train(training)
    x = features(2, 8, 2, 4, 4, dtype=torch.float32)
    assert torch.equal(module(x), x)


def test_gradients_of_a_single_clip_equal_those_of_the_clip_in_a_batch():
    """torch 2.13's CPU batch norm misreads some strides of a gradient if there is one clip only."""
    module = cp_module(8, 3, bottleneck=6).eval()
    x = features(2, 8, 3, 4, 4)

    def gradient(x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(module(x)[0].square().sum(), x)[0][0]

    torch.testing.assert_close(gradient(x[:1]), gradient(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("pool", POOLS)
def test_mixed_precision(pool):
    module = cp_module(16, 4, pool=pool, dtype=torch.float32)
    x = features(2, 16, 3, 5, 5, dtype=torch.float32)
    full = module(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = module(x)
    assert (mixed - full).norm() < 0.05 * (full - x).norm()
    mixed.float().square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().max() > 0 for p in module.parameters())


def test_order_of_proposals_is_irrelevant():
    module = cp_module(8, 6, (9, 8)).eval()
    x = features(2, 8, 3, 4, 4)
    y, found = module(x, return_proposals=True)
    shuffle = torch.randperm(6, generator=seeded(0))
    module._propose = lambda f: found.indices[:, :, shuffle]
    shuffled, proposals = module(x, return_proposals=True)
    torch.testing.assert_close(shuffled, y, rtol=1e-12, atol=1e-12)
    assert torch.equal(proposals.wins, found.wins[:, :, shuffle])


@pytest.mark.parametrize("pool", POOLS)
def test_every_parameter_learns_once_gamma_is_not_zero(pool):
    module = CPModule(8, 3, pool=pool, bottleneck=6)
    torch.nn.init.ones_(module.projection_norm.weight)
    x = features(2, 8, 3, 4, 4, dtype=torch.float32)
    module(x).square().sum().backward()
    for name, p in module.named_parameters():
        assert p.grad is not None and p.grad.abs().max() > 1e-6, name


def test_only_the_last_batch_norm_learns_at_first():
    module = CPModule(8, 3)
    module(features(2, 8, 3, 4, 4, dtype=torch.float32)).square().sum().backward()
    moved = {name for name, p in module.named_parameters() if p.grad.abs().max() > 0}
    assert moved == {"projection_norm.weight", "projection_norm.bias"}


def test_no_gradient_flows_through_the_search(monkeypatch):
    module = cp_module(8, 3).eval()
    x = features(1, 8, 3, 4, 4)
    searched = outputs_and_gradients(module, x)
    indices = module(x, return_proposals=True)[1].indices
    assert not indices.requires_grad

    def held(f, k, metric, **kwargs):
        assert not f.requires_grad
        return indices

    monkeypatch.setattr(correspondence, "neighbours", held)
    module.zero_grad()
    for name, value in outputs_and_gradients(module, x).items():
        assert torch.equal(value, searched[name]), name


# Ties and determinism


def flat_features(B=3, C=8, dtype=torch.float32):
    """Flat maps with one distinct position each: nearly all proposals are ties."""
    x = torch.zeros(B, C, 3, 4, 4, dtype=dtype)
    for b in range(B):
        x[b, :, b % 3, b, 1] = 1 + b
    return x


def test_evaluation_with_random_ties_is_deterministic_and_independent_of_the_batch():
    module = cp_module(8, 3).eval()
    x = flat_features(dtype=torch.float64)
    together, found = module(x, return_proposals=True)
    assert torch.equal(module(x), together)
    for b in (2, 0, 1):
        alone, proposals = module(x[b : b + 1], return_proposals=True)
        assert torch.equal(proposals.indices, found.indices[b : b + 1])
        torch.testing.assert_close(alone, together[b : b + 1], rtol=1e-12, atol=1e-12)


def test_evaluation_does_not_disturb_the_draws_of_training():
    x = flat_features()
    plain, interrupted = CPModule(8, 3), CPModule(8, 3)
    first = [plain(x, return_proposals=True)[1].indices for _ in range(2)]
    second = [interrupted(x, return_proposals=True)[1].indices]
    interrupted.eval()(x)
    torch.rand(5)  # nor does the global generator
    second.append(interrupted.train()(x, return_proposals=True)[1].indices)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_training_draws_anew_at_each_call_and_between_clips():
    module = CPModule(8, 3)
    x = torch.zeros(2, 8, 3, 4, 4)
    first, second = (module(x, return_proposals=True)[1].indices for _ in range(2))
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_tie_seed_decides_the_draws():
    x = flat_features()
    draws = [CPModule(8, 3, tie_seed=seed)(x, return_proposals=True)[1].indices for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_index_ties_never_vary():
    module = CPModule(8, 3, ties="index")
    x = flat_features()
    first, second = (module(x, return_proposals=True)[1].indices for _ in range(2))
    assert torch.equal(first, second)
    assert (first.sort(2).values[:, 16:, 0] == 0).all()  # position 0 is the lowest one of every other frame


def test_deep_copies_and_state_dicts_work_after_training():
    module = CPModule(8, 3)
    module(flat_features())
    clone = copy.deepcopy(module)
    fresh = CPModule(8, 3)
    fresh.load_state_dict(module.state_dict())
    x = features(1, 8, 3, 4, 4, dtype=torch.float32)
    for other in (clone, fresh):
        assert torch.equal(other.eval()(x), module.eval()(x))


# k and proposals


def test_k_may_be_changed_after_construction():
    module = cp_module(8, 2).eval()
    x = features(1, 8, 3, 4, 4)
    small = module(x, return_proposals=True)[1]
    module.k = 7
    y, large = module(x, return_proposals=True)
    assert small.indices.shape == small.wins.shape == (1, 48, 2)
    assert large.indices.shape == large.wins.shape == (1, 48, 7)
    assert torch.equal(large.indices[:, :, :2], small.indices)
    torch.testing.assert_close(y, direct_twin(module)(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shrink", [1, 2])
def test_returned_size_is_that_of_the_search(shrink):
    module = CPModule(8, 3, shrink=shrink)
    _, proposals = module(features(2, 8, 3, 4, 6, dtype=torch.float32), return_proposals=True)
    assert isinstance(proposals, Proposals)
    assert proposals.size == (3, 4 // shrink, 6 // shrink)
    N = 3 * 4 * 6 // shrink**2
    assert proposals.indices.shape == proposals.wins.shape == (2, N, 3)
    assert proposals.indices.min() >= 0 and proposals.indices.max() < N


def test_each_channel_has_at_most_one_winner_before_the_projection():
    module = cp_module(8, 5, (6, 7)).eval()
    _, (_, wins, _) = module(features(2, 8, 3, 4, 4), return_proposals=True)
    assert (wins >= 0).all() and (wins.sum(2) <= 7).all()
    assert (wins.sum(2) < 7).any() and (wins.sum(2) > 0).any()


def test_each_channel_has_exactly_one_winner_after_the_projection():
    module = cp_module(8, 5, (6, 7), pool="after_projection").eval()
    _, (_, wins, _) = module(features(2, 8, 3, 4, 4), return_proposals=True)
    assert (wins.sum(2) == 8).all()


@pytest.mark.parametrize("displacement", [True, False])
def test_wins_are_the_argmax_set_of_equation_2(displacement):
    """Brute force over positions, proposals and channels, on channels with a positive maximum."""
    T, H, W, C, k = 3, 2, 3, 6, 4
    module = cp_module(C, k, (5, 7), displacement=displacement).eval()
    x = features(1, C, T, H, W)
    _, (indices, wins, _) = module(x, return_proposals=True)
    f = x[0].flatten(1).T  # (N, C)
    place = [torch.tensor([t / T, h / H, w / W], dtype=x.dtype) for t in range(T) for h in range(H) for w in range(W)]
    for i in range(T * H * W):
        rows = []
        for j in indices[0, i].tolist():
            row = torch.cat([place[j] - place[i], f[i], f[j]] if displacement else [f[i], f[j]])
            for layer, norm in zip(module.layers, module.norms, strict=True):
                row = layer.weight @ row
                row = (row - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
                row = row.clamp(min=0)
            rows.append(row)
        rows = torch.stack(rows)  # (k, h)
        best = rows.max(0).values
        expected = ((rows == best) & (best > 0)).sum(1)
        assert torch.equal(wins[0, i], expected)


# Resolution


def test_shrink_keeps_every_second_place_and_enlarges_as_tf1():
    """Displacement off and distinct features: the embedding of the kept places, then TF 1's bilinear resize."""
    x = features(2, 8, 3, 4, 6)
    full = cp_module(8, 3, shrink=2).eval()
    plain = cp_module(8, 3).eval()  # the same parameters
    kept = x[..., ::2, ::2]
    expected = x + _by_hand(plain(kept) - kept)
    torch.testing.assert_close(full(x), expected, rtol=1e-10, atol=1e-10)


def _by_hand(g):
    B, C, T, h, w = g.shape
    out = g.new_empty(B, C, T, 2 * h, 2 * w)
    for row in range(2 * h):
        for column in range(2 * w):
            rows = (row // 2, min((row + 1) // 2, h - 1))
            columns = (column // 2, min((column + 1) // 2, w - 1))
            out[..., row, column] = sum(g[..., r, c] for r in rows for c in columns) / 4
    return out


def test_enlarging_on_hand_numbers():
    x = torch.tensor([[0.0, 4.0], [8.0, 20.0]])[None, None, None]
    expected = [[0.0, 2.0, 4.0, 4.0], [4.0, 8.0, 12.0, 12.0], [8.0, 14.0, 20.0, 20.0], [8.0, 14.0, 20.0, 20.0]]
    torch.testing.assert_close(_enlarge(x, 2), torch.tensor(expected)[None, None, None])
    row = torch.tensor([3.0, 9.0])[None, None, None, None]
    torch.testing.assert_close(_enlarge(row, 3)[0, 0, 0, 0], torch.tensor([3.0, 5.0, 7.0, 9.0, 9.0, 9.0]))
    assert torch.equal(_enlarge(x, 1), x)


def test_enlarging_keeps_clips_channels_and_frames_apart():
    x = features(2, 3, 4, 3, 5)
    torch.testing.assert_close(_enlarge(x, 2), _by_hand(x))


@pytest.mark.parametrize("size", [(5, 7), (3, 4), (7, 2)])
def test_odd_sizes_shrink(size):
    module = cp_module(8, 3, shrink=2).eval()
    x = features(1, 8, 3, *size)
    y, proposals = module(x, return_proposals=True)
    assert y.shape == x.shape
    assert proposals.size == (3, (size[0] + 1) // 2, (size[1] + 1) // 2)
    kept = x[..., ::2, ::2]
    g = cp_module(8, 3).eval()(kept) - kept
    torch.testing.assert_close((y - x)[..., ::2, ::2], g)


def test_search_and_embedding_see_the_bottleneck_only():
    module = cp_module(8, 3, bottleneck=4).eval()
    x = features(2, 8, 3, 4, 4)
    conv, norm = module.bottleneck
    f = torch.einsum("dc,bcthw->bdthw", conv.weight[:, :, 0, 0, 0], x)
    f = F.batch_norm(f, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-3)
    assert f.min() < 0  # no ReLU
    direct = direct_twin(module)
    g, _ = direct._embed(f, direct._propose(f))
    torch.testing.assert_close(module(x), x + g.unflatten(2, (3, 4, 4)), rtol=1e-9, atol=1e-9)


# Construction


def test_default_widths_are_those_of_supplement_b():
    module = CPModule(64)
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters() if p.ndim > 1}
    assert shapes == {"layers.0.weight": (16, 131), "layers.1.weight": (32, 16), "projection.weight": (64, 32)}
    assert all(m.eps == 1e-3 for m in module.modules() if isinstance(m, torch.nn.BatchNorm1d))


def test_ties_of_training_are_drawn_from_a_new_seed():
    module, x = CPModule(4, 2).train(), torch.zeros(1, 4, 3, 3, 3)  # all distances tie

    def drawn(seed):
        module.reseed(seed)
        return [module(x, return_proposals=True)[1].indices for _ in range(2)]

    first, again, other = drawn(5), drawn(5), drawn(6)
    assert all(map(torch.equal, first, again)) and not torch.equal(*first)
    assert not torch.equal(first[0], other[0])


def test_a_scale_of_the_displacement_is_one_of_its_initial_weights():
    plain, scaled = (cp_module(6, 3, displacement_scale=scale).eval() for scale in (1.0, 4.0))
    scaled.load_state_dict(plain.state_dict())
    x = features(2, 6, 3, 4, 4)
    assert not torch.allclose(scaled(x), plain(x))
    with torch.no_grad():
        plain.layers[0].weight[:, :3] *= 4
    torch.testing.assert_close(scaled(x), plain(x))


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan")])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match="displacement_scale="):
        CPModule(8, displacement_scale=scale)


def test_widths_with_a_bottleneck_and_without_displacement():
    module = CPModule(64, hidden=(8,), bottleneck=8, displacement=False)
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters() if p.ndim > 1}
    assert shapes == {
        "bottleneck.0.weight": (8, 64, 1, 1, 1),
        "layers.0.weight": (8, 16),
        "projection.weight": (64, 8),
    }


def test_msra_initialisation():
    torch.manual_seed(0)
    weight = CPModule(256, hidden=(256, 512)).layers[0].weight
    assert weight.std().item() == pytest.approx((2 / 515) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool": "mean"}, "pool='mean'"),
        ({"pair": "product"}, "pair='product'"),
        ({"shrink": 0}, "shrink=0"),
        ({"hidden": ()}, "hidden"),
        ({"hidden": (4, 0)}, "hidden"),
    ],
    ids=str,
)
def test_bad_construction(arguments, message):
    with pytest.raises(ValueError, match=message):
        CPModule(8, **arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 8, 4, 4), r"\(B, 8, T, H, W\)"),
        ((2, 7, 3, 4, 4), "8"),
        ((2, 8, 1, 4, 4), "one frame"),
        ((1, 8, 2, 1, 2), "k=3"),
    ],
    ids=str,
)
def test_bad_features(shape, message):
    with pytest.raises(ValueError, match=message):
        CPModule(8, 3)(torch.zeros(shape))


def test_nan_features_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        CPModule(8, 3)(torch.full((1, 8, 2, 3, 3), torch.nan))


def test_unknown_ties_are_refused():
    with pytest.raises(ValueError, match="ties='first'"):
        CPModule(8, 3, ties="first")(torch.zeros(1, 8, 2, 3, 3))


# Operators


def test_layers_over_pairs_are_sound_operators():
    u, v = (features(10, 3, seed=s).requires_grad_() for s in (0, 1))
    indices = torch.randint(10, (10, 4), generator=seeded(2))
    torch.library.opcheck(pairs._moments, (u, v, indices))
    for moments in (True, False):
        torch.library.opcheck(pairs._maximum, (u, v, indices, features(5, 3, seed=3).requires_grad_(), moments))


@pytest.mark.parametrize("elements", [1, 100])
def test_blocks_of_pairs_change_nothing(monkeypatch, elements):
    module = cp_module(8, 3)
    x = features(2, 8, 3, 4, 4)
    whole = outputs_and_gradients(copy.deepcopy(module), x)
    monkeypatch.setattr(pairs, "BLOCK_ELEMENTS", {"cpu": elements})
    for name, value in outputs_and_gradients(module, x).items():
        torch.testing.assert_close(value, whole[name], rtol=1e-9, atol=1e-10)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_compiled_module_equals_the_eager_one(training):
    """No graph breaks, forward and backward; the second call draws its ties anew, as the eager one does."""
    module = cp_module(8, 3, shrink=2, bottleneck=4).train(training)
    twin = copy.deepcopy(module)
    compiled = torch.compile(twin, fullgraph=True)
    x = features(2, 8, 3, 6, 6).round()
    for _ in range(2):
        results = []
        for net, parameters in ((module, module.parameters()), (compiled, twin.parameters())):
            inputs = x.clone().requires_grad_()
            y = net(inputs)
            results.append([y, *torch.autograd.grad(y.square().sum(), [inputs, *parameters])])
        torch.testing.assert_close(*results, rtol=1e-8, atol=1e-8)


@pytest.mark.filterwarnings("default")
def test_a_net_with_six_modules_is_one_graph():
    net = create_model("cpnet_resnet18", width=4, stem="112_no_pool", num_classes=5, dropout=0.0, k=3).double()
    for module in net._cp_modules():
        torch.nn.init.ones_(module.projection_norm.weight)
    twin = copy.deepcopy(net)
    x = features(2, 3, 2, 32, 32)
    results = []
    for model in (net, torch.compile(twin, fullgraph=True, backend="aot_eager")):
        y = model(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), [*(net if model is net else twin).parameters()])])
    torch.testing.assert_close(*results, rtol=1e-7, atol=1e-7)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("pool", POOLS)
def test_export_in_evaluation(pool):
    module = cp_module(8, 3, pool=pool).eval()
    x = features(2, 8, 3, 4, 4)
    program = torch.export.export(module, (x,))
    assert "cpnet.search" in {str(node.target).removesuffix(".default") for node in program.graph.nodes}
    for y in (x, features(2, 8, 3, 4, 4, seed=1).round()):
        torch.testing.assert_close(program.module()(y), module(y))
