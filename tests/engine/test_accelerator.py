import nbclient
import nbformat
import pytest
import torch

from cpnet.engine.accelerator import make_accelerator


def test_precision_may_differ_from_one_to_the_next():
    for precision, name in (("fp32", "no"), ("bf16", "bf16"), ("fp32", "no")):
        accelerator = make_accelerator("cpu", precision)
        assert accelerator.mixed_precision == name and accelerator.device == torch.device("cpu")
        with accelerator.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


def test_a_gpu_that_is_not_there_is_refused_by_name():
    with pytest.raises(ValueError, match=f"device='cuda:99': torch finds {torch.cuda.device_count()} GPUs here"):
        make_accelerator("cuda:99")


def test_nothing_is_written_to_stderr_in_a_kernel():
    """There, the import of Accelerate warns about progress bars, and the book takes stderr for an error."""
    code = ("from cpnet.engine.accelerator import make_accelerator; make_accelerator('cpu');", "import accelerate")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in code])
    nbclient.execute(notebook)
    assert [cell.outputs for cell in notebook.cells] == [[], []]
