"""Checks for the chapter that puts depth to the test."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, floor, sqrt
from statistics import mean, pvariance, stdev, variance

from vgg_course import paper
from vgg_course.check.judging import Kind, judge, judge_intervals, judge_numbers, judge_sets
from vgg_course.check.verdict import Verdict
from vgg_course.configuration import CONFIGURATIONS, TABLE_1, Configuration, ConfigurationError, Conv, Linear, MaxPool

# --- where a table speaks against its claim ---

Row = tuple[str, int, str, float]  # net, layers with weights, training scale, error in percent
Pairs = set[tuple[str, str, str]]


def _table_3() -> list[Row]:
    return [(r.configuration, CONFIGURATIONS[r.configuration].depth, str(r.train), r.top_1) for r in paper.TABLE_3]


def _against(rows: Sequence[Row], found: Callable = lambda a, b: a[2] == b[2] and a[1] < b[1] and a[3] < b[3]) -> Pairs:
    """(shallow, deep, scale of the deep) of all pairs of rows for which ``found(shallow, deep)``."""
    return {(a[0], b[0], b[2]) for a in rows for b in rows if a is not b and found(a, b)}


AGAINST_MISTAKES: dict[str, Callable[[Sequence[Row]], Pairs]] = {
    "You compare nets that were trained at different scales. Then the scale may be what helped or hurt.": (
        lambda rows: _against(rows, lambda a, b: a[1] < b[1] and a[3] < b[3])
    ),
    "You also took pairs of the same depth. They say nothing about depth.": (
        lambda rows: _against(rows, lambda a, b: a[2] == b[2] and a[1] <= b[1] and a[3] < b[3])
    ),
    "You also took pairs with the same error. The deeper net is not worse there.": (
        lambda rows: _against(rows, lambda a, b: a[2] == b[2] and a[1] < b[1] and a[3] <= b[3])
    ),
    "These are the pairs in which the deeper net is better: an error should be low.": (
        lambda rows: _against(rows, lambda a, b: a[2] == b[2] and a[1] < b[1] and a[3] > b[3])
    ),
    "The names are in the other order: the shallower net comes first.": (
        lambda rows: {(b, a, scale) for a, b, scale in _against(rows)}
    ),
    "You compare each row with the next one only. Every two rows of one scale are a pair.": (
        lambda rows: {(a[0], b[0], b[2]) for a, b in pairwise(rows) if a[2] == b[2] and a[1] < b[1] and a[3] < b[3]}
    ),
}


def pairs_against(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(rows)``: where, at one training scale, a deeper net has the higher error.

    Rows are (net, depth, training scale, error); the answer is any collection of (shallow, deep, scale).
    """
    draw = random.Random(seed)
    invented = [
        (name, depth, scale, round(draw.uniform(20, 30), 1))
        for scale in ("small", "large")
        for name, depth in (("P", 8), ("Q", 8), ("R", 10), ("S", 14), ("T", 20))
    ]
    draw.shuffle(invented)
    small = [("thin", 4, "64", 9.0), ("deep", 6, "64", 9.5), ("deep", 6, "96", 8.0), ("flat", 4, "96", 8.0)]
    return judge_sets(
        "pairs that speak against depth",
        attempt,
        _against,
        {"a table of four rows": {"rows": small}, "Table 3": {"rows": _table_3()}, "a new table": {"rows": invented}},
        AGAINST_MISTAKES,
        "a list of (shallow, deep, scale)",
        lambda triple: isinstance(triple, tuple) and len(triple) == 3 and all(isinstance(part, str) for part in triple),
    )


# --- one 5x5 in place of a pair ---


def _merged(words: str, new: str | Callable = r"conv5-\1", count: int = 0) -> str:
    return re.sub(r"conv3-(\d+)\s+conv3-\1\b", new, words, count=count)


