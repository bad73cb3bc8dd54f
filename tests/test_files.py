import subprocess
import sys

import pytest

from cpnet.files import locked

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
