"""python -m cpnet train."""

import json
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from cpnet.engine.machine import Machine, is_main_process
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Recipe
from cpnet.engine.setting import Network, VideoData


def train(
    *,
    out: Path,
    network: Network = Network(),  # noqa: B008, frozen, as the others
    data: VideoData = VideoData(),  # noqa: B008
    recipe: Recipe = Recipe(),  # noqa: B008
    protocol: str = "1x1",
    config: Path | None = None,
    resume: Literal["auto", "never"] = "auto",
    machine: Annotated[Machine, arg(name="")] = Machine("auto", workers=2),  # noqa: B008
) -> None:
    """Train a network on a data set in its official layout, and test it on the validation split.

    Several GPUs: torchrun --nproc-per-node 8 -m cpnet train ...

    Args:
        out: folder of the training: config.json, checkpoints, log.csv, and at its end result.json and curves.png.
        network: what is trained.
        data: which videos.
        recipe: how it is trained.
        protocol: views of the test after training, clips x crops: 1x1, 10x3, ...
        config: config.json of another training, or its folder, in place of the options for network, data, recipe and
            protocol; edit a copy of it to train in several phases.
        resume: auto goes on from a checkpoint in out, if there is one; never refuses to.
        machine: where the training runs.
    """
    from dataclasses import replace

    from cpnet import figures
    from cpnet.engine.folder import CONFIG
    from cpnet.engine.training import execute
    from cpnet.engine.video_training import VideoTraining
    from cpnet.files import write_atomically

    if machine.data_root is None:
        raise ValueError(f"no folder of {data.name}: give --data-root")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: give a folder")
    if config is not None and (network, data, recipe, protocol) != (Network(), VideoData(), Recipe(), "1x1"):
        raise ValueError("--config takes the place of --network, --data, --recipe and --protocol: give it without them")
    if config is None:
        tests = {"": Protocol.parse(protocol)}
        training = VideoTraining(seed=recipe.seed, network=network, data=data, recipe=recipe, protocols=tests)
    else:
        training = VideoTraining.from_config(config / CONFIG if config.is_dir() else config)
    if resume == "never" and is_main_process() and out.exists():
        raise ValueError(f"{out} exists already: give another folder, or --resume auto to go on there")
    record, _ = execute(training, replace(machine, folder=out))
    if is_main_process():
        write_atomically(out / "result.json", (json.dumps(record, indent=1) + "\n").encode())
        figures.use_style()
        figures.training_curves(record["curves"]).savefig(out / "curves.png")
        print(f"top-1 {record['metrics']['val_top1']:.2f} %, top-5 {record['metrics']['val_top5']:.2f} %")
        print(f"{record['n_scored']} of {record['n_expected']} videos scored, the others count as errors; see {out}")
        training.finish(out)
