"""Figures of boxes: how much they share, where they lie, and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

if TYPE_CHECKING:
    from torch import Tensor

LINES = ("-", "--", ":")  # of the first, second and third kind of box on a picture


@styled
def shared_area(a: Sequence[float], b: Sequence[float], names: tuple[str, str] = ("a", "b")) -> Axes:
    """Two boxes given by their corners, with what they share hatched, on a grid of pixels."""
    ax = plt.subplots(figsize=(4.6, 3.2))[1]
    low, high = [max(a[i], b[i]) for i in (0, 1)], [min(a[i], b[i]) for i in (2, 3)]
    if all(x < y for x, y in zip(low, high, strict=True)):
        part = plt.Rectangle(low, high[0] - low[0], high[1] - low[1], facecolor="none", edgecolor=palette.NORMALIZATION)
        part.set(hatch="///", linewidth=0)
        ax.add_patch(part)
    for box, name, color, line, corner in (
        (a, names[0], palette.CONVOLUTION, "-", (a[0], a[1])),
        (b, names[1], palette.POOL, "--", (b[2], b[3])),
    ):
        width, height = box[2] - box[0], box[3] - box[1]
        ax.add_patch(plt.Rectangle(box[:2], width, height, fill=False, edgecolor=color, linestyle=line, linewidth=2.5))
        above = corner == tuple(box[:2])
        place = {"ha": "left" if above else "right", "va": "bottom" if above else "top"}
        offset = -0.2 if above else 0.2
        ax.text(corner[0], corner[1] + offset, f"{name}: {width:g} x {height:g}", color=palette.TEXT, **place)
    ends = [max(a[i], b[i]) + 1 for i in (2, 3)]
    ax.set(xlim=(-0.5, ends[0]), ylim=(ends[1] + 0.5, -1), aspect="equal", xlabel="x, pixels", ylabel="y, pixels")
    ax.set_xticks(range(0, int(ends[0]) + 1, 2))
    ax.set_yticks(range(0, int(ends[1]) + 1, 2))
    ax.grid(color=palette.CONTEXT, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)
    return ax


@styled
def overlap_by_shift(sides: Sequence[int], furthest: int, least: float = 0.5) -> Axes:
    """IoU of a square with itself moved sideways, against the shift in pixels, one line a side; dashed: ``least``."""
    ax = plt.subplots(figsize=(7, 3.2))[1]
    shifts = [i / 10 for i in range(10 * furthest + 1)]
    for side, look in zip(sides, looks(), strict=False):
        shares = [max(0.0, side - shift) / (side + min(shift, side)) for shift in shifts]
        ax.plot(shifts, shares, color=look["color"], linestyle=look["linestyle"], marker=look["marker"], markevery=20)
        ax.annotate(f"{side} pixels", (shifts[-1], shares[-1]), (6, 0), textcoords="offset points", va="center")
    ax.axhline(least, color=palette.TEXT, linestyle="--", linewidth=1)
    ax.text(furthest / 2, least, "above this line a box is right", va="bottom", fontsize=8)
    ax.set(xlabel="shift, pixels", ylabel="IoU", xlim=(0, furthest), ylim=(0, 1.02))
    return ax


@styled
def boxes_on_pictures(
    images: Tensor,
    boxes: Mapping[str, Sequence],
    titles: Sequence[str] = (),
    *,
    columns: int = 6,
    windows: Sequence[Sequence[float]] = (),
) -> Axes:
    """Pictures ``(N, 3, H, W)``, uint8, with boxes (corners) drawn on them; returns the first axes.

    Args:
        boxes: by kind, for each picture one box ``(4,)`` or several ``(n, 4)``, or none; up to three kinds, told apart by
            their lines: the first solid, the second dashed, the third dotted. All pictures get room for all boxes.
        titles: one a picture.
        windows: boxes to draw as thin frames on every picture: where a net looked.
    """
    rows, across = -(-len(images) // columns), min(columns, len(images))
    found = {name: [_several(one) for one in some] for name, some in boxes.items()}
    every = [box for some in found.values() for one in some for box in one] + [tuple(box) for box in windows]
    height, width = images.shape[2:]
    left, top = (min([0, *(box[i] - 1 for box in every)]) for i in (0, 1))
    right, bottom = (max([end, *(box[i] + 1 for box in every)]) for i, end in ((2, width), (3, height)))
    side = min(2.6 * max(1, width / height), 9.3 / across)
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    tall = side * (bottom - top) / (right - left) + 0.17 * lines
    figure, axes = plt.subplots(rows, across, figsize=(side * across, tall * rows + 0.3), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    colors = ("white", palette.POOL, palette.CONVOLUTION)
    for i, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(image.permute(1, 2, 0).numpy(), extent=(0, width, height, 0))
        for window in windows:
            _frame(ax, window, "black", "-", 0.6)
        for some, color, line in zip(found.values(), colors, LINES, strict=False):
            width_of_line = 1.5 if len(some[i]) < 5 else 0.9
            for box in some[i]:
                _frame(ax, box, "black", "-", 1.9 * width_of_line)  # seen on any picture
                _frame(ax, box, color, line, width_of_line)
        ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        if titles:
            ax.set_title(titles[i], fontsize=8, loc="center", pad=3)
    key = "   ".join(f"{name}: {kind}" for name, kind in zip(boxes, ("solid", "dashed", "dotted"), strict=False))
    if len(boxes) > 1:
        figure.suptitle(key, x=0.01, ha="left", fontsize=9, color=palette.TEXT)
    return axes[0, 0]


def _several(boxes) -> list[list[float]]:
    """One box, several or none, as a list."""
    found = boxes.tolist() if hasattr(boxes, "tolist") else list(boxes)
    return found if not found or isinstance(found[0], Sequence) else [found]


def _frame(ax: Axes, box: Sequence[float], color: str, line: str, width: float) -> None:
    x0, y0, x1, y1 = box
    frame = plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color, linestyle=line, linewidth=width)
    frame.set_clip_on(False)
    ax.add_patch(frame)


@styled
def error_by_arm(arms: Mapping[str, Sequence[float]], reference: Mapping[str, float] | None = None) -> Axes:
    """Localization errors, one row an arm: a dot a seed, a stroke at the mean with its value, on an axis from zero.

    Args:
        arms: by name, shares from 0 to 1, one a seed.
        reference: by name, the paper's errors in percent, as diamonds in rows of the same names.
    """
    ax = plt.subplots(figsize=(8, 0.42 * len(arms) + 1.0))[1]
    for row, (name, shares) in enumerate(arms.items()):
        percent = [100 * share for share in shares]
        ax.plot(percent, [row] * len(percent), "o", color=palette.CONVOLUTION, markersize=4.5, alpha=0.8)
        ax.vlines(mean(percent), row - 0.3, row + 0.3, color=palette.TEXT, linewidth=1.8)
        ax.annotate(f"{mean(percent):.1f}", (max(percent), row), (8, 0), textcoords="offset points", va="center")
        if published := (reference or {}).get(name):
            ax.plot([published], [row], "D", color=palette.NORMALIZATION, markersize=6)
            ax.annotate(
                f"{published:.1f} in the paper", (published, row), (8, 0), textcoords="offset points", va="center"
            )
    ax.set_yticks(range(len(arms)), list(arms))
    ax.set(ylim=(len(arms) - 0.4, -0.6), xlim=(0, None), xlabel="localization error, %")
    ax.margins(x=0.12)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


@styled
def error_parts(rows: Mapping[str, tuple[float, float]]) -> Axes:
    """A bar a row, in percent: first what a wrong class costs, then, hatched, what a bad box costs; their sum at the end.

    ``rows``: by name, two shares from 0 to 1.
    """
    ax = plt.subplots(figsize=(8, 0.45 * len(rows) + 1.1))[1]
    for row, (wrong_class, bad_box) in enumerate((100 * a, 100 * b) for a, b in rows.values()):
        ax.barh(row, wrong_class, 0.6, color=palette.CONVOLUTION)
        ax.barh(
            row, bad_box, 0.6, left=wrong_class, facecolor="none", edgecolor=palette.POOL, hatch="///", linewidth=1.2
        )
        total = wrong_class + bad_box
        words = f"{wrong_class:.1f} + {bad_box:.1f} = {total:.1f}"
        ax.annotate(words, (total, row), (6, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(range(len(rows)), list(rows))
    widest = max(100 * (a + b) for a, b in rows.values())
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, 1.32 * widest), xlabel="share of the images, %")
    ax.set_title("filled: wrong class   hatched: right class, bad box")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
