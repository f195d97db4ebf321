"""Figures of how a network is put together, and of where two of them part."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import styled

MODULES = {  # class: how a module is drawn, and what the key says
    "Conv2d": ("convolution", palette.CONVOLUTION, ""),
    "BatchNorm2d": ("batch norm", palette.NORMALIZATION, "xx"),
    "LocalResponseNorm": ("LRN", palette.NORMALIZATION, ".."),
    "ReLU": ("ReLU", "none", ""),
    "MaxPool2d": ("max-pool", palette.POOL, "\\\\"),
    "Linear": ("fully connected", palette.FULLY_CONNECTED, "//"),
    "Dropout": ("dropout", palette.CONTEXT, "oo"),
}


@styled
def module_map(model) -> Axes:
    """Which entry of a dictionary with the paper's names is which module of a ``VGG``: names above, modules below.

    Below stands one box for each module of ``features`` and of ``classifier``, with its number. A line goes up from
    every module that has weights.
    """
    parts = {"features": list(model.features), "classifier": list(model.classifier)}
    slots = [(part, number, module) for part, modules in parts.items() for number, module in enumerate(modules)]
    gap = 1.5  # between the two parts
    place = {id(module): x + gap * (part == "classifier") for x, (part, _, module) in enumerate(slots)}
    named = {name: module for name, module in model.layers.items() if hasattr(module, "weight")}
    end = len(slots) - 1 + gap
    ax = plt.subplots(figsize=(9, 3.4))[1]
    for rank, (name, module) in enumerate(named.items()):
        above, below = (rank + 0.5) * (end + 1) / len(named) - 0.5, place[id(module)]
        color = palette.FULLY_CONNECTED if name.startswith("fc") else palette.CONVOLUTION
        ax.plot([below, above], [0.5, 2.6], color=color, linewidth=1)
        ax.text(above, 2.7, name, rotation=60, ha="left", va="bottom", rotation_mode="anchor", fontsize=9)
    drawn = {}
    for _, number, module in slots:
        kind, color, hatch = MODULES[type(module).__name__]
        line = palette.TEXT if color == "none" else "white"
        box = plt.Rectangle((place[id(module)] - 0.44, -0.5), 0.88, 1, facecolor=color, hatch=hatch, edgecolor=line)
        drawn.setdefault(kind, box)
        ax.add_patch(box)
        ax.text(place[id(module)], -0.65, str(number), ha="center", va="top", fontsize=7.5)
    for part, modules in parts.items():
        ends = place[id(modules[0])] - 0.44, place[id(modules[-1])] + 0.44
        ax.plot(ends, [-1.35, -1.35], color=palette.TEXT, linewidth=1)
        ax.text(sum(ends) / 2, -1.45, part, ha="center", va="top")
    ax.legend(drawn.values(), drawn, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=len(drawn), fontsize=9)
    ax.set(xlim=(-1, end + 1.5), ylim=(-2.2, 4.6), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


@styled
def differences(curves: Mapping[str, Mapping[str, float]], tolerance: float | None = None) -> Axes:
    """How far two networks are apart behind each layer, on a logarithmic scale; a label at the end of each curve.

    ``curves`` gives for each label the difference by the layer's name. A difference of zero has no place on the scale and is
    left out. A ``tolerance`` is drawn as a dashed line.
    """
    ax = plt.subplots(figsize=(8, 3.4))[1]
    names = list(next(iter(curves.values())))
    for number, (label, found) in enumerate(curves.items()):
        heights = [found[name] or float("nan") for name in names]
        color = (palette.CONVOLUTION, palette.TEXT, palette.HIGHLIGHT)[number % 3]
        ax.plot(heights, "osD"[number % 3] + "-", color=color, markersize=5, linewidth=1.2)
        ax.text(len(names) - 0.7, heights[-1], label, ha="left", va="center", fontsize=9)
    if tolerance is not None:
        ax.axhline(tolerance, color=palette.TEXT, linewidth=1, linestyle="--")
        ax.text(-0.4, 1.6 * tolerance, "tolerance", ha="left", va="bottom", fontsize=9)
    ax.set_yscale("log")
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set(ylabel="largest difference /\nlargest value", xlim=(-0.5, len(names) + 2.3), ylim=(1e-17, 1))
    ax.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    return ax
