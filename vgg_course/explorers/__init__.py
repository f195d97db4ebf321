"""Views to play with: what a value sees, what a network costs, how a convolution makes one number, what a trained net computes.

Each function returns an :class:`Explorer`, which shows itself in Jupyter, in Colab and in the static book. It is one
piece of HTML that holds all it needs: no network, no kernel behind it, no other explorer on the page. The arithmetic is
in ``vgg.js``, which follows :mod:`vgg_course.configuration`, :mod:`vgg_course.accounting` and
:mod:`vgg_course.receptive_field` word for word; a test in a real browser holds the two together.

Needs the standard library only; :func:`features` is handed a net of torch and images, and takes their bytes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from math import isfinite, prod
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from vgg_course import palette
from vgg_course.accounting import PRECISIONS
from vgg_course.configuration import (
    TABLE_1,
    Configuration,
    ConfigurationError,
    Conv,
    LocalResponseNorm,
    as_configuration,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

ROLES = ("CONVOLUTION", "POOL", "FULLY_CONNECTED", "NORMALIZATION", "CONTEXT", "HIGHLIGHT")
MOST_PARAMETERS = 4_000_000  # 16 MB of float32, 21 MB of text: more than that is no page
MOST_IMAGES = 60


@dataclass(frozen=True)
class Explorer:
    """One view with the state that it opens in.

    ``view`` is receptive_field, cost, convolution or features, and ``options`` is JSON: what the view's script is started
    with.
    """

    view: str
    options: str

    @property
    def id(self) -> str:
        """The id of its element: always the same for the same view and options, so that outputs are reproducible."""
        return f"vgg-{self.view.replace('_', '-')}-{crc32(self.options.encode()):08x}"

    def html(self) -> str:
        """A self-contained fragment of HTML: style, markup and script."""
        first, *rest = self.view.split("_")
        function = first + "".join(map(str.capitalize, rest)) + "View"
        colors = " ".join(f"--{role.lower().replace('_', '-')}: {getattr(palette, role)};" for role in ROLES)
        script = "\n".join(_asset(name) for name in ("vgg.js", "mount.js", f"{self.view}.js"))
        return (
            f'<div class="vgg-explorer" id="{self.id}" data-options="{escape(self.options)}">\n'
            f"<template><style>\n:host {{ {colors} }}\n{_asset('explorer.css')}</style>\n"
            f"{_asset(f'{self.view}.html')}</template>\n"
            f"<p>The {self.view.replace('_', ' ')} explorer stands here where scripts may run: in a notebook, trust it "
            "and run this cell.</p>\n"
            f'</div>\n<script>(() => {{\n"use strict";\n{script}\nmount("{self.id}", {function});\n}})();</script>\n'
        )

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"<{self.view.replace('_', ' ')} explorer: it shows itself in a notebook and in the book>"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _explorer(view: str, **options) -> Explorer:
    return Explorer(view, json.dumps(options, sort_keys=True))


def _start(configuration: str | Configuration) -> dict[str, object]:
    """What the two views of a configuration need to know of it."""
    configuration = as_configuration(configuration)
    return {
        "configurations": {name: " ".join(text.split()) for name, text in TABLE_1.items()},
        "layers": configuration.notation(),
        "inputSize": configuration.input_size,
        "inChannels": configuration.in_channels,
        "batchNorm": configuration.batch_norm,
    }


def receptive_field(configuration: str | Configuration = "D", layer: str | None = None) -> Explorer:
    """Point at a value of any layer and see its region of the input: size, jump, window, and what padding clips.

    Args:
        configuration: one of the paper's six by letter, or a :class:`Configuration`. The reader can change it.
        layer: the layer that is shown first, by name; the end of the middle block if None.

    Raises:
        ConfigurationError: no configuration has that letter, or the configuration has no such layer.
    """
    configuration = as_configuration(configuration)
    if layer is None:
        blocks = configuration.blocks or (configuration.layers,)
        layer = blocks[(len(blocks) - 1) // 2][-1].name
    names = [each.name for each in configuration]
    if layer not in names:
        raise ConfigurationError(
            f"layer is {layer!r}; configuration {configuration.name!r} has {', '.join(names)}: name one of these."
        )
    return _explorer("receptive_field", layer=layer, **_start(configuration))


def cost(configuration: str | Configuration = "D", batch: int = 1, precision: str = "float32") -> Explorer:
    """Edit a configuration; shapes, parameters, MACs, activation memory and receptive field change together.

    Args:
        configuration: one of the paper's six by letter, or a :class:`Configuration`. The reader can change it.
        batch: images at once.
        precision: one of :data:`vgg_course.accounting.PRECISIONS`.

    Raises:
        ConfigurationError: no configuration has that letter, the batch is no whole number of at least 1, or there is
            no such precision.
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ConfigurationError(f"batch is {batch!r}; it must be a whole number of at least 1.")
    if precision not in PRECISIONS:
        raise ConfigurationError(f"precision is {precision!r}; there are {', '.join(PRECISIONS)}.")
    options = {"batch": batch, "precision": precision, "precisions": list(PRECISIONS)}
    return _explorer("cost", **options, **_start(configuration))


