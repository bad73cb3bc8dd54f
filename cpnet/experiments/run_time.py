"""Supplement G: what is measured of run time and memory, and what is claimed of them."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cpnet import results
from cpnet.bench.run_time import measure_accuracy, measure_growth, measure_search, measure_speed, recall_at_square
from cpnet.bench.train import exponents
from cpnet.data.moving_square import ToyMotion
from cpnet.data.transforms import normalise
from cpnet.engine.evaluate import accuracy, evaluate
from cpnet.engine.machine import Machine
from cpnet.engine.protocols import Protocol
from cpnet.experiments import table1, table5a
from cpnet.experiments.claims import Claim, Judge, Verdict, all_hold, yes_or_no
from cpnet.experiments.profiles import pretraining
from cpnet.experiments.run import Run
from cpnet.experiments.table import Table
from cpnet.files import write_atomically
from cpnet.standins import examples

MEASUREMENTS = ("speed", "growth", "search", "accuracy")
PAPER_SPEED, PAPER_DEVICE = {8: 10.1, 32: 3.9}, "GTX 1080 Ti"  # videos a second by frames, of one video at a time
NOISE = 1.1  # ratios of times within this factor decide nothing
LINEAR, NEAR_QUADRATIC = 1.2, 1.7  # exponents at most, at least
MARGIN = 2.0  # points of accuracy that an approximate search may cost
VIDEOS = 200  # the first of a split, that the network of videos is tested on
TOY, ON_VIDEOS = "toy net", "CPNet-18 on Something-Something's stand-in"
ORIGIN = ["device", "threads", "torch", "date"]  # where a measurement was made


def measure(device: str = "cpu", most_frames: int = 128) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each of `MEASUREMENTS`, and `ORIGIN`."""
    torch.manual_seed(0)
    (toy,) = table1.TABLE.runs(seeds=0, rows="cpnet")
    net = toy.trained().model.to(device)
    yield "speed", _with_origin(measure_speed(device, most_frames=most_frames), device)
    yield "growth", _with_origin(measure_growth(device), device)
    yield "search", _with_origin(measure_search(features(net, device)), device)
    yield "accuracy", _with_origin(pd.concat([_of_toy_net(net, device), _of_video_net(device)]), device)


def _of_toy_net(net: torch.nn.Module, device: str) -> pd.DataFrame:
    data = ToyMotion("val", seed=0)
    frame = measure_accuracy(net, lambda: evaluate(net, data, batch_size=20, device=torch.device(device)).top1)
    frame["recall at the square"] = recall_at_square(net, data, device)
    return frame.assign(network=TOY, clips=len(data))


def _of_video_net(device: str) -> pd.DataFrame:
    """Of Table 5(a), on the stand-in, which is rendered where it is not there."""
    (run,) = table5a.TABLE.runs(seeds=0, rows="cpnet_resnet18")
    trained = run.trained()
    index = trained.index("val")
    labels = index.labels()[:VIDEOS]

    def top1() -> float:
        return accuracy(trained.scores(index, Protocol(videos=VIDEOS), Machine(device)), labels).top1

    return measure_accuracy(trained.model, top1).assign(network=ON_VIDEOS, clips=VIDEOS)


@torch.no_grad()
def features(toy: torch.nn.Module, device: str = "cpu") -> dict[str, tuple[Tensor, int]]:
    """Features to search in and k: of the trained toy net, of a network of videos at res3, and without structure."""
    data = ToyMotion("val", seed=0)
    clips = torch.stack([data[i][0] for i in range(4)]).to(device)  # (4, 3, 4, 32, 32)
    pretrained = Run("pretrain", "c2d_resnet18", "cpu", pretraining("cpu"))
    frames = next(iter(examples("kinetics", size=112).values()))  # (T, H, W, 3)
    chosen = np.linspace(0, len(frames) - 1, 8).round().astype(int)
    clip = torch.from_numpy(frames[chosen, :112, :112]).permute(3, 0, 1, 2)[None]  # (1, 3, 8, 112, 112)
    net, seen = pretrained.trained().model.to(device).eval(), []
    net.get_submodule("layer2").register_forward_hook(lambda module, inputs, output: seen.append(output))
    net(normalise(clip.to(device)))
    res3 = seen[0].unflatten(0, (1, 8)).transpose(1, 2)  # (1, C, 8, H, W)
    return {
        "toy net, trained": (toy.get_submodule("stem")(clips).relu(), table1.DEFAULT_K),
        "res3, trained on pictures": (res3, 8),
        "random": (torch.randn(1, 128, 8, 28, 28, device=device), 8),
    }


def write(name: str, frame: pd.DataFrame, folder: Path) -> None:
    """Store a measurement."""
    text = frame.to_csv(index=False, float_format="%.5g")
    write_atomically(folder / f"{name}.csv", text.encode())


def load(folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Stored measurements by name."""
    folder = folder or results.COMMITTED / "run_time"
    return {name: pd.read_csv(folder / f"{name}.csv") for name in MEASUREMENTS if (folder / f"{name}.csv").exists()}


def origins(measured: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`ORIGIN` of each measurement."""
    parts = [frame[ORIGIN].drop_duplicates().assign(measurement=name) for name, frame in measured.items()]
    return pd.concat(parts).set_index("measurement") if parts else pd.DataFrame(columns=ORIGIN)


def evidence(measured: Mapping[str, pd.DataFrame] | None = None) -> pd.DataFrame:
    """All measurements, the stored ones if none are given, as one frame: what claims are judged on."""
    parts = [frame.assign(measurement=name) for name, frame in (load() if measured is None else measured).items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"measurement": []})


