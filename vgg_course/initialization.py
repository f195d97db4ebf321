"""How the first weights are drawn: the schemes by name, and copying a trained net into a deeper one.

A scheme says what a convolution and what a fully-connected layer begin with. ``fan_in`` is the number of inputs that
one output of a layer adds up (9 * C for a 3x3 convolution on C channels), ``fan_out`` the number of outputs that one
input goes into. Deviations are standard deviations, never variances: torch's ``normal_`` takes the former, the paper
prints the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import nn

from vgg_course import paper

if TYPE_CHECKING:
    from vgg_course.model import VGG

Draw = Callable[[nn.Module, torch.Generator | None], None]
"""Fills the weight and the bias of one convolution or fully-connected layer, in place."""


@dataclass(frozen=True)
class Scheme:
    """What each kind of layer begins with. ``words`` says it in one line, with its source."""

    name: str
    convolution: Draw
    linear: Draw
    words: str

    def __repr__(self) -> str:
        return f"{self.name}: {self.words}"


def normal(deviation: float) -> Draw:
    """Weights from N(0, deviation squared), biases 0, whatever the size of the layer."""
    if not 0 < deviation < float("inf"):
        raise ValueError(f"deviation is {deviation!r}; it is a standard deviation and must be a positive number.")

    def draw(layer: nn.Module, generator: torch.Generator | None) -> None:
        layer.weight.normal_(0, deviation, generator=generator)
        layer.bias.zero_()

    return draw


def _glorot(layer: nn.Module, generator: torch.Generator | None) -> None:
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    layer.bias.zero_()


def _he(mode: str) -> Draw:
    def draw(layer: nn.Module, generator: torch.Generator | None) -> None:
        nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu", generator=generator)
        layer.bias.zero_()

    return draw


def _torch_default(layer: nn.Module, generator: torch.Generator | None) -> None:
    # nn.Conv2d and nn.Linear do just this when they are made: variance 1 / (3 * fan_in), a sixth of He's
    nn.init.kaiming_uniform_(layer.weight, a=sqrt(5), generator=generator)
    bound = 1 / sqrt(layer.weight[0].numel())
    layer.bias.uniform_(-bound, bound, generator=generator)


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            Scheme(
                "paper",
                *(2 * [normal(sqrt(paper.INITIALIZATION["variance"]))]),
                "N(0, variance 0.01) everywhere, biases 0: the paper's section 3.1, read to the letter",
            ),
            Scheme("std-0.01", normal(0.01), normal(0.01), "N(0, deviation 0.01) everywhere, biases 0"),
            Scheme("glorot", _glorot, _glorot, "uniform, variance 2 / (fan_in + fan_out): Glorot & Bengio (2010)"),
            Scheme("he", _he("fan_out"), _he("fan_in"), "normal, variance 2 / fan: He et al. (2015)"),
            Scheme(
                "torchvision",
                _he("fan_out"),
                normal(0.01),
                "He for convolutions, N(0, deviation 0.01) for fully-connected layers: what torchvision's VGG does",
            ),
            Scheme("torch", _torch_default, _torch_default, "uniform within 1 / sqrt(fan_in): what a bare layer has"),
        )
    }
)
"""The schemes by name."""


def as_scheme(scheme: str | Scheme) -> Scheme:
    """A scheme itself, or the one of that name.

    Raises:
        ValueError: no scheme has that name.
    """
    if isinstance(scheme, Scheme):
        return scheme
    if isinstance(scheme, str) and scheme in SCHEMES:
        return SCHEMES[scheme]
    raise ValueError(f"there is no scheme {scheme!r}; there are {', '.join(SCHEMES)}, or make a Scheme of your own.")


@torch.no_grad()
def initialize(
    model: nn.Module, scheme: str | Scheme = "torchvision", generator: torch.Generator | None = None
) -> None:
    """Draw fresh weights for every convolution and fully-connected layer of ``model``, in place.

    Batch norms begin as they always do: scale 1, shift 0, running mean 0, running variance 1.
    """
    scheme = as_scheme(scheme)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            scheme.convolution(module, generator)
        elif isinstance(module, nn.Linear):
            scheme.linear(module, generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


@torch.no_grad()
def copy_shallow(shallow: VGG, deep: VGG) -> tuple[str, ...]:
    """The paper's remedy (section 3.1): start a deeper net from a trained shallower one; returns the copied layers.

    Copied, in place, are the first four convolutions of ``shallow`` and the last three fully-connected layers (fewer if
    it has fewer). They go into the layers of ``deep`` with the same name: net A's first four are ``conv1_1``,
    ``conv2_1``, ``conv3_1`` and ``conv3_2``. The paper does not say so, but the shapes leave no other choice: the
    second convolution of A makes 128 channels of 64, and the second convolution of D makes 64 of 64.

    Raises:
        ValueError: a layer is missing in ``deep`` or has another shape. Nothing has been copied then.
    """
    ours, theirs = shallow.layers, deep.layers
    convolutions = [name for name in ours if name.startswith("conv")][: paper.INITIALIZATION["copied_convolutions"]]
    linears = [name for name in ours if name.startswith("fc")][-paper.INITIALIZATION["copied_fully_connected"] :]
    names = (*convolutions, *linears)
    for name in names:
        if name not in theirs:
            raise ValueError(f"the deeper net has no layer {name}; it has {', '.join(theirs)}.")
        a, b = tuple(ours[name].weight.shape), tuple(theirs[name].weight.shape)
        if a != b:
            raise ValueError(
                f"{name} has weights of shape {a} in the shallow net and {b} in the deep one; build both with the "
                "same width, hidden, classes and input_size."
            )
    for name in names:
        theirs[name].load_state_dict(ours[name].state_dict())
    return names
