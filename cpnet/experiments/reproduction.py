"""`reproduce` loads the runs that are stored and trains the others."""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from cpnet import results
from cpnet.engine.checkpoint import snapshot_of
from cpnet.engine.machine import Machine, in_process_group, is_main_process
from cpnet.engine.training import execute
from cpnet.experiments.costs import print_plan
from cpnet.experiments.parallel import line_of_worker, run_side_by_side
from cpnet.experiments.run import Run, load
from cpnet.files import check_writable


def reproduce(
    runs: Sequence[Run],
    machine: Machine | None = None,
    *,
    rerun: bool = False,
    out: Path | None = None,
    jobs: int = 1,
    budget: float | None = None,
    dry_run: bool = False,
) -> pd.DataFrame:
    """Measurements of `runs`, see `cpnet.results.measurements`: stored ones are loaded, the others trained and stored.

    Under torchrun all processes call it, and share each training.

    Args:
        runs: rows of tables, with their seeds.
        machine: where they are trained.
        rerun: train even what is stored.
        out: where new results go, and are looked for first; the local root if None.
        jobs: runs trained side by side, each with its share of the cores.
        budget: seconds after which no further run is begun. Results of the runs that are not reached are left out; the
            next call goes on from there.
        dry_run: train nothing, load what is stored; of runs on real data print what they cost, and their commands.

    Raises:
        ValueError: several jobs under torchrun, fewer than one, a folder of real data for runs on stand-ins, or a
            result that is stored elsewhere than in `out`.
    """
    machine = machine or Machine()
    if jobs < 1:
        raise ValueError(f"jobs={jobs}: give at least one job")
    several = int(os.environ.get("WORLD_SIZE", 1)) > 1
    if jobs > 1 and several:
        raise ValueError(f"jobs={jobs} under torchrun, whose processes share each run: give 1")
    if machine.data_root is not None and runs and runs[0].profile != "paper":
        raise ValueError(
            f"data_root={str(machine.data_root)!r} is not used at profile {runs[0].profile}, which renders its videos: "
            "give profile paper, or leave data_root out"
        )
    out = results.local_root() if out is None else out
    roots = (out, results.COMMITTED)
    if dry_run:
        print_plan(runs, machine.data_root)
        return load(runs, roots)
    machine = replace(machine, rerun=True, roots=(out, *results.roots()))
    end = None if budget is None else time.monotonic() + budget
    if several:
        machine.accelerator()  # joins the others, as all must agree from the first run on whether time is left
    distinct: dict[str, Run] = {}
    for run in runs:
        distinct.setdefault(run.run_id, run)  # the first of several rows that are one training
    missing = {run_id: run for run_id, run in distinct.items() if rerun or not run.is_stored(roots, machine)}
    elsewhere = [] if rerun else [path for run in missing.values() if (path := run.stored()) is not None]
    if elsewhere:  # to train it again would empty its folder, and may be days
        raise ValueError(f"{elsewhere[0]} is there, but not in {out}: copy it, or give --rerun to train it anew")
    if missing:
        check_writable(out / "new.json")
    needed = {
        need.run_id: need
        for run in missing.values()
        for need in run.needs
        if need.run_id in missing or need.stored(machine.roots) is None
    }
    rest = [run for run_id, run in missing.items() if run_id not in needed]
    for batch in ([*needed.values()], rest):  # one after the other: no run may start before what it needs is there
        _train_all(batch, machine, out, jobs, end)
    return load(runs, roots)


def _train_all(runs: Sequence[Run], machine: Machine, out: Path, jobs: int, end: float | None) -> None:
    for run in runs:
        if _time_is_left(end):
            run.training.prepare(machine)
    if jobs > 1 and len(runs) > 1:
        calls = [(train_and_store, run, machine, out) for run in runs]
        run_side_by_side(calls, jobs, machine.progress, lambda: _time_is_left(end))
        return
    for run in runs:
        if _time_is_left(end):
            train_and_store(run, machine, out)


def _time_is_left(end: float | None) -> bool:
    """Of several processes, what the main one says, as they must agree."""
    left = end is None or time.monotonic() < end
    if in_process_group():
        said = [left]
        torch.distributed.broadcast_object_list(said, src=0)
        return said[0]
    return left


def train_and_store(run: Run, machine: Machine, out: Path) -> None:
    """Train a run, and write its record, and its weights where they are kept, to `out`."""
    here = replace(machine, position=line_of_worker(), title=run.title, folder=run.training.folder)
    record, model = execute(run.training, here)
    if is_main_process():
        path = results.write(run.labels | record, out, model.state_dict() if run.training.keeps_weights else None)
        for epoch in run.training.snapshots:
            snapshot = snapshot_of(epoch)
            shutil.copyfile(run.training.folder / snapshot, path.with_suffix(f".{snapshot}"))
        run.training.finish(run.training.folder)
    if in_process_group():
        torch.distributed.barrier()  # what comes next may start from this result
