"""Figures of the chapter that reads the paper's results: tables made visible, chance drawn beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from vgg_course import palette
from vgg_course.paper import Evaluation, Network
from vgg_course.plots.style import looks, styled

LETTERS = ("A", "A-LRN", "B", "C", "D", "E")
SCALES = ("256", "384", "[256; 512]")


@styled
def errors_by_configuration(tables: Mapping[str, Collection[Evaluation]]) -> list[Axes]:
    """Top-1 error of every row against its configuration: a panel a table, a line for each way of training.

    A-LRN stands beside A and is hollow, not joined: it is no deeper. Both panels share one axis.
    """
    axes = list(plt.subplots(1, len(tables), figsize=(9.5, 4), sharey=True)[1])
    for ax, (title, rows) in zip(axes, tables.items(), strict=True):
        for scale, look in zip(SCALES, looks(), strict=False):
            errors = {row.configuration: row.top_1 for row in rows if str(row.train) == scale}
            if not errors:
                continue
            line = [(LETTERS.index(name), error) for name, error in errors.items() if name != "A-LRN"]
            ax.plot(*zip(*line, strict=True), color=look["color"], marker=look["marker"], markersize=6)
            if "A-LRN" in errors:
                style = {"marker": look["marker"], "fillstyle": "none", "markersize": 6}
                ax.plot([LETTERS.index("A-LRN")], [errors["A-LRN"]], color=look["color"], linestyle="none", **style)
            name = f"S = {scale}" if scale.isdigit() else f"S in {scale}"
            ax.annotate(name, line[-1], (8, 0), textcoords="offset points", va="center", fontsize=9)
        ax.set_xticks(range(len(LETTERS)), LETTERS)
        ax.set_xlim(-0.4, len(LETTERS) + 0.7)
        ax.grid(axis="y", color=palette.CONTEXT, linewidth=0.5, alpha=0.4)
        ax.tick_params(length=0)
        ax.set_title(title)
    axes[0].set_ylabel("top-1 error, %")
    return axes


@styled
def gains_and_chance(rows: Mapping[str, Sequence[tuple[str, float]]], reaches: Sequence[float]) -> Axes:
    """Gains in points, a row a claim, a dot a comparison with its name above; bands as wide as chance reaches.

    Args:
        rows: for each claim, (name, gain) of its comparisons; a gain that speaks for the claim is positive.
        reaches: two standard errors of a difference, in points, for one assumption each. The bands lie over each other.
    """
    ax = plt.subplots(figsize=(9, 0.5 * len(rows) + 1.2))[1]
    for reach in reaches:
        ax.axvspan(-reach, reach, color=palette.CONTEXT, alpha=0.12, linewidth=0)
    ax.axvline(0, color=palette.TEXT, linewidth=1)
    for place, comparisons in enumerate(rows.values()):
        for gain in sorted({gain for _, gain in comparisons}):
            names = [name for name, other in comparisons if other == gain]
            color, marker = (palette.CONVOLUTION, "o") if gain > 0 else (palette.HIGHLIGHT, "s")
            fill = "full" if abs(gain) > max(reaches) else "none"
            ax.plot([gain], [place], marker, color=color, fillstyle=fill, markersize=7)
            ax.annotate(", ".join(names), (gain, place), (0, 6), textcoords="offset points", ha="center", fontsize=7.5)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.4, -0.7), xlabel="gain, points of top-1 error")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


@styled
def gains_over_first(families: Mapping[str, Mapping[str, float]]) -> Axes:
    """Points of error that each net of a family is below the family's first one; a line a family, named at its end."""
    ax = plt.subplots(figsize=(7.5, 3.6))[1]
    names = list(next(iter(families.values())))
    ends = {label: errors[names[0]] - errors[names[-1]] for label, errors in families.items()}
    heights, gap = {}, 0.06 * max(map(abs, ends.values()))
    for label in sorted(ends, key=ends.get):  # names that would meet are pushed apart
        heights[label] = max(ends[label], *(height + gap for height in heights.values())) if heights else ends[label]
    for (label, errors), look in zip(families.items(), looks(), strict=False):
        gains = [errors[names[0]] - errors[name] for name in names]
        ax.plot(range(len(names)), gains, color=look["color"], marker=look["marker"], markersize=6)
        ax.text(len(names) - 0.88, heights[label], label, va="center", fontsize=9)
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.3, len(names) + 0.9)
    ax.set_ylabel(f"points below {names[0]}")
    ax.grid(axis="y", color=palette.CONTEXT, linewidth=0.5, alpha=0.4)
    ax.tick_params(length=0)
    return ax


