"""Checks for the chapter that slides the classifier over larger images."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from vgg_course.accounting import ledger
from vgg_course.check import beside
from vgg_course.check.judging import TENSORS, Kind, judge, judge_numbers, judge_pairs, real_tensor
from vgg_course.check.verdict import Verdict, ask, short
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
        picture=lambda mine, right: beside.boxes(_crop(*right), _crop(*mine)),
    )


def _crop(top: float, left: float) -> tuple[float, ...]:
    return left, top, left + 224, top + 224


def _convolutions(size: int) -> int:
    return sum(row.macs for row in ledger(CONFIGURATIONS["D"].variant(input_size=size)) if row.kind == "convolution")


def _connected(size: int) -> int:
    return sum(
        row.macs for row in ledger(CONFIGURATIONS["D"].variant(input_size=size)) if row.kind == "fully connected"
    )


def _cells(size: int) -> int:
    return (size // 32 - 6) ** 2


def dense_macs(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(size)``: MACs of configuration D, made convolutional, on one ``size x size`` image."""
    sizes = [224, 256, 300, 384, *random.Random(seed).sample(range(400, 1000), 3)]
    whole = _convolutions(224) + _connected(224)
    return judge_numbers(
        "MACs of a dense evaluation",
        attempt,
        lambda size: _convolutions(size) + _cells(size) * _connected(224),
        [{"size": size} for size in sizes],
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

    generator, kept, cases = torch.Generator().manual_seed(seed), {}, {}
    for channels, side, features in ((2, 2, 3), (5, 3, 4), (6, 1, 6), (3, 7, 10)):
        linear = nn.utils.skip_init(nn.Linear, channels * side * side, features)
        with torch.no_grad():
            for parameter in linear.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        kept[linear] = [parameter.detach().clone() for parameter in linear.parameters()]
        on = f"a layer from {channels} channels of {side}x{side} to {features} outputs"
        cases[on] = {"linear": linear, "channels": channels, "side": side}

    def arranged(change: Callable, biased: bool = True) -> Callable:
        """Convolutions whose kernel is made from the matrix in that way."""

        def made(linear, channels: int, side: int):
            weight, bias = kept[linear]
            return _convolution(change(weight, channels, side), bias if biased else None)

        return made

    def kernel(weight, channels: int, side: int):
        return weight.unflatten(1, (channels, side, side))

    changed = {
        "It changed the layer that it was given; copy its weights.": lambda linear, c, s: _convolution(
            kernel(linear.weight, c, s), linear.bias
        )
    }

    def untouched(layer) -> str:
        same = all(
            torch.equal(p, q) for linear, pair in kept.items() for p, q in zip(linear.parameters(), pair, strict=True)
        )
        return "" if same else next(iter(changed))

    return judge(
        "a fully-connected layer as a convolution",
        attempt,
        arranged(kernel),
        cases,
        {
            "The bias is missing: copy it too.": arranged(kernel, biased=False),
            "The order of the values is wrong: flatten lays out channel by channel, (C, H, W), and you read (H, W, C).": (
                arranged(lambda weight, c, s: weight.unflatten(1, (s, s, c)).permute(0, 3, 1, 2))
            ),
            "Rows and columns of the window are swapped: (C, H, W), not (C, W, H).": (
                arranged(lambda weight, c, s: kernel(weight, c, s).transpose(2, 3))
            ),
            "The window is turned by 180 degrees; torch's convolution does not turn it.": (
                arranged(lambda weight, c, s: kernel(weight, c, s).flip(2, 3))
            ),
            "You read the matrix by columns. It is (outputs, inputs): one row is one window.": (
                arranged(lambda weight, c, s: weight.T.reshape(-1, c, s, s))
            ),
            **changed,
        },
        replace(CONVOLUTIONS, flaw=untouched),
    )


def _convolution(kernel, bias=None):
    import torch
    from torch import nn

    shape = kernel.shape[1], len(kernel), tuple(kernel.shape[2:])
    layer = nn.utils.skip_init(nn.Conv2d, *shape, bias=bias is not None)  # draws no numbers from torch's own generator
    with torch.no_grad():
        layer.weight.copy_(kernel)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def _module(answer: object) -> object | None:
    from torch import nn

    return answer if isinstance(answer, nn.Module) else None


def _outputs(layer, right) -> list[tuple]:
    """Two grids, one as large as the right window and one larger, and what a layer makes of each, or why not, in words."""
    import torch

    generator, found = torch.Generator().manual_seed(0), []
    for rows, columns in ((0, 0), (2, 3)):
        side = right.kernel_size[0]
        x = torch.randn(2, right.in_channels, side + rows, side + columns, generator=generator)
        try:
            with torch.no_grad():
                y = ask(layer, x)
            found.append((x, f"gave {short(y)}" if real_tensor(y) is None else y))
        except Exception as error:  # the student's module may do anything
            found.append((x, f"raised {type(error).__name__}: {error}"))
    return found


def _same_layers(mine, right) -> bool:
    if _layout(mine, right):
        return False
    pairs = zip(_outputs(mine, right), _outputs(right, right), strict=True)
    return all(_near(y, wanted) for (_, y), (_, wanted) in pairs)


def _layers_off(mine, right) -> float:
    pairs = zip(_outputs(mine, right), _outputs(right, right), strict=True)
    return max(TENSORS.off(y, wanted) for (_, y), (_, wanted) in pairs)


def _layers_apart(mine, right) -> str:
    if words := _layout(mine, right):
        return f"it returned {short(mine)}. {words}"
    for (x, y), (_, wanted) in zip(_outputs(mine, right), _outputs(right, right), strict=True):
        on = f"it returned a layer that, on a grid of {x.shape[2]}x{x.shape[3]},"
        if isinstance(y, str):
            return f"{on} {y}."
        if y.shape != wanted.shape:
            return f"{on} gave {tuple(y.shape)}, not {tuple(wanted.shape)}."
        if not _near(y, wanted):
            far, largest = float((y - wanted).abs().max()), float(wanted.abs().max())
            return f"{on} is off by up to {far:.3g}; the largest output is {largest:.3g}."
    return ""


def _layout(layer, right) -> str:
    """What is wrong with the arguments of a convolution; empty if nothing is, or if it is another module."""
    from torch import nn

    reasons = [("It is a linear layer still; make an nn.Conv2d.", isinstance(layer, nn.Linear))]
    if isinstance(layer, nn.Conv2d):
        window, channels = layer.kernel_size, (layer.in_channels, layer.out_channels)
        reasons += [
            (
                "A 1x1 window sees one value of the grid; it must cover all of it.",
                (1, 1) == window != right.kernel_size,
            ),
            ("The window must cover the grid: its sides are those of the grid.", window != right.kernel_size),
            (
                "It must take in the channels of the grid, and give as many as the layer has outputs.",
                channels != (right.in_channels, right.out_channels),
            ),
            ("The window may not hang over the grid: padding 0.", layer.padding not in ((0, 0), 0, "valid")),
            ("The window must stop at every place: stride 1.", layer.stride != (1, 1)),
            (
                "Its weights are others than those of the linear layer: copy them.",
                not _near(*map(_sorted, (layer, right))),
            ),
        ]
    return next((words for words, is_so in reasons if is_so), "")


def _sorted(layer):
    return layer.weight.detach().flatten().sort().values


def _kernels(mine, right) -> str:
    """The windows side by side, where they differ."""
    kernel = getattr(mine, "weight", None)
    if real_tensor(kernel) is None or kernel.shape != right.weight.shape or _near(kernel, right.weight):
        return ""
    return beside.grids(right.weight, kernel)


def _near(mine, right) -> bool:
    import torch

    shapes = getattr(mine, "shape", None) == right.shape
    return shapes and torch.allclose(mine.double(), right.double(), rtol=1e-4, atol=1e-4)


CONVOLUTIONS = Kind("return the nn.Conv2d itself", _module, _same_layers, _layers_off, _layers_apart, picture=_kernels)
