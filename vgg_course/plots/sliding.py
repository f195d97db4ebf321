"""Figures of a classifier that slides over a large image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import styled

if TYPE_CHECKING:
    from torch import Tensor


@styled
def row_as_window(channels: int = 512, side: int = 7) -> Axes:
    """One row of the first fully-connected matrix, cut into a ``side x side`` sheet of weights for each channel."""
    ax = plt.subplots(figsize=(9, 3.6))[1]
    shown = [(0, 0.0, palette.CONVOLUTION), (1, 10.2, palette.POOL), (channels - 1, 23.0, palette.NORMALIZATION)]
    cell, top = 0.2, 3.2  # of the strip; where the sheets begin
    for channel, left, color in shown:
        for place in range(side * side):
            style = {"facecolor": color, "edgecolor": "white", "linewidth": 0.4}
            ax.add_patch(plt.Rectangle((left + place * cell, 0), cell, 0.9, **style))
            row, column = divmod(place, side)
            corner = left + 2.6 + 0.65 * column, top + 0.65 * row
            ax.add_patch(plt.Rectangle(corner, 0.65, 0.65, **style))
        ends = f"{channel * side * side:,} to {(channel + 1) * side * side - 1:,}"
        middle = left + side * side * cell / 2
        ax.text(middle, -0.35, f"weights {ends}", ha="center", va="bottom", fontsize=9)
        arrow = {"arrowstyle": "->", "color": palette.TEXT}
        ax.annotate("", (middle, top - 0.15), (middle, 1.05), arrowprops=arrow)
        ax.text(middle, top + 0.65 * side + 0.3, f"channel {channel}", ha="center", va="top")
    for y in (0.45, top + 0.65 * side / 2):
        ax.text(21.4, y, "...", ha="center", va="center", fontsize=14)
    ax.text(-0.5, 0.45, "one row of\nthe matrix", ha="right", va="center")
    ax.text(
        -0.5, top + 0.65 * side / 2, f"one window\n{side}x{side} over\n{channels} channels", ha="right", va="center"
    )
    ax.set(xlim=(-4.6, 33), ylim=(top + 0.65 * side + 1.2, -1.3), aspect="equal")
    ax.axis("off")
    return ax


@styled
def windows_on_pixels(size: int, window: int = 224, step: int = 32) -> Axes:
    """How many of the windows that fit into a ``size x size`` image hold each pixel, with three of them framed."""
    starts = range(0, size - window + 1, step)
    along = [sum(start <= pixel < start + window for start in starts) for pixel in range(size)]
    figure, ax = plt.subplots(figsize=(5.2, 4))
    image = ax.imshow([[rows * columns for columns in along] for rows in along], cmap="viridis", vmin=0)
    last = len(starts) - 1
    for (row, column), style, x, y in (((0, 0), "-", 0, 1), ((0, 1), "--", 1, 0), ((last, last), ":", 1, 1)):
        left, top = column * step - 0.5, row * step - 0.5
        frame = {"facecolor": "none", "edgecolor": "white", "linestyle": style, "linewidth": 1.6}
        ax.add_patch(plt.Rectangle((left, top), window, window, clip_on=False, **frame))
        corner = left + x * window + (0.5 - x) * 12, top + y * window + (0.5 - y) * 12
        ends = {"ha": "right" if x else "left", "va": "bottom" if y else "top"}
        ax.text(*corner, f"{row}, {column}", color="white", fontsize=8, **ends)
    figure.colorbar(image, ax=ax, shrink=0.85).set_label("windows that hold the pixel")
    ax.set(xticks=[0, window, size - 1], yticks=[0, window, size - 1], xlabel="pixel", ylabel="pixel")
    ax.spines[:].set_visible(False)
    return ax


@styled
def score_maps(image: Tensor, maps: Mapping[str, Tensor], window: int, step: int) -> Axes:
    """A picture, then for each title its map of probabilities, two in a row. Returns the axes of the picture.

    ``image`` ``(3, H, W)`` has values from 0 to 1, a map ``(h, w)`` too. A cell is drawn as a square of ``step`` pixels around
    the middle of its window; the dashed frame on the picture is the first cell's window.
    """
    height, width = image.shape[1:]
    rows = (len(maps) + 2) // 2
    figure, axes = plt.subplots(rows, 2, figsize=(7.6, rows * (0.35 + 3.2 * height / width)), squeeze=False)
    axes = axes.flatten()
    axes[0].imshow(image.permute(1, 2, 0).numpy(), extent=(0, width, height, 0))
    frame = {"facecolor": "none", "edgecolor": "black", "linestyle": "--", "linewidth": 1}
    axes[0].add_patch(plt.Rectangle((0, 0), window, window, **frame))
    axes[0].set_title("picture", loc="center", fontsize=9)
    near = (window - step) / 2
    for ax, (title, values) in zip(axes[1:], maps.items(), strict=False):  # the last place may stay empty
        ends = near, near + step * values.shape[1], near + step * values.shape[0], near
        drawn = ax.imshow(values.numpy(), extent=ends, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        ax.add_patch(plt.Rectangle((0, 0), width, height, facecolor="none", edgecolor=palette.TEXT, linewidth=0.8))
        ax.set_title(title, loc="center", fontsize=9)
    for ax in axes:
        ax.set(xlim=(-1, width + 1), ylim=(height + 1, -1), xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)
    figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.015).set_label("probability")
    return axes[0]
