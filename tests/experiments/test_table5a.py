import pytest
from made_results import NOTHING, measured, outcomes

from cpnet import results
from cpnet.experiments import table5a
from cpnet.experiments.run import load
from cpnet.standins import class_table
from cpnet.standins.write import clips_of

EVERY_RUN = table5a.TABLE.runs()
VAL_CLIPS = 500


def frame(partners=90.0, profile="cpu", **top1):
    tests = {("val_partners", "shuffled"): 50.5, ("val_top1", "2x3"): 1.0, ("val_top1", "shuffled"): 2.0}
    rows = {
        row: {("val_top1", ""): value, ("val_top5", ""): 99.0, ("val_partners", ""): told} | tests
        for (row, value), told in zip(top1.items(), (partners, 51.0), strict=True)
    }
    return measured(rows, profile=profile, seeds=(0,), noise=(0, 0, 0))


@pytest.mark.parametrize("run", EVERY_RUN, ids=lambda run: run.row)
def test_every_run_is_stored_with_provenance(run):
    path = run.stored((results.COMMITTED,))
    assert path is not None
    record = results.read(path)
    assert (record["table"], record["row"]) == (run.table, run.row)
    assert record["provenance"]["commit"] and not record["provenance"]["dirty"]
    assert record["n_scored"] == record["n_expected"] == VAL_CLIPS
    assert record["n_substituted"] == 0 and len(record["weights_sha256"]) == 64
    assert len(record["curves"]["val_top1"]) == sum(phase.epochs for phase in run.training.recipe.phases)


def test_each_row_has_the_learning_rate_that_is_best_on_the_clips_for_choosing():
    stored = load(EVERY_RUN).query("metric == 'tune_top1'").reset_index()
    stored["network"] = stored["row"].str.partition("_lr")[0]
    assert (stored.groupby("network").size() == len(table5a.LEARNING_RATES)).all()
    best = stored.loc[stored.groupby("network")["value"].idxmax()]
    assert set(best["table"]) == {"table5a"} and len(best) == 4


def test_rows_differ_in_nothing_but_network_and_learning_rate():
    def rest(run):
        config = {name: part for name, part in run.training.config.items() if name not in ("model", "model_args")}
        return config | {"recipe": config["recipe"] | {"phases": [p | {"lr": 0} for p in config["recipe"]["phases"]]}}

    assert all(rest(run) == rest(EVERY_RUN[0]) for run in EVERY_RUN)


def test_clips_that_verdicts_count_are_those_of_the_stand_in():
    (spec,) = {run.training.data.rendered for run in table5a.TABLE.runs()}
    labels = [clip.label for clip in clips_of(spec) if clip.split == "val"]
    partner = class_table("something")["partner, played backwards"]
    assert (len(labels), sum(partner[name] != "" for name in labels)) == (VAL_CLIPS, table5a.PARTNERED_CLIPS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(cpnet_resnet18=60.0, c2d_resnet18=20.0), ["holds"] * 4),
        (frame(cpnet_resnet18=36.0, c2d_resnet18=20.0), ["undecided", "holds", "holds", "holds"]),
        (frame(cpnet_resnet18=20.0, c2d_resnet18=20.0), ["does not hold", "holds", "holds", "holds"]),
        (frame(53.0, cpnet_resnet18=60.0, c2d_resnet18=20.0), ["holds", "does not hold", "holds", "holds"]),
        (frame(profile="smoke", cpnet_resnet18=60.0, c2d_resnet18=20.0), ["not run"] * 4),
        (NOTHING, ["not run"] * 4),
    ],
)
def test_a_claim_comes_out_as_its_numbers_say(data, expected):
    assert outcomes(table5a.TABLE, data) == expected


def test_paper_and_ours_stand_side_by_side():
    table = table5a.TABLE.side_by_side(frame(cpnet_resnet18=60.0, c2d_resnet18=20.0))
    assert table.loc["CPNet Res18, 5 CP (ours)", ["top-1, paper", "top-1, ours"]].tolist() == ["54.08", "60.0"]
    assert table.loc["c3d_resnet18", ["top-1, paper", "top-1, ours"]].tolist() == ["", "not run"]
    assert "partners, ours" in table and "partners, paper" not in table


def test_the_published_schedule_is_that_of_the_paper():
    runs = table5a.TABLE.runs("paper")
    assert [run.row for run in runs] == list(table5a.PAPER_ROWS)
    for training in (run.training for run in runs):
        first, second = training.recipe.phases
        assert (first.num_frames * first.frame_step, second.num_frames * second.frame_step) == (24, 24)  # 2 s at 12 fps
        assert second.freeze_bn and not first.freeze_bn
        assert training.network.pretrained == "imagenet" and training.data.size == 224
        assert (training.protocols[""].num_clips, training.protocols[""].num_crops) == (16, 6)
        assert training.network.k == (12 if "cpnet" in training.network.name else None)
