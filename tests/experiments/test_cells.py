import pandas as pd

from cpnet.experiments.cells import long_form, mean_sd, paper_and_ours
from cpnet.paper import read_table

METRICS = {"val_top1_step12": "top-1", "val_top5_step4_25x10": "top-5"}


def test_a_mean_has_its_deviation_if_there_are_several():
    assert mean_sd(pd.Series([97.0, 98.0])) == "97.5 ± 0.7"
    assert mean_sd(pd.Series([97.04])) == "97.0"


def test_lost_and_inferred_cells_are_marked_and_ours_stand_beside():
    frame = pd.DataFrame({"row": ["cpnet", "cpnet"], "val_top1_step12": [60.0, 62.0]})
    table = paper_and_ours("table3d", frame, ("c3d", "cpnet"), METRICS)
    assert table.loc["C3D"].tolist() == [0, "lost", "not run", "lost", "not run"]
    assert table.loc["CPNet (Ours)"].tolist() == [2, "61.1", "61.0 ± 1.4", "86.5*", "not run"]


def test_numbers_one_a_line_leave_out_what_is_lost_or_not_run():
    frame = pd.DataFrame({"row": ["cpnet", "cpnet"], "val_top1_step12": [60.0, 62.0]})
    lines = long_form("table3d", frame, ("c3d", "cpnet"), METRICS)
    assert lines.drop(columns="row").to_numpy().tolist() == [
        ["paper", "CPNet (Ours)", "top-1", 61.1],
        ["ours", "CPNet (Ours)", "top-1", 60.0],
        ["ours", "CPNet (Ours)", "top-1", 62.0],
        ["paper", "CPNet (Ours)", "top-5", 86.5],
    ]


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
