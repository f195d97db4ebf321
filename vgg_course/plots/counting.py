"""Figures of what each layer costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.accounting import Ledger, Row, ledger
from vgg_course.configuration import Configuration
from vgg_course.plots.style import styled

if TYPE_CHECKING:
    pass


@styled
def shares(costs: Ledger, quantities: Sequence[str] = ("parameters", "values", "macs"), ax: Axes | None = None) -> Axes:
    """One horizontal bar a quantity, split into convolutions, pools and fully-connected layers; each part labeled."""
    ax = ax or plt.subplots(figsize=(8, 0.75 * len(quantities) + 0.9))[1]
    kinds = ("input", "convolution", "normalization", "pool", "fully connected")
    for y, quantity in enumerate(quantities):
        total = sum(getattr(row, quantity) for row in costs)
        left = 0.0
        for kind in kinds:
            share = 100 * sum(getattr(row, quantity) for row in costs if row.kind == kind) / total
            hatch = "//" if kind == "fully connected" else None
            ax.barh(y, share, left=left, color=palette.BY_KIND[kind], hatch=hatch, edgecolor="white", linewidth=0.5)
            if share > 8:
                box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
                label = f"{kind}{' ' if share > 25 else chr(10)}{share:.1f} %"
                ax.text(left + share / 2, y, label, ha="center", va="center", color="black", fontsize=8, bbox=box)
            left += share
    names = {"parameters": "parameters", "values": "activations", "macs": "MACs"}
    ax.set_yticks(range(len(quantities)), [names.get(q, q) for q in quantities])
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="share of the total, %")
    return ax


@styled
def bars(rows: Iterable[Row], cost: Callable[[Row], float], label: str, ax: Axes | None = None) -> Axes:
    """One vertical bar a layer, colored and hatched by kind, starting at zero.

    Args:
        rows: a ledger, or some of its rows.
        cost: what to draw of a row, as in ``lambda row: row.parameters / 1e6``.
        label: the words on the y axis, with the unit.
    """
    ax = ax or plt.subplots(figsize=(8, 2.8))[1]
    rows = list(rows)
    for x, row in enumerate(rows):
        hatch = "//" if row.kind == "fully connected" else None
        ax.bar(x, cost(row), color=palette.BY_KIND[row.kind], hatch=hatch, edgecolor="white", linewidth=0.5)
    ax.set_xticks(range(len(rows)), [row.name for row in rows], rotation=60, ha="right", rotation_mode="anchor")
    ax.set(ylabel=label)
    ax.margins(x=0.01)
    return ax


@styled
def anatomy(configuration: Configuration) -> Axes:
    """The whole network on one page: the grids above, and what each layer costs below it, all on one axis.

    Four rows share the layers: the side of the grid in pixels (with the channels written on it), activation values in
    MB of float32, MACs, and parameters. Returns the topmost axes.
    """
    rows = list(ledger(configuration))[1:]  # the input costs nothing but its own values
    figure, axes = plt.subplots(4, 1, figsize=(9, 6.2), sharex=True, height_ratios=[1.5, 1, 1, 1])
    grids = axes[0]
    for x, row in enumerate(rows):
        side = row.shape[1] if len(row.shape) == 3 else 1
        color, hatch = palette.BY_KIND[row.kind], "//" if row.kind == "fully connected" else None
        shown = max(side, 4)  # a vector is drawn as a thin line, or it would vanish
        grids.bar(x, shown, bottom=-shown / 2, width=0.7, color=color, hatch=hatch, edgecolor="white", linewidth=0.5)
        if row.kind != "pool":
            grids.text(x, shown / 2 + 6, f"{row.shape[0]}", ha="center", va="bottom", fontsize=7.5)
    for block in configuration.blocks:
        side, first = block[0].input_shape[1], configuration.layers.index(block[0])
        x = first + (sum(layer.name.startswith("conv") for layer in block) - 1) / 2
        grids.text(x, -side / 2 - 8, f"{side}x{side}", ha="center", va="top", fontsize=8)
    half = configuration.input_size / 2
    grids.set(ylim=(-1.3 * half, 1.3 * half), ylabel="channels above,\ngrid below", yticks=[])
    grids.spines[["left", "bottom"]].set_visible(False)
    costs = [
        ("activations, MB", lambda row: 4 * row.values / 1e6),
        ("MACs, billions", lambda row: row.macs / 1e9),
        ("parameters,\nmillions", lambda row: row.parameters / 1e6),
    ]
    for ax, (label, cost) in zip(axes[1:], costs, strict=True):
        bars(rows, cost, label, ax=ax)
    for ax in axes[:-1]:
        ax.tick_params(axis="x", length=0, labelbottom=False)
    figure.align_ylabels(axes)
    return grids
