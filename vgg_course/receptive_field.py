"""How much of the input one output value can see, layer by layer.

Three numbers describe the grid of values behind a layer, each measured in input pixels:

* ``size``: pixels that one value can see, along one side;
* ``jump``: pixels between the windows of two neighboring values (the product of all strides so far);
* ``start``: the first pixel that the first value sees (negative where padding lets it look past the border).

A layer with kernel k, stride s and padding p changes them in this order::

    size  += (k - 1) * jump        # k values, one jump apart, together see that much more
    start -= p * jump
    jump  *= s

A fully-connected layer on an n x n grid is a convolution with kernel n; the next ones are 1x1.
Source of the recurrence: Araujo, Norris & Sim, "Computing receptive fields", Distill 2019. No torch is needed, except
in :func:`measured` and :func:`effective`, which ask autograd.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from vgg_course import show
from vgg_course.configuration import Configuration, Conv, Layer, Linear, MaxPool, as_configuration

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Field:
    """The receptive field of one layer, along one side of the image, in input pixels."""

    name: str
    size: int
    jump: int
    start: int
    grid: int  # values along one side behind this layer
    input_size: int

    @property
    def center(self) -> float:
        """Pixel coordinate of the middle of the first value's window; whole when ``size`` is odd."""
        return self.start + (self.size - 1) / 2

    def window(self, index: int) -> range:
        """The pixels that value ``index`` of this layer can see, padding included: ``range(first, last + 1)``."""
        if not 0 <= index < self.grid:
            raise IndexError(f"{self.name} has values 0 to {self.grid - 1} along a side; there is no value {index}.")
        first = self.start + index * self.jump
        return range(first, first + self.size)

    def clipped(self, index: int) -> range:
        """The same window, cut at the borders of the image: what is left is no padding."""
        window = self.window(index)
        return range(max(window.start, 0), max(min(window.stop, self.input_size), 0))

    def cells_seeing(self, pixel: int) -> range:
        """The other way: the values of this layer whose windows hold ``pixel``, as a range of indices."""
        if not 0 <= pixel < self.input_size:
            raise IndexError(
                f"the image has pixels 0 to {self.input_size - 1} along a side; there is no pixel {pixel}."
            )
        last = (pixel - self.start) // self.jump  # the last window that starts at the pixel or before it
        first = -(
            (self.start + self.size - 1 - pixel) // self.jump
        )  # the first one that ends at the pixel or behind it
        return range(max(first, 0), min(last + 1, self.grid))


@dataclass(frozen=True, repr=False)
class ReceptiveFields(show.Shown):
    """The receptive field of every layer, by name; shows itself as a table."""

    configuration: Configuration
    fields: tuple[Field, ...]

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"no layer {name!r}; there are {', '.join(field.name for field in self.fields)}")

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def _table(self) -> show.Table:
        return show.Table(
            f"Receptive fields of configuration {self.configuration.name}, in input pixels",
            ("layer", "size", "jump", "start", "grid"),
            [(f.name, f.size, f.jump, f.start, f"{f.grid}x{f.grid}") for f in self.fields],
        )


def window_of(layer: Layer) -> tuple[int, int, int]:
    """``(kernel, stride, padding)`` of a layer seen as a sliding window.

    A fully-connected layer behind an n x n grid is a window of n that fits once; LRN mixes channels, not positions.
    """
    match layer.spec:
        case Conv() | MaxPool() as spec:
            return spec.kernel, spec.stride, spec.padding
        case Linear():
            return (layer.input_shape[1] if len(layer.input_shape) == 3 else 1), 1, 0
        case _:
            return 1, 1, 0


