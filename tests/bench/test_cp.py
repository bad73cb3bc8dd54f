import pytest
import torch

from cpnet.bench.cp import Case, bench_cp, faiss_proposals
from cpnet.nn import CPModule, correspondence_proposals
from cpnet.nn.direct import DirectCPModule, cdist_proposals


def test_every_search_finds_the_same_neighbours():
    pytest.importorskip("faiss")
    x = torch.randn(2, 5, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    expected = correspondence_proposals(x, 4).sort(dim=2).values
    for search in (cdist_proposals, faiss_proposals):
        assert torch.equal(search(x, 4).sort(dim=2).values, expected)


@pytest.mark.parametrize("pool", ["before_projection", "after_projection"])
def test_the_direct_form_computes_what_the_module_computes(pool):
    torch.manual_seed(0)
    module, direct = (cls(8, 3, (4, 6), pool=pool) for cls in (CPModule, DirectCPModule))
    torch.nn.init.ones_(module.projection_norm.weight)
    direct.load_state_dict(module.state_dict())
    x = torch.randn(2, 8, 3, 4, 5)
    torch.testing.assert_close(direct(x), module(x), rtol=1e-5, atol=1e-5)


def test_the_benchmark_prints_a_ratio_for_every_alternative(capsys):
    pytest.importorskip("faiss")
    case = Case("tiny", (1, 8, 2, 4, 4), 2)
    measurements = bench_cp(repeats=1, threads=1, cases=(case,))
    assert [(m.part, m.candidate) for m in measurements] == [
        ("module", "cpnet"),
        ("module", "direct"),
        ("search", "cpnet"),
        ("search", "cdist + topk"),
        ("search", "faiss"),
    ]
    assert all(m.seconds > 0 for m in measurements)
    lines = capsys.readouterr().out.splitlines()
    assert sum("x" in line.split()[-1] for line in lines if "direct" in line or "cdist" in line or "faiss" in line) == 3
