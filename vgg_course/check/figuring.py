"""Checks for what can be figured out with pen and paper, and is then written as a formula for every case."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import prod

from vgg_course.check.judging import judge_lists, judge_numbers, judge_pairs
from vgg_course.check.verdict import Verdict

# --- what a pool forgets ---


def maps_with_pool(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(top, cells)``: how many choices of ``cells`` whole numbers from 0 on have ``top`` as their largest."""
    draw = random.Random(seed)
    cases = [(1, 2), (0, 4), (9, 4), *((draw.randint(2, 20), draw.randint(3, 9)) for _ in range(5))]
    return judge_numbers(
        "inputs with the same pool",
        attempt,
        lambda top, cells: (top + 1) ** cells - top**cells,
        [{"top": top, "cells": cells} for top, cells in cases],
        {
            "Those are all inputs without a number above top. Take off those that have no top either.": (
                lambda top, cells: (top + 1) ** cells
            ),
            "Those are the inputs in which no number reaches top; it must be there at least once.": (
                lambda top, cells: top**cells
            ),
            "An input with top in two places counts once. Placing top first and the rest anyhow counts it twice.": (
                lambda top, cells: cells * (top + 1) ** (cells - 1)
            ),
            "You count inputs with top in exactly one place; it may stand in several.": (
                lambda top, cells: cells * top ** (cells - 1)
            ),
            "There are top + 1 numbers from 0 to top, not top.": lambda top, cells: (
                top**cells - max(top - 1, 0) ** cells if top else 0
            ),
            "Each cell has all numbers to choose from: multiply the choices, do not add them.": (
                lambda top, cells: cells * (top + 1) - cells * top
            ),
        },
    )


# --- convolutions without a ReLU between them ---


def _side(layers: Sequence[tuple[int, int]]) -> int:
    return 1 + sum(kernel - 1 for kernel, _ in layers)


