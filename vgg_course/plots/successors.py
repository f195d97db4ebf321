"""Figures of what came after VGG: costs of published nets, recipes, depth with and without shortcuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

ARMS = {
    "plain": ("plain", palette.POOL, "s", "--"),
    "dirac": ("plain, dirac", palette.NORMALIZATION, "^", ":"),
    "residual": ("residual", palette.CONVOLUTION, "o", "-"),
}
"""Of each arm: its label, color, marker and line."""


@styled
def costs_of_nets(columns: Mapping[str, Mapping[str, float]], marked: Sequence[str] = ()) -> list[Axes]:
    """A table of bars: a row a net, a column a quantity, every bar from zero with its value behind it.

    Args:
        columns: by heading, the value of every net by its title. The rows are those of the first column, in its order.
        marked: the nets whose bars are hatched.
    """
    titles = list(next(iter(columns.values())))
    axes = plt.subplots(1, len(columns), figsize=(9.2, 0.3 * len(titles) + 0.8), sharey=True)[1]
    for ax, (heading, values) in zip(axes, columns.items(), strict=True):
        most = max(values.values())
        for row, title in enumerate(titles):
            here = title in marked
            color = palette.CONVOLUTION if here else palette.CONTEXT
            hatch = {"facecolor": "none", "edgecolor": color, "hatch": "////"} if here else {"color": color}
            ax.barh(row, values[title], 0.62, **hatch)
            value = values[title]
            number = f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"
            ax.annotate(number, (value, row), (3, 0), textcoords="offset points", va="center", fontsize=8.5)
        ax.set_title(heading, fontsize=9, loc="left")
        ax.set_xlim(0, 1.42 * most)
        ax.set_xticks([])
        ax.tick_params(axis="y", length=0)
        for side in ("bottom", "left"):
            ax.spines[side].set_visible(False)
    axes[0].set_yticks(range(len(titles)), titles, fontsize=9)
    axes[0].set_ylim(len(titles) - 0.4, -0.6)
    return list(axes)


Point = tuple[float, float]


@styled
def in_proportion(
    groups: Mapping[str, Mapping[str, Point]],
    xlabel: str,
    ylabel: str,
    places: Mapping[str, tuple[float, float]] | None = None,
) -> Axes:
    """Two positive quantities of nets, both axes logarithmic: along a dotted line they are in proportion.

    Args:
        groups: by the group's name, by the net's name: both quantities. A group has a color and a marker, and its points are
            joined.
        places: by the net's name, where its label begins, in points from the mark; else at the right.
    """
    ax = plt.subplots(figsize=(7.6, 5))[1]
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    for nets, look in zip(groups.values(), looks(), strict=False):
        ax.plot(*zip(*nets.values(), strict=True), color=look["color"], marker=look["marker"], linewidth=0.8)
        for name, point in nets.items():
            offset = (places or {}).get(name, (7, -3))
            side = "left" if offset[0] > 0 else "right"
            ax.annotate(name, point, offset, textcoords="offset points", fontsize=9, ha=side)
    low, high = ax.get_xlim()
    limits = (low / 1.6, high * 1.9), ax.get_ylim()
    for power in range(-8, 9):
        ax.plot(limits[0], [10**power * x for x in limits[0]], color=palette.CONTEXT, linestyle=":", linewidth=0.8)
    ax.set(xlim=limits[0], ylim=limits[1])
    return ax


@styled
def two_recipes(pairs: Mapping[str, tuple[float, float]], beside: Mapping[str, float] | None = None) -> Axes:
    """Accuracy in percent of the same net trained by two recipes: hollow and full, joined, with the gain between them.

    Args:
        pairs: by net, the accuracy with the first recipe and with the second.
        beside: nets with one recipe, as hollow squares in rows below.
    """
    rows = len(pairs) + len(beside or {})
    ax = plt.subplots(figsize=(7.6, 0.42 * rows + 0.9))[1]
    for row, (first, second) in enumerate(pairs.values()):
        ax.hlines(row, first, second, color=palette.CONVOLUTION, linewidth=2)
        ax.plot([first], [row], "o", color=palette.CONVOLUTION, fillstyle="none", markersize=7)
        ax.plot([second], [row], "o", color=palette.CONVOLUTION, markersize=7)
        ax.annotate(f"{first:.1f}", (first, row), (-7, 0), textcoords="offset points", ha="right", va="center")
        words = f"{second:.1f}   (+{second - first:.1f})"
        ax.annotate(words, (second, row), (7, 0), textcoords="offset points", va="center")
    for row, value in enumerate((beside or {}).values(), len(pairs)):
        ax.plot([value], [row], "s", color=palette.POOL, fillstyle="none", markersize=7)
        ax.annotate(f"{value:.1f}", (value, row), (-7, 0), textcoords="offset points", ha="right", va="center")
    ax.set_yticks(range(rows), [*pairs, *(beside or {})])
    ax.set(ylim=(rows - 0.4, -0.6), xlabel="top-1 accuracy on ImageNet's validation images, %")
    low, high = ax.get_xlim()
    ax.set_xlim(low - 1.2, high + 2.4)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


@styled
def depth_by_arm(found: Mapping, splits: Sequence[str] = ("train", "validation")) -> list[Axes]:
    """Error against depth, a panel a split: a mark a seed, a line through the means, named at its end.

    Args:
        found: what ``results.load("degradation")`` returns.
    """
    axes = list(plt.subplots(1, len(splits), figsize=(9.2, 3.8), sharey=True)[1])
    for ax, split in zip(axes, splits, strict=True):
        ends = []
        for (arm, (label, color, marker, line)), shift in zip(ARMS.items(), (-0.4, 0, 0.4), strict=True):
            by_depth = found["arms"][arm]
            depths = [int(depth) for depth in by_depth]
            errors = [[100 * (1 - x) for x in by_depth[str(d)][f"{split}_accuracy"]["values"]] for d in depths]
            for depth, some in zip(depths, errors, strict=True):
                ax.plot([depth + shift] * len(some), some, marker, color=color, markersize=4.5, alpha=0.75)
            middle = [mean(some) for some in errors]
            ax.plot(depths, middle, color=color, linestyle=line, linewidth=1.6)
            ends.append((middle[-1], label))
        _beside(ax, depths[-1], ends)
        ax.set_title("training photographs" if split == "train" else f"{split} photographs")
        ax.set_xticks(depths)
        ax.set_xlim(depths[0] - 2, depths[-1] + 15)
        ax.set_xlabel("depth, layers")
    axes[0].set_ylabel("error, %")
    axes[0].set_ylim(0, None)
    return axes


def _beside(ax: Axes, x: float, ends: Sequence[tuple[float, str]], apart: float = 0.075) -> None:
    """Labels at the ends of lines, in order, pushed apart where they would meet."""
    low, high = 0.0, ax.get_ylim()[1]
    places: list[float] = []
    for value, label in sorted(ends):
        place = value if not places else max(value, places[-1] + apart * (high - low))
        places.append(place)
        ax.annotate(label, (x, value), (x + 1.4, place), textcoords="data", va="center", fontsize=9)


@styled
def errors_by_epoch(found: Mapping, arms: Sequence[str] = ("plain", "residual")) -> list[Axes]:
    """Training error after every epoch, mean over seeds, a panel an arm and a line a depth (He et al. 2015, Figure 6)."""
    axes = list(plt.subplots(1, len(arms), figsize=(9.2, 3.6), sharey=True)[1])
    for ax, arm in zip(axes, arms, strict=True):
        ends = []
        for (depth, one), look in zip(found["arms"][arm].items(), looks(), strict=False):
            curves = [[100 * (1 - x) for x in run["curve"]] for run in one["runs"]]
            line = [mean(at) for at in zip(*curves, strict=True)]
            ax.plot(range(1, len(line) + 1), line, **look, markersize=4)
            ends.append((line[-1], f"{depth} layers"))
        ax.set_title(ARMS[arm][0])
        ax.set_xlabel("epoch")
        ax.set_xlim(0.6, 1.32 * len(line))
        ax.set_xticks(range(1, len(line) + 1))
    axes[0].set_ylabel("training error, %")
    axes[0].set_ylim(0, None)
    for ax, arm in zip(axes, arms, strict=True):
        ends = [
            (mean(100 * (1 - run["curve"][-1]) for run in one["runs"]), f"{depth} layers")
            for depth, one in found["arms"][arm].items()
        ]
        _beside(ax, len(line) - 1, ends)
    return axes


@styled
def gradient_by_block(gradients: Mapping[str, Sequence[float]]) -> Axes:
    """RMS of the gradient behind every block, over that behind the last, one line a net, named at its first block."""
    ax = plt.subplots(figsize=(7.6, 3.8))[1]
    ax.set_yscale("log")
    for (name, values), (_, color, marker, line) in zip(gradients.items(), ARMS.values(), strict=False):
        numbers = range(1, len(values) + 1)
        ax.plot(numbers, [v / values[-1] for v in values], color=color, marker=marker, linestyle=line, markersize=4)
        ax.annotate(name, (1, values[0] / values[-1]), (-8, 0), textcoords="offset points", ha="right", va="center")
    ax.axhline(1, color=palette.CONTEXT, linewidth=0.8)
    ax.set(xlabel="block, from the images to the classifier", ylabel="gradient, over that of the last block")
    ax.set_xlim(1 - 0.28 * len(values), len(values) + 1)
    ax.set_xticks([1, *range(5, len(values) + 1, 5)])
    return ax


@styled
def work_by_stage(nets: Mapping[str, Mapping[str, float]]) -> list[Axes]:
    """MACs of each stage of nets, in billions: a panel a net, a bar a stage from zero, its value behind it."""
    stages = max(map(len, nets.values()))
    axes = list(plt.subplots(1, len(nets), figsize=(9.2, 0.42 * stages + 0.9))[1])
    for ax, (name, by_stage) in zip(axes, nets.items(), strict=True):
        for row, value in enumerate(by_stage.values()):
            ax.barh(row, value / 1e9, 0.62, color=palette.CONVOLUTION)
            ax.annotate(f"{value / 1e9:.2f}", (value / 1e9, row), (4, 0), textcoords="offset points", va="center")
        ax.set_yticks(range(len(by_stage)), list(by_stage))
        ax.set(title=name, xlabel="MACs, billions", ylim=(stages - 0.4, -0.6))
        ax.set_xlim(0, 1.25 * max(by_stage.values()) / 1e9)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    return axes
