"""The course's own net, said once: the training chapter, ``vgg-course train`` and the experiments all take it from here."""

from __future__ import annotations

import torch

from vgg_course.model import VGG, vgg


def small_vgg(classes: int = 3, seed: int = 0) -> VGG:
    """Configuration D for 32x32 images at a quarter of the width, with batch norm and a single linear layer.

    Thirteen convolutions as in the paper; about 0.9 million parameters, so that two CPU cores can train it in a minute.
    """
    generator = torch.Generator().manual_seed(seed)
    return vgg("D", input_size=32, classes=classes, width=1 / 4, hidden=(), batch_norm=True, generator=generator)
