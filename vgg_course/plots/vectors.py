"""Figures of images as points: maps with the pictures drawn in place, and how layers sort them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import MARKERS, looks, styled
from vgg_course.plots.transferring import name_ends

if TYPE_CHECKING:
    from torch import Tensor

COLORS = (palette.CONVOLUTION, palette.POOL, palette.FULLY_CONNECTED, palette.NORMALIZATION)
LINES = ("-", "--", ":", "-.")


@styled
def image_map(
    places: Tensor, images: Tensor, labels: Tensor, classes: Sequence[str], *, side: float = 0.046, note: str = ""
) -> Axes:
    """Pictures at their places on a map, as many as have room; those without are marks of their class.

    Args:
        places: ``(N, 2)``, of any scale.
        images: uint8 ``(N, 3, H, W)``.
        labels: ``(N,)``, for the color and line of the frames and for the marks.
        side: of a picture, as a share of the map's width.
        note: a line above everything, such as ``data.note``.
    """
    figure, ax = plt.subplots(figsize=(9, 6.6))
    low, high = places.min(0).values, places.max(0).values
    size = side, side * 9 / 6.6
    x, y = (
        (column * (1 - length) + length / 2).tolist()
        for column, length in zip(((places - low) / (high - low).clamp(min=1e-12)).T, size, strict=True)
    )
    tall = size[1]
    drawn: list[tuple[float, float]] = []
    for i in range(len(places)):
        label = int(labels[i])
        if any(abs(x[i] - u) < 1.02 * side and abs(y[i] - v) < 1.02 * tall for u, v in drawn):
            ax.plot(x[i], y[i], MARKERS[label], color=COLORS[label], markersize=2.5, alpha=0.5, zorder=1)
            continue
        drawn.append((x[i], y[i]))
        left, bottom = x[i] - side / 2, y[i] - tall / 2
        extent = (left, left + side, bottom, bottom + tall)
        ax.imshow(images[i].permute(1, 2, 0).numpy(), extent=extent, aspect="auto", zorder=2)
        frame = plt.Rectangle((left, bottom), side, tall, fill=False, edgecolor=COLORS[label], linewidth=2, zorder=3)
        frame.set_linestyle(LINES[label])
        ax.add_patch(frame)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()
    _key(figure, classes, note)
    return ax


@styled
def point_maps(panels: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str], note: str = "") -> Axes:
    """Maps side by side: a panel a title, of places ``(N, 2)``, a mark a point, color and shape by class."""
    figure, axes = plt.subplots(1, len(panels), figsize=(3.1 * len(panels), 3.3), squeeze=False)
    for ax, (title, places) in zip(axes.flat, panels.items(), strict=True):
        for label in range(len(classes)):
            x, y = places[labels == label].T.tolist()
            ax.plot(x, y, MARKERS[label], color=COLORS[label], markersize=3, alpha=0.75)
        ax.set_title(title, fontsize="medium")
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set(visible=True, color=palette.CONTEXT, linewidth=0.5)
    _key(figure, classes, note)
    return axes[0, 0]


def _key(figure, classes: Sequence[str], note: str) -> None:
    handles = [
        plt.Line2D([], [], marker=MARKERS[i], color=COLORS[i], linestyle=LINES[i], label=name)
        for i, name in enumerate(classes)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(classes), title=note or None, alignment="left")


@styled
def sorted_by_layer(
    panels: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], chance: Mapping[str, float]
) -> Axes:
    """The share of images whose nearest neighbor has their class, layer by layer: a panel a set of images, a line a net.

    Args:
        panels: by title, by net, by layer: shares from 0 to 1, one a seed. A net with one "layer" is a dotted level.
        chance: by title, the share that chance gets right, dashed.
    """
    axes = plt.subplots(1, len(panels), figsize=(5.2 * len(panels), 3.8), squeeze=False)[1]
    for ax, (title, nets) in zip(axes.flat, panels.items(), strict=True):
        layers = list(max((by_layer for by_layer in nets.values()), key=len))
        ends = []
        for (net, by_layer), look in zip(nets.items(), looks(), strict=False):
            if len(by_layer) == 1:
                level = 100 * mean(next(iter(by_layer.values())))
                ax.axhline(level, color=look["color"], linestyle=":", linewidth=1.5)
                ends.append((level, net, look["color"]))
                continue
            shares = [by_layer[layer] for layer in layers]
            means = [100 * mean(some) for some in shares]
            low, high = ([100 * pick(some) for some in shares] for pick in (min, max))
            ax.vlines(range(len(layers)), low, high, color=look["color"], linewidth=1.2)
            ax.plot(range(len(layers)), means, linewidth=1.8, markersize=5, **look)
            ends.append((means[-1], net, look["color"]))
        ax.axhline(100 * chance[title], color=palette.TEXT, linestyle="--", linewidth=1)
        ax.text(0, 100 * chance[title], "chance", va="bottom", fontsize=8)
        ax.set_xticks(range(len(layers)), layers)
        ax.set(title=title, ylim=(0, 100), xlim=(-0.3, len(layers) - 0.7))
        name_ends(ax, ends, gap=0.065)
    axes[0, 0].set_ylabel("nearest neighbor has the class, %")
    return axes[0, 0]
