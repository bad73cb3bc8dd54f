"""python -m cpnet data check."""

import sys
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from cpnet.data.check import check_videos
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import read_index
from cpnet.data.quarantine import FILE_NAME, read_quarantine, write_quarantine
from cpnet.files import check_writable


def data_check(
    root: Positional[Path],
    *,
    dataset: Literal["kinetics", "something", "jester"],
    splits: tuple[Literal["train", "val", "test"], ...] = ("train", "val"),
    backend: Literal["decord", "pyav"] = "decord",
    jobs: int = 2,
    deadline: float = 60.0,
    out: Path | None = None,
) -> None:
    """Decode every video of a data set, list the damaged ones in a file that indexes honour, and exit with 1 if any is.

    What an earlier check has listed of videos that are not checked now stays listed. One that was stopped goes on.

    Args:
        root: folder of annotations and videos, as distributed.
        dataset: which one it is.
        splits: which splits to check.
        backend: what reads video files.
        jobs: processes side by side.
        deadline: seconds for 64 frames, after which a decoder is killed.
        out: file of the list; quarantine.jsonl in root, where indexes look for it, if none is given.
    """
    problems, unlisted, read = [], 0, IsolatedDecoder(backend, deadline, keep=False)
    out = root / FILE_NAME if out is None else out
    indexes = [read_index(dataset, root, split, quarantine=False) for split in splits]  # all, before hours of decoding
    check_writable(out)
    sound = out.with_name(f"{out.name}.sound")
    checked = {video.path for index in indexes for video in index.videos}
    for index in indexes:
        print(index.summary())
        unlisted += len(index.missing) + len(index.malformed)
        problems += check_videos(index.videos, root, read, sound, jobs=jobs)
    for problem in problems:
        print(f"{problem.path}: {problem.reason}")
    for path, reason in read.by_pyav.items():
        print(f"{path.relative_to(root)} is read by PyAV: {reason}")
    others = [p for p in read_quarantine(out) if root / p.path not in checked] if out.is_file() else []
    write_quarantine(out, [*others, *problems])  # others: a check of another split may have written meanwhile
    sound.unlink(missing_ok=True)
    print(f"{len(others) + len(problems)} damaged videos listed in {out}")
    if problems or unlisted:
        sys.exit(1)
