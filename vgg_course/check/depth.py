"""Checks for the chapter that puts depth to the test."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, isfinite, sqrt
from statistics import mean, pvariance, stdev, variance

from vgg_course import paper
from vgg_course.check.judging import judge_numbers
from vgg_course.check.verdict import Verdict, attempt_on
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
    draw, task = random.Random(seed), "pairs that speak against depth"
    invented = [
        (name, depth, scale, round(draw.uniform(20, 30), 1))
        for scale in ("small", "large")
        for name, depth in (("P", 8), ("Q", 8), ("R", 10), ("S", 14), ("T", 20))
    ]
    draw.shuffle(invented)
    small = [("thin", 4, "64", 9.0), ("deep", 6, "64", 9.5), ("deep", 6, "96", 8.0), ("flat", 4, "96", 8.0)]
    cases = {"a table of four rows": small, "Table 3": _table_3(), "an invented table": invented}
    answers: list[Pairs] = []
    for words, rows in cases.items():
        answer, verdict = _answer_on(attempt, rows, words, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        try:
            if isinstance(answer, str | Mapping):
                raise TypeError
            triples = {tuple(triple) for triple in answer}
            if any(len(triple) != 3 or not all(isinstance(part, str) for part in triple) for triple in triples):
                raise TypeError
        except Exception:  # no collection of triples, or one that breaks
            message = f"on {words} it returned {type(answer).__name__}; a list of (shallow, deep, scale) is wanted."
            return Verdict(task, "wrong", message)
        answers.append(triples)
    wanted = [_against(rows) for rows in cases.values()]
    if answers == wanted:
        return Verdict(task, "passed", "right on all tables. In Table 3 it is D and E, at both fixed scales.")
    place = next(i for i, (mine, right) in enumerate(zip(answers, wanted, strict=True)) if mine != right)
    mine, right = answers[place], wanted[place]
    lacks, extra = sorted(right - mine), sorted(mine - right)
    parts = [f"{lacks[0]} is missing" if lacks else "", f"{extra[0]} is too many" if extra else ""]
    message = f"on {list(cases)[place]}, {' and '.join(filter(None, parts))}."
    for words, mistaken in AGAINST_MISTAKES.items():
        if answers == [mistaken(rows) for rows in cases.values()]:
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _answer_on(attempt: Callable, rows: Sequence[Row], words: str, task: str) -> tuple[object, Verdict | None]:
    """What the attempt says of a table, which is named and not shown: it may be long."""
    if not callable(attempt):
        return attempt_on(attempt, {}, task)
    answer, verdict = attempt_on(lambda: attempt(list(rows)), {}, task)
    if verdict is not None:  # a verdict is false unless it passed
        verdict = Verdict(task, verdict.status, verdict.message.replace("on ()", f"on {words}"))
    return answer, verdict


# --- one 5x5 in place of a pair ---


def _merged(words: str) -> str:
    return re.sub(r"conv3-(\d+)\s+conv3-\1\b", r"conv5-\1", words)


def _kinds(configuration: Configuration, kind: type) -> list:
    return [spec for spec in configuration.specs if isinstance(spec, kind)]


def with_5x5(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(words)``: the same net with one 5x5 convolution in place of each pair of 3x3 convolutions."""
    channels = random.Random(seed).sample(range(5, 60), 3)
    cases = [
        "conv3-8 conv3-8 maxpool FC-10",
        "conv3-8 maxpool conv3-16 conv3-16 maxpool FC-10",
        " ".join(f"conv3-{c} conv3-{c} maxpool" for c in channels) + " FC-20 FC-3",
        TABLE_1["B"],
    ]
    task = "one 5x5 for each pair"
    for words in cases:
        shown = "the words of B" if words is TABLE_1["B"] else repr(words)
        answer, verdict = attempt_on(attempt, {"words": words}, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if not isinstance(answer, str):
            message = (
                f"on {shown} it returned {type(answer).__name__}; the words of the new net are wanted, as one string."
            )
            return Verdict(task, "wrong", message)
        try:
            mine = Configuration.parse(answer)
        except (ConfigurationError, ValueError) as error:
            return Verdict(task, "wrong", f"on {shown} the result is no configuration: {error}")
        if message := _unlike(mine, Configuration.parse(words), Configuration.parse(_merged(words))):
            return Verdict(task, "wrong", f"on {shown}: {message}")
    return Verdict(task, "passed", f"right on all {len(cases)} nets; B becomes a net with five convolutions.")


def _unlike(mine: Configuration, pairs: Configuration, right: Configuration) -> str:
    """What is wrong with ``mine``; empty if nothing."""
    if mine.specs == right.specs:
        return ""
    convolutions, wanted = _kinds(mine, Conv), _kinds(right, Conv)
    for kind, name in ((MaxPool, "pools"), (Linear, "fully-connected layers")):
        if _kinds(mine, kind) != _kinds(pairs, kind):
            return f"the {name} are not those that were there. Only pairs of convolutions are to change."
    if mine.specs == pairs.specs:
        return "nothing has changed."
    if convolutions == [Conv(spec.channels, 5) for spec in _kinds(pairs, Conv)]:
        return "every single 3x3 became a 5x5. One 5x5 sees what two 3x3 see: a pair becomes one layer."
    if convolutions == [Conv(spec.channels, 5) for spec in wanted]:
        return "a single 3x3 that has no partner stays as it is."
    if [(spec.channels, spec.kernel) for spec in convolutions] == [(spec.channels, spec.kernel) for spec in wanted]:
        return "the padding is not 2. A 5x5 needs 2 to keep the grid; `conv5-64` has it by itself."
    if len(convolutions) == len(wanted) and any(
        a.channels == 2 * b.channels for a, b in zip(convolutions, wanted, strict=True)
    ):
        return "the channels have doubled. A pair puts out what its second layer puts out."
    if len(convolutions) == len(wanted) and all(spec.kernel == 3 for spec in convolutions):
        return "one layer of each pair is gone, but the other is still 3x3."
    if len(convolutions) > len(wanted):
        return (
            f"{len(convolutions)} convolutions are left; there should be {len(wanted)}. Every pair becomes one layer."
        )
    return f"the convolutions are {', '.join(map(str, convolutions))}; they should be {', '.join(map(str, wanted))}."


# --- how sure a difference is ---


def _interval(a: Sequence[float], b: Sequence[float], t: float) -> tuple[float, float]:
    return _around(mean(a) - mean(b), t * sqrt((variance(a) + variance(b)) / len(a)))


def _around(middle: float, reach: float) -> tuple[float, float]:
    return middle - reach, middle + reach


INTERVAL_MISTAKES: dict[str, Callable] = {
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
    "You left t out.": lambda a, b, t: _interval(a, b, 1),
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
    draw, task = random.Random(seed), "interval of a difference"
    cases = [([92.0, 94.0], [90.0, 91.0], 4.303)]
    cases += [
        ([round(draw.gauss(92, 0.6), 2) for _ in range(n)], [round(draw.gauss(91, 0.9), 2) for _ in range(n)], t)
        for n, t in ((3, 2.776), (5, 2.306), (8, 2.145))
    ]
    answers: list[tuple[float, float]] = []
    for a, b, t in cases:
        arguments = {"a": list(a), "b": list(b), "t": t}
        answer, verdict = attempt_on(attempt, arguments, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        try:
            low, high = (float(end) for end in answer)
        except Exception:  # not two numbers
            message = f"on two lists of {len(a)} it returned {type(answer).__name__}; return two numbers: low, high."
            return Verdict(task, "wrong", message)
        if not (isfinite(low) and isfinite(high)):
            return Verdict(task, "wrong", f"on two lists of {len(a)} it returned {low:g} and {high:g}.")
        answers.append((low, high))
    targets = [_interval(*case) for case in cases]
    if _near(answers, targets):
        return Verdict(task, "passed", f"right on all {len(cases)} pairs of lists.")
    place = next(i for i in range(len(cases)) if not _near(answers[i : i + 1], targets[i : i + 1]))
    a, b, t = cases[place]
    ends = [" to ".join(f"{end:.3f}" for end in pair) for pair in (answers[place], targets[place])]
    message = f"on a={a}, b={b}, t={t} it returned {ends[0]}, not {ends[1]}."
    if _near([answer[::-1] for answer in answers], targets):
        return Verdict(task, "wrong", f"{message} The lower end comes first.")
    for words, mistaken in INTERVAL_MISTAKES.items():
        if _near(answers, [mistaken(*case) for case in cases]):
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _near(mine: Iterable[Sequence[float]], targets: Iterable[Sequence[float]]) -> bool:
    return all(abs(a - b) < 1e-6 for m, t in zip(mine, targets, strict=True) for a, b in zip(m, t, strict=True))


# --- how many seeds ---


def seeds_needed(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(spread, difference)``: seeds a net for a difference to be seen four times in five, 16 (s / d)^2."""
    draw, cases = random.Random(seed), [(0.5, 1.0), (1.0, 1.0), (0.4, 0.3), (0.3, 1.1)]
    while len(cases) < 8:
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
