"""Progress bars."""

from typing import Any

from tqdm import tqdm


def progress_bar(show: bool, **options: Any) -> tqdm:
    """A tqdm bar as wide as the terminal; not shown if `show` is false or $TQDM_DISABLE is set."""
    if not show:
        options["disable"] = True  # disable=False would overrule the environment
    return tqdm(dynamic_ncols=True, **options)
