"""How the first weights are drawn, what they make of the signal, and copying a trained net into a deeper one.

``fan_in`` is the number of inputs that one output of a layer adds up (9 * C for a 3x3 convolution on C channels),
``fan_out`` the number of outputs that one input goes into. Deviations are standard deviations, never variances: torch's
``normal_`` takes the former, the paper prints the latter.

The strength of a signal is its root mean square (RMS) over images, channels and places, measured on what a layer puts
out: before its batch norm and its ReLU. It is the quantity that theory predicts, because variances of sums add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course import paper, show
from vgg_course.configuration import Configuration, Conv, Layer, Linear, as_configuration

if TYPE_CHECKING:
    from vgg_course.model import VGG

# --- schemes ---


@dataclass(frozen=True)
class Draw:
    """Fills the weight and the bias of one convolution or fully-connected layer, in place.

    Weights have mean 0 and are normal, or uniform within ``sqrt(3)`` deviations.

    Args:
        deviation: the standard deviation of a weight, given ``fan_in`` and ``fan_out``.
        uniform: uniform instead of normal.
        bias: draw the biases, too, uniform within ``1 / sqrt(fan_in)``. Otherwise they are 0.
    """

    deviation: Callable[[int, int], float]
    uniform: bool = False
    bias: bool = False

    def __call__(self, layer: nn.Module, generator: torch.Generator | None = None) -> None:
        inputs, outputs = layer.weight.shape[1], layer.weight.shape[0]
        window = layer.weight[0, 0].numel()  # 9 for a 3x3 kernel, 1 for a fully-connected layer
        deviation = self.deviation(window * inputs, window * outputs)
        if self.uniform:
            layer.weight.uniform_(-sqrt(3) * deviation, sqrt(3) * deviation, generator=generator)
        else:
            layer.weight.normal_(0, deviation, generator=generator)
        if self.bias:
            bound = 1 / sqrt(window * inputs)
            layer.bias.uniform_(-bound, bound, generator=generator)
        else:
            layer.bias.zero_()


@dataclass(frozen=True)
class Passing(Draw):
    """As :class:`Draw`; then as many filters as can be are made to pass one channel on unchanged, 1 in the middle, else 0.

    These are the first ``min(inputs, outputs)`` of a layer (``torch.nn.init.dirac_``).
    """

    def __call__(self, layer: nn.Module, generator: torch.Generator | None = None) -> None:
        super().__call__(layer, generator)
        nn.init.dirac_(layer.weight[: layer.weight.shape[1]])


@dataclass(frozen=True)
class Scheme:
    """What each kind of layer begins with. ``words`` says it in one line, with its source."""

    name: str
    convolution: Draw
    linear: Draw
    words: str

    def __repr__(self) -> str:
        return f"{self.name}: {self.words}"


def normal(deviation: float) -> Draw:
    """Weights from N(0, deviation squared), biases 0, whatever the size of the layer."""
    if not 0 < deviation < float("inf"):
        raise ValueError(f"deviation is {deviation!r}; it is a standard deviation and must be a positive number.")
    return Draw(lambda fan_in, fan_out: deviation)


_GLOROT = Draw(lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)), uniform=True)
_HE_IN = Draw(lambda fan_in, fan_out: sqrt(2) / sqrt(fan_in))
_HE_OUT = Draw(lambda fan_in, fan_out: sqrt(2) / sqrt(fan_out))
# nn.Conv2d and nn.Linear do just this when they are made: a sixth of He's variance
_TORCH = Draw(lambda fan_in, fan_out: sqrt(1 / 3) / sqrt(fan_in), uniform=True, bias=True)
_DIRAC = Passing(_TORCH.deviation, uniform=True)
_PAPER = normal(sqrt(paper.INITIALIZATION["variance"]))

SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            Scheme(
                "paper",
                _PAPER,
                _PAPER,
                "N(0, variance 0.01) everywhere, biases 0: the paper's section 3.1, read to the letter",
            ),
            Scheme("std-0.01", normal(0.01), normal(0.01), "N(0, deviation 0.01) everywhere, biases 0"),
            Scheme("glorot", _GLOROT, _GLOROT, "uniform, variance 2 / (fan_in + fan_out): Glorot & Bengio (2010)"),
            Scheme("he", _HE_OUT, _HE_IN, "normal, variance 2 / fan: He et al. (2015)"),
            Scheme(
                "torchvision",
                _HE_OUT,
                normal(0.01),
                "He for convolutions, N(0, deviation 0.01) for fully-connected layers: what torchvision's VGG does",
            ),
            Scheme("torch", _TORCH, _TORCH, "uniform within 1 / sqrt(fan_in): what a bare layer has"),
            Scheme(
                "dirac",
                _DIRAC,
                Draw(_TORCH.deviation, uniform=True),
                "convolutions pass on what channels they can, the rest as torch's, no bias: Zagoruyko & Komodakis (2017)",
            ),
        )
    }
)
"""The schemes by name. He's ``fan`` is fan_out for convolutions and fan_in for fully-connected layers."""


