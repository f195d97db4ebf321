"""A VGG, built from its configuration by one loop.

The modules are named as torchvision names them (``features``, ``avgpool``, ``classifier``), so that state dicts move
both ways for A, B, D and E, with and without batch norm. Tensors are ``(B, C, H, W)``.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course.configuration import (
    Configuration,
    ConfigurationError,
    Conv,
    Linear,
    LocalResponseNorm,
    MaxPool,
    as_configuration,
)
from vgg_course.initialization import Scheme, initialize


class VGG(nn.Module):
    """The network of a configuration.

    Args:
        configuration: one of the paper's six by letter, or any :class:`Configuration` that ends in a fully-connected
            layer.
        dropout: the probability that a hidden fully-connected value is dropped in training (0.5 in the paper).
        initialization: how the first weights are drawn: a name from ``initialization.SCHEMES``, or a scheme. The default
            is torchvision's. With what the modules of torch begin with, the 16-layer net does not train.
        generator: where the initial weights are drawn from; torch's global generator if None.

    Raises:
        ConfigurationError: the configuration has no fully-connected layer at its end, or dropout is no probability.
    """

    def __init__(
        self,
        configuration: str | Configuration,
        *,
        dropout: float = 0.5,
        initialization: str | Scheme = "torchvision",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        configuration = as_configuration(configuration)
        configuration.classes  # noqa: B018  raises if the last layer is no FC
        if not 0 <= dropout < 1:
            raise ConfigurationError(f"dropout is {dropout!r}; it is a probability, at least 0 and below 1.")
        self.configuration = configuration
        features: list[nn.Module] = []
        classifier: list[nn.Module] = []
        for layer in configuration:
            match layer.spec:
                case Conv(channels=out, kernel=kernel, stride=stride, padding=padding):
                    features.append(nn.Conv2d(layer.input_shape[0], out, kernel, stride, padding))
                    if configuration.batch_norm:
                        features.append(nn.BatchNorm2d(out))
                    features.append(nn.ReLU(inplace=True))
                case MaxPool(kernel=kernel, stride=stride, padding=padding):
                    features.append(nn.MaxPool2d(kernel, stride, padding))
                case LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
                    features.append(nn.LocalResponseNorm(size, alpha * size, beta, k))  # torch divides alpha by size
                case Linear(features=out):
                    classifier += [nn.Linear(prod(layer.input_shape), out), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.features = nn.Sequential(*features)
        self.avgpool = nn.Identity()  # torchvision pools any grid to 7x7 here; ours takes the grid as it is
        self.classifier = nn.Sequential(*classifier[:-2])  # no ReLU and no dropout behind the logits
        initialize(self, initialization, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` to logits ``(B, classes)``."""
        if x.ndim != 4 or tuple(x.shape[1:]) != self.configuration.input_shape:
            wanted = "x".join(map(str, self.configuration.input_shape))
            raise ValueError(
                f"VGG {self.configuration.name} was built for batches of {wanted} images, shape (B, C, H, W); it got "
                f"{tuple(x.shape)}. Resize or crop the images, or build the net with input_size=... to match."
            )
        x = self.features(x)  # (B, C, grid, grid)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)  # (B, C * grid * grid)
        return self.classifier(x)  # (B, classes)

    @property
    def layers(self) -> dict[str, nn.Module]:
        """The module of each layer of the configuration, by its name: ``model.layers["conv3_2"]``.

        What has no name of its own (ReLU, batch norm, dropout) is left out.
        """
        kinds = nn.Conv2d | nn.MaxPool2d | nn.LocalResponseNorm | nn.Linear
        modules = [module for module in (*self.features, *self.classifier) if isinstance(module, kinds)]
        return dict(zip((layer.name for layer in self.configuration), modules, strict=True))

    def to_convolutional(self) -> ConvolutionalVGG:
        """The same net with its fully-connected layers as convolutions, for larger images: a score at every place."""
        return ConvolutionalVGG(self)


class ConvolutionalVGG(nn.Module):
    """A VGG whose fully-connected layers slide over the grid, as in the paper's section 3.2: 7x7, 1x1, 1x1.

    Nothing is copied: it consists of the layers of ``model`` themselves. Training either trains both, and both are
    always on the same device, of the same type and in the same mode (training or evaluation). A ``deepcopy`` stands
    alone.
    """

    def __init__(self, model: VGG) -> None:
        super().__init__()
        self.configuration = model.configuration
        self.features = model.features
        grids = [layer.input_shape for layer in model.configuration if isinstance(layer.spec, Linear)]
        sides = iter(shape[1] if len(shape) == 3 else 1 for shape in grids)  # behind the first, a vector: 1x1
        self.classifier = nn.Sequential(
            *(SlidingLinear(m, next(sides)) if isinstance(m, nn.Linear) else m for m in model.classifier)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` of any height and width from ``input_size`` on, to score maps ``(B, classes, h, w)``."""
        channels, size, _ = self.configuration.input_shape
        if x.ndim != 4 or x.shape[1] != channels or min(x.shape[2:]) < size:
            raise ValueError(
                f"VGG {self.configuration.name}, made convolutional, takes batches (B, {channels}, H, W) with H and W of "
                f"at least {size}, the size it was built for: in less, the classifier's window does not fit. It got "
                f"{tuple(x.shape)}. Enlarge the images, or build the net with a smaller input_size."
            )
        return self.classifier(self.features(x))


class SlidingLinear(nn.Module):
    """A fully-connected layer as a ``side x side`` convolution without padding, with the weights of ``linear`` itself."""

    def __init__(self, linear: nn.Linear, side: int) -> None:
        super().__init__()
        self.linear, self.side = linear, side

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, features, H - side + 1, W - side + 1)``."""
        weight = self.linear.weight.unflatten(1, (-1, self.side, self.side))  # a view: flatten went C, H, W
        return functional.conv2d(x, weight, self.linear.bias)

    def extra_repr(self) -> str:
        return f"side={self.side}"


def vgg(
    configuration: str | Configuration = "D",
    *,
    dropout: float = 0.5,
    initialization: str | Scheme = "torchvision",
    generator: torch.Generator | None = None,
    **variant,
) -> VGG:
    """A VGG by letter and size: ``vgg("D")``, or ``vgg("D", input_size=32, classes=3, width=1/4, batch_norm=True)``.

    Args:
        configuration: the paper's letter, or a :class:`Configuration`.
        dropout, initialization, generator: see :class:`VGG`.
        variant: what :meth:`Configuration.variant` takes: input_size, in_channels, classes, width, hidden, batch_norm.
    """
    configuration = as_configuration(configuration).variant(**variant)
    return VGG(configuration, dropout=dropout, initialization=initialization, generator=generator)
