"""python -m cpnet explore."""

from pathlib import Path
from typing import Literal

from tyro.conf import Positional


def explore(
    video: Positional[Path],
    *,
    checkpoint: Path,
    out: Path = Path("explorer.html"),
    which: Literal["last", "best"] = "last",
    frame_step: int | None = None,
    backend: Literal["decord", "pyav"] | None = None,
) -> None:
    """Write a page that shows, for any position of a video, which others a trained CPNet proposes, and which win.

    Args:
        video: a video file, or a folder of JPEG frames.
        checkpoint: folder of a training of CPNet, or JSON file of a stored result with its weights.
        out: the page, which needs no server.
        which: the last checkpoint, or the best one on the validation split.
        frame_step: distance of the frames of the clip in the middle of the video; that of training if none is given.
        backend: what reads the video first; as in training if none is given.
    """
    import cpnet
    from cpnet.explorer import explore as explored
    from cpnet.explorer import page
    from cpnet.files import check_writable, write_atomically
    from cpnet.models.resnet import CPNet

    check_writable(out)
    trained = cpnet.load(checkpoint, which, backend)
    if not isinstance(trained.model, CPNet):
        raise ValueError(f"{checkpoint} is a {trained.config['model']}, which has no CP modules: give a CPNet")
    stand_in = "the stand-in for " * ("rendered" in trained.config["data"])
    note = f"{video.name}, seen by {trained.config['model']}, trained on {stand_in}{trained.config['data']['name']}."
    clip = trained.clip(video, frame_step)
    write_atomically(out, page([explored(trained.model, clip, video.name, {})], note, alone=True).encode())
    print(f"wrote {out}: open it in a browser")
