from pathlib import Path

import nbclient
import nbformat
import pytest
import torch

from cpnet.engine.machine import Machine, is_main_process


def test_precision_may_differ_from_one_to_the_next():
    for precision, name in (("fp32", "no"), ("bf16", "bf16"), ("fp32", "no")):
        accelerator = Machine("cpu").accelerator(precision)
        assert accelerator.mixed_precision == name and accelerator.device == torch.device("cpu")
        with accelerator.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda:99"}, f"device='cuda:99': torch finds {torch.cuda.device_count()} GPUs here"),
        ({"device": "gpu"}, "device='gpu': give cpu, cuda, cuda:1, ... or auto"),
        ({"device": "cuda:x"}, "device='cuda:x': give cpu"),
        ({"workers": -1}, "workers=-1: give 0 or more"),
    ],
)
def test_what_is_not_there_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        Machine(**options)


def test_auto_is_a_gpu_if_there_is_one_and_no_folder_is_none():
    assert Machine("auto").device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert Machine(data_root="").data_root is None and Machine(data_root="~/k").data_root == Path.home() / "k"


@pytest.mark.parametrize(
    ("environment", "expected"), [({}, True), ({"RANK": "1"}, True), ({"RANK": "1", "LOCAL_RANK": "1"}, False)]
)
def test_a_process_alone_writes_whatever_its_rank_is_said_to_be(monkeypatch, environment, expected):
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_main_process() == expected


def test_nothing_is_written_to_stderr_in_a_kernel():
    """There, the import of Accelerate warns about progress bars, and the book takes stderr for an error."""
    code = ("from cpnet.engine.machine import Machine; Machine('cpu').accelerator();", "import accelerate")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in code])
    nbclient.execute(notebook)
    assert [cell.outputs for cell in notebook.cells] == [[], []]