@styled
def submission_grid(
    rows: Collection[Evaluation],
    members: Collection[Network],
    later: Collection[Network],
    unknown: Collection[str] = (),
) -> Axes:
    """Configurations by training scales: filled where a net was a member, framed where it was one of the ``later`` pair.

    A cell shows the top-1 error with several test scales, "-" where the net was not tested so, "?" beside the errors
    of ``unknown`` (cells such as "D [256; 512]"), whose error as a member is not printed.
    """
    ax = plt.subplots(figsize=(6.4, 4.2))[1]
    errors = {(row.configuration, str(row.train)): row.top_1 for row in rows}
    cells = {(net.configuration, str(net.train)) for net in members}
    frames = {(net.configuration, str(net.train)) for net in later}
    for y, letter in enumerate(LETTERS):
        for x, scale in enumerate(SCALES):
            cell, place = (letter, scale), (x - 0.44, y - 0.4)
            if cell in cells:
                ax.add_patch(Rectangle(place, 0.88, 0.8, color=palette.CONVOLUTION, alpha=0.22, linewidth=0))
                ax.plot([x - 0.36], [y], "o", color=palette.CONVOLUTION, markersize=7)  # color never speaks alone
            if cell in frames:
                look = {"edgecolor": palette.POOL, "linewidth": 3, "facecolor": "none"}
                ax.add_patch(Rectangle(place, 0.88, 0.8, **look))
            words = f"{errors[cell]:.1f}" if cell in errors else "-"
            if f"{letter} {scale}" in unknown:
                words = f"then ?\nlater {words}"
            ax.text(x, y, words, ha="center", va="center", fontsize=10)
    ax.set_xticks(range(len(SCALES)), [f"S = {s}" if s.isdigit() else f"S in {s}" for s in SCALES])
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(LETTERS)), LETTERS)
    ax.set(xlim=(-0.5, len(SCALES) - 0.5), ylim=(len(LETTERS) - 0.5, -0.5))
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


@styled
def fused_errors(curves: Mapping[str, Sequence[float]], measured: Mapping[str, tuple[int, float]]) -> Axes:
    """Error in percent against the number of averaged nets, 1, 2, ...: a line a model, a large dot a measured value."""
    ax = plt.subplots(figsize=(8, 3.8))[1]
    for (label, errors), look in zip(curves.items(), looks(), strict=False):
        ax.plot(range(1, len(errors) + 1), errors, color=look["color"], linewidth=1.6, linestyle="--")
        ax.annotate(label, (len(errors), errors[-1]), (8, 0), textcoords="offset points", va="center", fontsize=9)
    for label, (nets, error) in measured.items():
        ax.plot([nets], [error], "o", color=palette.TEXT, markersize=8)
        ax.annotate(label, (nets, error), (8, 8), textcoords="offset points", fontsize=9)
    longest = max(map(len, curves.values()))
    ax.set_xticks(range(1, longest + 1))
    ax.set(xlim=(0.6, 1.35 * longest), xlabel="nets averaged", ylabel="top-1 error, %")
    return ax


@styled
def headline_errors(rows: Mapping[str, tuple[float | None, float | None]]) -> Axes:
    """Top-5 errors in percent, a row an entry: hollow for the validation images, full for the test images."""
    ax = plt.subplots(figsize=(9, 0.52 * len(rows) + 1.1))[1]
    for place, pair in enumerate(rows.values()):
        drawn = [error for error in pair if error is not None]
        ax.plot(drawn, [place] * len(drawn), color=palette.CONTEXT, linewidth=1.5, zorder=1)
        for error, fill, color, side in zip(
            pair, ("none", "full"), (palette.CONVOLUTION, palette.FULLY_CONNECTED), (1, -1), strict=True
        ):
            if error is None:
                continue
            both = pair[0] == pair[1]
            size = 11 if both and fill == "none" else 7
            ax.plot([error], [place], "o" if fill == "none" else "D", color=color, fillstyle=fill, markersize=size)
            if both and side == 1:
                continue  # one label for both
            align = {1: "left", -1: "right"}[side]
            ax.annotate(
                f"{error:.1f}", (error, place), (10 * side, 0), textcoords="offset points", ha=align, va="center"
            )
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.4, -0.9), xlabel="top-5 error, %")
    ax.margins(x=0.12)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    for place, (words, marker, fill, color) in enumerate(
        (("validation", "o", "none", palette.CONVOLUTION), ("test", "D", "full", palette.FULLY_CONNECTED))
    ):
        ax.plot(
            [0.02 + 0.2 * place], [1.02], marker, color=color, fillstyle=fill, transform=ax.transAxes, clip_on=False
        )
        ax.text(0.04 + 0.2 * place, 1.02, words, transform=ax.transAxes, va="center", fontsize=9)
    return ax
