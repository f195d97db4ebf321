"""How an attempt is judged: cases, the target, and the mistakes that people make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from numbers import Real

SIGNS = {"passed": "[passed]", "not attempted": "[not attempted yet]", "wrong": "[not yet right]"}


@dataclass(frozen=True)
class Verdict:
    """What a check found. It is true when the attempt passed, and shows itself as one short paragraph."""

    task: str
    status: str  # passed, not attempted or wrong
    message: str

    def __bool__(self) -> bool:
        return self.status == "passed"

    def __repr__(self) -> str:
        return f"{SIGNS[self.status]} {self.task}: {self.message}"

    def _repr_html_(self) -> str:
        kind = self.status.replace(" ", "-")
        words = f"<strong>{escape(SIGNS[self.status])} {escape(self.task)}</strong>: {escape(self.message)}"
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


def attempt_on(attempt: Callable, arguments: Mapping[str, object], task: str) -> tuple[object, Verdict | None]:
    """Call the attempt; returns its answer, or a verdict when there is none to judge."""
    if not callable(attempt):
        return None, Verdict(task, "wrong", f"hand over the function itself; this is {type(attempt).__name__}.")
    try:
        answer = attempt(*arguments.values())  # by position: a student may rename a parameter
    except NotImplementedError:
        return None, not_attempted(task)
    except Exception as error:  # whatever a student's code raises becomes part of the verdict
        message = f"on ({shown(arguments)}) it raised {type(error).__name__}: {error}"
        return None, Verdict(task, "wrong", message)
    if answer is None:
        message = f"on ({shown(arguments)}) it returned None. Does it print the answer instead of returning it?"
        return None, Verdict(task, "wrong", message)
    return answer, None


def judge_numbers(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Iterable[Mapping[str, object]],
    mistakes: Mapping[str, Callable],
) -> Verdict:
    """Judge a function that returns a number.

    Args:
        cases: arguments by name and in order, the smallest case first; the first failing one is shown.
        mistakes: what to say, by a function that makes that mistake. Named only if it explains *every* answer.
    """
    cases = list(cases)
    answers: list[float] = []
    for arguments in cases:
        answer, verdict = attempt_on(attempt, arguments, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if isinstance(answer, bool) or not isinstance(answer, Real):
            message = f"on ({shown(arguments)}) it returned {answer!r}; a number is wanted."
            return Verdict(task, "wrong", message)
        answers.append(answer)
    targets = [target(*arguments.values()) for arguments in cases]
    if answers == targets:
        return Verdict(task, "passed", f"right on all {len(cases)} cases.")
    place = next(i for i, (mine, right) in enumerate(zip(answers, targets, strict=True)) if mine != right)
    message = f"on ({shown(cases[place])}) it returned {answers[place]:,}, not {targets[place]:,}."
    for words, mistaken in mistakes.items():
        if answers == [mistaken(*arguments.values()) for arguments in cases]:
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)
