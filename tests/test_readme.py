"""The README says what is there."""

import itertools
import re
import shlex

import pytest

from cpnet.__main__ import COMMANDS, main
from cpnet.models import list_models
from cpnet.results import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def test_it_is_short():
    assert len(README.splitlines()) < 120


def expand(pattern):
    """Braces as a shell expands them."""
    parts = [part.split(",") for part in re.split(r"\{([^}]*)\}", pattern)]
    return ["".join(choice) for choice in itertools.product(*parts)]


def test_the_models_it_names_are_the_registry():
    (row,) = re.findall(r"^\| `cpnet/models/` \|(.*)\|$", README, re.M)
    names = [name for pattern in re.findall(r"`([^`]+)`", row) for name in expand(pattern)]
    assert sorted(names) == list_models()


def test_paths_and_links_exist():
    paths = re.findall(r"^\| `([\w/]+)` \|", README, re.M) + re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(paths) > 8
    assert not [path for path in paths if not (REPOSITORY / path).exists()]


def test_make_targets_exist():
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("line", re.findall(r"^python -m cpnet ([^#\n]*\w)", README, re.M))
def test_commands_parse(line, capsys):
    words = shlex.split(line)
    command = 2 if " ".join(words[:2]) in COMMANDS else 1
    with pytest.raises(SystemExit) as end:
        main([*words[:command], "--help"])
    assert not end.value.code
    printed = capsys.readouterr().out
    for option in re.findall(r"--[\w-]+", line):
        assert option in printed


def test_the_snippets_run():
    module, network, trained = re.findall(r"```python\n(.*?)```", README, re.S)
    scope = {}
    exec(module, scope)
    assert scope["proposals"].indices.shape == (2, 8 * 14 * 14, 8)
    exec(network.replace('pretrained="imagenet"', "pretrained=None"), scope)
    assert scope["scores"].shape == (2, 174) and scope["net"].k == 4
    (file,) = (REPOSITORY / "results" / "table1").glob("trn--cpu--seed0--*.json")  # a toy net, which predicts no files
    exec(trained.replace("runs/mine", str(file)).replace('trained.predict("clip.mp4")', "trained.predict"), scope)
    assert scope["trained"].classes == ("left", "right", "up", "down")
