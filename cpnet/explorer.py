"""A page in which readers ask a network what it proposes: a fragment of HTML that needs no server and no network."""

import base64
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cpnet.data.transforms import normalise
from cpnet.engine.protocols import changed
from cpnet.models.look import Look, attention, block_sums, cp_modules, look, propose
from cpnet.models.resnet import CPNet, ResNet
from cpnet.nn import CPModule
from cpnet.standins.truth import Truth

TRUE = 1 << 15  # added to the number of a proposal that is within a row and a column of the true place
MOST_POSITIONS = TRUE


@torch.no_grad()
def explore(
    net: CPNet,
    clip: Tensor,
    title: str,
    others: Mapping[str, ResNet],
    truth_of: Callable[[tuple[int, int]], Truth] | None = None,
    attending: ResNet | None = None,
) -> dict[str, Any]:
    """What a page shows of a clip (3, T, S, S) uint8: frames, and of each module the proposals of several networks.

    Args:
        net: the trained network; at every k up to its own, who wins.
        others: networks of frames whose features at the same places propose too, by name.
        truth_of: of the clip, by the height and width of a search, the truth about it, if anybody knows that.
        attending: NL C2D, whose blocks at the same places are shown as heat maps.
    """
    modules, places = {name: module for name, _, module in cp_modules(net)}, [place for _, place, _ in cp_modules(net)]
    normal = normalise(clip)
    sums = {name: block_sums(other, normal, places) for name, other in others.items()}
    looks = look(net, normal)
    truths = {} if truth_of is None else {grid: truth_of(grid) for grid in {seen.size[1:] for seen in looks}}
    heat = {}
    if attending is not None:
        shrinks = {place: seen.shrink for place, seen in zip(places, looks, strict=True) if attending.block(place).nl}
        heat = attention(attending, normal, shrinks)
    found = []
    for i, seen in enumerate(looks):
        near = truths[seen.size[1:]].near if truths else None
        proposals = {"trained": seen.indices.numpy()}
        proposals |= {name: propose(features[i], net.k, seen.shrink).numpy() for name, features in sums.items()}
        found.append(
            {
                "name": seen.module,
                "grid": seen.size,
                "wins": _packed(_wins(modules[seen.module], seen), np.uint8),
                "nets": {name: _packed(_marked(indices, near), np.uint16) for name, indices in proposals.items()},
            }
        )
        if places[i] in heat:
            weights, grid = heat[places[i]]
            shares = 255 * weights / weights.amax(1, keepdim=True)
            found[-1]["heat"] = {"grid": grid, "shares": _packed(shares.round().numpy(), np.uint8)}
    frames = [_png(frame) for frame in clip.permute(1, 2, 3, 0).numpy()]
    first = truths[looks[0].size[1:]].moving_place(len(frames) // 2 - 1) if truths else (0, 0, 0)
    start = dict(zip("trc", first, strict=True))  # what is shown first, if this is the first clip
    size = {"k": net.k, "size": clip.shape[-1], "known": bool(truths), "start": start}
    return {"title": title, "frames": frames, "modules": found} | size


def page(clips: Sequence[dict[str, Any]], note: str, alone: bool = False) -> str:
    """The fragment of HTML, or a whole file, of what `explore` said about some clips; `note` says what is seen."""
    content = json.dumps({"clips": clips, "note": note, "true": TRUE}, separators=(",", ":")).replace("</", "<\\/")
    fragment = files("cpnet").joinpath("explorer.html").read_text(encoding="utf-8").replace("__DATA__", content)
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f"{head}<title>Correspondence proposals</title>{fragment}</html>" if alone else fragment


def _wins(module: CPModule, seen: Look) -> np.ndarray:
    """(k * (k + 1) / 2, N): channels won by each of the first proposal, then by each of the first two, and so on."""
    parts = []
    for k in range(1, seen.indices.shape[1] + 1):
        first = seen.indices[None, :, :k]
        with changed([module], {"k": k, "_propose": lambda _, first=first: first}):
            parts.append(module(seen.before[None], return_proposals=True)[1].wins[0].T.numpy())  # (k, N)
    return np.concatenate(parts).clip(max=255)


def _marked(indices: np.ndarray, near: np.ndarray | None) -> np.ndarray:
    if len(indices) >= MOST_POSITIONS:
        raise ValueError(f"{len(indices)} positions: a page holds fewer than {MOST_POSITIONS}, give a smaller clip")
    return indices if near is None else indices + TRUE * np.take_along_axis(near, indices, 1)


def _packed(values: np.ndarray, kind: type) -> str:
    plain = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<")).tobytes()
    return base64.b64encode(zlib.compress(plain, 9)).decode()


def _png(frame: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
