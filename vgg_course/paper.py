"""Numbers as the paper prints them, each with its place, so that prose and tests can ask for them by name.

Source: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
arXiv:1409.1556v6. Table 1 is in :mod:`vgg_course.configuration`. Standard library only.
"""

from collections.abc import Mapping
from types import MappingProxyType

TABLE_2: Mapping[str, int] = MappingProxyType({"A": 133, "A-LRN": 133, "B": 133, "C": 134, "D": 138, "E": 144})
"""Number of parameters of each configuration, in millions (Table 2)."""

TRAINING: Mapping[str, float] = MappingProxyType(
    {
        "batch_size": 256,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "dropout": 0.5,
        "learning_rate": 1e-2,
        "learning_rate_drops": 3,
        "iterations": 370_000,
        "epochs": 74,
    }
)
"""How the networks were trained (section 3.1)."""
