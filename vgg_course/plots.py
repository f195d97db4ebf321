"""Figures from records. Every function takes records, draws, and returns the ``Axes`` it drew on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.accounting import Ledger, Row, ledger
from vgg_course.configuration import Configuration, Linear, MaxPool
from vgg_course.receptive_field import Field, ReceptiveFields

if TYPE_CHECKING:
    from torch import Tensor

    from vgg_course.training import History

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


@styled
def shares(costs: Ledger, quantities: Sequence[str] = ("parameters", "values", "macs"), ax: Axes | None = None) -> Axes:
    """One horizontal bar a quantity, split into convolutions, pools and fully-connected layers; each part labeled."""
    ax = ax or plt.subplots(figsize=(8, 0.75 * len(quantities) + 0.9))[1]
    kinds = ("input", "convolution", "normalization", "pool", "fully connected")
    for y, quantity in enumerate(quantities):
        total = sum(getattr(row, quantity) for row in costs)
        left = 0.0
        for kind in kinds:
            share = 100 * sum(getattr(row, quantity) for row in costs if row.kind == kind) / total
            hatch = "//" if kind == "fully connected" else None
            ax.barh(y, share, left=left, color=palette.BY_KIND[kind], hatch=hatch, edgecolor="white", linewidth=0.5)
            if share > 8:
                box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
                label = f"{kind}{' ' if share > 25 else chr(10)}{share:.1f} %"
                ax.text(left + share / 2, y, label, ha="center", va="center", color="black", fontsize=8, bbox=box)
            left += share
    names = {"parameters": "parameters", "values": "activations", "macs": "MACs"}
    ax.set_yticks(range(len(quantities)), [names.get(q, q) for q in quantities])
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="share of the total, %")
    return ax


@styled
def bars(rows: Iterable[Row], cost: Callable[[Row], float], label: str, ax: Axes | None = None) -> Axes:
    """One vertical bar a layer, colored and hatched by kind, starting at zero.

    Args:
        rows: a ledger, or some of its rows.
        cost: what to draw of a row, as in ``lambda row: row.parameters / 1e6``.
        label: the words on the y axis, with the unit.
    """
    ax = ax or plt.subplots(figsize=(8, 2.8))[1]
    rows = list(rows)
    for x, row in enumerate(rows):
        hatch = "//" if row.kind == "fully connected" else None
        ax.bar(x, cost(row), color=palette.BY_KIND[row.kind], hatch=hatch, edgecolor="white", linewidth=0.5)
    ax.set_xticks(range(len(rows)), [row.name for row in rows], rotation=60, ha="right", rotation_mode="anchor")
    ax.set(ylabel=label)
    ax.margins(x=0.01)
    return ax


@styled
def anatomy(configuration: Configuration) -> Axes:
    """The whole network on one page: the grids above, and what each layer costs below it, all on one axis.

    Four rows share the layers: the side of the grid in pixels (with the channels written on it), activation values in
    MB of float32, MACs, and parameters. Returns the topmost axes.
    """
    rows = list(ledger(configuration))[1:]  # the input costs nothing but its own values
    figure, axes = plt.subplots(4, 1, figsize=(9, 6.2), sharex=True, height_ratios=[1.5, 1, 1, 1])
    grids = axes[0]
    for x, row in enumerate(rows):
        side = row.shape[1] if len(row.shape) == 3 else 1
        color, hatch = palette.BY_KIND[row.kind], "//" if row.kind == "fully connected" else None
        shown = max(side, 4)  # a vector is drawn as a thin line, or it would vanish
        grids.bar(x, shown, bottom=-shown / 2, width=0.7, color=color, hatch=hatch, edgecolor="white", linewidth=0.5)
        if row.kind != "pool":
            grids.text(x, shown / 2 + 6, f"{row.shape[0]}", ha="center", va="bottom", fontsize=7.5)
    for block in configuration.blocks:
        side, first = block[0].input_shape[1], configuration.layers.index(block[0])
        x = first + (sum(layer.name.startswith("conv") for layer in block) - 1) / 2
        grids.text(x, -side / 2 - 8, f"{side}x{side}", ha="center", va="top", fontsize=8)
    half = configuration.input_size / 2
    grids.set(ylim=(-1.3 * half, 1.3 * half), ylabel="channels above,\ngrid below", yticks=[])
    grids.spines[["left", "bottom"]].set_visible(False)
    costs = [
        ("activations, MB", lambda row: 4 * row.values / 1e6),
        ("MACs, billions", lambda row: row.macs / 1e9),
        ("parameters,\nmillions", lambda row: row.parameters / 1e6),
    ]
    for ax, (label, cost) in zip(axes[1:], costs, strict=True):
        bars(rows, cost, label, ax=ax)
    for ax in axes[:-1]:
        ax.tick_params(axis="x", length=0, labelbottom=False)
    figure.align_ylabels(axes)
    return grids


@styled
def learning_curves(history: History, ax: Axes | None = None) -> Axes:
    """Accuracy after every epoch: on the training images as they were trained on, and on the validation images.

    Training accuracy is counted while the net still changes, on shifted images, so it may lie below the other curve.
    """
    ax = ax or plt.subplots(figsize=(7, 3.2))[1]
    curves = [
        ("train", "-", "o", palette.CONTEXT, [epoch.train_accuracy for epoch in history]),
        ("validation", "-", "s", palette.CONVOLUTION, [epoch.validation_accuracy for epoch in history]),
    ]
    curves = [curve for curve in curves if curve[-1] and None not in curve[-1]]
    for name, line, marker, color, shares in curves:
        percent = [100 * share for share in shares]
        ax.plot([epoch.number for epoch in history], percent, line, marker=marker, markersize=4, color=color)
        ends = sorted(curve[-1][-1] for curve in curves)
        above = shares[-1] == ends[-1]
        place = (6, 5 if above else -11) if len(curves) > 1 else (6, 0)  # two labels must not meet
        ax.annotate(f"{name} {percent[-1]:.1f} %", (len(history), percent[-1]), place, textcoords="offset points")
    ax.set(xlabel="epoch", ylabel="accuracy, %", xlim=(0.5, 1.28 * history.recipe.epochs))
    ax.set_xticks(range(1, history.recipe.epochs + 1))
    ax.spines["bottom"].set_bounds(1, history.recipe.epochs)
    if history.is_drawn:
        ax.set_title("drawn stand-ins, not photographs")
    return ax


@styled
def image_grid(
    images: Tensor, titles: Sequence[str] = (), *, columns: int = 8, wrong: Sequence[bool] = (), note: str = ""
) -> Axes:
    """Small images ``(N, 3, H, W)``, uint8, in rows of ``columns``, each under its title.

    Args:
        wrong: images to mark with a cross and a frame.
        note: a line above everything, such as ``data.note``.
    """
    rows = max(1, -(-len(images) // columns))
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    height = 0.86 + 0.14 * lines
    figure, axes = plt.subplots(rows, columns, figsize=(0.98 * columns, height * rows + 0.1), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for i, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(image.permute(1, 2, 0).numpy())
        is_wrong = i < len(wrong) and wrong[i]
        if titles:
            ax.set_title(f"{'× ' if is_wrong else ''}{titles[i]}", fontsize=7.5, loc="center", pad=3)
        if is_wrong:
            frame = plt.Rectangle((-0.5, -0.5), image.shape[2], image.shape[1], fill=False, clip_on=False)
            frame.set(edgecolor=palette.HIGHLIGHT, linewidth=2)
            ax.add_patch(frame)
    if note:
        figure.suptitle(note, x=0.01, ha="left", fontsize="medium", color=palette.TEXT)
    return axes[0, 0]


@styled
def confusion_matrix(matrix: Tensor, classes: Sequence[str], ax: Axes | None = None, note: str = "") -> Axes:
    """Counts ``(classes, classes)`` in a square: true class down, answer across. Darkness is the share of the row."""
    ax = ax or plt.subplots(figsize=(1.1 * len(classes) + 1.2, 0.8 * len(classes) + 0.9))[1]
    shares = matrix / matrix.sum(1, keepdim=True).clamp(min=1)
    for row in range(len(classes)):
        for column in range(len(classes)):
            share = float(shares[row, column])
            strength = 0.08 + 0.92 * share
            cell = plt.Rectangle((column, row), 1, 1, facecolor=palette.CONVOLUTION, alpha=strength, edgecolor="none")
            ax.add_patch(cell)
            color = "black" if share > 0.5 else palette.TEXT
            count = f"{int(matrix[row, column]):,}"
            ax.text(column + 0.5, row + 0.5, count, ha="center", va="center", color=color)
    ticks = [i + 0.5 for i in range(len(classes))]
    ax.set_xticks(ticks, classes)
    ax.set_yticks(ticks, classes)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(0, len(classes)), ylim=(len(classes), 0), xlabel="answer", ylabel="true class", title=note)
    return ax


# --- what a convolution computes, and why small filters are stacked ---

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
def one_output_value(image, kernel, row: int, column: int) -> Axes:
    """How one number comes about: the window, times the kernel, summed, in its place in the output.

    ``image`` ``(H, W)`` and ``kernel`` ``(k, k)`` are tensors of small whole numbers; stride 1, no padding.
    """
    size = len(kernel)
    window = image[row : row + size, column : column + size]
    products = window * kernel
    output = image.unfold(0, size, 1).unfold(1, size, 1).mul(kernel).sum((-1, -2))
    ax = plt.subplots(figsize=(9, 3))[1]
    inside = (range(row, row + size), range(column, column + size))
    right = _cells(ax, image, 0, "input", lambda r, c: r in inside[0] and c in inside[1])
    for values, sign, title in ((kernel, "x", "kernel"), (products, "=", "products")):
        ax.text(right + 0.6, 0, sign, ha="center", va="center", fontsize=13)
        right = _cells(ax, values, right + 1.2, title, lambda r, c: True)
    ax.text(right + 1.1, -0.15, f"sum\n{float(products.sum()):g}", ha="center", va="center", fontsize=11)
    right = _cells(ax, output, right + 2.2, "output", lambda r, c: (r, c) == (row, column))
    ax.set(xlim=(-0.2, right + 0.2), ylim=(len(image) / 2 + 0.2, -len(image) / 2 - 1.2), aspect="equal")
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


# --- what one value sees ---


@styled
def overlapping_windows(field: Field, count: int) -> Axes:
    """The windows of ``count`` neighboring values of a layer, as bars above a row of pixels, and their union."""
    ax = plt.subplots(figsize=(7, 0.38 * count + 1.5))[1]
    union = field.size + (count - 1) * field.jump
    for row in range(count):
        left = row * field.jump
        ax.barh(row, field.size, left=left, height=0.7, color=palette.CONVOLUTION, edgecolor="white", linewidth=0.5)
        ax.text(left + field.size / 2, row, f"{field.size} pixels", ha="center", va="center", color="black")
    for pixel in range(union):
        corner = (pixel + 0.04, count)
        ax.add_patch(plt.Rectangle(corner, 0.92, 0.92, facecolor="none", edgecolor=palette.TEXT, linewidth=0.8))
    bracket = {"arrowstyle": "|-|, widthA=0.3, widthB=0.3", "color": palette.TEXT, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (0, count + 1.3), (union, count + 1.3), arrowprops=bracket)
    ax.text(union / 2, count + 1.5, f"together {union}", ha="center", va="top")
    start = f"one value of {field.name}", *[f"{'next' if field.jump == 1 else f'{field.jump} pixels on'}"] * (count - 1)
    ax.set_yticks([*range(count), count + 0.5], [*start, "pixels of the image"])
    ax.tick_params(length=0)
    ax.set(xlim=(-0.1, union + 0.1), ylim=(count + 2.3, -0.6), xticks=[])
    ax.spines[:].set_visible(False)
    return ax


@styled
def growth(fields: ReceptiveFields, wrong: Mapping[str, Sequence[int]] | None = None) -> Axes:
    """The size of the receptive field against the layer, a band for each jump; a ``wrong`` rule is drawn dashed beside it.

    ``wrong`` gives for its name the sizes that the rule claims, one a layer, from the first on.
    """
    shown = [field for field in fields if not field.name.startswith("fc")] + [fields["fc6"]]
    ax = plt.subplots(figsize=(9, 3.8))[1]
    specs = {layer.name: layer.spec for layer in fields.configuration}
    for x, field in enumerate(shown):
        pool, linear = isinstance(specs[field.name], MaxPool), isinstance(specs[field.name], Linear)
        color = palette.POOL if pool else palette.FULLY_CONNECTED if linear else palette.CONVOLUTION
        ax.plot(x, field.size, "s" if pool else "D" if linear else "o", color=color, markersize=7)
        if not wrong or field is shown[-1]:
            ax.text(x, field.size + 11, f"{field.size}", ha="center", va="bottom", fontsize=8)
    ax.plot([field.size for field in shown], color=palette.CONTEXT, linewidth=1, zorder=0)
    for name, sizes in (wrong or {}).items():
        ax.plot(sizes, "x--", color=palette.TEXT, linewidth=1, markersize=5)
        ax.text(len(sizes) - 0.8, sizes[-1], f"{name}\n{sizes[-1]}", ha="left", va="center", fontsize=8)
    steps = [1, *[field.jump for field in shown]]  # the jump that each layer looks at
    for jump in dict.fromkeys(steps[:-1]):
        places = [x for x, seen in enumerate(steps[:-1]) if seen == jump]
        if list(dict.fromkeys(steps)).index(jump) % 2:
            ax.axvspan(places[0] - 0.5, places[-1] + 0.5, color=palette.CONTEXT, alpha=0.15, linewidth=0)
        ax.text(
            sum(places) / len(places), 1.0, f"jump {jump}", transform=ax.get_xaxis_transform(), ha="center", va="bottom"
        )
    names = [field.name for field in shown]
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set(ylabel="receptive field, pixels", xlim=(-0.7, len(names) + (1.2 if wrong else -0.2)))
    ax.set_ylim(0, 1.12 * max(field.size for field in shown))
    return ax


@styled
def step(distances: Mapping[str, Mapping]) -> Axes:
    """Accuracy against receptive field, mean and extremes over seeds, with the size that theory demands as a line.

    ``distances`` is the part of that name in ``book/results/receptive_field_step.json``.
    """
    axes = plt.subplots(1, len(distances), figsize=(9, 3), sharey=True, squeeze=False)[1][0]
    for ax, (distance, found) in zip(axes, distances.items(), strict=True):
        needed, control = found["needed"], found["control"]
        ax.axhline(50, color=palette.CONTEXT, linewidth=0.8, linestyle=":")
        ax.axvline(needed - 1, color=palette.HIGHLIGHT, linewidth=1.2, linestyle="--")
        for runs, style in (
            (found["runs"], {"fmt": "o-", "color": palette.CONVOLUTION}),
            ([control], {"fmt": "D", "color": palette.POOL, "markersize": 9, "markerfacecolor": "none"}),
        ):
            height, low, high = (
                [100 * run["accuracy"][part] for run in runs] for part in ("mean", "lowest", "highest")
            )
            reach = [
                [m - x for m, x in zip(height, low, strict=True)],
                [h - m for h, m in zip(high, height, strict=True)],
            ]
            ax.errorbar(
                [run["size"] for run in runs], height, reach, capsize=3, linewidth=1, markeredgewidth=1.5, **style
            )
        ax.text(needed + 0.5, 66, f"both marks fit\nfrom {needed} pixels on", ha="left", va="center", fontsize=9)
        words = f"\u25c7 {control['layers']} layers,\n    the last ones 1x1"
        ax.text(needed + 0.5, 56, words, ha="left", va="center", fontsize=9)
        ax.set_title(f"marks {distance} pixels apart")
        ax.set(xlabel="receptive field, pixels", xticks=[run["size"] for run in found["runs"]], ylim=(45, 104))
    axes[0].set_ylabel("test accuracy, %")
    return axes[0]


@styled
def influence(panels: Mapping[str, tuple[Sequence, tuple[range, range], int]]) -> Axes:
    """Heat maps of what moves a unit: brighter is more, each scaled to its own maximum. Returns the first axes.

    ``panels`` gives for each title the map ``(H, W)``, the unit's theoretical window (rows and columns; a dashed line
    around it), and the side of the square that holds 90 % (a number in the title).
    """
    axes = plt.subplots(1, len(panels), figsize=(min(9, 2.4 * len(panels)), 2.9), squeeze=False)[1][0]
    for ax, (title, (values, (rows, columns), side)) in zip(axes, panels.items(), strict=True):
        ax.imshow([[float(value) for value in row] for row in values], cmap="viridis", vmin=0)
        corner = columns.start - 0.5, rows.start - 0.5
        ax.add_patch(
            plt.Rectangle(
                corner, len(columns), len(rows), facecolor="none", edgecolor="white", linestyle="--", clip_on=True
            )
        )
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(f"{title}\n90 % within {side} of {len(columns)}", loc="center", fontsize=9)
    return axes[0]