MERGED_MISTAKES: dict[str, Callable[[str], str]] = {
    "Nothing has changed.": lambda words: words,
    "Every single 3x3 became a 5x5. One 5x5 sees what two 3x3 see: a pair becomes one layer.": lambda words: (
        words.replace("conv3", "conv5")
    ),
    "A single 3x3 that has no partner stays as it is.": lambda words: _merged(words).replace("conv3", "conv5"),
    "The padding is not 2. A 5x5 needs 2 to keep the grid; `conv5-64` has it by itself.": lambda words: _merged(
        words, r"conv5-\1/p1"
    ),
    "One layer of each pair is gone, but the other is still 3x3.": lambda words: _merged(words, r"conv3-\1"),
    "Of each pair only one layer became a 5x5, and the other is still there: one takes the place of both.": lambda words: (
        _merged(words, r"conv5-\1 conv3-\1")
    ),
    "The channels have doubled. A pair puts out what its second layer puts out.": lambda words: _merged(
        words, lambda pair: f"conv5-{2 * int(pair[1])}"
    ),
    "Only the first pair has changed: every pair becomes one layer.": lambda words: _merged(words, count=1),
    "The pools are gone; only pairs of convolutions change.": lambda words: _merged(words).replace("maxpool", ""),
    "The fully-connected layers are gone; only pairs of convolutions change.": lambda words: _merged(words).partition(
        "FC"
    )[0],
}


