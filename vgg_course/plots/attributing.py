"""Figures of what a net looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

if TYPE_CHECKING:
    from torch import Tensor

HATCHES = ("", "///", "...", "")


@styled
def maps_under_pictures(
    images: Tensor, maps: Mapping[str, Tensor], titles: Sequence[str] = (), *, note: str = ""
) -> Axes:
    """A row of pictures, and under it a row for each kind of map; returns the first axes.

    Args:
        images: uint8 ``(N, 3, H, W)``.
        maps: by name ``(N, h, w)``: bright is large, each map scaled to its own largest value. Maps with negative values are
            drawn red for positive and blue for negative, white at zero. Or pictures, uint8 ``(N, 3, H, W)``, drawn as they are.
        titles: one a picture.
        note: a line above everything, such as ``data.note``.
    """
    rows = {"": images, **maps}
    side = min(1.35, 8.3 / len(images))
    figure, axes = plt.subplots(
        len(rows), len(images), figsize=(side * len(images) + 1.1, side * len(rows) + 0.35), squeeze=False
    )
    height, width = images.shape[2:]
    for (name, row), line in zip(rows.items(), axes, strict=True):
        for ax, one in zip(line, row, strict=True):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            look = {"extent": (0, width, height, 0)}
            if one.ndim == 3:
                ax.imshow(one.permute(1, 2, 0).numpy(), **look)
                continue
            top = max(float(one.abs().max()), 1e-30)
            signed = bool((row < 0).any())
            ax.imshow(one.numpy(), cmap="RdBu_r" if signed else "inferno", vmin=-top if signed else 0, vmax=top, **look)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, labelpad=6)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title, fontsize=8, loc="center", pad=3)
    if note:
        figure.suptitle(note, x=0.01, ha="left", fontsize=9)
    return axes[0, 0]


@styled
def after_randomizing(layers: Sequence[str], lines: Mapping[str, Sequence[Mapping]]) -> Axes:
    """How alike a map stays while the layers become random from the top down: a line a method, a band for its interval.

    ``lines``: by method, for each layer a record with ``mean``, ``low`` and ``high``.
    """
    ax = plt.subplots(figsize=(8.6, 3.6))[1]
    places = range(len(layers) + 1)
    for (name, records), look in zip(lines.items(), looks(), strict=False):
        means = [1.0, *(record["mean"] for record in records)]
        low, high = ([1.0, *(record[key] for record in records)] for key in ("low", "high"))
        ax.fill_between(places, low, high, color=look["color"], alpha=0.2, linewidth=0)
        ax.plot(places, means, markersize=4, **look)
        ax.annotate(name, (places[-1], means[-1]), (8, 0), textcoords="offset points", va="center", color=palette.TEXT)
    ax.axhline(0, color=palette.TEXT, linewidth=0.8)
    ax.set_xticks(places, ["none", *layers], rotation=60, ha="right", fontsize=8)
    ax.set(
        ylabel="rank correlation\nwith the trained net's map", xlabel="random from the top down to", ylim=(-0.1, 1.03)
    )
    ax.set_xlim(0, 1.22 * len(layers))
    return ax


@styled
def where_it_points(rows: Mapping[str, Mapping[str, float]]) -> Axes:
    """A bar a row, of 100 percent: which share of the maps had their largest value where.

    ``rows``: by method, shares from 0 to 1 by place, in the same order in each row, four places at most.
    """
    ax = plt.subplots(figsize=(8.6, 0.52 * len(rows) + 1.0))[1]
    named: set[str] = set()
    colors = (palette.CONVOLUTION, palette.POOL, palette.NORMALIZATION, palette.CONTEXT)
    for row, shares in enumerate(rows.values()):
        left = 0.0
        for (place, share), color, hatch in zip(shares.items(), colors, HATCHES, strict=False):
            filled = {"color": color} if not hatch else {"facecolor": "none", "edgecolor": color, "hatch": hatch}
            ax.barh(row, 100 * share, 0.62, left=left, linewidth=1, **filled)
            if share > 0.06 and place not in named:  # each place is named once, above the first bar with room for it
                named.add(place)
                ax.annotate(place, (left + 50 * share, row - 0.32), ha="center", va="bottom", fontsize=8)
            if share >= 0.06:
                behind = {"facecolor": "white", "edgecolor": "none", "pad": 1} if hatch else None
                words = f"{100 * share:.0f}"
                ax.text(left + 50 * share, row, words, ha="center", va="center", fontsize=9, color="black", bbox=behind)
            left += 100 * share
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.5, -0.95), xlim=(0, 100), xlabel="share of the maps, %")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


@styled
def shares_in_rows(
    rows: Mapping[str, Mapping[str, Mapping]], xlabel: str, reference: Mapping[str, float] | None = None
) -> Axes:
    """Shares with their intervals, a row each, on an axis from zero: several marks a row, told apart by shape and word.

    Args:
        rows: by row, by mark, a record with ``mean``, ``low`` and ``high``, from 0 to 1.
        reference: dashed upright lines, by what they mean.
    """
    ax = plt.subplots(figsize=(8.6, 0.5 * len(rows) + 1.2))[1]
    kinds = list(dict.fromkeys(kind for marks in rows.values() for kind in marks))
    for row, marks in enumerate(rows.values()):
        for kind, look in zip(kinds, looks(), strict=False):
            if kind not in marks:
                continue
            mean, low, high = (100 * marks[kind][key] for key in ("mean", "low", "high"))
            y = row + 0.22 * (kinds.index(kind) - (len(kinds) - 1) / 2)
            ax.plot([low, high], [y, y], color=look["color"], linewidth=2)
            ax.plot([mean], [y], look["marker"], color=look["color"], markersize=6)
            words = f"{mean:.0f}" + (f" {kind}" if row == 0 and len(kinds) > 1 else "")
            ax.annotate(words, (high, y), (6, 0), textcoords="offset points", va="center", fontsize=8)
    for words, share in (reference or {}).items():
        ax.axvline(100 * share, color=palette.TEXT, linestyle="--", linewidth=1)
        ax.annotate(words, (100 * share, -0.62), (3, 0), textcoords="offset points", fontsize=8, va="center")
    ax.set_yticks(range(len(rows)), list(rows))
    most = max(100 * mark["high"] for marks in rows.values() for mark in marks.values())
    ax.set(ylim=(len(rows) - 0.4, -0.8), xlim=(0, 1.15 * most), xlabel=xlabel)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
