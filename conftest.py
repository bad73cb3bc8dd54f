"""Tests, and the kernels of notebooks under test, see the committed results only, never a developer's local ones."""

import os
import tempfile
from pathlib import Path

import pytest

_runs = tempfile.TemporaryDirectory(prefix="cpnet-runs-")
if "PYTEST_XDIST_WORKER" in os.environ:  # what the workers need rendered and decoded, one does for all
    for name in ("data", "decoded"):
        shared = Path(os.environ["CPNET_RUNS"], name)  # of the process that started the workers
        shared.mkdir(exist_ok=True)
        Path(_runs.name, name).symlink_to(shared)
os.environ["CPNET_RUNS"] = _runs.name
os.environ["CPNET_LOCAL_RESULTS"] = os.path.join(_runs.name, "results")
os.environ["TQDM_DISABLE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small nets: more threads spin, on a busy machine for minutes


def pytest_unconfigure(config: pytest.Config) -> None:
    _runs.cleanup()
