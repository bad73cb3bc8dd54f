"""Rules of the notebooks, and papermill runs."""

import ast
import json
import re
import subprocess
import sys

import nbformat
import pytest

from cpnet import results

NOTEBOOKS = sorted((results.REPOSITORY / "notebooks").glob("*.ipynb"))
TOY = results.REPOSITORY / "notebooks" / "01_toy_failure.ipynb"
# Progress bars, a live training and provenance are all that may differ from run to run.
IGNORED = {
    "00_architectures.ipynb": [],
    "01_toy_failure.ipynb": ["results = reproduce(", "live = {", "pd.concat([results, controls])["],
    "02_ablation_num_cp.ipynb": ["results = ", "live = ", "results[["],
    "03_ablation_k.ipynb": ["results = ", "live = ", "results[["],
    "04_ablation_position.ipynb": ["results = ", "live_runs = ", "results[["],
    "05_comparison.ipynb": ["results = ", "live_runs = ", "results[["],
    "06_large_models.ipynb": ["results = ", "live_runs = ", "results[["],
}


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def papermill(out, *parameters, notebook=TOY):
    command = [sys.executable, "-m", "papermill", str(notebook), str(out), "--no-progress-bar", *parameters]
    return subprocess.run(command, capture_output=True, text=True, cwd=results.REPOSITORY)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestEveryNotebook:
    def test_only_named_cells_are_ignored(self, path):
        ignored = [cell.source for cell in code_cells(path) if "nbval-ignore-output" in tags(cell)]
        assert len(ignored) == len(IGNORED[path.name])
        assert all(source.startswith(start) for source, start in zip(ignored, IGNORED[path.name], strict=True))
        others = {tag for cell in code_cells(path) for tag in tags(cell)} - {"nbval-ignore-output", "parameters"}
        assert not others & {"nbval-skip", "raises-exception", "nbval-raises-exception"}
        assert not any("NBVAL_" in cell.source for cell in code_cells(path))

    def test_it_was_run_from_top_to_bottom(self, path):
        counts = [cell.execution_count for cell in code_cells(path)]
        assert counts == list(range(1, len(counts) + 1))

    def test_parameters_are_literals_in_one_cell(self, path):
        (cell,) = [cell for cell in code_cells(path) if "parameters" in tags(cell)]
        for statement in ast.parse(cell.source).body:
            assert isinstance(statement, ast.Assign)
            ast.literal_eval(statement.value)

    def test_it_is_short(self, path):
        cells = nbformat.read(path, as_version=4).cells
        assert len(cells) <= 36
        assert sum(len(cell.source.splitlines()) for cell in code_cells(path)) <= 150
        assert path.stat().st_size < 1_000_000

    def test_no_output_names_a_machine_or_failed(self, path):
        text = json.dumps(
            [output for cell in code_cells(path) for output in cell.outputs if "nbval" not in str(tags(cell))]
        )
        assert not re.search(r"/(home|root|tmp)/|site-packages|Traceback|Warning", text)
        assert not any(output.output_type == "error" for cell in code_cells(path) for output in cell.outputs)


def test_numbers_of_table_1_are_found_in_result_files():
    (cell,) = [cell for cell in code_cells(TOY) if cell.source.startswith("table1.side_by_side")]
    text = cell.outputs[0]["data"]["text/plain"]
    means = {float(number) for number in re.findall(r"\d+\.\d", text)}
    known = {0.0}
    for row in ("nl", "artnet", "trn", "cpnet"):
        records = [results.read(path) for path in (results.COMMITTED / "table1").glob(f"{row}--cpu--*.json")]
        for metric in ("train_top1", "val_top1"):
            values = [record["metrics"][metric] for record in records]
            mean = sum(values) / len(values)
            known |= {round(mean, 1), round((sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5, 1)}
    paper = {27.8, 26.4, 26.8, 25.9, 27.1, 26.9, 97.9, 97.4}
    assert means <= known | paper
    assert paper <= means


def test_papermill_loads_another_k_from_stored_results(tmp_path):
    done = papermill(tmp_path / "out.ipynb", "-p", "k", "8")
    assert done.returncode == 0, done.stderr
    run = [cell for cell in code_cells(tmp_path / "out.ipynb") if "injected-parameters" in tags(cell)]
    assert [cell.source.splitlines()[-1] for cell in run] == ["k = 8"]


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("kk", "3", "unknown parameter kk"),
        ("profile", "cup", "profile='cup'"),
        ("k", "0", "k=0"),
        ("seed", "x", "seed='x'"),
    ],
)
def test_papermill_with_a_wrong_parameter_fails_by_name(tmp_path, parameter, value, message):
    done = papermill(tmp_path / "out.ipynb", "-p", parameter, value)
    assert done.returncode != 0
    assert message in done.stderr
