"""A run is all that determines a number. `reproduce` loads the ones that are stored and trains the others."""

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from cpnet import results
from cpnet.data.toy import ToyMotion
from cpnet.engine import evaluate
from cpnet.engine.toy import train
from cpnet.models import create_model, resolve_arguments
from cpnet.models.summary import count_parameters
from cpnet.nn import CPModule
from cpnet.progress import progress_bar
from cpnet.results import Record

DATASETS = {"toy": ToyMotion}

_worker = 0  # number of this process among those that run side by side


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: Adam, one cycle of the learning rate up to `lr`."""

    epochs: int
    batch_size: int
    lr: float


@dataclass(frozen=True)
class Run:
    """One number of one table.

    Attributes:
        table, row, profile: where the number belongs; they do not determine it.
        seed: of the data, the initial weights, the order of the clips and the ties.
        model, model_args: name and arguments for `cpnet.models.create_model`.
        data, data_args: name of a data set, and its arguments.
        schedule: see there.
        protocol: further evaluations on the validation set, {name: {attribute of every CP module: value}}; the
            result is the metric `val_top1_<name>`.
        revision: raised by hand when a change of code changes numbers, so that stale ones are not loaded.
    """

    table: str
    row: str
    profile: str
    seed: int
    model: str
    schedule: Schedule
    model_args: Mapping[str, Any] = field(default_factory=dict)
    data: str = "toy"
    data_args: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    revision: int = 2

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that determines the number, the digest of the data included."""
        config = {name: value for name, value in asdict(self).items() if name not in ("table", "row", "profile")}
        config["data_digest"] = self.dataset("train").digest() + self.dataset("val").digest()
        return json.loads(json.dumps(config))

    @cached_property
    def run_id(self) -> str:
        """Hash of the canonical JSON of `config`."""
        return hashlib.sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()[:10]

    def dataset(self, split: str) -> ToyMotion:
        return DATASETS[self.data](split, seed=self.seed, **self.data_args)  # type: ignore[arg-type]

    def create_model(self) -> nn.Module:
        """The model with its initial weights."""
        torch.manual_seed(self.seed)
        return create_model(self.model, seed=self.seed, **self.model_args)

    @cached_property
    def model_defaults(self) -> dict[str, Any]:
        """Arguments of the model that the run leaves at their defaults."""
        every = resolve_arguments(self.model, **self.model_args)
        return json.loads(json.dumps({name: every[name] for name in every if name not in {*self.model_args, "seed"}}))

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
                        f"now the default of {self.model} is {value!r}: "
                        "raise `revision` in cpnet/experiments/run.py, or give the run the old value"
                    )
        return path


def execute(run: Run, device: str = "cpu", progress: bool = True, position: int = 0) -> tuple[Record, nn.Module]:
    """Train and evaluate one run, with a progress bar on line `position`."""
    start = time.monotonic()
    target = torch.device(device)
    model = run.create_model()
    train_set, val_set = run.dataset("train"), run.dataset("val")
    curves = train(
        model,
        train_set,
        val_set,
        **asdict(run.schedule),
        seed=run.seed,
        device=target,
        description=f"{run.table} {run.row} seed {run.seed}",
        progress=progress,
        position=position,
    )
    batch_size = run.schedule.batch_size
    on_train = evaluate(model, train_set, batch_size=batch_size, device=target)
    on_val = evaluate(model, val_set, batch_size=batch_size, device=target)
    metrics = {"train_top1": on_train.top1, "val_top1": on_val.top1, "val_per_class": on_val.per_class}
    for name, attributes in run.protocol.items():
        with _changed(model, attributes):
            metrics[f"val_top1_{name}"] = evaluate(model, val_set, batch_size=batch_size, device=target).top1
    record: Record = {
        "table": run.table,
        "row": run.row,
        "profile": run.profile,
        "seed": run.seed,
        "run_id": run.run_id,
        "config": run.config,
        "model_defaults": run.model_defaults,
        "metrics": metrics,
        "n_expected": on_val.n_expected,
        "n_scored": on_val.n_scored,
        "params": count_parameters(model),
        "curves": curves,
        "provenance": results.provenance(target, time.monotonic() - start),
    }
    return record, model


def reproduce(
    runs: Sequence[Run],
    *,
    rerun: bool = False,
    device: str = "cpu",
    out: Path | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Results of `runs`, one row each: stored ones are loaded, the others trained and stored.

    Args:
        rerun: train even what is stored.
        out: where new results go, and are looked for first; the local root if None.
        jobs: runs trained side by side, each with its share of the cores.
    """
    out = results.local_root() if out is None else out
    roots = (out, results.COMMITTED)
    missing = [run for run in runs if rerun or run.stored(roots) is None]
    if jobs == 1 or len(missing) < 2:
        for run in missing:
            _execute_and_store(run, device, out, progress)
    else:
        _execute_side_by_side(missing, device, out, jobs, progress)
    return _frame(runs, roots)


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
    """Tidy frame, one row a record: labels, scalar metrics, curves, configuration and provenance."""
    rows = [
        {name: record[name] for name in ("table", "row", "profile", "seed", "run_id")}
        | {name: value for name, value in record["metrics"].items() if not isinstance(value, list)}
        | {f"curve_{name}": values for name, values in record["curves"].items()}
        | {"config": record["config"]}
        | record["provenance"]
        for record in records
    ]
    return pd.DataFrame(rows, columns=None if rows else ["table", "row", "profile", "seed", "run_id"])


def _execute_and_store(run: Run, device: str, out: Path, progress: bool) -> None:
    record, model = execute(run, device, progress, position=_worker)
    results.write(record, out, model.state_dict())


def _execute_side_by_side(runs: Sequence[Run], device: str, out: Path, jobs: int, progress: bool) -> None:
    """Each worker trains with its share of the cores and has its own line of progress, below the count of runs."""
    context = multiprocessing.get_context("spawn")
    numbers = context.SimpleQueue()
    for number in range(1, jobs + 1):
        numbers.put(number)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with (
        ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(threads, numbers)) as pool,
        progress_bar(progress, total=len(runs), desc="runs", unit="run") as bar,
    ):
        futures = [pool.submit(_execute_and_store, run, device, out, progress) for run in runs]
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # runs under way finish and are stored
            raise


def _start_worker(threads: int, numbers: Any) -> None:
    global _worker
    _worker = numbers.get()
    torch.set_num_threads(threads)


@contextmanager
def _changed(model: nn.Module, attributes: Mapping[str, Any]) -> Iterator[None]:
    """Every CP module of the model has other attributes inside the context."""
    modules = [module for module in model.modules() if isinstance(module, CPModule)]
    before = [{name: getattr(module, name) for name in attributes} for module in modules]
    for module in modules:
        vars(module).update(attributes)
    try:
        yield
    finally:
        for module, values in zip(modules, before, strict=True):
            vars(module).update(values)
