"""Table 1 of the VGG paper, parsed once into typed records.

A configuration is written in the paper's own notation, one word a layer::

    conv3-64      a 3x3 convolution with 64 output channels, stride 1, padding that keeps the size, then a ReLU
    conv1-256     the same with a 1x1 kernel
    LRN           local response normalization
    maxpool       2x2 max-pooling with stride 2
    FC-4096       a fully-connected layer with 4096 outputs, then a ReLU (all but the last, which gives the logits)

Two suffixes, which the paper never needed, set stride and padding: ``conv7-64/s2/p3``, ``maxpool3/s2/p1``.

Source: Simonyan & Zisserman, arXiv:1409.1556v6, section 2.1 and Table 1. This module needs the standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral, Real
from types import MappingProxyType

TABLE_1 = {
    "A": """
        conv3-64 maxpool
        conv3-128 maxpool
        conv3-256 conv3-256 maxpool
        conv3-512 conv3-512 maxpool
        conv3-512 conv3-512 maxpool
        FC-4096 FC-4096 FC-1000""",
    "A-LRN": """
        conv3-64 LRN maxpool
        conv3-128 maxpool
        conv3-256 conv3-256 maxpool
        conv3-512 conv3-512 maxpool
        conv3-512 conv3-512 maxpool
        FC-4096 FC-4096 FC-1000""",
    "B": """
        conv3-64 conv3-64 maxpool
        conv3-128 conv3-128 maxpool
        conv3-256 conv3-256 maxpool
        conv3-512 conv3-512 maxpool
        conv3-512 conv3-512 maxpool
        FC-4096 FC-4096 FC-1000""",
    "C": """
        conv3-64 conv3-64 maxpool
        conv3-128 conv3-128 maxpool
        conv3-256 conv3-256 conv1-256 maxpool
        conv3-512 conv3-512 conv1-512 maxpool
        conv3-512 conv3-512 conv1-512 maxpool
        FC-4096 FC-4096 FC-1000""",
    "D": """
        conv3-64 conv3-64 maxpool
        conv3-128 conv3-128 maxpool
        conv3-256 conv3-256 conv3-256 maxpool
        conv3-512 conv3-512 conv3-512 maxpool
        conv3-512 conv3-512 conv3-512 maxpool
        FC-4096 FC-4096 FC-1000""",
    "E": """
        conv3-64 conv3-64 maxpool
        conv3-128 conv3-128 maxpool
        conv3-256 conv3-256 conv3-256 conv3-256 maxpool
        conv3-512 conv3-512 conv3-512 conv3-512 maxpool
        conv3-512 conv3-512 conv3-512 conv3-512 maxpool
        FC-4096 FC-4096 FC-1000""",
}


class ConfigurationError(ValueError):
    """A configuration that cannot be built. The message names the layer, the value, the rule and the remedy."""


def _whole(value: object, what: str, least: int) -> None:
    """Raise unless ``value`` is a whole number of at least ``least``. True and 3.0 are not whole numbers."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigurationError(f"{what} is {value!r}; it must be a whole number of at least {least}.")


@dataclass(frozen=True)
class Conv:
    """A square convolution followed by a ReLU. ``padding=None`` keeps the size at stride 1: ``(kernel - 1) // 2``."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int | None = None

    def __post_init__(self) -> None:
        _whole(self.channels, "The number of output channels of a convolution", 1)
        _whole(self.kernel, "The kernel size of a convolution", 1)
        _whole(self.stride, "The stride of a convolution", 1)
        if self.padding is None:
            object.__setattr__(self, "padding", (self.kernel - 1) // 2)
        _whole(self.padding, "The padding of a convolution", 0)

    def __str__(self) -> str:
        same = self.padding == (self.kernel - 1) // 2
        return f"conv{self.kernel}-{self.channels}" + _suffix(self.stride, 1, None if same else self.padding)


@dataclass(frozen=True)
class MaxPool:
    """Max-pooling over ``kernel x kernel`` windows. Unlike a convolution it has nothing to learn."""

    kernel: int = 2
    stride: int = 2
    padding: int = 0

    def __post_init__(self) -> None:
        _whole(self.kernel, "The window size of a max-pool", 1)
        _whole(self.stride, "The stride of a max-pool", 1)
        _whole(self.padding, "The padding of a max-pool", 0)
        if 2 * self.padding > self.kernel:
            raise ConfigurationError(
                f"A max-pool with kernel {self.kernel} has padding {self.padding}; padding may be at most half the "
                "kernel, or a window could hold nothing but padding."
            )

    def __str__(self) -> str:
        kernel = "" if self.kernel == 2 else str(self.kernel)
        return f"maxpool{kernel}" + _suffix(self.stride, 2, self.padding or None)


@dataclass(frozen=True)
class LocalResponseNorm:
    """AlexNet's normalization across ``size`` neighboring channels (Krizhevsky et al. 2012, section 3.3).

    ``alpha`` is the paper's. ``torch.nn.LocalResponseNorm`` divides the alpha it is given by ``size``; the model
    multiplies it back, so that both compute the published formula.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    def __str__(self) -> str:
        return "LRN"


