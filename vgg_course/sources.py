"""Where CIFAR-10 comes from: the folder you name, the cache, or the official server. Checked before it is believed.

Environment variables::

    VGG_COURSE_DATA      the folder that holds cifar-10-batches-py (what torchvision calls root); nothing else is tried
    VGG_COURSE_CACHE     where a download is kept (default: the user's cache folder)
    VGG_COURSE_OFFLINE   1 forbids the download

This module needs the standard library only.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from vgg_course.progress import Progress, duration

# As torchvision.datasets.CIFAR10 has them (url, tgz_md5, train_list, test_list, meta); a test compares.
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
FOLDER = "cifar-10-batches-py"
TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}
PATIENCE = (
    300  # seconds that a download may take. In 2026 the server was throttled to about an hour (pytorch/vision#9536).
)
HOW_TO_HELP = f"put the folder {FOLDER} somewhere and set VGG_COURSE_DATA to the folder that holds it"


class DataError(RuntimeError):
    """Data that cannot be used. The message names the file or the value, and the remedy."""


class DownloadError(DataError):
    """The server could not be reached, was too slow, or sent something else."""


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
            "download": f"CIFAR-10, to be downloaded from {URL} (170 MB)",
            "drawn": f"drawn by code: no copy of CIFAR-10 is here and VGG_COURSE_OFFLINE forbids a download; {HOW_TO_HELP}",
        }[self.kind]


def locate() -> Source:
    """Which source would be used, without reading or downloading anything.

    Raises:
        DataError: VGG_COURSE_DATA is set, but the data is not there.
    """
    if named := os.environ.get("VGG_COURSE_DATA"):
        folder = Path(named).expanduser()
        if missing := _missing(folder):
            raise DataError(
                f"VGG_COURSE_DATA is {named!r}, but there is no {FOLDER}/{missing[0]} in it. Set it to the folder that holds "
                f"{FOLDER}, or unset it to let the course fetch its own copy."
            )
        return Source("folder", folder)
    if not _missing(cache_folder()):
        return Source("cache", cache_folder())
    return Source("drawn" if os.environ.get("VGG_COURSE_OFFLINE", "0") not in ("", "0") else "download")


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


def verified(path: Path, md5: str) -> bytes:
    """The content of ``path``, if it is the official one.

    Raises:
        DataError: it is not. Nothing that fails this check is ever unpickled.
    """
    content = path.read_bytes()
    if (found := _md5(content)) != md5:
        raise DataError(
            f"{path} is not the official file: {len(content):,} bytes with md5 {found}, expected {md5}. The copy is damaged "
            "or was cut short: copy it again, or delete it."
        )
    return content


def _missing(folder: Path) -> list[str]:
    return [name for name in (*TRAIN, *TEST) if not (folder / FOLDER / name).is_file()]


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


# --- the download ---


def download() -> Path:
    """Fetch the official archive into the cache and return the folder. All or nothing: a half copy is never left.

    Raises:
        DownloadError: no network, a slow server, or not the official archive.
        DataError: the cache cannot be written.
    """
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as scratch:
            archive = Path(scratch) / "archive.tar.gz"
            _fetch(archive)
            _unpack(archive, Path(scratch))
            _move(Path(scratch) / FOLDER, cache / FOLDER)
    except DataError:
        raise
    except OSError as error:
        remedy = "free 400 MB" if error.errno == errno.ENOSPC else "make it writable"
        raise DataError(
            f"the cache {cache} cannot be written ({error.strerror or error}): {remedy}, or set VGG_COURSE_CACHE to "
            "another folder."
        ) from None
    return cache


def _fetch(archive: Path) -> None:
    """Stream the archive to a file; leave a server that would take too long."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        answer = urllib.request.urlopen(URL, timeout=20)
    except (OSError, http.client.HTTPException) as error:
        refused = isinstance(error, urllib.error.HTTPError)
        raise DownloadError(
            f"{URL} cannot be reached ({error if refused else getattr(error, 'reason', error)})"
        ) from None
    with answer, open(archive, "wb") as file:
        total = int(answer.headers.get("Content-Length") or 0)
        with Progress("downloading CIFAR-10", total) as progress:
            received, told = 0, 0
            while block := _read(answer):
                digest.update(block)
                file.write(block)
                received += len(block)
                told = _report(progress, received, total, told)
    if total and received < total:
        raise DownloadError(f"{URL} broke off after {received:,} of {total:,} bytes")
    if digest.hexdigest() != ARCHIVE_MD5:
        raise DownloadError(f"{URL} sent something else: md5 {digest.hexdigest()}, expected {ARCHIVE_MD5}")


def _read(answer) -> bytes:
    try:
        return answer.read1(1 << 18)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{URL} stopped sending ({error or type(error).__name__})") from None


def _report(progress: Progress, received: int, total: int, told: int) -> int:
    """Show rate and time left, in a log every tenth of the way; give up when there is no end in sight."""
    seconds = progress.seconds
    rate = received / max(seconds, 1e-9)
    expected = seconds + (total - received) / rate
    if seconds > PATIENCE or (seconds > PATIENCE / 20 and expected > PATIENCE):
        raise DownloadError(f"{URL} is too slow: {rate / 1e3:,.0f} kB/s, {duration(expected)} in all")
    tenth = 10 * received // total if total else 0
    progress.show(received, f"{received / 1e6:,.0f} of {total / 1e6:,.0f} MB, {rate / 1e6:,.1f} MB/s", tenth > told)
    return tenth


def _unpack(archive: Path, folder: Path) -> None:
    """Take the six batches out of the archive, by name: nothing else in it is touched."""
    (folder / FOLDER).mkdir()
    with tarfile.open(archive) as tar:
        for name, md5 in (TRAIN | TEST).items():
            path = folder / FOLDER / name
            with tar.extractfile(f"{FOLDER}/{name}") as member, open(path, "wb") as file:
                shutil.copyfileobj(member, file)
            verified(path, md5)


def _move(new: Path, place: Path) -> None:
    """Put a finished folder in its place; another process may have been faster, which is as good."""
    if place.exists():
        shutil.rmtree(place)  # incomplete or damaged, or we would not be here
    try:
        new.replace(place)
    except OSError:
        if _missing(place.parent):
            raise
