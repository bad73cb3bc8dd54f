import pytest
import torch

from cpnet import bench
from cpnet.bench import Case, DirectCPModule, bench_cp, cdist_proposals, faiss_proposals
from cpnet.nn import CPModule, correspondence_proposals

TINY = Case("tiny", (2, 8, 3, 5, 4), 4)
TINY_TOY = Case("tiny toy", (2, 16, 2, 24, 24), 4, (16, 16), toy=True)


@pytest.mark.parametrize("pool", ["before_projection", "after_projection"])
def test_direct_form_computes_the_same(pool):
    torch.manual_seed(0)
    module, direct = (kind(8, 4, pool=pool).double() for kind in (CPModule, DirectCPModule))
    torch.nn.init.ones_(module.projection_norm.weight)
    direct.load_state_dict(module.state_dict())
    x = TINY.features().double()
    torch.testing.assert_close(module(x), direct(x))
    assert (module(x) - x).abs().max() > 0.1


@pytest.mark.parametrize("search", [cdist_proposals, faiss_proposals])
def test_other_searches_find_the_same(search):
    if search is faiss_proposals:
        pytest.importorskip("faiss")
    x = TINY.features()
    assert torch.equal(search(x, 4), correspondence_proposals(x, 4))


def test_toy_features_tie():
    x = TINY_TOY.features()
    assert x.shape == TINY_TOY.shape
    assert len(x[0].flatten(1).T.unique(dim=0)) < 100


@pytest.mark.parametrize("faiss", [True, False], ids=["faiss", "without"])
def test_table(monkeypatch, capsys, faiss):
    def here(function, step, *repeats):
        return function(step, *repeats) if function is bench._seconds else 2.0**20

    monkeypatch.setattr(bench, "_in_child", here)  # fresh processes take seconds to start
    if faiss:
        pytest.importorskip("faiss")
    else:
        monkeypatch.setattr(bench, "find_spec", lambda name: None)
    measurements = bench_cp(repeats=1, threads=torch.get_num_threads(), cases=(TINY, TINY_TOY))
    searches = ["cpnet", "cdist + topk", *["faiss"] * faiss]
    assert [(m.case, m.part, m.candidate) for m in measurements] == [
        *[(case, "module", name) for case in ("tiny", "tiny toy") for name in ("cpnet", "direct")],
        *[(case, "search", name) for case in ("tiny", "tiny toy") for name in searches],
    ]
    assert all(m.seconds > 0 for m in measurements)
    printed = capsys.readouterr().out
    assert ("pip install faiss-cpu" in printed) == (not faiss)
    assert "module tiny 2x8x3x5x4 k 4" in printed and printed.count("1.00x\n") == len(measurements) - 4


def test_memory_is_that_of_the_step():
    """In a process of its own, as it changes how that process allocates: 3200 x 3200 distances are 39 MiB."""
    case = Case("memory", (1, 4, 2, 40, 40), 4)
    direct = bench._in_child(bench._memory, ("search", "cdist + topk", case, "cpu", 1))
    assert not direct >= 2**30 and not direct < 39 * 2**20  # NaN where memory is not counted
