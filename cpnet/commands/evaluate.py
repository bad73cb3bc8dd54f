"""python -m cpnet evaluate."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from cpnet.engine.machine import Machine, is_main_process


def evaluate(
    checkpoint: Positional[Path],
    *,
    split: Literal["train", "val", "test"] = "val",
    protocol: str = "1x1",
    size: int | None = None,
    short_side: int | None = None,
    k: int | None = None,
    shuffled: bool = False,
    which: Literal["last", "best"] = "last",
    per_class: Path | None = None,
    dump: Path | None = None,
    submission: Path | None = None,
    backend: Literal["decord", "pyav"] | None = None,
    machine: Annotated[Machine, arg(name="")] = Machine("auto", workers=2),  # noqa: B008, frozen
) -> None:
    """Test a trained network: top-1 and top-5 of a split, softmax averaged over the views of each video.

    Protocols of the paper: 1x1 and 25x10 (Kinetics), 10x3 (Kinetics, large models), 16x6 (Something-Something), 8x6
    (Jester). Several GPUs: torchrun --nproc-per-node 8 -m cpnet evaluate ...

    Args:
        checkpoint: folder of a training; of one on a stand-in, --data-root may be left out.
        split: which videos.
        protocol: views of each video, clips x crops.
        size: height and width of the crops; those of training if none is given.
        short_side: short side that frames are resized to before; size if none is given, where the corners of 5 and 10
            crops coincide: 128 for those of 112, as the released code has it.
        k: proposals of CP modules, if other than in training.
        shuffled: show frames out of order, a control.
        which: the last checkpoint, or the best one of the last phase on the validation split.
        per_class: CSV file for the accuracy of each class, the worst first.
        dump: file for the scores of each video.
        submission: folder for the files that servers of test sets take; of split test only.
        backend: what reads video files first; as in training if none is given.
        machine: where the test runs.
    """
    import numpy as np
    import pandas as pd

    import cpnet
    from cpnet.engine.evaluate import accuracy
    from cpnet.engine.protocols import Protocol
    from cpnet.engine.scores import save_scores, scores_of, write_submissions
    from cpnet.files import check_writable, write_atomically

    if submission is not None and split != "test":
        raise ValueError(f"--submission is for test sets: give --split test, not {split}")
    for file in (per_class, dump, submission and submission / "ids.csv"):
        if file is not None:
            check_writable(file)
    trained = cpnet.load(checkpoint, which, backend)
    index = trained.index(split, machine.data_root)
    if is_main_process():
        print(index.summary())
    chosen = Protocol.parse(protocol, size=size, short_side=short_side, k=k, shuffled=shuffled)
    scores = trained.scores(index, chosen, machine)
    if not is_main_process():
        return
    labels = index.labels()
    found = scores_of(scores, index)
    if index.labelled:
        correct = accuracy(scores, labels)
        changed = [f"k {k}"] * (k is not None) + ["shuffled"] * shuffled + [f"{which} checkpoint"]
        what = ", ".join([protocol, f"{index.dataset} {split}", *changed])
        print(f"top-1 {correct.top1:.2f} %, top-5 {correct.top5:.2f} %, {what}")
        print(f"{correct.n_scored} of {correct.n_expected} videos scored, the others count as errors")
        unread = [video for video, row in zip(found.ids, found.scores, strict=True) if row.isnan().any()]
        if unread:
            print(f"not scored: {', '.join(unread[:10])}{', ...' if len(unread) > 10 else ''}")
        if per_class is not None:
            counts = np.bincount([label for label in labels if label >= 0], minlength=len(index.classes))
            table = pd.DataFrame({"class": index.classes, "top1": correct.per_class, "videos": counts})
            write_atomically(per_class, table.sort_values("top1").to_csv(index=False).encode())
            print(f"accuracy of each class in {per_class}")
    else:
        print(f"{index.dataset} {split} has no labels here: no accuracy")
    if dump is not None:
        save_scores(dump, found)
        print(f"scores in {dump}")
    if submission is not None:
        files = write_submissions(submission, index.dataset, found)  # type: ignore[arg-type]
        print(f"wrote {', '.join(map(str, files))}")
