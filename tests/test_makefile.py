"""The Makefile takes whatever Python 3.11 to 3.13 there is, and the lock has no package for one machine only."""

import re
import shutil
import subprocess

import pytest

from cpnet.results import REPOSITORY


def plan(tmp_path, *pythons):
    """What `make setup` would run, if these were the only ones that run; others are there but broken, as pyenv's."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("sh", "make", "sed", "touch"):
        (path / tool).symlink_to(shutil.which(tool))
    for python in ("python3.11", "python3.12", "python3.13"):
        (path / python).write_text(f"#!/bin/sh\nexit {0 if python in pythons else 127}\n")
        (path / python).chmod(0o755)
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / file, tmp_path)
    command = [path / "make", "-n", "setup"]
    return subprocess.run(command, cwd=tmp_path, env={"PATH": str(path)}, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (["python3.11", "python3.13"], "python3.11"),
        (["python3.12"], "python3.12"),
        (["python3.13"], "python3.13"),
        ([], "python3"),
    ],
)
def test_the_first_python_that_runs_is_taken(tmp_path, there, taken):
    assert f"Setting up .venv with {taken}: " in plan(tmp_path, *there)


def test_the_list_of_targets_takes_no_tool_of_one_system(tmp_path):
    """awk by its POSIX rules: macOS's sed has no \\t, and its make is 3.81."""
    for tool in ("sh", "make", "awk"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    environment = {"PATH": str(tmp_path), "POSIXLY_CORRECT": "1"}
    said = subprocess.run([tmp_path / "make"], cwd=REPOSITORY, env=environment, capture_output=True, text=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.M)[1].split()
    assert [line.split()[:2] for line in said.splitlines()] == [["make", target] for target in targets]
    assert len({line.index(line.split(maxsplit=2)[2]) for line in said.splitlines()}) == 1  # one column


def test_no_pin_is_for_one_kind_of_machine():
    lock = (REPOSITORY / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", lock, re.M))
    assert "decord2" in pins and "decord" not in pins  # which has no wheels but for x86-64
    assert not [name for name in pins if re.match("nvidia|cuda|triton", name)]
    assert not [version for version in pins.values() if "+" in version]  # local versions, such as +cpu
    assert {"scipy", "filelock", "numpy", "pandas", "av", "faiss-cpu", "matplotlib", "pillow"} <= set(pins)
