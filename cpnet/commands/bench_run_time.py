"""python -m cpnet bench run-time."""

from pathlib import Path


def bench_run_time(
    *, device: str = "cpu", threads: int = 2, most_frames: int = 128, out: Path = Path("runs/run_time")
) -> None:
    """Measure all that the chapter on run time shows, and store it as CSV files, with the machine's name in each line.

    Speed of CPNet-34, growth of time and memory with the number of positions, exact and approximate searches, the
    latter in trained networks, of which one is tested on a stand-in that may have to be rendered first.

    Args:
        device: cpu or cuda.
        threads: CPU threads.
        most_frames: larger batches of frames are not timed.
        out: folder of the CSV files; those that the book shows are in results/run_time.
    """
    from cpnet.bench.timing import show, start
    from cpnet.experiments.run_time import ORIGIN, measure, write
    from cpnet.files import check_writable

    check_writable(out / "speed.csv")
    start(device, threads, repeats=1)
    for name, frame in measure(device, most_frames):
        write(name, frame, out)
        print(f"\n{out / name}.csv", end="")
        show(frame.drop(columns=ORIGIN))
