"""Figures of pictures on their way into a net."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

if TYPE_CHECKING:
    from torch import Tensor

    from vgg_course.augmentation import ColorAxes


@styled
def pictures(
    images: Mapping[str, Tensor],
    *,
    frames: Mapping[str, Sequence[tuple[int, int, int]]] | None = None,
    cells: Mapping[str, int] | None = None,
    note: str = "",
) -> Axes:
    """Images of different sizes side by side, all on one scale: a pixel is as large in each of them.

    Args:
        images: by title, ``(3, H, W)``, uint8 from 0 to 255 or floating-point from 0 to 1.
        frames: by title, squares to draw: top, left and side in pixels.
        cells: by title, the side in pixels of the squares of a grid to draw over the image.
        note: a line above everything, such as ``data.note``.
    """
    gap = 0.05 * max(image.shape[2] for image in images.values())
    tall = max(image.shape[1] for image in images.values())
    wide = sum(image.shape[2] + gap for image in images.values()) - gap
    lines = 1 + max(title.count("\n") for title in images)
    scale = min(9 / wide, 4 / tall)
    ax = plt.subplots(figsize=(scale * wide, scale * tall + 0.25 * lines))[1]
    left = 0.0
    for title, image in images.items():
        height, width = image.shape[1:]
        top = tall - height
        ax.imshow(image.permute(1, 2, 0).numpy(), extent=(left, left + width, tall, top))
        edge = {"fill": False, "edgecolor": palette.CONTEXT, "linewidth": 0.6, "clip_on": False}
        ax.add_patch(plt.Rectangle((left, top), width, height, **edge))  # a white picture on a white page
        ax.text(left + width / 2, top - 0.02 * tall, title, ha="center", va="bottom")
        for row, column, side in (frames or {}).get(title, ()):
            for color, line, style in (("black", 2.6, "-"), ("white", 1.2, "--")):  # seen on any picture
                look = {"fill": False, "edgecolor": color, "linewidth": line, "linestyle": style}
                ax.add_patch(plt.Rectangle((left + column, top + row), side, side, **look))
        if cell := (cells or {}).get(title):
            style = {"color": "white", "linewidth": 0.6, "alpha": 0.8}
            ax.vlines([left + x for x in range(0, width + 1, cell)], top, tall, **style)
            ax.hlines([top + y for y in range(0, height + 1, cell)], left, left + width, **style)
        left += width + gap
    ax.set(xlim=(0, wide), ylim=(tall, 0), aspect="equal", title=note)
    ax.axis("off")
    return ax


@styled
def sums_of_filters(panels: Mapping[str, Tensor]) -> Axes:
    """What each filter puts out: a dot at the mean, a stroke of one deviation to either side. Returns the first axes.

    ``panels``: by title, sums ``(N, filters, H, W)``. Filters stand in the order of their means in the first panel.
    """
    axes = plt.subplots(1, len(panels), figsize=(9, 2.9), sharey=True, squeeze=False)[1][0]
    order = next(iter(panels.values())).mean((0, 2, 3)).argsort()
    for ax, (title, sums) in zip(axes, panels.items(), strict=True):
        means, deviations = (part[order].tolist() for part in (sums.mean((0, 2, 3)), sums.std((0, 2, 3))))
        ends = (
            [m - d for m, d in zip(means, deviations, strict=True)],
            [m + d for m, d in zip(means, deviations, strict=True)],
        )
        ax.vlines(range(len(means)), *ends, color=palette.CONVOLUTION, linewidth=1.5)
        ax.plot(means, "o", color=palette.HIGHLIGHT, markersize=2.5)
        ax.axhline(0, color=palette.TEXT, linewidth=0.8, linestyle="--")
        ax.set_title(title)
        ax.set(xlabel="filter, in order", xticks=[])
    axes[0].set_ylabel("sum")
    return axes[0]


@styled
def crop_coverage(sides: Sequence[int], size: int = 224) -> Axes:
    """Along the middle row of square images: the share of all crops of ``size`` pixels that hold each pixel."""
    ax = plt.subplots(figsize=(7.5, 3.2))[1]
    for number, (side, look) in enumerate(zip(sides, looks(), strict=False)):
        starts = side - size + 1
        holding = [min(pixel, starts - 1) - max(0, pixel - size + 1) + 1 for pixel in range(side)]
        middle = holding[side // 2] / starts
        shares = [100 * held / starts * middle for held in holding]
        look["marker"] = None
        ax.plot([100 * (pixel + 0.5) / side for pixel in range(side)], shares, **look)
        height = (0.88 - 0.19 * number) * max(shares)  # each label at another height, inside its own right flank
        at = max(pixel for pixel in range(side) if shares[pixel] >= height)
        ax.text(100 * at / side - 3, height, f"S = {side}", ha="right", va="center")
    ax.set(xlabel="place along the middle row, % of the width", ylabel="crops that hold it, %", ylim=(0, 103))
    return ax


@styled
def color_cloud(pixels: Tensor, axes: ColorAxes, shifts: Tensor) -> Axes:
    """Pixels ``(N, 3)`` from 0 to 1 by red and blue, each in its own color; the principal axes; and some color shifts.

    An axis is drawn two deviations to either side of the mean, and named unless it is too short here. The shifts
    ``(M, 3)`` are crosses around the mean.
    """
    ax = plt.subplots(figsize=(5.4, 4.2))[1]
    red, _, blue = pixels.T.tolist()
    ax.scatter(red, blue, s=9, c=pixels.tolist(), edgecolors=palette.CONTEXT, linewidths=0.25)
    center = pixels.mean(0)
    ends = []
    for number, (value, vector, style) in enumerate(zip(axes.values, axes.vectors.T, ("-", "--", ":"), strict=True), 1):
        reach = 2 * value.sqrt() * vector
        start, end = (center - reach).tolist(), (center + reach).tolist()
        ax.plot([start[0], end[0]], [start[2], end[2]], style, color=palette.HIGHLIGHT, linewidth=2)
        if math.dist((start[0], start[2]), (end[0], end[2])) > 0.2:  # the third points at the reader: green
            ends.append((f"p{number}", end))
    for name, end in ends:
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
        ax.annotate(name, (end[0], end[2]), (5, 3), textcoords="offset points", color="black", bbox=box, fontsize=9)
    moved = center + shifts
    ax.plot(moved[:, 0].tolist(), moved[:, 2].tolist(), "x", color="black", markersize=3.5, markeredgewidth=0.9)
    ax.set(xlabel="red", ylabel="blue", aspect="equal")
    return ax


@styled
def likeness_by_layer(layers: Sequence[str], lines: Mapping[str, Sequence[float]]) -> Axes:
    """One line for each slip, over the layers: 1 is what the right input gives. Names stand at the right ends."""
    ax = plt.subplots(figsize=(9, 3.8))[1]
    places: list[float] = []
    for (name, values), look in sorted(zip(lines.items(), looks(), strict=False), key=lambda line: line[0][1][-1]):
        ax.plot(range(len(layers)), values, markersize=4, **look | {"linewidth": 1.2})
        places.append(max(values[-1], places[-1] + 0.075) if places else values[-1])  # names must not meet
        ax.annotate(
            name,
            (len(layers) - 1, values[-1]),
            (len(layers) - 0.4, places[-1]),
            va="center",
            arrowprops={"arrowstyle": "-", "color": look["color"], "linewidth": 0.8},
        )
    ax.axhline(1, color=palette.TEXT, linewidth=0.8, linestyle="--")
    ax.set_xticks(range(len(layers)), layers, rotation=60, ha="right", rotation_mode="anchor")
    ax.set(ylabel="likeness (cosine)", ylim=(min(0, *map(min, lines.values())), 1.06), xlim=(-0.5, len(layers) + 2.6))
    ax.spines["bottom"].set_bounds(0, len(layers) - 1)
    return ax
