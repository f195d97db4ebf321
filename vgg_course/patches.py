"""What makes a channel fire: the places of its largest values, each cut out of its image to the pixel.

This is where :mod:`vgg_course.receptive_field`, which knows no images, and :mod:`vgg_course.activations`, which knows no
pixels, meet. A :class:`Patch` is one value of a feature map together with the window of pixels that it can see. At the
borders of an image a window reaches into the padding: ``rows`` and ``columns`` are then partly outside, and
:func:`cut` leaves those places blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vgg_course.activations import activations
from vgg_course.receptive_field import Field, receptive_field

if TYPE_CHECKING:
    from vgg_course.model import VGG

BLANK = 128  # of what lies in the padding: middle gray


@dataclass(frozen=True)
class Patch:
    """One value of a feature map, and the pixels that it can see."""

    image: int  # its place in the batch
    channel: int
    row: int  # in the map
    column: int
    value: float
    rows: range  # of pixels, padding included: they may begin below 0 and end beyond the image
    columns: range

    def __repr__(self) -> str:
        rows, columns = (f"{r.start} to {r.stop - 1}" for r in (self.rows, self.columns))
        return (
            f"Patch of image {self.image}: channel {self.channel}, row {self.row}, column {self.column} is "
            f"{self.value:.3g} and sees rows {rows}, columns {columns}"
        )


def field_of(net: VGG, layer: str, side: int | None = None) -> Field:
    """The receptive field of a layer by any of its names, ``relu2_2`` as ``conv2_2``, for square images of ``side`` pixels.

    ``side`` is what the net was built for if None. A batch norm and a ReLU see no more than the convolution before them.

    Raises:
        ValueError: the layer has no grid, or there is no such layer.
    """
    configuration = net.configuration if side is None else net.configuration.variant(input_size=side)
    kind = layer.rstrip("0123456789_")
    own = layer.replace(kind, "conv", 1) if kind in ("relu", "norm", "lrn") else layer
    if not own.startswith(("conv", "pool")) or own not in (each.name for each in configuration):
        known = ", ".join(each.name for each in configuration if each.name.startswith(("conv", "pool")))
        raise ValueError(f"layer is {layer!r}; a patch belongs to {known}, or to a norm or relu of those.")
    return receptive_field(configuration)[own]


def top(net: VGG, inputs: Tensor, layer: str, channel: int, count: int = 8, batch_size: int = 250) -> list[Patch]:
    """The ``count`` images in which a channel's largest value is largest, strongest first: one patch an image.

    Args:
        net: a VGG.
        inputs: normalized square images ``(N, C, S, S)``.
        layer: by its name in :func:`vgg_course.activations.names`.
        channel: which of the layer's maps.

    Raises:
        ValueError: there is no such layer or channel, the layer has no grid, or the images are not square.
    """
    if inputs.ndim != 4 or inputs.shape[2] != inputs.shape[3]:
        raise ValueError(f"inputs are {tuple(inputs.shape)}; give square images (N, C, S, S).")
    field = field_of(net, layer, inputs.shape[2])
    parts = []
    for some in inputs.split(batch_size):
        with torch.no_grad():
            maps = activations(net, some, layer)[layer]
        if not 0 <= channel < maps.shape[1]:
            raise ValueError(f"{layer} has channels 0 to {maps.shape[1] - 1}; there is no channel {channel}.")
        parts.append(maps[:, channel].cpu())
    maps = torch.cat(parts)  # (N, h, w)
    values, places = maps.flatten(1).max(1)
    order = values.sort(descending=True, stable=True).indices[:count].tolist()
    return [patch(field, i, channel, *divmod(int(places[i]), field.grid), float(values[i])) for i in order]


def patch(field: Field, image: int, channel: int, row: int, column: int, value: float) -> Patch:
    """The patch of one value: its windows by ``field``."""
    return Patch(image, channel, row, column, value, field.window(row), field.window(column))


def cut(image: Tensor, rows: range, columns: range, blank: int = BLANK) -> Tensor:
    """The window of ``image`` ``(C, H, W)``: ``(C, len(rows), len(columns))``, ``blank`` where it is beyond the borders."""
    height, width = image.shape[1:]
    window = torch.full((len(image), len(rows), len(columns)), blank, dtype=image.dtype)
    inside = within(rows, height), within(columns, width)
    to = tuple(
        slice(r.start - whole.start, r.stop - whole.start) for r, whole in zip(inside, (rows, columns), strict=True)
    )
    window[:, to[0], to[1]] = image[:, inside[0].start : inside[0].stop, inside[1].start : inside[1].stop]
    return window


def within(window: range, length: int) -> range:
    """The part of a window that lies on an image of that length."""
    start = min(max(window.start, 0), length)
    return range(start, max(min(window.stop, length), start))


def repaint(image: Tensor, rows: range, columns: range, generator: torch.Generator) -> Tensor:
    """A copy of a uint8 image ``(C, H, W)`` with noise in place of everything outside of the window."""
    noise = torch.randint(256, image.shape, dtype=torch.uint8, generator=generator)
    keep = torch.zeros(image.shape[1:], dtype=torch.bool)
    r, c = within(rows, image.shape[1]), within(columns, image.shape[2])
    keep[r.start : r.stop, c.start : c.stop] = True
    return torch.where(keep, image, noise)
