"""Figures of many machines: what they lose, what travels between them, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vgg_course import palette
from vgg_course.plots.style import looks, styled


@styled
def apart_by_shard(found: Mapping[str, Mapping[int, float]]) -> Axes:
    """How far the merged gradient lies from that of the whole, by the images in a shard.

    Args:
        found: name of a net to images of a shard to the length of the difference, as a share of the length.
    """
    ax = plt.subplots(figsize=(7, 2.8))[1]
    for (name, by_images), look in zip(found.items(), looks(), strict=False):
        images, shares = zip(*sorted(by_images.items()), strict=True)
        ax.plot(images, shares, **look)
        ax.annotate(name, (images[-1], shares[-1]), (9, 0), textcoords="offset points", va="center")
    ax.set(xscale="log", yscale="log", xlabel="images of a shard", ylabel="difference / gradient")
    ax.set_xticks(images, images)
    ax.minorticks_off()
    ax.set_xlim(images[0] * 0.9, images[-1] * 2.6)
    ax.spines["bottom"].set_bounds(images[0], images[-1])
    return ax


@styled
def ring_rounds(states: Sequence[Sequence[Sequence[int]]]) -> list[Axes]:
    """Who holds what after every round: one panel a round, a row a machine, a column a chunk.

    Args:
        states: the beginning and the state after each round, ``[machine][chunk]``: how many machines' parts a chunk is
            the sum of.
    """
    machines = len(states[0])
    axes = plt.subplots(1, len(states), figsize=(10, 1.9), sharey=True, gridspec_kw={"wspace": 0.12})[1]
    for number, (ax, state) in enumerate(zip(axes, states, strict=True)):
        before = states[number - 1] if number else state
        for machine, chunks in enumerate(state):
            for chunk, parts in enumerate(chunks):
                strength = 0.1 + 0.85 * (parts - 1) / (machines - 1)
                box = (chunk + 0.04, machine + 0.04), 0.92, 0.92
                ax.add_patch(plt.Rectangle(*box, facecolor=palette.CONVOLUTION, alpha=strength, edgecolor="none"))
                if parts != before[machine][chunk]:
                    frame = {"facecolor": "none", "edgecolor": palette.HIGHLIGHT, "linewidth": 2}
                    ax.add_patch(plt.Rectangle(*box, **frame))
                words = {"ha": "center", "va": "center", "weight": "bold" if parts == machines else "normal"}
                color = "black" if strength > 0.6 else palette.TEXT
                ax.text(chunk + 0.5, machine + 0.53, str(parts), color=color, **words)
        ax.set(xlim=(0, machines), ylim=(machines, 0), aspect="equal", xticks=[], yticks=[])
        ax.set_title(f"round {number}" if number else "start", fontsize="small", loc="center")
        ax.spines[:].set_visible(False)
    axes[0].set_yticks([m + 0.5 for m in range(machines)], [f"machine {m}" for m in range(machines)])
    for ax in axes:
        ax.tick_params(length=0)
    half = (len(states) - 1) // 2
    for first, words in ((1, "reduce-scatter: add what arrives"), (half + 1, "all-gather: pass on what is complete")):
        axes[first].set_xlabel(words, loc="left", fontsize="small")
    return list(axes)


@styled
def message_times(rows: Sequence[Mapping], seconds_of: Callable[[float], float]) -> Axes:
    """Measured seconds of all-reduces by the size of the message, and the line of a model.

    Args:
        rows: ``results.load("scaling")["all_reduce"]``.
        seconds_of: bytes to seconds, the model.
    """
    ax = plt.subplots(figsize=(7, 3.6))[1]
    shortest, longest = (pick(row["bytes"] for row in rows) for pick in (min, max))
    sizes = [shortest * (longest / shortest) ** (step / 60) for step in range(61)]
    ax.plot(sizes, [1e3 * seconds_of(size) for size in sizes], color=palette.CONTEXT, linewidth=1.5, label="the model")
    for use, words, marker, face in (
        ("fit", "used for the fit", "o", palette.CONVOLUTION),
        ("check", "not used for the fit", "s", "none"),
    ):
        chosen = [row for row in rows if row["use"] == use]
        x, y = [row["bytes"] for row in chosen], [1e3 * row["seconds"]["median"] for row in chosen]
        fastest = [1e3 * row["seconds"]["lowest"] for row in chosen]
        ax.vlines(x, fastest, y, color=palette.CONVOLUTION, linewidth=1)
        look = {"marker": marker, "markerfacecolor": face, "markeredgecolor": palette.CONVOLUTION}
        ax.plot(x, y, linestyle="none", markersize=7, label=words, **look)
    ax.set(xscale="log", yscale="log", xlabel="bytes of the message", ylabel="milliseconds")
    ax.legend(loc="upper left")
    return ax


KINDS = {
    "half": "half the batch, the other core rests",
    "side_by_side": "two processes, a half each, silent",
    "predicted": "the same, and the model's message",
    "together": "two processes, gradients averaged",
}


@styled
def step_times(steps: Mapping[str, Mapping], labels: Mapping[str, str]) -> list[Axes]:
    """Seconds of a training step of two processes over half of what one process takes: 1 is perfect sharing.

    A dot is one measured step, a bar their median, a diamond the prediction.

    Args:
        steps: ``results.load("scaling")["steps"]``.
        labels: the nets to draw, in order, each with the words above its panel.
    """
    axes = plt.subplots(1, len(labels), figsize=(9, 2.5), sharex=True, sharey=True)[1]
    for ax, (name, label) in zip(axes, labels.items(), strict=True):
        unit = steps[name]["alone"]["median"] / 2
        ax.axvline(1, color=palette.CONTEXT, linewidth=1, linestyle="--")
        for row, kind in enumerate(KINDS):
            if kind == "predicted":
                middle = steps[name][kind] / unit
                ax.plot(middle, row, "D", color=palette.POOL, markersize=7)
            else:
                values = [value / unit for value in steps[name][kind]["values"]]
                middle = median(values)
                ax.plot(values, [row] * len(values), "o", color=palette.CONTEXT, markersize=3.5)
                ax.plot([middle] * 2, [row - 0.3, row + 0.3], color=palette.CONVOLUTION, linewidth=3)
            beside = {"xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points"}
            ax.annotate(f"{middle:.2f}", (1, row), va="center", fontsize=9, **beside)
        ax.set_title(label, fontsize="small")
        ax.set(xlim=(0.75, 1.75), ylim=(len(KINDS) - 0.5, -0.6))
    axes[0].set_yticks(range(len(KINDS)), KINDS.values(), fontsize="small")
    axes[len(axes) // 2].set_xlabel("seconds of a step / half of those of one process with the whole batch")
    return list(axes)


@styled
def speed_ups(curves: Mapping[str, Mapping[str, Sequence[float]]], machines: Sequence[int], columns: int = 2) -> list:
    """Speed-up against the number of machines, a panel a case, a curve a network; dashed is perfect sharing.

    Args:
        curves: title of a panel to name of a network to speed-ups, one a number of machines.
    """
    rows = -(-len(curves) // columns)
    grid = plt.subplots(rows, columns, figsize=(9, 2.9 * rows), sharex=True, sharey=True, squeeze=False)[1]
    axes = list(grid.flat)
    for ax, (title, networks) in zip(axes, curves.items(), strict=False):
        ax.plot(machines, machines, color=palette.CONTEXT, linewidth=1, linestyle="--")
        places = []
        for (name, values), look in zip(networks.items(), looks(), strict=False):
            ax.plot(machines, values, markersize=4, **look)
            places.append((values[-1], f"{name}: {values[-1]:.3g}"))
        low = 0.0
        for value, words in sorted(places):  # labels that would meet are pushed up
            low = max(value, low * 1.28)
            ax.annotate(words, (machines[-1], low), (7, 0), textcoords="offset points", va="center", fontsize=8)
        ax.set(xscale="log", yscale="log")
        ax.set_title(title, fontsize="small")
        ax.set_xticks(machines, machines)
        ax.set_yticks(machines, machines)
        ax.minorticks_off()
        ax.set_xlim(0.9, machines[-1] * 5)
        ax.set_ylim(0.5, machines[-1] * 1.6)
        ax.spines["bottom"].set_bounds(machines[0], machines[-1])
    for ax in grid[:, 0]:
        ax.set_ylabel("speed-up")
    for ax in grid[-1]:
        ax.set_xlabel("machines")
    return axes
