"""How far a long computation has come: a bar in a terminal, one updating line in a notebook, plain lines in a log.

A notebook that nobody watches (the book's build, nbconvert, papermill) shows nothing of it: what stays in a page is what
its cells return, the same in every build.
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES_SHARE = 0.05  # of the time, at most, is spent on drawing pictures while something is computed


class Progress:
    """A context manager; :meth:`show` as often as you like, it draws at most ten times a second.

    Args:
        what: one word or two for the start of the line.
        total: the amount of work, in the caller's own unit.
        done: how much of it was done before, in an earlier process.
        silent: show nothing at all, as for a process that is not the first of its group.
    """

    def __init__(self, what: str, total: float, *, done: float = 0, silent: bool = False) -> None:
        self.what, self.total, self.before = what, total, done
        self._began = time.monotonic()
        self._drawn = 0.0
        self._pictured, self._drawing = -1e9, 0.0  # when the last picture was drawn, and the seconds it took
        self._line = ""
        self._watched = _notebook()
        self._silent = silent or self._watched is False
        self._line_display = _Display() if self._watched and not silent else None
        self._picture_display: _Display | None = None
        self._terminal = self._watched is None and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._silent or not self._line:
            return
        if self._terminal:
            print(file=sys.stderr)  # leave the finished bar, go on below it
        elif self._line_display:
            self._write(self._line)

    def show(self, done: float, note: str, milestone: bool = False) -> None:
        """Say that ``done`` of the total is done. A log has a line for every milestone and for nothing else."""
        if self._silent:
            return
        share = min(1.0, done / self.total) if self.total else 1.0
        left = self.seconds * (self.total - done) / (done - self.before) if done > self.before else None
        rest = f", {duration(self.seconds)}" if share == 1 else f", {duration(left)} left" if left is not None else ""
        self._line = f"{self.what}: {note}{rest}"
        if self._line_display or self._terminal:
            now = time.monotonic()
            if milestone or now - self._drawn > 0.1:
                self._drawn = now
                self._write(self._line, share)
        elif milestone:
            print(self._line, flush=True)

    def picture(self, draw: Callable[[], Axes]) -> None:
        """Where someone watches a notebook, show what ``draw`` draws in place of the last picture; elsewhere do nothing.

        It is skipped when pictures would take too much of the time.
        """
        began = time.monotonic()
        if self._silent or not self._watched or began - self._pictured < self._drawing / PICTURES_SHARE:
            return
        png = base64.b64encode(_png(draw)).decode()
        self._picture_display = self._picture_display or _Display()
        self._picture_display.update({"image/png": png, "text/plain": "learning curves"})
        self._pictured = time.monotonic()
        self._drawing = self._pictured - began

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def _write(self, line: str, share: float = 1.0) -> None:
        if self._terminal:
            filled = round(20 * share)
            text = f"[{'#' * filled}{'.' * (20 - filled)}] {line}"
            width = shutil.get_terminal_size().columns - 1  # a longer line would wrap, and leave its first half behind
            print(f"\r\033[K{text[:width]}", end="", file=sys.stderr, flush=True)
        else:
            self._line_display.update({"text/plain": line})


def duration(seconds: float) -> str:
    """As people say it: ``42 s``, ``3 min 5 s``, ``1 h 2 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _notebook() -> bool | None:
    """None if this is no notebook; else whether someone watches it.

    A page that someone looks at lets a cell ask a question (``input()``); whatever executes notebooks unattended forbids
    that, for the answer would never come. Colab asks in a way of its own.
    """
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return None
    return bool(getattr(kernel, "_allow_stdin", True)) or "google.colab" in sys.modules


class _Display:
    """An output of the running cell that can be written anew."""

    def __init__(self) -> None:
        from IPython.display import DisplayHandle

        self._handle = DisplayHandle()
        self._shown = False

    def update(self, content: dict[str, str]) -> None:
        (self._handle.update if self._shown else self._handle.display)(content, raw=True)
        self._shown = True


def _png(draw: Callable[[], Axes]) -> bytes:
    import matplotlib.pyplot as plt

    with plt.ioff(), io.BytesIO() as file:  # no window, and no second output at the end of the cell
        figure = draw().figure
        figure.savefig(file, format="png")
        plt.close(figure)
        return file.getvalue()
