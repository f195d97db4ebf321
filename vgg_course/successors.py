"""What came after VGG: plain nets and their residual twins, depthwise separable layers, and what published nets cost.

MACs are counted as in :mod:`vgg_course.accounting`: a multiplication and its addition are one. Torch's own counter
counts them as two operations, and torchvision records MACs under the name GFLOPS (so its numbers are ours).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course.accounting import measured_saved_bytes

# --- a plain net and its residual twin ---


class Block(nn.Module):
    """Two 3x3 convolutions, each with batch norm; with ``skip``, what comes in is added before the last ReLU.

    With twice as many channels out as in, the first convolution has stride 2, and the shortcut takes every second pixel
    and fills the new channels with zeros (option A of He et al. 2015): it has no parameters. So a block with the
    shortcut has the parameters of one without, by the same names.
    """

    def __init__(self, inputs: int, outputs: int, skip: bool) -> None:
        super().__init__()
        self.stride = 1 if outputs == inputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', H', W')``."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.skip:
            y = y + self.shortcut(x)
        return functional.relu(y)

    def shortcut(self, x: Tensor) -> Tensor:
        """The identity, or as near to it as half the grid and twice the channels allow."""
        if self.stride == 1:
            return x
        more = self.conv1.out_channels - self.conv1.in_channels
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, more))


class DeepNet(nn.Sequential):
    """The CIFAR nets of He et al. 2015 (section 4.2): a convolution, three stages of blocks, the mean of every map, one layer.

    Each stage has half the grid and twice the channels of the one before. ``depth`` counts convolutions and the last
    layer: 6 n + 2 for n blocks a stage.

    Args:
        depth: 8, 14, 20, 26 and so on.
        skips: with shortcuts (residual) or without (plain).
        width: channels of the first stage; the paper has 16.
        classes: how many logits.
        stride: of the first convolution. 2 halves the grid of everything behind it, for a quarter of the work.

    Raises:
        ValueError: no such depth.
    """

    def __init__(self, depth: int, skips: bool, width: int = 16, classes: int = 3, stride: int = 1) -> None:
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth is {depth}; it must be 6 n + 2: 8, 14, 20, 26, ...")
        first = [nn.Conv2d(3, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        blocks, channels = [], width
        for stage in (width, 2 * width, 4 * width):
            for _ in range((depth - 2) // 6):
                blocks.append(Block(channels, stage, skips))
                channels = stage
        super().__init__(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def pass_on(net: nn.Module) -> None:
    """Make every convolution pass on what channels it can, unchanged (``dirac``); its further filters stay. In place.

    The same as ``initialize(net, "dirac")``, but for the draw of the further filters and of the last layer.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            with torch.no_grad():
                nn.init.dirac_(module.weight[: module.in_channels])


def blocks(net: DeepNet) -> list[Block]:
    """The blocks of a net, first to last."""
    return [module for module in net if isinstance(module, Block)]


def gradients(net: DeepNet, images: Tensor, labels: Tensor) -> list[float]:
    """RMS of the loss's gradient with respect to what each block puts out, first to last, on one batch in training mode.

    Nothing is changed but the running statistics of the batch norms.
    """
    kept, x = [], images
    for module in net.train():
        x = module(x)
        if isinstance(module, Block):
            kept.append(x)
    found = torch.autograd.grad(functional.cross_entropy(x, labels), kept)
    return [gradient.square().mean().sqrt().item() for gradient in found]


# --- depthwise separable layers ---


def separable(model: nn.Module, generator: torch.Generator | None = None) -> nn.Module:
    """A copy of a VGG whose convolutions, all but the first, are split in two: k x k on each channel alone, then 1x1.

    Behind the first half stand a batch norm, where the model has some, and a ReLU (MobileNet: Howard et al. 2017). Both
    halves have fresh weights, He's.
    """
    model = copy.deepcopy(model)
    normed = any(isinstance(module, nn.BatchNorm2d) for module in model.features)
    for place, module in enumerate(model.features):
        if isinstance(module, nn.Conv2d) and module.in_channels > 3:
            model.features[place] = _two_halves(module, normed, generator)
    return model


def _two_halves(conv: nn.Conv2d, normed: bool, generator: torch.Generator | None) -> nn.Sequential:
    channels, where = conv.in_channels, conv.weight.device
    alone = nn.Conv2d(
        channels, channels, conv.kernel_size, conv.stride, conv.padding, groups=channels, bias=not normed, device=where
    )
    across = nn.Conv2d(channels, conv.out_channels, 1, bias=conv.bias is not None, device=where)
    for half in (alone, across):
        nn.init.kaiming_normal_(half.weight, generator=generator)
        if half.bias is not None:
            nn.init.zeros_(half.bias)
    norm = [nn.BatchNorm2d(channels, device=where)] if normed else []
    return nn.Sequential(alone, *norm, nn.ReLU(inplace=True), across)


