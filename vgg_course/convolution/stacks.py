"""Two convolutions, one after the other, and the one convolution that they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
