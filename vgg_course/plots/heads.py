"""Figures of backbones: what is read at which stride, what a grid can draw, and what heads have drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

if TYPE_CHECKING:
    from torch import Tensor

    from vgg_course.backbone import Backbone

OUTLINES = {1: ("-", "airplane"), 2: ("--", "automobile"), 3: (":", "bird")}  # as in vgg_course.backbone.PARTS


@styled
def reads(backbones: Iterable[Backbone]) -> Axes:
    """One row a system: a mark at each stride that its heads read, with the layer's name; holes are squares."""
    backbones = list(backbones)
    ax = plt.subplots(figsize=(8.6, 0.62 * len(backbones) + 1.0))[1]
    for row, backbone in enumerate(backbones):
        places: dict[int, list[str]] = {}
        for layer, theirs in backbone.reads.items():
            places.setdefault(backbone.field(layer).jump, []).append(theirs)
        ax.plot([min(places), max(places)], [row, row], color=palette.CONTEXT, linewidth=1, zorder=1)
        for jump, names in places.items():
            holes = "dilated" in backbone.changed and any(name.startswith("fc") for name in names)
            color, mark = (palette.POOL, "s") if holes else (palette.CONVOLUTION, "o")
            ax.plot(jump, row, mark, color=color, markersize=9, zorder=2)
            ax.annotate(
                ", ".join(names), (jump, row), (0, -9), textcoords="offset points", ha="center", va="top", fontsize=8
            )
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    ax.set_yticks(range(len(backbones)), [f"{b.name}, {b.year}" for b in backbones])
    ax.set(
        xlim=(0.75, 48), ylim=(len(backbones) - 0.3, -0.6), xlabel="stride (jump) of what is read, pixels of the image"
    )
    ax.minorticks_off()
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


@styled
def old_places(sparse: Tensor, dense: Tensor, step: int) -> Axes:
    """Two maps ``(h, w)`` on one scale: of the net as it was, and of its dense copy with the old places framed."""
    low, high = (f(float(sparse.min()), float(dense.min())) if f is min else f(float(sparse.max()), float(dense.max()))
                 for f in (min, max))  # fmt: skip
    axes = plt.subplots(1, 2, figsize=(7.4, 3.6))[1]
    titles = (
        f"as it was: {sparse.shape[0]} x {sparse.shape[1]}",
        f"dense: {dense.shape[0]} x {dense.shape[1]}, old places framed",
    )
    for ax, values, title in zip(axes, (sparse, dense), titles, strict=True):
        ax.imshow(values.detach().numpy(), cmap="viridis", vmin=low, vmax=high)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=9, loc="center")
        ax.spines[:].set_visible(False)
    for y in range(0, dense.shape[0], step):
        for x in range(0, dense.shape[1], step):
            frame = plt.Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="white", linewidth=1.6)
            axes[1].add_patch(frame)
    return axes[0]


@styled
def drawn_by_grids(masks: Tensor, best: Mapping[int, Tensor]) -> Axes:
    """Masks ``(N, H, W)``, one a row, and beside them the best that a grid of each stride can draw."""
    columns = {"true": masks, **{f"stride {stride}": some for stride, some in best.items()}}
    axes = plt.subplots(
        len(masks), len(columns), figsize=(1.45 * len(columns), 1.45 * len(masks) + 0.3), squeeze=False
    )[1]
    for column, (name, some) in enumerate(columns.items()):
        for row, mask in enumerate(some):
            ax = axes[row, column]
            ax.imshow(mask.float().numpy(), cmap="Greys", vmin=-0.15, vmax=1.3)
            ax.contour(masks[row].float().numpy(), levels=[0.5], colors=[palette.POOL], linewidths=1)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[0, column].set_title(name, fontsize=9, loc="center")
    return axes[0, 0]