def convolution(kernel: int = 3, stride: int = 1, padding: int = 1) -> Explorer:
    """One output value: its window, the products with the kernel, and their sum. One channel, no bias.

    Args:
        kernel: 1 to 7.
        stride: at least 1.
        padding: 0 to 6 rows and columns of zeros around the input.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    ranges = {"kernel": (kernel, 1, 7), "stride": (stride, 1, 12), "padding": (padding, 0, 6)}
    for name, (value, least, most) in ranges.items():
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigurationError(f"{name} is {value!r}; it must be a whole number from {least} to {most}.")
    return _explorer("convolution", kernel=kernel, stride=stride, padding=padding)


class Scale(Protocol):
    """What a net must know of the images that it learned from: a trained net's card and a Dataset both do."""

    classes: Sequence[str]
    mean: Iterable[float]
    std: Iterable[float]


def features(
    net: nn.Module, scale: Scale, images: Tensor, labels: Iterable[int] | None = None, note: str = ""
) -> Explorer:
    """Every feature map of every layer, computed in the page; point at a value, change a filter, bring your own image.

    The net goes into the page in float32, bit by bit: 5 MB of text for the small VGG that the course ships::

        explorers.features(trained.load("small_vgg"), trained.card("small_vgg"), data.test.images[:12])

    Args:
        net: a :class:`vgg_course.model.VGG`. It is shown as it computes in eval mode.
        scale: has ``classes`` in the order of the logits, and ``mean`` and ``std`` of each color, where 255 is 1.
        images: uint8 ``(N, C, H, W)``, of the size that the net takes; 1 to 60. The reader can add more.
        labels: the class of each image, as its place in ``scale.classes``.
        note: what must be said of the images, as ``data.note`` for drawn ones.

    Raises:
        ConfigurationError: the net, the scale, the images or the labels cannot be shown.
    """
    configuration = getattr(net, "configuration", None)
    if not isinstance(configuration, Configuration) or not hasattr(net, "layers"):
        raise ConfigurationError(
            f"net is {type(net).__name__}; give a VGG of vgg_course.model: it knows its configuration."
        )
    if configuration.in_channels not in (1, 3):
        raise ConfigurationError(
            f"net takes images of {configuration.in_channels} channels; the page shows gray or color."
        )
    weights = _weights(net, configuration)
    try:
        classes = [str(name) for name in scale.classes]
        mean, std = ([float(value) for value in part] for part in (scale.mean, scale.std))
    except (AttributeError, TypeError, ValueError):
        raise ConfigurationError(
            f"scale is {type(scale).__name__}; give the net's card or the Dataset it learned from: classes, mean and std."
        ) from None
    if len(classes) != configuration.classes:
        raise ConfigurationError(
            f"scale has the classes {', '.join(classes)}; the net has {configuration.classes} logits."
        )
    finite = all(map(isfinite, mean + std)) and all(value > 0 for value in std)
    if {len(mean), len(std)} != {configuration.in_channels} or not finite:
        raise ConfigurationError(
            f"scale has mean {mean} and std {std}; each needs {configuration.in_channels} numbers, those of std above 0."
        )
    kind, shape = getattr(images, "dtype", type(images).__name__), tuple(getattr(images, "shape", ()))
    wanted = configuration.input_shape
    if str(kind) != "torch.uint8" or len(shape) != 4 or shape[1:] != wanted or not 1 <= shape[0] <= MOST_IMAGES:
        raise ConfigurationError(
            f"images are {kind} {shape}; give 1 to {MOST_IMAGES} as torch.uint8, (N, {', '.join(map(str, wanted))}): "
            "the net was built for this size."
        )
    if labels is not None:
        labels = [int(label) for label in labels]
        if len(labels) != shape[0] or not all(0 <= label < len(classes) for label in labels):
            raise ConfigurationError(f"labels are {labels}; give one from 0 to {len(classes) - 1} for each image.")
    return _explorer(
        "features",
        layers=configuration.notation(),
        inputSize=configuration.input_size,
        inChannels=configuration.in_channels,
        batchNorm=configuration.batch_norm,
        classes=classes,
        mean=mean,
        std=std,
        weights=b64encode(weights).decode(),
        images=b64encode(bytes(images.detach().cpu().contiguous().numpy())).decode(),
        labels=labels,
        note=note,
    )


def _weights(net: nn.Module, configuration: Configuration) -> bytes:
    """All the net computes with, layer by layer, in little-endian float32: weight (out, in, k, k), bias, and with batch
    norm its mean, deviation, scale and shift."""
    parameters = sum(prod(value.shape) for value in net.parameters())
    if parameters > MOST_PARAMETERS:
        raise ConfigurationError(
            f"net has {parameters:,} parameters; a page carries up to {MOST_PARAMETERS:,}. Take a narrower one, as "
            "vgg('D', input_size=32, classes=3, hidden=(), width=1/4)."
        )
    norms = iter(_norms(net))
    parts: list[Tensor] = []
    for layer in configuration:
        if isinstance(layer.spec, LocalResponseNorm):
            raise ConfigurationError(f"net has {layer.name}; the page does not compute local response normalization.")
        module = net.layers[layer.name]
        if hasattr(module, "weight"):
            parts += [module.weight, module.bias]
        if configuration.batch_norm and isinstance(layer.spec, Conv):
            norm = next(norms)
            parts += [norm.running_mean, (norm.running_var + norm.eps).sqrt(), norm.weight, norm.bias]
    if not all(part.isfinite().all() for part in parts):
        raise ConfigurationError("net has weights that are no finite numbers; the training that made it has run away.")
    return b"".join(part.detach().cpu().float().contiguous().numpy().astype("<f4").tobytes() for part in parts)


def _norms(net: nn.Module) -> list[nn.Module]:
    """The batch norms, in order: each stands behind its convolution."""
    return [module for module in net.features if hasattr(module, "running_mean")]
