"""Figures of the study of depth: ``book/results/depth.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import styled

FAMILIES = {
    "batch": ("with batch norm", palette.CONVOLUTION, "o"),
    "none": ("without", palette.POOL, "s"),
}
PAPER = ("in the paper", palette.NORMALIZATION, "D")
TABLE = ("A", "A-LRN", "B", "B-5x5", "C", "D", "E")


@styled
def depth_by_net(found: Mapping, nets: Sequence[str] = TABLE) -> list[Axes]:
    """Test accuracy of every run: a dot a seed; a bar at the mean of those that learned, a whisker of one spread.

    A run that ended below ``failed_below`` is no dot but is counted beneath its net: "1 stuck".

    Args:
        found: what ``results.load("depth")`` returns.
        nets: which nets, from left to right.
    """
    axes = list(plt.subplots(1, len(FAMILIES), figsize=(9.5, 3.6), sharey=True)[1])
    for ax, (norm, (label, color, marker)) in zip(axes, FAMILIES.items(), strict=True):
        ticks = []
        for place, net in enumerate(nets):
            values, stuck = _learned(found, norm, net)
            ticks.append(net + (f"\n{mean(values):.1f}" if values else "") + (f"\n{stuck} stuck" if stuck else ""))
            if not values:
                continue
            spots = [place + 0.07 * (i - (len(values) - 1) / 2) for i in range(len(values))]
            ax.plot(spots, values, marker, color=color, markersize=4.5, linestyle="none")
            ax.hlines(mean(values), place - 0.32, place + 0.32, color=palette.TEXT, linewidth=1.5)
            if len(values) > 1:
                spread = stdev(values)
                ax.vlines(place + 0.32, mean(values) - spread, mean(values) + spread, color=palette.TEXT, linewidth=1)
        ax.set_xticks(range(len(nets)), ticks, fontsize=8)
        ax.tick_params(axis="x", length=0)
        ax.set_title(label)
    axes[0].set_ylabel("test accuracy, %")
    return axes


def _learned(found: Mapping, norm: str, net: str) -> tuple[list[float], int]:
    """Test accuracies in percent of the runs that learned, and how many did not."""
    runs = found["families"][norm].get(net, {"runs": []})["runs"]
    values = [100 * run["test_accuracy"] for run in runs if run["test_accuracy"] >= found["failed_below"]]
    return values, len(runs) - len(values)


@styled
def depth_differences(
    found: Mapping, pairs: Sequence[str], published: Mapping[str, Sequence[float]], reach: float = 8
) -> Axes:
    """What each change gains, in points of accuracy: the paper's numbers beside ours with their 95 % intervals.

    Args:
        found: what ``results.load("depth")`` returns.
        pairs: such as "D - C", from top to bottom.
        published: by pair, the paper's gain in points; two numbers where it can be read in two ways.
        reach: how far the axis goes; an interval beyond it is cut off there.
    """
    ax = plt.subplots(figsize=(8, 0.62 * len(pairs) + 1.1))[1]
    ax.axvline(0, color=palette.CONTEXT, linewidth=1)
    for row, pair in enumerate(pairs):
        if values := published.get(pair):
            ax.plot(values, [row - 0.25] * len(values), PAPER[2], color=PAPER[1], markersize=6, linestyle=":")
        for offset, (norm, (_, color, marker)) in zip((0.02, 0.27), FAMILIES.items(), strict=True):
            if gain := found["differences"][norm].get(pair):
                low, middle, high = (100 * gain[key] for key in ("low", "mean", "high"))
                if low < reach and high > -reach:
                    ax.hlines(row + offset, max(low, -reach), min(high, reach), color=color, linewidth=2)
                if abs(middle) <= reach:
                    ax.plot([middle], [row + offset], marker, color=color, markersize=6)
    ax.set_yticks(range(len(pairs)), [pair.replace(" - ", " over ") for pair in pairs])
    ax.set(ylim=(len(pairs) - 0.4, -0.6), xlabel="gain, points of accuracy")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    for place, (label, color, marker) in zip((0, 0.28, 0.62), (PAPER, *FAMILIES.values()), strict=True):
        ax.plot([place], [1.06], marker, color=color, transform=ax.transAxes, clip_on=False)
        ax.text(place + 0.02, 1.06, label, transform=ax.transAxes, va="center")
    return ax


@styled
def accuracy_against_macs(
    found: Mapping, line: Sequence[str] = ("A", "B", "C", "D", "E"), beside: Sequence[str] = ("B-5x5", "A-wide")
) -> Axes:
    """Mean test accuracy of the runs that learned against the MACs of one image, with a stroke of one spread.

    The nets of ``line`` are joined, those ``beside`` it are hollow.
    """
    ax = plt.subplots(figsize=(8, 3.8))[1]
    for norm, (label, color, marker) in FAMILIES.items():
        points = {}
        for net in (*line, *beside):
            values, _ = _learned(found, norm, net)
            if values:
                points[net] = found["nets"][net]["macs"] / 1e6, mean(values)
                if len(values) > 1:
                    ax.errorbar(*points[net], yerr=stdev(values), color=color, linewidth=1)
        if not (joined := [points[net] for net in line if net in points]):
            continue
        ax.plot(*zip(*joined, strict=True), color=color, linewidth=1.2)
        for net, (macs, value) in points.items():
            fill, offset, side = ("full", 5, "left") if net in line else ("none", -5, "right")
            ax.plot([macs], [value], marker, color=color, markersize=6, fillstyle=fill)
            ax.annotate(net, (macs, value), (offset, 5), textcoords="offset points", ha=side, fontsize=8)
        ax.annotate(label, joined[0], (-8, 0), textcoords="offset points", ha="right", va="center")
    ax.set(xlabel="MACs for one image, millions", ylabel="test accuracy, %")
    low, high = ax.get_xlim()
    ax.set_xlim(low - 0.22 * (high - low), high)
    return ax


@styled
def fit_and_test(found: Mapping, nets: Sequence[str] = TABLE) -> list[Axes]:
    """Mean accuracy on the training images (hollow) and on the test images (full) of the runs that learned, by net.

    Training images are shown as they are, in eval mode, after the last epoch. The number beside a line is the gap.
    """
    axes = list(plt.subplots(1, len(FAMILIES), figsize=(9.5, 3.3), sharey=True)[1])
    for ax, (norm, (label, color, marker)) in zip(axes, FAMILIES.items(), strict=True):
        for place, net in enumerate(nets):
            runs = found["families"][norm].get(net, {"runs": []})["runs"]
            runs = [run for run in runs if run["test_accuracy"] >= found["failed_below"]]
            if not runs:
                continue
            train, test = (100 * mean(run[f"{split}_accuracy"] for run in runs) for split in ("train", "test"))
            ax.vlines(place, test, train, color=color, linewidth=1)
            ax.plot([place], [train], marker, color=color, fillstyle="none", markersize=6)
            ax.plot([place], [test], marker, color=color, markersize=6)
            ax.annotate(
                f"{train - test:.1f}", (place, (train + test) / 2), (5, 0), textcoords="offset points", fontsize=8
            )
        ax.set_xticks(range(len(nets)), nets, fontsize=8)
        ax.set_xlim(-0.5, len(nets) - 0.2)
        ax.set_title(f"{label}: train (hollow), test (full)")
    axes[0].set_ylabel("accuracy, %")
    return axes
