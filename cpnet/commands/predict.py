"""python -m cpnet predict."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from cpnet.engine.machine import Machine


def predict(
    video: Positional[Path],
    *,
    checkpoint: Path,
    protocol: str = "10x3",
    which: Literal["last", "best"] = "last",
    backend: Literal["decord", "pyav"] | None = None,
    machine: Annotated[Machine, arg(name="")] = Machine("auto", progress=False),  # noqa: B008, frozen
) -> None:
    """Print the five most likely classes of a video file, or of a folder of JPEG frames.

    Args:
        video: the file or folder.
        checkpoint: folder of a training.
        protocol: views to average over, clips x crops.
        which: the last checkpoint, or the best one on the validation split.
        backend: what reads the video first; as in training if none is given.
        machine: where the network runs.
    """
    import cpnet
    from cpnet.engine.protocols import Protocol

    found = cpnet.load(checkpoint, which, backend).predict(video, Protocol.parse(protocol), machine)
    for name, score in [*found.items()][:5]:
        print(f"{100 * score:6.2f} %  {name}")
