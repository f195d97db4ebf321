"""Reduced CIFAR-10: airplanes, automobiles and birds (or any other of its ten classes), split and checked.

Images are uint8 ``(N, 3, 32, 32)``, labels int64 ``(N,)``. Source: Krizhevsky, "Learning multiple layers of features
from tiny images", 2009. Without a network and without a copy, pictures drawn by code stand in, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vgg_course import show, sources
from vgg_course.cifar10 import CLASSES as CIFAR10_CLASSES
from vgg_course.cifar10 import PER_CLASS, DataError
from vgg_course.sources import DownloadError, Source, locate

__all__ = ["CIFAR10_CLASSES", "DataError", "Dataset", "Source", "Split", "locate", "reduced_cifar10"]

Pool = dict[str, tuple[Tensor, Tensor]]  # of each class all training images and all test images


@dataclass(frozen=True, eq=False)
class Split:
    """Images that serve one purpose: uint8 ``(N, 3, H, W)``, with labels int64 ``(N,)``."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split of {len(self):,} images"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(show.Shown):
    """Three splits of the same classes; label ``i`` means ``classes[i]``. Shows itself as a table.

    ``source`` says in one line where the images came from; ``is_drawn`` is true for the stand-in.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    source: str
    is_drawn: bool = False

    @property
    def note(self) -> str:
        """What a figure of these images must say: nothing for photographs."""
        return "drawn stand-ins, not photographs" if self.is_drawn else ""

    @cached_property
    def mean(self) -> Tensor:
        """Mean of each channel ``(3,)`` over all pixels of the training images; 0 is black, 1 is full."""
        return _mean_and_std(self.train.images)[0]

    @cached_property
    def std(self) -> Tensor:
        """Standard deviation of each channel ``(3,)`` over all pixels of the training images."""
        return _mean_and_std(self.train.images)[1]

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 images to what a net takes: float32, each channel with mean 0 and deviation 1 on the training images."""
        if images.device not in self._scales:  # once a device: a GPU would stand still at every copy
            self._scales[images.device] = [
                (255 * part).to(images.device)[:, None, None] for part in (self.mean, self.std)
            ]
        mean, std = self._scales[images.device]
        return (images.float() - mean) / std

    @cached_property
    def _scales(self) -> dict[torch.device, list[Tensor]]:
        return {}

    def _table(self) -> show.Table:
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        counts = {name: torch.bincount(split.labels, minlength=len(self.classes)) for name, split in splits.items()}
        return show.Table(
            f"{'DRAWN STAND-IN for reduced' if self.is_drawn else 'Reduced'} CIFAR-10. Source: {self.source}",
            ("split", *self.classes, "images"),
            [(name, *counts[name].tolist(), len(split)) for name, split in splits.items()],
        )


def _mean_and_std(images: Tensor) -> tuple[Tensor, Tensor]:
    """Exact, from how often each of the 256 values occurs in each channel."""
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)]).double()
    share = counts / counts.sum(1, keepdim=True)  # (3, 256)
    mean = share @ values
    return mean.float(), (share @ values**2 - mean**2).sqrt().float()


