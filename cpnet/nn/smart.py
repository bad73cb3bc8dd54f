"""The SMART block of Wang et al., CVPR 2018 (ARTNet), as in wanglimin/ARTNet."""

from typing import Literal

import torch
from torch import Tensor, nn


class SMARTBlock(nn.Module):
    """An appearance branch (spatial convolution) and a relation branch (squared 3D convolution), concatenated, reduced.

    relation: conv T x H x W -> BN -> square -> mean of channel pairs (2j, 2j + 1), not trained -> BN;
    appearance: conv 1 x H x W -> BN; both: concatenate (1.5 C) -> ReLU -> 1x1x1 convolution to C.

    Args:
        in_channels, out_channels: widths; `out_channels` even.
        kernel_size: (T, H, W), odd; the appearance branch drops T.
        stride: (T, H, W).
        padding_mode: as in `torch.nn.Conv3d`.

    Shape:
        (B, in_channels, T, H, W) to (B, out_channels, T', H', W'), no ReLU at the end.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int, int] = (3, 3, 3),
        stride: tuple[int, int, int] = (1, 1, 1),
        padding_mode: Literal["zeros", "replicate"] = "zeros",
    ) -> None:
        super().__init__()
        if out_channels % 2:
            raise ValueError(
                f"out_channels={out_channels}: the relation branch averages channel pairs, give an even number"
            )

        def conv(kernel: tuple[int, int, int]) -> nn.Conv3d:
            padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
            return nn.Conv3d(in_channels, out_channels, kernel, stride, padding, bias=False, padding_mode=padding_mode)

        self.appearance = conv((1, *kernel_size[1:]))
        self.appearance_norm = nn.BatchNorm3d(out_channels)
        self.relation = conv(kernel_size)
        self.relation_norm = nn.BatchNorm3d(out_channels)
        self.pair_norm = nn.BatchNorm3d(out_channels // 2)
        self.reduce = nn.Conv3d(out_channels + out_channels // 2, out_channels, 1, bias=False)
        for layer in (self.appearance, self.relation, self.reduce):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        appearance = self.appearance_norm(self.appearance(x))
        relation = self.relation_norm(self.relation(x)).square()
        relation = self.pair_norm(relation.unflatten(1, (-1, 2)).mean(2))  # (B, C / 2, T, H, W)
        return self.reduce(torch.cat([appearance, relation], dim=1).relu())
