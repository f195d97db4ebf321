"""Max-pooling, forward and backward."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vgg_course.convolution.arguments import checked_grad, checked_maps, places_of
from vgg_course.convolution.convolving import output_size


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


def max_pool2d_loops_backward(grad: Tensor, x: Tensor, kernel: int = 2, *, stride: int = 2, padding: int = 0) -> Tensor:
    """The gradient of :func:`max_pool2d_loops`: each window hands all of it to its winner, and nothing to the others.

    Among equals the first one wins, row by row, as in torch: neither all of them nor a share for each. (A NaN beats
    every number, and the last NaN wins. That is torch's rule on the CPU, too.)

    Args:
        grad: ``(B, C, H', W')``, the gradient with respect to the output.
        x, kernel, stride, padding: as they were given to :func:`max_pool2d_loops`.

    Returns:
        ``(B, C, H, W)``, the gradient with respect to x: a sum, where windows overlap and share a winner.

    Raises:
        ValueError: as for the forward function, or ``grad`` has not the shape of the output.
    """
    checked_grad(grad, (*x.shape[:2], *_checked_pool(x, kernel, stride, padding)))
    height, width = x.shape[2:]
    grad_x = torch.zeros_like(x)
    for image, channel, row, column in places_of(grad):
        winner = None
        top, left = row * stride - padding, column * stride - padding
        for i in range(max(top, 0), min(top + kernel, height)):  # padding never wins
            for j in range(max(left, 0), min(left + kernel, width)):
                pixel = image, channel, i, j
                if winner is None or x[pixel] > x[winner] or x[pixel].isnan():
                    winner = pixel
        grad_x[winner] += grad[image, channel, row, column]
    return grad_x


def _checked_pool(x: Tensor, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    checked_maps(x)
    height, width = (output_size(side, kernel, stride, padding) for side in x.shape[2:])
    if 2 * padding > kernel:
        raise ValueError(f"padding is {padding}; for a window of {kernel} it may be at most {kernel // 2}, half of it.")
    return height, width
