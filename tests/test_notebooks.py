"""Rules of the notebooks, and papermill runs."""

import ast
import json
import re
import statistics
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from scipy import stats

from cpnet import results
from cpnet.experiments import table3b
from cpnet.experiments.parameters import ParameterError
from cpnet.experiments.tables import find_table
from cpnet.paper import model_names, read_table
from cpnet.standins import class_table

NOTEBOOKS = sorted((results.REPOSITORY / "notebooks").glob("*.ipynb"))
TOY = results.REPOSITORY / "notebooks" / "01_toy_failure.ipynb"
# Progress bars, a live training and provenance are all that may differ from run to run.
VIDEOS = ["results = reproduce(", "live", "load_origins("]
IGNORED = {
    "00_architectures.ipynb": [],
    "01_toy_failure.ipynb": VIDEOS,
    "09_correspondences.ipynb": ["others = {", 'print(f"{len(html)'],
    "10_run_time.ipynb": ["torch.manual_seed(0)", "run_time.origins("],
} | dict.fromkeys(
    [
        "02_ablation_num_cp.ipynb",
        "03_ablation_k.ipynb",
        "04_ablation_position.ipynb",
        "05_comparison.ipynb",
        "06_large_models.ipynb",
        "07_something.ipynb",
        "08_jester.ipynb",
        "11_relations.ipynb",
        "12_how_far.ipynb",
    ],
    VIDEOS,
)


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
        assert len(cells) <= 40
        assert sum(len(cell.source.splitlines()) for cell in code_cells(path)) <= 150
        assert path.stat().st_size < 1_000_000

    def test_no_output_names_a_machine_or_failed(self, path):
        text = json.dumps(
            [output for cell in code_cells(path) for output in cell.outputs if "nbval" not in str(tags(cell))]
        )
        assert not re.search(r"/(home|root|tmp)/|site-packages|Traceback|Warning", text)
        assert not any(output.output_type == "error" for cell in code_cells(path) for output in cell.outputs)


TABLES = {
    "01": "table1",
    "02": "table3a",
    "03": "table3b",
    "04": "table3c",
    "05": "table3d",
    "06": "table4",
    "07": "table5a",
    "08": "table5b",
}


def chapter(number):
    (path,) = [path for path in NOTEBOOKS if path.name.startswith(number)]
    return path


def stored(name):
    """{row: {seed: record}} of the runs that a table shows, as their files have them."""
    found = {}
    for run in find_table(name).runs("cpu"):
        for path in results.COMMITTED.glob(f"*/*--{run.run_id}.json"):
            found.setdefault(run.row, {})[run.seed] = json.loads(path.read_text())
    return found


def output(number, start):
    """What the one cell that starts so shows, as a frame of texts, read from its HTML."""
    rows = shown(number, start).table.find_all("tr")
    plain = {0xA0: " ", 0x2011: "-"}  # where no line breaks
    head, *body = ([cell.text.strip().translate(plain) for cell in row.find_all(["th", "td"])] for row in rows)
    return pd.DataFrame.from_dict({cells[0]: cells[1:] for cells in body}, orient="index", columns=head[1:])


def shown(number, start):
    """HTML of the one cell that starts so."""
    (cell,) = [cell for cell in code_cells(chapter(number)) if cell.source.startswith(start)]
    (output,) = cell.outputs
    return BeautifulSoup(output["data"]["text/html"], "html.parser")


def mean_and_deviation(values):
    if not values:
        return "not run"
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def check_table(number, start, columns):
    """Each cell against the paper's CSV and the result files, by its row and column."""
    table = find_table(TABLES[number])
    shown, records = output(number, start), stored(table.name)
    shown = shown.T if start.endswith(".T") else shown
    paper = read_table(table.name).set_index(["row", "column"])
    names = model_names(table.name)
    lines = table.lines or list(table.rows)
    assert list(shown.index) == [names.get(line, line) for line in lines]
    for line, (_, cells) in zip(lines, shown.iterrows(), strict=True):
        expected = {}
        for column in columns:
            key = f"{column.metric}_{column.protocol}".rstrip("_")
            runs = records.get(line + column.suffix, {}).values()
            values = [record["metrics"][key] for record in runs if key in record["metrics"]]
            if (line, column.paper) in paper.index:
                text, status = paper.loc[(line, column.paper), ["text", "status"]]
                expected[f"{column.title}, paper"] = {"lost": "lost", "inferred": f"{text}*"}.get(status, text)
            elif column.paper in paper.index.get_level_values("column"):  # a row that the paper has not
                expected[f"{column.title}, paper"] = ""
            quoted = line + column.suffix not in table.rows
            expected[f"{column.title}, ours"] = "" if quoted else mean_and_deviation(values)
        seeds = max(len(records.get(line + column.suffix, {})) for column in columns)
        assert {name: text for name, text in cells.items() if name != "seeds"} == expected
        assert int(cells["seeds"]) == seeds


@pytest.mark.parametrize(
    ("number", "start"),
    [
        ("01", "table1.TABLE.side_by_side(results)"),
        ("02", "TABLE.side_by_side(results)"),
        ("04", "TABLE.side_by_side(results)"),
        ("05", "TABLE.side_by_side(results).T"),
        ("06", "TABLE.side_by_side(results)"),
        ("07", "TABLE.side_by_side(results)"),
        ("08", "TABLE.side_by_side(results)"),
    ],
)
def test_every_cell_of_a_table_is_that_of_the_result_files(number, start):
    check_table(number, start, find_table(TABLES[number]).columns)


