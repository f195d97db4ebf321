"""Images as vectors: what a layer makes of each, and which images are then near each other.

Near means: at a small angle. :func:`unit` gives every vector length 1, after which the order by cosine and the order by
distance are the same, for ``|a - b|^2 = 2 - 2 cos(a, b)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course import augmentation
from vgg_course.activations import activations

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of torchvision's weights; red, green, blue


@torch.no_grad()
def layer_vectors(
    model: nn.Module,
    images: Tensor,
    *layers: str,
    prepare: Callable[[Tensor], Tensor] | None = None,
    whole: bool = False,
    batch_size: int = 250,
) -> dict[str, Tensor]:
    """One vector an image for each layer: a dict from name to ``(N, channels)``, float32, on the CPU.

    A map counts with its mean over all places, as in the paper's Appendix B ("global average pooling").

    Args:
        layers: names as in :func:`vgg_course.activations.activations`; the model runs to the last of them, in eval mode.
        prepare: makes inputs of the images, a batch at a time, such as ``card.normalize``; None if they are inputs already.
        whole: take all places of a map, not their mean: ``(N, channels * height * width)``.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    for some in images.split(batch_size):
        for name, maps in activations(model, prepare(some) if prepare else some, *layers).items():
            maps = maps.float()
            found[name].append((maps.flatten(1) if whole or maps.ndim == 2 else maps.mean((2, 3))).cpu())
    return {name: torch.cat(parts) for name, parts in found.items()}


def for_imagenet(images: Tensor, side: int = 224) -> Tensor:
    """uint8 RGB images to what torchvision's ImageNet weights take, the shorter side scaled to ``side`` pixels."""
    mean, std = (torch.tensor(part, device=images.device)[:, None, None] for part in (IMAGENET_MEAN, IMAGENET_STD))
    return (augmentation.rescale(images.float(), side) / 255 - mean) / std


def unit(vectors: Tensor) -> Tensor:
    """Each vector ``(..., D)`` divided by its length. A vector of zeros stays one."""
    return functional.normalize(vectors, dim=-1)


def neighbors(vectors: Tensor, count: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The ``count`` nearest of each vector ``(N, D)``, nearest first: their cosines and their places, both ``(N, count)``.

    Args:
        among: where to look, ``(M, D)``; None looks among the vectors themselves, where none counts as its own neighbor.

    Raises:
        ValueError: there are fewer than ``count`` to choose from.
    """
    others = vectors if among is None else among
    if not 1 <= count <= len(others) - (among is None):
        raise ValueError(f"count is {count}; among {len(others)} vectors there are not that many neighbors.")
    cosines, places, directions = [], [], unit(others)
    for start in range(0, len(vectors), 1000):
        likeness = unit(vectors[start : start + 1000]) @ directions.T
        if among is None:
            rows = torch.arange(len(likeness))
            likeness[rows, rows + start] = -torch.inf
        best = likeness.topk(count)
        cosines.append(best.values)
        places.append(best.indices)
    return torch.cat(cosines), torch.cat(places)


def nearest_accuracy(vectors: Tensor, labels: Tensor) -> float:
    """The share of vectors whose nearest neighbor has their label: leave-one-out, so nothing is trained and nothing held out."""
    return (labels[neighbors(vectors, 1)[1][:, 0]] == labels).float().mean().item()
