"""How far a long computation has come: a bar in a terminal, one updating line in a notebook, plain lines in a log."""

from __future__ import annotations

import sys
import time


class Progress:
    """A context manager; :meth:`show` as often as you like, it draws at most ten times a second.

    Args:
        what: one word or two for the start of the line.
        total: the amount of work, in the caller's own unit.
    """

    def __init__(self, what: str, total: float) -> None:
        self.what, self.total = what, total
        self._began = time.monotonic()
        self._drawn = 0.0
        self._line = ""
        self._display = _notebook_display()
        self._terminal = self._display is None and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._line:
            print(file=sys.stderr)  # leave the finished bar, go on below it
        elif self._display and self._line:
            self._write(self._line)

    def show(self, done: float, note: str, milestone: bool = False) -> None:
        """Say that ``done`` of the total is done. A log has a line for every milestone and for nothing else."""
        share = min(1.0, done / self.total) if self.total else 1.0
        left = self.seconds * (1 - share) / share if share else None
        rest = f", {duration(self.seconds)}" if share == 1 else f", {duration(left)} left" if left is not None else ""
        self._line = f"{self.what}: {note}{rest}"
        if self._display or self._terminal:
            now = time.monotonic()
            if milestone or now - self._drawn > 0.1:
                self._drawn = now
                self._write(self._line, share)
        elif milestone:
            print(self._line, flush=True)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def _write(self, line: str, share: float = 1.0) -> None:
        if self._terminal:
            filled = round(20 * share)
            print(f"\r\033[K[{'#' * filled}{'.' * (20 - filled)}] {line}", end="", file=sys.stderr, flush=True)
        else:
            self._display.update({"text/plain": line}, raw=True)


def duration(seconds: float) -> str:
    """As people say it: ``42 s``, ``3 min 5 s``, ``1 h 2 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _notebook_display():
    """A handle that rewrites its own output, if this is a notebook; else None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import DisplayHandle

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    handle = DisplayHandle()
    handle.display({"text/plain": ""}, raw=True)
    return handle