def melted(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(channels_in, layers)``: kernel side and weights of one convolution that does what they do together.

    ``layers`` are pairs ``(kernel, channels)`` with stride 1 and no ReLU between them.
    """
    draw = random.Random(seed)
    cases = [(4, [(3, 8), (1, 6)]), (2, [(5, 7), (3, 3)]), (3, [(3, 5)])]
    for _ in range(5):
        layers = [(draw.choice((1, 3, 5, 7)), draw.randint(2, 64)) for _ in range(draw.randint(2, 4))]
        cases.append((draw.randint(2, 64), layers))

    def of(side: Callable) -> Callable:
        return lambda channels, layers: (side(layers), side(layers) ** 2 * channels * layers[-1][1])

    def weights(channels: int, layers: Sequence[tuple[int, int]]) -> int:
        ins = [channels, *(out for _, out in layers)]
        return sum(k**2 * a * b for (k, b), a in zip(layers, ins, strict=False))

    return judge_pairs(
        "what convolutions melt into",
        attempt,
        of(_side),
        [{"channels_in": channels, "layers": layers} for channels, layers in cases],
        {
            "Each layer widens the window by kernel - 1, not by its kernel: two neighbors share a pixel.": of(
                lambda layers: sum(kernel for kernel, _ in layers)
            ),
            "The kernel is not as large as the largest of them: windows of windows see further.": of(
                lambda layers: max(kernel for kernel, _ in layers)
            ),
            "The sides of the kernels do not multiply; each layer adds kernel - 1.": of(
                lambda layers: prod(kernel for kernel, _ in layers)
            ),
            "Those are the weights of the layers one by one. Melted, they are one convolution of the new side.": (
                lambda channels, layers: (_side(layers), weights(channels, layers))
            ),
            "A kernel has side times side weights for each pair of channels.": (
                lambda channels, layers: (_side(layers), _side(layers) * channels * layers[-1][1])
            ),
            "The channels between the layers are gone: what goes in and what comes out is left.": (
                lambda channels, layers: (_side(layers), _side(layers) ** 2 * channels * prod(out for _, out in layers))
            ),
            "The last layer says how many channels come out, not the first.": (
                lambda channels, layers: (_side(layers), _side(layers) ** 2 * channels * layers[0][1])
            ),
        },
    )


# --- one more convolution ---


def widened(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(block, kernel)``: pixels that one more convolution in that block (from 1 on) adds to the view."""
    draw = random.Random(seed)
    cases = [(1, 3), (2, 3), (5, 3), (4, 1), *((draw.randint(2, 8), draw.choice((3, 5, 7, 9))) for _ in range(4))]
    return judge_numbers(
        "pixels that a convolution adds",
        attempt,
        lambda block, kernel: (kernel - 1) * 2 ** (block - 1),
        [{"block": block, "kernel": kernel} for block, kernel in cases],
        {
            "In block 1 no pool lies in front, and the jump is 1: there are block - 1 pools.": (
                lambda block, kernel: (kernel - 1) * 2**block
            ),
            "A kernel of k adds k - 1 jumps: the first place is there already.": (
                lambda block, kernel: kernel * 2 ** (block - 1)
            ),
            "That is what it adds in block 1. Behind pools its neighbors lie further apart on the image.": (
                lambda block, kernel: kernel - 1
            ),
            "Jumps multiply from pool to pool, they do not add: 1, 2, 4, 8.": lambda block, kernel: (
                (kernel - 1) * block
            ),
            "It widens the window on both sides; you count one of them.": (
                lambda block, kernel: (kernel - 1) // 2 * 2 ** (block - 1)
            ),
            "That is the jump. A window of k places spans k - 1 of them.": lambda block, kernel: 2 ** (block - 1),
        },
    )


# --- a larger image ---


def times_as_many(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(factor)``: by what an image ``factor`` times as wide and high multiplies four counts of VGG-16.

    The counts are the parameters of the convolutions, their activations, their MACs, and the weights of ``fc6``.
    """
    draw = random.Random(seed)
    return judge_lists(
        "a larger image",
        attempt,
        lambda f: (1, f**2, f**2, f**2),
        [{"factor": factor} for factor in (2, 1, 3, *draw.sample(range(4, 20), 3))],
        {
            "A filter does not know how large the image is: the convolutions keep their parameters.": (
                lambda f: (f**2, f**2, f**2, f**2)
            ),
            "The image grows in both directions, and so do the maps: not the factor, its square.": (
                lambda f: (1, f, f, f)
            ),
            "MACs: each place costs what it did, and there are as many more of them as there are activations.": (
                lambda f: (1, f**2, f**4, f**2)
            ),
            "fc6 has a weight for each value of pool5 and each output, and pool5 grows with the image.": (
                lambda f: (1, f**2, f**2, 1)
            ),
            "pool5 grows along both sides, and fc6 with it.": lambda f: (1, f**2, f**2, f),
            "fc6: its inputs grow, its outputs are as many as before.": lambda f: (1, f**2, f**2, f**4),
        },
        "a list of four numbers",
        is_form=lambda numbers: len(numbers) == 4 and all(isinstance(number, int) for number in numbers),
    )


# --- as wide as the budget allows ---

WIDTHS = (1, 2, 4, 8)  # of the four blocks, in widths of the first


def _parameters(width: int, size: int, classes: int, convolutions: int = 2, widths: Sequence[int] = WIDTHS) -> int:
    total, channels = 0, 3
    for times in widths:
        for _ in range(convolutions):
            total += (9 * channels + 1) * times * width
            channels = times * width
    return total + (channels * (size // 16) ** 2 + 1) * classes


def _widest(fits: Callable[[int], bool]) -> int:
    width = 0
    while fits(width + 1):
        width += 1
    return width


def widest_start(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(budget, size, classes)``: the widest first block of four that double, in whole channels, or 0.

    Each block has two 3x3 convolutions and a pool; one fully-connected layer follows.
    """
    draw = random.Random(seed)
    cases = [(300_000, 64, 10), (_parameters(1, 32, 3), 32, 3), (500, 64, 10), (_parameters(7, 64, 100), 64, 100)]
    for _ in range(4):
        size, classes = 16 * draw.randint(3, 8), draw.randint(20, 200)
        cases.append((_parameters(draw.randint(8, 30), size, classes) + draw.randint(0, 900), size, classes))

    def fitting(parameters: Callable) -> Callable:
        return lambda budget, size, classes: _widest(lambda width: parameters(width, size, classes) <= budget)

    target = fitting(_parameters)
    return judge_numbers(
        "the widest start",
        attempt,
        target,
        [dict(zip(("budget", "size", "classes"), case, strict=True)) for case in cases],
        {
            "That one is over the budget by a little: it is the first that does not fit.": (
                lambda *case: target(*case) + 1
            ),
            "A net that takes the whole budget and no more does fit: at most, not less than.": (
                lambda b, s, c: target(b - 1, s, c)
            ),
            "The fully-connected layer has weights as well.": fitting(lambda w, s, c: _parameters(w, s, 0)),
            "The fully-connected layer has a weight for every place of the last grid: four pools leave size // 16 a side.": (
                fitting(lambda w, s, c: _parameters(w, 16, c))
            ),
            "The last block has eight times the channels of the first: it doubles three times.": fitting(
                lambda w, s, c: _parameters(w, s, c, widths=(1, 1, 1, 1))
            ),
            "Each block has two convolutions; you count one.": fitting(lambda w, s, c: _parameters(w, s, c, 1)),
            "Three pools, not four, lie in front of your fully-connected layer.": fitting(
                lambda w, s, c: _parameters(w, 2 * s, c)
            ),
        },
    )


# --- a deviation of one hundredth ---


def channels_for(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(deviation, kernel)``: the channels that a convolution must take in to have a gain of 1."""
    draw = random.Random(seed)
    cases = [(0.5, 1), (0.01, 3), *((draw.uniform(0.005, 0.1), draw.choice((5, 7, 11))) for _ in range(5))]
    return judge_numbers(
        "channels for a gain of 1",
        attempt,
        lambda deviation, kernel: 2 / (kernel * deviation) ** 2,
        [{"deviation": deviation, "kernel": kernel} for deviation, kernel in cases],
        {
            "The ReLU halves the mean square: the gain is deviation * sqrt(fan_in / 2).": lambda d, k: 1 / (k * d) ** 2,
            "Those are all products of the sum. A window of kernel x kernel pixels has that many for each channel.": (
                lambda d, k: 2 / d**2
            ),
            "A window has kernel x kernel pixels, not kernel.": lambda d, k: 2 / (k * d**2),
            "Solve for the channels: deviation is under no root then, it is squared.": lambda d, k: 2 / (k**2 * d),
            "Divide by the kernel's pixels; you multiplied.": lambda d, k: 2 * k**2 / d**2,
            "You took the root at the end; the channels stand under it from the start.": lambda d, k: 2**0.5 / (k * d),
        },
        tolerance=1e-6,
    )
