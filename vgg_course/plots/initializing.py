"""Figures of the signal on its way through a net, and of what first weights do to it."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import label_ends, looks, styled

if TYPE_CHECKING:
    from vgg_course.initialization import Gains, Signal


@styled
def gain_lines(lines: Mapping[str, Gains]) -> Axes:
    """What one layer multiplies the signal by, against its fan_in, on logarithmic axes: a point a layer.

    For schemes whose deviation is the same everywhere; the dashed line is the gain that keeps the signal.
    """
    ax = plt.subplots(figsize=(8, 3.8))[1]
    ax.axhline(1, color=palette.CONTEXT, linewidth=1, linestyle="--")
    ends = []
    for (label, gains), look in zip(lines.items(), looks(), strict=False):
        points = sorted({row.fan_in: row.forward for row in gains}.items())
        ax.plot(*zip(*points, strict=True), linewidth=1.2, markersize=6, **look)
        for fan, value in points:
            if fan != 4096:  # fc7 and fc8 lie almost on the 4,608 of block 5
                ax.annotate(f"{value:.2g}", (fan, value), (0, 7), textcoords="offset points", ha="center", fontsize=8)
        ends.append((points[-1][1], label, look["color"]))
    first = {row.fan_in: row.name for gains in lines.values() for row in reversed(gains.layers)}
    ticks = sorted(fan for fan in first if fan != 4096)
    ax.set(xscale="log", yscale="log", xlabel="terms in one sum (fan in)", ylabel="gain of the layer")
    ax.set_xticks(ticks, [f"{fan:,}\n{first[fan]}" for fan in ticks], fontsize=8)
    ax.set_xticks([], minor=True)
    ax.set_xlim(ticks[0] / 1.4, ticks[-1] * 1.4)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, 1.5 * top)
    label_ends(ax, [*ends, (1.0, "keeps the signal", palette.CONTEXT)], "right")
    return ax


@styled
def both_ways(curves: Mapping[str, Signal | Mapping], theory: Mapping[str, Gains] | None = None) -> Axes:
    """Forward and backward signal by layer, on logarithmic axes, one line a curve, labeled where the signal leaves.

    Args:
        curves: by label, a measured :class:`Signal`, or an entry of ``nets`` in
            ``book/results/initialization_signal.json`` (mean and spread over seeds; the spread becomes a band).
        theory: by label, the gains that predict the curve of that label; drawn dashed. It needs a Signal there.

    Returns:
        The axes of the forward signal; those of the gradient stand beside them.
    """
    forward, backward = plt.subplots(1, 2, figsize=(9.5, 4.6))[1]
    forward_ends, backward_ends = [], []
    for (label, curve), look in zip(curves.items(), looks(), strict=False):
        names, parts = _parts(curve)
        for ax, part, ends in ((forward, "output", forward_ends), (backward, "gradient", backward_ends)):
            values, factors = parts[part]
            ax.plot(values, linewidth=1.5, markersize=4, **look)
            if factors:
                low = [value / factor for value, factor in zip(values, factors, strict=True)]
                high = [value * factor for value, factor in zip(values, factors, strict=True)]
                ax.fill_between(range(len(values)), low, high, color=look["color"], alpha=0.2, linewidth=0)
            ends.append((values[-1] if ax is forward else values[0], label, look["color"]))
        if theory and label in theory:
            for ax, values in zip((forward, backward), _predicted(curve, theory[label]), strict=True):
                ax.plot(values, "--", color=palette.TEXT, linewidth=1.3, zorder=3)
    for ax, title in (
        (forward, "forward: RMS of the output \u2192"),
        (backward, "\u2190 backward: RMS of the gradient"),
    ):
        ax.set(yscale="log", title=title, xlim=(-0.6, len(names) - 0.4))
        ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
    backward.yaxis.tick_right()
    backward.spines["left"].set_visible(False)
    backward.spines["right"].set_visible(True)
    label_ends(forward, forward_ends, "right")
    label_ends(backward, backward_ends, "left")
    return forward


@styled
def relative_gradients(curves: Mapping[str, Signal | Mapping]) -> Axes:
    """The gradient of every weight layer over its weights, ``|gradient| / |weight|``, one labeled line a curve."""
    ax = plt.subplots(figsize=(8, 3.8))[1]
    ends = []
    for (label, curve), look in zip(curves.items(), looks(), strict=False):
        names, parts = _parts(curve)
        values, factors = parts["relative_gradient"]
        ax.plot(values, linewidth=1.5, markersize=5, **look)
        if factors:
            low = [value / factor for value, factor in zip(values, factors, strict=True)]
            high = [value * factor for value, factor in zip(values, factors, strict=True)]
            ax.fill_between(range(len(values)), low, high, color=look["color"], alpha=0.2, linewidth=0)
        ends.append((values[-1], label, look["color"]))
    ax.set(yscale="log", ylabel="|gradient| / |weight|", xlim=(-0.6, len(names) - 0.4))
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    label_ends(ax, ends, "right")
    return ax


def _parts(curve: Signal | Mapping) -> tuple[list[str], dict[str, tuple[list[float], list[float]]]]:
    """The layers' names; and for each part its values and, where they were measured over seeds, their factors."""
    parts = ("output", "gradient", "relative_gradient")
    if isinstance(curve, Mapping):
        layers = curve["layers"]
        found = {
            part: (
                [layer[part]["mean"] for layer in layers.values()],
                [layer[part]["factor"] for layer in layers.values()],
            )
            for part in parts
        }
        return list(layers), found
    return [layer.name for layer in curve], {part: ([getattr(layer, part) for layer in curve], []) for part in parts}


def _predicted(signal: Signal, gains: Gains) -> tuple[list[float], list[float]]:
    """Outputs from the images on, and gradients from the logits' back, by nothing but the gains."""
    forward = [signal.images * sqrt(2)]  # no ReLU stands in front of the first layer
    for row in gains:
        forward.append(forward[-1] * row.forward)
    backward = [signal.layers[-1].gradient]
    for row in reversed(gains.layers[1:]):
        backward.append(backward[-1] * row.backward)
    return forward[1:], backward[::-1]