@dataclass(frozen=True)
class Linear:
    """A fully-connected layer. A ReLU follows, except after the last one."""

    features: int

    def __post_init__(self) -> None:
        _whole(self.features, "The number of outputs of a fully-connected layer", 1)

    def __str__(self) -> str:
        return f"FC-{self.features}"


Spec = Conv | MaxPool | LocalResponseNorm | Linear


def _suffix(stride: int, usual_stride: int, padding: int | None) -> str:
    return (f"/s{stride}" if stride != usual_stride else "") + (f"/p{padding}" if padding is not None else "")


_CONV = re.compile(r"conv(\d+)-(\d+)((?:/[sp]\d+)*)")
_POOL = re.compile(r"maxpool(\d*)((?:/[sp]\d+)*)")
_LINEAR = re.compile(r"FC-(\d+)")


def parse_layer(word: str) -> Spec:
    """One word of the paper's notation, as a record.

    >>> parse_layer("conv3-64")
    Conv(channels=64, kernel=3, stride=1, padding=1)

    Raises:
        ConfigurationError: the word is none of the notation's.
    """
    try:
        if match := _CONV.fullmatch(word):
            options = _options(match[3])
            return Conv(int(match[2]), int(match[1]), options.get("s", 1), options.get("p"))
        if match := _POOL.fullmatch(word):
            options = _options(match[2])
            return MaxPool(int(match[1] or 2), options.get("s", 2), options.get("p", 0))
        if word == "LRN":
            return LocalResponseNorm()
        if match := _LINEAR.fullmatch(word):
            return Linear(int(match[1]))
    except ConfigurationError as error:
        raise ConfigurationError(f"{word!r}: {error}") from None
    raise ConfigurationError(
        f"unknown layer {word!r}. The notation is the paper's: conv3-64, conv1-256, LRN, maxpool, FC-4096 "
        "(and /s2 or /p1 behind a convolution or pool for another stride or padding)."
    )


def _options(text: str) -> dict[str, int]:
    return {part[0]: int(part[1:]) for part in text.split("/") if part}


Shape = tuple[int, ...]  # (channels, height, width) before the first fully-connected layer, (features,) from there on


@dataclass(frozen=True)
class Layer:
    """One layer in its place: the record, its name, its block, and the shapes that go in and come out.

    ``name`` is the field's usual one: ``conv3_2`` is the second convolution of block 3, ``pool3`` the pool that ends
    it, ``fc6`` the first fully-connected layer behind five blocks. Shapes leave out the batch: ``(C, H, W)`` or
    ``(features,)``.
    """

    name: str
    block: int
    spec: Spec
    input_shape: Shape
    output_shape: Shape


