"""Checks for the chapter that repeats the paper's tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from math import sqrt
from statistics import mean, pstdev, stdev, variance
from typing import TYPE_CHECKING

from vgg_course.check.judging import number_in
from vgg_course.check.verdict import Verdict, answer_on, attempt_on, short, shown

if TYPE_CHECKING:
    from torch import Tensor

VERDICTS = ("reappears", "contradicts", "cannot tell")


# --- which ordering holds ---


def _by_intervals(ends: Sequence[tuple[float, float]]) -> str:
    if all(low > 0 for low, _ in ends):
        return "reappears"
    return "contradicts" if all(high < 0 for _, high in ends) else "cannot tell"


def _by_middles(ends: Sequence[tuple[float, float]]) -> str:
    return "reappears" if mean(low + high for low, high in ends) > 0 else "contradicts"


def _by_any(ends: Sequence[tuple[float, float]]) -> str:
    if any(low > 0 for low, _ in ends):
        return "reappears"
    return "contradicts" if any(high < 0 for _, high in ends) else "cannot tell"


def verdict_on_ordering(attempt: Callable) -> Verdict:
    """Check ``attempt(intervals)``: reappears, contradicts or cannot tell, from a list of (low, high) of a gain."""
    task = "which ordering holds"
    cases = [
        {"intervals": ends}
        for ends in (
            [(0.2, 0.9)],
            [(-0.9, -0.2)],
            [(-0.1, 0.9)],
            [(-0.9, 0.1)],
            [(0.2, 0.9), (-0.3, 1.4)],
            [(-0.3, 1.4), (0.2, 0.9)],
            [(-0.9, -0.2), (-1.2, 0.1)],
            [(0.2, 0.9), (0.1, 1.0)],
            [(-0.9, -0.2), (-1.2, -0.1)],
            [(0.2, 0.9), (-0.4, -0.1)],
            [(-0.1, 0.1), (-0.2, 0.2)],
            [(0.0, 0.5)],
            [(-0.5, 0.0)],
        )
    ]
    mistakes: Mapping[str, Callable] = {
        "You look at the middles only. An interval with zero inside cannot tell.": _by_middles,
        "One interval that leaves zero out is not enough: all must.": _by_any,
        "You look at the first interval only; there may be two kinds of chance.": lambda ends: _by_intervals(ends[:1]),
        "An interval below zero contradicts; you answer with the other side's word.": lambda ends: {
            "reappears": "contradicts",
            "contradicts": "reappears",
        }.get(_by_intervals(ends), "cannot tell"),
        "What lies below zero does more than not reappear: it contradicts.": lambda ends: (
            "reappears" if _by_intervals(ends) == "reappears" else "cannot tell"
        ),
        "An interval with zero inside does not contradict; it cannot tell.": lambda ends: (
            "reappears" if _by_intervals(ends) == "reappears" else "contradicts"
        ),
        "Zero at the end of an interval is inside: no gain is possible.": lambda ends: (
            "reappears" if all(low >= 0 for low, _ in ends) else _by_intervals(ends)
        ),
    }
    return _judge_words(task, attempt, _by_intervals, cases, mistakes, VERDICTS)


def _judge_words(
    task: str,
    attempt: Callable,
    target: Callable,
    cases: Sequence[Mapping[str, object]],
    mistakes: Mapping[str, Callable],
    words: Sequence[str] = (),
) -> Verdict:
    """Judge a function that returns one of some words (or None, where ``words`` is empty)."""
    answers = []
    for case in cases:
        arguments = {name: _copy(value) for name, value in case.items()}
        if words:
            answer, verdict = attempt_on(attempt, arguments, task)
        else:  # here None is an answer
            boxed, verdict = (
                attempt_on(lambda *a: (attempt(*a),), arguments, task)
                if callable(attempt)
                else (attempt_on(attempt, arguments, task))
            )
            answer = boxed[0] if verdict is None else None
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if not isinstance(answer, str) and not (answer is None and not words):
            message = f"on ({shown(case)}) it returned {short(answer)}; a word is wanted."
            return Verdict(task, "wrong", message)
        if words and answer not in words:
            message = f"it returned {short(answer)}; the words are {', '.join(map(repr, words))}."
            return Verdict(task, "wrong", message)
        answers.append(answer)
    targets = [target(*case.values()) for case in cases]
    if answers == targets:
        return Verdict(task, "passed", f"right on all {len(cases)} cases.")
    place = next(i for i, (mine, right) in enumerate(zip(answers, targets, strict=True)) if mine != right)
    message = f"on ({shown(cases[place])}) it returned {answers[place]!r}, not {targets[place]!r}."
    for diagnosis, mistaken in mistakes.items():
        if answers == [mistaken(*case.values()) for case in cases]:
            return Verdict(task, "wrong", f"{message} {diagnosis}")
    return Verdict(task, "wrong", message)


def _copy(value: object) -> object:
    """So that an attempt which changes its arguments does not change the cases."""
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, list) else value


# --- what to buy ---

Prices = Mapping[str, tuple[float, float]]


def _best(prices: Prices, affordable: Callable, key: Callable = lambda macs, error: (error, macs)) -> str | None:
    some = [name for name, (macs, _) in prices.items() if affordable(macs)]
    return min(some, key=lambda name: key(*prices[name]), default=None)


def within_budget(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(ways, budget)``: the way with the least error that costs at most ``budget`` MACs an image.

    ``ways`` has (MACs, error) by name. Of equal errors the cheaper; None where nothing can be afforded.
    """
    small = {"one": (10.0, 9.0), "three": (30.0, 8.0), "crops": (90.0, 8.5), "both": (120.0, 7.5), "pair": (60.0, 8.0)}
    cases: list[dict] = [{"ways": small, "budget": budget} for budget in (130.0, 100.0, 30.0, 29.0, 60.0, 9.0)]
    draw = random.Random(seed)
    for budget in (25, 50, 75):
        names = draw.sample("PQRSTUVW", 8)
        cases.append({"ways": {n: (draw.randint(1, 99), draw.randint(40, 60) / 10) for n in names}, "budget": budget})
    mistakes: Mapping[str, Callable] = {
        "You do not look at the budget.": lambda w, b: _best(w, lambda m: True),
        "That is the cheapest way; the one with the least error is wanted, among those within the budget.": (
            lambda w, b: _best(w, lambda m: m <= b, lambda m, e: m)
        ),
        "That is the dearest way within the budget; the one with the least error is wanted.": (
            lambda w, b: _best(w, lambda m: m <= b, lambda m, e: -m)
        ),
        "A way that costs exactly the budget can be afforded.": lambda w, b: _best(w, lambda m: m < b),
        "An error should be low; you took the highest.": (
            lambda w, b: _best(w, lambda m: m <= b, lambda m, e: (-e, m))
        ),
        "You took a way that costs more than the budget.": lambda w, b: _best(w, lambda m: m > b),
        "Of equal errors, take the cheaper.": lambda w, b: _best(w, lambda m: m <= b, lambda m, e: (e, -m)),
    }
    target = lambda ways, budget: _best(ways, lambda macs: macs <= budget)  # noqa: E731
    return _judge_words("a way within the budget", attempt, target, cases, mistakes)


