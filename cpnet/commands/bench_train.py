"""python -m cpnet bench train"""

from typing import Literal


def bench_train(
    *,
    device: str = "cpu",
    repeats: int = 5,
    threads: int | None = None,
    depth: Literal[18, 34, 101] = 18,
    batch_size: int = 2,
    num_frames: int = 8,
    size: int = 112,
    width: int = 64,
    k: int = 8,
) -> None:
    """Time and memory of a training step with CP modules, with NL blocks at the same places, and with neither.

    Of networks, of single blocks at res3 and res4, and how both grow with T, on one clip of half the size.

    Args:
        device: cpu or cuda.
        repeats: rounds of timings to take the median of.
        threads: CPU threads; torch's default number if none is given.
        depth: of the ResNet.
        batch_size: clips in a step.
        num_frames: T of a clip; growth is measured from T to 4 T.
        size: height and width of a clip.
        width: channels of conv1, 64 in the paper.
        k: proposals of the CP modules.
    """
    import pandas as pd
    import torch

    from cpnet.bench.timing import measure_steps, show, start
    from cpnet.bench.train import blocks, exponents, features, networks

    def of_networks(B: int, T: int, side: int) -> pd.DataFrame:
        clips = torch.randn(B, 3, T, side, side, device=device)
        return measure_steps(networks(depth, width, k), clips, repeats)

    def of_blocks(stage: int, B: int, T: int, side: int) -> pd.DataFrame:
        x = torch.randn(features(stage, (B, T, side), depth, width), device=device, requires_grad=True)
        return measure_steps(blocks(x.shape[1], k), x, repeats)

    start(device, threads, repeats)
    show(of_networks(batch_size, num_frames, size))
    show(pd.concat([of_networks(1, T, size // 2) for T in (num_frames, 4 * num_frames)]))
    show(pd.concat([of_blocks(stage, batch_size, num_frames, size) for stage in (3, 4)]))
    growing = pd.concat([of_blocks(3, 1, factor * num_frames, size // 2) for factor in (1, 2, 4)])
    show(growing)
    show(exponents(growing))
