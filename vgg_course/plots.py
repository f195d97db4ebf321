"""Figures from records. Every function takes records, draws, and returns the ``Axes`` it drew on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.accounting import Ledger, Row, ledger
from vgg_course.configuration import Configuration

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
