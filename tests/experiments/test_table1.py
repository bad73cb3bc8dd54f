import pandas as pd
import pytest

from cpnet import results
from cpnet.experiments import table1
from cpnet.experiments.claims import OUTCOMES, judge_all
from cpnet.experiments.run import load, to_frame
from cpnet.experiments.scorecard import TABLES, scorecard
from cpnet.paper import read_table

EVERY_RUN = [*table1.runs(), *table1.control_runs()]


@pytest.fixture(scope="module")
def stored():
    return load(table1.runs())


def frame(**accuracies):
    """A results frame {row: validation accuracies, one a seed}."""
    return pd.DataFrame(
        [
            {"row": row, "profile": "cpu", "seed": seed, "train_top1": value, "val_top1": value}
            for row, values in accuracies.items()
            for seed, value in enumerate(values)
        ]
    )


def outcomes(data):
    return dict(judge_all(table1.claims(), data)[["claim", "outcome"]].itertuples(index=False))


@pytest.mark.parametrize("run", EVERY_RUN, ids=lambda run: f"{run.row}-{run.seed}")
def test_every_run_is_stored_with_weights_and_provenance(run):
    path = run.stored((results.COMMITTED,))
    assert path is not None
    record = results.read(path)
    assert record["config"] == run.config
    assert record["provenance"]["commit"]
    assert not record["provenance"]["dirty"]
    assert record["n_scored"] == record["n_expected"] == 200
    model = run.create_model()
    model.load_state_dict(results.read_weights(path))
    assert record["params"]["trainable"] == sum(p.numel() for p in model.parameters())


def test_cpnet_needs_at_most_half_of_the_epochs(stored):
    curves = stored.loc[stored["row"] == "cpnet", "curve_val_top1"]
    first = [next(i for i, value in enumerate(curve, 1) if value >= table1.PAPER_CPNET_VAL) for curve in curves]
    assert 2 * max(first) <= table1.SCHEDULE.epochs


def test_the_paper_s_claims_hold_in_the_stored_results(stored):
    cpnet = stored[stored["row"] == "cpnet"]
    assert len(cpnet) == 5
    assert (cpnet["val_top1"] >= 97.4).all()
    others = stored[stored["row"] != "cpnet"]
    assert others.groupby("row").size().to_dict() == {"artnet": 5, "nl": 2, "trn": 5}
    assert others["val_top1"].between(21, 29).all()


def test_claims_hold_when_the_numbers_do():
    judged = outcomes(frame(cpnet=[98] * 5, nl=[25, 26], artnet=[25, 25], trn=[24, 25], cpnet_no_displacement=[25]))
    assert set(judged.values()) == {"holds"}


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"cpnet": [98, 98, 98, 98, 97.0]}, "does not hold"),
        ({"cpnet": [98, 98]}, "undecided"),
        ({"nl": [25, 40]}, "does not hold"),
        ({"nl": [25]}, "undecided"),
        ({"trn": []}, "not run"),
        ({"cpnet_no_displacement": [60]}, "does not hold"),
    ],
)
def test_a_claim_comes_out_as_its_numbers_say(change, outcome):
    data = {"cpnet": [98] * 5, "nl": [25, 26], "artnet": [25, 25], "trn": [24, 25], "cpnet_no_displacement": [25]}
    judged = list(outcomes(frame(**data | change)).values())
    assert judged.count(outcome) == 1
    assert judged.count("holds") == len(judged) - 1


def test_the_miniature_decides_nothing():
    data = frame(cpnet=[98] * 5).assign(profile="smoke")
    assert set(outcomes(data).values()) == {"not run"}
    assert set(outcomes(to_frame([])).values()) == {"not run"}


def test_table_prints_paper_and_ours():
    table = table1.side_by_side(frame(cpnet=[98.0, 99.0], nl=[25.0]))
    row = table.loc["C2D CPNet (ours)"]
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
    ids = {profile: [run.run_id for run in table1.runs(profile)] for profile in ("cpu", "gpu", "paper")}
    assert ids["cpu"] == ids["gpu"] == ids["paper"]
    assert not set(ids["cpu"]) & {run.run_id for run in table1.runs("smoke")}
    with pytest.raises(ValueError, match="smoke, cpu, gpu, paper"):
        table1.runs("laptop")


@pytest.mark.parametrize("k", table1.K_VALUES)
def test_every_k_of_the_study_is_loaded_for_seed_0(k):
    stored = load([run for run in table1.runs(k=k, seeds=(0,)) if run.row == "cpnet"])
    assert stored["row"].tolist() == ["cpnet"]
    assert stored["config"][0]["model_args"]["k"] == k


def test_all_nets_share_one_schedule():
    assert {run.schedule for run in table1.runs()} == {table1.SCHEDULE}


def test_memory_of_positions_grows_with_the_pairs():
    table = table1.memory_of_positions()
    nl, cp, everything = table["4x16x16"] / table["4x8x8"]
    assert nl < 5
    assert cp < 5
    assert everything > 14


def test_scorecard_has_a_row_a_table():
    card = scorecard()
    assert list(card.index) == list(TABLES)
    assert set(card["outcome"]) <= set(OUTCOMES)
    assert card.loc["Table 5(b)", "outcome"] == "not run"
    assert (card.loc[[f"Table 3({part})" for part in "abcd"], "outcome"] == "undecided").all()
    assert card.loc["Table 4", "outcome"] == "holds"
    assert card.loc["Tables 2, 6–8", ["outcome", "claims"]].tolist() == ["does not hold", "7 of 9 hold"]
