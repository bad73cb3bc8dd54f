"""The README says what is there."""

import re
import shlex
import subprocess
import sys

import pytest

from cpnet.models import list_models
from cpnet.results import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def test_it_is_short():
    assert len(README.splitlines()) < 120


def test_the_models_it_names_are_the_registry():
    (row,) = re.findall(r"^\| `cpnet/models/` \|(.*)\|$", README, re.M)
    assert sorted(re.findall(r"`(\w+)`", row)) == list_models()


def test_paths_and_links_exist():
    paths = re.findall(r"^\| `([\w/]+)` \|", README, re.M) + re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(paths) > 8
    assert not [path for path in paths if not (REPOSITORY / path).exists()]


def test_make_targets_exist():
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("line", re.findall(r"^python -m cpnet ([^#\n]*\w)", README, re.M))
def test_commands_parse(line):
    words = shlex.split(line)
    command = 2 if words[0] == "bench" else 1
    done = subprocess.run([sys.executable, "-m", "cpnet", *words[:command], "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    for option in re.findall(r"--[\w-]+", line):
        assert option in done.stdout


def test_the_snippet_runs():
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.S)
    scope = {}
    exec(snippet, scope)
    assert scope["proposals"].indices.shape == (2, 8 * 14 * 14, 8)
