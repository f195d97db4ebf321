"""Figures of tests that average many views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled


@styled
def posteriors(rows: Mapping[str, Sequence[float]], classes: Sequence[str]) -> Axes:
    """Each row is one answer: the probability of every class as a bar, in small multiples side by side."""
    axes = plt.subplots(1, len(rows), figsize=(2.35 * len(rows), 2.3), sharey=True, squeeze=False)[1][0]
    for ax, (title, values) in zip(axes, rows.items(), strict=True):
        best = max(range(len(values)), key=values.__getitem__)
        colors = [palette.HIGHLIGHT if i == best else palette.CONVOLUTION for i in range(len(values))]
        ax.bar(range(len(values)), values, color=colors)
        for place, value in enumerate(values):
            ax.text(place, value + 0.02, f"{value:.2f}", ha="center", va="bottom", fontsize=9)
        ax.set_title(title, fontsize=10)
        ax.set_xticks(range(len(classes)), classes, fontsize=8)
        ax.tick_params(axis="x", length=0)
    axes[0].set(ylim=(0, 1.12), ylabel="probability", yticks=[0, 0.5, 1])
    return axes[0]


@styled
def error_by_side(sides: Sequence[int], errors: Sequence[Sequence[float]], train: int) -> Axes:
    """Error in percent against the side of the test images: a dot a net, a line through the means.

    ``errors[i]`` are those of the nets at ``sides[i]``; the nets were trained at ``train`` pixels.
    """
    ax = plt.subplots(figsize=(6.4, 3.2))[1]
    for side, values in zip(sides, errors, strict=True):
        ax.plot([side] * len(values), values, "o", color=palette.CONVOLUTION, markersize=4)
    means = [mean(values) for values in errors]
    ax.plot(sides, means, color=palette.CONVOLUTION, linewidth=1.2)
    for side, value in zip(sides, means, strict=True):
        ax.annotate(f"{value:.1f}", (side, value), (9, -3), textcoords="offset points", va="top", fontsize=9)
    ax.axvline(train, color=palette.TEXT, linewidth=0.8, linestyle="--")
    ax.annotate(
        "trained here", (train, 1), (6, -2), xycoords=("data", "axes fraction"), textcoords="offset points", va="top"
    )
    ax.set_xlim(min(sides) - 2, max(sides) + 5)
    ax.set(xlabel="test side Q, pixels", ylabel="top-1 error, %", xticks=sides, ylim=(0, 1.15 * max(map(max, errors))))
    return ax


@styled
def error_against_cost(
    points: Mapping[str, tuple[float, Sequence[float]]],
    *,
    also: Mapping[str, tuple[float, Sequence[float]]] | None = None,
    names: tuple[str, str] = ("one net", "two nets"),
    beside: Mapping[str, tuple[float, float]] | None = None,
) -> Axes:
    """Error in percent against GMAC an image, on a logarithmic axis: cheap and good is at the lower left.

    Args:
        points: by name, MACs and the errors of one or more nets; a mark at their mean, a stroke from least to most.
        also: a second series, of hollow marks, such as fusions.
        names: of the two series.
        beside: by name, where its label stands, in points from the mark; to the right if it is not here.
    """
    ax = plt.subplots(figsize=(8, 4.2))[1]
    for series, look, face, title in zip((points, also or {}), looks(), (None, "none"), names, strict=False):
        for number, (name, (macs, errors)) in enumerate(series.items()):
            middle, style = mean(errors), {"markerfacecolor": face or look["color"], "markersize": 7}
            if len(errors) > 1:
                ax.vlines(macs / 1e9, min(errors), max(errors), color=look["color"], linewidth=1.5)
            label = title if also and number == 0 else None
            ax.plot([macs / 1e9], [middle], look["marker"], color=look["color"], label=label, **style)
            right, up = (beside or {}).get(name, (8, 0))
            side = "left" if right > 0 else "right" if right < 0 else "center"
            ax.annotate(
                name, (macs / 1e9, middle), (right, up), textcoords="offset points", ha=side, va="center", fontsize=9
            )
    ax.set_xscale("log")
    ax.set(xlabel="GMAC an image", ylabel="top-1 error, %")
    ax.margins(x=0.12, y=0.12)
    if also:
        ax.legend(loc="upper right")
    return ax
