"""Checks for the chapter that reads the paper's results."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from math import sqrt

from vgg_course import paper
from vgg_course.check.judging import judge_numbers, number_in
from vgg_course.check.verdict import Verdict, answer_on, attempt_on, short

# --- which number answers which question ---

HEADLINES = {"a": 7.3, "b": 6.8, "c": 7.0, "d": 7.1, "e": 7.5}
QUESTIONS = {
    "a": "The official result is that of the seven nets on the test images; the pair came after the deadline.",
    "b": "The best on the test images is the pair D and E, whole images and crops. (GoogLeNet's 6.7 is not VGG's.)",
    "c": "Images whose labels the authors did not have are the test images; one net alone with whole images and crops.",
    "d": "GoogLeNet's 7.9 was measured on the validation images, so its neighbor must be, too.",
    "e": "Everything was chosen on the validation images; the seven nets are the first row of Table 6.",
}


def headline_error(attempt: Callable) -> Verdict:
    """Check ``attempt(letter)``: the top-5 error, in percent, that answers the question of each letter."""
    task = "name the number"
    for letter, right in HEADLINES.items():
        answer, verdict = attempt_on(attempt, {"letter": letter}, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        mine = number_in(answer)
        if mine is None:
            return Verdict(task, "wrong", f"on {letter!r} it returned {short(answer)}; a number in percent is wanted.")
        if _close(100 * mine, right):
            return Verdict(task, "wrong", f"on {letter!r} it returned {mine:g}: that is a share; write it in percent.")
        if not _close(mine, right):
            return Verdict(task, "wrong", f"{letter!r} is not {short(mine)}. {QUESTIONS[letter]}")
    return Verdict(task, "passed", "all five: nets, views, images and time are told apart.")


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

    task, on = "average as the paper did", "3 nets, 40 images and 5 classes"
    generator = torch.Generator().manual_seed(seed)
    loudness = torch.tensor([0.5, 2.0, 6.0])[:, None, None]  # so that scores, votes and probabilities part ways
    scores = loudness * torch.randn(3, 40, 5, generator=generator)
    answer, verdict = answer_on(attempt, [scores.clone()], on, task)
    if verdict is not None:  # a verdict is false unless it passed
        return verdict
    if not isinstance(answer, torch.Tensor):
        try:
            answer = torch.tensor(answer)
        except Exception:  # whatever a student returns
            return Verdict(task, "wrong", f"on {on} it returned {type(answer).__name__}; a tensor (images,) is wanted.")
    mean = scores.softmax(2).mean(0)
    if tuple(answer.shape) == (40, 5) and torch.allclose(answer.float(), mean, atol=1e-5):
        return Verdict(task, "wrong", "these are the averaged probabilities, and they are right. Now decide: argmax.")
    if tuple(answer.shape) != (40,):
        found = tuple(answer.shape)
        if found == (3, 40):
            return Verdict(
                task, "wrong", f"on {on} the shape is {found}: each net decided alone. Average before argmax."
            )
        return Verdict(task, "wrong", f"on {on} the shape is {found}; one class for each image is wanted, (40,).")
    if answer.is_complex() or not torch.equal(answer, answer.round() if answer.is_floating_point() else answer):
        return Verdict(task, "wrong", f"on {on} it returned {short(answer[0].item())} for image 0; a class is wanted.")

    def same(classes: torch.Tensor) -> bool:
        return bool((answer == classes).all())

    if same(mean.argmax(1)):
        return Verdict(task, "passed", "the classes of the averaged probabilities, for all 40 images.")
    votes = torch.nn.functional.one_hot(scores.argmax(2), 5).sum(0)
    mistakes = {
        "You averaged the scores. A net with large scores then outshouts the others; the soft-max comes first.": (
            scores.mean(0).argmax(1)
        ),
        "You took a vote. It throws away how sure each net was: average first, decide last.": votes.argmax(1),
        "Your soft-max runs over the images (dimension 1). Probabilities add up to 1 over the classes, dimension 2.": (
            scores.softmax(1).mean(0).argmax(1)
        ),
        "Your soft-max runs over the nets (dimension 0). Probabilities add up to 1 over the classes, dimension 2.": (
            scores.softmax(0).mean(0).argmax(1)
        ),
        "You took the least likely class: argmax, not argmin.": mean.argmin(1),
        "You took the largest probability of any net, not their mean.": scores.softmax(2).amax(0).argmax(1),
    }
    for words, classes in mistakes.items():
        if same(classes):
            return Verdict(task, "wrong", words)
    if any(same(scores[net].argmax(1)) for net in range(3)):
        return Verdict(task, "wrong", "these are the classes of one net alone; the other two have a say, too.")
    place = int((answer != mean.argmax(1)).nonzero()[0])
    message = f"image {place} belongs to class {mean.argmax(1)[place]}, not {short(answer[place].item())}."
    return Verdict(task, "wrong", message)


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
    task, draw = "decide a claim", random.Random(seed)
    small = {"new": 20.0, "old": 22.0, "other": 22.1, "third": 20.3}
    cases: list[tuple[str, Mapping[str, float], Pairs, float]] = [
        ("one pair, two points apart", small, [("new", "old")], 0.5),
        ("one pair, a tenth apart", small, [("old", "other")], 0.5),
        ("one pair, two points the wrong way", small, [("old", "new")], 0.5),
        ("no pair at all", small, [], 0.5),
        ("two pairs, one of them within chance", small, [("new", "old"), ("new", "third")], 0.5),
        (
            "three pairs, one of them within chance",
            small,
            [("new", "old"), ("new", "other"), ("new", "third")],
            0.5,
        ),
        ("three pairs, one against", small, [("new", "old"), ("third", "other"), ("other", "third")], 0.5),
    ]
    rows = {name: row.top_1 for name, row in paper.TABLE_3.rows.items()}
    depth = [("B_256", "A_256"), ("C_256", "B_256"), ("D_256", "C_256"), ("E_256", "D_256")]
    cases += [("Table 3, depth at 256 pixels", rows, depth, 0.37)]
    cases += [("Table 3, E over D", rows, [(f"E_{s}", f"D_{s}") for s in ("256", "384", "jitter")], 0.37)]
    for number in range(6):
        invented = {name: round(draw.uniform(20, 23), 1) + 0.05 for name in "PQRSTU"}
        pairs = draw.sample(list(combinations("PQRSTU", 2)), draw.choice((3, 4, 5)))
        cases.append((f"invented claim {number + 1}", invented, pairs, 0.52))
    answers: list[str] = []
    for words, table, pairs, reach in cases:
        answer, verdict = answer_on(attempt, [dict(table), list(pairs), reach], words, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if not isinstance(answer, str) or answer not in GRADES:
            message = f"on {words} it returned {short(answer)}; one of these is wanted: {'; '.join(GRADES)}."
            return Verdict(task, "wrong", message)
        answers.append(answer)
    wanted = [_grade(table, pairs, reach) for _, table, pairs, reach in cases]
    if answers == wanted:
        return Verdict(task, "passed", f"right on all {len(cases)} claims.")
    place = next(i for i, (mine, right) in enumerate(zip(answers, wanted, strict=True)) if mine != right)
    message = f"on {cases[place][0]} it said {answers[place]!r}, not {wanted[place]!r}."
    for words, mistaken in GRADE_MISTAKES.items():
        if answers == [mistaken(table, pairs, reach) for _, table, pairs, reach in cases]:
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


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
    task, draw = "controlled pairs", random.Random(seed)
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
    cases = {"four rows": small, "Table 3": table, "an invented table": invented}
    answers: list[set] = []
    for words, rows in cases.items():
        answer, verdict = answer_on(attempt, [[dict(row) for row in rows]], words, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        try:
            if isinstance(answer, str | Mapping):
                raise TypeError
            pairs = {tuple(pair) for pair in answer}
            if any(len(p) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) for n in p) for p in pairs):
                raise TypeError
        except Exception:  # no collection of pairs, or one that breaks
            message = f"on {words} it returned {short(answer)}; a list of pairs of row numbers (i, j) is wanted."
            return Verdict(task, "wrong", message)
        answers.append(pairs)
    wanted = [_differing(rows, lambda n: n == 1) for rows in cases.values()]
    if answers == wanted:
        return Verdict(task, "passed", f"right on all tables. Of Table 3's 66 pairs {len(wanted[1])} are controlled.")
    for pairs, right in zip(answers, wanted, strict=True):
        turned = {(j, i) for i, j in right}
        if pairs != right and pairs in (turned, right | turned):
            return Verdict(task, "wrong", "the pairs are right, but take each once, the smaller row number first.")
    place = next(i for i, (mine, right) in enumerate(zip(answers, wanted, strict=True)) if mine != right)
    lacks, extra = sorted(wanted[place] - answers[place]), sorted(answers[place] - wanted[place])
    parts = [f"{lacks[0]} is missing" if lacks else "", f"{extra[0]} is too many" if extra else ""]
    message = f"on {list(cases)[place]}, {' and '.join(filter(None, parts))}."
    for words, mistaken in CONTROLLED_MISTAKES.items():
        if answers == [mistaken(rows) for rows in cases.values()]:
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)
