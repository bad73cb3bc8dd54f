"""A run is all that determines a number. `reproduce` loads the ones that are stored and trains the others."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from cpnet import results
from cpnet.engine.accelerator import in_process_group
from cpnet.models import resolve_arguments
from cpnet.models.summary import count_parameters
from cpnet.progress import progress_bar
from cpnet.results import Record

_worker = 0  # number of this process among those that run side by side


@dataclass(frozen=True)
class Machine:
    """Where and how runs are computed; changes no number but by rounding.

    Attributes:
        device: cpu, cuda, cuda:1, ...
        data_root: folder of the official data set, for profile "paper".
        workers: processes that load videos.
        compile: compile networks in training.
        tensorboard: write curves for TensorBoard.
        progress: show progress bars.
        position: line of the progress bar, where runs go on side by side.
        rerun: train again what an earlier call has trained to the end; an unfinished training is always continued.
        folder: of a training on videos, with its checkpoints; one for each run in runs/training if None.
        roots: of results, where those that a run starts from are looked for.
    """

    device: str = "cpu"
    data_root: Path | None = None
    workers: int = 0
    compile: bool = False
    tensorboard: bool = False
    progress: bool = True
    position: int = 0
    rerun: bool = False
    folder: Path | None = None
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Run(ABC):
    """One number of one table; sub-classes say of what.

    Attributes:
        table, row, profile: where the number belongs; they do not determine it.
        seed: of all draws.
    """

    table: str
    row: str
    profile: str
    seed: int

    @property
    def keeps_weights(self) -> bool:
        """Whether trained weights are stored beside the record."""
        return True

    @property
    def needs(self) -> tuple[Run, ...]:
        """Runs whose results this one starts from."""
        return ()

    @property
    def title(self) -> str:
        """For progress bars."""
        return f"{self.table} {self.row} seed {self.seed}"

    @property
    def config(self) -> dict[str, Any]:
        """All that determines the number."""
        config = {name: value for name, value in asdict(self).items() if name not in ("table", "row", "profile")}
        return json.loads(json.dumps(config))

    @cached_property
    def run_id(self) -> str:
        """Hash of the canonical JSON of `config`."""
        return hashlib.sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()[:10]

    @abstractmethod
    def create_model(self) -> nn.Module:
        """The model with its initial weights."""

    @abstractmethod
    def measure(self, machine: Machine) -> tuple[Record, nn.Module]:
        """Train and evaluate: metrics, n_expected, n_scored, curves and whatever else belongs in the record."""

    def prepare(self, machine: Machine) -> None:  # noqa: B027, most runs need nothing
        """Make what several runs share, before any of them starts."""

    def finish(self, machine: Machine) -> None:  # noqa: B027
        """Called once the record is stored."""

    def verify(self, path: Path, machine: Machine) -> None:  # noqa: B027
        """Raise ValueError if the record at `path` is of other data than those of `machine`."""

    @cached_property
    def model_defaults(self) -> dict[str, Any]:
        """Arguments of the model that the run leaves at their defaults."""
        name, given = self.config["model"], self.config["model_args"]
        every = resolve_arguments(name, **given)
        return json.loads(json.dumps({name: every[name] for name in every if name not in {*given, "seed"}}))

    def stored(self, roots: tuple[Path, ...]) -> Path | None:
        """The run's record in the first of `roots` that has it.

        Raises:
            ValueError: a default of the model has changed since.
        """
        path = results.find(self.run_id, roots)
        if path is not None:
            before = results.read(path).get("model_defaults", {})
            for name, value in self.model_defaults.items():
                if before.get(name, value) != value:
                    raise ValueError(
                        f"{path} was computed with {name}={before[name]!r}, "
                        f"now the default of {self.config['model']} is {value!r}: "
                        f"raise `revision` of {type(self).__name__}, or give the run the old value"
                    )
        return path


def execute(run: Run, machine: Machine | None = None) -> tuple[Record, nn.Module]:
    """Train and evaluate one run: its record, and the trained model."""
    machine = machine or Machine()
    start = time.monotonic()
    measured, model = run.measure(machine)
    record: Record = {
        "table": run.table,
        "row": run.row,
        "profile": run.profile,
        "seed": run.seed,
        "run_id": run.run_id,
        "config": run.config,
        "model_defaults": run.model_defaults,
        **measured,
        "params": count_parameters(model),
    }
    own = record.pop("provenance", {})
    record["provenance"] = results.provenance(torch.device(machine.device), time.monotonic() - start) | own
    return record, model


def reproduce(
    runs: Sequence[Run],
    *,
    rerun: bool = False,
    device: str = "cpu",
    data_root: Path | None = None,
    workers: int = 0,
    compile: bool = False,
    tensorboard: bool = False,
    out: Path | None = None,
    jobs: int = 1,
    budget: float | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Results of `runs`, one row each: stored ones are loaded, the others trained and stored.

    Under torchrun all processes call it, and share each training.

    Args:
        rerun: train even what is stored.
        device, data_root, workers, compile, tensorboard, progress: see `Machine`.
        out: where new results go, and are looked for first; the local root if None.
        jobs: runs trained side by side, each with its share of the cores.
        budget: seconds after which no further run is begun. Results of the runs that are not reached are left out;
            the next call goes on from there.
    """
    if jobs < 1 or workers < 0:
        raise ValueError(f"jobs={jobs}, workers={workers}: give at least one job, and no less than 0 workers")
    if jobs > 1 and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ValueError(f"jobs={jobs} under torchrun, whose processes share each run: give 1")
    out = results.local_root() if out is None else out
    roots = (out, results.COMMITTED)
    found_in = (out, results.local_root(), results.COMMITTED)
    machine = Machine(device, data_root, workers, compile, tensorboard, progress, rerun=True, roots=found_in)
    end = None if budget is None else time.monotonic() + budget
    first = {run.run_id: run for run in reversed(runs)}  # of several rows that one run serves
    missing = {
        run.run_id: run for run in runs if run is first[run.run_id] and (rerun or not _is_stored(run, machine, roots))
    }
    needed = {
        need.run_id: need
        for run in missing.values()
        for need in run.needs
        if need.run_id in missing or need.stored(found_in) is None
    }
    rest = [run for run_id, run in missing.items() if run_id not in needed]
    for batch in ([*needed.values()], rest):  # one after the other: no run may start before what it needs is there
        _execute_all(batch, machine, out, jobs, end)
    return _frame(runs, roots)