def _with_origin(frame: pd.DataFrame, device: str) -> pd.DataFrame:
    origin = results.provenance(torch.device(device))
    torch_version, date = origin["versions"]["torch"], origin["finished"][:10]
    return frame.assign(device=origin["device"], threads=origin["threads"], torch=torch_version, date=date)


def _judged(frame: pd.DataFrame, measurement: str, judge: Judge) -> Verdict:
    """By one measurement of all."""
    part = frame[frame["measurement"] == measurement].dropna(axis=1, how="all")
    return Verdict("not run", "no measurement") if part.empty else judge(part)


def _speed_of_a_gpu(speed: pd.DataFrame) -> Verdict:
    alone = speed[speed["batch_size"] == 1].set_index("num_frames")["videos/s"]
    found = ", ".join(f"{alone[T]:.2f} videos/s of {T} frames" for T in PAPER_SPEED if T in alone)
    if not _on_gpu(speed):
        return Verdict("not run", f"no GPU was used; on a CPU: {found}")
    reached = all(alone[T] >= paper for T, paper in PAPER_SPEED.items())
    return yes_or_no(reached, f"{speed['device'].iloc[0]}: {found}")


def _ratio(value: float, what: str) -> Verdict:
    """Whether a ratio is above 1, by more than `NOISE`."""
    outcome = "holds" if value > NOISE else "does not hold" if value < 1 / NOISE else "undecided"
    return Verdict(outcome, f"{what}: {value:.2f}")


def _larger_batches(speed: pd.DataFrame) -> Verdict:
    verdicts = []
    for T, rows in speed.groupby("num_frames"):
        first, last = rows.iloc[rows["batch_size"].argmin()], rows.iloc[rows["batch_size"].argmax()]
        if first["batch_size"] < last["batch_size"]:
            what = f"{T:.0f} frames, batch of {last['batch_size']:.0f} over 1"
            verdicts.append(_ratio(last["videos/s"] / first["videos/s"], what))
    verdict = all_hold(verdicts)
    if not _on_gpu(speed):
        return Verdict("not run", f"no GPU was used; on a CPU: {verdict.evidence}")
    return verdict


def _on_gpu(speed: pd.DataFrame) -> bool:
    return str(speed["device"].iloc[0]).startswith("cuda")


def _memory_is_linear(growth: pd.DataFrame) -> Verdict:
    peak = exponents(growth).set_index("candidate")["exponent of peak MiB"]
    apart = bool(peak["CP"] < LINEAR and peak["NL, stored"] > NEAR_QUADRATIC)
    return yes_or_no(apart, f"exponents: CP {peak['CP']:.2f}, NL, stored {peak['NL, stored']:.2f}")


def _less_than(growth: pd.DataFrame, column: str, other: str) -> Verdict:
    N = growth["positions"].max()
    values = growth[growth["positions"] == N].set_index("candidate")[column]
    return _ratio(values[other] / values["CP"], f"{N:,.0f} positions, {other} over CP")


def _approximate_is_as_accurate(found: pd.DataFrame, network: str) -> Verdict:
    top1 = found[found["network"] == network].set_index("candidate")["top-1, %"]
    approximate = top1[top1.index.str.startswith("approximate")]
    within = bool(((approximate - top1["exact, this package"]).abs() <= MARGIN).all())
    numbers = ", ".join(f"{name} {value:.1f} %" for name, value in top1.items())
    return yes_or_no(within, numbers)


def _faster_than_faiss(search: pd.DataFrame) -> Verdict:
    ms = search.pivot(index="features", columns="candidate", values="ms")
    ratios = ms["exact, faiss"] / ms["exact, this package"]
    return all_hold([_ratio(float(ratio), f"{name}, faiss over ours") for name, ratio in ratios.items()])


TABLE = Table(
    name="run_time",
    title="Supplement G",
    chapter="10_run_time",
    subject="run time and memory",
    data="a CPU",
    claims=(
        Claim(
            f"CPNet-34 reaches {PAPER_SPEED[8]} videos/s of 8 frames and {PAPER_SPEED[32]} of 32",
            "paper",
            "videos/s on a GPU, one at a time",
            partial(_judged, measurement="speed", judge=_speed_of_a_gpu),
        ),
        Claim(
            "More videos a second in larger batches",
            "paper",
            f"ratio of videos/s on a GPU, largest batch over 1, above {NOISE}",
            partial(_judged, measurement="speed", judge=_larger_batches),
        ),
        Claim(
            "A CP module does not store the THW x THW matrix",
            "paper",
            f"peak memory grows as N^p: p below {LINEAR} for CP, above {NEAR_QUADRATIC} for NL with a stored matrix",
            partial(_judged, measurement="growth", judge=_memory_is_linear),
        ),
        *(
            Claim(
                f"A CP module saves {what} against an NL block {which}",
                source,
                f"ratio in a training step at the largest N, on a CPU, above {NOISE}",
                partial(_judged, measurement="growth", judge=partial(_less_than, column=column, other=other)),
            )
            for which, source, other in (
                ("that stores it", "paper", "NL, stored"),
                ("with a fused kernel", "ours", "NL"),
            )
            for what, column in (("memory", "peak MiB"), ("computation", "ms"))
        ),
        *(
            Claim(
                f"An approximate search keeps the accuracy of {name}",
                "ours",
                f"top-1 within {MARGIN:.0f} points of the exact search's, by each index",
                partial(_judged, measurement="accuracy", judge=partial(_approximate_is_as_accurate, network=network)),
            )
            for network, name in ((TOY, "the toy net"), (ON_VIDEOS, "a network of videos"))
        ),
        Claim(
            "The exact search here is faster than that of faiss",
            "ours",
            f"ratio of times above {NOISE}, for all features",
            partial(_judged, measurement="search", judge=_faster_than_faiss),
        ),
    ),
    evidence=evidence,
)
