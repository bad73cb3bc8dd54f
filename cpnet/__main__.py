"""The command line: python -m cpnet --help."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from cpnet import results
from cpnet.commands.bench_cp import bench_cp
from cpnet.commands.bench_data import bench_data
from cpnet.commands.bench_models import bench_models
from cpnet.commands.bench_train import bench_train
from cpnet.engine.accelerator import best_device, leave_processes
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Recipe
from cpnet.experiments.video_run import Network, VideoData


def reproduce(
    table: Annotated[str, tyro.conf.Positional],
    *,
    profile: Literal["smoke", "cpu", "gpu", "paper"] = "cpu",
    rows: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    live: bool = False,
    rerun: bool = False,
    out: Path | None = None,
    jobs: int = 1,
    dry_run: bool = False,
    budget: str | None = None,
    device: str = "cpu",
    data_root: Path | None = None,
    workers: int = 0,
    compile: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train the runs of a table that are not stored yet, and print the table; call again to go on after a stop.

    Args:
        table: folder of results/, such as table1 or table5a, or all; an unknown one is answered by a list.
        profile: data and network size; "paper" is the published schedule on the real data.
        rows: only these rows of the table; all if none is given.
        seeds: only these seeds; all if none is given.
        live: of table1, one seed of every row, the slow ones for a short budget only: minutes instead of hours.
        rerun: train even what is stored.
        out: folder for new results; runs/results if none is given.
        jobs: runs trained side by side, each with its share of the cores.
        dry_run: of profile paper, print what the runs would cost, and the command that starts each, and train nothing.
        budget: time after which no further run is begun, such as 90s, 150m or 8h; those under way finish.
        device: cpu, cuda, cuda:1, ...
        data_root: folder of the real data set, for profile paper.
        workers: processes that load videos, for each run.
        compile: compile networks of videos in training.
        tensorboard: write curves of runs on videos for TensorBoard.
    """
    from cpnet.experiments import table1
    from cpnet.experiments.plan import print_plan
    from cpnet.experiments.run import is_main_process
    from cpnet.experiments.run import reproduce as reproduce_runs
    from cpnet.experiments.tables import select_runs

    if live and (table, profile, rows, seeds) != ("table1", "cpu", (), ()):
        raise ValueError("--live is for table1 as a whole: leave --profile, --rows and --seeds out")
    runs = table1.live_runs() if live else select_runs(table, profile, rows, seeds)
    if dry_run:
        print_plan(runs, data_root)
        return
    frame = reproduce_runs(
        runs,
        rerun=rerun,
        out=out,
        jobs=jobs,
        budget=None if budget is None else _seconds(budget),
        device=device,
        data_root=data_root,
        workers=workers,
        compile=compile,
        tensorboard=tensorboard,
    )
    if is_main_process():
        columns = ["table", "row", "profile", "seed", "train_top1", "val_top1", "val_top5", "wall_s"]
        print(frame.reindex(columns=columns).dropna(axis=1, how="all").to_string(index=False))
        if len(frame) < len(runs):
            print(f"{len(runs) - len(frame)} of {len(runs)} runs are not done yet: call again to go on")


