"""What every layer of a VGG computes, by name: ``activations(net, images, "relu1_2", "pool5")``.

A VGG is a chain: what one module puts out is all that the next takes in. So looking inside needs no hooks, only a loop
that keeps what it is asked for. Nothing is detached: gradients flow from whatever is kept back to the images, which is
all that saliency, inversion and style transfer need.

Names are the paper's, with ``norm``, ``relu`` and ``drop`` in front of a layer's number for what follows it::

    conv1_1 (norm1_1) relu1_1 conv1_2 (norm1_2) relu1_2 pool1 ... pool5 fc6 relu6 drop6 fc7 relu7 drop7 fc8

``conv1_1`` is what the convolution itself puts out; "the feature maps of conv1_1" in papers mostly means ``relu1_1``.

Any net with ``features``, and perhaps ``avgpool`` and ``classifier``, will do: ours, torchvision's, with their batch norms.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course.answers import device_of, in_mode


def steps(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules of a VGG in the order in which they run, each with its name.

    Raises:
        ValueError: the model has no ``features``.
    """
    if not isinstance(getattr(model, "features", None), nn.Sequential):
        raise ValueError(
            f"a {type(model).__name__} has no `features` in a row, so its layers have no names here; hand over a VGG, "
            "ours or torchvision's (inside DataParallel it is model.module)."
        )
    block, place = 1, 0
    for module in model.features:
        match module:
            case nn.Conv2d():
                place += 1
                yield f"conv{block}_{place}", module
            case nn.MaxPool2d() | nn.AvgPool2d():
                yield f"pool{block}", module
                block, place = block + 1, 0
            case _:
                yield f"{_kind(module)}{block}_{place}", module
    if place == 0:
        block -= 1  # fully-connected layers are counted on behind the last pool: fc6 behind pool5
    if isinstance(pool := getattr(model, "avgpool", None), nn.Module) and not isinstance(pool, nn.Identity):
        yield "avgpool", pool
    for module in getattr(model, "classifier", ()):
        kind = _kind(module)
        block += kind == "fc"
        yield f"{kind}{block}", module


def names(model: nn.Module) -> list[str]:
    """What :func:`activations` can be asked for, in the order in which it is computed."""
    return [name for name, _ in steps(model)]


def activations(model: nn.Module, images: Tensor, *layers: str) -> dict[str, Tensor]:
    """What the named layers put out for normalized images ``(B, C, H, W)``: a dict from name to tensor.

    Without names: everything. The model is asked in eval mode and left as it was. It runs to the last layer asked for and no
    further, so images may have any size as long as no fully-connected layer is needed. Gradients flow; wrap the call in
    ``torch.no_grad()`` where none are wanted.

    Raises:
        ValueError: there is no such layer, or the images are no batch.
    """
    chain = list(steps(model))
    known = [name for name, _ in chain]
    for name in layers:
        if name not in known:
            raise ValueError(f"there is no layer {name!r} in this net; it has {', '.join(known)}.")
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"images are {tuple(images.shape)} of {images.dtype}; give a batch (B, C, H, W) of normalized floats."
        )
    last = max(map(known.index, layers or known))
    kept: dict[str, Tensor] = {}
    x = images.to(device_of(model))
    with in_mode(model, train=False):
        for name, module in chain[: last + 1]:
            if isinstance(module, nn.ReLU):
                x = functional.relu(x)  # never in place: it would overwrite the convolution's values, kept already
            elif name.startswith("fc") and x.ndim == 4 and isinstance(module, nn.Linear):
                x = module(torch.flatten(x, 1))
            else:
                x = module(x)
            if name in layers or not layers:
                kept[name] = x
    return {name: kept[name] for name in layers or known}


def _kind(module: nn.Module) -> str:
    match module:
        case nn.ReLU():
            return "relu"
        case nn.BatchNorm2d():
            return "norm"
        case nn.LocalResponseNorm():
            return "lrn"
        case nn.Dropout():
            return "drop"
        case nn.Linear():
            return "fc"
    return "fc" if hasattr(module, "linear") else type(module).__name__.lower()  # SlidingLinear: a Linear made to slide
