"""python -m cpnet bench runs."""

from typing import Literal

from tyro.conf import Positional

from cpnet.engine.machine import Machine
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.costs import costs, timed
from cpnet.experiments.tables import select_runs


def bench_runs(
    table: Positional[str] = "all",
    *,
    profile: Literal["smoke", "cpu", "gpu"] = "cpu",
    rows: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (0,),
    device: str = "cpu",
    repeats: int = 3,
) -> None:
    """Minutes that runs on stand-ins take here, estimated from a few steps of each; reading videos is not in it.

    Args:
        table: name of a table, see `reproduce`; or all.
        profile: size of data and networks.
        rows: only these rows of the table.
        seeds: seeds of the runs; they all take alike.
        device: cpu or cuda. On the CPU, OMP_NUM_THREADS=1 is what `reproduce --jobs 2` has on two cores.
        repeats: timed steps.
    """
    Machine(device)  # refuses one that is not there
    runs = {run.run_id: run for run in select_runs(table, profile, rows, seeds)}
    videos = [run for run in runs.values() if isinstance(run.training, VideoTraining)]
    if not videos:
        raise ValueError(f"{table} has no runs on videos")
    found = costs(videos, timed(device, repeats))
    found["minutes"] = (found.pop("training, s") + found.pop("tests, s")) / 60
    print(found.to_string(index=False, float_format="{:.1f}".format))
    print(f"{len(found)} runs, {found['minutes'].sum():.0f} minutes one after the other")
