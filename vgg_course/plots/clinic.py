"""Figures of what mistakes cost: every seed shown, ``book/results/clinic.json`` and small runs alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import label_ends, looks, styled


@styled
def costs(rows: Mapping[str, Sequence[float]], intervals: Mapping[str, float], xlabel: str = "") -> Axes:
    """Costs as shares of 1, a row for each mistake: a dot a seed, a square for the mean, a bar for its interval.

    Args:
        rows: for each mistake its cost, one number a seed; drawn in percentage points, the first row on top.
        intervals: half the width of the confidence interval of each mean.
    """
    ax = plt.subplots(figsize=(9, 0.62 * len(rows) + 0.9))[1]
    ax.axvline(0, color=palette.CONTEXT, linewidth=1, linestyle="--")
    for place, (name, values) in enumerate(rows.items()):
        points, middle, half = [100 * v for v in values], 100 * mean(values), 100 * intervals[name]
        ax.plot([middle - half, middle + half], [place, place], color=palette.CONVOLUTION, linewidth=5, alpha=0.35)
        ax.plot(points, [place] * len(points), "o", color=palette.HIGHLIGHT, markersize=5, alpha=0.85)
        ax.plot([middle], [place], "s", color=palette.CONVOLUTION, markersize=8, markerfacecolor="none")
        ax.annotate(f"{middle:+.1f}", (middle, place), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.5, -0.7), xlabel=xlabel or "percentage points lost (each dot is a seed)")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


@styled
def judges(rows: Mapping[str, Mapping[str, Sequence[float]]]) -> Axes:
    """Accuracies (shares) that several judges give the same nets: a row a judge, a dot a seed, a label for the mean.

    Each row has one or more named series; the first is drawn as dots and each further one as the next of the style's
    marks, a little lower.
    """
    ax = plt.subplots(figsize=(9, 0.62 * len(rows) + 0.9))[1]
    named = set()
    for place, series in enumerate(rows.values()):
        for lower, ((name, values), look) in enumerate(zip(series.items(), looks(), strict=False)):
            points, height = [100 * v for v in values], place + 0.3 * lower
            style = {"color": look["color"], "marker": look["marker"], "linestyle": "none", "markersize": 5}
            label = name if name not in named else None
            named.add(name)
            ax.plot(points, [height] * len(points), label=label, alpha=0.85, **style)
            ax.annotate(f"{mean(points):.1f}", (max(points), height), (8, -3), textcoords="offset points", fontsize=9)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.3, -0.5), xlabel="accuracy, %")
    ax.margins(x=0.08)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    if len(named) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(named), fontsize=9, borderaxespad=0)
    return ax


@styled
def decaying(curves: Mapping[str, Sequence[float]], xlabel: str = "steps") -> Axes:
    """Absolute sizes of weights against the step, on a logarithmic scale, each curve named at its end."""
    ax = plt.subplots(figsize=(8, 3.2))[1]
    ends = []
    for (name, values), look in zip(curves.items(), looks(), strict=False):
        sizes = [abs(float(value)) for value in values]
        ax.plot(range(len(sizes)), sizes, color=look["color"], linestyle=look["linestyle"], linewidth=1.6)
        ends.append((sizes[-1], name, look["color"]))
    ax.set(yscale="log", xlabel=xlabel, ylabel="what is left", xlim=(0, max(map(len, curves.values())) - 1))
    label_ends(ax, ends, "right")
    return ax


@styled
def picked_epochs(validation: Sequence[Sequence[float]], test: Sequence[Sequence[float]]) -> list[Axes]:
    """Test accuracy by epoch, a panel a seed; marked: the last epoch, the best on validation, the best on test.

    Args:
        validation, test: accuracies (shares) after every epoch, one sequence a seed.
    """
    axes = plt.subplots(1, len(test), figsize=(9, 2.7), sharey=True, squeeze=False)[1][0]
    for ax, held, tested in zip(axes, validation, test, strict=True):
        epochs, percent = range(1, len(tested) + 1), [100 * share for share in tested]
        ax.plot(epochs, percent, color=palette.CONTEXT, linewidth=1.2)
        ax.plot(epochs, [100 * share for share in held], color=palette.CONTEXT, linewidth=0.9, linestyle=":")
        by_test, by_validation = (max(range(len(values)), key=values.__getitem__) for values in (tested, held))
        for at, marker, color, size in (
            (len(tested) - 1, "s", palette.CONVOLUTION, 9),
            (by_validation, "D", palette.POOL, 8),
            (by_test, "o", palette.HIGHLIGHT, 5),
        ):
            filled = color if marker == "o" else "none"
            ax.plot([at + 1], [percent[at]], marker, color=color, markersize=size, markerfacecolor=filled)
        ax.set(xlabel="epoch", xlim=(0, len(tested) + 1))
    axes[0].set_ylabel("test accuracy, %")
    names = {"best on test": ("o", palette.HIGHLIGHT), "best on validation": ("D", palette.POOL)}
    names["last"] = ("s", palette.CONVOLUTION)
    handles = [
        plt.Line2D([], [], marker=m, color=c, linestyle="none", markerfacecolor=c if m == "o" else "none", label=n)
        for n, (m, c) in names.items()
    ]
    axes[0].figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9)
    return list(axes)


@styled
def printed_losses(means: Sequence[Sequence[float]], lasts: Sequence[Sequence[float]]) -> Axes:
    """Loss by epoch, a line a seed for the mean over all images, a cross a seed for the last mini-batch."""
    ax = plt.subplots(figsize=(8, 3.2))[1]
    for seed, (mean_losses, last_losses) in enumerate(zip(means, lasts, strict=True)):
        epochs = range(1, len(mean_losses) + 1)
        names = ("mean over the epoch", "last mini-batch") if seed == 0 else (None, None)
        ax.plot(epochs, mean_losses, color=palette.CONVOLUTION, linewidth=1.3, label=names[0])
        ax.plot(epochs, last_losses, "x", color=palette.HIGHLIGHT, markersize=6, label=names[1])
    ax.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
    ax.legend(fontsize=9)
    return ax
