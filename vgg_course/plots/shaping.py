"""Figures of shapes that are not what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import styled

if TYPE_CHECKING:
    from vgg_course.shapes import BrokenPromises


@styled
def cause_and_complaint(cases: Mapping[str, BrokenPromises]) -> Axes:
    """The side of the grid against the layer, promised and found, a panel a net: how far is it from cause to complaint?

    Circles are what was promised, crosses what was found, with the number where they differ. Returns the first axes.
    """
    axes = plt.subplots(len(cases), 1, figsize=(9, 2.5 * len(cases)), squeeze=False)[1][:, 0]
    for ax, (title, found) in zip(axes, cases.items(), strict=True):
        names = [layer.name for layer in found.configuration]
        place = {name: x for x, name in enumerate(names)}
        promised = [(place[grid.layer], grid.promised) for grid in found.grids]
        real = [(place[grid.layer], grid.found, grid.promised) for grid in found.grids if grid.found is not None]
        ax.plot(*zip(*promised, strict=True), "o-", color=palette.CONTEXT, linewidth=1, markersize=7, fillstyle="none")
        for x, side, right in real:
            color = palette.CONVOLUTION if side == right else palette.HIGHLIGHT
            ax.plot(x, side, "x", color=color, markersize=6)
            if side != right:
                ax.annotate(f"{side}", (x, side), (4, 4), textcoords="offset points", fontsize=8)
        top = 1.9 * max(grid.promised for grid in found.grids)
        cause = place[found.first.layer]
        ax.axvline(cause, color=palette.HIGHLIGHT, linewidth=1.2, linestyle="--", zorder=0)
        ax.text(cause, top, f" {found.first.layer}: the cause", ha="left", va="bottom", fontsize=9)
        if found.complaint is None:
            ax.text(len(names) - 0.6, top, "no layer complains", ha="right", va="bottom", fontsize=9)
        else:
            end = place[found.complains]
            ax.axvline(end, color=palette.TEXT, linewidth=1.2, linestyle=":", zorder=0)
            ax.text(end, top, f" {found.complains}: the complaint", ha="left", va="bottom", fontsize=9)
        low = 0.7 * min(grid.promised for grid in found.grids)
        sides = sorted({grid.promised for grid in found.grids})
        ax.set_yscale("log", base=2)
        ax.set_yticks(sides, sides)
        ax.minorticks_off()
        ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
        ax.set(ylabel="side of the grid", xlim=(-0.6, len(names) + 1.6), ylim=(low, top))
        ax.set_title(title, pad=18)
    return axes[0]


@styled
def grids_by_size(pools: int, first: int, last: int) -> Axes:
    """The side of the grid behind ``pools`` 2x2 pools, for images of ``first`` to ``last`` pixels: a step every 2^pools."""
    ax = plt.subplots(figsize=(7, 2.6))[1]
    step = 2**pools
    for grid in range(first // step, last // step + 1):
        left, right = max(first, grid * step), min(last, (grid + 1) * step - 1)
        ax.plot([left, right], [grid, grid], color=palette.POOL, linewidth=4, solid_capstyle="butt")
        ax.text((left + right) / 2, grid + 0.2, f"{left} to {right}", ha="center", va="bottom", fontsize=8)
    grids = range(first // step, last // step + 1)
    ax.set_yticks(grids, grids)
    ax.set_xticks(range(-(-first // step) * step, last + 1, step))
    ax.set(
        xlabel="side of the image, pixels", ylabel=f"grid behind {pools} pools", ylim=(grids[0] - 0.5, grids[-1] + 0.9)
    )
    return ax
