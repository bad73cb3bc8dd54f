import pytest

from cpnet.experiments.architectures import (
    DRAWN,
    STATED,
    architecture_table,
    audit,
    conclusions,
    insertions,
    verdict,
)
from cpnet.paper import STATUSES, read_table


@pytest.fixture(scope="module")
def counted():
    return audit()


@pytest.mark.parametrize(
    ("table", "row", "printed", "network"),
    [
        ("6", "C2D", "10.84", "C2D, ResNet-18"),
        ("6", "C3D", "31.81", "C3D, 1×1×1 shortcuts"),
        ("4", "NL C2D ResNet-101 [33]", "48.2", "NL, 5 blocks, as in [33]"),
        ("4", "CPNet C2D ResNet-101", "42.1", "CPNet, printed widths"),
        ("4", "CPNet C2D ResNet-101", "42.1", "CPNet, released widths"),
        ("5(a)", "C2D Res18 baseline", "10.7", "C2D, ResNet-18"),
        ("5(a)", "C2D Res34 baseline", "20.3", "C2D, ResNet-34"),
        ("5(b)", "C2D Res34 baseline", "20.3", "C2D, ResNet-34"),
    ],
)
def test_counts_that_match_are_within_one_unit_of_the_last_digit(counted, table, row, printed, network):
    (found,) = counted.query("table == @table and row == @row and network == @network").to_dict("records")
    assert found["printed"] == printed
    unit = 10 ** -len(printed.partition(".")[2])
    assert abs(found["weights"] / 2**20 - float(printed)) < unit
    assert found["verdict"].startswith("match")


def test_counts_that_do_not_match_are_not_forced(counted):
    judged = conclusions(counted).set_index(["table", "row"])["verdict"]
    impossible = judged[judged == "cannot follow from the stated architecture"]
    assert sorted(impossible.index) == [
        ("5(a)", "CPNet Res18, 5 CP"),
        ("5(a)", "CPNet Res34, 5 CP"),
        ("5(b)", "CPNet Res34, 5 CP"),
        ("6", "ARTNet [32]"),
        ("6", "CPNet, 6 CP modules"),
        ("6", "NL C2D Net, 6 NL blocks [33]"),
    ]
    assert len(judged) == 13


def test_no_printed_count_is_all_trainable_parameters_in_millions(counted):
    assert (counted.loc[counted["stated"], "verdict, trainable"] == "no match").all()


def test_guesses_print_what_they_are_meant_to_explain(counted):
    guesses = counted[~counted["stated"]]
    assert len(guesses) and (guesses["verdict"] != "no match").all()


@pytest.mark.parametrize(
    ("printed", "value", "expected"),
    [
        ("10.84", 10.8449, "match"),
        ("31.81", 31.8160, "match by truncation"),
        ("20.3", 20.296, "match by rounding"),
        ("20.3", 20.25, "no match"),
        ("21.0", 20.955, "match by rounding"),
        ("21.0", 21.099, "match by truncation"),
        ("48.2", 48.212, "match"),
    ],
)
def test_verdicts(printed, value, expected):
    assert verdict(printed, value) == expected


def test_every_audited_count_is_printed_in_the_paper():
    for table, row in STATED:
        paper = read_table(table).set_index(["row", "column"])
        assert paper["status"][row, "params"] == "printed"


@pytest.mark.parametrize("table", ["table1", "table4", "table5a", "table5b", "table6"])
def test_transcribed_tables_are_complete(table):
    frame = read_table(table)
    assert set(frame["status"]) <= set(STATUSES)
    assert not frame.duplicated(["row", "column"]).any()
    assert (frame["value"].isna() == (frame["status"] == "lost")).all()


def test_transcribed_accuracies_agree_with_the_text():
    """Sections 5.3 to 5.5 compare numbers of the tables in words."""
    values = {name: read_table(name).set_index(["row", "column"])["value"] for name in ("table4", "table5a", "table5b")}
    kinetics, something, jester = values["table4"], values["table5a"], values["table5b"]
    ours = {column: something["cpnet_resnet34", column] for column in ("val_top1", "val_top5", "test_top1")}
    assert ours["val_top1"] - something["trn_two_stream", "val_top1"] > 2
    assert ours["test_top1"] - something["trn_two_stream", "test_top1"] > 1
    assert something["cpnet_resnet34", "params"] < something["trn_two_stream", "params"] / 2
    assert something["cpnet_resnet18", "val_top1"] - something["trn", "val_top1"] > 5
    assert something["cpnet_resnet18", "test_top1"] - something["trn", "test_top1"] > 2
    assert ours["val_top5"] - something["c2d_resnet34", "val_top5"] > 14
    others = kinetics.drop("cpnet_resnet101", level=0)
    assert (kinetics["cpnet_resnet101", "val_top1"] > others.xs("val_top1", level=1)).all()
    assert jester["cpnet_resnet34", "val_top1"] == 96.70


def test_insertions_follow_their_formulas():
    frame = insertions((128, 256))
    for C in (128, 256):
        assert frame.loc[f"C = {C}"].tolist() == [1.125 * C**2 + 0.75 * C, 2 * C**2]


@pytest.mark.parametrize("table", DRAWN)
def test_architecture_tables_have_the_printed_sizes(table):
    frame = architecture_table(table)
    sizes = frame["output size"].to_dict()
    if table == "Table 1":
        assert list(frame.index) == ["stem", "core", "head", "classifier"]
        assert frame.loc["core"].tolist()[1:] == ["NL block", "–", "–", "CP module"]
        return
    T = {"Tables 2 and 6": 8, "Table 7": 8, "Table 8": 12}[table]
    expected = {"res2": 56, "res3": 28, "res4": 14, "res5": 7}
    assert {name: sizes[name] for name in expected} == {name: f"{s}×{s}×{T}" for name, s in expected.items()}
