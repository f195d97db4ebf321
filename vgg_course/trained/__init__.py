"""Nets that the course has trained, ready to use. Each comes with a card: what it is, how it was made, how good it is.

    card = trained.card("small_vgg")
    net = trained.load("small_vgg")            # a VGG in eval mode
    predict(net, card.normalize(images))       # uint8 images in, logits out

``small_vgg.safetensors`` and ``small_vgg.json`` were written by ``experiments/small_vgg.py``, together. A card needs no
torch; what needs it imports it inside a function.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from vgg_course import show

if TYPE_CHECKING:
    from torch import Tensor

    from vgg_course.model import VGG
    from vgg_course.weights import WeightsError

FOLDER = Path(__file__).parent
REMEDY = "Get both files again: git checkout -- vgg_course/trained, or install the package anew"


@dataclass(frozen=True, repr=False)
class Card(show.Shown):
    """What there is to know about a trained net; shows itself as a table."""

    name: str
    purpose: str
    configuration: dict  # name, notation, input_size, in_channels, batch_norm
    parameters: int
    classes: list[str]  # in the order of the logits
    mean: list[float]  # of each channel (red, green, blue) of its training pixels, where 255 is 1
    std: list[float]
    data: dict  # which images, how they were selected, how many, and the SHA-256 of each class as a whole
    start: str  # how the net was built, first weights included
    recipe: dict  # the fields of vgg_course.training.Recipe
    seed: int
    precision: str  # of the arithmetic of the steps; the weights are float32
    test: dict  # images and accuracy, of the file as it was read back, in float32 on a CPU
    validation: dict  # the same for the images that were held out
    sisters: dict  # test accuracy of runs with other seeds: results.load("live_training")
    made: dict  # command, date, device, versions
    sha256: str  # of the file
    bytes: int
    license: str
    not_for: list[str]

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 RGB images ``(N, 3, H, W)`` to what this net takes: float32, scaled by *its* training pixels.

        Raises:
            ValueError: the images are of another type.
        """
        import torch

        if images.dtype != torch.uint8:
            raise ValueError(f"images are {images.dtype}; give them as torch.uint8, from 0 to 255.")
        mean, std = (torch.tensor(part, device=images.device)[:, None, None] for part in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def __repr__(self) -> str:
        return self._table(width=80).text()

    def _table(self, width: int = 1000) -> show.Table:
        def numbers(values: list[float]) -> str:
            return " ".join(f"{value:.3f}" for value in values)

        images, side, sisters = self.data["images"], self.configuration["input_size"], self.sisters
        norm = ", batch norm" if self.configuration["batch_norm"] else ""
        lines = [
            ("what", f"configuration {self.configuration['name']}{norm}, {self.parameters:,} parameters"),
            ("layers", self.configuration["notation"]),
            ("takes", f"RGB, {side}x{side}; mean {numbers(self.mean)}, deviation {numbers(self.std)}"),
            ("answers", ", ".join(self.classes)),
            ("for", self.purpose),
            *(("not for", reason) for reason in self.not_for),
            ("data", f"{self.data['name']}, {images['train']:,} images: {self.data['selected']}"),
            ("recipe", ", ".join(f"{name} {value}" for name, value in self.recipe.items())),
            ("start", self.start),
            ("trained", f"with seed {self.seed}, in {self.precision}"),
            ("test accuracy", f"{self.test['accuracy']:.2%} of {self.test['images']:,} images"),
            ("held-out accuracy", f"{self.validation['accuracy']:.2%} of {self.validation['images']:,} images"),
            (
                f"{sisters['n']} other seeds",
                f"test accuracy {sisters['mean']:.2%}, spread {sisters['spread']:.2%}, from {sisters['lowest']:.2%} to "
                f"{sisters['highest']:.2%}",
            ),
            (
                "made",
                f"{self.made['date']} by {self.made['command']} on {self.made['device']}, torch "
                f"{self.made['versions']['torch']}",
            ),
            ("file", f"{self.bytes / 1e6:.2f} MB, sha256 {self.sha256[:16]}..."),
            ("license", self.license),
        ]
        rows = [("" if place else name, line) for name, text in lines for place, line in enumerate(wrap(text, width))]
        return show.Table("A net that the course has trained", ("card of", self.name), rows, prose=True)


def card(name: str) -> Card:
    """The card of a trained net.

    Raises:
        ValueError: there is no such net.
        WeightsError: its card is damaged.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        known = sorted(path.stem for path in FOLDER.glob("*.json"))
        raise ValueError(f"there is no trained net {name!r}; there are {', '.join(known) or 'none at all'}.")
    try:
        return Card(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise _error(f"the card {path} is damaged.") from None


def load(name: str) -> VGG:
    """The trained net itself: on the CPU, in eval mode, after its file was held against its card.

    Raises:
        ValueError: there is no such net.
        WeightsError: its file is missing, was cut off or changed, or its card is damaged.
    """
    expected, path = card(name).sha256, FOLDER / f"{name}.safetensors"
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _error(f"the weights of {name} could not be read: {error}.") from None
    if found != expected:
        raise _error(f"{path} is not the file that its card describes: its sha256 is {found}, the card has {expected}.")
    from vgg_course import weights

    return weights.build(path)


def _error(text: str) -> WeightsError:
    from vgg_course.weights import WeightsError

    return WeightsError(f"{text} {REMEDY}.")