def with_5x5(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(words)``: the same net with one 5x5 convolution in place of each pair of 3x3 convolutions."""
    draw = random.Random(seed)
    blocks = [f"conv3-{channels} " * draw.randint(1, 2) + "maxpool " for channels in draw.sample(range(5, 60), 4)]
    cases = [
        "conv3-8 conv3-8 maxpool FC-10",
        "conv3-8 maxpool conv3-16 conv3-16 maxpool FC-10",
        "conv3-9 conv3-9 maxpool conv3-7 conv3-7 maxpool FC-20 FC-3",
        "".join(blocks) + "FC-20 FC-3",
        TABLE_1["B"],
    ]

    def read(answer: object) -> tuple | str | None:
        """The layers, or why they are none."""
        if not isinstance(answer, str):
            return None
        try:
            return Configuration.parse(answer).specs
        except (ConfigurationError, ValueError) as error:
            return str(error)

    def apart(mine: tuple | str, right: tuple) -> str:
        if isinstance(mine, str):
            return f"the result is no configuration: {mine}"
        for kind, name in ((Conv, "convolutions"), (MaxPool, "pools"), (Linear, "fully-connected layers")):
            found, wanted = (
                ", ".join(str(spec) for spec in specs if isinstance(spec, kind)) for specs in (mine, right)
            )
            if found != wanted:
                return f"the {name} are {found or 'gone'}; they should be {wanted}."
        return "the layers are the right ones in another order."

    wanted = "the words of the new net are wanted, as one string"
    kind = Kind(wanted, read, lambda mine, right: mine == right, lambda mine, right: 0.0, apart)
    on = {"the words of B" if words == TABLE_1["B"] else repr(words): {"words": words} for words in cases}
    return judge("one 5x5 for each pair", attempt, _merged, on, MERGED_MISTAKES, kind)


# --- how sure a difference is ---


def _interval(a: Sequence[float], b: Sequence[float], t: float) -> tuple[float, float]:
    return _around(mean(a) - mean(b), t * sqrt((variance(a) + variance(b)) / len(a)))


def _around(middle: float, reach: float) -> tuple[float, float]:
    return middle - reach, middle + reach


INTERVAL_MISTAKES: dict[str, Callable] = {
    "The lower end comes first.": lambda a, b, t: _interval(a, b, t)[::-1],
    "That is the mean of b minus the mean of a.": lambda a, b, t: _interval(b, a, t),
    "Standard errors do not add up, their squares do.": lambda a, b, t: _around(
        mean(a) - mean(b), t * (stdev(a) + stdev(b)) / sqrt(len(a))
    ),
    "You did not divide by n: that is how far two single runs may lie apart, not two means.": lambda a, b, t: _around(
        mean(a) - mean(b), t * sqrt(variance(a) + variance(b))
    ),
    "You divided by n outside of the root.": lambda a, b, t: _around(
        mean(a) - mean(b), t * sqrt(variance(a) + variance(b)) / len(a)
    ),
    "You divided the squares by n. A sample's variance divides by n - 1: statistics.variance, not pvariance.": (
        lambda a, b, t: _around(mean(a) - mean(b), t * sqrt((pvariance(a) + pvariance(b)) / len(a)))
    ),
    "You took the standard deviations where their squares belong: under the root stand variances.": (
        lambda a, b, t: _around(mean(a) - mean(b), t * sqrt((stdev(a) + stdev(b)) / len(a)))
    ),
    "You left t out: the spread of so few values is itself uncertain.": lambda a, b, t: _interval(a, b, 1),
    "You took 2 in place of t: with so few values t is larger.": lambda a, b, t: _interval(a, b, 2),
    "The spread of b is missing: both means are uncertain.": lambda a, b, t: _around(
        mean(a) - mean(b), t * stdev(a) / sqrt(len(a))
    ),
    "That is the interval of the mean of a alone, without b.": lambda a, b, t: _around(
        mean(a), t * stdev(a) / sqrt(len(a))
    ),
    "You divided by the number of all values. Each variance belongs to the mean of its own n.": lambda a, b, t: _around(
        mean(a) - mean(b), t * sqrt((variance(a) + variance(b)) / (2 * len(a)))
    ),
}


def difference_interval(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(a, b, t)``: low and high end of the interval of ``mean(a) - mean(b)``, equally many values."""
    draw = random.Random(seed)
    cases = [([92.0, 94.0], [90.0, 91.0], 4.303)]
    cases += [
        ([round(draw.gauss(92, 0.6), 2) for _ in range(n)], [round(draw.gauss(91, 0.9), 2) for _ in range(n)], t)
        for n, t in ((3, 2.776), (5, 2.306), (8, 2.145))
    ]
    return judge_intervals(
        "interval of a difference",
        attempt,
        _interval,
        [{"a": a, "b": b, "t": t} for a, b, t in cases],
        INTERVAL_MISTAKES,
    )


# --- how many seeds ---


def seeds_needed(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(spread, difference)``: seeds a net for a difference to be seen four times in five, 16 (s / d)^2."""
    draw, cases = random.Random(seed), [(0.5, 1.0), (1.0, 1.0), (0.4, 0.3), (0.3, 1.1), (0.7, 1.0)]
    while len(cases) < 9:
        spread, difference = round(draw.uniform(0.1, 1.5), 2), round(draw.uniform(0.1, 1.5), 2)
        if 0.05 < 16 * (spread / difference) ** 2 % 1 < 0.95:  # so that rounding errors decide nothing
            cases.append((spread, difference))
    return judge_numbers(
        "seeds needed",
        attempt,
        lambda s, d: ceil(16 * (s / d) ** 2),
        [{"spread": s, "difference": d} for s, d in cases],
        {
            "Round up: with fewer seeds than that it is less than four times in five.": lambda s, d: floor(
                16 * (s / d) ** 2
            ),
            "Round up, always.": lambda s, d: round(16 * (s / d) ** 2),
            "Seeds come whole: round up.": lambda s, d: 16 * (s / d) ** 2,
            "The ratio is squared: half the difference takes four times the seeds.": lambda s, d: ceil(16 * s / d),
            "You turned the ratio around: a large spread needs many seeds.": lambda s, d: ceil(16 * (d / s) ** 2),
            "That is for both nets together. Asked for are the seeds of each.": lambda s, d: (
                2 * ceil(16 * (s / d) ** 2)
            ),
            "That is half of it: the spread of both means counts, and so there is a 2 under the root.": (
                lambda s, d: ceil(8 * (s / d) ** 2)
            ),
        },
    )
