"""Figures of what one value sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.configuration import Linear, MaxPool
from vgg_course.plots.style import styled
from vgg_course.receptive_field import Field, ReceptiveFields

if TYPE_CHECKING:
    pass


@styled
def overlapping_windows(field: Field, count: int) -> Axes:
    """The windows of ``count`` neighboring values of a layer, as bars above a row of pixels, and their union."""
    ax = plt.subplots(figsize=(7, 0.38 * count + 1.5))[1]
    union = field.size + (count - 1) * field.jump
    for row in range(count):
        left = row * field.jump
        ax.barh(row, field.size, left=left, height=0.7, color=palette.CONVOLUTION, edgecolor="white", linewidth=0.5)
        ax.text(left + field.size / 2, row, f"{field.size} pixels", ha="center", va="center", color="black")
    for pixel in range(union):
        corner = (pixel + 0.04, count)
        ax.add_patch(plt.Rectangle(corner, 0.92, 0.92, facecolor="none", edgecolor=palette.TEXT, linewidth=0.8))
    bracket = {"arrowstyle": "|-|, widthA=0.3, widthB=0.3", "color": palette.TEXT, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (0, count + 1.3), (union, count + 1.3), arrowprops=bracket)
    ax.text(union / 2, count + 1.5, f"together {union}", ha="center", va="top")
    start = f"one value of {field.name}", *[f"{'next' if field.jump == 1 else f'{field.jump} pixels on'}"] * (count - 1)
    ax.set_yticks([*range(count), count + 0.5], [*start, "pixels of the image"])
    ax.tick_params(length=0)
    ax.set(xlim=(-0.1, union + 0.1), ylim=(count + 2.3, -0.6), xticks=[])
    ax.spines[:].set_visible(False)
    return ax


@styled
def growth(fields: ReceptiveFields, wrong: Mapping[str, Sequence[int]] | None = None) -> Axes:
    """The size of the receptive field against the layer, a band for each jump; a ``wrong`` rule is drawn dashed beside it.

    ``wrong`` gives for its name the sizes that the rule claims, one a layer, from the first on.
    """
    shown = [field for field in fields if not field.name.startswith("fc")] + [fields["fc6"]]
    ax = plt.subplots(figsize=(9, 3.8))[1]
    specs = {layer.name: layer.spec for layer in fields.configuration}
    for x, field in enumerate(shown):
        pool, linear = isinstance(specs[field.name], MaxPool), isinstance(specs[field.name], Linear)
        color = palette.POOL if pool else palette.FULLY_CONNECTED if linear else palette.CONVOLUTION
        ax.plot(x, field.size, "s" if pool else "D" if linear else "o", color=color, markersize=7)
        if not wrong or field is shown[-1]:
            ax.text(x, field.size + 11, f"{field.size}", ha="center", va="bottom", fontsize=8)
    ax.plot([field.size for field in shown], color=palette.CONTEXT, linewidth=1, zorder=0)
    for name, sizes in (wrong or {}).items():
        ax.plot(sizes, "x--", color=palette.TEXT, linewidth=1, markersize=5)
        ax.text(len(sizes) - 0.8, sizes[-1], f"{name}\n{sizes[-1]}", ha="left", va="center", fontsize=8)
    steps = [1, *[field.jump for field in shown]]  # the jump that each layer looks at
    for jump in dict.fromkeys(steps[:-1]):
        places = [x for x, seen in enumerate(steps[:-1]) if seen == jump]
        if list(dict.fromkeys(steps)).index(jump) % 2:
            ax.axvspan(places[0] - 0.5, places[-1] + 0.5, color=palette.CONTEXT, alpha=0.15, linewidth=0)
        ax.text(
            sum(places) / len(places), 1.0, f"jump {jump}", transform=ax.get_xaxis_transform(), ha="center", va="bottom"
        )
    names = [field.name for field in shown]
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set(ylabel="receptive field, pixels", xlim=(-0.7, len(names) + (1.2 if wrong else -0.2)))
    ax.set_ylim(0, 1.12 * max(field.size for field in shown))
    return ax


@styled
def step(distances: Mapping[str, Mapping]) -> Axes:
    """Accuracy against receptive field, mean and extremes over seeds, with the size that theory demands as a line.

    ``distances`` is the part of that name in ``book/results/receptive_field_step.json``.
    """
    axes = plt.subplots(1, len(distances), figsize=(9, 3), sharey=True, squeeze=False)[1][0]
    for ax, (distance, found) in zip(axes, distances.items(), strict=True):
        needed, control = found["needed"], found["control"]
        ax.axhline(50, color=palette.CONTEXT, linewidth=0.8, linestyle=":")
        ax.axvline(needed - 1, color=palette.HIGHLIGHT, linewidth=1.2, linestyle="--")
        for runs, style in (
            (found["runs"], {"fmt": "o-", "color": palette.CONVOLUTION}),
            ([control], {"fmt": "D", "color": palette.POOL, "markersize": 9, "markerfacecolor": "none"}),
        ):
            height, low, high = (
                [100 * run["accuracy"][part] for run in runs] for part in ("mean", "lowest", "highest")
            )
            reach = [
                [m - x for m, x in zip(height, low, strict=True)],
                [h - m for h, m in zip(high, height, strict=True)],
            ]
            ax.errorbar(
                [run["size"] for run in runs], height, reach, capsize=3, linewidth=1, markeredgewidth=1.5, **style
            )
        ax.text(needed + 0.5, 66, f"both marks fit\nfrom {needed} pixels on", ha="left", va="center", fontsize=9)
        words = f"\u25c7 {control['layers']} layers,\n    the last ones 1x1"
        ax.text(needed + 0.5, 56, words, ha="left", va="center", fontsize=9)
        ax.set_title(f"marks {distance} pixels apart")
        ax.set(xlabel="receptive field, pixels", xticks=[run["size"] for run in found["runs"]], ylim=(45, 104))
    axes[0].set_ylabel("test accuracy, %")
    return axes[0]


@styled
def influence(panels: Mapping[str, tuple[Sequence, tuple[range, range], int]]) -> Axes:
    """Heat maps of what moves a unit: brighter is more, each scaled to its own maximum. Returns the first axes.

    ``panels`` gives for each title the map ``(H, W)``, the unit's theoretical window (rows and columns; a dashed line
    around it), and the side of the square that holds 90 % (a number in the title).
    """
    axes = plt.subplots(1, len(panels), figsize=(min(9, 2.4 * len(panels)), 2.9), squeeze=False)[1][0]
    for ax, (title, (values, (rows, columns), side)) in zip(axes, panels.items(), strict=True):
        ax.imshow([[float(value) for value in row] for row in values], cmap="viridis", vmin=0)
        corner = columns.start - 0.5, rows.start - 0.5
        ax.add_patch(
            plt.Rectangle(
                corner, len(columns), len(rows), facecolor="none", edgecolor="white", linestyle="--", clip_on=True
            )
        )
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(f"{title}\n90 % within {side} of {len(columns)}", loc="center", fontsize=9)
    return axes[0]
