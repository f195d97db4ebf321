"""Figures of transfer: accuracy against images a class, losses of a classifier, and what a wrong input costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import MARKERS, looks, styled


def name_ends(ax: Axes, ends: Sequence[tuple[float, str, str]], gap: float = 0.07) -> None:
    """Name each line at its right end, at a leader in its color; labels that would meet are pushed apart, in order."""
    ax.set_ylim(ax.get_ylim())
    low, high = ax.get_ylim()
    ends = sorted(ends)
    wanted = [(value - low) / (high - low) for value, _, _ in ends]
    places = list(wanted)
    for _ in range(300):
        for i in range(len(places) - 1):
            if (lack := gap - (places[i + 1] - places[i])) > 1e-9:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
    for place, want, (_, label, color) in zip(places, wanted, ends, strict=True):
        ax.plot([1, 1.03], [want, place], transform=ax.transAxes, color=color, linewidth=1, clip_on=False)
        ax.text(1.04, place, label, transform=ax.transAxes, va="center", fontsize=9)


@styled
def few_shot_curves(arms: Mapping[str, Mapping[int, Sequence[float]]], chance: float) -> Axes:
    """Accuracy against the number of training images a class: a line through the means, a stroke from lowest to highest.

    Args:
        arms: by the name at the line's end, shares from 0 to 1 (one a seed) by images a class.
        chance: the share that guessing gets right, drawn as a dashed line.
    """
    ax = plt.subplots(figsize=(8, 4.4))[1]
    ends, counts = [], sorted({n for by_size in arms.values() for n in by_size})
    for (name, by_size), look in zip(arms.items(), looks(), strict=False):
        sizes = sorted(by_size)
        means = [100 * mean(by_size[n]) for n in sizes]
        ax.vlines(
            sizes,
            [100 * min(by_size[n]) for n in sizes],
            [100 * max(by_size[n]) for n in sizes],
            color=look["color"],
            linewidth=1.2,
        )
        ax.plot(sizes, means, linewidth=1.8, markersize=5, **look)
        ends.append((means[-1], name, look["color"]))
    ax.axhline(100 * chance, color=palette.TEXT, linewidth=1, linestyle="--")
    ax.text(counts[0], 100 * chance, "chance", va="bottom", fontsize=8)
    ax.set(xscale="log", xlabel="training images of each class", ylabel="test accuracy, %", ylim=(0, None))
    ax.set_xticks(counts, [str(n) for n in counts])
    ax.minorticks_off()
    name_ends(ax, ends)
    return ax


@styled
def margin_losses() -> Axes:
    """What one example costs, against its margin y s: hinge, squared hinge and the logistic loss."""
    from math import exp, log1p

    ax = plt.subplots(figsize=(6.4, 3))[1]
    margins = [i / 50 for i in range(-75, 126)]
    for (name, loss, at), look in zip(
        (
            ("squared hinge", lambda m: max(0, 1 - m) ** 2, -0.62),
            ("hinge", lambda m: max(0, 1 - m), -0.85),
            ("logistic", lambda m: log1p(exp(-m)), -0.4),
        ),
        looks(),
        strict=False,
    ):
        ax.plot(margins, [loss(m) for m in margins], color=look["color"], marker=look["marker"], markevery=25)
        offset = {"squared hinge": (-8, 4), "hinge": (-6, -13), "logistic": (6, -14)}[name]
        ax.annotate(name, (at, loss(at)), offset, textcoords="offset points", ha="right", fontsize=9)
    ax.axvline(1, color=palette.TEXT, linestyle="--", linewidth=1)
    ax.text(1.03, 2.6, "beyond 1 the hinge\nasks for nothing more", fontsize=8, va="top")
    ax.set(xlabel="margin: label (1 or -1) times score", ylabel="loss", ylim=(0, 4), xlim=(-1.5, 2.5))
    return ax


@styled
def marks_by_row(
    rows: Mapping[str, Mapping[str, float]], reference: tuple[str, float] | None = None, label: str = "test accuracy, %"
) -> Axes:
    """Shares from 0 to 1 in percent: a row a name, one mark a kind, told apart by shape and color; from zero on.

    Args:
        rows: by row, by kind. The kinds are explained above the axes.
        reference: a name and a share, drawn as a dashed line through all rows.
    """
    ax = plt.subplots(figsize=(8, 0.36 * len(rows) + 1.2))[1]
    kinds = list(dict.fromkeys(kind for marks in rows.values() for kind in marks))
    colors = (palette.CONVOLUTION, palette.POOL, palette.NORMALIZATION, palette.FULLY_CONNECTED)
    for row, marks in enumerate(rows.values()):
        shares = [100 * share for share in marks.values()]
        ax.hlines(row, min(shares), max(shares), color=palette.CONTEXT, linewidth=1)
    for kind, color, marker in zip(kinds, colors, MARKERS, strict=False):
        points = [(100 * marks[kind], row) for row, marks in enumerate(rows.values()) if kind in marks]
        ax.plot(*zip(*points, strict=True), marker, color=color, markersize=7, label=kind)
    if reference:
        ax.axvline(100 * reference[1], color=palette.TEXT, linestyle="--", linewidth=1)
        ax.text(100 * reference[1], -0.62, f" {reference[0]}", fontsize=8, va="bottom")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, None), xlabel=label)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=len(kinds), handletextpad=0.2, borderpad=0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
