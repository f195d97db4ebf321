"""Checks for the chapter that counts parameters, memory and MACs."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import prod

from vgg_course.accounting import ledger
from vgg_course.check.verdict import Verdict, judge_numbers
from vgg_course.configuration import Configuration


def _counted(in_channels: int, out_channels: int, kernel: int, size: int = 32):
    """The course's own ledger of one convolution: the target of the two checks below."""
    net = Configuration.parse(f"conv{kernel}-{out_channels}", input_size=size, in_channels=in_channels)
    return ledger(net)["conv1_1"]


def _cases(seed: int) -> list[dict[str, int]]:
    draw = random.Random(seed)
    small = {"in_channels": 1, "out_channels": 1, "kernel": 3}
    vgg = {"in_channels": 3, "out_channels": 64, "kernel": 3}
    fresh = [
        {"in_channels": draw.randint(2, 99), "out_channels": draw.randint(100, 512), "kernel": draw.choice([1, 5, 7])}
        for _ in range(4)
    ]
    return [small, vgg, *fresh]


def conv_parameters(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(in_channels, out_channels, kernel)``: the parameters of a convolution, biases included."""
    return judge_numbers(
        "parameters of a convolution",
        attempt,
        lambda a, b, k: _counted(a, b, k).parameters,
        _cases(seed),
        {
            "The biases are missing: one for every output channel.": (lambda a, b, k: k**2 * a * b),
            "A bias belongs to an output channel, not to an input channel.": (lambda a, b, k: k**2 * a * b + a),
            "You count one bias for the whole layer; there is one for every output channel.": (
                lambda a, b, k: k**2 * a * b + 1
            ),
            "The kernel is a square: kernel * kernel, not kernel.": (lambda a, b, k: (k * a + 1) * b),
            "Every filter looks at all input channels: multiply by in_channels too.": (lambda a, b, k: (k**2 + 1) * b),
            "You count one bias for every weight of the filter's input; there is one for every output channel.": (
                lambda a, b, k: (k**2 + 1) * a * b
            ),
        },
    )


def conv_macs(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(in_channels, out_channels, kernel, size)``: the MACs of a convolution that keeps the size."""
    draw = random.Random(seed + 1)
    return judge_numbers(
        "MACs of a convolution",
        attempt,
        lambda a, b, k, n: _counted(a, b, k, n).macs,
        [
            {**case, "size": size}
            for case, size in zip(_cases(seed), (2, 224, *draw.sample(range(7, 99), 4)), strict=True)
        ],
        {
            "That is the number of weights. Each is used once at every place of the output: size * size of them.": (
                lambda a, b, k, n: k**2 * a * b
            ),
            "The grid is a square: size * size places, not size.": (lambda a, b, k, n: k**2 * a * b * n),
            "You count the bias. A MAC is a multiplication with its addition; the bias is only added.": (
                lambda a, b, k, n: (k**2 * a + 1) * b * n**2
            ),
            "That is FLOPs: you count the multiplication and the addition apart. One MAC is both.": (
                lambda a, b, k, n: 2 * k**2 * a * b * n**2
            ),
            "Padding keeps the grid at size x size; you count a grid that lost its border.": (
                lambda a, b, k, n: k**2 * a * b * (n - k + 1) ** 2
            ),
        },
    )


def activation_bytes(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(shapes, bytes_per_value)``: the bytes of all activations, given their shapes without batch."""
    draw = random.Random(seed)
    shapes = [(1, 2, 2)]
    cases = [{"shapes": shapes, "bytes_per_value": 4}, {"shapes": [(3, 8, 8), (10,)], "bytes_per_value": 2}]
    for _ in range(4):
        grids = [(draw.randint(2, 64), side, side) for side in draw.choices([7, 14, 28], k=3)]
        cases.append({"shapes": [*grids, (draw.randint(11, 4096),)], "bytes_per_value": draw.choice([2, 4])})

    def total(shapes, bytes_per_value):
        return sum(prod(shape) for shape in shapes) * bytes_per_value

    return judge_numbers(
        "bytes of the activations",
        attempt,
        total,
        cases,
        {
            "That is the number of values. Multiply by the bytes each takes.": lambda shapes, size: total(shapes, 1),
            "You always take 4 bytes a value; use bytes_per_value.": lambda shapes, size: total(shapes, 4),
            "Only the last shape is counted: add them all up before you return.": lambda shapes, size: total(
                shapes[-1:], size
            ),
            "Only the first shape is counted: is the return inside the loop?": lambda shapes, size: total(
                shapes[:1], size
            ),
            "That is megabytes; bytes are asked for.": lambda shapes, size: total(shapes, size) / 10**6,
        },
    )
