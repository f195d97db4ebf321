"""Figures of what a convolution computes, and why small filters are stacked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import styled

LIT = "#cfe0ff"  # a cell that is talked about; its number is black, so it reads on either page


def _cells(
    ax: Axes, values, left: float, title: str, lit: Callable[[int, int], bool] = lambda row, column: False
) -> float:
    """Draw a grid of numbers, centered on y = 0, from x = left; returns its right edge."""
    rows, columns = len(values), len(values[0])
    top = -rows / 2
    for row in range(rows):
        for column in range(columns):
            on = lit(row, column)
            corner = (left + column, top + row)
            ax.add_patch(
                plt.Rectangle(corner, 1, 1, facecolor=LIT if on else "none", edgecolor=palette.TEXT, linewidth=0.7)
            )
            color = "black" if on else palette.TEXT
            number = f"{float(values[row][column]):g}"
            ax.text(corner[0] + 0.5, corner[1] + 0.5, number, ha="center", va="center", fontsize=9, color=color)
    ax.text(left + columns / 2, top - 0.35, title, ha="center", va="bottom")
    return left + columns


@styled
def one_output_value(
    image, kernel, row: int, column: int, names: tuple[str, str, str] = ("input", "kernel", "output")
) -> Axes:
    """How one number comes about: the window, times the kernel, summed, in its place in the output.

    ``image`` ``(H, W)`` and ``kernel`` ``(k, k)`` are tensors of small whole numbers; stride 1, no padding. ``names`` are
    the titles of image, kernel and output.
    """
    size = len(kernel)
    window = image[row : row + size, column : column + size]
    products = window * kernel
    output = image.unfold(0, size, 1).unfold(1, size, 1).mul(kernel).sum((-1, -2))
    ax = plt.subplots(figsize=(9, 3))[1]
    inside = (range(row, row + size), range(column, column + size))
    right = _cells(ax, image, 0, names[0], lambda r, c: r in inside[0] and c in inside[1])
    for values, sign, title in ((kernel, "x", names[1]), (products, "=", "products")):
        ax.text(right + 0.6, 0, sign, ha="center", va="center", fontsize=13)
        right = _cells(ax, values, right + 1.2, title, lambda r, c: True)
    ax.text(right + 1.1, -0.15, f"sum\n{float(products.sum()):g}", ha="center", va="center", fontsize=11)
    right = _cells(ax, output, right + 2.2, names[2], lambda r, c: (r, c) == (row, column))
    ax.set(xlim=(-0.2, right + 0.2), ylim=(len(image) / 2 + 0.2, -len(image) / 2 - 1.2), aspect="equal")
    ax.axis("off")
    return ax


@styled
def one_gradient_back(grad, kernel, row: int, column: int) -> Axes:
    """The way back of :func:`one_output_value`: the gradient of one output value is spread over the window it came from.

    ``grad`` ``(H', W')``, the gradient of the output, and ``kernel`` ``(k, k)`` are tensors of small whole numbers;
    stride 1, no padding. On the right is what all output values together write: the gradient of the input.
    """
    size = len(kernel)
    written = grad.new_zeros(len(grad) + size - 1, grad.shape[1] + size - 1)
    for r in range(len(grad)):
        for c in range(grad.shape[1]):
            written[r : r + size, c : c + size] += grad[r, c] * kernel
    ax = plt.subplots(figsize=(9, 3))[1]
    right = _cells(ax, grad, 0, "gradient of output", lambda r, c: (r, c) == (row, column))
    for values, sign, title in ((kernel, "x", "kernel"), (grad[row, column] * kernel, "=", "products")):
        ax.text(right + 0.6, 0, sign, ha="center", va="center", fontsize=13)
        right = _cells(ax, values, right + 1.2, title, lambda r, c: True)
    ax.text(right + 0.9, 0, "added\nto", ha="center", va="center", fontsize=11)
    lit = (range(row, row + size), range(column, column + size))
    right = _cells(ax, written, right + 1.8, "gradient of input", lambda r, c: r in lit[0] and c in lit[1])
    ax.set(xlim=(-0.2, right + 0.2), ylim=(len(written) / 2 + 0.2, -len(written) / 2 - 1.2), aspect="equal")
    ax.axis("off")
    return ax


@styled
def maps(panels: Mapping[str, Sequence], label: str = "value") -> Axes:
    """Pictures and feature maps in a row, each under its title. Returns the first axes.

    ``(3, H, W)`` is drawn as a picture (values from 0 to 1), ``(H, W)`` as a map. All the maps share one scale and one
    color bar, named ``label``: from zero up if none is negative, else symmetric around zero.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(min(9, 2.3 * len(panels) + 0.8), 2.5), squeeze=False)
    flat = [panel for panel in panels.values() if panel.ndim == 2]
    drawn, high = None, max((float(panel.abs().max()) for panel in flat), default=1)
    signed = any(float(panel.min()) < 0 for panel in flat)
    for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
        if panel.ndim == 3:
            ax.imshow(panel.permute(1, 2, 0).clamp(0, 1).numpy())
        else:
            drawn = ax.imshow(
                panel.numpy(), cmap="RdBu" if signed else "viridis", vmin=-high if signed else 0, vmax=high
            )
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(title, loc="center", fontsize=9)
    if drawn is not None:
        figure.colorbar(drawn, ax=axes[0], shrink=0.8, pad=0.02).set_label(label)
    return axes[0, 0]