def _is_stored(run: Run, machine: Machine, roots: tuple[Path, ...]) -> bool:
    path = run.stored(roots)
    if path is not None:
        run.verify(path, machine)
    return path is not None


def _execute_all(runs: Sequence[Run], machine: Machine, out: Path, jobs: int, end: float | None) -> None:
    for run in runs:
        if _time_is_left(end):
            run.prepare(machine)
    if jobs > 1 and len(runs) > 1:
        _execute_side_by_side(runs, machine, out, jobs, end)
        return
    for run in runs:
        if _time_is_left(end):
            _execute_and_store(run, machine, out)


def _time_is_left(end: float | None) -> bool:
    """Of several processes, what the main one says, as they must agree."""
    left = end is None or time.monotonic() < end
    if in_process_group():
        said = [left]
        torch.distributed.broadcast_object_list(said, src=0)
        return said[0]
    return left


def load(runs: Sequence[Run]) -> pd.DataFrame:
    """Results of those `runs` that are stored, locally or in the repository; nothing is trained."""
    return _frame(runs, (results.local_root(), results.COMMITTED))


def _frame(runs: Sequence[Run], roots: tuple[Path, ...]) -> pd.DataFrame:
    """Records of the runs that are stored, under the runs' own labels: one run may serve several rows."""
    found = [(run, path) for run in runs if (path := run.stored(roots)) is not None]
    labels = [{"table": run.table, "row": run.row, "profile": run.profile} for run, _ in found]
    return to_frame([results.read(path) | label for (_, path), label in zip(found, labels, strict=True)])


def trained_model(run: Run) -> nn.Module:
    """The model of a stored run with its trained weights, in evaluation mode.

    Raises:
        FileNotFoundError: the run is not stored.
    """
    path = run.stored((results.local_root(), results.COMMITTED))
    if path is None:
        raise FileNotFoundError(f"no stored result of {run.row}, seed {run.seed}, run {run.run_id}: reproduce it first")
    model = run.create_model()
    model.load_state_dict(results.read_weights(path))
    return model.eval()


def to_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Tidy frame, one row a record: labels, weights, metrics, curves, configuration and provenance."""
    rows = [
        {name: record[name] for name in ("table", "row", "profile", "seed", "run_id")}
        | {"weights": record["params"]["weights"], "n_expected": record.get("n_expected")}
        | record["metrics"]
        | {f"curve_{name}": values for name, values in record["curves"].items()}
        | {"config": record["config"]}
        | record["provenance"]
        for record in records
    ]
    always = ["table", "row", "profile", "seed", "run_id", "weights", "n_expected", "config"]
    return pd.DataFrame(rows, columns=None if rows else always)


def is_main_process() -> bool:
    """Whether this process writes, of those that torchrun has started; without it, it does."""
    return int(os.environ.get("RANK", 0)) == 0


def _execute_and_store(run: Run, machine: Machine, out: Path) -> None:
    record, model = execute(run, replace(machine, position=_worker))
    if is_main_process():
        results.write(record, out, model.state_dict() if run.keeps_weights else None)
        run.finish(machine)
    if in_process_group():
        torch.distributed.barrier()  # what comes next may start from this result


def _execute_side_by_side(runs: Sequence[Run], machine: Machine, out: Path, jobs: int, end: float | None) -> None:
    """Each worker trains with its share of the cores and has its own line of progress, below the count of runs."""
    context = multiprocessing.get_context("spawn")
    numbers = context.SimpleQueue()
    for number in range(1, jobs + 1):
        numbers.put(number)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting = list(runs)
    with (
        ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(threads, numbers)) as pool,
        progress_bar(machine.progress, total=len(runs), desc="runs", unit="run") as bar,
    ):
        under_way: set[Future[None]] = set()
        while waiting or under_way:
            while waiting and len(under_way) < jobs and _time_is_left(end):
                under_way.add(pool.submit(_execute_and_store, waiting.pop(0), machine, out))
            if not under_way:
                return
            finished = next(as_completed(under_way))  # runs under way finish and are stored, whatever becomes of others
            under_way.remove(finished)
            finished.result()
            bar.update()


def _start_worker(threads: int, numbers: Any) -> None:
    global _worker
    _worker = numbers.get()
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Whoever kills the command means its workers too; what they train goes on from its checkpoint next time."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
