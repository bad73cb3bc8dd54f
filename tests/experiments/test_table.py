import pytest
from made_results import NOTHING, measured

from cpnet.experiments.table import Column, mean_sd
from cpnet.experiments.tables import TABLES
from cpnet.paper import read_table

COLUMNS = [Column("top-1", suffix="_step12"), Column("top-5", "val_top5", "25x10", "_step4")]
TABLE = TABLES["table3d"]


def test_a_mean_has_its_deviation_if_there_are_several():
    values = measured({"a": 97.0, "b": 98.0}, noise=(0, 0, 0)).query("metric == 'val_top1'")["value"]
    assert mean_sd(values.drop_duplicates()) == "97.5 ± 0.7"
    assert mean_sd(values[:1]) == "97.0"


def test_lost_and_inferred_cells_are_marked_and_ours_stand_beside():
    frame = measured({"c2d_step12": 1.0, "cpnet_step12": 61.0}, seeds=(0, 1), noise=(1, -1, 0))
    table = TABLE.side_by_side(frame, COLUMNS, ["c3d", "cpnet"])
    assert table.loc["C3D"].tolist() == [0, "lost", "not run", "lost", "not run"]
    assert table.loc["CPNet"].tolist() == [2, "61.1", "61.0 ± 1.4", "86.5*", "not run"]


def test_numbers_one_a_line_leave_out_what_is_lost_or_not_run():
    frame = measured({"c2d_step12": 1.0, "cpnet_step12": 61.0}, seeds=(0, 1), noise=(1, -1, 0))
    lines = TABLE.long_form(frame, COLUMNS, ["c3d", "cpnet"])
    assert lines.drop(columns="row").to_numpy().tolist() == [
        ["paper", "CPNet", "top-1", 61.1],
        ["ours", "CPNet", "top-1", 62.0],
        ["ours", "CPNet", "top-1", 60.0],
        ["paper", "CPNet", "top-5", 86.5],
    ]
    assert set(TABLE.long_form(NOTHING)["source"]) == {"paper"}


def test_runs_are_chosen_by_row_and_seed():
    assert [(run.row, run.seed) for run in TABLES["table1"].runs("cpu", [1, 7], ["trn", "nl"])] == [
        ("trn", 1),
        ("nl", 1),
        ("trn", 7),
        ("nl", 7),
    ]
    with pytest.raises(ValueError, match="no row 'x' in table3a: choose among c2d, cp1"):
        TABLES["table3a"].runs(rows="x")
    with pytest.raises(ValueError, match="profile='laptop': choose one of smoke, cpu, gpu, paper"):
        TABLES["table3a"].runs("laptop")


def test_the_paper_s_table_3_is_consistent_with_itself():
    """Cells that the paper prints twice, and what its text says of them."""
    value = {name: read_table(f"table3{name}").set_index(["row", "column"])["value"] for name in "abcd"}
    for metric in ("val_top1", "val_top5"):
        assert value["a"]["c2d", metric] == value["c"]["c2d", metric] == value["d"]["c2d", f"{metric}_step12"]
        assert value["a"]["cp6", metric] == value["d"]["cpnet", f"{metric}_step12"]
    top1 = value["b"][value["b"].index.get_level_values("column").str.startswith("val_top1")].unstack("column")
    diagonal = {k: top1.loc[f"k{k}", f"val_top1_k{k}"] for k in (1, 2, 4, 8, 16)}
    assert all(top1.loc[f"k{k}"].max() == best for k, best in diagonal.items())
    assert max(diagonal, key=diagonal.__getitem__) == 8
    lost = {name: (read_table(f"table3{name}")["status"] == "lost").sum() for name in "abcd"}
    assert lost == {"a": 0, "b": 12, "c": 0, "d": 10}
