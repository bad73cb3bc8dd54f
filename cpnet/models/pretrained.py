"""Initial weights from files with torchvision's names: ImageNet's, or those of a network of this package."""

import hashlib
import re
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from cpnet.models.resnet import ResNet
from cpnet.nn import SMARTBlock

Net = TypeVar("Net", bound=ResNet)

URL = "https://download.pytorch.org/models/{}"
# torchvision's IMAGENET1K_V1; the name has the first digits of the file's SHA-256.
IMAGENET = {18: "resnet18-f37072fd.pth", 34: "resnet34-b627a593.pth", 101: "resnet101-63fe2227.pth"}
OPTIONAL = "num_batches_tracked"  # old files lack them
HEAD = ("fc.", "relation.")  # classes differ
INSERTED = re.compile(r"\.(cp|nl)\.\d")  # CP modules and NL blocks; a file of another CPNet may have them
SHOWN = 5  # keys in an error


def load_pretrained(net: Net, source: str | Path | None) -> Net:
    """Load all weights that a file has for the net, but for its classes, and list the others in `net.fresh`.

    The file must have every weight of the residual network. CP modules and NL blocks are loaded if it has them.
    Weights of 3D convolutions are those of 2D ones, repeated in time and divided by the number of repeats. In a SMART
    block both branches start from the convolution that it replaces, and the appearance norm from that one's norm.

    Args:
        source: "imagenet" for torchvision's weights, fetched through torch.hub; or a .pth or .safetensors file; or
            None to change nothing.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be fetched or read, or its keys or shapes are not those of the net.
    """
    if source is None:
        return net
    own = net.state_dict()
    names = _source_names(net)
    where, weights = _read(source, net.depth)
    names |= {name: name for name in weights if name in own and INSERTED.search(name)}
    wanted = dict.fromkeys(name for name in names.values() if not name.endswith(OPTIONAL))
    missing = [name for name in wanted if name not in weights]
    unexpected = [name for name in weights if name not in names.values() and not name.startswith(HEAD)]
    parts = [f"{what} {_some(keys)}" for what, keys in (("lacks", missing), ("also has", unexpected)) if keys]
    if parts:
        raise ValueError(f"{where} does not fit a ResNet-{net.depth}: it {' and '.join(parts)}")
    loaded = {name: _inflate(weights[key], own[name]) for name, key in names.items() if key in weights}
    wrong = [
        f"{names[name]} {tuple(weights[names[name]].shape)} for {name} {tuple(own[name].shape)}"
        for name, value in loaded.items()
        if value.shape != own[name].shape
    ]
    if wrong:
        raise ValueError(f"{where} has other shapes than the net: {_some(wrong)}")
    net.load_state_dict(loaded, strict=False)
    net.fresh = [name for name, _ in net.named_parameters() if name not in loaded]
    return net


def _source_names(net: ResNet) -> dict[str, str]:
    """For each entry of the net's state dict that can be loaded, the key in the file."""
    names = {name: name for name in net.state_dict() if not name.startswith(HEAD) and not INSERTED.search(name)}
    for path, block in net.named_modules():
        if not isinstance(block, SMARTBlock):
            continue
        norm = re.sub(r"conv(\d)$", r"bn\1", path)
        names = {name: key for name, key in names.items() if not name.startswith((f"{path}.", f"{norm}."))}
        names |= {f"{path}.appearance.weight": f"{path}.weight", f"{path}.relation.weight": f"{path}.weight"}
        names |= {f"{path}.appearance_norm.{part}": f"{norm}.{part}" for part in block.appearance_norm.state_dict()}
    return names


def _inflate(weight: Tensor, like: Tensor) -> Tensor:
    """A 2D convolution as a 3D one that gives the same on a clip of equal frames; 1x1 in the middle of 3x3."""
    if weight.ndim != 4 or like.ndim != 5:
        return weight
    T, border = like.shape[2], (like.shape[4] - weight.shape[3]) // 2
    weight = F.pad(weight, (border,) * 4)  # none, but for 3x3x3 shortcuts
    return weight.unsqueeze(2).repeat(1, 1, T, 1, 1) / T  # (out, in, T, H, W)


def _read(source: str | Path, depth: int) -> tuple[str, dict[str, Tensor]]:
    """Where the weights come from, and the weights."""
    if source == "imagenet":
        url, cached = URL.format(IMAGENET[depth]), Path(torch.hub.get_dir(), "checkpoints", IMAGENET[depth])
        if cached.is_file() and not _digest(cached).startswith(cached.stem.rpartition("-")[2]):
            raise ValueError(f"{cached} is damaged, or another file than its name says: delete it, or fetch it again")
        try:
            return url, torch.hub.load_state_dict_from_url(url, map_location="cpu", check_hash=True, weights_only=True)
        except URLError as error:
            raise ValueError(
                f"{url} cannot be fetched ({error.reason}): fetch it where there is a network, and put it into "
                f"{cached.parent}"
            ) from error
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f'no file of weights at {path}: give a .pth or .safetensors file, or "imagenet"')
    try:
        if path.suffix == ".safetensors":
            return str(path), load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise almost anything
        raise ValueError(
            f"{path} cannot be read as weights, it may be truncated: fetch or write it again ({error})"
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"{path} is no state dict: give a file that maps names to tensors")
    return str(path), dict(weights)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _some(items: list[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