def receptive_field(configuration: str | Configuration) -> ReceptiveFields:
    """The receptive field of every layer, by the forward recurrence at the top of this module.

    >>> receptive_field("D")["pool5"].size, receptive_field("D")["fc6"].size
    (212, 404)
    """
    configuration = as_configuration(configuration)
    size, jump, start = 1, 1, 0  # a pixel sees itself
    fields = []
    for layer in configuration.layers:
        kernel, stride, padding = window_of(layer)
        size += (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
        grid = layer.output_shape[1] if len(layer.output_shape) == 3 else 1
        fields.append(Field(layer.name, size, jump, start, grid, configuration.input_size))
    return ReceptiveFields(configuration, tuple(fields))


def backward(configuration: str | Configuration, name: str) -> int:
    """The size alone, by walking back from layer ``name`` to the input: ``size = (size - 1) * stride + kernel``.

    The same numbers from the other end. This rule is right only in this direction; applied from the input to the
    output it gives 308 instead of 212 for pool5 of configuration D.
    """
    configuration = as_configuration(configuration)
    layers = configuration.layers[: configuration.layers.index(configuration[name]) + 1]
    size = 1
    for layer in reversed(layers):
        kernel, stride, _ = window_of(layer)
        size = (size - 1) * stride + kernel
    return size


def closed_form(configuration: str | Configuration, name: str) -> int:
    """The size alone, as one sum: 1 + (k - 1) of every layer times the strides of all layers before it.

    Source: Araujo et al. (2019), equation 2.
    """
    configuration = as_configuration(configuration)
    layers = configuration.layers[: configuration.layers.index(configuration[name]) + 1]
    kernels, strides, _ = zip(*map(window_of, layers), strict=True)
    return 1 + sum((kernel - 1) * prod(strides[:place]) for place, kernel in enumerate(kernels))


def measured(configuration: str | Configuration, name: str) -> tuple[range, int]:
    """What one value of layer ``name`` really sees, found by asking autograd; returns the pixels and the value's index.

    Every convolution and pool becomes a window with equal positive weights, so that no path can cancel another; then
    one value in the middle of the layer's grid is differentiated, and the pixels with a gradient are its receptive
    field (cut at the borders of the image). One row of pixels is enough: the windows are square. Needs torch; float64.
    """
    import torch

    configuration = as_configuration(configuration)
    layers = configuration.layers[: configuration.layers.index(configuration[name]) + 1]
    pixels = torch.zeros(1, 1, configuration.input_size, dtype=torch.float64, requires_grad=True)
    x = pixels
    for layer in layers:
        kernel, stride, padding = window_of(layer)
        weight = torch.full((1, 1, kernel), 1 / kernel, dtype=torch.float64)
        x = torch.nn.functional.conv1d(x, weight, stride=stride, padding=padding)  # (1, 1, grid)
    index = x.shape[-1] // 2
    (gradient,) = torch.autograd.grad(x[0, 0, index], pixels)
    seen = gradient[0, 0].nonzero().flatten()
    return range(int(seen[0]), int(seen[-1]) + 1), index


def effective(features: nn.Module, images: Tensor) -> Tensor:
    """How much each pixel moves the value in the middle of the last feature map: the *effective* receptive field.

    The middle value of every channel is differentiated, all together, and the size of the gradient is averaged over
    images and color channels (Luo et al. 2016, section 3). Deterministic; the module is used in the mode it is in.

    Args:
        features: takes images ``(B, C, H, W)``, gives feature maps ``(B, channels, h, w)``, as ``model.features[:17]``.
        images: what to average over.

    Returns:
        ``(H, W)``, normalized to a sum of 1.

    Raises:
        ValueError: the output has no grid, or no pixel moves it: all its middle values are dead ReLUs.
    """
    import torch

    images = images.detach().clone().requires_grad_()
    maps = features(images)
    if maps.ndim != 4:
        raise ValueError(
            f"features gave {tuple(maps.shape)}; feature maps (B, C, h, w) are needed: leave out the head."
        )
    middle = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]  # (B, channels)
    (gradient,) = torch.autograd.grad(middle.sum(), images)
    moved = gradient.abs().mean((0, 1))  # (H, W)
    if not moved.any():
        raise ValueError("no pixel moves the middle values: every one of them is zero behind its ReLU.")
    return moved / moved.sum()


def side_of_share(influence: Tensor, share: float = 0.9) -> int:
    """The side, in pixels, of the smallest square window that holds ``share`` of an influence map ``(H, W)``.

    Raises:
        ValueError: the share is not above 0 and at most 1.
    """
    import torch

    if not 0 < share <= 1:
        raise ValueError(f"share is {share!r}; it must be above 0 and at most 1.")
    wanted = share * influence.sum() * (1 - 1e-6)  # sums in float32 are not exact
    for side in range(1, max(influence.shape)):
        windows = min(side, influence.shape[0]), min(side, influence.shape[1])
        sums = torch.nn.functional.avg_pool2d(influence[None, None], windows, 1) * windows[0] * windows[1]
        if sums.max() >= wanted:
            return side
    return max(influence.shape)
