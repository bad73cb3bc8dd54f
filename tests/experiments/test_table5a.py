import pandas as pd
import pytest

from cpnet import results
from cpnet.experiments import table5a
from cpnet.experiments.claims import judge_all
from cpnet.experiments.run import load, to_frame
from cpnet.standins import class_table
from cpnet.standins.write import clips_of

EVERY_RUN = [*table5a.runs(), *table5a.search_runs()]


def frame(partners=90.0, **top1):
    rows = {"cpnet_resnet18": partners, "c2d_resnet18": 51.0}
    return pd.DataFrame(
        [
            {"table": "table5a", "row": row, "profile": "cpu", "seed": 0, "val_top1": top1[row], "val_top5": 99.0}
            | {"val_partners": value, "val_partners_shuffled": 50.5, "val_top1_2x3": 1.0, "val_top1_shuffled": 2.0}
            for row, value in rows.items()
        ]
    )


def outcomes(data):
    return judge_all(table5a.claims(), data)["outcome"].tolist()


@pytest.mark.parametrize("run", EVERY_RUN, ids=lambda run: run.row)
def test_every_run_is_stored_with_provenance(run):
    path = run.stored((results.COMMITTED,))
    assert path is not None
    record = results.read(path)
    assert (record["table"], record["row"]) == (run.table, run.row)
    assert record["config"] == run.config
    assert record["provenance"]["commit"] and not record["provenance"]["dirty"]
    assert record["n_scored"] == record["n_expected"] == table5a.VAL_CLIPS
    assert record["n_substituted"] == 0 and len(record["weights_sha256"]) == 64
    assert len(record["curves"]["val_top1"]) == sum(phase.epochs for phase in run.recipe.phases)


def test_each_row_has_the_learning_rate_that_is_best_on_the_clips_for_choosing():
    stored = load(EVERY_RUN)
    stored["network"] = stored["row"].str.partition("_lr")[0]
    assert (stored.groupby("network").size() == len(table5a.LEARNING_RATES)).all()
    best = stored.loc[stored.groupby("network")["tune_top1"].idxmax()]
    assert set(best["table"]) == {table5a.TABLE}


def test_rows_differ_in_nothing_but_network_and_learning_rate():
    def rest(run):
        config = {name: part for name, part in run.config.items() if name not in ("model", "model_args")}
        return config | {"recipe": config["recipe"] | {"phases": [p | {"lr": 0} for p in config["recipe"]["phases"]]}}

    assert all(rest(run) == rest(EVERY_RUN[0]) for run in EVERY_RUN)


def test_clips_that_verdicts_count_are_those_of_the_stand_in():
    (spec,) = {run.data.rendered for run in table5a.runs()}
    labels = [clip.label for clip in clips_of(spec) if clip.split == "val"]
    partner = class_table("something")["partner, played backwards"]
    assert (len(labels), sum(partner[name] != "" for name in labels)) == (table5a.VAL_CLIPS, table5a.PARTNERED_CLIPS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(cpnet_resnet18=60.0, c2d_resnet18=20.0), ["holds"] * 4),
        (frame(cpnet_resnet18=36.0, c2d_resnet18=20.0), ["undecided", "holds", "holds", "holds"]),
        (frame(cpnet_resnet18=20.0, c2d_resnet18=20.0), ["does not hold", "holds", "holds", "holds"]),
        (frame(53.0, cpnet_resnet18=60.0, c2d_resnet18=20.0), ["holds", "does not hold", "holds", "holds"]),
        (frame(cpnet_resnet18=60.0, c2d_resnet18=20.0).assign(profile="smoke"), ["not run"] * 4),
        (to_frame([]), ["not run"] * 4),
    ],
)
def test_a_claim_comes_out_as_its_numbers_say(data, expected):
    assert outcomes(data) == expected


def test_paper_and_ours_stand_side_by_side():
    table = table5a.side_by_side(frame(cpnet_resnet18=60.0, c2d_resnet18=20.0))
    assert table.loc["CPNet Res18, 5 CP (ours)", ["top-1, paper", "top-1, ours"]].tolist() == ["54.08", "60.0"]
    assert table.loc["c3d_resnet18", ["top-1, paper", "top-1, ours"]].tolist() == ["", "not run"]
    assert "partners, ours" in table and "partners, paper" not in table


def test_the_published_schedule_is_that_of_the_paper():
    runs = table5a.runs("paper")
    assert [run.row for run in runs] == list(table5a.PAPER_ROWS)
    for run in runs:
        first, second = run.recipe.phases
        assert (first.num_frames * first.frame_step, second.num_frames * second.frame_step) == (24, 24)  # 2 s at 12 fps
        assert second.freeze_bn and not first.freeze_bn
        assert run.network.pretrained == "imagenet" and run.data.size == 224
        assert (run.protocols[""].num_clips, run.protocols[""].num_crops) == (16, 6)
        assert run.network.k == (12 if "cpnet" in run.row else None)
