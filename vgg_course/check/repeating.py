"""Checks for the chapter that repeats the paper's tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt
from statistics import mean, pstdev, stdev, variance
from typing import TYPE_CHECKING

from vgg_course.check.judging import TENSORS, judge_intervals, judge_words
from vgg_course.check.verdict import Verdict, answer_on, short

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


def verdict_on_ordering(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(intervals)``: reappears, contradicts or cannot tell, from a list of (low, high) of a gain."""
    draw = random.Random(seed)
    cases = [
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
    ]
    for sign in (1, 0, -1):  # above zero, around it, below
        middles = [2 * sign + draw.uniform(-0.5, 0.5) for _ in range(draw.randint(1, 3))]
        cases.append([(round(middle - 1, 2), round(middle + 1, 2)) for middle in middles])
    return judge_words(
        "which ordering holds",
        attempt,
        _by_intervals,
        [{"intervals": ends} for ends in cases],
        {
            "You look at the middles only. An interval with zero inside cannot tell.": _by_middles,
            "One interval that leaves zero out is not enough: all must.": _by_any,
            "You look at the first interval only; there may be two kinds of chance.": lambda ends: _by_intervals(
                ends[:1]
            ),
            "You look at the last interval only; there may be two kinds of chance.": lambda ends: _by_intervals(
                ends[-1:]
            ),
            "An interval below zero contradicts; you answer with the other side's word.": lambda ends: _by_intervals(
                [(-high, -low) for low, high in ends]
            ),
            "What lies below zero does more than not reappear: it contradicts.": lambda ends: (
                "reappears" if _by_intervals(ends) == "reappears" else "cannot tell"
            ),
            "An interval with zero inside does not contradict; it cannot tell.": lambda ends: (
                "reappears" if _by_intervals(ends) == "reappears" else "contradicts"
            ),
            "Zero at the end of an interval is inside: no gain is possible.": lambda ends: (
                "reappears" if all(low >= 0 for low, _ in ends) else _by_intervals(ends)
            ),
        },
        VERDICTS,
    )


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

    def named(function: Callable) -> Callable:
        """Here None is an answer."""

        def name(ways: Prices, budget: float) -> object:
            answer = function(ways, budget)
            return "None" if answer is None else answer

        return name if callable(function) else function

    def taking(affordable: Callable, key: Callable = lambda macs, error: (error, macs)) -> Callable:
        return named(lambda ways, budget: _best(ways, lambda macs: affordable(macs, budget), key))

    verdict = judge_words(
        "a way within the budget",
        named(attempt),
        taking(lambda macs, budget: macs <= budget),
        cases,
        {
            "You do not look at the budget.": taking(lambda macs, budget: True),
            "That is the cheapest way; the one with the least error is wanted, among those within the budget.": taking(
                lambda macs, budget: macs <= budget, lambda macs, error: macs
            ),
            "That is the dearest way within the budget; the one with the least error is wanted.": taking(
                lambda macs, budget: macs <= budget, lambda macs, error: -macs
            ),
            "A way that costs exactly the budget can be afforded.": taking(lambda macs, budget: macs < budget),
            "An error should be low; you took the highest.": taking(
                lambda macs, budget: macs <= budget, lambda macs, error: (-error, macs)
            ),
            "You took a way that costs more than the budget.": taking(lambda macs, budget: macs > budget),
            "Of equal errors, take the cheaper.": taking(
                lambda macs, budget: macs <= budget, lambda macs, error: (error, -macs)
            ),
        },
    )
    return replace(verdict, message=verdict.message.replace("'None'", "None"))


# --- pairs by seed ---


