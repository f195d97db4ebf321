"""Figures of nets that are not what they seem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import styled

if TYPE_CHECKING:
    from vgg_course.museum import Inside

MARKS = ((palette.HIGHLIGHT, "o"), (palette.CONVOLUTION, "s"), (palette.POOL, "D"))


@styled
def answers(panels: Mapping[str, Sequence[float]]) -> Axes:
    """Histograms of all answers of a net, one panel a net, on the same axes. Returns the first axes."""
    panels = {title: [float(value) for value in values] for title, values in panels.items()}
    low, high = min(map(min, panels.values())), max(map(max, panels.values()))
    edges = [low + (high - low) * i / 40 for i in range(41)]
    axes = plt.subplots(1, len(panels), figsize=(9, 2.8), sharey=True, squeeze=False)[1][0]
    for ax, (title, values), (color, _) in zip(axes, panels.items(), MARKS, strict=False):
        ax.hist(values, bins=edges, color=color)
        ax.axvline(0, color=palette.TEXT, linewidth=0.8, linestyle="--")
        negative = sum(value < 0 for value in values) / len(values)
        ax.set_title(f"{title}: {negative:.0%} negative")
        ax.set_xlabel("answer")
    axes[0].set_ylabel("how many")
    return axes[0]


@styled
def deviations(nets: Mapping[str, Inside]) -> Axes:
    """The deviation of what enters each layer, on a logarithmic scale, a line for each net."""
    ax = plt.subplots(figsize=(9, 3.6))[1]
    for (name, inside), (color, marker) in zip(nets.items(), MARKS, strict=False):
        heights = [step.deviation for step in inside]
        ax.plot(heights, marker=marker, markersize=5, linewidth=1, color=color)
        ax.text(len(heights) - 0.6, heights[-1], name, ha="left", va="center")
    names = [step.name for step in next(iter(nets.values()))]
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set(yscale="log", ylabel="deviation of what enters", xlim=(-0.6, len(names) + 1.6))
    return ax


@styled
def companies(classes: Sequence[str], batches: Mapping[str, Sequence[float]], alone: Sequence[float]) -> Axes:
    """The answers for one image, in several batches: dots, joined for each batch. ``alone`` are those of the stored
    statistics: squares."""
    ax = plt.subplots(figsize=(7.5, 3.2))[1]
    places = range(len(classes))
    lines = {name: [float(value) for value in values] for name, values in batches.items()}
    gap = 0.07 * (max(map(max, lines.values())) - min(map(min, lines.values())))
    height = float("-inf")
    for name, values in sorted(lines.items(), key=lambda line: line[1][-1]):
        ax.plot(places, values, "o-", color=palette.HIGHLIGHT, linewidth=0.8, markersize=6)
        height = max(values[-1], height + gap)  # labels stay readable where lines meet
        ax.text(len(classes) - 0.9, height, name, ha="left", va="center", fontsize=9)
    ax.plot(places, [float(v) for v in alone], "s", color=palette.CONVOLUTION, markersize=9, markerfacecolor="none")
    ax.text(-0.1, float(alone[0]), "evaluation mode", ha="right", va="center", fontsize=9)
    ax.axhline(0, color=palette.CONTEXT, linewidth=0.8)
    ax.set_xticks(places, classes)
    ax.set(ylabel="answer", xlim=(-0.75, len(classes) - 0.1))
    return ax


@styled
def accuracy_by_scale(factors: Sequence[float], shares: Sequence[float], marked: Mapping[str, float]) -> Axes:
    """The share of right answers against the factor that the prepared pixels are multiplied by; some factors have names."""
    ax = plt.subplots(figsize=(7.5, 3.2))[1]
    ax.plot(factors, [100 * share for share in shares], "o-", color=palette.CONVOLUTION, linewidth=1, markersize=5)
    for name, factor in marked.items():
        ax.axvline(factor, color=palette.HIGHLIGHT, linewidth=1, linestyle="--")
        ax.text(factor, 104, name, ha="center", va="bottom", fontsize=9)
    ax.set(xscale="log", xlabel="pixels multiplied by", ylabel="right answers, %", ylim=(0, 103))
    return ax
