"""The networks for videos, by name: six families, each on ResNet-18, -34 and -101."""

from cpnet.models.families import C3DOptions, CPNetOptions, NLOptions, Options, TRNOptions, c2d, c3d, cpnet, nl, trn
from cpnet.models.registry import register_model
from cpnet.models.resnet import CPNet, ResNet


@register_model
def c2d_resnet18(options: Options) -> ResNet:
    """C2D on ResNet-18: convolutions of frames, averaged over the clip."""
    return c2d(18, options)


@register_model
def c2d_resnet34(options: Options) -> ResNet:
    return c2d(34, options)


@register_model
def c2d_resnet101(options: Options) -> ResNet:
    return c2d(101, options)


@register_model
def c3d_resnet18(options: C3DOptions) -> ResNet:
    """C3D on ResNet-18: convolutions in space and time."""
    return c3d(18, options)


@register_model
def c3d_resnet34(options: C3DOptions) -> ResNet:
    return c3d(34, options)


@register_model
def c3d_resnet101(options: C3DOptions) -> ResNet:
    return c3d(101, options)


@register_model
def nl_resnet18(options: NLOptions) -> ResNet:
    """NL C2D on ResNet-18: six non-local blocks, one after each block of res3 to res5 (Table 6)."""
    return nl(18, options)


@register_model
def nl_resnet34(options: NLOptions) -> ResNet:
    """NL C2D on ResNet-34: five non-local blocks."""
    return nl(34, options)


@register_model
def nl_resnet101(options: NLOptions) -> ResNet:
    """NL C2D on ResNet-101: five non-local blocks."""
    return nl(101, options)


@register_model
def artnet_resnet18(options: C3DOptions) -> ResNet:
    """ARTNet on ResNet-18: C3D with SMART blocks."""
    return c3d(18, options, smart=True)


@register_model
def artnet_resnet34(options: C3DOptions) -> ResNet:
    return c3d(34, options, smart=True)


@register_model
def artnet_resnet101(options: C3DOptions) -> ResNet:
    return c3d(101, options, smart=True)


@register_model
def trn_resnet18(options: TRNOptions) -> ResNet:
    """Multi-scale TRN on ResNet-18: relations of the features of `num_frames` frames."""
    return trn(18, options)


@register_model
def trn_resnet34(options: TRNOptions) -> ResNet:
    return trn(34, options)


@register_model
def trn_resnet101(options: TRNOptions) -> ResNet:
    return trn(101, options)


@register_model
def cpnet_resnet18(options: CPNetOptions) -> CPNet:
    """CPNet on ResNet-18: six CP modules, one in each block of res3 to res5 (Table 6)."""
    return cpnet(18, options)


@register_model
def cpnet_resnet34(options: CPNetOptions) -> CPNet:
    """CPNet on ResNet-34: five CP modules (Table 8)."""
    return cpnet(34, options)


@register_model
def cpnet_resnet101(options: CPNetOptions) -> CPNet:
    """CPNet on ResNet-101: five CP modules (Table 7)."""
    return cpnet(101, options)
