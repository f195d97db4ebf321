"""What every operation asks of its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from torch import Tensor


def places_of(tensor: Tensor) -> Iterator[tuple[int, ...]]:
    """The indices of a tensor's values, row by row."""
    return product(*map(range, tensor.shape))


def checked_maps(x: Tensor) -> None:
    if x.ndim != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; it must be (B, C, H, W). For one image use x[None].")


def checked_grad(grad: Tensor, shape: tuple[int, ...]) -> None:
    if grad.shape != shape:
        raise ValueError(
            f"grad has shape {tuple(grad.shape)}, but the output has shape {tuple(shape)}: there is one gradient for "
            "every output value. Hand over the gradient of the output, and the arguments of the forward function."
        )