# --- pairs by seed ---


def paired_interval(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(worse, better, t)``: ends of the interval of the mean gain, from errors in the order of the seeds."""
    task = "pairs by seed"
    draw = random.Random(seed)
    cases: list[dict] = [{"worse": [9.0, 11.0, 10.0], "better": [8.0, 9.0, 9.0], "t": 4.3}]
    for count, t in ((5, 2.776), (7, 2.447)):
        better = [draw.uniform(5, 9) for _ in range(count)]
        cases.append({"worse": [b + draw.uniform(-0.5, 1.5) for b in better], "better": better, "t": t})

    def ends(shift: Callable, reach: Callable) -> Callable:
        def both(worse: list[float], better: list[float], t: float) -> tuple[float, float]:
            middle, half = shift(worse, better), reach(worse, better, t)
            return middle - half, middle + half

        return both

    def gains(w: list[float], b: list[float]) -> list[float]:
        return [x - y for x, y in zip(w, b, strict=True)]

    def middle(w: list[float], b: list[float]) -> float:
        return mean(w) - mean(b)

    target = ends(middle, lambda w, b, t: t * stdev(gains(w, b)) / sqrt(len(w)))
    mistakes: Mapping[str, Callable] = {
        "That is the interval for nets that are no pairs. Subtract seed by seed first: their common luck cancels.": ends(
            middle, lambda w, b, t: t * sqrt((variance(w) + variance(b)) / len(w))
        ),
        "You left out the root of the number of seeds: that is where single gains lie, not their mean.": ends(
            middle, lambda w, b, t: t * stdev(gains(w, b))
        ),
        "Divide by the root of the number of seeds, not by the number.": ends(
            middle, lambda w, b, t: t * stdev(gains(w, b)) / len(w)
        ),
        "t is missing: with so few seeds the spread itself is uncertain.": ends(
            middle, lambda w, b, t: stdev(gains(w, b)) / sqrt(len(w))
        ),
        "You took 2 or 1.96 in place of t; with few seeds t is larger.": ends(
            middle, lambda w, b, t: 1.96 * stdev(gains(w, b)) / sqrt(len(w))
        ),
        "The spread of a sample divides by n - 1, not by n (statistics.stdev; torch's std does so too).": ends(
            middle, lambda w, b, t: t * pstdev(gains(w, b)) / sqrt(len(w))
        ),
        "The variance is the square of the spread; take the spread.": ends(
            middle, lambda w, b, t: t * variance(gains(w, b)) / sqrt(len(w))
        ),
        "The sign is turned: a gain is the worse error less the better one.": ends(
            lambda w, b: middle(b, w), lambda w, b, t: t * stdev(gains(w, b)) / sqrt(len(w))
        ),
        "The ends are in the wrong order: low first.": lambda w, b, t: target(w, b, t)[::-1],
        "Those are mean and half width; the two ends are wanted.": lambda w, b, t: (
            middle(w, b),
            t * stdev(gains(w, b)) / sqrt(len(w)),
        ),
    }
    answers = []
    for case in cases:
        answer, verdict = attempt_on(attempt, {name: _copy(value) for name, value in case.items()}, task)
        if verdict is not None:
            return verdict
        pair = _two_numbers(answer)
        if pair is None:
            message = f"on ({shown(case)}) it returned {short(answer)}; two numbers are wanted, low and high."
            return Verdict(task, "wrong", message)
        answers.append(pair)

    def same(other: Callable, slack: float = 1e-4) -> bool:
        pairs = zip(answers, (other(*case.values()) for case in cases), strict=True)
        return all(abs(a - b) <= slack for mine, right in pairs for a, b in zip(mine, right, strict=True))

    if same(target):
        return Verdict(task, "passed", f"right on all {len(cases)} cases.")
    low, high = target(*cases[0].values())
    mine = ", ".join(f"{end:.4g}" for end in answers[0])
    message = f"on ({shown(cases[0])}) it returned ({mine}); ({low:.4g}, {high:.4g}) is right."
    for words, mistaken in mistakes.items():
        if same(mistaken) or ("1.96" in words and same(mistaken, 0.05)):
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _two_numbers(answer: object) -> tuple[float, float] | None:
    try:
        items = [number_in(item) for item in islice(answer.tolist() if hasattr(answer, "tolist") else answer, 3)]
    except Exception:  # whatever a student returns
        return None
    return tuple(map(float, items)) if len(items) == 2 and None not in items else None


# --- a batch at many scales ---


def batch_jitter(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(images, smallest, largest, size, generator)``: from each image one crop at its own random scale.

    The images are ramps, so that scale and place can be read off a crop: red rises to the right, green downward, and blue
    is the image's number.
    """
    import torch

    task = "scale jitter for a batch"
    count, side, size, smallest, largest = 160, 32, 24, 34, 50
    ramp = torch.arange(side, dtype=torch.float64)
    images = torch.stack(
        [
            ramp.expand(count, side, side),
            ramp[:, None].expand(count, side, side),
            torch.arange(count, dtype=torch.float64)[:, None, None].expand(count, side, side),
        ],
        1,
    )
    on = f"{count} images of {side}x{side} pixels, scales from {smallest} to {largest} and crops of {size}"

    def ask(number: int) -> tuple[object, Verdict | None]:
        generator = torch.Generator().manual_seed(number)
        return answer_on(attempt, [images.clone(), smallest, largest, size, generator], on, task)

    def wrong(words: str) -> Verdict:
        return Verdict(task, "wrong", words)

    answer, verdict = ask(seed)
    if verdict is not None:
        return verdict
    wanted = (count, 3, size, size)
    if not isinstance(answer, torch.Tensor) or tuple(answer.shape) != wanted:
        found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        return wrong(f"on {on} it returned {found}; a batch {wanted} is wanted.")
    if answer.is_complex() or not answer.isfinite().all():
        return wrong("there are numbers in the crops that are not finite. Is a part of the batch never filled?")
    answer = answer.detach().double()
    numbers = answer[:, 2]
    if (numbers - numbers[:, :1, :1]).abs().max() > 1e-3:
        return wrong("a crop has pixels of more than one image.")
    if (numbers[:, 0, 0] - torch.arange(count)).abs().max() > 1e-3:
        if (numbers[:, 0, 0].sort().values - torch.arange(count)).abs().max() < 1e-3:
            return wrong(
                "the images come back in another order (grouped by scale?), and their labels would not: put every crop "
                "where its image was."
            )
        return wrong(
            "place i of the result must hold a crop of image i; here some images are twice there, others never."
        )
    sides, tops, lefts = _read_off(answer, side)
    if (sides[0] - sides[1]).abs().max() > 0.3:
        return wrong("height and width are scaled by different factors; the paper rescales by one factor.")
    sides = sides[0]
    if (sides - sides.round()).abs().max() > 0.2:
        return wrong("the rescaled sides are no whole numbers of pixels. Rescale the whole image first, then crop.")
    sides = sides.round()
    if sides.min() == sides.max():
        one = int(sides[0])
        return wrong(
            f"all images have the same scale, {one}"
            + (", their own: there is no rescaling." if one == side else "; every image draws its own.")
        )
    if sides.min() < smallest or sides.max() > largest:
        return wrong(
            f"there are sides from {int(sides.min())} to {int(sides.max())}; {smallest} to {largest} are wanted."
        )
    if sides.max() < largest:  # 160 draws from 17: missed by luck once in 16,000
        return wrong(f"the largest side, {largest}, never occurs in {count} images. torch.randint leaves its end out.")
    if sides.min() > smallest:
        return wrong(f"the smallest side, {smallest}, never occurs in {count} images; both ends belong to the range.")
    if len(sides.unique()) < 12:
        return wrong(
            f"only {len(sides.unique())} different sides in {count} images; all whole numbers are equally likely."
        )
    share = [(place.round() / (sides - size)).clamp(0, 1) for place in (tops, lefts)]
    if all((one - 0.5).abs().max() < 0.15 for one in share):
        return wrong("all crops are from the middle; a crop is cut anywhere.")
    if all(one.max() < 0.05 for one in share):
        return wrong("all crops begin in the upper left corner; a crop is cut anywhere.")
    if (share[0] - share[1]).abs().max() < 0.15:
        return wrong("the crops lie on the diagonal: rows and columns are drawn separately.")
    for name, place, one in (("row", tops, share[0]), ("column", lefts, share[1])):
        if one.max() < 0.97 or not ((place.round() == sides - size) & (sides > size)).any():
            return wrong(f"the last {name} is never reached: a crop can begin at 0 to side - size, both included.")
    for value in sides.unique():
        chosen = sides == value
        places = torch.stack([tops[chosen].round(), lefts[chosen].round()], 1)
        if chosen.sum() >= 6 and len(places.unique(dim=0)) == 1:
            return wrong("all images of one scale are cut at the same place; each draws its own.")
    again, _ = ask(seed)
    if not isinstance(again, torch.Tensor) or not torch.equal(again.double(), answer):
        return wrong("the same generator in the same state gave another result: draw from `generator` alone.")
    other, _ = ask(seed + 1)
    if isinstance(other, torch.Tensor) and torch.equal(other.double(), answer):
        return wrong("another generator gave the same crops: draw from `generator`.")
    return Verdict(task, "passed", f"{count} images at {len(sides.unique())} scales, each in its own place.")


def _read_off(crops: Tensor, side: int) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Sides (from width, from height), first rows and first columns, of crops of ramps, by two pixels near the middle.

    Pixel x of an image scaled to S shows ``(x + 1/2) side / S - 1/2`` of the ramp, away from the edges.
    """
    middle = crops.shape[-1] // 2
    along, down = crops[:, 0, middle], crops[:, 1, :, middle]  # (B, size): a row of red, a column of green
    steps = [(line[:, middle + 8] - line[:, middle - 8]) / 16 for line in (along, down)]
    sides = tuple(side / step.clamp(min=1e-6) for step in steps)
    lefts, tops = (
        (line[:, middle] + 0.5) * of / side - 0.5 - middle for line, of in zip((along, down), sides, strict=True)
    )
    return sides, tops, lefts
