"""A verdict, and how an attempt is asked for its answer without harm: stopped in time, on copies, whatever it raises."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from threading import Event, Lock, Thread, get_ident

LIMIT = 20.0  # seconds for one call of an attempt; solutions take milliseconds

SIGNS = {"passed": "[passed]", "not attempted": "[not attempted yet]", "wrong": "[not yet right]"}


@dataclass(frozen=True)
class Verdict:
    """What a check found. It is true when the attempt passed, and shows itself as one short paragraph.

    A wrong one ends with the section of the book that explains what was asked. In a notebook it draws the target beside
    the answer where a picture helps.
    """

    task: str
    status: str  # passed, not attempted or wrong
    message: str
    advice: str = ""  # what to read again
    picture: str = field(default="", repr=False)  # the target beside the answer, in HTML

    def __bool__(self) -> bool:
        return self.status == "passed"

    def __repr__(self) -> str:
        return f"{SIGNS[self.status]} {self.task}: {self.message}" + (f"\n{self.advice}" if self.advice else "")

    def _repr_html_(self) -> str:
        kind = self.status.replace(" ", "-")
        words = f"<strong>{escape(SIGNS[self.status])} {escape(self.task)}</strong>: {escape(self.message)}"
        words += f"<br>{escape(self.advice)}" if self.advice else ""
        return f'<div class="vgg-verdict {kind}" role="status">{words}{self.picture}</div>'


def not_attempted(task: str) -> Verdict:
    """The verdict on a stub."""
    return Verdict(task, "not attempted", "replace `raise NotImplementedError` by your code and run both cells again.")


def shown(arguments: Mapping[str, object]) -> str:
    """Arguments as they would be typed; a tensor as a list if it is small, else by its shape."""
    return ", ".join(f"{name}={_typed(value)}" for name, value in arguments.items())


def _typed(value: object) -> str:
    if hasattr(value, "tolist") and hasattr(value, "shape"):  # a tensor, without importing torch
        small = len(value.flatten()) <= 9
        return str(rounded(value.tolist())) if small else f"<{'x'.join(map(str, value.shape))} numbers>"
    return repr(value)


def rounded(numbers: object) -> object:
    """Numbers, or lists of them, with six digits."""
    if isinstance(numbers, list):
        return list(map(rounded, numbers))
    return float(f"{numbers:.6g}") if isinstance(numbers, float) else numbers


class _Stop(BaseException):
    """Ends an attempt that takes too long. No ``Exception``: a student's ``except Exception`` lets it pass."""


def ask(attempt: Callable, *arguments: object) -> object:
    """``attempt(*arguments)``, stopped when it takes too long: an endless loop must not stop the notebook.

    What is stopped is Python code; a single call into a library is waited for. Works in any thread, on any system.

    Raises:
        TimeoutError: it was stopped.
        RuntimeError: it wanted to end the program.
    """
    caller, ended, judged = get_ident(), Event(), Lock()

    def watch() -> None:
        wait = LIMIT
        while not ended.wait(wait):
            with judged:
                if not ended.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(caller), ctypes.py_object(_Stop))
            wait = 0.5  # then again, for a bare `except:` may have swallowed it

    Thread(target=watch, daemon=True).start()
    try:
        try:
            return attempt(*arguments)
        finally:
            with judged:  # from here on nothing is stopped any more
                ended.set()
    except _Stop:
        ended.set()
        words = f"it was still running after {LIMIT:g} seconds. Look for a loop that never ends."
        raise TimeoutError(words) from None
    except SystemExit:
        raise RuntimeError("it wanted to end the program: leave exit() and quit() out.") from None


def own(value: object) -> object:
    """A copy of tensors, lists, tuples and dictionaries that an attempt may change; everything else as it is."""
    if hasattr(value, "clone") and hasattr(value, "shape"):  # a tensor, without importing torch
        return value.clone()
    if type(value) in (list, tuple):
        return type(value)(map(own, value))
    if type(value) is dict:
        return {key: own(item) for key, item in value.items()}
    return value


def answer_on(attempt: Callable, arguments: Sequence[object], on: str, task: str) -> tuple[object, Verdict | None]:
    """As :func:`attempt_on`, for arguments that are better described (``on``) than shown."""
    if not callable(attempt):
        return None, Verdict(task, "wrong", f"hand over the function itself; this is {type(attempt).__name__}.")
    try:
        answer = ask(attempt, *arguments)
    except NotImplementedError:
        return None, not_attempted(task)
    except Exception as error:  # whatever a student's code raises becomes part of the verdict
        return None, Verdict(task, "wrong", f"on {on} it raised {type(error).__name__}: {error}")
    if answer is None:
        message = f"on {on} it returned None. Does it print the answer instead of returning it?"
        return None, Verdict(task, "wrong", message)
    return answer, None


def attempt_on(attempt: Callable, arguments: Mapping[str, object], task: str) -> tuple[object, Verdict | None]:
    """Call the attempt on copies; returns its answer, or a verdict when there is none to judge."""
    # by position: a student may rename a parameter
    return answer_on(attempt, own(list(arguments.values())), f"({shown(arguments)})", task)


def short(answer: object) -> str:
    """What it looks like, in at most 60 characters."""
    try:
        words = repr(answer)
    except Exception:  # a student's object, or a whole number of more than 4,300 digits
        return f"a value of type {type(answer).__name__} that cannot be shown"
    return words if len(words) <= 60 else words[:57] + "..."
