"""A VGG, built from its configuration by one loop.

The modules are named as torchvision names them (``features``, ``avgpool``, ``classifier``), so that state dicts move
both ways for A, B, D and E, with and without batch norm. Tensors are ``(B, C, H, W)``.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from vgg_course.configuration import (
    Configuration,
    ConfigurationError,
    Conv,
    Linear,
    LocalResponseNorm,
    MaxPool,
    as_configuration,
)


class VGG(nn.Module):
    """The network of a configuration.

    Args:
        configuration: one of the paper's six by letter, or any :class:`Configuration` that ends in a fully-connected
            layer.
        dropout: the probability that a hidden fully-connected value is dropped in training (0.5 in the paper).
        generator: where the initial weights are drawn from; torch's global generator if None.

    Raises:
        ConfigurationError: the configuration has no fully-connected layer at its end, or dropout is no probability.
    """

    def __init__(
        self, configuration: str | Configuration, *, dropout: float = 0.5, generator: torch.Generator | None = None
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
        self.initialize(generator)

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

    @torch.no_grad()
    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights the way torchvision does: He for convolutions, std 0.01 for fully-connected layers.

        The paper had no such scheme yet; with torch's default the 16-layer net without batch norm does not train.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01, generator=generator)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)


def vgg(
    configuration: str | Configuration = "D",
    *,
    dropout: float = 0.5,
    generator: torch.Generator | None = None,
    **variant,
) -> VGG:
    """A VGG by letter and size: ``vgg("D")``, or ``vgg("D", input_size=32, classes=3, width=1/4, batch_norm=True)``.

    Args:
        configuration: the paper's letter, or a :class:`Configuration`.
        dropout: see :class:`VGG`.
        generator: see :class:`VGG`.
        variant: what :meth:`Configuration.variant` takes: input_size, in_channels, classes, width, hidden, batch_norm.
    """
    return VGG(as_configuration(configuration).variant(**variant), dropout=dropout, generator=generator)