@styled
def view_of_a_stack(layers: int) -> Axes:
    """A stack of 3x3 convolutions from the side, one dimension: the values of each layer that one output depends on."""
    ax = plt.subplots(figsize=(7, 0.8 * layers + 0.9))[1]
    for depth in range(layers + 1):  # 0 is the input
        half = layers - depth
        for place in range(-half, half + 1):
            color = palette.CONTEXT if depth == 0 else palette.CONVOLUTION
            ax.add_patch(plt.Rectangle((place - 0.42, depth - 0.2), 0.84, 0.4, facecolor=color, edgecolor="none"))
            if depth:
                for reach in (-1, 0, 1):
                    ends = [place + reach, place], [depth - 0.8, depth - 0.2]
                    ax.plot(*ends, color=palette.TEXT, linewidth=0.6, zorder=0)
        words = (
            f"input: {2 * half + 1} pixels"
            if depth == 0
            else f"convolution {depth}: {2 * half + 1} value{'s' * (half > 0)}"
        )
        ax.text(layers + 0.8, depth, words, ha="left", va="center")
    ax.set(xlim=(-layers - 0.6, layers + 4.2), ylim=(-0.4, layers + 0.4))
    ax.axis("off")
    return ax


@styled
def two_bases(small: float, large: float, names: tuple[str, str], unit: str = "") -> Axes:
    """Two bars and both ways to say how far apart they are: as a share of the large one, and of the small one."""
    ax = plt.subplots(figsize=(8, 2))[1]
    ax.barh([0, 1], [small, large], height=0.55, color=[palette.CONVOLUTION, palette.CONTEXT])
    for y, value in enumerate((small, large)):
        ax.text(value / 2, y, f"{value:g}{unit}", ha="center", va="center", color="black")
    gap = {"arrowstyle": "<->", "color": palette.TEXT, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (small, 0), (large, 0), arrowprops=gap)
    ax.plot([large, large], [-0.2, 0.72], color=palette.TEXT, linewidth=0.8, linestyle=":")
    less, more = 100 * (1 - small / large), 100 * (large / small - 1)
    words = f"{less:.1f} % less, seen from {large:g}\n{more:.1f} % more, seen from {small:g}"
    ax.text(1.03 * large, 0, words, ha="left", va="center")
    ax.set(yticks=[0, 1], yticklabels=names, xlim=(0, 1.62 * large), xticks=[], ylim=(1.5, -0.6))
    ax.spines[["bottom"]].set_visible(False)
    return ax


@styled
def left_over(by_middle: Mapping[int, Sequence[float]], label: str) -> Axes:
    """One dot a kernel: what a stack could not reproduce, for each number of channels between; logarithmic."""
    ax = plt.subplots(figsize=(7, 2.8))[1]
    for x, (_, values) in enumerate(by_middle.items()):
        values = sorted(float(value) for value in values)
        spread = [x + 0.5 * ((i + 0.5) / len(values) - 0.5) for i in range(len(values))]
        ax.plot(spread, values, "o", markersize=3, color=palette.CONVOLUTION)
        middle = values[len(values) // 2]
        ax.text(x + 0.3, middle, f"{middle:.2f}" if middle > 0.005 else f"{middle:.0e}", ha="left", va="center")
    ax.axhline(1e-6, color=palette.TEXT, linewidth=0.8, linestyle=":")
    ax.text(
        len(by_middle) - 0.5, 1.3e-6, "below: the same kernel, but for rounding", ha="right", va="bottom", fontsize=8
    )
    ax.set(yscale="log", ylabel=label, xlabel="channels between the two 3x3 convolutions")
    ax.set(xticks=range(len(by_middle)), xticklabels=by_middle, xlim=(-0.5, len(by_middle) - 0.35))
    return ax


@styled
def along_a_line(steps, curves: Mapping[str, tuple[Sequence[float], Sequence[int]]], ends: tuple[str, str]) -> Axes:
    """An output as the input moves straight from one image to another: each curve with its kinks marked.

    ``curves`` gives for each title its values at ``steps`` and the indices where the curve bends.
    """
    axes = plt.subplots(1, len(curves), figsize=(9, 2.6), sharex=True)[1]
    for ax, (title, (values, bends)) in zip(axes, curves.items(), strict=True):
        ax.plot(steps, values, color=palette.CONVOLUTION)
        dots = [steps[i] for i in bends], [values[i] for i in bends]
        ax.plot(*dots, "|", markersize=9, markeredgewidth=1, color=palette.HIGHLIGHT)
        ax.set_title(f"{title}: {len(bends)} {'bend' if len(bends) == 1 else 'bends'}", fontsize=9)
        ax.set_xticks([float(steps[0]), float(steps[-1])], ends)
    axes[0].set_ylabel("one output value")
    return axes[0]