# --- what any net costs ---


def parameters(model: nn.Module) -> int:
    """Weights and biases, of every kind of layer."""
    return sum(parameter.numel() for parameter in model.parameters())


def macs(model: nn.Module, side: int = 224) -> Counter[str]:
    """MACs for one image of ``side`` pixels, by the name of each module, its children included; ``""`` is the whole net.

    Counted by torch's own ``FlopCounterMode``, which sees every convolution and matrix product and takes a MAC for two.
    On the ``meta`` device nothing is computed.
    """
    from torch.utils.flop_counter import FlopCounterMode

    where = next(model.parameters()).device
    mode = model.training
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.empty(1, 3, side, side, device=where))
    model.train(mode)
    found = Counter()
    for name, operations in counter.get_flop_counts().items():
        if name != "Global":
            found[name.partition(".")[2]] += sum(operations.values()) // 2
    return found


def kept_bytes(model: nn.Module, side: int = 224) -> int:
    """What autograd keeps for the backward pass in training mode, in bytes for each further image of a batch."""
    where = next(model.parameters()).device
    mode = model.training
    two, three = (measured_saved_bytes(model.train(), torch.empty(n, 3, side, side, device=where)) for n in (2, 3))
    model.train(mode)
    return three - two


# --- published nets ---

NETS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "alexnet": ("AlexNet", 2012),
        "vgg11": ("VGG A", 2014),
        "vgg13": ("VGG B", 2014),
        "vgg16": ("VGG D", 2014),
        "vgg19": ("VGG E", 2014),
        "vgg11_bn": ("VGG A, batch norm", 2015),
        "vgg13_bn": ("VGG B, batch norm", 2015),
        "vgg16_bn": ("VGG D, batch norm", 2015),
        "vgg19_bn": ("VGG E, batch norm", 2015),
        "googlenet": ("GoogLeNet", 2014),
        "resnet18": ("ResNet-18", 2015),
        "resnet34": ("ResNet-34", 2015),
        "resnet50": ("ResNet-50", 2015),
        "resnet152": ("ResNet-152", 2015),
        "densenet121": ("DenseNet-121", 2016),
        "mobilenet_v2": ("MobileNetV2", 2018),
        "mobilenet_v3_small": ("MobileNetV3 S", 2019),
        "mobilenet_v3_large": ("MobileNetV3 L", 2019),
        "efficientnet_b0": ("EfficientNet-B0", 2019),
        "convnext_tiny": ("ConvNeXt-T", 2022),
    }
)
"""torchvision's name of a net: how it is called, and the year in which it was first shown."""

RETRAINED: Mapping[str, str] = MappingProxyType(
    {
        "resnet50": "ResNet-50",
        "resnet101": "ResNet-101",
        "resnet152": "ResNet-152",
        "wide_resnet50_2": "Wide ResNet-50-2",
        "resnext50_32x4d": "ResNeXt-50",
        "mobilenet_v2": "MobileNetV2",
        "mobilenet_v3_large": "MobileNetV3 L",
    }
)
"""Nets of which torchvision has weights of two recipes: its name, and how a net is called."""


@dataclass(frozen=True)
class Recorded:
    """What torchvision writes beside the weights that it offers; nothing is downloaded to read it."""

    top_1: float  # accuracy in percent, on ImageNet's validation images
    top_5: float
    parameters: int
    gigamacs: float  # recorded as "GFLOPS", and rounded to three decimals


def recorded(name: str, weights: str = "IMAGENET1K_V1") -> Recorded:
    """The record of a net by torchvision's name, for the first recipe or another.

    Raises:
        ValueError: torchvision has no such weights.
    """
    from torchvision.models import get_model_weights

    try:
        meta = get_model_weights(name)[weights].meta
    except (KeyError, ValueError):
        raise ValueError(f"torchvision has no weights {weights!r} of a net {name!r}.") from None
    accuracy = meta["_metrics"]["ImageNet-1K"]
    return Recorded(accuracy["acc@1"], accuracy["acc@5"], meta["num_params"], meta["_ops"])


def blank(name: str) -> nn.Module:
    """A net of torchvision's on the ``meta`` device: all its shapes, none of its numbers, in no time."""
    with torch.device("meta"):
        return build(name)


def build(name: str) -> nn.Module:
    """A net of torchvision's with random weights; GoogLeNet without the two heads that only training uses."""
    from torchvision.models import get_model

    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return get_model(name, weights=None, **options)
