import pandas as pd
import pytest

from cpnet.experiments import chapter, table3a


@pytest.fixture
def nothing_is_trained(monkeypatch):
    def reproduce(*_, **__):
        raise AssertionError("it trains")

    monkeypatch.setattr(chapter, "reproduce", reproduce)


def test_a_row_of_the_table_is_a_line_with_its_seeds():
    table = chapter.announce(table3a.runs("smoke", (3, 4)))
    assert list(table.index) == list(table3a.ROWS)
    assert (
        set(table["seeds"]) == {"3, 4"} and set(table["stored"]) == {"0 of 2"} and set(table.iloc[:, 2]) == {"not run"}
    )


def test_a_folder_of_real_videos_is_not_ignored_in_silence():
    with pytest.raises(ValueError, match=r"data_root='/data/k400'.*profile cpu.*paper"):
        chapter.announce(table3a.runs("cpu"), data_root="/data/k400")


def test_a_dry_run_on_stand_ins_prints_no_commands(capsys):
    chapter.announce(table3a.runs("smoke"), dry_run=True)
    assert capsys.readouterr().out == ""


def test_a_dry_run_prints_plan_and_commands_and_names_an_incomplete_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cpnet.experiments.plan.plan", lambda runs: pd.DataFrame({"row": [run.row for run in runs]}))
    runs = table3a.runs("paper")[:1]
    chapter.announce(runs, dry_run=True)
    assert "torchrun" in capsys.readouterr().out
    with pytest.raises((ValueError, FileNotFoundError), match=str(tmp_path)):
        chapter.announce(runs, dry_run=True, data_root=str(tmp_path))


def test_a_dry_run_only_loads(nothing_is_trained):
    assert chapter.run_or_load(table3a.runs("smoke", (9,)), rerun=True, dry_run=True).empty
    with pytest.raises(AssertionError, match="it trains"):
        chapter.run_or_load(table3a.runs("smoke", (9,)), rerun=True)
