import pytest
from made_results import NOTHING, measured, outcomes

from cpnet.experiments import table5a


def frame(partners=90.0, profile="cpu", **top1):
    tests = {("val_partners", "shuffled"): 50.5, ("val_top1", "2x3"): 1.0, ("val_top1", "shuffled"): 2.0}
    rows = {
        row: {("val_top1", ""): value, ("val_top5", ""): 99.0, ("val_partners", ""): told} | tests
        for (row, value), told in zip(top1.items(), (partners, 51.0), strict=True)
    }
    return measured(rows, profile=profile, n=1100)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(cpnet_resnet18=60.0, c2d_resnet18=20.0), ["holds"] * 4),
        (frame(cpnet_resnet18=34.5, c2d_resnet18=20.0), ["undecided", "holds", "holds", "holds"]),
        (frame(cpnet_resnet18=20.0, c2d_resnet18=20.0), ["does not hold", "holds", "holds", "holds"]),
        (frame(47.0, cpnet_resnet18=60.0, c2d_resnet18=20.0), ["holds", "does not hold", "holds", "holds"]),
        (frame(51.0, cpnet_resnet18=60.0, c2d_resnet18=20.0), ["holds", "undecided", "holds", "holds"]),
        (frame(profile="smoke", cpnet_resnet18=60.0, c2d_resnet18=20.0), ["not run"] * 4),
        (NOTHING, ["not run"] * 4),
    ],
)
def test_a_claim_comes_out_as_its_numbers_say(data, expected):
    assert outcomes(table5a.TABLE, data) == expected


def test_paper_and_ours_stand_side_by_side():
    table = table5a.TABLE.side_by_side(frame(cpnet_resnet18=60.0, c2d_resnet18=20.0))
    assert table.loc["CPNet Res18, 5 CP (ours)", ["top-1, paper", "top-1, ours"]].tolist() == ["54.08", "60.0 ± 0.0"]
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
