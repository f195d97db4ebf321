"""The convolution, forward and backward, and the number of places its window has."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor
from torch.nn import functional

from vgg_course.convolution.arguments import checked_grad, checked_maps, places_of


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
    y = x.new_zeros(len(x), len(weight), height, width)
    for image, output, row, column in places_of(y):
        total = x.new_zeros(()) if bias is None else bias[output]
        for channel, i, j in places_of(weight[output]):
            pixel = x[image, channel, row * stride + i, column * stride + j]
            total = total + weight[output, channel, i, j] * pixel
        y[image, output, row, column] = total
    return y


def conv2d_loops_backward(
    grad: Tensor, x: Tensor, weight: Tensor, *, stride: int = 1, padding: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`conv2d_loops`: the same loops, and every product that was read is now written to.

    From ``y += w * pixel`` follows that the gradient of ``y`` goes to ``pixel`` times ``w``, and to ``w`` times
    ``pixel``. Neighboring windows share pixels, and all places share the kernel: so gradients are added up, ``+=``.

    Args:
        grad: ``(B, O, H', W')``, the gradient with respect to the output.
        x, weight, stride, padding: as they were given to :func:`conv2d_loops`.

    Returns:
        The gradients with respect to x ``(B, C, H, W)``, weight ``(O, C, k, k)`` and bias ``(O,)``.

    Raises:
        ValueError: as for the forward function, or ``grad`` has not the shape of the output.
    """
    sides = _checked(x, weight, None, stride, padding)
    checked_grad(grad, (len(x), len(weight), *sides))
    padded = functional.pad(x, (padding,) * 4)  # (B, C, H + 2p, W + 2p)
    grad_x, grad_weight = torch.zeros_like(padded), torch.zeros_like(weight)
    grad_bias = weight.new_zeros(len(weight))
    for image, output, row, column in places_of(grad):
        g = grad[image, output, row, column]
        grad_bias[output] += g
        for channel, i, j in places_of(weight[output]):
            pixel = image, channel, row * stride + i, column * stride + j
            grad_x[pixel] += g * weight[output, channel, i, j]
            grad_weight[output, channel, i, j] += g * padded[pixel]
    height, width = x.shape[2:]
    inside = grad_x[:, :, padding : padding + height, padding : padding + width]  # what fell on the padding is dropped
    return inside, grad_weight, grad_bias


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


def conv2d_im2col_backward(
    grad: Tensor, x: Tensor, weight: Tensor, *, stride: int = 1, padding: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """The same as :func:`conv2d_loops_backward`, as two matrix products.

    The gradient of a product ``weight @ columns`` is ``grad @ columns^T`` for one factor and ``weight^T @ grad`` for the
    other. The second holds a gradient for every *copy* of a pixel; folding adds the copies up where they came from.
    """
    sides = _checked(x, weight, None, stride, padding)
    checked_grad(grad, (len(x), len(weight), *sides))
    kernel, grad = weight.shape[-1], grad.flatten(2)  # (B, O, places)
    columns = functional.unfold(x, kernel, padding=padding, stride=stride)  # (B, C * k * k, places)
    grad_weight = (grad @ columns.mT).sum(dim=0).reshape(weight.shape)
    grad_columns = weight.flatten(1).T @ grad  # (B, C * k * k, places)
    grad_x = functional.fold(grad_columns, x.shape[2:], kernel, padding=padding, stride=stride)
    return grad_x, grad_weight, grad.sum(dim=(0, 2))


def _checked(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> tuple[int, int]:
    """The output's height and width, once the arguments have been found to fit together."""
    checked_maps(x)
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
