"""Table 1: the toy study of Section 4, and the controls that the paper does not have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from torch import nn

from cpnet.engine.memory import saved_for_backward
from cpnet.experiments.cells import mean_sd
from cpnet.experiments.claims import Claim, Verdict
from cpnet.experiments.profiles import check_profile
from cpnet.experiments.toy_run import Schedule, ToyRun
from cpnet.models.toy_nets import WIDTH
from cpnet.nn import CPModule, NonLocalBlock
from cpnet.nn.direct import DirectCPModule
from cpnet.paper import read_table

TABLE, CONTROLS = "table1", "table1_controls"
ROWS = {"nl": "nl_toy", "artnet": "artnet_toy", "trn": "trn_toy", "cpnet": "cpnet_toy"}
SEEDS = {"nl": (0, 1), "artnet": (0, 1, 2, 3, 4), "trn": (0, 1, 2, 3, 4), "cpnet": (0, 1, 2, 3, 4)}
K_VALUES = (1, 2, 4, 8, 16)
DEFAULT_K = 4  # Section 4 does not say which

# At least twice what CPNet needs (a test checks it on the stored curves).
SCHEDULE = Schedule(epochs=12, batch_size=20, lr=2e-2)
# A miniature of the study for quick checks: one step of the square on a 22x22 canvas.
SMOKE_DATA = {"size": 22, "num_frames": 2}
SMOKE_SCHEDULE = replace(SCHEDULE, epochs=4)
SHORT_SCHEDULE = replace(SCHEDULE, epochs=1)

CHANCE, MARGIN = 25.0, 4.0
PAPER_CPNET_VAL = 97.4

TIES = {"ties_random": {"ties": "random"}, "ties_index": {"ties": "index"}}


def runs(profile: str = "cpu", *, k: int = DEFAULT_K, seeds: Sequence[int] | None = None) -> list[ToyRun]:
    """The four rows of Table 1.

    Args:
        profile: "smoke" is the miniature; the study is the paper's own at "cpu", "gpu" and "paper" alike.
        k: proposals of CPNet.
        seeds: of every row; `SEEDS` if None ("smoke": 0).
    """
    smoke = check_profile(profile) == "smoke"
    if smoke and seeds is None:
        seeds = (0,)
    return [
        _run(TABLE, row, seed, smoke=smoke, model_args={"k": k} if row == "cpnet" else {})
        for row in ROWS
        for seed in (SEEDS[row] if seeds is None else seeds)
    ]


def live_runs() -> list[ToyRun]:
    """One seed of every row, in full but for NL, which gets one epoch: what a newcomer can train in minutes."""
    full = [run for run in runs(seeds=(0,)) if run.row != "nl"]
    return [*reversed(full), _run(CONTROLS, "nl_one_epoch", schedule=SHORT_SCHEDULE)]  # the longest first


def why_runs() -> list[ToyRun]:
    """CPNet without the relative displacement: the mechanism behind the paper's explanation."""
    return [_run(CONTROLS, "cpnet_no_displacement", model_args={"displacement": False})]


def leak_runs() -> dict[str, ToyRun]:
    """What lets a net that cannot see motion climb, and what stops it: {what differs from Table 1: run}."""
    naive, margin2 = {"placement": "naive"}, {"margin": 2}
    average, replicate = {"pooling": "average"}, {"padding": "replicate"}
    return {
        "TRN, naive placement": _run(CONTROLS, "trn_naive", data_args=naive),
        "ARTNet, naive placement": _run(CONTROLS, "artnet_naive", data_args=naive),
        "ARTNet, naive placement, average pooling": _run(
            CONTROLS, "artnet_naive_average", data_args=naive, model_args=average
        ),
        "TRN, margin 2": _run(CONTROLS, "trn_margin2", data_args=margin2),
        "ARTNet, margin 2": _run(CONTROLS, "artnet_margin2", data_args=margin2),
        "TRN, margin 2, replicate padding": _run(
            CONTROLS, "trn_margin2_replicate", data_args=margin2, model_args=replicate
        ),
        "NL Net, subsampled keys": _run(CONTROLS, "nl_subsample", model_args={"subsample": True}),
        "ARTNet, printed kernels": _run(CONTROLS, "artnet_printed", model_args={"kernels": "printed"}),
    }


def tie_runs() -> list[ToyRun]:
    """CPNet trained with ties broken by index, which makes background displacements absolute positions."""
    return [_run(CONTROLS, "cpnet_ties_index", model_args={"ties": "index"})]


def k_runs() -> list[ToyRun]:
    """CPNet at every k of `K_VALUES`; the default k is the row of Table 1 itself."""
    return [
        _run(TABLE, "cpnet", model_args={"k": k})
        if k == DEFAULT_K
        else _run(CONTROLS, f"cpnet_k{k}", model_args={"k": k})
        for k in K_VALUES
    ]


