"""Checks for the chapter that slides the classifier over larger images."""

from __future__ import annotations

import random
from collections.abc import Callable

from vgg_course.accounting import ledger
from vgg_course.check.judging import judge_numbers, judge_pairs
from vgg_course.check.verdict import Verdict, attempt_on
from vgg_course.configuration import CONFIGURATIONS


def _both(side: Callable) -> Callable:
    """The same rule for rows and for columns."""
    return lambda one, other: (side(one), side(other))


def score_map_size(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(height, width)``: the height and width of configuration D's score map on an image."""
    draw = random.Random(seed)
    sizes = [(224, 224), (256, 384), (480, 359), *((draw.randint(404, 700), draw.randint(225, 403)) for _ in range(4))]
    return judge_pairs(
        "size of a score map",
        attempt,
        _both(lambda n: n // 32 - 6),
        [{"height": height, "width": width} for height, width in sizes],
        {
            "That is the grid behind pool5. How many windows of 7 fit on it?": _both(lambda n: n // 32),
            "A window of 7 fits n - 7 + 1 times on n values: count the first place too.": _both(lambda n: n // 32 - 7),
            "Every pool rounds down: use //.": _both(lambda n: n / 32 - 6),
            "Every pool rounds down: what does not fill a window is left out. You round up.": _both(
                lambda n: -(-n // 32) - 6
            ),
            "Every pool rounds down; you round to the nearest.": _both(lambda n: round(n / 32) - 6),
            "The receptive field of 404 need not fit: with padding, it hangs over the border.": _both(
                lambda n: (n - 404) // 32 + 1
            ),
            "Windows overlap: the next one begins 32 pixels on, not behind the end of this one.": _both(
                lambda n: n // 224
            ),
            "There is one place for every 32 pixels, not for every pixel.": _both(lambda n: n - 223),
            "Height and width are swapped: the height comes first.": lambda h, w: (w // 32 - 6, h // 32 - 6),
        },
    )


def crop_of_cell(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(row, column)``: top and left pixel of the 224x224 crop that a cell of the score map stands for."""
    draw = random.Random(seed)
    cells = [(0, 0), (0, 1), (2, 0), *((draw.randint(6, 12), draw.randint(1, 5)) for _ in range(3))]
    return judge_pairs(
        "crop of a cell",
        attempt,
        _both(lambda i: 32 * i),
        [{"row": row, "column": column} for row, column in cells],
        {
            "Row comes first, and it counts pixels from the top.": lambda row, column: (32 * column, 32 * row),
            "Cells lie a stride apart, 32 pixels. 404 is the size of the window, not the step.": _both(
                lambda i: 404 * i
            ),
            "Cells lie a stride apart, 32 pixels. 224 would leave no overlap.": _both(lambda i: 224 * i),
            "Cells lie a stride apart, 32 pixels. 212 is what one value of pool5 sees.": _both(lambda i: 212 * i),
            "There are five pools, so the stride is 2 * 2 * 2 * 2 * 2.": _both(lambda i: 16 * i),
            "The last grid moves by one value, but one value of it is 32 pixels.": _both(lambda i: i),
            "That is the last grid's window of 7, in values; asked for are pixels.": _both(lambda i: 7 * i),
            "That is where the receptive field begins, in the padding; asked for is the crop, 90 pixels further on.": _both(
                lambda i: 32 * i - 90
            ),
            "That is the middle of the crop; asked for is its first pixel.": _both(lambda i: 32 * i + 111.5),
            "That is the top RIGHT corner. Cell (0, 0) stands for the crop at the top left.": lambda row, column: (
                32 * row,
                32 * column + 223,
            ),
        },
    )


def _convolutions(size: int) -> int:
    return sum(row.macs for row in ledger(CONFIGURATIONS["D"].variant(input_size=size)) if row.kind == "convolution")


def _connected(size: int) -> int:
    return sum(
        row.macs for row in ledger(CONFIGURATIONS["D"].variant(input_size=size)) if row.kind == "fully connected"
    )


def _cells(size: int) -> int:
    return (size // 32 - 6) ** 2


def dense_macs(attempt: Callable) -> Verdict:
    """Check ``attempt(size)``: MACs of configuration D, made convolutional, on one ``size x size`` image."""
    whole = _convolutions(224) + _connected(224)
    return judge_numbers(
        "MACs of a dense evaluation",
        attempt,
        lambda size: _convolutions(size) + _cells(size) * _connected(224),
        [{"size": size} for size in (224, 256, 300, 384, 512, 992)],
        {
            "The fully-connected layers run once at every cell of the score map.": lambda size: (
                _convolutions(size) + _connected(224)
            ),
            "That is a net whose fc6 grew with the image. Made convolutional, fc6 stays 7x7 and runs at every cell.": (
                lambda size: _convolutions(size) + _connected(size)
            ),
            "That is what separate crops cost. Here the convolutions run once, over the whole image.": lambda size: (
                _cells(size) * whole
            ),
            "The fully-connected layers are missing: once at every cell.": _convolutions,
            "The convolutions run on the larger image: their cost grows with it.": lambda size: (
                _convolutions(224) + _cells(size) * _connected(224)
            ),
            "Only convolutions scale with the area; the number of cells does not.": lambda size: (
                whole * size**2 / 224**2
            ),
            "You counted the cells along one side only; there are as many rows as columns.": lambda size: (
                _convolutions(size) + (size // 32 - 6) * _connected(224)
            ),
            "You count a multiplication and an addition as two: that are FLOPs.": lambda size: (
                2 * (_convolutions(size) + _cells(size) * _connected(224))
            ),
        },
    )


def as_convolution(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(linear, channels, side)``: a convolution that computes the same on a ``side x side`` grid."""
    import torch
    from torch import nn
    from torch.nn import functional

    task, generator = "a fully-connected layer as a convolution", torch.Generator().manual_seed(seed)
    for channels, side, features in ((2, 2, 3), (5, 3, 4), (6, 1, 6), (3, 7, 10)):
        linear = nn.Linear(channels * side * side, features)
        weight, bias = (torch.randn(p.shape, generator=generator) for p in (linear.weight, linear.bias))
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
        case = f"on a layer from {channels} channels of {side}x{side} to {features} outputs"
        layer, verdict = attempt_on(attempt, {"linear": linear, "channels": channels, "side": side}, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if not isinstance(layer, nn.Module):
            return Verdict(task, "wrong", f"{case} it returned a {type(layer).__name__}; return the nn.Conv2d itself.")
        if not (torch.equal(linear.weight, weight) and torch.equal(linear.bias, bias)):
            return Verdict(task, "wrong", f"{case} it changed the layer that it was given; copy its weights.")
        if message := _layout(layer, channels, side, features):
            return Verdict(task, "wrong", f"{case}: {message}")
        small = torch.randn(2, channels, side, side, generator=generator)
        large = torch.randn(1, channels, side + 2, side + 3, generator=generator)
        kernel, mistakes = weight.unflatten(1, (channels, side, side)), {}
        if side > 1:
            mistakes = {
                "The order of the values is wrong: flatten lays out channel by channel, (C, H, W), and you read (H, W, C).": (
                    weight.unflatten(1, (side, side, channels)).permute(0, 3, 1, 2)
                ),
                "Rows and columns of the window are swapped: (C, H, W), not (C, W, H).": kernel.transpose(2, 3),
                "The window is turned by 180 degrees; torch's convolution does not turn it.": kernel.flip(2, 3),
            }
        mistakes["You read the matrix by columns. It is (outputs, inputs): one row is one window."] = weight.T.reshape(
            kernel.shape
        )
        for x in (small, large):
            try:
                with torch.no_grad():
                    mine = layer(x)
            except Exception as error:  # the student's module may do anything
                return Verdict(
                    task, "wrong", f"{case}: on a grid of {_grid(x)} it raised {type(error).__name__}: {error}"
                )
            right = functional.conv2d(x, kernel, bias)
            if not isinstance(mine, torch.Tensor) or mine.shape != right.shape:
                got = tuple(mine.shape) if isinstance(mine, torch.Tensor) else type(mine).__name__
                words = f"{case}: a grid of {_grid(x)} became {got}, not {tuple(right.shape)}. "
                return Verdict(task, "wrong", words + "Kernel as large as the grid, stride 1, no padding.")
            if _near(mine, right):
                continue
            message = f"{case}: outputs differ by up to {float((mine - right).abs().max()):.3g}."
            if _near(mine, functional.conv2d(x, kernel)):
                return Verdict(task, "wrong", f"{message} The bias is missing: copy it too.")
            for words, mistaken in mistakes.items():
                if any(_near(mine, functional.conv2d(x, mistaken, b)) for b in (bias, None)):
                    return Verdict(task, "wrong", f"{message} {words}")
            return Verdict(task, "wrong", f"{message} Are the weights those of the linear layer?")
    return Verdict(task, "passed", "equal on its own grid, and at every place of larger ones.")


def _layout(layer, channels: int, side: int, features: int) -> str:
    """What is wrong with the arguments of a convolution; empty if nothing is, or if it is another module."""
    from torch import nn

    if isinstance(layer, nn.Linear):
        return "it is a linear layer still; make an nn.Conv2d."
    if not isinstance(layer, nn.Conv2d):
        return ""
    if layer.kernel_size != (side, side):
        hint = "A 1x1 window sees one value of the grid." if layer.kernel_size == (1, 1) else ""
        return (
            f"its kernel is {_times(layer.kernel_size)}; the window must cover the grid, {side}x{side}. {hint}".strip()
        )
    if (layer.in_channels, layer.out_channels) != (channels, features):
        return f"it goes from {layer.in_channels} channels to {layer.out_channels}, not from {channels} to {features}."
    if layer.padding not in ((0, 0), 0, "valid"):
        return f"its padding is {layer.padding}; the window may not hang over the grid: padding 0."
    if layer.stride != (1, 1):
        return f"its stride is {_times(layer.stride)}; the window must stop at every place: stride 1."
    return ""


def _near(mine, right) -> bool:
    import torch

    return torch.allclose(mine.double(), right.double(), rtol=1e-4, atol=1e-4)


def _times(sides: tuple[int, ...]) -> str:
    return "x".join(map(str, sides))


def _grid(x) -> str:
    return _times(tuple(x.shape[2:]))
