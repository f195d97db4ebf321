"""Figures of paintings, and of what nets and pixels say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

if TYPE_CHECKING:
    from torch import Tensor


@styled
def gallery(rows: Mapping[str, Sequence[Tensor]], columns: Sequence[str] = (), side: float = 1.5) -> Axes:
    """Pictures in rows that are named on the left, in columns that are named above. Returns the first axes.

    Args:
        rows: by name, pictures ``(3, H, W)`` or ``(1, 3, H, W)``, uint8 from 0 to 255 or floating-point from 0 to 1; a row
            may be shorter than the others.
        columns: their names.
        side: of a picture, in inches, as long as that fits on the page.
    """
    across = max(map(len, rows.values()))
    side = min(side, 9.2 / across)
    lines = max((name.count("\n") + 1 for name in columns), default=0)
    size = (side * across + 0.3, side * len(rows) + 0.18 * lines)
    axes = plt.subplots(len(rows), across, figsize=size, squeeze=False)[1]
    for y, (ax_row, (name, pictures)) in enumerate(zip(axes, rows.items(), strict=True)):
        for x, ax in enumerate(ax_row):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if x < len(pictures):
                picture = pictures[x].detach().reshape(pictures[x].shape[-3:]).permute(1, 2, 0)
                ax.imshow(picture.numpy() if not picture.is_floating_point() else picture.clamp(0, 1).numpy())
            if y == 0 and x < len(columns):
                ax.set_title(columns[x], fontsize=8, loc="center", pad=3)
        ax_row[0].set_ylabel(name, fontsize=8, labelpad=4)
    return axes[0, 0]


@styled
def descents(losses: Mapping[str, Sequence[float] | Mapping[int, float]]) -> Axes:
    """The loss against looks through the net, by name, both on logarithmic axes; lines are named at their ends.

    ``losses``: of every look in order, or by look.
    """
    ax = plt.subplots(figsize=(7, 3.2))[1]
    ends = []
    for (name, values), look in zip(losses.items(), looks(), strict=False):
        points = dict(values) if isinstance(values, Mapping) else dict(enumerate(values, 1))
        xs, ys = list(points), list(points.values())
        if not isinstance(values, Mapping):
            look = {**look, "marker": None}
        ax.plot(xs, ys, **look, markersize=4)
        ends.append((ys[-1], name, look["color"], xs[-1]))
    ax.set(xscale="log", yscale="log", xlabel="looks through the net", ylabel="loss")
    _name_ends(ax, ends)
    return ax


@styled
def texture_by_depth(
    nets: Mapping[str, Sequence[float]], reference: Mapping[str, float], layers: Sequence[str]
) -> Axes:
    """How far the painting's autocorrelation is from the style's, by the deepest layer asked for, a line a net.

    ``reference``: by name, values to draw as dashed lines across.
    """
    ax = plt.subplots(figsize=(7, 3.4))[1]
    ends = []
    for (name, values), look in zip(nets.items(), looks(), strict=False):
        ax.plot(range(len(values)), values, **look, markersize=5)
        ends.append((values[-1], name, look["color"], len(values) - 1))
    for name, value in reference.items():
        ax.axhline(value, color=palette.CONTEXT, linestyle="--", linewidth=1)
        ax.text(0, value, name, fontsize=8, va="bottom")
    ax.set_xticks(range(len(layers)), layers)
    ax.set(xlabel="all of STYLE's layers up to", ylabel="distance", ylim=(0, None), xlim=(-0.2, len(layers) - 0.8))
    _name_ends(ax, ends)
    return ax


def _name_ends(ax: Axes, ends: Sequence[tuple[float, str, str, float]], gap: float = 0.075) -> None:
    """Names to the right of the axes at the height where each line ends, pushed apart where they would meet."""
    ax.figure.canvas.draw_idle()
    to_share = ax.transData + ax.transAxes.inverted()
    ends = sorted(ends)
    places = [float(to_share.transform((x, value))[1]) for value, _, _, x in ends]
    wanted = list(places)
    for _ in range(200):
        for i in range(len(places) - 1):
            if (lack := gap - (places[i + 1] - places[i])) > 1e-9:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
    for place, want, (_, name, color, _) in zip(places, wanted, ends, strict=True):
        ax.plot([1.0, 1.02], [want, place], transform=ax.transAxes, color=color, linewidth=1, clip_on=False)
        ax.text(1.03, place, name, transform=ax.transAxes, va="center", fontsize=9)


@styled
def judgments(rows: Mapping[str, Mapping[str, Sequence[float]]]) -> Axes:
    """One panel a measure: by way of making the picture a dot a seed and the mean in numbers. Returns the first axes.

    ``rows``: by measure, then by name, a value a seed.
    """
    axes = plt.subplots(1, len(rows), figsize=(9.2, 2.4), squeeze=False, sharey=True)[1][0]
    for ax, (measure, by_name) in zip(axes, rows.items(), strict=True):
        for y, ((_, values), look) in enumerate(zip(by_name.items(), looks(), strict=False)):
            ax.plot(values, [y] * len(values), look["marker"], color=look["color"], markersize=5, alpha=0.8)
            mean = sum(values) / len(values)
            ax.annotate(f"{mean:.3g}", (mean, y), (0, 6), textcoords="offset points", ha="center", fontsize=8)
        ax.set_title(measure, fontsize=9)
        ax.margins(x=0.2)
        ax.tick_params(axis="y", length=0)
    names = list(next(iter(rows.values())))
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.4, -0.7)
    return axes[0]
