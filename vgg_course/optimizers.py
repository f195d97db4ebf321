"""From gradients to steps: SGD with momentum, as the paper has it, and Muon, which gives every direction an equal step.

A gradient of a convolution is a matrix: a row a filter, a column a weight of the filter. Most of its length lies in a few
directions (its large singular values), and the steps of SGD lie there, too. Muon replaces the matrix by the nearest one
whose directions are all equally long (singular values of 1), so that what is rare in the data is learned as fast.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", and Jordan's cifar10-airbench. PyTorch
has a ``torch.optim.Muon``, which takes matrices only and refuses convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

OPTIMIZERS = ("sgd", "muon")
ITERATIONS = 3
FILTER_MOMENTUM = 0.6  # of Muon's own steps; Jordan's value for CIFAR-10


def orthogonalized(matrix: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """The same directions with nearly the same length: ``U S V'`` becomes about ``U V'``.

    Newton-Schulz iteration: the polynomial ``3.4445 s - 4.775 s^3 + 2.0315 s^5``, again and again, takes every singular value
    ``s`` from 0 to 1 toward 1 and needs products of matrices only. Its coefficients are chosen for speed, not for accuracy:
    after three iterations, what was at least a tenth of the largest ends between 0.6 and 1.2.

    Args:
        matrix: ``(rows, columns)``, of any floating-point type; it is computed in that.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)  # now no singular value is above 1
    for _ in range(iterations):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (2.0315 * gram @ gram - 4.775 * gram) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


class Muon(torch.optim.SGD):
    """Muon for convolutions' weights; everything else takes a step of SGD with the same learning rate.

    The filters of a layer are kept at the length with which a layer begins that hands on what it gets (one a filter,
    ``sqrt(filters)`` in all). An orthogonalized step is about as long, so the learning rate says by which share of their
    length the filters move.

    Args:
        filters: weights ``(out, in, k, k)`` of the convolutions.
        others: parameter groups of everything else, as :class:`torch.optim.SGD` takes them.
        precision: in which the iteration computes.
    """

    def __init__(
        self, filters: Iterable[nn.Parameter], others: list[dict], *, precision: torch.dtype, **options
    ) -> None:
        own = {"params": list(filters), "weight_decay": 0.0, "momentum": FILTER_MOMENTUM, "orthogonal": True}
        super().__init__([own, *others], **options)
        self.precision = precision

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            if group.get("orthogonal"):
                for filters in group["params"]:
                    self.turn(filters, group["lr"], group["momentum"])
        super().step()  # of everything that has a gradient left

    def turn(self, filters: Tensor, rate: float, momentum: float) -> None:
        """One step of the filters of one layer, which uses up their gradient."""
        gradient, state = filters.grad, self.state[filters]
        if gradient is None:
            return
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        velocity = state["momentum_buffer"].mul_(momentum).add_(gradient)
        ahead = gradient.add(velocity, alpha=momentum)  # Nesterov's
        step = orthogonalized(ahead.flatten(1).to(self.precision))
        filters.mul_(len(filters) ** 0.5 / filters.norm().clamp(min=1e-7))  # zeros stay zeros
        filters.sub_(step.reshape(filters.shape).to(filters.dtype), alpha=rate)
        filters.grad = None
