"""Fixtures that several tests share."""

import pytest

from cpnet import results


@pytest.fixture
def few_clips(monkeypatch):
    """A miniature of the toy data."""
    monkeypatch.setattr("cpnet.data.moving_square.NUM_CLIPS", {"train": 60, "val": 40})


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Empty folders of runs, and of local and committed results."""
    monkeypatch.setenv("CPNET_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("CPNET_LOCAL_RESULTS", str(tmp_path / "local"))
    monkeypatch.setattr(results, "COMMITTED", tmp_path / "committed")
    return tmp_path / "local", tmp_path / "committed"
