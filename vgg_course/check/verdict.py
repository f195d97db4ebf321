"""How an attempt is judged: cases, the target, and the mistakes that people make."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral, Real
from threading import Event, Lock, Thread, get_ident

LIMIT = 20.0  # seconds for one call of an attempt; solutions take milliseconds

SIGNS = {"passed": "[passed]", "not attempted": "[not attempted yet]", "wrong": "[not yet right]"}


@dataclass(frozen=True)
class Verdict:
    """What a check found. It is true when the attempt passed, and shows itself as one short paragraph.

    A wrong one ends with the section of the book that explains what was asked.
    """

    task: str
    status: str  # passed, not attempted or wrong
    message: str
    advice: str = ""  # what to read again

    def __bool__(self) -> bool:
        return self.status == "passed"

    def __repr__(self) -> str:
        return f"{SIGNS[self.status]} {self.task}: {self.message}" + (f"\n{self.advice}" if self.advice else "")

    def _repr_html_(self) -> str:
        kind = self.status.replace(" ", "-")
        words = f"<strong>{escape(SIGNS[self.status])} {escape(self.task)}</strong>: {escape(self.message)}"
        words += f"<br>{escape(self.advice)}" if self.advice else ""
        return f'<div class="vgg-verdict {kind}" role="status">{words}</div>'


def not_attempted(task: str) -> Verdict:
    """The verdict on a stub."""
    return Verdict(task, "not attempted", "replace `raise NotImplementedError` by your code and run both cells again.")


def shown(arguments: Mapping[str, object]) -> str:
    """Arguments as they would be typed; a tensor as a list if it is small, else by its shape."""
    return ", ".join(f"{name}={_typed(value)}" for name, value in arguments.items())


def _typed(value: object) -> str:
    if hasattr(value, "tolist") and hasattr(value, "shape"):  # a tensor, without importing torch
        small = len(value.flatten()) <= 9
        return str(value.tolist()) if small else f"<{'x'.join(map(str, value.shape))} numbers>"
    return repr(value)


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


def number_in(answer: object) -> Real | None:
    """A number, or the only one in a tensor; None for everything else."""
    if getattr(answer, "shape", None) is not None and hasattr(answer, "item"):
        numbers = answer.flatten() if hasattr(answer, "flatten") else []
        answer = answer.item() if len(numbers) == 1 else None
    return None if isinstance(answer, bool) or not isinstance(answer, Real) else answer


def judge_numbers(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Iterable[Mapping[str, object]],
    mistakes: Mapping[str, Callable],
    tolerance: float = 0.0,
) -> Verdict:
    """Judge a function that returns a number.

    Args:
        cases: arguments by name and in order, the smallest case first; the first failing one is shown.
        mistakes: what to say, by a function that makes that mistake. Named only if it explains *every* answer.
        tolerance: the share of the target that an answer may be off, for formulas that round. 0 wants it exact.
    """

    def same(mine: Real, right: Real) -> bool:
        try:
            return mine == right or abs(mine - right) <= tolerance * abs(right)
        except OverflowError:  # a whole number beyond all floats
            return False

    cases = list(cases)
    answers: list[Real] = []
    for arguments in cases:
        answer, verdict = attempt_on(attempt, arguments, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        number = number_in(answer)
        if number is None:
            return Verdict(task, "wrong", f"on ({shown(arguments)}) it returned {short(answer)}; a number is wanted.")
        answers.append(number)
    targets = [target(*arguments.values()) for arguments in cases]
    if all(map(same, answers, targets)):
        return Verdict(task, "passed", f"right on all {len(cases)} cases.")
    place = next(i for i, pair in enumerate(zip(answers, targets, strict=True)) if not same(*pair))
    mine, right = _apart(answers[place], targets[place])
    message = f"on ({shown(cases[place])}) it returned {mine}, not {right}."
    for words, mistaken in mistakes.items():
        if all(same(mine, mistaken(*case.values())) for mine, case in zip(answers, cases, strict=True)):
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _apart(mine: Real, right: Real) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart, six at least."""
    texts = [f"{n:,}" for n in (mine, right)]
    if not any(isinstance(n, float) for n in (mine, right)):
        return texts[0], texts[1]
    for digits in (6, 9, 17):
        texts = [f"{n:.{digits}g}" if isinstance(n, float) else f"{n:,}" for n in (mine, right)]
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def short(answer: object) -> str:
    """What it looks like, in at most 60 characters."""
    words = repr(answer)
    return words if len(words) <= 60 else words[:57] + "..."


def judge_pairs(
    task: str, attempt: Callable, target: Callable, cases: Sequence[Mapping[str, int]], mistakes: Mapping[str, Callable]
) -> Verdict:
    """Judge a function that returns two numbers, as ``judge_numbers`` judges one that returns one."""
    answers = []
    for arguments in cases:
        answer, verdict = attempt_on(attempt, arguments, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        try:
            pair = tuple(number.item() if hasattr(number, "item") else number for number in answer)
        except Exception:  # whatever a student returns
            pair = ()
        if len(pair) != 2 or not all(isinstance(n, Real) and not isinstance(n, bool) for n in pair):
            return Verdict(task, "wrong", f"on ({shown(arguments)}) it returned {answer!r}; two numbers are wanted.")
        answers.append(pair)
    targets = [target(*arguments.values()) for arguments in cases]
    if answers == targets:
        if all(isinstance(n, Integral) for pair in answers for n in pair):
            return Verdict(task, "passed", f"right on all {len(cases)} cases.")
        return Verdict(task, "wrong", "the values are right; make them whole numbers, with // for the division.")
    place = next(i for i, (mine, right) in enumerate(zip(answers, targets, strict=True)) if mine != right)
    message = f"on ({shown(cases[place])}) it returned {answers[place]}, not {targets[place]}."
    for words, mistaken in mistakes.items():
        if answers == [mistaken(*arguments.values()) for arguments in cases]:
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)