@styled
def painted(images: Tensor, maps: Mapping[str, Tensor]) -> Axes:
    """Pictures ``(N, 3, H, W)`` uint8, one a column, and a row for each way to paint them, ``(N, H, W)`` classes of pixels.

    What is no background is outlined: solid airplane, dashed automobile, dotted bird; the rest is dimmed.
    """
    rows, across = len(maps), len(images)
    figure, axes = plt.subplots(rows, across, figsize=(1.5 * across, 1.5 * rows + 0.35), squeeze=False)
    for row, (name, some) in enumerate(maps.items()):
        for column in range(across):
            ax, parts = axes[row, column], some[column]
            picture = images[column].permute(1, 2, 0).float() / 255
            dimmed = picture * (0.55 + 0.45 * (parts > 0).float()[..., None])
            ax.imshow(dimmed.numpy())
            for label, (line, _) in OUTLINES.items():
                if (parts == label).any() and not (parts == label).all():
                    for color, width in (("black", 2.6), ("white", 1.3)):
                        ax.contour(
                            (parts == label).float().numpy(),
                            levels=[0.5],
                            colors=[color],
                            linewidths=width,
                            linestyles="-" if color == "black" else line,
                        )
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[row, 0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center", labelpad=4)
    kinds = {"-": "solid", "--": "dashed", ":": "dotted"}
    key = "   ".join(f"{kinds[line]}: {name}" for line, name in OUTLINES.values())
    figure.suptitle(key, x=0.01, ha="left", fontsize=9, color=palette.TEXT)
    return axes[0, 0]


@styled
def iou_by_size(ranges: Sequence[Sequence[int]], panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Axes:
    """The mean IoU of objects against their size, a line a stride, named at its end; one panel for each kind of head."""
    axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.3), sharey=True, squeeze=False)[1][0]
    names = [f"{low} to {high}" if high < 64 else f"over {low}" for low, high in ranges]
    names[0] = f"under {ranges[0][1]}"
    every = list(dict.fromkeys(name for lines in sorted(panels.values(), key=len, reverse=True) for name in lines))
    look_of = dict(zip(every, looks(), strict=False))
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        ends = []
        for name, values in lines.items():
            ax.plot(values, **look_of[name], markersize=5)
            ends.append((values[-1], name))
        for place, (want, name) in zip(_apart([end for end, _ in ends], 0.062), ends, strict=True):
            ax.plot([len(names) - 0.95, len(names) - 0.8], [want, place], color=palette.CONTEXT, linewidth=0.8)
            ax.text(len(names) - 0.76, place, name, va="center", fontsize=8)
        ax.set_xticks(range(len(names)), names, fontsize=8)
        ax.set(xlim=(-0.2, len(names) + 0.15), ylim=(0, 1.04), xlabel="size of the object, pixels")
        ax.set_title(title, fontsize=9)
    axes[0].set_ylabel("mean IoU")
    return axes[0]


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """The values in their order, moved so that neighbors are at least ``gap`` apart."""
    order, places = sorted(range(len(values)), key=lambda i: values[i]), list(values)
    for _ in range(100):
        for a, b in pairwise(order):
            if (lack := gap - (places[b] - places[a])) > 1e-9:
                places[a], places[b] = places[a] - lack / 2, places[b] + lack / 2
    return places


@styled
def what_and_where(kinds: Mapping[str, Mapping[str, tuple[float, float]]]) -> Axes:
    """Each head as a point: how well it draws outlines (to the right) and names what it drew (up); a line a kind of head.

    ``kinds``: by kind, by the name of each point, its IoU of outlines and its share of right names.
    """
    ax = plt.subplots(figsize=(7.4, 4.0))[1]
    for place, ((kind, points), look) in enumerate(zip(kinds.items(), looks(), strict=False)):
        xs, ys = zip(*points.values(), strict=True)
        ax.plot(xs, [100 * y for y in ys], **look, markersize=7, label=kind)
        for name, (x, y) in points.items():
            offset, align = ((0, 9), "center") if place else ((-9, -3), "right")
            ax.annotate(name, (x, 100 * y), offset, textcoords="offset points", ha=align, va="bottom", fontsize=8)
        x, y = list(points.values())[-1]
        ax.annotate(kind, (x, 100 * y), (12, 0), textcoords="offset points", va="center", fontsize=9, weight="bold")
    ax.set(xlabel="where: mean IoU of outlines", ylabel="what: right names, %")
    ax.margins(x=0.22, y=0.18)
    return ax


