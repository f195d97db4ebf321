"""Figures of training, of images and of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled

if TYPE_CHECKING:
    from torch import Tensor

    from vgg_course.training import History, Recipe


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
    every = -(-history.recipe.epochs // 15)  # at most 15 ticks: more would run into one another
    ax.set_xticks(sorted({1, *range(every, history.recipe.epochs + 1, every)}))
    ax.spines["bottom"].set_bounds(1, history.recipe.epochs)
    if history.is_drawn:
        ax.set_title("drawn stand-ins, not photographs")
    return ax


@styled
def schedules(recipes: Mapping[str, Recipe], accuracies: Sequence[float] = (), ax: Axes | None = None) -> Axes:
    """The learning rate of each recipe over its epochs, on a logarithmic axis; ``accuracies`` are one an epoch."""
    ax = ax or plt.subplots(figsize=(7, 3.2))[1]
    last = max(recipe.epochs for recipe in recipes.values())
    for (words, recipe), look in zip(recipes.items(), looks(), strict=False):
        steps = [(i + 0.5) / 20 for i in range(20 * recipe.epochs)]  # in epochs: twenty steps each
        rates = [recipe.learning_rate_at(at / recipe.epochs, accuracies[: int(at)]) for at in steps]
        ax.plot(steps, rates, color=look["color"], linestyle=look["linestyle"], marker=look["marker"], markevery=20)
        end = max(range(len(rates)), key=lambda i: (rates[i], i))
        ax.annotate(words, (steps[end], rates[end]), (6, 6), textcoords="offset points")
    ax.set_yscale("log")
    ax.set(xlabel="epochs done", ylabel="learning rate", xlim=(0, last))
    return ax


@styled
def lengths_of_directions(gradients: Mapping[str, Tensor], ax: Axes | None = None) -> Axes:
    """Singular values of matrices, each as a share of its largest, from the first direction to the last."""
    import torch

    ax = ax or plt.subplots(figsize=(7, 3.2))[1]
    for (words, gradient), look in zip(gradients.items(), looks(), strict=False):
        values = torch.linalg.svdvals(gradient.detach().float())
        shares = (values / values[0]).tolist()
        ax.plot(range(1, len(shares) + 1), shares, label=words, markersize=4, markevery=4, **look)
    ax.set(xlabel="direction, the longest first", ylabel="length, longest = 1", ylim=(0, 1.1), xlim=(0.5, None))
    ax.legend()
    return ax


@styled
def races(
    published: Sequence[float], epoch_seconds: float, found: Mapping[str, Mapping], ax: Axes | None = None
) -> Axes:
    """Test accuracy against training time: the published recipe epoch by epoch, and the course's runs, a dot a seed.

    Args:
        published: accuracies (shares) after each epoch.
        epoch_seconds: what an epoch of it takes on the machine where the races were run.
        found: by race, its ``words``, ``goal`` and ``runs`` (``seconds``, ``test_accuracy``).
    """
    ax = ax or plt.subplots(figsize=(9, 3.8))[1]
    minutes = [epoch_seconds * number / 60 for number in range(1, len(published) + 1)]
    ax.plot(minutes, [100 * share for share in published], color=palette.CONTEXT, linewidth=1.4)
    ax.annotate(
        "published recipe", (minutes[-1], 100 * published[-1]), (0, -44), textcoords="offset points", ha="right"
    )
    middles = [
        [sum(run[what] for run in race["runs"]) / len(race["runs"]) for what in ("seconds", "test_accuracy")]
        for race in found.values()
    ]
    for race, (seconds, share), look in zip(found.values(), middles, looks(), strict=False):
        times = [run["seconds"] / 60 for run in race["runs"]]
        percent = [100 * run["test_accuracy"] for run in race["runs"]]
        ax.plot(times, percent, look["marker"], color=look["color"], markersize=5, linestyle="none", alpha=0.85)
        beaten = any(other > share for took, other in middles if 0.5 < took / seconds < 2)  # its label goes below
        at = (max(times), 100 * share)
        ax.annotate(race["words"], at, (10, -11 if beaten else 8), textcoords="offset points", fontsize=9)
    ax.set(xscale="log", xlabel="minutes of training on two CPU cores (logarithmic)", ylabel="test accuracy, %")
    ticks = [0.3, 1, 3, 10, 30, 90]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.margins(y=0.15)
    ax.set_xlim(0.25, 100)
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
