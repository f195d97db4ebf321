"""Figures of the chapter that repeats the paper's tests: ``book/results/miniature.json`` beside the paper's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

VERDICT_COLORS = {
    "reappears": palette.CONVOLUTION,
    "contradicts": palette.HIGHLIGHT,
    "cannot tell": palette.CONTEXT,
}


@styled
def errors_by_training(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], ticks: Mapping[str, Sequence[str]]
) -> list[Axes]:
    """Top-1 error in percent against the way of training, a panel a source, each with its own axis.

    Args:
        panels: by title, lines by name; ``line[i]`` has the errors of the ``i``-th way of training, one a seed. The line
            goes through their means, and where there are several, each is a small mark.
        ticks: by title, the ways of training. A label "D, one side" and "D, three sides" share a color: the letter's.
    """
    axes = list(plt.subplots(1, len(panels), figsize=(9.5, 3.8))[1])
    letters = list(dict.fromkeys(name[0] for lines in panels.values() for name in lines))
    colors = dict(zip(letters, (look["color"] for look in looks()), strict=False))
    markers = dict(zip(letters, "os", strict=False))
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        kinds = list(dict.fromkeys(name[1:] for name in lines))
        for name, ways in lines.items():
            color, hollow = colors[name[0]], kinds.index(name[1:]) > 0
            style = {"color": color, "marker": markers[name[0]], "fillstyle": "none" if hollow else "full"}
            ax.plot(
                range(len(ways)),
                list(map(mean, ways)),
                **style,
                linestyle=":" if hollow else "-",
                markersize=7,
                label=name,
            )
            for place, values in enumerate(ways):
                if len(values) > 1:
                    aside = place + 0.1 * (1 + letters.index(name[0])) * (1 if hollow else -1)
                    ax.plot([aside] * len(values), values, **style, linestyle="none", markersize=3, alpha=0.7)
        ax.set_xticks(range(len(ticks[title])), ticks[title])
        ax.set(title=title, xlabel="training scale S")
        ax.margins(x=0.15, y=0.12)
    axes[0].set_ylabel("top-1 error, %")
    axes[-1].legend(fontsize=8)
    return axes


@styled
def orderings(comparisons: Mapping[str, Mapping]) -> Axes:
    """A row a claim: what we gained in points, a dot a seed, with both intervals; the paper's gain; the verdict.

    Args:
        comparisons: by name, as in ``results.load("miniature")["comparisons"]``: claim, rows, points, low, high, images_low,
            images_high and verdict.
    """
    ax = plt.subplots(figsize=(9.5, 0.66 * len(comparisons) + 1.3))[1]
    ax.axvline(0, color=palette.TEXT, linewidth=1)
    for place, one in enumerate(comparisons.values()):
        color = VERDICT_COLORS[one["verdict"]]
        ax.hlines(place, one["low"], one["high"], color=color, linewidth=2.2)
        ax.hlines(place + 0.2, one["images_low"], one["images_high"], color=color, linewidth=1, linestyle="--")
        values = one["points"]["values"]
        ax.plot(values, [place] * len(values), "|", color=palette.TEXT, markersize=9)
        ax.plot([one["points"]["mean"]], [place], "o", color=color, markersize=6)
        papers = mean(row["paper"] for row in one["rows"].values())
        ax.plot([papers], [place - 0.25], "D", color=palette.NORMALIZATION, markersize=6)
        where = {"x": 1.01, "y": place, "transform": ax.get_yaxis_transform()}
        ax.text(**where, s=one["verdict"], color=palette.TEXT, va="center", fontsize=9)
    ax.set_yticks(range(len(comparisons)), [_broken(one["claim"]) for one in comparisons.values()], fontsize=8.5)
    ax.set(ylim=(len(comparisons) - 0.4, -0.7), xlabel="gain, points of top-1 error")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    for place, (label, marker, color) in enumerate(
        (
            ("the paper", "D", palette.NORMALIZATION),
            ("our mean", "o", palette.CONVOLUTION),
            ("a seed", "|", palette.TEXT),
        )
    ):
        ax.plot([0.2 * place], [1.03], marker, color=color, transform=ax.transAxes, clip_on=False)
        ax.text(0.02 + 0.2 * place, 1.03, label, transform=ax.transAxes, va="center", fontsize=9)
    return ax


def _broken(claim: str) -> str:
    """In two lines, at the last comma."""
    return ",\n".join(claim.rsplit(", ", 1))
