import re

import pytest

from cpnet.__main__ import COMMANDS, main
from cpnet.results import REPOSITORY

TEXTS = ("README.md", "CONTRIBUTING.md", "results/README.md", "book/*.md", "notebooks/*.ipynb", "cpnet/**/*.py")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_subcommand_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert f"python -m cpnet {command}" in " ".join(capsys.readouterr().out.split())


def test_errors_of_the_user_are_one_line():
    with pytest.raises(SystemExit, match=r"^no row 'x' in table1: choose among"):
        main(["reproduce", "table1", "--rows", "x"])


def documented_commands():
    files = [path for pattern in TEXTS for path in REPOSITORY.glob(pattern)]
    return {
        tuple(match.split()[:2])
        for path in files
        for match in re.findall(r"python -m cpnet ([a-z][\w -]*)", path.read_text())
    }


def test_documented_commands_exist():
    commands = documented_commands()
    assert len(commands) >= 8
    assert not [words for words in commands if " ".join(words) not in COMMANDS and words[0] not in COMMANDS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "table1", "--seeds", "99"], "no run of table1 has seed 99"),
        (["models", "zzz*"], "error: no network matches 'zzz*': there are artnet_resnet101"),
        (["summary", "cpnet_toy", "--num-frames", "0"], "error: --num-frames 0: give 1 or more"),
        (["summary", "c2d_resnet18", "--k", "3"], "error: c2d_resnet18 takes no argument k"),
        (["summary", "cpnet_resnet18", "--positions", "7"], "error: positions='7': choose one of 1, 2, 4"),
    ],
)
def test_errors_say_what_is_wrong(arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert str(stop.value).startswith(message)


def test_models_are_listed_with_their_weights(capsys):
    main(["models", "c2d*"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["c2d_resnet18", "10.84", "Mi"] in lines and len(lines) == 3


def test_a_summary_has_the_paper_s_stages(capsys):
    main(["summary", "cpnet_resnet18", "--variant", "paper", "--width", "16", "--size", "64", "--num-frames", "4"])
    out = capsys.readouterr().out
    assert "8×8×4" in out and "[3×3, 64; 3×3, 64; CP module] × 2" in out
    assert "weights of convolutions and linear layers: " in out and "multiply-adds: " in out
