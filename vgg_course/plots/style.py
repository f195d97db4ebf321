"""The one style that every figure is drawn in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from math import log10
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

MARKERS = "osD^vP*X"
STYLE = Path(__file__).with_name("vgg.mplstyle")


def styled(draw: Callable) -> Callable:
    """Draw in the course's style, and leave matplotlib's settings as they were."""

    @wraps(draw)
    def inside(*args, **kwargs):
        style = mpl.rc_params_from_file(STYLE, use_default_template=False)
        before = {name: mpl.rcParams[name] for name in style}
        mpl.rcParams.update(style)
        try:
            return draw(*args, **kwargs)
        finally:  # the style's settings only: those that a notebook makes when it loads its backend must stay
            mpl.rcParams.update(before)

    return inside


def looks() -> list[dict]:
    """A color and a marker for each curve: color never speaks alone."""
    colors = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    styles = ["-"] * len(colors) + [":"] * len(colors)
    looks = zip(colors * 2, MARKERS, styles, strict=False)
    return [{"color": color, "marker": marker, "linestyle": style} for color, marker, style in looks]


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]], side: str, gap: float = 0.062) -> None:
    """Name each line beside its end, at a leader in its color; labels that would meet are pushed apart, in order."""
    ax.set_ylim(ax.get_ylim())  # what is drawn from here on must not change the axis
    low, high = (log10(limit) for limit in ax.get_ylim())
    ends = sorted(ends)
    places = [(log10(value) - low) / (high - low) for value, _, _ in ends]
    wanted = list(places)
    for _ in range(200):
        for i in range(len(places) - 1):
            if (lack := gap - (places[i + 1] - places[i])) > 1e-9:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
    edge, outward, align = (1.0, 1, "left") if side == "right" else (0.0, -1, "right")
    for place, want, (_, label, color) in zip(places, wanted, ends, strict=True):
        leader = [edge, edge + 0.03 * outward], [want, place]
        ax.plot(*leader, transform=ax.transAxes, color=color, linewidth=1, clip_on=False)
        ax.text(edge + 0.04 * outward, place, label, transform=ax.transAxes, ha=align, va="center", fontsize=9)
