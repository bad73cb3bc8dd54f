"""Figure 5: which networks are looked into, what is stored about them, and the claims of Section 5.6."""

import math
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from scipy.stats import t as student

from cpnet import results
from cpnet.experiments import table3a, table3d, table5a, table5b
from cpnet.experiments.claims import Claim, Effect, Verdict, chances_between, outcome_of
from cpnet.experiments.correspondences import BETWEEN, CHANGE, WHOLE, WON_MORE, top1_with
from cpnet.experiments.intervals import SIDE, Estimate
from cpnet.experiments.kinetics_rows import STAND_IN
from cpnet.experiments.run import Run
from cpnet.experiments.table import Table
from cpnet.files import write_atomically

FOLDER = results.COMMITTED / "correspondences"
MEASURED = ["dataset", "features", "module", "k", "trained_k", "group", "metric", "mean", "half", "videos"]


def write(dataset: str, frame: pd.DataFrame, folder: Path = FOLDER) -> None:
    """Store what `measure` and `robustness` said of a network."""
    origin = results.provenance(torch.device("cpu"))
    text = frame.assign(dataset=dataset, commit=origin["commit"], torch=origin["versions"]["torch"])
    write_atomically(folder / f"{dataset}.csv", text.to_csv(index=False, float_format="%.4g").encode())


def load(folder: Path = FOLDER) -> pd.DataFrame:
    """What is stored, of all data sets."""
    files = [folder / f"{dataset}.csv" for dataset in DATASETS]
    parts = [pd.read_csv(file) for file in files if file.exists()]
    columns = [*MEASURED, "commit", "torch"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


DATASETS: dict[str, tuple[Table, str, str]] = {  # where CPNet and C2D of a data set are: table, row, row
    "kinetics": (table3a.TABLE, "cp6", "c2d"),
    "something": (table5a.TABLE, "cpnet_resnet18", "c2d_resnet18"),
    "jester": (table5b.TABLE, "cpnet_resnet34", "c2d_resnet34"),
}
ATTENDING = {"kinetics": (table3d.TABLE, "nl_step12"), "something": (table5a.TABLE, "nl_resnet18")}  # NL C2D


def runs_of(dataset: str, seed: int = 0, row: str = "") -> tuple[Run, Run]:
    """CPNet and C2D that are looked into; `row` is another CPNet of the table."""
    table, default, plain = DATASETS[dataset]
    (one,), (other,) = (table.runs("cpu", seed, name) for name in (row or default, plain))
    return one, other


def attending_run(dataset: str, seed: int = 0) -> Run | None:
    """NL C2D, whose attention is shown beside proposals; None if it is not stored."""
    if dataset not in ATTENDING:
        return None
    table, row = ATTENDING[dataset]
    return next(iter(table.runs("cpu", seed, row, only_stored=True)), None)


def _above(frame: pd.DataFrame, metric: str, low: float, group: str = "all", module: str = "res") -> Verdict:
    """Whether a measurement of trained networks is above a bound, at every module whose name begins so."""
    mine = frame[(frame["metric"] == metric) & (frame["group"] == group) & (frame["features"] == "trained")]
    mine = mine[(mine["k"] == mine["trained_k"]) & mine["module"].str.startswith(module) & (mine["half"] > 0)]
    if mine.empty:
        return Verdict("not run", "nothing is measured")
    chances, effects = [], []
    for row in mine.to_dict("records"):
        freedom = row["videos"] - 1
        error = row["half"] / student.ppf(1 - SIDE, freedom)
        chances.append(chances_between(Estimate(row["mean"], error, freedom, 1, row["videos"]), low))
        effects.append(Effect(f"{row['dataset']}, {row['module']}", row["mean"], row["half"], low, math.inf))
    above = sum(inside <= SIDE for inside, _ in chances)
    texts = [f"{effect.name}: {effect.mean:.2f} ± {effect.half:.2f}" for effect in effects]
    evidence = f"{above} of {len(chances)} hold; {'; '.join(texts)}"
    return Verdict(outcome_of(chances, len(chances)), evidence, tuple(effects))


OVER_VIDEOS = "95 % interval over videos, of the network of seed 0"

TABLE = Table(
    name="figure5",
    title="Figure 5",
    chapter="09_correspondences",
    subject="What CP modules propose, use and change",
    data=STAND_IN,
    claims=(
        Claim(
            "CP modules find the majority of reasonable correspondences",
            "paper",
            "of the frames that show a point of a moving thing, more than half have a proposal within a row and column "
            f"of it, at every module; {OVER_VIDEOS}",
            partial(_above, metric="frames", low=0.5, group="moving things"),
        ),
        Claim(
            "max pooling is robust to wrong proposals: a true one wins in more channels than a false one",
            "paper",
            f"every module, all positions; {OVER_VIDEOS}",
            partial(_above, metric=WON_MORE, low=0.0),
        ),
        Claim(
            "with a quarter of the proposals drawn at random, CPNet is still above C2D",
            "ours",
            f"top-1, paired per video; {OVER_VIDEOS}",
            partial(_above, metric=f"{top1_with(0.25)}, gain", low=0.0, module=WHOLE),
        ),
        Claim(
            "CP modules change the features of moving things more than the rest",
            "paper",
            f"log of the ratio of L1 changes above 0, every module; {OVER_VIDEOS}",
            partial(_above, metric=CHANGE, low=0.0),
        ),
        Claim(
            "later modules focus more on what moves",
            "ours",
            f"log of that ratio, last module less first; {OVER_VIDEOS}",
            partial(_above, metric=CHANGE, low=0.0, module=BETWEEN),
        ),
    ),
    evidence=load,
)
