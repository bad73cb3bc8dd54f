"""python -m cpnet compare."""

from pathlib import Path

from tyro.conf import Positional

from cpnet import results


def compare(fresh: Positional[Path], stored: Positional[Path] = results.COMMITTED) -> None:
    """Print how far freshly computed results are from stored ones of the same runs.

    Args:
        fresh: folder of fresh results.
        stored: folder of stored results.
    """
    print(results.compare(fresh, stored).to_string(index=False))