def train(
    *,
    out: Path,
    data_root: Path,
    network: Network = Network(),  # noqa: B008, frozen
    data: VideoData = VideoData(),  # noqa: B008
    recipe: Recipe = Recipe(),  # noqa: B008
    protocol: str = "1x1",
    config: Path | None = None,
    resume: Literal["auto", "never"] = "auto",
    device: str = "auto",
    workers: int = 2,
    compile: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train a network on a data set in its official layout, and test it on the validation split.

    Several GPUs: torchrun --nproc-per-node 8 -m cpnet train ...

    Args:
        out: folder of the training: config.json, checkpoints, log.csv, and at its end result.json and curves.png.
        data_root: folder of annotations and videos, as distributed or rendered.
        network: what is trained.
        data: which videos.
        recipe: how it is trained.
        protocol: of the test after training, clips x crops: 1x1, 10x3, ...
        config: config.json of another training, or its folder, in place of the options for network, data, recipe and
            protocol; edit a copy of it to train in several phases.
        resume: auto goes on from a checkpoint in out, if there is one; never refuses to.
        device: cpu, cuda, cuda:1, ...; auto is the first GPU, if there is one.
        workers: processes that load videos.
        compile: compile the network.
        tensorboard: write curves to the folder, for TensorBoard.
    """
    from cpnet import figures
    from cpnet.experiments.run import Machine, execute, is_main_process
    from cpnet.experiments.training_folder import CONFIG
    from cpnet.experiments.video_run import VideoRun, read_config

    if workers < 0:
        raise ValueError(f"--workers {workers}: give 0 or more")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: give a folder")
    if config is not None and (network, data, recipe, protocol) != (Network(), VideoData(), Recipe(), "1x1"):
        raise ValueError("--config takes the place of --network, --data, --recipe and --protocol: give it without them")
    if config is None:
        tests = {"": Protocol.parse(protocol)}
        run = VideoRun("own", out.name, "own", recipe.seed, network=network, data=data, recipe=recipe, protocols=tests)
    else:
        run = read_config(config / CONFIG if config.is_dir() else config, out.name)
    if resume == "never" and is_main_process() and out.exists():
        raise ValueError(f"{out} exists already: give another folder, or --resume auto to go on there")
    machine = Machine(_device(device), data_root, workers, compile, tensorboard, folder=out)
    record, _ = execute(run, machine)
    if is_main_process():
        results.write_atomically(out / "result.json", (json.dumps(record, indent=1) + "\n").encode())
        figures.use_style()
        figures.training_curves(record["curves"]).savefig(out / "curves.png")
        print(f"top-1 {record['metrics']['val_top1']:.2f} %, top-5 {record['metrics']['val_top5']:.2f} %")
        print(f"{record['n_scored']} of {record['n_expected']} videos scored, the others count as errors; see {out}")
        run.finish(machine)


def evaluate(
    checkpoint: Annotated[Path, tyro.conf.Positional],
    *,
    data_root: Path | None = None,
    split: Literal["train", "val", "test"] = "val",
    protocol: str = "1x1",
    size: int | None = None,
    short_side: int | None = None,
    k: int | None = None,
    shuffled: bool = False,
    which: Literal["last", "best"] = "last",
    device: str = "auto",
    workers: int = 2,
    per_class: Path | None = None,
    dump: Path | None = None,
    submission: Path | None = None,
) -> None:
    """Test a trained network: top-1 and top-5 of a split, softmax averaged over the views of each video.

    Protocols of the paper: 1x1 and 25x10 (Kinetics), 10x3 (Kinetics, large models), 16x6 (Something-Something), 8x6
    (Jester). Several GPUs: torchrun --nproc-per-node 8 -m cpnet evaluate ...

    Args:
        checkpoint: folder of a training.
        data_root: folder of annotations and videos; of a run on a stand-in, where it was rendered, if none is given.
        split: which videos.
        protocol: clips x crops.
        size: height and width of the crops; those of training if none is given.
        short_side: to which frames are resized before; size if none is given.
        k: proposals of CP modules, if other than in training.
        shuffled: show frames out of order, a control.
        which: the last checkpoint, or the best one on the validation split.
        device: cpu, cuda, cuda:1, ...; auto is the first GPU, if there is one.
        workers: processes that load videos.
        per_class: CSV file for the accuracy of each class, the worst first.
        dump: file for the scores of each video.
        submission: folder for the files that servers of test sets take; of split test only.
    """
    import pandas as pd

    from cpnet.engine.evaluate import accuracy
    from cpnet.engine.scores import Scores, save_scores, write_submissions
    from cpnet.experiments.run import is_main_process
    from cpnet.experiments.training_folder import read_training

    if submission is not None and split != "test":
        raise ValueError(f"--submission is for test sets: give --split test, not {split}")
    training = read_training(checkpoint, which)
    index = training.index(split, data_root)
    chosen = Protocol.parse(protocol, size=size, short_side=short_side, k=k, shuffled=shuffled)
    views = training.views(index, chosen)
    scores = chosen.scores(training.model, views, training.accelerator(_device(device)), workers=workers)
    if not is_main_process():
        return
    labels, ids = index.labels(), [video.id for video in views.videos]
    if (labels >= 0).all():
        found = accuracy(scores, labels)
        changed = [f"k {k}"] * (k is not None) + ["shuffled"] * shuffled + [f"{which} checkpoint"]
        what = ", ".join([protocol, f"{index.dataset} {split}", *changed])
        print(f"top-1 {found.top1:.2f} %, top-5 {found.top5:.2f} %, {what}")
        print(f"{found.n_scored} of {found.n_expected} videos scored, the others count as errors")
        unread = [video.id for video, row in zip(views.videos, scores, strict=True) if row.isnan().any()]
        if unread:
            print(f"not scored: {', '.join(unread[:10])}{', ...' if len(unread) > 10 else ''}")
        if per_class is not None:
            table = pd.DataFrame(
                {
                    "class": index.classes,
                    "top1": found.per_class,
                    "videos": labels.bincount(minlength=len(index.classes)),
                }
            )
            results.write_atomically(per_class, table.sort_values("top1").to_csv(index=False).encode())
            print(f"accuracy of each class in {per_class}")
    else:
        print(f"{index.dataset} {split} has no labels here: no accuracy")
    if dump is not None:
        save_scores(dump, scores, ids, labels.tolist(), index.classes)
        print(f"scores in {dump}")
    if submission is not None:
        kept = Scores(scores, ids, labels.tolist(), [*index.classes])
        files = write_submissions(submission, index.dataset, kept)  # type: ignore[arg-type]
        print(f"wrote {', '.join(map(str, files))}")


def predict(
    video: Annotated[Path, tyro.conf.Positional],
    *,
    checkpoint: Path,
    protocol: str = "10x3",
    which: Literal["last", "best"] = "last",
    device: str = "auto",
) -> None:
    """Print the five most likely classes of a video file, or of a folder of JPEG frames.

    Args:
        video: the file or folder.
        checkpoint: folder of a training.
        protocol: views to average over, clips x crops.
        which: the last checkpoint, or the best one on the validation split.
        device: cpu, cuda, cuda:1, ...; auto is the first GPU, if there is one.
    """
    from cpnet.data.decode import decode_frames
    from cpnet.data.layouts import NO_LABEL, Index, Video
    from cpnet.experiments.training_folder import read_training

    training = read_training(checkpoint, which)
    decode_frames(video, [0], training.backend)  # says why, if the video cannot be read
    index = Index(training.config["data"]["name"], "test", training.classes, [Video(video.stem, video, NO_LABEL)])
    chosen = Protocol.parse(protocol)
    views = training.views(index, chosen)
    (scores,) = chosen.scores(training.model, views, training.accelerator(_device(device)), progress=False)
    if scores.isnan().any():
        raise ValueError(f"{video} cannot be read to its end: python -m cpnet data check says more")
    best = scores.topk(min(5, len(scores)))
    for score, label in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        print(f"{100 * score:6.2f} %  {training.classes[label]}")


def _device(device: str) -> str:
    return best_device() if device == "auto" else device


def _seconds(text: str) -> float:
    """Seconds of "90s", "150m" or "8h"."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    try:
        if unit is None:
            raise ValueError
        return float(text[:-1]) * unit
    except ValueError:
        raise ValueError(
            f"budget {text!r}: give a number of seconds, minutes or hours, such as 90s, 150m or 8h"
        ) from None


def compare(
    fresh: Annotated[Path, tyro.conf.Positional],
    stored: Annotated[Path, tyro.conf.Positional] = results.COMMITTED,
) -> None:
    """Print how far freshly computed results are from stored ones of the same runs.

    Args:
        fresh: folder of fresh results.
        stored: folder of stored results.
    """
    print(results.compare(fresh, stored).to_string(index=False))


def figure(
    table: Annotated[Literal["table1"], tyro.conf.Positional], out: Annotated[Path, tyro.conf.Positional]
) -> None:
    """Draw a table's main figure from stored results.

    Args:
        table: which table.
        out: image file to write.
    """
    from cpnet import figures
    from cpnet.experiments import table1
    from cpnet.experiments.run import load

    figures.use_style()
    out.parent.mkdir(parents=True, exist_ok=True)
    figures.learning_curves(load(table1.runs()), table1.CHANCE).savefig(out)


def bench_runs(
    table: Annotated[str, tyro.conf.Positional] = "all",
    *,
    profile: Literal["smoke", "cpu", "gpu"] = "cpu",
    rows: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (0,),
    device: str = "cpu",
    repeats: int = 3,
) -> None:
    """Minutes that runs on stand-ins take here, estimated from a few steps of each; reading videos is not in it.

    Args:
        table: of the paper, see `reproduce`; or all.
        profile: size of data and networks.
        rows: only these rows of the table.
        seeds: of the runs; they all take alike.
        device: "cpu" or "cuda". On the CPU, OMP_NUM_THREADS=1 is what `reproduce --jobs 2` has on two cores.
        repeats: timed steps.
    """
    from cpnet.bench.runs import bench_runs as measure_runs
    from cpnet.experiments.tables import select_runs
    from cpnet.experiments.video_run import VideoRun

    runs = [run for run in select_runs(table, profile, rows, seeds) if isinstance(run, VideoRun)]
    if not runs:
        raise ValueError(f"{table} has no runs on videos")
    found = measure_runs(runs, device, repeats)
    print(found.to_string(index=False, float_format="{:.1f}".format))
    print(f"{len(found)} runs, {found['minutes'].sum():.0f} minutes one after the other")


def models(pattern: Annotated[str, tyro.conf.Positional] = "*") -> None:
    """List the networks, with their weights in units of 2^20, as the paper counts them.

    Args:
        pattern: only names that match, such as 'cpnet*'.
    """
    import torch

    from cpnet.models import create_model, list_models
    from cpnet.models.summary import count_parameters

    if not list_models(pattern):
        raise ValueError(f"no network matches {pattern!r}: there are {', '.join(list_models())}")
    for name in list_models(pattern):
        with torch.device("meta"):
            weights = count_parameters(create_model(name))["weights"]
        print(f"{name:20}{weights / 2**20:8.2f} Mi")


def summary(
    name: Annotated[str, tyro.conf.Positional],
    *,
    num_frames: int | None = None,
    size: int | None = None,
    variant: Literal["released", "paper"] | None = None,
    num_classes: int | None = None,
    width: int | None = None,
    positions: str | None = None,
    k: int | None = None,
) -> None:
    """Print a network's stages as the paper's tables do, its parameters and multiply-adds.

    Args:
        name: of the network, see `python -m cpnet models`.
        num_frames: T of the clip; 8, or 4 for toy nets.
        size: height and width of the clip; 112, or 224 for ResNet-101, or 32 for toy nets.
        variant: as the released code has the network, or as the paper prints it.
        num_classes: width of the last layer.
        width: channels of conv1, 64 in the paper.
        positions: of the CP modules, such as 1, 4, res3.
        k: proposals of the CP modules.
    """
    from cpnet.models import create_model, for_clips
    from cpnet.models.summary import count_parameters, example_clip, stages

    toy = name.endswith("_toy")
    num_frames = (4 if toy else 8) if num_frames is None else num_frames
    size = (32 if toy else 224 if name.endswith("101") else 112) if size is None else size
    for option, value in {"num-frames": num_frames, "size": size, "num-classes": num_classes, "k": k}.items():
        if value is not None and value < 1:
            raise ValueError(f"--{option} {value}: give 1 or more")
    options = {"variant": variant, "num_classes": num_classes, "width": width, "positions": positions, "k": k}
    arguments: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    model = create_model(name, **arguments, **for_clips(name, num_frames))
    table = stages(model, example_clip(num_frames, size))
    total, counts = int(table["multiply-adds"].sum()), count_parameters(model)
    for column in ("weights", "multiply-adds"):
        table[column] = table[column].map("{:,}".format)
    print(f"{name}, a clip of {num_frames}x{size}x{size} (output sizes: height, width, frames)\n")
    print(table.to_string())
    weights, trainable = counts["weights"], counts["trainable"]
    print(f"\nweights of convolutions and linear layers: {weights:,} = {weights / 2**20:.3f} Mi (2^20)")
    print(f"all trainable parameters: {trainable:,} = {trainable / 1e6:.3f} M (10^6)")
    print(f"multiply-adds: {total / 1e9:.2f} G")


def toy_videos(
    out: Annotated[Path, tyro.conf.Positional], *, split: Literal["train", "val"] = "val", seed: int = 0
) -> None:
    """Write the toy clips as mp4 files, one folder a class.

    Args:
        out: folder to write to.
        split: which clips.
        seed: of the data set.
    """
    from cpnet.data.moving_square import ToyMotion

    files = ToyMotion(split, seed).write_videos(out)
    print(f"{len(files)} videos in {out}")


def data_check(
    root: Annotated[Path, tyro.conf.Positional],
    *,
    dataset: Literal["kinetics", "something", "jester"],
    splits: tuple[Literal["train", "val", "test"], ...] = ("train", "val"),
    backend: Literal["decord", "pyav"] = "decord",
    jobs: int = 2,
    deadline: float = 60.0,
    out: Path | None = None,
) -> None:
    """Decode every video of a data set, list the damaged ones in a file that indexes honour, and exit with 1 if any is.

    Args:
        root: folder of annotations and videos, as distributed.
        dataset: which one it is.
        splits: which to check.
        backend: what reads video files.
        jobs: processes side by side.
        deadline: seconds for one video, after which its decoder is killed.
        out: file of the list; quarantine.jsonl in root, where indexes look for it, if none is given.
    """
    from cpnet.data.check import check_videos
    from cpnet.data.layouts import read_index
    from cpnet.data.quarantine import FILE_NAME, write_quarantine

    problems, unlisted = [], 0
    for split in splits:
        index = read_index(dataset, root, split, quarantine=False)
        print(index.summary())
        unlisted += len(index.missing) + len(index.malformed)
        problems += check_videos(index.videos, root, backend=backend, jobs=jobs, deadline=deadline)
    out = root / FILE_NAME if out is None else out
    write_quarantine(out, problems)
    for problem in problems:
        print(f"{problem.path}: {problem.reason}")
    print(f"{len(problems)} damaged videos listed in {out}")
    if problems or unlisted:
        sys.exit(1)


def data_render(
    name: Annotated[Literal["kinetics", "something", "jester", "images"], tyro.conf.Positional],
    *,
    out: Path,
    train: int = 2000,
    val: int = 500,
    size: int = 72,
    seed: int = 0,
    jobs: int = 2,
) -> None:
    """Render a stand-in for a data set into its official layout; call again to go on after an interruption.

    Args:
        name: which data set to stand in for; images are stills of the world of kinetics, to pretrain on.
        out: folder of the data set.
        train: clips of the training split.
        val: clips of the validation split.
        size: height of the frames in pixels; for kinetics the least short side.
        seed: of all draws.
        jobs: processes side by side.
    """
    from cpnet.data.layouts import read_index
    from cpnet.standins import render

    render(name, out, train=train, val=val, size=size, seed=seed, jobs=jobs)
    for split, count in (("train", train), ("val", val)):
        if count:
            print(read_index(name, out, split).summary())  # type: ignore[arg-type]


COMMANDS: dict[str, Callable[..., None]] = {
    "reproduce": reproduce,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "compare": compare,
    "figure": figure,
    "models": models,
    "summary": summary,
    "bench cp": bench_cp,
    "bench models": bench_models,
    "bench train": bench_train,
    "bench runs": bench_runs,
    "bench data": bench_data,
    "data check": data_check,
    "data render": data_render,
    "toy-videos": toy_videos,
}


def main(args: Sequence[str] | None = None) -> None:
    """Parse the command line and run a subcommand; errors of the user end with one line, not a traceback."""
    args = list(sys.argv[1:] if args is None else args)
    if " ".join(args[:2]) in COMMANDS:  # a subcommand of two words is one argument to tyro
        args[:2] = [" ".join(args[:2])]
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            args=args,
            prog="python -m cpnet",
            description="CPNet: learning video representations from correspondence proposals, replicated.",
        )
        leave_processes()
    except (ValueError, FileNotFoundError, FloatingPointError, TimeoutError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("stopped: the same command goes on from the last checkpoint, where there is one", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
