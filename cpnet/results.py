"""Records of finished runs: one JSON file each, with provenance, and the trained weights beside it.

    <root>/<table>/<row>--<profile>--seed<seed>--<run_id>.json
    <root>/<table>/<row>--<profile>--seed<seed>--<run_id>.safetensors

Two roots share this layout: `results/`, committed, and the local `runs/results/`, ignored by git and read first.
results/README.md explains the fields.
"""

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from torch import Tensor

from cpnet.files import write_atomically

REPOSITORY = Path(__file__).resolve().parents[1]
COMMITTED = REPOSITORY / "results"
FIELDS = ("table", "row", "profile", "seed", "run_id", "config", "metrics", "params", "curves", "provenance")

Record = dict[str, Any]


def runs_folder() -> Path:
    """For all that is computed and not committed: $CPNET_RUNS, or runs/ in the repository."""
    return Path(os.environ.get("CPNET_RUNS") or REPOSITORY / "runs")


def local_root() -> Path:
    """Where notebooks and the command line write results: $CPNET_LOCAL_RESULTS, or results/ in `runs_folder`."""
    return Path(os.environ.get("CPNET_LOCAL_RESULTS") or runs_folder() / "results")


def roots() -> tuple[Path, ...]:
    """Where results are looked for: the local root first."""
    return local_root(), COMMITTED


def write(record: Record, root: Path, weights: Mapping[str, Tensor] | None = None) -> Path:
    """Store a record, and weights beside it, atomically: readers see all of a file or none of it.

    Raises:
        ValueError: the record lacks a field.
    """
    missing = [field for field in FIELDS if field not in record]
    if missing:
        raise ValueError(f"the record of {record.get('row')!r} lacks {', '.join(missing)}")
    table, row, profile, seed, run_id = (record[field] for field in FIELDS[:5])
    path = root / table / f"{row}--{profile}--seed{seed}--{run_id}.json"
    if weights is not None:  # before the JSON, whose presence says that the run is complete
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
        write_atomically(path.with_suffix(".safetensors"), safetensors.torch.save(tensors))
    write_atomically(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    return path


def read(path: Path) -> Record:
    """Load one record.

    Raises:
        ValueError: the file is not a complete record; the message names the file and the remedy.
    """
    try:
        record = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}): delete it to have the run computed again") from error
    missing = [field for field in FIELDS if not isinstance(record, dict) or field not in record]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: delete it to have the run computed again")
    return record


def pack(right: Sequence[bool]) -> str:
    """Which of a number of videos are right, as text: their number and the bits, in hexadecimal digits."""
    return f"{len(right)}:{np.packbits(np.array(right, dtype=bool)).tobytes().hex()}"


def unpack(text: str) -> np.ndarray:
    """(videos,) bool, of what `pack` wrote."""
    count, _, digits = text.partition(":")
    return np.unpackbits(np.frombuffer(bytes.fromhex(digits), dtype=np.uint8), count=int(count)).astype(bool)


def find(run_id: str, places: tuple[Path, ...]) -> Path | None:
    """The JSON file of a finished run in the first of `places` that has it, under whatever table and row."""
    paths = (path for root in places for path in sorted(root.glob(f"*/*--{run_id}.json")))
    return next(paths, None)


def compare(fresh: Path, stored: Path) -> pd.DataFrame:
    """Scalar metrics of all runs under `fresh` beside those of the same runs (same run_id) under `stored`.

    Raises:
        FileNotFoundError: no result under `fresh`.
    """
    records = [read(path) for path in sorted(fresh.rglob("*.json"))]
    if not records:
        raise FileNotFoundError(f"no results under {fresh}: run `python -m cpnet reproduce` with --out {fresh}")
    rows = []
    for new in records:
        twin = find(new["run_id"], (stored,))
        old = {} if twin is None else read(twin)["metrics"]
        rows += [
            {"row": new["row"], "seed": new["seed"], "metric": name, "fresh": value, "stored": old.get(name, math.nan)}
            for name, value in new["metrics"].items()
            if not isinstance(value, list)
        ]
    frame = pd.DataFrame(rows)
    return frame.assign(difference=frame["fresh"] - frame["stored"]).round(2)


def measurements(records: Sequence[Record]) -> pd.DataFrame:
    """One line a measurement: table, row, profile, seed, protocol, metric, value, right.

    `protocol` is the name of the test, "" of the main one; `value` is in percent, or a count of "weights"; `right` says
    of each video that a value is a share of whether it counts, (videos,) bool, and is None where that is not stored.
    """
    lines = []
    for record in records:
        label = _labels(record).values()
        lines.append([*label, "", "weights", record["params"]["weights"], None])
        config = record["config"]
        protocols = config.get("protocols", config.get("protocol", {})) | config.get("test_protocols", {})
        for key, value in record["metrics"].items():
            if not isinstance(value, list):
                protocol = max((name for name in protocols if name and key.endswith(f"_{name}")), key=len, default="")
                metric = key.removesuffix(f"_{protocol}") if protocol else key
                packed = record.get("right", {}).get(key)
                lines.append([*label, protocol, metric, value, None if packed is None else unpack(packed)])
    return pd.DataFrame(lines, columns=[*FIELDS[:4], "protocol", "metric", "value", "right"])


def curves(records: Sequence[Record]) -> pd.DataFrame:
    """One line an epoch: table, row, profile, seed, epoch (from 1), and the numbers of the epoch."""
    parts = [
        pd.DataFrame(record["curves"]).assign(**_labels(record), epoch=lambda frame: range(1, len(frame) + 1))
        for record in records
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*FIELDS[:4], "epoch", "val_top1"])


def _labels(record: Record) -> dict[str, Any]:
    return {name: record[name] for name in FIELDS[:4]}


def origins(records: Sequence[Record]) -> pd.DataFrame:
    """One line a run: table, row, seed, commit (its first ten digits), dirty, device, threads, wall_s, file."""
    columns = ["table", "row", "seed", "commit", "dirty", "device", "threads", "wall_s", "file"]
    frame = pd.DataFrame([record | record["provenance"] for record in records]).reindex(columns=columns)
    return frame.assign(commit=frame["commit"].astype("string").str[:10])


def provenance(device: torch.device) -> dict[str, Any]:
    """Where a number comes from: commit, versions, device and instructions of the processor, time."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", "cpnet", "requirements.lock")),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in ("torch", "numpy")}},
        "device": f"{device.type}: {name}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "finished": now(),
    }


def now() -> str:
    """The time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(("git", *arguments), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # no git, or an unpacked archive
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
