import subprocess
import sys
from unittest.mock import Mock

import pytest

from cpnet.files import check_writable, locked, write_atomically

HOLD = """
import pathlib, sys, time
from cpnet.files import locked
with locked(pathlib.Path(sys.argv[1])):
    print(flush=True)
    time.sleep(60)
"""


def test_a_folder_is_for_one_process_until_that_dies(tmp_path):
    with locked(tmp_path):
        pass
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    holder.stdout.readline()
    with pytest.raises(ValueError, match=f"another process is working in {tmp_path}: wait for it"), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with locked(tmp_path):
        pass


@pytest.mark.parametrize(("path", "why"), [("folder", "it is a folder"), ("file/x", "")])
def test_what_cannot_be_written_is_said_beforehand(tmp_path, path, why):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=rf"{path} cannot be written \(.*{why}.*\): give another file"):
        check_writable(tmp_path / path)


@pytest.mark.parametrize("moment", ["os.fsync", "os.replace"])
def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch, moment):
    write_atomically(tmp_path / "new" / "file", b"old")
    monkeypatch.setattr(moment, Mock(side_effect=OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "new" / "file", b"newer")
    assert (tmp_path / "new" / "file").read_bytes() == b"old"
