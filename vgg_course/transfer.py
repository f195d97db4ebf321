"""One file over HTTP, from a server that may crawl, stall, break off, redirect or send something else.

What has arrived stays in the file: the next try, in this process or a later one, goes on where it ended. Whether the
content is right is for the caller to say. This module needs the standard library only.
"""

from __future__ import annotations

import http.client
import itertools
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from vgg_course.cifar10 import DataError
from vgg_course.progress import Progress, duration

USUAL, MOST = 170_000_000, 400_000_000  # bytes: what to expect of a server that does not say, and what is too much


@dataclass(frozen=True)
class Limits:
    """When to leave a server.

    Args:
        stall: seconds without a byte, at the start or later.
        window: seconds over which the speed is measured, again and again.
        patience: seconds that the rest of the file may take at that speed.
        tries: how often to ask again for the rest, once something has come.
        pause: seconds before the second try; twice as many before each further one.
    """

    stall: float = 10
    window: float = 10
    patience: float = 300
    tries: int = 4
    pause: float = 1


class DownloadError(DataError):
    """The server could not be reached, refused, broke off for good, or sent something else."""


class TooSlowError(DownloadError):
    """The watchdog left the server. ``rate`` is in bytes a second."""

    def __init__(self, rate: float, seconds: float) -> None:
        super().__init__(f"is too slow ({rate / 1e3:,.0f} kB/s, another {duration(seconds)})")
        self.rate = rate


class _BrokenError(DownloadError):
    """The transfer broke: it can be taken up again."""


def host(address: str) -> str:
    """The name of the server in an address."""
    return urlsplit(address).hostname


def download(address: str, path: Path, limits: Limits) -> bool:
    """Fetch a file, going on from the bytes that ``path`` has already.

    Args:
        address: http or https.
        path: the file to write.
        limits: when to leave the server.

    Returns:
        Whether the file was put together from several transfers: then a wrong content may be our own doing.

    Raises:
        DownloadError: no luck. What has arrived is kept where going on may help.
        OSError: the file cannot be written.
    """
    before = _length(path)
    for attempt in itertools.count(1):
        try:
            _transfer(address, path, limits)
            return before > 0 or attempt > 1
        except _BrokenError:
            if attempt == limits.tries or _length(path) <= before:  # a server that has sent nothing gets no second try
                raise
        time.sleep(limits.pause * 2 ** (attempt - 1))


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _transfer(address: str, path: Path, limits: Limits) -> None:
    """One request, from the end of what is there; from the beginning if the server cannot do that."""
    have = _length(path)
    answer = _ask(address, have, limits)
    if answer is None:  # what we have is all there is, or of no use
        return
    with answer:
        start, total = _extent(answer, have)
        if "text/html" in answer.headers.get("Content-Type", ""):
            raise DownloadError("sent a web page instead of the data (does this network want you to log in?)")
        with open(path, "r+b" if start else "wb") as file:
            if start:
                file.seek(start)
                file.truncate()
            here = _receive(answer, file, start, total, f"CIFAR-10 from {host(address)}", limits)
    if here < total:
        raise _BrokenError(f"broke off after {here:,} of {total:,} bytes")


def _ask(address: str, have: int, limits: Limits) -> http.client.HTTPResponse | None:
    """The answer to a request for all bytes from ``have`` on; None if there are none."""
    headers = {"User-Agent": "vgg-course", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        return urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=limits.stall)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416 or not have:
            reason, _, _ = str(error.reason).partition("\n")
            raise DownloadError(f"refused ({error.code} {reason})") from None
        if error.headers.get("Content-Range", "").strip() == f"bytes */{have}":
            return None
        return _ask(address, 0, limits)  # our bytes are no beginning of this file
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a redirection to nonsense
        raise _BrokenError(f"cannot be reached ({getattr(error, 'reason', None) or error})") from None


def _extent(answer: http.client.HTTPResponse, have: int) -> tuple[int, int]:
    """Where the bytes of this answer begin in the file, and how long the file is (0: the server does not say)."""
    if answer.status == 206:
        found = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if not found or int(found[1]) > have:
            raise DownloadError("sent another part of the file than we asked for")
        return int(found[1]), 0 if found[2] == "*" else int(found[2])
    return 0, answer.length or 0


def _receive(answer, file: BinaryIO, start: int, total: int, what: str, limits: Limits) -> int:
    """Stream to the file, watching the speed, and return where the bytes ended."""
    most, expected = total or MOST, total or max(USUAL, start)
    here = start
    with Progress(what, expected - start) as progress:
        tenth, window_began, window_start, rate = 0, 0.0, start, 0.0
        while block := _read(answer):
            file.write(block)
            here += len(block)
            if max(here, total) > MOST:
                raise DownloadError(f"sends more than {MOST / 1e6:,.0f} MB")
            seconds = progress.seconds
            if seconds - window_began >= limits.window:
                rate = (here - window_start) / (seconds - window_began)
                if (rest := (most - here) / rate) > limits.patience:
                    raise TooSlowError(rate, rest)
                window_began, window_start = seconds, here
            milestone = 10 * (here - start) // max(expected - start, 1)  # a log gets a line every tenth of the way
            speed = rate or (here - start) / max(seconds, 1e-9)
            words = f"{here / 1e6:,.0f} of {expected / 1e6:,.0f} MB, {speed / 1e6:,.1f} MB/s"
            progress.show(here - start, words, milestone > tenth)
            tenth = milestone
    return here


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(1 << 18)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _BrokenError(f"stopped sending ({str(error) or type(error).__name__})") from None
