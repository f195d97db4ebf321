"""Look at what a classifier answers. What is reported is exact: means over all images, in eval mode.

Inputs are ``(B, C, H, W)``, logits ``(B, classes)``. Any ``nn.Module`` will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from vgg_course.data import Dataset, Split


@dataclass(frozen=True)
class Evaluation:
    """Mean loss (cross-entropy, in nats) and share of right answers over ``images`` images."""

    images: int
    loss: float
    accuracy: float


def predict(model: nn.Module, inputs: Tensor, batch_size: int = 500) -> Tensor:
    """Logits ``(N, classes)`` for normalized images ``(N, C, H, W)``: eval mode, no gradients, float32, on the CPU.

    The model is left in the mode it was in.
    """
    device = device_of(model)
    with in_mode(model, train=False), torch.no_grad():
        return torch.cat([model(part.to(device)).float().cpu() for part in inputs.split(batch_size)])


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of images whose largest logit is that of their label."""
    _same_length(logits, labels)
    return int((logits.argmax(1) == labels).sum()) / len(labels)


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """Counts ``(classes, classes)``: row is the true class, column the answer. Rows sum to the images of a class."""
    _same_length(logits, labels)
    classes = logits.shape[1]
    return torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).view(classes, classes)


def evaluate(model: nn.Module, data: Dataset, split: Split) -> Evaluation:
    """Loss and accuracy of ``model`` on ``data.validation`` or ``data.test``, over all of its images."""
    logits = predict(model, data.normalize(split.images))
    loss = functional.cross_entropy(logits.double(), split.labels).item()
    return Evaluation(len(split), loss, accuracy(logits, split.labels))


def _same_length(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or len(logits) != len(labels) or not len(labels):
        raise ValueError(
            f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} do not belong together: they must be "
            "(N, classes) and (N,) with the same N of at least 1."
        )


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters lie."""
    return next(model.parameters()).device


@contextmanager
def in_mode(model: nn.Module, train: bool) -> Iterator[None]:
    """Put every module into train or eval mode, and back into the mode it was in."""
    before = {module: module.training for module in model.modules()}
    model.train(train)
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training
