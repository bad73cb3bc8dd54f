"""Rules of the notebooks, and papermill runs."""

import ast
import json
import re
import statistics
import subprocess
import sys

import nbformat
import pytest

from cpnet import results
from cpnet.experiments import table3a, table3b, table3c, table3d, table4
from cpnet.paper import read_table
from cpnet.standins import class_table

NOTEBOOKS = sorted((results.REPOSITORY / "notebooks").glob("*.ipynb"))
TOY = results.REPOSITORY / "notebooks" / "01_toy_failure.ipynb"
# Progress bars, a live training and provenance are all that may differ from run to run.
IGNORED = {
    "00_architectures.ipynb": [],
    "01_toy_failure.ipynb": ["results = reproduce(", "live = {", "pd.concat([results, controls])["],
    "02_ablation_num_cp.ipynb": ["results = ", "live = ", "results.reindex("],
    "03_ablation_k.ipynb": ["results = ", "live = ", "results.reindex("],
    "04_ablation_position.ipynb": ["results = ", "live_runs = ", "results.reindex("],
    "05_comparison.ipynb": ["results = ", "live_runs = ", "results.reindex("],
    "06_large_models.ipynb": ["results = ", "live_runs = ", "results.reindex("],
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


KINETICS = {"02": table3a, "03": table3b, "04": table3c, "05": table3d, "06": table4}


def stored(number):
    """{row: {seed: record}} of the runs that a chapter shows, as their files have them."""
    found = {}
    for run in KINETICS[number].runs("cpu"):
        for path in results.COMMITTED.glob(f"*/*--{run.run_id}.json"):
            found.setdefault(run.row, {})[run.seed] = json.loads(path.read_text())
    return found


def mean_and_deviation(values):
    return [f"{statistics.mean(values):.1f}", *([f"{statistics.stdev(values):.1f}"] if len(values) > 1 else [])]


def known_numbers(number):
    """As printed: the paper's, and means and deviations of ours, over all classes and by what decides them."""
    numbers = set(read_table(KINETICS[number].TABLE)["text"])
    moving = [kind == "motion" for kind in class_table("kinetics")["decided by"]]
    for by_seed in stored(number).values():
        metrics = [record["metrics"] for record in by_seed.values()]
        for name in metrics[0]:
            if name != "val_per_class":
                numbers |= {*mean_and_deviation([m[name] for m in metrics])}
        for kind in (True, False):
            classes = [i for i, moves in enumerate(moving) if moves == kind]
            numbers |= {*mean_and_deviation([statistics.mean(m["val_per_class"][i] for i in classes) for m in metrics])}
    return numbers


def chapter(number):
    (path,) = [path for path in NOTEBOOKS if path.name.startswith(number)]
    return path


def printed(path, *starts):
    """Text of the outputs of the cells that start so."""
    cells = [cell for cell in code_cells(path) if cell.source.startswith(starts)]
    return "\n".join(output["data"]["text/plain"] for cell in cells for output in cell.outputs)


@pytest.mark.parametrize("number", KINETICS)
def test_numbers_of_tables_on_kinetics_are_found_in_result_files(number):
    table = KINETICS[number]
    text = printed(chapter(number), f"{table.TABLE}.side_by_side", "kinetics.by_what_decides")
    numbers = re.findall(r"\d+\.\d", text)
    assert numbers and set(numbers) <= known_numbers(number)


@pytest.mark.parametrize("number", KINETICS)
def test_evidence_of_claims_on_kinetics_follows_from_result_files(number):
    found = stored(number)

    def values(row, metric):
        step = re.search("_(step[0-9]+)", metric or "")
        if step:
            row, metric = f"{row}_{step[1]}", metric.replace(f"_{step[1]}", "")
        return {seed: record["metrics"][metric or "val_top1"] for seed, record in found[row].items()}

    side = r"(\w+)(?: \((\w+)\))?"
    text = re.sub(r"\s+", " ", printed(chapter(number), "judge_all"))
    over_seeds = re.findall(rf"{side} - {side}: ([+-]\d+\.\d) ± (\d+\.\d) points, 3 seeds", text)
    over_videos = re.findall(
        rf"{side} - {side}: (\d+\.\d) - (\d+\.\d) = (-?\d+\.\d) ± (\d+\.\d) points, one seed, (\d+) videos", text
    )
    assert over_seeds or over_videos or len(found) < 2
    for one, metric, two, other, *numbers in over_videos:
        (first,), (second,) = values(one, metric).values(), values(two, other).values()
        half = 1.96 * sum(p * (100 - p) / int(numbers[4]) for p in (first, second)) ** 0.5
        exact = (first, second, first - second, half)
        assert all(abs(float(n) - e) <= 0.051 for n, e in zip(numbers[:4], exact, strict=True))
    for one, metric, two, other, difference, half in over_seeds:
        first, second = values(one, metric), values(two, other)
        differences = [first[seed] - second[seed] for seed in (0, 1, 2)]
        mean = statistics.mean(differences)
        assert abs(float(difference) - mean) <= 0.051
        one_video = 2.0 if "25x10" in (metric or "") else 0.2
        assert abs(float(half) - max(4.303 * statistics.stdev(differences) / 3**0.5, one_video)) <= 0.051


def injected(path):
    (cell,) = [cell for cell in code_cells(path) if "injected-parameters" in tags(cell)]
    return cell.source.splitlines()[1:]


def test_papermill_loads_another_k_from_stored_results(tmp_path):
    done = papermill(tmp_path / "out.ipynb", "-p", "k", "8")
    assert done.returncode == 0, done.stderr
    assert injected(tmp_path / "out.ipynb") == ["k = 8"]


def test_papermill_shows_a_part_of_table_3b(tmp_path):
    out = tmp_path / "out.ipynb"
    done = papermill(out, "-p", "k_train", "8", "-y", "k_test: [4, 16]", notebook=chapter("03"))
    assert done.returncode == 0, done.stderr
    assert sorted(injected(out)) == ["k_test = [4, 16]", "k_train = 8"]
    lines = printed(out, 'table3b.side_by_side(results, "val_top1"').splitlines()
    assert sum(line.startswith("k = ") for line in lines) == 1 and "test k = 16, ours" in "".join(lines)
    assert "test k = 8," not in "".join(lines)


def test_papermill_plans_the_published_schedule(tmp_path):
    done = papermill(tmp_path / "out.ipynb", "-p", "profile", "paper", "-p", "dry_run", "True", notebook=chapter("04"))
    assert done.returncode == 0, done.stderr
    text = "".join(str(cell.outputs) for cell in code_cells(tmp_path / "out.ipynb"))
    assert text.count("torchrun --standalone") == 4 and "GPU hours, training" in text


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
