"""Checks for the chapter that counts parameters, memory and MACs."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import prod

from vgg_course.accounting import ledger
from vgg_course.check.judging import judge_numbers
from vgg_course.check.verdict import Verdict
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


def peak_values(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(values)``: the most values alive at once in inference, given those of the input and each layer.

    A layer's input is freed when its output is there, so the peak is the largest sum of two neighbors.
    """
    draw = random.Random(seed)
    cases = [{"values": (5, 3)}, {"values": (1, 6, 6, 2)}, {"values": (9, 1, 8, 3, 7)}]
    cases += [{"values": tuple(draw.randint(10, 99) for _ in range(draw.randint(6, 9)))} for _ in range(4)]

    def pairs(values):
        return [a + b for a, b in pairwise(values)]

    return judge_numbers(
        "peak of the inference",
        attempt,
        lambda values: max(pairs(values)),
        cases,
        {
            "That is the sum of all of them: nothing is ever freed.": sum,
            "That is one output alone. While a layer works, its input is still there.": max,
            "Twice the largest would be right if its neighbor were as large; add the neighbor it has.": (
                lambda values: 2 * max(values)
            ),
            "You add the two largest, wherever they stand. Only neighbors are alive together.": (
                lambda values: sum(sorted(values)[-2:])
            ),
            "You add the largest to the output that follows; the input before it may be larger.": (
                lambda values: sum(values[values.index(max(values)) :][:2])
            ),
            "You take three at a time: input, output, and one that is already free.": (
                lambda values: max(sum(values[i : i + 3]) for i in range(len(values)))
            ),
            "That is where the smallest pair is: take the largest.": lambda values: min(pairs(values)),
        },
    )


def largest_batch(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(memory, parameters, saved_per_image)``: the most images a training step has room for.

    All in bytes of float32; SGD with momentum keeps weights, gradients and momentum: 12 bytes a parameter.
    """
    draw = random.Random(seed)
    vgg = {"memory": 6 * 10**9, "parameters": 138_357_544, "saved_per_image": 73_254_912}
    cases = [
        {"memory": 100, "parameters": 5, "saved_per_image": 20},  # two fit exactly
        {"memory": 119, "parameters": 5, "saved_per_image": 20},  # almost three
        {"memory": 50, "parameters": 5, "saved_per_image": 20},  # not even the weights
        vgg,
    ]
    for _ in range(4):
        parameters, saved = draw.randint(10**6, 10**8), draw.randint(10**6, 10**8)
        memory = 12 * parameters + saved * draw.randint(4, 60) + draw.randint(0, saved - 1)
        cases.append({"memory": memory, "parameters": parameters, "saved_per_image": saved})

    def fits(memory, taken, saved):
        return max(0, (memory - taken) // saved)

    return judge_numbers(
        "the largest batch that fits",
        attempt,
        lambda memory, parameters, saved: fits(memory, 12 * parameters, saved),
        cases,
        {
            "Half an image does not fit: round down.": (
                lambda memory, parameters, saved: max(0, (memory - 12 * parameters) / saved)
            ),
            "Where the weights alone are too large, nothing fits: that is 0 images, not fewer.": (
                lambda memory, parameters, saved: (memory - 12 * parameters) // saved
            ),
            "You round up, and the last image does not fit.": (
                lambda memory, parameters, saved: max(0, -((12 * parameters - memory) // saved))
            ),
            "You leave room for the weights only. Training keeps a gradient and a momentum for each as well.": (
                lambda memory, parameters, saved: fits(memory, 4 * parameters, saved)
            ),
            "The momentum is missing: weights, gradients and momentum are three numbers for each parameter.": (
                lambda memory, parameters, saved: fits(memory, 8 * parameters, saved)
            ),
            "You count numbers, not bytes: each of the three takes four.": (
                lambda memory, parameters, saved: fits(memory, 3 * parameters, saved)
            ),
            "You forget what the parameters take; only the activations are in your sum.": (
                lambda memory, parameters, saved: memory // saved
            ),
        },
    )
