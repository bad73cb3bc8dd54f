"""python -m cpnet summary."""

from typing import Any, Literal

from tyro.conf import Positional


def summary(
    name: Positional[str],
    *,
    num_frames: int | None = None,
    size: int | None = None,
    variant: Literal["released", "paper"] | None = None,
    width: int | None = None,
    positions: str | None = None,
    k: int | None = None,
) -> None:
    """Print a network's stages as the paper's tables do, its parameters and multiply-adds.

    Args:
        name: name of the network, see `python -m cpnet models`.
        num_frames: number T of frames of the clip; 8, or 4 for toy nets.
        size: height and width of the clip; 112, or 224 for ResNet-101, or 32 for toy nets.
        variant: as the released code has the network, or as the paper prints it.
        width: channels of conv1, 64 in the paper.
        positions: positions of the CP modules, such as 1, 4, res3.
        k: proposals of the CP modules.
    """
    from cpnet.models import create_for_clips
    from cpnet.models.summary import count_parameters, example_clip, stages

    toy = name.endswith("_toy")
    num_frames = (4 if toy else 8) if num_frames is None else num_frames
    size = (32 if toy else 224 if name.endswith("101") else 112) if size is None else size
    for option, value in {"num-frames": num_frames, "size": size, "k": k}.items():
        if value is not None and value < 1:
            raise ValueError(f"--{option} {value}: give 1 or more")
    options = {"variant": variant, "width": width, "positions": positions, "k": k}
    arguments: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    model = create_for_clips(name, num_frames, **arguments)
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
