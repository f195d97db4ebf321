"""What CIFAR-10 comes packed in. Every reader takes the paths of a copy's files and yields the same thing for each image:

    ("train" or "test", the number of its class, its pixels: 3 x 32 x 32 bytes, plane by plane)

A container is foreign: nothing in it is executed, nothing is unpacked to the disk, and whatever a reader yields is
believed only once :mod:`vgg_course.cifar10` has compared it. At import this module needs the standard library only.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from vgg_course.cifar10 import CLASSES, IMAGE, DataError

Image = tuple[str, int, bytes]

BATCHES = {**{f"data_batch_{number}": "train" for number in range(1, 6)}, "test_batch": "test"}
MOST = 64_000_000  # bytes of one file inside an archive; a batch has 31 million


def batch_folder(folder: Path) -> Iterator[Image]:
    """The six batches of the official Python version, unpacked."""
    for name, split in BATCHES.items():
        with _readable(folder / name):
            yield from _batch(split, (folder / name).read_bytes())


def batch_archive(archive: Path) -> Iterator[Image]:
    """The official Python version: a tar with six batches."""
    with _readable(archive):
        for path, content in _members(archive):
            if path.name in BATCHES:
                yield from _batch(BATCHES[path.name], content)


def picture_archive(archive: Path) -> Iterator[Image]:
    """A tar of PNG files in folders, ``train/airplane/anything.png``, as fast.ai packs it."""
    with _readable(archive):
        for path, content in _members(archive):
            if path.suffix == ".png":
                *_, split, name, _ = path.parts
                yield split, CLASSES.index(name), _pixels(content)


def parquet(*tables: Path) -> Iterator[Image]:
    """Tables of PNG files, the training images and the test images, as Hugging Face packs it. Needs pyarrow."""
    for split, path in zip(("train", "test"), tables, strict=True):
        with _readable(path):
            from pyarrow.parquet import ParquetFile

            with ParquetFile(path) as table:
                for batch in table.iter_batches(batch_size=1000, columns=["img", "label"]):
                    for row in batch.to_pylist():
                        yield split, int(row["label"]), _pixels(row["img"]["bytes"])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever foreign bytes make tarfile, gzip, pickle, Pillow or pyarrow raise
        reason, _, _ = str(error).partition("\n")
        raise DataError(f"{path.name} cannot be read ({type(error).__name__}: {reason.rstrip(':')})") from error


def _members(archive: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.size <= MOST:
                yield PurePosixPath(member.name), tar.extractfile(member).read()


def _pixels(png: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        if picture.size != (32, 32):
            raise ValueError(f"a picture of {picture.size[0]} x {picture.size[1]} pixels")
        pixels = picture.convert("RGB").tobytes()  # red, green, blue, red, green, ...
    return pixels[0::3] + pixels[1::3] + pixels[2::3]


class _ArraysOnly(pickle.Unpickler):
    """A pickle can name any function to call. This one gets what a NumPy array is made of, and nothing else."""

    ALLOWED = frozenset(
        {"numpy.ndarray", "numpy.dtype", "_codecs.encode"}
        | {
            f"numpy.{core}.{name}"
            for core in ("core", "_core")
            for name in ("multiarray._reconstruct", "numeric._frombuffer")
        }
    )

    def find_class(self, module: str, name: str):
        if f"{module}.{name}" not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of CIFAR-10 needs")
        return super().find_class(module, name)


def _batch(split: str, content: bytes) -> Iterator[Image]:
    batch = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    rows, labels = batch["data"], batch["labels"]
    if rows.dtype != "uint8" or rows.shape != (len(labels), IMAGE):
        raise ValueError(f"data is {rows.dtype} {rows.shape} for {len(labels)} labels")
    for row, label in zip(rows, labels, strict=True):
        yield split, int(label), row.tobytes()
