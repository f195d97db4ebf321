"""The layers that slide no window: fully-connected, ReLU, local response normalization; and the loss."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor

from vgg_course.convolution.arguments import checked_grad, checked_maps, places_of

# --- fully-connected layers ---


def linear_loops(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A fully-connected layer by its definition: ``(B, F)``, weight ``(O, F)``, bias ``(O,)`` to ``(B, O)``.

    Raises:
        ValueError: the shapes do not fit together.
    """
    _checked_linear(x, weight)
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"bias has shape {tuple(bias.shape)}; one number for each output is wanted: ({len(weight)},).")
    y = x.new_zeros(len(x), len(weight))
    for image, output in places_of(y):
        total = bias[output]
        for feature in range(x.shape[1]):
            total = total + weight[output, feature] * x[image, feature]
        y[image, output] = total
    return y


def linear_loops_backward(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of :func:`linear_loops` for ``grad`` ``(B, O)``: x ``(B, F)``, weight ``(O, F)``, bias ``(O,)``.

    As matrix products: ``grad @ weight``, ``grad^T @ x``, and the sum of ``grad`` over the batch.

    Raises:
        ValueError: the shapes do not fit together.
    """
    _checked_linear(x, weight)
    checked_grad(grad, (len(x), len(weight)))
    grad_x, grad_weight = torch.zeros_like(x), torch.zeros_like(weight)
    grad_bias = weight.new_zeros(len(weight))
    for image, output in places_of(grad):
        g = grad[image, output]
        grad_bias[output] += g
        for feature in range(x.shape[1]):
            grad_x[image, feature] += g * weight[output, feature]
            grad_weight[output, feature] += g * x[image, feature]
    return grad_x, grad_weight, grad_bias


def _checked_linear(x: Tensor, weight: Tensor) -> None:
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"x {tuple(x.shape)} and weight {tuple(weight.shape)} do not fit together: they must be (B, F) and (O, F), "
            "with the same F. Feature maps are flattened first: x.flatten(1)."
        )


# --- the ReLU ---


def relu(x: Tensor) -> Tensor:
    """The larger of x and 0, for a tensor of any shape."""
    return x.clamp(min=0)


def relu_backward(grad: Tensor, x: Tensor) -> Tensor:
    """The gradient of :func:`relu`: that of the output where x is positive, else 0. At exactly 0 it is 0, as in torch.

    Raises:
        ValueError: ``grad`` has not the shape of ``x``.
    """
    checked_grad(grad, x.shape)
    return grad.masked_fill(x <= 0, 0)


# --- local response normalization ---


def local_response_norm_loops(
    x: Tensor, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> Tensor:
    """Local response normalization by the published formula (Krizhevsky et al. 2012, section 3.3).

    A value is divided by ``(k + alpha * s) ** beta``, where s is the sum of the squares at the same pixel in ``size``
    neighboring channels, fewer at either end. torch and Caffe divide alpha by ``size`` first, so
    ``functional.local_response_norm(x, size, alpha * size, beta, k)`` is this one.

    Args:
        x: ``(B, C, H, W)``.
        size: channels in a neighborhood, an odd number: as many on either side.

    Returns:
        ``(B, C, H, W)``.

    Raises:
        ValueError: x is not ``(B, C, H, W)``, or size is not an odd whole number.
    """
    y = torch.zeros_like(x)
    for channel, near in _neighborhoods(x, size):
        scale = k + alpha * x[:, near].square().sum(dim=1)  # (B, H, W)
        y[:, channel] = x[:, channel] * scale**-beta
    return y


def local_response_norm_loops_backward(
    grad: Tensor, x: Tensor, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> Tensor:
    """The gradient of :func:`local_response_norm_loops`. A value is read as numerator once, and in every sum near it.

    Raises:
        ValueError: as for the forward function, or ``grad`` has not the shape of ``x``.
    """
    neighborhoods = _neighborhoods(x, size)
    checked_grad(grad, x.shape)
    grad_x = torch.zeros_like(x)
    for channel, near in neighborhoods:
        scale = k + alpha * x[:, near].square().sum(dim=1)  # (B, H, W)
        grad_x[:, channel] += grad[:, channel] * scale**-beta
        grad_scale = grad[:, channel] * x[:, channel] * -beta * scale ** (-beta - 1)  # (B, H, W)
        grad_x[:, near] += grad_scale[:, None] * alpha * 2 * x[:, near]
    return grad_x


def _neighborhoods(x: Tensor, size: int) -> list[tuple[int, slice]]:
    """Every channel with the slice of the channels around it."""
    checked_maps(x)
    if isinstance(size, bool) or not isinstance(size, Integral) or size < 1 or size % 2 == 0:
        raise ValueError(f"size is {size!r}; it must be an odd whole number, so that a channel stands in the middle.")
    half = size // 2
    return [(channel, slice(max(0, channel - half), channel + half + 1)) for channel in range(x.shape[1])]


# --- the loss ---


def cross_entropy_loops(logits: Tensor, labels: Tensor) -> Tensor:
    """Soft-max, then the negative logarithm of the probability of the right class; the mean over a batch.

    The largest logit is subtracted first. That changes no probability, and no exponential overflows.

    Args:
        logits: ``(B, K)``, the scores of K classes.
        labels: ``(B,)``, whole numbers from 0 to K - 1.

    Returns:
        One number, a tensor without dimensions.

    Raises:
        ValueError: the shapes do not fit together, or a label names no class.
    """
    _checked_labels(logits, labels)
    total = logits.new_zeros(())
    for scores, label in zip(logits, labels, strict=True):
        scores = scores - scores.max()
        total = total + scores.exp().sum().log() - scores[label]
    return total / len(labels)


def cross_entropy_loops_backward(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of :func:`cross_entropy_loops`, ``(B, K)``: the probabilities, less 1 at the right class, over B.

    Here the way back begins: the loss is what is differentiated, so no gradient comes in.

    Raises:
        ValueError: as for the forward function.
    """
    _checked_labels(logits, labels)
    grad = torch.zeros_like(logits)
    for image, (scores, label) in enumerate(zip(logits, labels, strict=True)):
        odds = (scores - scores.max()).exp()
        grad[image] = odds / odds.sum()
        grad[image, label] -= 1
    return grad / len(labels)


def _checked_labels(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} do not fit together: they must be (B, K) and "
            "(B,), with one label for each of at least one image."
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels has dtype {labels.dtype}; a label is a whole number: use labels.long().")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        wrong = next(int(label) for label in labels if not 0 <= label < logits.shape[1])
        raise ValueError(
            f"a label is {wrong}; for {logits.shape[1]} logits it must be from 0 to {logits.shape[1] - 1}."
        )