def control_runs() -> list[ToyRun]:
    """All runs beside Table 1."""
    extra = [run for run in (*why_runs(), *tie_runs(), *k_runs(), *live_runs()) if run.table == CONTROLS]
    return [*extra, *leak_runs().values()]


def _run(
    table: str,
    row: str,
    seed: int = 0,
    *,
    smoke: bool = False,
    schedule: Schedule = SCHEDULE,
    data_args: Mapping[str, Any] | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> ToyRun:
    """A run of the net that the row's name starts with."""
    model = ROWS[row.split("_")[0]]
    data_args = dict(data_args or {}) | (SMOKE_DATA if smoke else {})
    model_args = dict(model_args or {})
    if smoke and model == "trn_toy":
        model_args["num_frames"] = SMOKE_DATA["num_frames"]
    if model == "cpnet_toy":
        model_args.setdefault("k", DEFAULT_K)
    return ToyRun(
        table=table,
        row=row,
        profile="smoke" if smoke else "cpu",
        seed=seed,
        model=model,
        model_args=model_args,
        data_args=data_args,
        schedule=SMOKE_SCHEDULE if smoke else schedule,
        protocol=TIES if model == "cpnet_toy" else {},
    )


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 1, paper | ours, in percent: mean ± standard deviation over seeds."""
    paper = read_table("table1").set_index(["row", "column"])
    rows = []
    for row in ROWS:
        ours = frame[frame["row"] == row]
        cells = {"net": paper.loc[(row, "val_top1"), "model"], "seeds": len(ours)}
        for metric, title in (("train_top1", "train"), ("val_top1", "val")):
            cells[f"{title}, paper"] = f"{paper['value'][row, metric]:.1f}"
            cells[f"{title}, ours"] = mean_sd(ours[metric]) if len(ours) else "not run"
        rows.append(cells)
    return pd.DataFrame(rows).set_index("net")


def memory_of_positions() -> pd.DataFrame:
    """MiB that one clip of 16 channels keeps for the backward pass: NL block, CP module, and an MLP on all pairs."""
    resolutions = (8, 16)
    rows = {}
    for name, growth in (
        ("NL block", 1),
        (f"CP module, k = {DEFAULT_K}", 1),
        ("an MLP on all pairs", 2),
    ):
        counts = []
        for size in resolutions:
            if name == "NL block":
                module: nn.Module = NonLocalBlock(WIDTH, subsample=False)
            else:
                kind, k = (CPModule, DEFAULT_K) if growth == 1 else (DirectCPModule, 3 * size**2)
                module = kind(WIDTH, k, (WIDTH, WIDTH))
            x = torch.randn(1, WIDTH, 4, size, size, generator=torch.Generator().manual_seed(0))
            counts.append(saved_for_backward(module, x.requires_grad_()) / 2**20)
        rows[name] = [*counts, counts[-1] * (32 / resolutions[-1]) ** (2 * growth)]
    columns = [*(f"4x{size}x{size}" for size in resolutions), "4x32x32 (scaled)"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(1)


def claims() -> list[Claim]:
    """What Section 4 says about Table 1, and our reading of why."""
    guess = f"validation accuracy of every seed within {CHANCE:.0f} ± {MARGIN:.0f} %"
    return [
        Claim(
            "CPNet learns the toy set",
            "paper",
            f"validation accuracy of every seed at least {PAPER_CPNET_VAL} %",
            lambda frame: _every_seed(frame, "cpnet", PAPER_CPNET_VAL, 100.0, at_least=5),
        ),
        *(
            Claim(f"{name} generates random guesses", "paper", guess, _guesses(row))
            for row, name in (("nl", "I3D NL Net"), ("artnet", "ARTNet"), ("trn", "TRN"))
        ),
        Claim(
            "Pairwise positions make the difference: CPNet without displacement guesses",
            "ours",
            guess,
            lambda frame: _every_seed(frame, "cpnet_no_displacement", CHANCE - MARGIN, CHANCE + MARGIN, at_least=1),
        ),
    ]


def _guesses(row: str) -> Any:
    return lambda frame: _every_seed(frame, row, CHANCE - MARGIN, CHANCE + MARGIN, at_least=2)


def _every_seed(frame: pd.DataFrame, row: str, low: float, high: float, at_least: int) -> Verdict:
    """Holds if every seed's validation accuracy is in [low, high], undecided with fewer seeds than `at_least`."""
    ours = frame[(frame["row"] == row) & (frame["profile"] == "cpu")]
    if not len(ours):
        return Verdict("not run", "no result at profile cpu")
    values = ours["val_top1"]
    evidence = f"{values.min():.1f} to {values.max():.1f} % over {len(values)} seed(s)"
    if not values.between(low, high).all():
        return Verdict("does not hold", evidence)
    return Verdict("holds" if len(values) >= at_least else "undecided", evidence)
