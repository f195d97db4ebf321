"""Figures of what became of a net from different beginnings: ``book/results/pretraining.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import geometric_mean, median

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import label_ends, looks, styled


@styled
def by_start(found: Mapping, labels: Mapping[str, str], columns: int = 3) -> list[Axes]:
    """Validation accuracy against the epoch, a panel a start: a thin line a seed, a thick one for their median.

    Args:
        found: what ``results.load("pretraining")`` returns.
        labels: the starts to draw, in order, each with the words above its panel.
    """
    rows = -(-len(labels) // columns)
    size = (3.1 * columns, 2.1 * rows + 0.4)
    axes = list(plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)[1].flat)
    chance = 100 * found["chance"]["accuracy"]
    for ax, (name, label) in zip(axes, labels.items(), strict=False):
        runs = [run["validation_accuracy"] for run in found["starts"][name]["runs"]]
        epochs = range(1, max(map(len, runs)) + 1)
        ax.axhline(chance, color=palette.CONTEXT, linewidth=1, linestyle="--")
        for run in runs:
            ax.plot(epochs, [100 * share for share in run], color=palette.CONTEXT, linewidth=0.9)
        middle = [100 * median(shares) for shares in zip(*runs, strict=True)]
        color = palette.CONVOLUTION if found["starts"][name]["configuration"] == "D" else palette.POOL
        ax.plot(epochs, middle, color=color, linewidth=2.5)
        offset = (-2, 7) if middle[-1] < 60 else (-2, -14)  # beneath a high curve, above a low one
        ax.annotate(f"{middle[-1]:.0f} %", (len(epochs), middle[-1]), offset, textcoords="offset points", ha="right")
        ax.set_title(label, fontsize="small")
    drawn, empty = axes[: len(labels)], axes[len(labels) :]
    for ax in empty:
        ax.set_axis_off()
    below = {"textcoords": "offset points", "ha": "right", "va": "top", "fontsize": 8}
    drawn[0].annotate("chance", (found["setting"]["epochs"], chance), (-2, -3), **below)
    drawn[0].set(ylim=(20, 100), xlim=(0.5, found["setting"]["epochs"] + 0.5))
    for place, ax in enumerate(drawn):
        if place % columns == 0:
            ax.set_ylabel("accuracy, %")
        if place >= len(labels) - columns:
            ax.set_xlabel("epoch")
            ax.tick_params(labelbottom=True)
    return drawn


@styled
def pull_by_layer(found: Mapping, labels: Mapping[str, str]) -> Axes:
    """The gradient of each layer over its weights at step 0, against the pull of weight decay (dashed).

    SGD moves a weight by the gradient plus ``weight_decay`` times the weight: below the dashed line decay is the
    stronger. A line is the geometric mean over the seeds, a band their extremes. The layers of A stand where D has
    layers of the same name.

    Args:
        found: what ``results.load("pretraining")`` returns.
        labels: the starts to draw, each with the name of its line.
    """
    ax = plt.subplots(figsize=(9, 4.2))[1]
    places = found["layers"]["D"]
    decay = found["setting"]["weight_decay"]
    ax.axhline(decay, color=palette.TEXT, linewidth=1.2, linestyle="--")
    ends = [(decay, "weight decay", palette.TEXT)]
    for (name, label), look in zip(labels.items(), looks(), strict=False):
        start = found["starts"][name]
        at = [places.index(layer) for layer in found["layers"][start["configuration"]]]
        seeds = [run["before"]["relative_gradient"] for run in start["runs"]]
        values = [geometric_mean(layer) for layer in zip(*seeds, strict=True)]
        low, high = (_extremes(seeds, pick) for pick in (min, max))
        ax.fill_between(at, low, high, color=look["color"], alpha=0.2, linewidth=0)
        ax.plot(at, values, linewidth=1.5, markersize=5, **look)
        ends.append((values[-1], label, look["color"]))
    ax.set(yscale="log", ylabel="|gradient| / |weight|", xlim=(-0.6, len(places) - 0.4))
    ax.set_xticks(range(len(places)), places, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    label_ends(ax, ends, "right")
    return ax


def _extremes(seeds: Sequence[Sequence[float]], pick) -> list[float]:
    return [pick(layer) for layer in zip(*seeds, strict=True)]
