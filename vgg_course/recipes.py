"""The course's own nets and recipes, said once: chapters, ``vgg-course train``, experiments and benchmarks take them here."""

from __future__ import annotations

import torch

from vgg_course.model import VGG, vgg
from vgg_course.training import Recipe

QUICK = Recipe(optimizer="muon", epochs=4)
"""Of the live run, for ``small_vgg()``: less than half a minute on two CPU cores."""

THOROUGH = Recipe(epochs=24, shift=3)
"""For ``small_vgg(width=1/2)``: minutes instead of half a minute."""


def small_vgg(classes: int = 3, seed: int = 0, width: float = 1 / 4, configuration: str = "D", **changes) -> VGG:
    """Configuration D for 32x32 images at a quarter of the width, with batch norm and a single linear layer.

    Thirteen convolutions as in the paper; about 0.9 million parameters, so that two CPU cores can train it in half a
    minute. It begins with filters that pass the picture on (``initialization="dirac"``).

    Args:
        classes: how many logits.
        seed: of the first weights.
        width: multiplies all channels; 1 is the paper's width.
        configuration: the letter of another one.
        changes: whatever else :func:`vgg_course.model.vgg` takes, as in ``small_vgg(initialization="he")``.
    """
    variant = {"batch_norm": True, "initialization": "dirac", "hidden": (), **changes}
    generator = torch.Generator().manual_seed(seed)
    return vgg(configuration, input_size=32, classes=classes, width=width, generator=generator, **variant)
