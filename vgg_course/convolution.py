"""What a convolution and a max-pool compute, in readable form: slow, obvious twins beside fast ones.

The ``_loops`` functions are the specification: one line a sum, one loop an index. Their twins give the same numbers and
are checked against them and against torch. Tensors are ``(B, C, H, W)``; kernels and windows are square.

A window that does not fit whole is left out, so that a side of n pixels becomes

    floor((n + 2 * padding - kernel) / stride) + 1

Like every library for neural networks, "convolution" here slides the kernel as it is. A mathematician turns it by 180
degrees first and calls this one a cross-correlation; :func:`compose` is where the difference shows.
"""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor
from torch.nn import functional


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """The side of the output grid: the number of places where the window fits whole.

    >>> output_size(224, kernel=3, padding=1), output_size(7, kernel=2, stride=2)
    (224, 3)

    Raises:
        ValueError: an argument is no whole number or too small, or the window is larger than the padded side.
    """
    for name, value, least in (
        ("size", size, 1),
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
    if kernel > size + 2 * padding:
        raise ValueError(
            f"a window of {kernel} does not fit on {size} pixels with padding {padding} on both sides "
            f"({size + 2 * padding} in all). Use a smaller kernel, more padding or a larger input."
        )
    return (size + 2 * padding - kernel) // stride + 1


# --- convolution ---


def conv2d_loops(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Tensor:
    """The convolution by its definition: for every output value, the sum over a window of all input channels.

    Args:
        x: ``(B, C, H, W)``.
        weight: ``(O, C, k, k)``, one filter for each of the O output channels.
        bias: ``(O,)``, or None for none.
        stride: pixels between neighboring windows.
        padding: rows and columns of zeros around ``x``.

    Returns:
        ``(B, O, H', W')`` with the sides that :func:`output_size` says.

    Raises:
        ValueError: the shapes do not fit together, or the kernel is larger than the padded input.
    """
    height, width = _checked(x, weight, bias, stride, padding)
    x = functional.pad(x, (padding,) * 4)  # (B, C, H + 2p, W + 2p)
    outputs, channels, kernel, _ = weight.shape
    y = x.new_zeros(len(x), outputs, height, width)
    for image in range(len(x)):
        for output in range(outputs):
            for row in range(height):
                for column in range(width):
                    total = x.new_zeros(()) if bias is None else bias[output]
                    for channel in range(channels):
                        for i in range(kernel):
                            for j in range(kernel):
                                pixel = x[image, channel, row * stride + i, column * stride + j]
                                total = total + weight[output, channel, i, j] * pixel
                    y[image, output, row, column] = total
    return y


def conv2d_im2col(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """The same as :func:`conv2d_loops`, as one matrix product: windows become columns ("image to columns").

    Faster because the product of two matrices is what computers do best, and larger because a pixel is copied into
    every window that holds it: k * k times at stride 1. Arguments, result and errors are those of the loops.
    """
    height, width = _checked(x, weight, bias, stride, padding)
    columns = functional.unfold(x, weight.shape[-1], padding=padding, stride=stride)  # (B, C * k * k, places)
    y = weight.flatten(1) @ columns  # (O, C * k * k) @ (B, C * k * k, places) = (B, O, places)
    if bias is not None:
        y = y + bias[:, None]
    return y.reshape(len(x), len(weight), height, width)


def _checked(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> tuple[int, int]:
    """The output's height and width, once the arguments have been found to fit together."""
    _checked_maps(x)
    if weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
        raise ValueError(f"weight has shape {tuple(weight.shape)}; it must be (O, C, k, k), with a square kernel.")
    if weight.shape[1] != x.shape[1]:
        raise ValueError(
            f"weight {tuple(weight.shape)} has filters for {weight.shape[1]} input channels, but x {tuple(x.shape)} has "
            f"{x.shape[1]}. A filter spans every input channel: make weight.shape[1] equal to x.shape[1]."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias has shape {tuple(bias.shape)}; one number for each output channel is wanted: ({len(weight)},)."
        )
    height, width = (output_size(side, weight.shape[-1], stride, padding) for side in x.shape[2:])
    return height, width


def _checked_maps(x: Tensor) -> None:
    if x.ndim != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; it must be (B, C, H, W). For one image use x[None].")


# --- max-pooling ---


def max_pool2d_loops(x: Tensor, kernel: int = 2, *, stride: int = 2, padding: int = 0) -> Tensor:
    """Max-pooling by its definition: the largest value of every window, each channel for itself.

    Args:
        x: ``(B, C, H, W)``.
        kernel, stride, padding: of the window; padding never wins, and may be at most half the kernel.

    Returns:
        ``(B, C, H', W')`` with the sides that :func:`output_size` says.

    Raises:
        ValueError: as for a convolution, or padding above half the kernel: a window could hold nothing else.
    """
    height, width = _checked_pool(x, kernel, stride, padding)
    x = functional.pad(x, (padding,) * 4, value=float("-inf"))  # (B, C, H + 2p, W + 2p)
    y = x.new_zeros(*x.shape[:2], height, width)
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            y[:, :, row, column] = x[:, :, top : top + kernel, left : left + kernel].amax(dim=(2, 3))  # (B, C)
    return y


def max_pool2d(x: Tensor, kernel: int = 2, *, stride: int = 2, padding: int = 0) -> Tensor:
    """The same as :func:`max_pool2d_loops` without a loop: all windows side by side, then one maximum."""
    _checked_pool(x, kernel, stride, padding)
    x = functional.pad(x, (padding,) * 4, value=float("-inf"))
    windows = x.unfold(2, kernel, stride).unfold(3, kernel, stride)  # (B, C, H', W', k, k)
    return windows.amax(dim=(4, 5))


def _checked_pool(x: Tensor, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    _checked_maps(x)
    height, width = (output_size(side, kernel, stride, padding) for side in x.shape[2:])
    if 2 * padding > kernel:
        raise ValueError(f"padding is {padding}; for a window of {kernel} it may be at most {kernel // 2}, half of it.")
    return height, width


# --- two convolutions, one after the other ---


def compose(first: Tensor, second: Tensor) -> Tensor:
    """The kernel of the one convolution that does what two do, one after the other, with nothing in between.

    Exact wherever padding is not seen; stride 1. The side is ``k1 + k2 - 1``: 5 for two 3x3.

    Args:
        first: ``(M, C, k1, k1)``, applied first.
        second: ``(O, M, k2, k2)``, applied to what comes out.

    Returns:
        ``(O, C, k1 + k2 - 1, k1 + k2 - 1)``.

    Raises:
        ValueError: ``second`` does not take in as many channels as ``first`` puts out.
    """
    if first.ndim != 4 or second.ndim != 4 or second.shape[1] != first.shape[0]:
        raise ValueError(
            f"first {tuple(first.shape)} and second {tuple(second.shape)} do not follow one another: they must be "
            "(M, C, k, k) and (O, M, k, k), with the same M."
        )
    turned = second.flip(2, 3)  # sliding twice adds positions up, so one of the two is slid from the other end
    composed = functional.conv2d(first.transpose(0, 1), turned, padding=second.shape[-1] - 1)  # (C, O, K, K)
    return composed.transpose(0, 1)


def nearest_pair(
    kernels: Tensor, middle: int = 1, *, starts: int = 100, rounds: int = 100, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """For 5x5 kernels, the two 3x3 convolutions whose composite comes nearest to each, in least squares.

    With one of the two fixed, the best other one is a linear least-squares problem; so they take turns (alternating
    least squares), from ``starts`` random beginnings, and the best end is kept.

    Args:
        kernels: ``(N, 5, 5)``, each from one channel to one channel.
        middle: channels between the two 3x3.

    Returns:
        ``first`` ``(N, middle, 1, 3, 3)``, ``second`` ``(N, 1, middle, 3, 3)``, and ``residual`` ``(N,)``: the norm of
        what is left over, as a fraction of the kernel's norm. All float64.

    Raises:
        ValueError: the kernels are not 5x5, or a count is below 1.
    """
    if kernels.ndim != 3 or kernels.shape[1:] != (5, 5):
        raise ValueError(f"kernels has shape {tuple(kernels.shape)}; it must be (N, 5, 5).")
    for name, value in (("middle", middle), ("starts", starts), ("rounds", rounds)):
        if value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1.")
    kernels = kernels.double()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # thousands of small systems: threads would wait for one another longer than they work
    try:
        return _alternate(kernels, middle, starts, rounds, torch.Generator().manual_seed(seed))
    finally:
        torch.set_num_threads(threads)


def _alternate(
    kernels: Tensor, middle: int, starts: int, rounds: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The work of :func:`nearest_pair`: in each round solve for one factor, then hold that one and solve for the other."""
    count = len(kernels)
    target = kernels.reshape(count, 1, 25, 1).expand(-1, starts, -1, -1)  # (N, starts, 25, 1)
    tiny = 1e-12 * torch.eye(9 * middle, dtype=kernels.dtype)  # more unknowns than equations is no error
    found = torch.randn(count, starts, middle, 3, 3, generator=generator, dtype=kernels.dtype)
    for _ in range(rounds):
        held = found / found.flatten(2).norm(dim=2)[..., None, None, None]  # only the scale of the product matters
        table = _placed(held)  # (N, starts, 25, 9 * middle): the other factor's values in, the composite out
        found = torch.linalg.solve(table.mT @ table + tiny, table.mT @ target).reshape(held.shape)
    rest = (table @ found.reshape(count, starts, -1, 1) - target).flatten(2).norm(dim=2)  # (N, starts)
    each, best = torch.arange(count), rest.argmin(dim=1)
    residual = rest[each, best] / kernels.flatten(1).norm(dim=1)
    return held[each, best][:, :, None], found[each, best][:, None], residual


def _placed(part: Tensor) -> Tensor:
    """The table that takes one factor's 3x3 values to the composite 5x5: ``(..., M, 3, 3)`` to ``(..., 25, 9 M)``."""
    table = part.new_zeros(*part.shape[:-2], 5, 5, 3, 3)
    for i in range(3):
        for j in range(3):
            table[..., i : i + 3, j : j + 3, i, j] = part
    return table.flatten(-4, -3).flatten(-2).movedim(-3, -2).flatten(-2)  # (..., M, 25, 9) to (..., 25, M * 9)
