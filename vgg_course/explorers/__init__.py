"""Views to play with: what a value sees, what a network costs, how a convolution makes one number.

Each function returns an :class:`Explorer`, which shows itself in Jupyter, in Colab and in the static book. It is one
piece of HTML that holds all it needs: no network, no kernel behind it, no other explorer on the page. The arithmetic is
in ``vgg.js``, which follows :mod:`vgg_course.configuration`, :mod:`vgg_course.accounting` and
:mod:`vgg_course.receptive_field` word for word; a test in a real browser holds the two together.

Needs the standard library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from zlib import crc32

from vgg_course import palette
from vgg_course.accounting import PRECISIONS
from vgg_course.configuration import TABLE_1, Configuration, ConfigurationError, as_configuration

ROLES = ("CONVOLUTION", "POOL", "FULLY_CONNECTED", "NORMALIZATION", "CONTEXT", "HIGHLIGHT")


@dataclass(frozen=True)
class Explorer:
    """One view with the state that it opens in.

    ``view`` is receptive_field, cost or convolution, and ``options`` is JSON: what the view's script is started with.
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
