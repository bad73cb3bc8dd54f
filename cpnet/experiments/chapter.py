"""What the chapters on videos do alike: say what runs, and load or train it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cpnet.experiments.plan import overview, print_plan
from cpnet.experiments.run import load, reproduce
from cpnet.experiments.video_run import VideoRun


def announce(runs: Sequence[VideoRun], *, dry_run: bool = False, data_root: str = "") -> pd.DataFrame:
    """What is loaded or trained, one line a row.

    A dry run on real videos also prints what it takes and the commands, and checks `data_root`, if it is given.

    Raises:
        ValueError: a data root and runs on stand-ins, or a folder that is not complete.
    """
    on_stand_ins = any(run.data.rendered is not None for run in runs)
    if data_root and on_stand_ins:
        raise ValueError(
            f"data_root={data_root!r} is not used at profile {runs[0].profile}, which renders its videos: "
            "give profile paper, or leave data_root out"
        )
    if dry_run and not on_stand_ins:
        print_plan(runs, _path(data_root))
    return overview(runs)


def run_or_load(
    runs: Sequence[VideoRun], *, rerun: bool, dry_run: bool = False, data_root: str = "", device: str = "cpu"
) -> pd.DataFrame:
    """Results: stored ones are loaded, the others trained; a dry run trains nothing."""
    if dry_run:
        return load(runs)
    return reproduce(runs, rerun=rerun, data_root=_path(data_root), device=device)


def _path(data_root: str) -> Path | None:
    return Path(data_root).expanduser() if data_root else None