def paired_interval(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(worse, better, t)``: ends of the interval of the mean gain, from errors in the order of the seeds."""
    draw = random.Random(seed)
    cases: list[dict] = [{"worse": [9.0, 11.0, 10.0], "better": [8.0, 9.0, 9.0], "t": 4.3}]
    for count, t in ((5, 2.776), (7, 2.447)):
        better = [round(draw.uniform(5, 9), 2) for _ in range(count)]
        cases.append({"worse": [round(b + draw.uniform(-0.5, 1.5), 2) for b in better], "better": better, "t": t})

    def ends(shift: Callable, reach: Callable) -> Callable:
        def both(worse: list[float], better: list[float], t: float) -> tuple[float, float]:
            middle, half = shift(worse, better), reach(worse, better, t)
            return middle - half, middle + half

        return both

    def gains(w: list[float], b: list[float]) -> list[float]:
        return [x - y for x, y in zip(w, b, strict=True)]

    def middle(w: list[float], b: list[float]) -> float:
        return mean(w) - mean(b)

    def error(w: list[float], b: list[float]) -> float:
        return stdev(gains(w, b)) / sqrt(len(w))

    target = ends(middle, lambda w, b, t: t * error(w, b))
    return judge_intervals(
        "pairs by seed",
        attempt,
        target,
        cases,
        {
            "That is the interval for nets that are no pairs. Subtract seed by seed first: their common luck cancels.": (
                ends(middle, lambda w, b, t: t * sqrt((variance(w) + variance(b)) / len(w)))
            ),
            "You left out the root of the number of seeds: that is where single gains lie, not their mean.": ends(
                middle, lambda w, b, t: t * stdev(gains(w, b))
            ),
            "Divide by the root of the number of seeds, not by the number.": ends(
                middle, lambda w, b, t: t * stdev(gains(w, b)) / len(w)
            ),
            "t is missing: with so few seeds the spread itself is uncertain.": ends(
                middle, lambda w, b, t: error(w, b)
            ),
            "You took 1.96 in place of t; with few seeds t is larger.": ends(
                middle, lambda w, b, t: 1.96 * error(w, b)
            ),
            "You took 2 in place of t; with few seeds t is larger.": ends(middle, lambda w, b, t: 2 * error(w, b)),
            "The spread of a sample divides by n - 1, not by n (statistics.stdev; torch's std does so too).": ends(
                middle, lambda w, b, t: t * pstdev(gains(w, b)) / sqrt(len(w))
            ),
            "The variance is the square of the spread; take the spread.": ends(
                middle, lambda w, b, t: t * variance(gains(w, b)) / sqrt(len(w))
            ),
            "The sign is turned: a gain is the worse error less the better one.": ends(
                lambda w, b: middle(b, w), lambda w, b, t: t * error(w, b)
            ),
            "The ends are in the wrong order: low first.": lambda w, b, t: target(w, b, t)[::-1],
            "Those are mean and half width; the two ends are wanted.": lambda w, b, t: (
                middle(w, b),
                t * error(w, b),
            ),
        },
    )


# --- a batch at many scales ---


@dataclass(frozen=True)
class _Jittered:
    """Crops of ramps, from which scale and place are read off: red rises to the right, green downward, blue is the number.

    Pixel x of an image scaled to S shows ``(x + 1/2) side / S - 1/2`` of the ramp, away from the edges. Two pixels near
    the middle tell both.
    """

    crops: Tensor
    side: int
    smallest: int
    largest: int

    @cached_property
    def size(self) -> int:
        return self.crops.shape[-1]

    @cached_property
    def numbers(self) -> Tensor:
        return self.crops[:, 2, 0, 0]

    @cached_property
    def misplaced(self) -> Tensor:
        """How far the numbers are from their places."""
        return self.numbers - self.numbers.new_tensor(range(len(self.numbers)))

    @cached_property
    def lines(self) -> tuple[Tensor, Tensor]:
        """A column of green and a row of red of every crop: ``(B, size)``."""
        return self.crops[:, 1, :, self.size // 2], self.crops[:, 0, self.size // 2]

    @cached_property
    def sides(self) -> tuple[Tensor, Tensor]:
        """From the height, and from the width."""
        half = self.size // 2
        steps = [(line[:, half + 8] - line[:, half - 8]) / 16 for line in self.lines]
        return tuple(self.side / step.clamp(min=1e-6) for step in steps)

    @cached_property
    def scale(self) -> Tensor:
        """The sides, as whole numbers."""
        return self.sides[0].round()

    @cached_property
    def firsts(self) -> tuple[Tensor, Tensor]:
        """First rows and first columns, as whole numbers."""
        half = self.size // 2
        return tuple(
            ((line[:, half] + 0.5) * of / self.side - 0.5 - half).round()
            for line, of in zip(self.lines, self.sides, strict=True)
        )

    @cached_property
    def shares(self) -> list[Tensor]:
        """Where a crop begins, from 0, the first pixel that it can, to 1, the last."""
        return [(first / (self.scale - self.size)).clamp(0, 1) for first in self.firsts]

    def ends(self, first: Tensor) -> bool:
        """Whether some crop begins at the last pixel that it can."""
        return bool(((first == self.scale - self.size) & (self.scale > self.size)).any())

    def together(self) -> bool:
        """Whether all images of one scale are cut at one place."""
        import torch

        groups = [self.scale == side for side in self.scale.unique()]
        return any(len(torch.stack(self.firsts, 1)[group].unique(dim=0)) == 1 for group in groups if group.sum() >= 6)


JITTER_MISTAKES: dict[str, Callable[[_Jittered], object]] = {
    "There are numbers in the crops that are not finite. Is a part of the batch never filled?": lambda x: (
        not x.crops.isfinite().all()
    ),
    "A crop has pixels of more than one image.": lambda x: (
        (x.crops[:, 2] - x.numbers[:, None, None]).abs().max() > 1e-3
    ),
    "The images come back in another order (grouped by scale?), and their labels would not: put every crop where its "
    "image was.": lambda x: x.misplaced.abs().max() > 1e-3 and len(x.numbers.round().unique()) == len(x.numbers),
    "Place i of the result must hold a crop of image i; here some images are twice there, others never.": lambda x: (
        x.misplaced.abs().max() > 1e-3
    ),
    "Height and width are scaled by different factors; the paper rescales by one factor.": lambda x: (
        (x.sides[0] - x.sides[1]).abs().max() > 0.3
    ),
    "The rescaled sides are no whole numbers of pixels. Rescale the whole image first, then crop.": lambda x: (
        (x.sides[0] - x.scale).abs().max() > 0.2
    ),
    "All images have their own scale still: there is no rescaling.": lambda x: (x.scale == x.side).all(),
    "All images have the same scale; every image draws its own.": lambda x: (x.scale == x.scale[0]).all(),
    "Some sides are outside of the range that was asked for.": lambda x: (
        x.scale.min() < x.smallest or x.scale.max() > x.largest
    ),
    # 160 draws from 17 sides: one is missed by luck once in 16,000
    "The largest side never occurs. torch.randint leaves its end out.": lambda x: x.scale.max() < x.largest,
    "The smallest side never occurs; both ends belong to the range.": lambda x: x.scale.min() > x.smallest,
    "There are only few different sides; all whole numbers are equally likely.": lambda x: len(x.scale.unique()) < 12,
    "All crops are from the middle; a crop is cut anywhere.": lambda x: all(
        (share - 0.5).abs().max() < 0.15 for share in x.shares
    ),
    "All crops begin in the upper left corner; a crop is cut anywhere.": lambda x: all(
        share.max() < 0.05 for share in x.shares
    ),
    "The crops lie on the diagonal: rows and columns are drawn separately.": lambda x: (
        (x.shares[0] - x.shares[1]).abs().max() < 0.15
    ),
    "All images of one scale are cut at the same place; each draws its own.": _Jittered.together,
    "The last row or column is never reached: a crop can begin at 0 to side - size, both included.": lambda x: (
        not all(map(x.ends, x.firsts))
    ),
}


def batch_jitter(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(images, smallest, largest, size, generator)``: from each image one crop at its own random scale."""
    import torch

    task, draw = "scale jitter for a batch", random.Random(seed)
    count, side, size, smallest = 160, 32, 24, draw.randint(33, 36)
    largest = smallest + 16
    ramp = torch.arange(side, dtype=torch.float64)
    numbers = torch.arange(count, dtype=torch.float64)[:, None, None]
    images = torch.stack([plane.expand(count, side, side) for plane in (ramp, ramp[:, None], numbers)], 1)
    on = f"{count} images of {side}x{side} pixels, scales from {smallest} to {largest} and crops of {size}"

    def ask(number: int) -> tuple[object, Verdict | None]:
        generator = torch.Generator().manual_seed(number)
        return answer_on(attempt, [images.clone(), smallest, largest, size, generator], on, task)

    answer, verdict = ask(seed)
    if verdict is not None:  # a verdict is false unless it passed
        return verdict
    crops, wanted = TENSORS.read(answer), (count, 3, size, size)
    if crops is None or tuple(crops.shape) != wanted:
        found = short(answer) if crops is None else f"the shape {tuple(crops.shape)}"
        return Verdict(task, "wrong", f"on {on} it returned {found}; a batch {wanted} is wanted.")
    seen = _Jittered(crops.double(), side, smallest, largest)
    for words, found in JITTER_MISTAKES.items():
        if found(seen):
            return Verdict(task, "wrong", f"on {on}: {words}")
    again, other = (TENSORS.read(ask(number)[0]) for number in (seed, seed + 1))
    for words, found in {
        "The same generator in the same state gave another result: draw from `generator` alone.": (
            again is None or not again.equal(crops)
        ),
        "Another generator gave the same crops: draw from `generator`.": other is not None and other.equal(crops),
    }.items():
        if found:
            return Verdict(task, "wrong", words)
    return Verdict(task, "passed", f"{count} images at {len(seen.scale.unique())} scales, each in its own place.")
