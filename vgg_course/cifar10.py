"""What CIFAR-10 is, to the pixel: ten classes of 5,000 training and 1,000 test images, known by their SHA-256.

A *block* is one class as plain bytes: its training images, then its test images; an image is 3 x 32 x 32 bytes, the red,
the green and the blue plane. Both parts are in the order of the SHA-256 of each image, so a block is the same whatever
the images were packed in and however they lay there. A block whose own SHA-256 is not the known one is never used.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009. This module needs the standard library
only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PER_CLASS = {"train": 5000, "test": 1000}
IMAGE = 3 * 32 * 32  # bytes

# Computed from the official archive, whose six batches had the MD5 sums that torchvision names.
DIGESTS = {
    "airplane": "5c820cea98b834430e817d61e6c7ac42a1b028de1b032a959f8c8eff68b6ff87",
    "automobile": "ab3ca461bbece78c17c98c046189e258224608fdff5e1453ff0fb3ae0a29fdc4",
    "bird": "f63197091eb562d84dd1930bb7e65aff18a37091a4c93fd81de936e5fdfb5dde",
    "cat": "4f037ac25fb105c6dadaa3c2abdbf7ffe687102fb2df9bf1454a88c3961ab61d",
    "deer": "46f9effadaeaa1435b3bb635b888389481463a1db683ab741375c185e58e3c5e",
    "dog": "44ce878d2738780f094bf8147bf0450a4c4c0cb5a3a9ecd8c9a0dbc259354ff7",
    "frog": "167e15849c926202b7badd9d82b65cd98b015afbca742cd000507bff0f79f7c7",
    "horse": "3e7de14eeaf90f2f724c966e6838a9f7fac59fe799cdf59cd5d4ec6927d64344",
    "ship": "15ea2cf2380504762c1523c2647cb250e490b11b114cd0514d6fee2fa171e4ea",
    "truck": "0c36e91b59a929fe4263d1e7b47be0316e980e202ac2625fac04dba9457ebd7b",
}


class DataError(RuntimeError):
    """Data that cannot be used. The message names the file or the value, and the remedy."""


def arranged(images: Iterable[tuple[str, int, bytes]], names: Sequence[str] = CLASSES) -> dict[str, bytearray]:
    """The blocks of some classes, made and checked from images in any order.

    Args:
        images: the split ("train" or "test"), the number of the class and the pixels of each image.
        names: which classes are wanted; images of others are passed over.

    Raises:
        DataError: these are not the images of CIFAR-10.
    """
    piles = {(split, CLASSES.index(name)): [] for name in names for split in PER_CLASS}
    for split, label, pixels in images:
        if (pile := piles.get((split, label))) is not None:
            pile.append(pixels)
    blocks = {}
    for name in names:
        parts = [piles.pop((split, CLASSES.index(name))) for split in PER_CLASS]
        blocks[name] = bytearray().join(pixels for part in parts for pixels in sorted(part, key=_digest))
        _check(name, blocks[name])
    return blocks


def write(path: Path, blocks: Mapping[str, bytes]) -> None:
    """All ten blocks, one behind the other and nothing else: 184 MB. The bytes are on the disk when this returns."""
    with open(path, "wb") as file:
        for name in CLASSES:
            file.write(blocks[name])
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, names: Sequence[str] = CLASSES) -> dict[str, bytearray]:
    """The blocks of some classes from a file made by :func:`write`, checked.

    Raises:
        DataError: a block is damaged, or the file was cut short.
    """
    blocks = {}
    with open(path, "rb") as file:
        for name in names:
            block = blocks[name] = bytearray(_block_bytes())
            file.seek(CLASSES.index(name) * len(block))
            file.readinto(block)
            _check(name, block)
    return blocks


def file_bytes() -> int:
    """The size of a file made by :func:`write`."""
    return len(CLASSES) * _block_bytes()


def _block_bytes() -> int:
    return sum(PER_CLASS.values()) * IMAGE


def _digest(pixels: bytes) -> bytes:
    return sha256(pixels).digest()


def _check(name: str, block: bytes) -> None:
    if len(block) != _block_bytes():
        raise DataError(f"{len(block) / IMAGE:,g} images of class {name}, not {sum(PER_CLASS.values()):,}")
    if (found := sha256(block).hexdigest()) != DIGESTS[name]:
        raise DataError(f"other pixels in class {name}: SHA-256 {found[:12]}..., not {DIGESTS[name][:12]}...")