def as_scheme(scheme: str | Scheme) -> Scheme:
    """A scheme itself, or the one of that name.

    Raises:
        ValueError: no scheme has that name.
    """
    if isinstance(scheme, Scheme):
        return scheme
    if isinstance(scheme, str) and scheme in SCHEMES:
        return SCHEMES[scheme]
    raise ValueError(f"there is no scheme {scheme!r}; there are {', '.join(SCHEMES)}, or make a Scheme of your own.")


@torch.no_grad()
def initialize(
    model: nn.Module, scheme: str | Scheme = "torchvision", generator: torch.Generator | None = None
) -> None:
    """Draw fresh weights for every convolution and fully-connected layer of ``model``, in place.

    Batch norms begin as they always do: scale 1, shift 0, running mean 0, running variance 1.
    """
    scheme = as_scheme(scheme)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            scheme.convolution(module, generator)
        elif isinstance(module, nn.Linear):
            scheme.linear(module, generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


# --- what theory says of the signal ---


def gain(deviation: float, fan: int) -> float:
    """By how much one layer multiplies the RMS of the signal: ``deviation * sqrt(fan / 2)``.

    ``fan`` is fan_in for the signal on its way forward and fan_out for the gradient on its way back. The 2 is the ReLU's:
    it sets half of the values to zero, and with them half of the mean square (He et al. 2015, section 2.2).
    """
    return deviation * sqrt(fan / 2)


@dataclass(frozen=True)
class LayerGain:
    """What theory says of one weight layer: its fans, the deviation of its weights, and its gain either way."""

    name: str
    fan_in: int
    fan_out: int
    deviation: float

    @property
    def forward(self) -> float:
        """The RMS of its output over that of the output of the layer before, with a ReLU between them."""
        return gain(self.deviation, self.fan_in)

    @property
    def backward(self) -> float:
        """The RMS of the gradient in the output of the layer before over that in its own, with a ReLU between them."""
        return gain(self.deviation, self.fan_out)


@dataclass(frozen=True, repr=False)
class Gains(show.Shown):
    """The gain of every weight layer of a configuration under a scheme, first to last."""

    name: str
    scheme: str
    layers: tuple[LayerGain, ...]

    def __iter__(self) -> Iterator[LayerGain]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, name: str) -> LayerGain:
        return _named(self.layers, name)

    def _table(self) -> show.Table:
        return show.Table(
            f"Configuration {self.name}, scheme {self.scheme}: what one layer multiplies the signal by",
            ("layer", "fan in", "fan out", "deviation", "forward", "backward"),
            [
                (row.name, row.fan_in, row.fan_out, *(f"{x:.3g}" for x in (row.deviation, row.forward, row.backward)))
                for row in self
            ],
        )


def gains(configuration: str | Configuration, scheme: str | Scheme = "torchvision") -> Gains:
    """What theory says of every weight layer. It knows of no border, no pool and no bias; images have no ReLU in front.

    So the first layer's output has an RMS of ``sqrt(2)`` forward gains times that of the images.

    Raises:
        ValueError: the scheme is dirac's: by how much a filter that is not random multiplies depends on what it is given.
    """
    configuration, scheme = as_configuration(configuration), as_scheme(scheme)
    if isinstance(scheme.convolution, Passing):
        raise ValueError(
            f"scheme {scheme.name!r} has filters that are not random, so their gain depends on what they are given; measure "
            "it with signal(), or choose a random scheme."
        )
    layers = []
    for layer in configuration:
        if isinstance(layer.spec, Conv | Linear):
            draw = scheme.convolution if isinstance(layer.spec, Conv) else scheme.linear
            layers.append(LayerGain(layer.name, *_fans(layer), draw.deviation(*_fans(layer))))
    return Gains(configuration.name, scheme.name, tuple(layers))


def _fans(layer: Layer) -> tuple[int, int]:
    """fan_in and fan_out of a convolution or a fully-connected layer."""
    if isinstance(layer.spec, Linear):
        fan_in = 1
        for side in layer.input_shape:
            fan_in *= side
        return fan_in, layer.spec.features
    window = layer.spec.kernel**2
    return window * layer.input_shape[0], window * layer.spec.channels


def _named(layers: tuple, name: str):
    for layer in layers:
        if layer.name == name:
            return layer
    raise KeyError(f"there is no weight layer {name!r}; there are {', '.join(layer.name for layer in layers)}")


# --- what is measured ---


@dataclass(frozen=True)
class LayerSignal:
    """One weight layer in one forward and backward pass."""

    name: str
    output: float  # RMS of what it puts out, before batch norm and ReLU
    gradient: float  # RMS of the loss's gradient with respect to that output
    weight_norm: float
    gradient_norm: float  # of the loss's gradient with respect to the weight

    @property
    def relative_gradient(self) -> float:
        """``|gradient| / |weight|`` of the weights: times the learning rate, the share that one plain step changes."""
        return self.gradient_norm / self.weight_norm


