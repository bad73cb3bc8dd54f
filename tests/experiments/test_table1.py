import pandas as pd
import pytest
from made_results import NOTHING, measured, outcomes
from safetensors.torch import load_model

from cpnet import results
from cpnet.experiments import table1
from cpnet.experiments.run import load, load_curves
from cpnet.paper import read_table

EVERY_RUN = table1.every_run()


@pytest.fixture(scope="module")
def stored():
    return table1.TABLE.load()


def frame(profile="cpu", **accuracies):
    """Results {row: validation accuracies, one a seed}."""
    rows = [
        measured({row: {("val_top1", ""): value, ("train_top1", ""): value}}, profile, seeds=(seed,), n=200)
        for row, values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    return pd.concat([NOTHING, *rows]) if rows else NOTHING


def judged(**accuracies):
    return outcomes(table1.TABLE, frame(**accuracies))


@pytest.mark.parametrize("run", EVERY_RUN, ids=lambda run: f"{run.row}-{run.seed}")
def test_every_run_is_stored_with_weights_and_provenance(run):
    path = run.stored((results.COMMITTED,))
    assert path is not None
    record = results.read(path)
    assert record["provenance"]["commit"]
    assert not record["provenance"]["dirty"]
    assert record["n_scored"] == record["n_expected"] == 200
    model = run.training.create_model()
    load_model(model, path.with_suffix(".safetensors"))
    assert record["params"]["trainable"] == sum(p.numel() for p in model.parameters())


def test_cpnet_needs_at_most_half_of_the_epochs():
    curves = load_curves(table1.TABLE.runs(rows="cpnet"))
    first = curves[curves["val_top1"] >= table1.PAPER_CPNET_VAL].groupby("seed")["epoch"].min()
    assert len(first) == 5 and 2 * first.max() <= table1.SCHEDULE.epochs


def test_the_paper_s_claims_hold_in_the_stored_results(stored):
    top1 = stored[(stored["metric"] == "val_top1") & (stored["protocol"] == "")]
    cpnet, others = top1[top1["row"] == "cpnet"], top1[top1["row"] != "cpnet"]
    assert len(cpnet) == 5 and (cpnet["value"] >= 97.4).all()
    assert others.groupby("row").size().to_dict() == {"artnet": 5, "nl": 3, "trn": 5}
    assert others["value"].between(21, 29).all()


GUESSES = {"cpnet": [99] * 5, "nl": [25, 26, 25], "artnet": [25] * 3, "trn": [24, 25, 24]}
GUESSES["cpnet_no_displacement"] = [25, 25, 26]


def test_claims_hold_when_the_numbers_do():
    assert judged(**GUESSES) == ["holds"] * 5


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"cpnet": [90, 91, 90, 92, 91]}, "does not hold"),
        ({"cpnet": [99, 99, 99, 99, 90]}, "undecided"),
        ({"cpnet": [99, 99]}, "undecided"),
        ({"nl": [38, 40, 42]}, "does not hold"),
        ({"nl": [25, 25]}, "undecided"),
        ({"nl": [25, 25, 34]}, "undecided"),
        ({"trn": []}, "not run"),
        ({"cpnet_no_displacement": [60, 60, 61]}, "does not hold"),
    ],
)
def test_a_claim_comes_out_as_its_numbers_say(change, outcome):
    found = judged(**GUESSES | change)
    assert sorted(found) == sorted([outcome, *["holds"] * 4])


def test_the_miniature_decides_nothing():
    assert set(judged(profile="smoke", cpnet=[98] * 5)) == {"not run"}
    assert set(judged()) == {"not run"}


def test_table_prints_paper_and_ours():
    table = table1.TABLE.side_by_side(frame(cpnet=[98.0, 99.0], nl=[25.0]))
    row = table.loc["C2D CPNet"]
    assert (row["val, paper"], row["val, ours"]) == ("97.4", "98.5 ± 0.7")
    assert table.loc["I3D NL Net", "val, ours"] == "25.0"
    assert table.loc["TRN", "val, ours"] == "not run"


def test_paper_table_is_what_the_paper_prints():
    values = read_table("table1").pivot(index="row", columns="column", values="value")
    assert values["val_top1"].to_dict() == {"artnet": 25.9, "cpnet": 97.4, "nl": 26.4, "trn": 26.9}
    assert values["train_top1"].to_dict() == {"artnet": 26.8, "cpnet": 97.9, "nl": 27.8, "trn": 27.1}
    with pytest.raises(ValueError, match="table1"):
        read_table("table99")


def test_profiles_of_the_real_study_are_one():
    ids = {profile: [run.run_id for run in table1.TABLE.runs(profile)] for profile in ("cpu", "gpu", "paper")}
    assert ids["cpu"] == ids["gpu"] == ids["paper"]
    assert not set(ids["cpu"]) & {run.run_id for run in table1.TABLE.runs("smoke")}


@pytest.mark.parametrize("k", table1.K_VALUES)
def test_every_k_of_the_study_is_loaded_for_seed_0(k):
    (run,) = table1.with_k(k).runs(seeds=0, rows="cpnet")
    assert run.training.model_args["k"] == k and run.run_id == table1.k_runs()[k].run_id
    assert set(load([run])["row"]) == {"cpnet"}


def test_all_nets_share_one_schedule():
    assert {run.training.schedule for run in table1.TABLE.runs()} == {table1.SCHEDULE}


def test_memory_of_positions_grows_with_the_pairs():
    table = table1.memory_of_positions()
    nl, cp, everything = table["4x16x16"] / table["4x8x8"]
    assert nl < 5
    assert cp < 5
    assert everything > 14


def test_what_is_trained_live_are_rows_of_the_study():
    ids = {run.run_id for run in EVERY_RUN}
    assert [run.row for run in table1.LIVE.runs()] == ["cpnet", "trn", "artnet", "nl_one_epoch"]
    assert {run.run_id for run in table1.LIVE.runs()} <= ids
