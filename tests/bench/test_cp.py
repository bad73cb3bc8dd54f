import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cpnet.__main__ import main
from cpnet.bench import cp
from cpnet.bench.cp import faiss_proposals, matrix_products, measure_modules, measure_searches
from cpnet.nn import CPModule, correspondence_proposals
from cpnet.nn.direct import DirectCPModule, cdist_proposals

TINY = {"tiny": ((1, 16, 2, 8, 8), 4)}


def test_every_search_finds_the_same_neighbours():
    pytest.importorskip("faiss")
    x = torch.randn(2, 5, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    expected = correspondence_proposals(x, 4).sort(dim=2).values
    for search in (cdist_proposals, faiss_proposals):
        assert torch.equal(search(x, 4).sort(dim=2).values, expected)


@pytest.mark.parametrize("shape", [(3, 5, 3, 4, 6), (2, 2, 2, 40, 40)])  # several clips at once; parts of a frame
def test_matrix_products_are_those_of_queries_with_other_frames(shape):
    B, C, T, H, W = shape
    with FlopCounterMode(display=False) as counter:
        matrix_products(torch.randn(shape), 4)
    N = T * H * W
    assert counter.get_total_flops() == 2 * B * N * (N - H * W) * C


@pytest.mark.parametrize("pool", ["before_projection", "after_projection"])
def test_the_direct_form_computes_what_the_module_computes(pool):
    torch.manual_seed(0)
    module, direct = (cls(8, 3, (4, 6), pool=pool) for cls in (CPModule, DirectCPModule))
    torch.nn.init.ones_(module.projection_norm.weight)
    direct.load_state_dict(module.state_dict())
    x = torch.randn(2, 8, 3, 4, 5)
    torch.testing.assert_close(direct(x), module(x), rtol=1e-5, atol=1e-5)


def test_the_direct_form_takes_the_memory_of_its_pairs():
    frame = measure_modules(repeats=1, cases=TINY)
    assert frame["candidate"].tolist() == ["CP module", "direct"]
    assert frame["case"].tolist() == ["tiny"] * 2 and frame["k"].tolist() == [4, 4]
    assert frame["saved MiB"][1] > 128 * 4 * 35 * 4 / 2**20 > frame["saved MiB"][0]  # N, k, 2C + 3, bytes
    assert frame["peak MiB"].gt(frame["saved MiB"]).all()


def test_the_search_is_timed_against_matrix_products_and_others(monkeypatch):
    pytest.importorskip("faiss")
    candidates = ["search", "matrix products", "cdist + topk", "faiss"]
    frame = measure_searches(repeats=1, cases=TINY)
    assert frame["candidate"].tolist() == candidates
    assert frame["ms / matrix products"][0] == pytest.approx(frame["ms"][0] / frame["ms"][1])
    monkeypatch.setattr(cp, "find_spec", lambda name: None)
    assert measure_searches(repeats=1, cases=TINY)["candidate"].tolist() == candidates[:3]


def test_the_toy_case_has_features_with_ties():
    x = cp.features("toy", (2, 16, 4, 32, 32)).flatten(2).transpose(1, 2)  # (B, N, C)
    assert len(x[0].unique(dim=0)) < len(x[0]) / 2


def test_the_command_says_where_it_was_measured(monkeypatch, capsys):
    for measure in (measure_modules, measure_searches):
        monkeypatch.setattr(cp, measure.__name__, lambda device, repeats, of=measure: of(device, repeats, TINY))
    main(["bench", "cp", "--repeats", "1", "--threads", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cpu: ") and lines[0].endswith("CPU threads: 1, repeats: 1, medians")
    assert sum("1x16x2x8x8" in line for line in lines) >= 5
    with pytest.raises(SystemExit, match="--repeats 0: give 1 or more"):
        main(["bench", "cp", "--repeats", "0"])
