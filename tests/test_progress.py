import subprocess
import sys

import pytest

PROGRAM = "from cpnet.progress import progress_bar; [bar.update() for bar in [progress_bar({show}, total=2)]]"


@pytest.mark.parametrize(
    ("show", "environment", "shown"), [(True, {}, True), (False, {}, False), (True, {"TQDM_DISABLE": "1"}, False)]
)
def test_the_argument_and_the_environment_can_each_turn_it_off(show, environment, shown, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(show=show)], capture_output=True, text=True, check=True)
    assert ("%" in done.stderr) == shown
