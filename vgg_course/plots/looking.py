"""Figures that look inside: filters, feature maps, what they have in common by depth, and the patches that excite them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

if TYPE_CHECKING:
    from torch import Tensor

    from vgg_course.patches import Patch


@styled
def color_filters(rows: Mapping[str, Tensor], columns: int = 16) -> Axes:
    """Filters that look at colors ``(out, 3, k, k)`` as small pictures: middle gray is 0, each on a scale of its own.

    ``rows``: by name, each set begins a new line.
    """
    across = min(columns, max(len(filters) for filters in rows.values()))
    lines = [
        (name if start == 0 else "", filters[start : start + across])
        for name, filters in rows.items()
        for start in range(0, len(filters), across)
    ]
    side = 9 / across
    named = sum(bool(name) for name, _ in lines)
    axes = plt.subplots(len(lines), across, figsize=(9, side * len(lines) + 0.28 * named), squeeze=False)[1]
    for line, (name, filters) in zip(axes, lines, strict=True):
        for ax in line:
            ax.set_axis_off()
        for ax, one in zip(line, filters, strict=False):
            top = float(one.abs().max()) or 1.0
            ax.imshow((one / top / 2 + 0.5).permute(1, 2, 0).numpy())
        line[0].set_title(name, fontsize=10)
    return axes[0, 0]


@styled
def feature_maps(image: Tensor, maps: Mapping[str, Tensor], channels: Mapping[str, Sequence[int]] | int = 8) -> Axes:
    """An image and, line by line, maps of several layers, each line on one scale from zero up, with its largest value.

    Args:
        image: ``(3, H, W)``, uint8.
        maps: by layer, ``(C, h, w)``, not negative.
        channels: by layer, which of its maps; or how many: then those that vary most over the image.
    """
    if isinstance(channels, int):
        channels = {name: most_varied(found, channels) for name, found in maps.items()}
    columns = max(len(some) for some in channels.values())
    size = 9, 9.4 / (columns + 1) * len(maps) + 0.1
    axes = plt.subplots(len(maps), columns + 1, figsize=size, squeeze=False)[1]
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for i, (line, (name, found)) in enumerate(zip(axes, maps.items(), strict=True)):
        if i == 0:
            line[0].imshow(image.permute(1, 2, 0).numpy())
        else:
            line[0].set_axis_off()
        top = max((float(found[channel].max()) for channel in channels[name]), default=0) or 1.0
        words = f"{name}\n{found.shape[1]}x{found.shape[2]}\nto {top:.3g}"
        line[1].set_ylabel(words, rotation=0, ha="right", va="center", fontsize=8, labelpad=4)
        for ax, channel in zip(line[1:], channels[name], strict=False):
            ax.imshow(found[channel].numpy(), vmin=0, vmax=top, cmap="viridis")
            ax.set_title(str(channel), fontsize=7, loc="center", pad=2)
    return axes[0, 0]


def most_varied(maps: Tensor, count: int) -> list[int]:
    """The channels of ``(C, h, w)`` whose values differ most from place to place, in their own order."""
    spread = maps.flatten(1).std(1, unbiased=False)
    return sorted(spread.sort(descending=True, stable=True).indices[:count].tolist())


@styled
def by_layer(
    curves: Mapping[str, Mapping[str, float]],
    label: str,
    *,
    bands: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
    percent: bool = False,
    log: bool = False,
    note: str = "",
) -> Axes:
    """A number for every layer, one line a net, named at its end.

    Args:
        curves: by line, by layer.
        label: of the axis.
        bands: by line, by layer: low and high, drawn as a shade.
        percent: the numbers are shares.
        log: a logarithmic axis.
        note: above everything, such as ``data.note``.
    """
    ax = plt.subplots(figsize=(8, 3.4))[1]
    scale = 100 if percent else 1
    layers = list(next(iter(curves.values())))
    ends = []
    for (name, values), look in zip(curves.items(), looks(), strict=False):
        heights = [scale * values[layer] for layer in layers]
        ax.plot(layers, heights, color=look["color"], marker=look["marker"], linestyle=look["linestyle"], markersize=5)
        if band := (bands or {}).get(name):
            low, high = ([scale * band[layer][i] for layer in layers] for i in (0, 1))
            ax.fill_between(layers, low, high, color=look["color"], alpha=0.18, linewidth=0)
        ends.append((heights[-1], name, look["color"]))
    ax.set_yscale("log" if log else "linear")
    if log:
        for axis in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
            axis(lambda value, place: f"{value:g}" if f"{value:e}"[0] in "125" else "")
    if not log:
        ax.set_ylim(0, max(ax.get_ylim()[1], 1e-9))
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    place = ax.transData.transform
    taken: list[float] = []
    for height, name, color in sorted(ends):
        pixel = float(place((0, height))[1])
        pixel = max([pixel, *(other + 15 for other in taken)])
        taken.append(pixel)
        shift = (pixel - float(place((0, height))[1])) * 72 / ax.figure.dpi
        ax.annotate(
            name,
            (len(layers) - 1, height),
            (9, shift),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=color,
        )
    ax.tick_params(axis="x", rotation=45)
    ax.set_ylabel(label + (", %" if percent else ""))
    ax.set_title(note)
    return ax


@styled
def class_responses(means: Tensor, classes: Sequence[str], label: str = "mean value") -> Axes:
    """How strongly each channel answers to each class ``(classes, C)``: a column a channel, sorted by the class preferred.

    Each channel is on a scale of its own: 1 is its preferred class. A channel that is always zero is left out.
    """
    alive = means.amax(0) > 0
    means = means[:, alive]
    shares = means / means.amax(0)
    best = means.argmax(0)
    rest = (shares.sum(0) - 1) / max(len(means) - 1, 1)
    order = sorted(range(means.shape[1]), key=lambda c: (int(best[c]), float(rest[c])))
    ax = plt.subplots(figsize=(9, 0.42 * len(classes) + 1.1))[1]
    drawn = ax.imshow(shares[:, order].numpy(), aspect="auto", vmin=0, vmax=1, cmap="viridis")
    counts = [int((best == k).sum()) for k in range(len(classes))]
    ax.set_yticks(range(len(classes)), [f"{name}: {n}" for name, n in zip(classes, counts, strict=True)])
    for edge in (sum(counts[:k]) - 0.5 for k in range(1, len(classes))):
        ax.axvline(edge, color="white", linewidth=1.5)
    ax.set(xticks=[], xlabel=f"{means.shape[1]} channels, by the class each prefers")
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(drawn, ax=ax, pad=0.01).set_label(f"{label},\nof its best class", fontsize=8)
    return ax


@styled
def patches(images: Tensor, found: Sequence[Patch], titles: Sequence[str] = (), note: str = "") -> Axes:
    """Images with the windows of their patches, and below each the patch itself; what is padding is hatched.

    Args:
        images: uint8 ``(N, 3, H, W)``; ``found[i].image`` is a place in it.
        titles: one a patch, below it.
        note: above everything.
    """
    from vgg_course.patches import cut

    count = len(found)
    side = 9.3 / max(count, 6)
    figure, axes = plt.subplots(2, count, figsize=(side * count, 2 * side + 0.5), squeeze=False)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for i, each in enumerate(found):
        image = images[each.image]
        above, below = axes[:, i]
        above.imshow(image.permute(1, 2, 0).numpy(), extent=(0, image.shape[2], image.shape[1], 0))
        _window(above, each)
        reach = [
            min(0, each.columns.start), max(image.shape[2], each.columns.stop),
            max(image.shape[1], each.rows.stop), min(0, each.rows.start),
        ]  # fmt: skip
        above.set(xlim=(reach[0] - 0.5, reach[1] + 0.5), ylim=(reach[2] + 0.5, reach[3] - 0.5))
        window = cut(image, each.rows, each.columns)
        extent = (each.columns.start, each.columns.stop, each.rows.stop, each.rows.start)
        below.imshow(window.permute(1, 2, 0).numpy(), extent=extent)
        _padding(below, each, image.shape[1], image.shape[2])
        below.set(xlim=extent[:2], ylim=extent[2:])
        if titles:
            below.set_xlabel(titles[i], fontsize=8)
    if note:
        figure.suptitle(note, x=0.01, ha="left", fontsize="medium", color=palette.TEXT)
    return axes[0, 0]


def _window(ax: Axes, patch: Patch) -> None:
    corner = patch.columns.start, patch.rows.start
    for color, width, line in (("black", 2.6, "-"), ("white", 1.2, "--")):  # seen on any picture
        frame = plt.Rectangle(corner, len(patch.columns), len(patch.rows), fill=False, clip_on=False)
        frame.set(edgecolor=color, linewidth=width, linestyle=line)
        ax.add_patch(frame)


def _padding(ax: Axes, patch: Patch, height: int, width: int) -> None:
    """Hatch what lies beyond the image."""
    rows, columns = patch.rows, patch.columns
    strips = [
        (columns.start, rows.start, len(columns), -rows.start),
        (columns.start, height, len(columns), rows.stop - height),
        (columns.start, rows.start, -columns.start, len(rows)),
        (width, rows.start, columns.stop - width, len(rows)),
    ]
    for x, y, wide, tall in strips:
        if wide > 0 and tall > 0:
            strip = plt.Rectangle((x, y), wide, tall, facecolor="none", edgecolor="white", hatch="////", linewidth=0)
            ax.add_patch(strip)


@styled
def footprint(image: Tensor, noisy: Tensor, change: Tensor, patch: Patch) -> Axes:
    """The theory met: the image with the window that theory gives, the same with noise outside, and what each pixel moves.

    Args:
        image, noisy: ``(3, H, W)``, uint8.
        change: ``(H, W)``: how far the value moved when this pixel alone was painted; 0 is not at all.
        patch: the value and its window.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.3))
    height, width = change.shape
    extent = (0, width, height, 0)
    reach = min(0, patch.columns.start, patch.rows.start), max(width, height, patch.columns.stop, patch.rows.stop)
    axes[0].imshow(image.permute(1, 2, 0).numpy(), extent=extent)
    axes[1].imshow(noisy.permute(1, 2, 0).numpy(), extent=extent)
    colors = mpl.colormaps["viridis"].with_extremes(bad="none")
    moved = change.where(change > 0, float("nan"))
    drawn = axes[2].imshow(moved.numpy(), extent=extent, cmap=colors, norm="log")
    titles = "the image", "noise outside:\nthe same value", "pixels that move the value"
    for ax, title in zip(axes, titles, strict=True):
        ax.set(xticks=[], yticks=[], xlim=(reach[0] - 0.5, reach[1] + 0.5), ylim=(reach[1] + 0.5, reach[0] - 0.5))
        ax.set_title(title, loc="center", fontsize=9)
        ax.spines[:].set_visible(False)
        ax.add_patch(plt.Rectangle((0, 0), width, height, fill=False, edgecolor=palette.CONTEXT, linewidth=0.8))
        _window(ax, patch)
    figure.colorbar(drawn, ax=axes[2], shrink=0.8, pad=0.02).set_label("change of the value")
    return axes[0]
