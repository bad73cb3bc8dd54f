"""python -m cpnet bench coverage."""

from pathlib import Path


def bench_coverage(trials: int = 4000, out: Path | None = None) -> None:
    """Simulate how often the intervals of the claims contain the true difference of two networks; some minutes.

    Args:
        trials: simulated pairs of networks a line.
        out: CSV file for the table.
    """
    from cpnet.experiments.coverage import coverage_table
    from cpnet.files import check_writable, write_atomically

    if trials < 1:
        raise ValueError(f"--trials {trials}: give 1 or more")
    if out is not None:
        check_writable(out)
    table = coverage_table(trials).round(2)
    print(table.to_string(index=False))
    if out is not None:
        write_atomically(out, table.to_csv(index=False).encode())
