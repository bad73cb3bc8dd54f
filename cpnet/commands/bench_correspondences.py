"""python -m cpnet bench correspondences."""

from pathlib import Path
from typing import Literal


def bench_correspondences(
    *,
    dataset: Literal["kinetics", "something", "jester"] = "kinetics",
    videos: int = 200,
    out: Path = Path("runs/correspondences"),
) -> None:
    """Measure what the chapter on correspondences shows of a trained CPNet, on films whose truth is known.

    Args:
        dataset: the stand-in, and with it the networks: those of seed 0, whose weights are stored.
        videos: how many of the first validation videos.
        out: folder of the CSV file; those that the book shows are in results/correspondences.
    """
    import pandas as pd

    from cpnet.experiments.correspondences import measure, robustness
    from cpnet.experiments.figure5 import runs_of, write
    from cpnet.files import check_writable

    if videos < 1:
        raise ValueError(f"--videos {videos}: give 1 or more")
    check_writable(out / f"{dataset}.csv")
    run, baseline = runs_of(dataset)
    epochs = [f"epoch{number}" for number in run.training.snapshots]
    frame = pd.concat([measure(run, baseline, videos, epochs), robustness(run, baseline, videos)])
    write(dataset, frame, out)
    print(f"wrote {out / dataset}.csv, {len(frame)} lines")
