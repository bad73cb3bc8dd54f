"""Tests, and the kernels of notebooks under test, see the committed results only, never a developer's local ones."""

import os
import tempfile

import pytest

_no_results = tempfile.TemporaryDirectory(prefix="cpnet-no-results-")
os.environ["CPNET_LOCAL_RESULTS"] = _no_results.name
os.environ["TQDM_DISABLE"] = "1"


def pytest_unconfigure(config: pytest.Config) -> None:
    _no_results.cleanup()