@dataclass(frozen=True)
class Configuration:
    """A plain ConvNet: its layers in order, and what it is fed.

    Args:
        name: the paper's letter, or yours.
        specs: the layers, first to last.
        input_size: height and width of the input, in pixels.
        in_channels: channels of the input, 3 for RGB.
        batch_norm: whether a batch norm stands between every convolution and its ReLU (not in the paper: it is from
            2015; torchvision's ``_bn`` variants have it).

    Raises:
        ConfigurationError: the layers do not fit together. The message names the layer, the rule and the remedy.
    """

    name: str
    specs: tuple[Spec, ...]
    input_size: int = 224
    in_channels: int = 3
    batch_norm: bool = False
    layers: tuple[Layer, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _whole(self.input_size, "input_size", 1)
        _whole(self.in_channels, "in_channels", 1)
        object.__setattr__(self, "specs", tuple(self.specs))
        object.__setattr__(self, "layers", tuple(self._trace()))

    @classmethod
    def parse(cls, text: str, name: str = "custom", **options) -> Configuration:
        """A configuration from words of the paper's notation, separated by spaces or new lines.

        >>> Configuration.parse("conv3-8 maxpool FC-3", input_size=32).layers[-1].input_shape
        (2048,)
        """
        if not isinstance(text, str):
            raise ConfigurationError(f"the layers are {text!r}; write them as one string, as in 'conv3-64 maxpool'.")
        specs = []
        for place, word in enumerate(text.split(), start=1):
            try:
                specs.append(parse_layer(word))
            except ConfigurationError as error:
                raise ConfigurationError(f"Configuration {name!r}, layer {place}: {error}") from None
        return cls(name, tuple(specs), **options)

    def _trace(self) -> Iterator[Layer]:
        """Walk the layers, naming each and working out its shapes."""
        if not self.specs:
            raise ConfigurationError(f"Configuration {self.name!r} has no layers; give it at least one.")
        shape: Shape = (self.in_channels, self.input_size, self.input_size)
        block, place_in_block, linear = 1, 0, 0
        for spec in self.specs:
            match spec:
                case Conv():
                    place_in_block += 1
                    name, layer_block = f"conv{block}_{place_in_block}", block
                case LocalResponseNorm():
                    name, layer_block = f"lrn{block}_{place_in_block}", block
                case MaxPool():
                    name, layer_block = f"pool{block}", block
                    block, place_in_block = block + 1, 0
                case Linear():
                    first = block if place_in_block == 0 else block + 1  # five blocks, then fc6
                    name, layer_block = f"fc{first + linear}", first
                    linear += 1
                case _:
                    raise ConfigurationError(
                        f"Configuration {self.name!r} holds {spec!r}, which is no layer; use Conv, MaxPool, "
                        "LocalResponseNorm or Linear."
                    )
            output = self._output_shape(name, spec, shape)
            yield Layer(name, layer_block, spec, shape, output)
            shape = output

    def _output_shape(self, name: str, spec: Spec, shape: Shape) -> Shape:
        """The shape behind ``spec``; ``shape`` is what reaches it."""
        if isinstance(spec, Linear):
            return (spec.features,)
        if len(shape) == 1:
            raise ConfigurationError(
                f"Configuration {self.name!r}: {spec} stands behind a fully-connected layer. What reaches it is a "
                f"vector of {shape[0]} numbers with no height and width left; put it before the first FC."
            )
        channels, size, _ = shape
        if isinstance(spec, LocalResponseNorm):
            return shape
        reach = size + 2 * spec.padding - spec.kernel
        if reach < 0:
            raise ConfigurationError(
                f"Configuration {self.name!r}: {name} ({spec}) has a {spec.kernel}x{spec.kernel} window, but only "
                f"{size}x{size} reaches it (padding {spec.padding}). The input of {self.input_size}x{self.input_size} "
                "has been shrunk too far: remove a pool or start from a larger input."
            )
        out = reach // spec.stride + 1  # floor: a window that does not fit whole is left out
        return (spec.channels if isinstance(spec, Conv) else channels, out, out)

    # --- reading ---

    @cached_property
    def _by_name(self) -> Mapping[str, Layer]:
        return {layer.name: layer for layer in self.layers}  # no proxy: a model that holds this can be copied

    def __getitem__(self, name: str) -> Layer:
        """The layer of that name, as in ``CONFIGURATIONS["D"]["conv3_2"]``."""
        try:
            return self._by_name[name]
        except KeyError:
            raise KeyError(
                f"configuration {self.name} has no layer {name!r}; it has {', '.join(self._by_name)}"
            ) from None

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def input_shape(self) -> Shape:
        """``(channels, height, width)`` of one input."""
        return (self.in_channels, self.input_size, self.input_size)

    @property
    def depth(self) -> int:
        """Layers with weights: the paper's 11, 13, 16 and 19."""
        return sum(isinstance(spec, Conv | Linear) for spec in self.specs)

    @property
    def blocks(self) -> tuple[tuple[Layer, ...], ...]:
        """The convolutional part, cut behind every pool: five blocks for each of the paper's six."""
        spatial = [layer for layer in self.layers if not isinstance(layer.spec, Linear)]
        last = max((layer.block for layer in spatial), default=0)
        return tuple(tuple(layer for layer in spatial if layer.block == block) for block in range(1, last + 1))

    @property
    def classes(self) -> int:
        """Outputs of the last fully-connected layer."""
        if not isinstance(self.specs[-1], Linear):
            raise ConfigurationError(f"Configuration {self.name!r} ends with {self.specs[-1]}, not with an FC.")
        return self.specs[-1].features

    # --- changing ---

    def variant(
        self,
        *,
        name: str | None = None,
        input_size: int | None = None,
        in_channels: int | None = None,
        classes: int | None = None,
        width: float = 1,
        hidden: Sequence[int] | None = None,
        batch_norm: bool | None = None,
    ) -> Configuration:
        """The same network in another size. What is not named stays as it is.

        Args:
            width: multiplies the channels of every convolution and the features of every hidden fully-connected
                layer, rounded to the nearest whole number (the width multiplier of MobileNet). The classes stay.
            classes: outputs of the last layer.
            hidden: features of the hidden fully-connected layers, after any widening: ``()`` leaves one linear layer.

        >>> CONFIGURATIONS["D"].variant(width=1/4, input_size=32, classes=3, hidden=()).blocks[4][0].spec
        Conv(channels=128, kernel=3, stride=1, padding=1)
        """
        if isinstance(width, bool) or not isinstance(width, Real) or not 0 < width < float("inf"):
            raise ConfigurationError(f"width is {width!r}; it multiplies the channels and must be a positive number.")

        def widened(count: int, what: str) -> int:
            if (result := round(count * width)) < 1:
                raise ConfigurationError(f"width {width} leaves {what} with no channel at all; use a larger one.")
            return result

        body = [spec for spec in self.specs if not isinstance(spec, Linear)]
        body = [replace(s, channels=widened(s.channels, str(s))) if isinstance(s, Conv) else s for s in body]
        head = [spec.features for spec in self.specs if isinstance(spec, Linear)]
        if not head and (classes is not None or hidden is not None):
            raise ConfigurationError(f"Configuration {self.name!r} has no fully-connected layer to give classes to.")
        if head:
            hidden = [widened(f, f"FC-{f}") for f in head[:-1]] if hidden is None else list(hidden)
            head = [*hidden, head[-1] if classes is None else classes]
        return Configuration(
            self.name if name is None else name,
            (*body, *map(Linear, head)),
            self.input_size if input_size is None else input_size,
            self.in_channels if in_channels is None else in_channels,
            self.batch_norm if batch_norm is None else batch_norm,
        )

    # --- showing ---

    def notation(self) -> str:
        """The words that :meth:`parse` reads, one line a block."""
        lines = [" ".join(str(layer.spec) for layer in block) for block in self.blocks]
        head = " ".join(str(spec) for spec in self.specs if isinstance(spec, Linear))
        return "\n".join(filter(None, [*lines, head]))

    def __str__(self) -> str:
        norm = ", batch norm" if self.batch_norm else ""
        size = f"{self.in_channels}x{self.input_size}x{self.input_size}"
        return f"Configuration {self.name} ({self.depth} weight layers, input {size}{norm})\n{self.notation()}"


CONFIGURATIONS: Mapping[str, Configuration] = MappingProxyType(
    {name: Configuration.parse(text, name) for name, text in TABLE_1.items()}
)


def as_configuration(configuration: str | Configuration) -> Configuration:
    """A configuration itself, or one of the paper's six by its letter.

    Raises:
        ConfigurationError: no configuration has that letter.
    """
    if isinstance(configuration, Configuration):
        return configuration
    if isinstance(configuration, str) and configuration in CONFIGURATIONS:
        return CONFIGURATIONS[configuration]
    raise ConfigurationError(
        f"{configuration!r} is none of the paper's configurations: {', '.join(CONFIGURATIONS)}. "
        "For one of your own, use Configuration.parse('conv3-64 maxpool ...')."
    )
