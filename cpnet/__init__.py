"""CPNet: learning video representations from correspondence proposals (CVPR 2019), replicated."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cpnet.data.decode import Backend
    from cpnet.engine.trained import Trained

__all__ = ["load"]


def load(path: "Path | str", which: str = "last", backend: "Backend | None" = None) -> "Trained":
    """A trained network ready to use, from the folder of a training or a stored result; see `cpnet.engine.trained`."""
    from cpnet.engine.trained import load as load_trained  # here and not above: `import cpnet` stays fast

    return load_trained(path, which, backend)
