import shlex
from pathlib import Path

import pytest

from cpnet.__main__ import COMMANDS, main

DOCUMENTS = [Path("README.md"), *Path("book").glob("*.md"), Path("CONTRIBUTING.md"), *Path("notebooks").glob("*.ipynb")]


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
    for document in DOCUMENTS:
        for line in document.read_text().splitlines():
            if line.strip().startswith("python -m cpnet "):
                yield shlex.split(line.strip(), comments=True)[3:]


@pytest.mark.parametrize("arguments", list(documented_commands()), ids=" ".join)
def test_documented_commands_exist(arguments):
    assert " ".join(arguments[:2]) in COMMANDS or arguments[0] in COMMANDS
