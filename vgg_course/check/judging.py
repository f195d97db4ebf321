"""How answers are judged: all of them against the target, then against the mistakes that people make.

One function, :func:`judge`, does it for every kind of answer. A :class:`Kind` says what an answer of that kind is, when
two are the same, how far apart they are, and how they look side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isclose, isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING

from vgg_course.check import beside
from vgg_course.check.verdict import Verdict, answer_on, own, rounded, short, shown

if TYPE_CHECKING:
    from torch import Tensor

Case = Mapping[str, object]
Cases = Iterable[Case] | Mapping[str, Case]


@dataclass(frozen=True)
class Kind:
    """What an answer is.

    Attributes:
        wanted: in words: ``"a number is wanted"``.
        read: makes an answer comparable; None if it is no answer of this kind.
        same: whether two of them agree.
        off: how far an answer that agrees is from the target, as a share of it; 0.0 is exact.
        apart: one or two sentences on an answer and the target that do not agree: ``"it returned 3, not 4."``
        picture: both side by side, in HTML; ``""`` where a picture does not help.
        flaw: what is still not as asked in answers that agree; ``""`` if nothing is.
    """

    wanted: str
    read: Callable[[object], object | None]
    same: Callable[[object, object], bool]
    off: Callable[[object, object], float]
    apart: Callable[[object, object], str]
    picture: Callable[[object, object], str] = lambda mine, right: ""
    flaw: Callable[[object], str] = lambda mine: ""


def judge(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Cases,
    mistakes: Mapping[str, Callable],
    kind: Kind,
) -> Verdict:
    """The verdict on a function whose answers are of that kind.

    Args:
        target: the right function; it is called with a case's arguments by position, as the attempt is.
        cases: arguments by name and in order, the smallest case first; the first failing one is shown. Where that
            would say little, a mapping describes each case in words.
        mistakes: what to say, by a function that makes that mistake. Named only if it explains *every* answer.
    """
    described = list(cases.items()) if isinstance(cases, Mapping) else [(f"({shown(case)})", case) for case in cases]
    cases, answers = [case for _, case in described], []
    for on, case in described:
        # by position: a student may rename a parameter
        answer, verdict = answer_on(attempt, own(list(case.values())), on, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        found = kind.read(answer)
        if found is None:
            words = f"on {on} it returned {short(answer)}; {kind.wanted}."
            return Verdict(task, "wrong", words)
        answers.append(found)
    targets = [kind.read(target(*own(list(case.values())))) for case in cases]
    pairs = list(zip(answers, targets, strict=True))
    place = next((i for i, pair in enumerate(pairs) if not kind.same(*pair)), None)
    if place is None:
        for words in filter(None, map(kind.flaw, answers)):
            return Verdict(task, "wrong", words)
        return passed(task, len(cases), max(kind.off(*pair) for pair in pairs))
    try:
        words = kind.apart(*pairs[place])
    except ValueError:  # a whole number of more than 4,300 digits cannot be written out
        words = f"it returned {short(pairs[place][0])}."
    message = f"on {described[place][0]} {words}"
    for words, mistaken in mistakes.items():
        if all(_explains(mistaken, case, mine, kind) for case, mine in zip(cases, answers, strict=True)):
            message += f" {words}"
            break
    return Verdict(task, "wrong", message, picture=kind.picture(*pairs[place]))


def passed(task: str, count: int, off: float = 0.0, cases: str = "cases") -> Verdict:
    """The verdict on answers that all agree: exactly, or up to that share of the target."""
    how = f"exact on all {count} {cases}." if off == 0 else f"right on all {count} {cases}, up to rounding ({off:.0e})."
    return Verdict(task, "passed", how)


def _explains(mistaken: Callable, case: Case, mine: object, kind: Kind) -> bool:
    try:
        theirs = kind.read(mistaken(*own(list(case.values()))))
    except (RuntimeError, ArithmeticError):  # a mistake that cannot be made here: shapes that do not fit, 1 / 0
        return False
    return theirs is not None and kind.same(mine, theirs)


# --- numbers ---


def number_in(answer: object) -> Real | None:
    """A number, or the only one in a tensor; None for everything else."""
    if getattr(answer, "shape", None) is not None and hasattr(answer, "item"):
        try:
            answer = answer.item()  # of one number only
        except Exception:  # whatever a student returns
            return None
    return None if isinstance(answer, bool) or not isinstance(answer, Real) else answer


def how_far(mine: Real, right: Real) -> str:
    """In words: ``"That is 3 too large."``, ``"That is 4 times as much."``, ``"Close: too large by 0.2%."``"""
    try:
        mine, right = (number if isinstance(number, Integral) else float(number) for number in (mine, right))
        if mine == right or not right or not isfinite(mine) or not isfinite(right):
            return ""
        if mine == -right:
            return "Only the sign is wrong."
        if mine and (mine < 0) != (right < 0):
            return "The sign is wrong, and so is the size."
        share = abs(mine / right - 1)
        times = mine / right if abs(mine) > abs(right) else right / (mine or inf)
    except OverflowError:  # a whole number beyond all floats
        return ""
    larger = "large" if mine > right else "small"
    if share < 0.01:
        return f"Close: too {larger} by {100 * share:.2g}%."
    if 1.5 < times < 1000 and abs(times - round(times)) < 1e-9 * times:
        return f"That is {round(times)} times {'as much' if abs(mine) > abs(right) else 'too little'}."
    if isinstance(mine, Integral) and isinstance(right, Integral) and abs(mine - right) <= 20:
        return f"That is {abs(mine - right)} too {larger}."
    return f"That is too {larger} by {share:.0%}." if share < 10 else ""


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


def _share(mine: Real, right: Real) -> float:
    """NaN agrees with NaN: no target is NaN, and so a mistake that ends in 0 / 0 can be told."""
    if mine == right or (mine != mine and right != right):
        return 0.0
    try:
        return float(abs(mine - right) / abs(right)) if right else inf
    except OverflowError:  # a whole number beyond all floats
        return inf


def number(tolerance: float = 0.0) -> Kind:
    """A number.

    Args:
        tolerance: the share of the target that an answer may be off, for formulas that round. 0 wants it exact.
    """

    def apart(mine: Real, right: Real) -> str:
        one, other = _apart(mine, right)
        return f"it returned {one}, not {other}. {how_far(mine, right)}".rstrip()

    return Kind("a number is wanted", number_in, lambda mine, right: _share(mine, right) <= tolerance, _share, apart)


def judge_numbers(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Cases,
    mistakes: Mapping[str, Callable],
    tolerance: float = 0.0,
) -> Verdict:
    """Judge a function that returns a :func:`number`."""
    return judge(task, attempt, target, cases, mistakes, number(tolerance))


def judge_one_number(task: str, answer: object, right: Real, mistakes: Mapping[str, Real], hint: str) -> Verdict:
    """Judge a number that was found without a program. Dots mean that you have yet to say; the right one is not shown.

    Args:
        mistakes: what to say, by the number that somebody finds who makes that mistake.
        hint: what to say to every other number, and to what is none.
    """
    if answer is ...:
        return Verdict(task, "not attempted", "replace the dots by your number and run the cell again.")
    mine = number_in(answer)
    if mine is None:
        return Verdict(task, "wrong", f"{short(answer)} is no number. {hint}")
    if mine == right:
        return Verdict(task, "passed", f"exact: {right}.")
    named = next((words for words, wrong in mistakes.items() if mine == wrong), None)
    words = named or f"{how_far(mine, right)} {hint}".lstrip()
    return Verdict(task, "wrong", f"not {short(mine)}. {words}")


# --- several numbers ---


def judge_pairs(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Cases,
    mistakes: Mapping[str, Callable],
    picture: Callable[[tuple, tuple], str] = lambda mine, right: "",
) -> Verdict:
    """Judge a function that returns two whole numbers."""

    def read(answer: object) -> tuple[Real, ...] | None:
        try:
            found = tuple(number.item() if hasattr(number, "item") else number for number in answer)
        except Exception:  # whatever a student returns
            return None
        return (
            found if len(found) == 2 and all(isinstance(n, Real) and not isinstance(n, bool) for n in found) else None
        )

    def flaw(mine: tuple[Real, ...]) -> str:
        whole = all(isinstance(n, Integral) for n in mine)
        return "" if whole else "the values are right; make them whole numbers, with // for the division."

    kind = _exactly("two numbers are wanted", read, str, flaw=flaw, picture=picture)
    return judge(task, attempt, target, cases, mistakes, kind)


def judge_lists(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Cases,
    mistakes: Mapping[str, Callable],
    wanted: str,
    is_form: Callable[[tuple], bool] = lambda numbers: True,
    picture: Callable[[tuple, tuple], str] = lambda mine, right: "",
) -> Verdict:
    """Judge a function that returns whole numbers, or rows of them; ``is_form`` tells whether an answer looks as it should."""

    def read(answer: object) -> tuple | None:
        numbers = whole_numbers(answer)
        return numbers if isinstance(numbers, tuple) and numbers and is_form(numbers) else None

    def listed(numbers: tuple) -> str:
        words = str(list(numbers)) if isinstance(numbers[0], tuple) else str(numbers)
        return words if len(words) <= 90 else words[:87] + "..."

    kind = _exactly(f"{wanted} in whole numbers is wanted", read, listed, picture=picture)
    return judge(task, attempt, target, cases, mistakes, kind)


def _exactly(wanted: str, read: Callable, listed: Callable[[tuple], str], **more: Callable) -> Kind:
    """Tuples of numbers that are equal or not."""

    def apart(mine: tuple, right: tuple) -> str:
        words = f"it returned {listed(mine)}, not {listed(right)}."
        if len(mine) != len(right):
            return f"{words} {len(right)} are wanted."
        good = sum(a == b for a, b in zip(mine, right, strict=True))
        return f"{words} {good} of {len(right)} are right." if good > 0 else words

    return Kind(wanted, read, _equal, _exact, apart, **more)


def whole_numbers(answer: object) -> object:
    """A whole number, or (rows of) whole numbers as tuples, from lists, tuples, ranges and tensors; None otherwise."""
    if hasattr(answer, "tolist"):
        try:
            answer = answer.tolist()
        except Exception:  # whatever a student returns
            return None
    if isinstance(answer, list | tuple | range):
        parts = tuple(map(whole_numbers, answer))
        return None if any(part is None for part in parts) else parts
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return None
    return int(answer) if isinstance(answer, Integral) or (isinstance(answer, float) and answer.is_integer()) else None


def judge_boxes(
    task: str, attempt: Callable, target: Callable, cases: Cases, mistakes: Mapping[str, Callable]
) -> Verdict:
    """Judge a function that returns a box: four numbers ``x0, y0, x1, y1``."""
    kind = _finite(4, "four numbers are wanted: x0, y0, x1, y1", listed_box, "A side is off by {:.3g} pixels.")
    kind = replace(kind, picture=lambda mine, right: beside.boxes(right, mine))
    return judge(task, attempt, target, cases, mistakes, kind)


def judge_intervals(
    task: str, attempt: Callable, target: Callable, cases: Cases, mistakes: Mapping[str, Callable]
) -> Verdict:
    """Judge a function that returns the two ends of an interval."""
    kind = _finite(
        2,
        "two numbers are wanted, low and high",
        lambda ends: "{:.4g} to {:.4g}".format(*ends),
        "An end is off by {:.2g}.",
    )
    return judge(task, attempt, target, cases, mistakes, kind)


def _finite(count: int, wanted: str, listed: Callable[[Sequence[float]], str], gap: str) -> Kind:
    """So many finite numbers, up to rounding."""

    def read(answer: object) -> tuple[float, ...] | None:
        numbers = finite_numbers(answer)
        return tuple(numbers) if numbers is not None and len(numbers) == count else None

    def apart(mine: Sequence[float], right: Sequence[float]) -> str:
        far = max(abs(a - b) for a, b in zip(mine, right, strict=True))
        return f"it returned {listed(mine)}, not {listed(right)}. {gap.format(far)}"

    return Kind(wanted, read, close, _numbers_off, apart)


def _numbers_off(mine: Sequence[float], right: Sequence[float]) -> float:
    return max(_share(a, b) if b else abs(a) for a, b in zip(mine, right, strict=True))


def listed_box(box: Iterable[float]) -> str:
    """As it would be typed."""
    return "(" + ", ".join(f"{number:g}" for number in box) + ")"


def finite_numbers(answer: object) -> list[float] | None:
    """A flat list of finite numbers; None for everything else."""
    try:
        if isinstance(answer, str | Mapping) or str(getattr(answer, "dtype", None)).startswith("torch.complex"):
            return None
        numbers = [float(number) for number in answer]  # type: ignore[union-attr]
    except Exception:  # whatever a student returns
        return None
    return numbers if all(map(isfinite, numbers)) else None


def close(a: Iterable[float], b: Iterable[float]) -> bool:
    """Whether all of them agree up to rounding."""
    return all(isclose(x, y, rel_tol=1e-5, abs_tol=1e-4) for x, y in zip(a, b, strict=True))


# --- words, and what has no order ---


def judge_words(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Cases,
    mistakes: Mapping[str, Callable],
    words: Sequence[str] = (),
) -> Verdict:
    """Judge a function that returns one of these words; any word where none are given."""

    def read(answer: object) -> str | None:
        return answer if isinstance(answer, str) and (not words or answer in words) else None

    def apart(mine: str, right: str) -> str:
        return f"it returned {mine!r}, not {right!r}."

    wanted = f"one of these is wanted: {', '.join(map(repr, words))}" if words else "a word is wanted"
    return judge(task, attempt, target, cases, mistakes, Kind(wanted, read, _equal, _exact, apart))


def judge_sets(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Cases,
    mistakes: Mapping[str, Callable],
    wanted: str,
    is_item: Callable[[object], bool],
) -> Verdict:
    """Judge a function that returns a collection in any order; ``is_item`` tells whether one of it looks as it should."""

    def read(answer: object) -> set | None:
        if isinstance(answer, str | Mapping):
            return None
        try:
            found = {tuple(item) if isinstance(item, list) else item for item in answer}  # type: ignore[attr-defined]
            return found if all(map(is_item, found)) else None
        except Exception:  # whatever a student returns
            return None

    def apart(mine: set, right: set) -> str:
        lacks, extra = sorted(right - mine), sorted(mine - right)
        parts = [f"{lacks[0]} is missing" if lacks else "", f"{extra[0]} is too many" if extra else ""]
        return f"{len(mine & right)} of {len(right)} are right: {' and '.join(filter(None, parts))}."

    return judge(task, attempt, target, cases, mistakes, Kind(f"{wanted} is wanted", read, _equal, _exact, apart))


def _equal(mine: object, right: object) -> bool:
    return mine == right


def _exact(mine: object, right: object) -> float:
    return 0.0


# --- tensors ---


def judge_tensors(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Cases,
    mistakes: Mapping[str, Callable],
) -> Verdict:
    """Judge a function that returns a tensor of real numbers."""
    return judge(task, attempt, target, cases, mistakes, TENSORS)


def real_tensor(answer: object) -> Tensor | None:
    """A tensor without its history, on the CPU; None for everything else, and for complex or sparse ones."""
    import torch

    if not isinstance(answer, torch.Tensor) or answer.is_complex():
        return None
    plain = answer.layout == torch.strided and not answer.is_quantized and answer.device.type != "meta"
    return answer.detach().cpu() if plain else None


def same_tensors(mine: Tensor, right: Tensor) -> bool:
    """Whether they have one shape and agree up to rounding. NaN agrees with NaN: no target is NaN, but mistakes may be."""
    import torch

    return mine.shape == right.shape and torch.allclose(
        mine.double(), right.double(), rtol=1e-5, atol=1e-6, equal_nan=True
    )


def _tensors_off(mine: Tensor, right: Tensor) -> float:
    largest = float(right.double().abs().max()) if right.numel() else 0.0
    return float((mine.double() - right.double()).abs().max()) / largest if largest else 0.0


def tensors_apart(mine: Tensor, right: Tensor) -> str:
    """How far a tensor is from the right one, in a sentence or two."""
    import torch

    if mine.shape != right.shape:
        return f"it returned the shape {tuple(mine.shape)}, not {tuple(right.shape)}."
    if right.numel() <= 9:
        return f"it returned {rounded(mine.tolist())}, not {rounded(right.tolist())}."
    one, other = mine.double(), right.double()
    wrong = int((~torch.isclose(one, other, rtol=1e-5, atol=1e-6)).sum())
    far, largest = float((one - other).abs().max()), float(other.abs().max())
    words = (
        f"the shape {tuple(right.shape)} is right, but {wrong} of {right.numel()} numbers differ, by up to {far:.3g}."
    )
    return f"{words} Close." if far <= 0.01 * largest else words


TENSORS = Kind(
    "a tensor of real numbers is wanted",
    real_tensor,
    same_tensors,
    _tensors_off,
    tensors_apart,
    lambda mine, right: beside.grids(right, mine),
)
"""A tensor. A task that reads or compares it in its own way takes ``dataclasses.replace`` of it."""