def reduced_cifar10(
    classes: Sequence[str] = ("airplane", "automobile", "bird"),
    train_per_class: int = 5000,
    test_per_class: int = 1000,
    validation_per_class: int = 0,
    seed: int = 0,
) -> Dataset:
    """A part of CIFAR-10, from the first of: the folder VGG_COURSE_DATA, the cache, a server, our own pen.

    Which images these are depends on the arguments only, not on where they came from.

    Args:
        classes: which of the ten, in the order of the labels.
        train_per_class: images of each class for training, up to 5,000.
        test_per_class: images of each class for the final test, up to 1,000.
        validation_per_class: how many of the training images are held out to make choices with.
        seed: which images are taken and which held out. A class is treated alike whatever the others are.

    Raises:
        DataError: the data named by VGG_COURSE_DATA or found in the cache is missing or damaged.
        ValueError: no such class, or not that many images.
    """
    classes = _checked_classes(classes)
    _check_count("train_per_class", train_per_class, 1, PER_CLASS["train"])
    _check_count("test_per_class", test_per_class, 1, PER_CLASS["test"])
    _check_count("validation_per_class", validation_per_class, 0, train_per_class - 1)
    pool, source, is_drawn = _load(classes, seed)
    generator = torch.Generator().manual_seed(seed)
    train_order = {name: torch.randperm(PER_CLASS["train"], generator=generator) for name in CIFAR10_CLASSES}
    test_order = {name: torch.randperm(PER_CLASS["test"], generator=generator) for name in CIFAR10_CLASSES}
    held, end = validation_per_class, train_per_class
    return Dataset(
        _split([pool[name][0][train_order[name][held:end].sort().values] for name in classes]),
        _split([pool[name][0][train_order[name][:held].sort().values] for name in classes]),
        _split([pool[name][1][test_order[name][:test_per_class].sort().values] for name in classes]),
        classes,
        source,
        is_drawn,
    )


def _checked_classes(classes: Sequence[str]) -> tuple[str, ...]:
    if isinstance(classes, str):
        raise ValueError(f"classes is the text {classes!r}; give a sequence of names, such as ({classes!r}, 'ship').")
    classes = tuple(classes)
    for name in classes:
        if name not in CIFAR10_CLASSES:
            raise ValueError(f"classes has {name!r}, which CIFAR-10 has not; it has {', '.join(CIFAR10_CLASSES)}.")
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise ValueError(f"classes is {classes!r}; name at least two, each once.")
    return classes


def _check_count(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        limit = "fewer than train_per_class" if name.startswith("validation") else "all that CIFAR-10 has"
        raise ValueError(f"{name} is {value!r}; it must be a whole number from {least} to {most} ({limit}).")


def _split(images: list[Tensor]) -> Split:
    """One split from the images of each class, in the order of the labels."""
    labels = [torch.full((len(some),), label) for label, some in enumerate(images)]
    return Split(torch.cat(images), torch.cat(labels))


# --- reading ---


def _load(classes: tuple[str, ...], seed: int) -> tuple[Pool, str, bool]:
    """All images of some classes, the line that says where from, and whether they are drawn."""
    source, problem = locate(), ""
    if source.folder:
        try:
            return _read(source, classes), str(source), False
        except DataError as error:
            if source.kind == "folder" or sources.offline():
                raise
            print(f"{error} That is done now.", flush=True)
    if not sources.offline():
        try:
            sources.fetch()
            source = Source("cache", sources.cache_folder())
            return _read(source, classes), str(source), False
        except DownloadError as error:
            problem = f"drawn by code, because CIFAR-10 could not be fetched: {error}; {sources.HOW_TO_HELP}"
    return _drawn(classes, seed), problem or str(source), True


def _read(source: Source, classes: tuple[str, ...]) -> Pool:
    images = {
        name: torch.frombuffer(block, dtype=torch.uint8).view(-1, 3, 32, 32)
        for name, block in sources.read(source, classes).items()
    }
    return {name: some.split(list(PER_CLASS.values())) for name, some in images.items()}


def _drawn(classes: tuple[str, ...], seed: int) -> Pool:
    from vgg_course import synthetic

    for name in classes:
        if name not in synthetic.CLASSES:
            raise DataError(
                f"CIFAR-10 is not here, and its stand-in has no {name!r}, only {', '.join(synthetic.CLASSES)}. "
                f"To get CIFAR-10: go online, or {sources.HOW_TO_HELP}."
            )
    drawn = [synthetic.draw(count, seed + number) for number, count in enumerate(PER_CLASS.values())]
    return {
        name: tuple(some.images[some.labels == synthetic.CLASSES.index(name)] for some in drawn) for name in classes
    }