@styled
def smallest_by_stride(lines: Mapping[str, Mapping[int, float | None]]) -> Axes:
    """The size of the smallest objects that are found against the stride, a line a kind of head, named at its right end.

    None: at that stride half of the objects are not found at any size; the line has a gap there, and a mark at the top.
    """
    ax = plt.subplots(figsize=(7.4, 4.0))[1]
    top = 2.4 * max(size for line in lines.values() for size in line.values() if size is not None)
    for i, ((name, line), look) in enumerate(zip(lines.items(), looks(), strict=False)):
        known = {stride: size for stride, size in line.items() if size is not None}
        ax.plot(list(known), list(known.values()), **look, markersize=6)
        height = top * 0.9 * 0.78**i
        for stride in line.keys() - known.keys():
            ax.plot(stride, height, marker="x", color=look["color"], markersize=7, markeredgewidth=2)
            inner = stride < max(line)
            way = {"xytext": (-8, 0), "ha": "right"} if inner else {"xytext": (8, 0), "ha": "left"}
            words = f"{name}: never"
            ax.annotate(words, (stride, height), **way, textcoords="offset points", va="center", fontsize=8)
        last, above = max(known), i % 2 == 1
        place = {"xytext": (-10, 2), "ha": "right"} if above else {"xytext": (10, 0), "ha": "left"}
        ax.annotate(
            name, (last, known[last]), **place, textcoords="offset points", va="center", fontsize=9, weight="bold"
        )
        for stride, size in known.items():
            offset, side = ((0, 6), "bottom") if above else ((0, -7), "top")
            ax.annotate(
                f"{size:.0f}", (stride, size), offset, textcoords="offset points", ha="center", va=side, fontsize=8
            )
    strides = sorted({stride for line in lines.values() for stride in line})
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_xticks(strides, [str(stride) for stride in strides])
    sizes = [size for size in (4, 8, 16, 32, 64) if size < top]
    ax.set_yticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set(xlim=(0.85 * min(strides), 3.2 * max(strides)), ylim=(0.7 * ax.dataLim.y0, top))
    ax.set(xlabel="stride of the finest map that is read, pixels", ylabel="smallest objects found, pixels")
    return ax


@styled
def few_labels(arms: Mapping[str, Mapping[str, Sequence[float]]]) -> Axes:
    """Mean IoU against labeled images, a line an arm with a dot a seed, named at its right end."""
    ax = plt.subplots(figsize=(7.4, 3.6))[1]
    ends = []
    for (name, by_count), look in zip(arms.items(), looks(), strict=False):
        counts, means = [int(n) for n in by_count], [sum(v) / len(v) for v in by_count.values()]
        ax.plot(counts, means, color=look["color"], linestyle=look["linestyle"], marker=look["marker"], markersize=7)
        for count, values in zip(counts, by_count.values(), strict=True):
            ax.plot([count] * len(values), values, ".", color=look["color"], markersize=4, alpha=0.7)
        ends.append((means[-1], name))
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set(xlim=(0.85 * counts[0], 3.2 * counts[-1]), xlabel="labeled scenes", ylabel="mean IoU")
    gap = 0.07 * (ax.get_ylim()[1] - ax.get_ylim()[0])
    for place, (want, name) in zip(_apart([end for end, _ in ends], gap), ends, strict=True):
        ax.annotate(
            name,
            (counts[-1], want),
            (1.25 * counts[-1], place),
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": palette.CONTEXT, "linewidth": 0.8, "shrinkB": 4},
        )
    return ax


@styled
def reading_a_ramp(shifts: Sequence[int], answers: Mapping[str, Sequence[float]]) -> Axes:
    """Where each way to cut a box out of a map believes the box to be, in pixels, as the box moves pixel by pixel."""
    ax = plt.subplots(figsize=(7.2, 3.2))[1]
    for (name, values), look in zip(answers.items(), looks(), strict=False):
        ax.plot(shifts, values, **look, markersize=4, markevery=4, drawstyle="default")
        ax.annotate(name, (shifts[-1], values[-1]), (7, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set(xlabel="how far the box has moved, pixels", ylabel="center read off the map, pixels")
    ax.set_xlim(shifts[0], shifts[-1] + 0.28 * (shifts[-1] - shifts[0]))
    return ax