@dataclass(frozen=True, repr=False)
class Signal(show.Shown):
    """Forward and backward signal of a net, layer by layer; shows itself as a table."""

    name: str
    loss: float
    logits: float  # standard deviation of the logits
    images: float  # RMS of the images
    layers: tuple[LayerSignal, ...]

    def __iter__(self) -> Iterator[LayerSignal]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, name: str) -> LayerSignal:
        return _named(self.layers, name)

    def _table(self) -> show.Table:
        return show.Table(
            f"Configuration {self.name}: images of RMS {self.images:.3g}, "
            f"logits with deviation {self.logits:.3g}, loss {self.loss:.4g}",
            ("layer", "output RMS", "its gradient RMS", "|weight|", "|gradient|", "|gradient| / |weight|"),
            [
                (
                    row.name,
                    *(f"{x:.2e}" for x in (row.output, row.gradient)),
                    f"{row.weight_norm:.3g}",
                    *(f"{x:.2e}" for x in (row.gradient_norm, row.relative_gradient)),
                )
                for row in self
            ],
        )


def signal(model: VGG, images: Tensor, labels: Tensor) -> Signal:
    """Send ``images`` ``(B, C, H, W)`` forward and the gradient of the cross-entropy with ``labels`` ``(B,)`` backward.

    Dropout is off. Batch norms use the statistics of this batch, as in training, and do not store them. The model, its
    mode, its ``.grad`` and the random number generator are left as they were.
    """
    layers = {name: module for name, module in model.layers.items() if isinstance(module, nn.Conv2d | nn.Linear)}
    outputs: dict[str, float] = {}
    gradients: dict[str, float] = {}

    def watch(name: str) -> Callable:
        def at_output(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            outputs[name] = _rms(output)  # now: the ReLU behind it writes into the same memory
            output.register_hook(lambda gradient: gradients.__setitem__(name, _rms(gradient)))

        return at_output

    hooks = [module.register_forward_hook(watch(name)) for name, module in layers.items()]
    try:
        with _still(model), torch.enable_grad():
            logits = model(images)
            loss = functional.cross_entropy(logits, labels)
            weights = torch.autograd.grad(loss, [module.weight for module in layers.values()])
    finally:
        for hook in hooks:
            hook.remove()
    rows = [
        LayerSignal(name, outputs[name], gradients[name], _norm(module.weight), _norm(gradient))
        for (name, module), gradient in zip(layers.items(), weights, strict=True)
    ]
    return Signal(model.configuration.name, loss.item(), logits.std().item(), _rms(images), tuple(rows))


@contextmanager
def _still(model: nn.Module) -> Iterator[None]:
    """Dropout off, batch norms on the statistics of the batch, all weights with a gradient; then everything as before."""
    modes = {module: module.training for module in model.modules()}
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    norms = {m: m.track_running_stats for m in modes if isinstance(m, nn.BatchNorm2d)}
    try:
        model.eval()
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        for parameter in frozen:
            parameter.requires_grad_()
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for norm, tracks in norms.items():
            norm.track_running_stats = tracks
        for parameter in frozen:
            parameter.requires_grad_(False)


def _norm(tensor: Tensor) -> float:
    """Summed in float64: squares of a signal that explodes or vanishes leave float32."""
    return torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64).item()


def _rms(tensor: Tensor) -> float:
    return _norm(tensor) / sqrt(tensor.numel())


# --- the paper's remedy ---


@torch.no_grad()
def copy_shallow(shallow: VGG, deep: VGG) -> tuple[str, ...]:
    """The paper's remedy (section 3.1): start a deeper net from a trained shallower one; returns the copied layers.

    Copied, in place, are the first four convolutions of ``shallow`` and the last three fully-connected layers (fewer if
    it has fewer). They go into the layers of ``deep`` with the same name: net A's first four are ``conv1_1``,
    ``conv2_1``, ``conv3_1`` and ``conv3_2``. The paper does not say so, but the shapes leave no other choice: the
    second convolution of A makes 128 channels of 64, and the second convolution of D makes 64 of 64.

    Raises:
        ValueError: a layer is missing in ``deep`` or has another shape. Nothing has been copied then.
    """
    ours, theirs = shallow.layers, deep.layers
    convolutions = [name for name in ours if name.startswith("conv")][: paper.INITIALIZATION["copied_convolutions"]]
    linears = [name for name in ours if name.startswith("fc")][-paper.INITIALIZATION["copied_fully_connected"] :]
    names = (*convolutions, *linears)
    for name in names:
        if name not in theirs:
            raise ValueError(f"the deeper net has no layer {name}; it has {', '.join(theirs)}.")
        a, b = tuple(ours[name].weight.shape), tuple(theirs[name].weight.shape)
        if a != b:
            raise ValueError(
                f"{name} has weights of shape {a} in the shallow net and {b} in the deep one; build both with the "
                "same width, hidden, classes and input_size."
            )
    for name in names:
        theirs[name].load_state_dict(ours[name].state_dict())
    return names
