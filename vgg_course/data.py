"""Reduced CIFAR-10: airplanes, automobiles and birds (or any other of its ten classes), split and checked.

Images are uint8 ``(N, 3, 32, 32)``, labels int64 ``(N,)``. Source: Krizhevsky, "Learning multiple layers of features
from tiny images", 2009. Without a network and without a copy, pictures drawn by code stand in, and say so.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vgg_course import show, sources
from vgg_course.sources import DataError, DownloadError, Source, locate

__all__ = ["CIFAR10_CLASSES", "DataError", "Dataset", "Source", "Split", "locate", "reduced_cifar10"]

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PER_CLASS = {"train": 5000, "test": 1000}  # what CIFAR-10 has


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
        scale = (255 * self.std).to(images.device)[:, None, None]
        return (images.float() - (255 * self.mean).to(images.device)[:, None, None]) / scale

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
    """A part of CIFAR-10, from the first of: the folder VGG_COURSE_DATA, the cache, the official server, our own pen.

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
    train, test, source, is_drawn = _load(classes, seed)
    generator = torch.Generator().manual_seed(seed)
    chosen = {name: torch.randperm(PER_CLASS["train"], generator=generator) for name in CIFAR10_CLASSES}
    tested = {name: torch.randperm(PER_CLASS["test"], generator=generator) for name in CIFAR10_CLASSES}
    held, end = validation_per_class, train_per_class
    return Dataset(
        _take(train, classes, {name: order[held:end] for name, order in chosen.items()}),
        _take(train, classes, {name: order[:held] for name, order in chosen.items()}),
        _take(test, classes, {name: order[:test_per_class] for name, order in tested.items()}),
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


def _take(pool: Split, classes: tuple[str, ...], chosen: dict[str, Tensor]) -> Split:
    """Of each class the images with the chosen ranks, in the order of the pool; labels renumbered by ``classes``."""
    images, labels = [], []
    for label, name in enumerate(classes):
        places = (pool.labels == CIFAR10_CLASSES.index(name)).nonzero().flatten()
        places = places[chosen[name].sort().values]
        images.append(pool.images[places])
        labels.append(torch.full((len(places),), label))
    return Split(torch.cat(images), torch.cat(labels))


# --- reading ---


def _load(classes: tuple[str, ...], seed: int) -> tuple[Split, Split, str, bool]:
    """All images of CIFAR-10 (or of the stand-in), the line that says where from, and whether they are drawn."""
    source, reason = locate(), None
    if source.kind == "download":
        try:
            source = Source("cache", sources.download())
        except DownloadError as error:
            source, reason = Source("drawn"), f"drawn by code: {error}; {sources.HOW_TO_HELP}"
    if source.kind == "drawn":
        return *_drawn(classes, seed), reason or str(source), True
    return _read(source, sources.TRAIN), _read(source, sources.TEST), str(source), False


def _read(source: Source, files: dict[str, str]) -> Split:
    images, labels = [], []
    for name, md5 in files.items():
        batch = pickle.loads(sources.verified(source.folder / sources.FOLDER / name, md5), encoding="latin1")
        images.append(torch.from_numpy(batch["data"]).view(-1, 3, 32, 32))
        labels.append(torch.tensor(batch["labels"]))
    return Split(torch.cat(images), torch.cat(labels))


def _drawn(classes: tuple[str, ...], seed: int) -> tuple[Split, Split]:
    from vgg_course import synthetic

    for name in classes:
        if name not in synthetic.CLASSES:
            raise DataError(
                f"CIFAR-10 is not here, and its stand-in has no {name!r}, only {', '.join(synthetic.CLASSES)}. "
                f"To get CIFAR-10: go online, or {sources.HOW_TO_HELP}."
            )
    train, test = synthetic.draw(PER_CLASS["train"], seed), synthetic.draw(PER_CLASS["test"], seed + 1)
    return Split(train.images, train.labels), Split(test.images, test.labels)
