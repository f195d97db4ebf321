"""Checks for the chapter that reads the paper's results."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import sqrt
from typing import TYPE_CHECKING

from vgg_course import paper
from vgg_course.check.judging import TENSORS, judge, judge_numbers, judge_sets, judge_words, number_in, passed
from vgg_course.check.verdict import Verdict, attempt_on, short

if TYPE_CHECKING:
    from torch import Tensor

# --- which number answers which question ---

HEADLINES = [
    ("The official result is that of the seven nets on the test images; the pair came after the deadline.", 7.3),
    ("The best on the test images is the pair D and E, whole images and crops. (GoogLeNet's 6.7 is not VGG's.)", 6.8),
    (
        "Images whose labels the authors did not have are the test images; one net alone with whole images and crops.",
        7.0,
    ),
    ("GoogLeNet's 7.9 was measured on the validation images, so its neighbor must be, too.", 7.1),
    ("Everything was chosen on the validation images; the seven nets are the first row of Table 6.", 7.5),
]


def headline_error(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(letter)``: the top-5 error, in percent, that answers the question of each letter."""
    task, questions = "name the number", list(zip("abcde", HEADLINES, strict=True))
    if seed:
        random.Random(seed).shuffle(questions)  # there is no more to draw: the paper is printed
    for letter, (why, right) in questions:
        answer, verdict = attempt_on(attempt, {"letter": letter}, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        mine = number_in(answer)
        if mine is None:
            return Verdict(task, "wrong", f"on {letter!r} it returned {short(answer)}; a number in percent is wanted.")
        if _close(100 * mine, right):
            return Verdict(task, "wrong", f"on {letter!r} it returned {mine:g}: that is a share; write it in percent.")
        if not _close(mine, right):
            return Verdict(task, "wrong", f"{letter!r} is not {short(mine)}. {why}")  # and not what it is
    return passed(task, len(questions), cases="questions")


def _close(mine: float, right: float) -> bool:
    try:
        return abs(mine - right) < 1e-9
    except OverflowError:  # a whole number beyond all floats
        return False


# --- how sure a difference on the same images is ---


def _paired(first: int, second: int, images: int) -> float:
    return 100 * sqrt(((first + second) / images - ((first - second) / images) ** 2) / images)


def paired_error(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(only_first, only_second, images)``: the standard error of a difference, in points."""
    draw, cases = random.Random(seed), [(10, 0, 100), (30, 20, 100), (3000, 3500, 50_000)]
    while len(cases) < 8:
        images = draw.randrange(200, 5000)
        cases.append((draw.randrange(images // 8, images // 3), draw.randrange(1, images // 9), images))

    def unpaired(a: int, b: int, n: int) -> float:
        p, q = a / n, b / n
        return 100 * sqrt((p * (1 - p) + q * (1 - q)) / n)

    return judge_numbers(
        "error of a difference",
        attempt,
        _paired,
        [{"only_first": a, "only_second": b, "images": n} for a, b, n in cases],
        {
            "That is a share; a point is a hundredth: times 100.": lambda a, b, n: _paired(a, b, n) / 100,
            "That is twice the standard error; asked for is one.": lambda a, b, n: 2 * _paired(a, b, n),
            "That is the variance in squared points: take the root.": lambda a, b, n: _paired(a, b, n) ** 2,
            "Without the difference's square it is a little too large: the mean of the squares is not yet the variance. "
            "Subtract the square of the mean.": lambda a, b, n: 100 * sqrt((a + b) / n / n),
            "You left out the number of images under the root: that is the spread of one image, not of a mean.": (
                lambda a, b, n: _paired(a, b, n) * sqrt(n)
            ),
            "You treat the two counts as separate samples. They are parts of one: their +1 and -1 exclude each other, so "
            "the difference is squared, not each share.": unpaired,
            "That is the difference itself. How far would it move with other images?": lambda a, b, n: (
                100 * abs(a - b) / n
            ),
            "You took the difference of the counts for the disagreement. Images on which exactly one net is right: add "
            "them.": lambda a, b, n: 100 * sqrt(max(0.0, abs(a - b) / n - ((a - b) / n) ** 2) / n),
        },
        tolerance=1e-6,
    )


# --- averaging soft-max outputs ---


def fused_classes(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(scores)``: scores ``(nets, images, classes)`` to classes ``(images,)`` by the mean soft-max."""
    import torch
    from torch.nn.functional import one_hot

    chance = torch.Generator().manual_seed(seed)
    loudness = torch.tensor([0.5, 2.0, 6.0])[:, None, None]  # so that scores, votes and probabilities part ways
    cases = {
        f"3 nets, {images} images and {classes} classes": {
            "scores": loudness * torch.randn(3, images, classes, generator=chance)
        }
        for images, classes in ((4, 3), (40, 5), (60, 8))
    }

    def read(answer: object) -> Tensor | None:
        try:
            return TENSORS.read(answer if isinstance(answer, torch.Tensor) else torch.tensor(answer))
        except Exception:  # whatever a student returns
            return None

    def mean(scores: Tensor) -> Tensor:
        return scores.softmax(2).mean(0)

    return judge(
        "average as the paper did",
        attempt,
        lambda scores: mean(scores).argmax(1),
        cases,
        {
            "These are the averaged probabilities, and they are right. Now decide: argmax.": mean,
            "That is how probable the best class is; which one is it? argmax, not amax.": lambda s: mean(s).amax(1),
            "Each net decided alone. Average before argmax.": lambda s: s.argmax(2),
            "You averaged the scores. A net with large scores then outshouts the others; the soft-max comes first.": (
                lambda s: s.mean(0).argmax(1)
            ),
            "You took a vote. It throws away how sure each net was: average first, decide last.": lambda s: (
                one_hot(s.argmax(2), s.shape[2]).sum(0).argmax(1)
            ),
            "Your soft-max runs over the images (dimension 1). Probabilities add up to 1 over the classes, dimension 2.": (
                lambda s: s.softmax(1).mean(0).argmax(1)
            ),
            "Your soft-max runs over the nets (dimension 0). Probabilities add up to 1 over the classes, dimension 2.": (
                lambda s: s.softmax(0).mean(0).argmax(1)
            ),
            "You took the least likely class: argmax, not argmin.": lambda s: mean(s).argmin(1),
            "You took the largest probability of any net, not their mean.": lambda s: s.softmax(2).amax(0).argmax(1),
            "These are the classes of the first net alone; the others have a say, too.": lambda s: s[0].argmax(1),
            "These are the classes of the last net alone; the others have a say, too.": lambda s: s[-1].argmax(1),
            "You decided for each class; decide for each image, dimension 1.": lambda s: mean(s).argmax(0),
        },
        replace(TENSORS, wanted="a tensor of classes is wanted, one for each image", read=read),
    )


# --- the verdict on a claim ---

Pairs = Sequence[tuple[str, str]]
GRADES = ("holds", "holds with an exception", "cannot be decided", "is contradicted")


def _grade(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    gains = [rows[worse] - rows[better] for better, worse in pairs]
    clear, against = sum(g > reach for g in gains), sum(g < -reach for g in gains)
    if 2 * against > len(gains):
        return GRADES[3]
    if 2 * clear <= len(gains):
        return GRADES[2]
    return GRADES[0] if clear == len(gains) else GRADES[1]


def _order_only(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    return _grade(rows, pairs, 0.0)


def _turned(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    return _grade(rows, [(worse, better) for better, worse in pairs], reach)


def _half_is_enough(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    gains = [rows[worse] - rows[better] for better, worse in pairs]
    if gains and 2 * sum(g > reach for g in gains) == len(gains):
        return GRADES[1]
    return _grade(rows, pairs, reach)


def _empty_holds(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    return _grade(rows, pairs, reach) if pairs else GRADES[0]


def _never_contradicted(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    found = _grade(rows, pairs, reach)
    return GRADES[2] if found == GRADES[3] else found


def _no_exceptions(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    found = _grade(rows, pairs, reach)
    return GRADES[2] if found == GRADES[1] else found


def _any_against(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    gains = [rows[worse] - rows[better] for better, worse in pairs]
    return GRADES[3] if any(g < -reach for g in gains) else _grade(rows, pairs, reach)


def _within_is_against(rows: Mapping[str, float], pairs: Pairs, reach: float) -> str:
    gains = [rows[worse] - rows[better] for better, worse in pairs]
    if gains and 2 * sum(g <= reach for g in gains) > len(gains):
        return GRADES[3]
    return _grade(rows, pairs, reach)


GRADE_MISTAKES = {
    "You compare with zero: a gain inside the reach of chance is no evidence for a claim.": _order_only,
    "The gain is turned around: errors, so the better row has the smaller number, and the gain is worse minus better.": (
        _turned
    ),
    "Half of the pairs is not more than half.": _half_is_enough,
    "A claim without a single pair holds for you, because all of nothing are clear. Nothing has been compared.": (
        _empty_holds
    ),
    "You never say that a claim is contradicted. What if most gains are below -reach?": _never_contradicted,
    "One exception makes a claim undecided for you. The rule asks whether more than half are clear.": _no_exceptions,
    "One pair against a claim contradicts it for you. The rule asks for more than half.": _any_against,
    "A difference within chance counts against the claim for you. It counts for nothing: against means below -reach.": (
        _within_is_against
    ),
}


def claim_grade(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(rows, pairs, reach)``: the words for a claim about errors, by the rule of the chapter."""
    draw = random.Random(seed)
    small = {"new": 20.0, "old": 22.0, "other": 22.1, "third": 20.3}
    cases: dict[str, tuple[Mapping[str, float], Pairs, float]] = {
        "one pair two points apart": (small, [("new", "old")], 0.5),
        "one pair a tenth apart": (small, [("old", "other")], 0.5),
        "one pair two points the wrong way": (small, [("old", "new")], 0.5),
        "no pair at all": (small, [], 0.5),
        "two pairs with one within chance": (small, [("new", "old"), ("new", "third")], 0.5),
        "three pairs with one within chance": (small, [("new", "old"), ("new", "other"), ("new", "third")], 0.5),
        "three pairs with one against": (small, [("new", "old"), ("third", "other"), ("other", "third")], 0.5),
    }
    rows = {name: row.top_1 for name, row in paper.TABLE_3.rows.items()}
    depth = [("B_256", "A_256"), ("C_256", "B_256"), ("D_256", "C_256"), ("E_256", "D_256")]
    cases["Table 3 on depth at 256 pixels"] = (rows, depth, 0.37)
    cases["Table 3 on E over D"] = (rows, [(f"E_{s}", f"D_{s}") for s in ("256", "384", "jitter")], 0.37)
    for number in range(6):
        invented = {name: round(draw.uniform(20, 23), 1) + 0.05 for name in "PQRSTU"}
        pairs = draw.sample(list(combinations("PQRSTU", 2)), draw.choice((3, 4, 5)))
        cases[f"invented claim {number + 1}"] = (invented, pairs, 0.52)
    return judge_words(
        "decide a claim",
        attempt,
        _grade,
        {on: {"rows": dict(rows), "pairs": pairs, "reach": reach} for on, (rows, pairs, reach) in cases.items()},
        GRADE_MISTAKES,
        GRADES,
    )


# --- which rows can be compared ---

Row = Mapping[str, object]


def _differing(rows: Sequence[Row], wanted: Callable[[int], bool], ignored: Iterable[str] = ("error",)) -> set:
    """Pairs (i, j), i < j, whose number of differing columns is ``wanted``."""
    ignored = set(ignored)

    def count(one: Row, other: Row) -> int:
        return sum(one[column] != other[column] for column in one if column not in ignored)

    return {(i, j) for i, j in combinations(range(len(rows)), 2) if wanted(count(rows[i], rows[j]))}


CONTROLLED_MISTAKES: dict[str, Callable[[Sequence[Row]], set]] = {
    "The error is what is compared. Leave it out when you count the columns that differ.": (
        lambda rows: _differing(rows, lambda n: n == 1, ())
    ),
    "You also took pairs that differ in more than one column.": lambda rows: _differing(rows, lambda n: n >= 1),
    "You also took pairs that differ in nothing: two runs of the same thing. (They show chance, and no effect.)": (
        lambda rows: _differing(rows, lambda n: n <= 1)
    ),
    "These are the pairs that agree in exactly one column. Controlled means that they differ in one.": (
        lambda rows: _differing(rows, lambda n: n == len(rows[0]) - 2)
    ),
    "Take each pair as (i, j) with the smaller row number first.": (
        lambda rows: {(j, i) for i, j in _differing(rows, lambda n: n == 1)}
    ),
    "Take each pair once, the smaller row number first.": (
        lambda rows: {pair for i, j in _differing(rows, lambda n: n == 1) for pair in ((i, j), (j, i))}
    ),
    "You compare each row with the next one only. Every two rows are a pair.": (
        lambda rows: {(i, j) for i, j in _differing(rows, lambda n: n == 1) if j == i + 1}
    ),
    "You look at the columns net, train and test only. Other tables have others: take those of the rows.": (
        lambda rows: {
            (i, j)
            for i, j in combinations(range(len(rows)), 2)
            if sum(rows[i].get(c) != rows[j].get(c) for c in ("net", "train", "test")) == 1
        }
    ),
}


def controlled_pairs(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(rows)``: all (i, j), i < j, of rows (dictionaries) that differ in one column besides the error."""
    draw = random.Random(seed)
    small = [
        {"net": "D", "train": "256", "test": "256", "error": 27.0},
        {"net": "D", "train": "384", "test": "384", "error": 26.8},
        {"net": "D", "train": "jitter", "test": "384", "error": 25.6},
        {"net": "E", "train": "384", "test": "384", "error": 26.8},
    ]
    table = [
        {"net": r.configuration, "train": str(r.train), "test": str(r.test), "error": r.top_1} for r in paper.TABLE_3
    ]
    invented = [
        {
            "data": draw.choice(("half", "all")),
            "net": draw.choice("PQ"),
            "optimizer": draw.choice(("sgd", "adam")),
            "epochs": draw.choice((10, 20)),
            "error": draw.choice((5.0, 5.5, 6.0)),
        }
        for _ in range(10)
    ]
    invented.append({**invented[0], "error": 6.5})  # the same thing again
    return judge_sets(
        "controlled pairs",
        attempt,
        lambda rows: _differing(rows, lambda n: n == 1),
        {"four rows": {"rows": small}, "Table 3": {"rows": table}, "an invented table": {"rows": invented}},
        CONTROLLED_MISTAKES,
        "a list of pairs of row numbers (i, j)",
        lambda pair: isinstance(pair, tuple) and len(pair) == 2 and all(type(number) is int for number in pair),
    )