@pytest.mark.parametrize(
    ("start", "metric"),
    [
        ("table.side_by_side(results, columns(k_test), rows)", "val_top1"),
        ('table.side_by_side(results, columns(k_test, "val_top5"), rows)', "val_top5"),
    ],
)
def test_every_cell_of_table_3b_is_that_of_the_result_files(start, metric):
    check_table("03", start, table3b.columns(metric=metric))


@pytest.mark.parametrize("number", ["02", "04", "05", "06"])
def test_accuracy_by_what_decides_is_that_of_the_result_files(number):
    kinds = class_table("kinetics")["decided by"].tolist()
    shown = output(number, "by_what_decides")
    assert set(shown.index) == set(stored(TABLES[number]))
    for row, records in stored(TABLES[number]).items():
        for kind in ("appearance", "motion"):
            classes = [i for i, decides in enumerate(kinds) if decides == kind]
            means = [statistics.mean(r["metrics"]["val_per_class"][i] for i in classes) for r in records.values()]
            assert shown.loc[row, f"{kind} decides, {len(classes)} classes"] == mean_and_deviation(means)


def key_of(named):
    """Of what stands in brackets: a protocol, or another metric."""
    metrics = {"top-5": "val_top5", "test": "test_top1", "test, top-5": "test_top5"}
    if named in metrics or named.startswith(("val_", "test_")):
        return metrics.get(named, named)
    return f"val_top1_{named}".rstrip("_")


def points(record, named):
    """100 for each video that a record says its network is right about, else 0."""
    count, digits = record["right"][key_of(named)].split(":")
    bits = f"{int(digits, 16):0{4 * len(digits)}b}"[: int(count)]
    return pd.Series([100.0 * int(bit) for bit in bits])


def half_of_interval(lines):
    """Of differences {seed: one a video}, by sums of squares about means of the one-way tables."""
    frame = pd.DataFrame(lines)  # videos x seeds
    V, S = frame.shape
    total = ((frame - frame.stack().mean()) ** 2).to_numpy().sum()
    of_seeds = V * ((frame.mean() - frame.stack().mean()) ** 2).sum()
    of_videos = S * ((frame.mean(axis=1) - frame.stack().mean()) ** 2).sum()
    rest = (total - of_seeds - of_videos) / ((S - 1) * (V - 1))
    seed, video = max(of_seeds / (S - 1), rest), of_videos / (V - 1)
    variance = seed + max(video - rest, 0)
    freedom = variance**2 / (seed**2 / (S - 1) + video**2 / (V - 1) + rest**2 / ((S - 1) * (V - 1)))
    return stats.t.ppf(0.975, freedom) * (variance / (S * V)) ** 0.5


@pytest.mark.parametrize("number", ["02", "03", "04", "05", "06", "07", "08"])
def test_evidence_of_claims_follows_from_result_files(number):
    found = stored(TABLES[number])
    side = r"(\w+)(?: \(([^()]+)\))?"
    text = " ".join(evidence.text for evidence in shown(number, "TABLE.judge").select(".evidence"))
    text = re.sub(r"trained with k = (\d+): tested with (\d+) minus with (\d+)", r"k\1 (k\2) - k\1 (k\3)", text)
    text = re.sub(r"trained and tested with (\d+) minus with (\d+)", r"k\1 (k\1) - k\2 (k\2)", text)
    compared = re.findall(rf"{side} - {side}: ([+-]\d+\.\d)(?: ± (\d+\.\d))? points", text)
    assert compared or not found
    for one, protocol, two, other, difference, half in compared:
        both = {
            seed: points(found[one][seed], protocol) - points(found[two][seed], other)
            for seed in found[one]
            if seed in found[two] and key_of(protocol) in found[one][seed]["right"]
        }
        assert float(difference) == pytest.approx(pd.DataFrame(both).stack().mean(), abs=0.051)
        assert not half or float(half) == pytest.approx(half_of_interval(both), abs=0.051)


def printed(path, *starts):
    """Text of the outputs of the cells that start so."""
    cells = [cell for cell in code_cells(path) if cell.source.startswith(starts)]
    return "\n".join(output["data"]["text/plain"] for cell in cells for output in cell.outputs)


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
    lines = printed(out, "table.side_by_side(results, columns(k_test), rows)").splitlines()
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


def refused(path, name, value):
    """What a notebook says of a parameter, by the cell of the parameters and the one after it alone."""
    scope, cells = {}, code_cells(path)
    exec(cells[0].source, scope)
    assert name in scope
    scope[name] = value
    with pytest.raises(ParameterError) as error:
        exec(cells[1].source, {k: v for k, v in scope.items() if k != "__builtins__"})
    (line,) = error.value._render_traceback_()
    return line


WRONG = {
    "profile": ["cup"],
    "device": ["cuda:99", "gpu", None],
    "rerun": [1, 0.0, "True"],
    "k_test": [8.0, True, "8", [4, 8.0]],
    "depth": [18.0, "18"],
}
NUMBERS = ("k", "k_train", "num_frames", "batch_size", "threads", "size", "seed", "step")
WRONG |= {name: [8.0, True, "8", -1] for name in NUMBERS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_values_of_another_type_and_devices_that_are_not_there_are_refused_by_name(path):
    scope = {}
    for cell in code_cells(path)[:2]:  # as it is, it runs
        exec(cell.source, scope)
    for name in set(scope) & set(WRONG):
        for value in WRONG[name]:
            part = value[-1] if isinstance(value, list) else value
            assert refused(path, name, value).startswith(f"ParameterError: {name}={part!r}: ")
