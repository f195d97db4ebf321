"""Checks for the chapter that finds where an object is."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Mapping, Sequence

from vgg_course.check import beside
from vgg_course.check.judging import Kind, close, finite_numbers, judge, judge_boxes, judge_numbers, listed_box
from vgg_course.check.verdict import Verdict

Box = tuple[float, ...]  # corners: x0, y0, x1, y1
Boxes = list[Box]

# --- how much two boxes share ---


def _sides(box: Box) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def _area(box: Box) -> float:
    return math.prod(_sides(box))


def _shared(a: Box, b: Box) -> tuple[float, float]:
    """Sides of the rectangle between the inner corners: negative where the boxes are apart."""
    return min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])


def _common(a: Box, b: Box) -> float:
    return math.prod(max(0, side) for side in _shared(a, b))


def _iou(a: Box, b: Box) -> float:
    return _common(a, b) / (_area(a) + _area(b) - _common(a, b))


def _over(common: Callable, whole: Callable) -> Callable:
    def ratio(a: Box, b: Box) -> float:
        below = whole(a, b, common(a, b))
        return common(a, b) / below if below else math.inf

    return ratio


def _union(a: Box, b: Box, common: float) -> float:
    return _area(a) + _area(b) - common


def _hull(a: Box, b: Box, common: float) -> float:
    return (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))


def _counted(a: Box, b: Box) -> float:
    """As if corners were whole pixels inside the box."""
    return _iou((*a[:2], a[2] + 1, a[3] + 1), (*b[:2], b[2] + 1, b[3] + 1))


def iou(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(a, b)``: intersection over union of two boxes, each ``(x0, y0, x1, y1)``."""
    draw = random.Random(seed)

    def box() -> Box:
        x, y = draw.randint(0, 10), draw.randint(0, 10)
        return x, y, x + draw.randint(3, 12), y + draw.randint(3, 12)

    pairs = [
        ((0, 0, 2, 2), (0, 0, 2, 2)),
        ((0, 0, 2, 2), (1, 0, 3, 2)),
        ((0, 0, 4, 2), (1, 1, 3, 6)),
        ((0, 0, 2, 2), (3, 0, 5, 2)),
        ((0, 0, 2, 2), (2, 0, 4, 2)),
        ((0, 0, 2, 2), (0, 5, 2, 7)),
        ((0, 0, 2, 2), (3, 3, 5, 5)),
        ((0, 0, 8, 8), (2, 2, 4, 6)),
        ((1, 4, 6, 9), (2, 7, 12, 8)),
        *((box(), box()) for _ in range(4)),
    ]
    return judge_numbers(
        "intersection over union",
        attempt,
        _iou,
        [{"a": a, "b": b} for a, b in pairs],
        {
            "Boxes that lie apart in both directions have two negative sides, and their product is positive. Clamp each side "
            "at 0 before you multiply.": _over(lambda a, b: math.prod(_shared(a, b)), _union),
            "Boxes that are apart share nothing: a negative side counts as 0.": _over(
                lambda a, b: min(_shared(a, b)) * max(_shared(a, b)) if max(_shared(a, b)) > 0 else 0, _union
            ),
            "The union counts the shared part once: take the intersection off the sum of the areas.": _over(
                _common, lambda a, b, common: _area(a) + _area(b)
            ),
            "That is the intersection over the smaller box; over the union is asked.": _over(
                _common, lambda a, b, common: min(_area(a), _area(b))
            ),
            "That is the intersection over the first box; over the union is asked.": _over(
                _common, lambda a, b, common: _area(a)
            ),
            "That is the intersection over the second box; over the union is asked.": _over(
                _common, lambda a, b, common: _area(b)
            ),
            "Below the line stands the smallest box around both; the union is smaller.": _over(_common, _hull),
            "That is the shared area itself; divide it by the union.": _common,
            "You added 1 to each side. Here x1 and y1 are one past the last pixel, so a width is x1 - x0.": _counted,
            "The last two numbers are corners, not width and height.": lambda a, b: _iou(_as_corner(a), _as_corner(b)),
        },
        tolerance=1e-6,
    )


def _as_corner(box: Box) -> Box:
    """Read as x, y, width, height."""
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


# --- from what a cell puts out to a box in the image ---


def _in_image(output: Box, row: int, column: int, window: int, stride: int) -> Box:
    x, y, width, height = (value * window for value in output)
    x, y = x + column * stride, y + row * stride
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _moved(output: Box, down: float, right: float, window: float) -> Box:
    x, y, width, height = (value * window for value in output)
    return x + right - width / 2, y + down - height / 2, x + right + width / 2, y + down + height / 2


def box_in_image(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(output, row, column, window, stride)``: corners, in pixels of the image, of the box of a cell."""
    draw = random.Random(seed)
    cases = [
        ((0.5, 0.5, 0.5, 0.25), 0, 0, 32, 8),
        ((0.5, 0.25, 0.75, 0.5), 0, 2, 32, 8),
        ((0.25, 0.5, 0.5, 0.75), 1, 0, 32, 8),
        ((0.3, 0.6, 0.5, 0.7), 2, 1, 45, 16),
        *(
            (tuple(draw.randint(2, 14) / 16 for _ in range(4)), draw.randint(0, 9), draw.randint(0, 9), 224, 32)
            for _ in range(3)
        ),
    ]
    mistakes = {
        "Row and column are swapped: the column moves x, the row moves y.": (
            lambda o, r, c, w, s: _moved(o, c * s, r * s, w)
        ),
        "Each cell has its own window, `stride` pixels on: add its corner.": lambda o, r, c, w, s: _moved(o, 0, 0, w),
        "Neighboring windows overlap: they are a stride apart, not a window.": (
            lambda o, r, c, w, s: _moved(o, r * w, c * w, w)
        ),
        "Cells are not pixels: a cell is `stride` pixels from the next.": lambda o, r, c, w, s: _moved(o, r, c, w),
        "The outputs are shares of the window: multiply all four by its side.": (
            lambda o, r, c, w, s: _moved(o, r * s, c * s, 1)
        ),
        "The first two numbers are the CENTER: the corner is half a side away.": lambda o, r, c, w, s: (
            o[0] * w + c * s,
            o[1] * w + r * s,
            (o[0] + o[2]) * w + c * s,
            (o[1] + o[3]) * w + r * s,
        ),
        "The corners are HALF a side away from the center.": lambda o, r, c, w, s: _moved(
            (o[0], o[1], 2 * o[2], 2 * o[3]), r * s, c * s, w
        ),
        "You move the far corner by the cell's place, but not the near one, or the other way round.": (
            lambda o, r, c, w, s: (*_moved(o, 0, 0, w)[:2], *_moved(o, r * s, c * s, w)[2:])
        ),
        "That is the center form; asked for are two corners.": lambda o, r, c, w, s: (
            o[0] * w + c * s,
            o[1] * w + r * s,
            o[2] * w,
            o[3] * w,
        ),
        "Width and height are swapped: x, y, width, height.": lambda o, r, c, w, s: _moved(
            (o[0], o[1], o[3], o[2]), r * s, c * s, w
        ),
    }
    names = ("output", "row", "column", "window", "stride")
    return judge_boxes(
        "a cell's box in the image",
        attempt,
        _in_image,
        [dict(zip(names, case, strict=True)) for case in cases],
        mistakes,
    )


# --- the loss of a net with a box for each class ---


def per_class_loss(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(outputs, targets, labels)``: half the squared distance of the true class's box, mean over images."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def squares(outputs, targets, labels):  # (B, 4)
        return (outputs.unflatten(1, (-1, 4))[torch.arange(len(labels)), labels] - targets).square()

    def every(outputs, targets, labels):  # (B, classes, 4)
        return (outputs.unflatten(1, (-1, 4)) - targets[:, None]).square()

    def transposed(outputs, targets, labels):
        boxes = outputs.unflatten(1, (4, -1)).transpose(1, 2)
        return (boxes[torch.arange(len(labels)), labels] - targets).square()

    mistakes = {
        "Take HALF the squared distance.": lambda *a: squares(*a).sum(1).mean(),
        "Add up the four squares of a box and take the mean over images only; you took the mean over all of them.": (
            lambda *a: squares(*a).mean() / 2
        ),
        "Add up the four squares of a box, halve the sum, and take the mean over images only. Yours is torch's mse_loss.": (
            lambda *a: squares(*a).mean()
        ),
        "Take the mean over the batch, not the sum.": lambda *a: squares(*a).sum() / 2,
        "All classes' boxes count in yours. Only the TRUE class's box may: of the others nothing is known.": (
            lambda *a: every(*a).sum((1, 2)).mean() / 2
        ),
        "You average over the classes. Only the TRUE class's box may count.": lambda *a: every(*a).sum(2).mean() / 2,
        "Always the first class's box counts in yours: take that of the label.": lambda o, t, y: (
            squares(o, t, torch.zeros_like(y)).sum(1).mean() / 2
        ),
        "You read the outputs by coordinate. The four numbers of a class stand side by side: (B, classes, 4).": (
            lambda *a: transposed(*a).sum(1).mean() / 2
        ),
        "The Euclidean loss has SQUARED distances; you took the root.": lambda *a: squares(*a).sum(1).sqrt().mean() / 2,
        "You took the distance; half the SQUARE is asked.": lambda *a: squares(*a).sum(1).sqrt().mean(),
        "You took absolute values; squares are asked.": lambda *a: squares(*a).sqrt().sum(1).mean() / 2,
    }
    cases = {}
    for batch, classes in ((1, 2), (3, 3), (5, 4)):
        outputs, targets = (torch.rand(batch, n, generator=generator) for n in (4 * classes, 4))
        labels = torch.randint(1, classes, (batch,), generator=generator)
        cases[f"a batch of {batch} with {classes} classes"] = {"outputs": outputs, "targets": targets, "labels": labels}

    def target(*case):
        return squares(*case).sum(1).mean() / 2

    return judge_numbers("the loss of a box for each class", attempt, target, cases, mistakes, tolerance=1e-5)


# --- merging ---


def _distance(a: Box, b: Box) -> float:
    return math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2


def _average(a: Box, b: Box) -> Box:
    return tuple((p + q) / 2 for p, q in zip(a, b, strict=True))


def _around(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _merged(
    boxes: Sequence[Box],
    match: Callable,
    limit: float,
    *,
    join: Callable = _average,
    rounds: float = math.inf,
    pick: Callable = min,
    keep: bool = False,
    matches: Callable = operator.le,
) -> list[Box]:
    """The procedure, and variants of it that students write."""
    left = [tuple(box) for box in boxes]
    while len(left) > 1 and rounds > 0:
        pairs = [(match(left[i], left[j]), i, j) for j in range(len(left)) for i in range(j)]
        score, i, j = pick(pairs)
        if not matches(score, limit):
            break
        a, b = left[i], left[j]
        left = [box for place, box in enumerate(left) if keep or place not in (i, j)] + [join(a, b)]
        rounds = 0 if keep else rounds - 1
    return left


def _first(limit: float) -> Callable:
    """The first pair that is close enough, whichever matches best."""
    return lambda pairs: next((pair for pair in pairs if pair[0] <= limit), pairs[0])


def _by_members(boxes: Sequence[Box], match: Callable, limit: float) -> list[Box]:
    """The average of all original boxes in a group."""
    groups = [[tuple(box)] for box in boxes]

    def middle(group: list[Box]) -> Box:
        return tuple(sum(part) / len(group) for part in zip(*group, strict=True))

    while len(groups) > 1:
        pairs = [(match(middle(groups[i]), middle(groups[j])), i, j) for j in range(len(groups)) for i in range(j)]
        score, i, j = min(pairs)
        if score > limit:
            break
        groups = [g for k, g in enumerate(groups) if k not in (i, j)] + [groups[i] + groups[j]]
    return [middle(group) for group in groups]


def greedy_merge(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(boxes, match, limit)``: what is left when the best pairs have been replaced by their averages."""
    draw = random.Random(seed)

    def near(x: float, y: float) -> Box:
        x, y = x + draw.uniform(-2, 2), y + draw.uniform(-2, 2)
        return x, y, x + draw.uniform(8, 14), y + draw.uniform(8, 14)

    crowd = [near(*place) for place in [(5, 5)] * 3 + [(40, 8)] * 3 + [(22, 40)]]
    draw.shuffle(crowd)
    cases = {
        "two boxes that match": ([(0, 0, 10, 10), (2, 0, 12, 14)], 5.0),
        "two boxes that do not": ([(0, 0, 10, 10), (30, 0, 40, 10)], 5.0),
        "two boxes whose score is the limit": ([(0, 0, 10, 10), (5, 0, 15, 10)], 5.0),
        "one box": ([(1, 2, 3, 5)], 5.0),
        "three in a row": ([(0, 0, 10, 10), (4, 0, 14, 10), (5, 0, 15, 10)], 5.0),
        "four in a row": ([(0, 0, 10, 10), (3, 0, 13, 10), (7, 0, 17, 10), (8, 0, 18, 10)], 9.0),
        "seven boxes in three places": (crowd, 6.0),
    }
    mistakes: dict[str, Callable] = {
        "You merge one pair and stop. Repeat until no pair matches.": lambda *a: _merged(*a, rounds=1),
        "You merge the first pair that is close enough. Greedy means: the BEST pair of all, each time.": (
            lambda boxes, match, limit: _merged(boxes, match, limit, pick=_first(limit))
        ),
        "You merge the pair with the LARGEST score. Small means that they match.": lambda *a: _merged(*a, pick=max),
        "Both boxes leave the list when their average enters it.": lambda *a: _merged(*a, keep=True),
        "You never stop: above the limit, two boxes stay apart.": lambda *a: _merged(
            *a, matches=lambda score, limit: True
        ),
        "A score that equals the limit is a match: AT MOST the limit is asked.": (
            lambda *a: _merged(*a, matches=operator.lt)
        ),
        "You take the box around both; the average of the coordinates is asked.": lambda *a: _merged(*a, join=_around),
        "You keep one of the two boxes; their average is asked. (Keeping the better one is called suppression.)": (
            lambda *a: _merged(*a, join=lambda p, q: p)
        ),
        "You average over all boxes that were merged, each counted once. That is a good idea, but here it is the average of "
        "the TWO, whatever they were merged from.": _by_members,
        "That is the list as it was: nothing has been merged.": lambda boxes, match, limit: [tuple(b) for b in boxes],
    }
    named = {
        on: {"boxes": [tuple(map(float, box)) for box in boxes], "match": _distance, "limit": limit}
        for on, (boxes, limit) in cases.items()
    }

    def off(mine: Boxes, right: Boxes) -> float:
        return max(abs(p - q) for pair in zip(mine, right, strict=True) for p, q in zip(*pair, strict=True)) / 10

    def apart(mine: Boxes, right: Boxes) -> str:
        left, wanted = (", ".join(map(listed_box, boxes)) or "nothing" for boxes in (mine, right))
        return f"it left {left}; wanted: {wanted}."

    kind = Kind("a list of boxes is wanted", _boxes_in, _same_boxes, off, apart, _drawn)
    return judge("greedy merging", attempt, _merged, named, mistakes, kind)


def _boxes_in(answer: object) -> Boxes | None:
    """In order, for the order does not matter."""
    try:
        boxes = None if isinstance(answer, str | Mapping) else [finite_numbers(box) for box in answer]  # type: ignore[union-attr]
    except Exception:  # whatever a student returns
        return None
    if boxes is None or any(box is None or len(box) != 4 for box in boxes):
        return None
    return sorted(map(tuple, boxes))


def _same_boxes(mine: Boxes, right: Boxes) -> bool:
    return len(mine) == len(right) and all(map(close, mine, right))


def _drawn(mine: Boxes, right: Boxes) -> str:
    """The frames of both lists, each in a picture."""
    import torch

    low, high = min(min(box) for box in right), max(max(box) for box in right)
    pictures = torch.zeros(2, 64, 64)
    for picture, boxes in zip(pictures, (right, mine), strict=True):
        for box in boxes:
            x0, y0, x1, y1 = (round(12 + 40 * min(max((side - low) / (high - low), -0.25), 1.25)) for side in box)
            picture[[y0, y1], min(x0, x1) : max(x0, x1) + 1] = 1
            picture[min(y0, y1) : max(y0, y1) + 1, [x0, x1]] = 1
    return beside.grids(*pictures)


# --- the localization error ---


def localization_error(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(classes, boxes, labels, truth)``: the share of images with no guess right in class and box."""
    import torch

    from vgg_course import localization

    generator = torch.Generator().manual_seed(seed)

    def images(count: int, k: int):
        """Each with a reason of its own to be right or wrong: in turn, then drawn."""
        kinds = [*range(6), *torch.randint(0, 6, (count - 6,), generator=generator).tolist()]
        shift = torch.randint(0, 20, (count, 1), generator=generator)  # whole numbers, for an IoU of exactly one half
        truth = torch.tensor([[10.0, 10, 30, 30]]).repeat(count, 1) + shift
        labels = torch.randint(0, 5, (count,), generator=generator)
        good, bad = truth + torch.tensor([1.0, 0, 1, 0]), truth + torch.tensor([15.0, 0, 15, 0])
        classes = torch.stack([(labels + 1 + i) % 5 for i in range(k)], 1)
        boxes = bad[:, None].repeat(1, k, 1)
        for i, kind in enumerate(kinds):
            if kind == 0:  # the first guess is right
                classes[i, 0], boxes[i, 0] = labels[i], good[i]
            elif kind == 1:  # the last guess is right
                classes[i, -1], boxes[i, -1] = labels[i], good[i]
            elif kind == 2:  # the right class with a bad box, and a good box with a wrong class
                classes[i, 0], boxes[i, -1] = labels[i], good[i]
            elif kind == 3:  # good boxes, wrong classes
                boxes[i] = good[i]
            elif kind == 4:  # an IoU of exactly one half
                classes[i, 0], boxes[i, 0] = labels[i], truth[i] + torch.tensor([0.0, 0, 20, 0])
            # kind 5: nothing is right
        return {"classes": classes, "boxes": boxes, "labels": labels, "truth": truth}

    def named(classes, labels):
        return classes == labels[:, None]

    def placed(boxes, truth, least=0.5):
        return localization.iou(boxes, truth[:, None]) > least

    def error(right) -> float:
        return 1 - float(right.float().mean())

    def target(c, b, y, t) -> float:
        return error((named(c, y) & placed(b, t)).any(1))

    mistakes: dict[str, Callable] = {
        "That is the share of images that are right; the error is the rest.": lambda *case: 1 - target(*case),
        "A share from 0 to 1 is asked, not percent.": lambda *case: 100 * target(*case),
        "That is how many images are wrong; divide by their number.": lambda *case: len(case[0]) * target(*case),
        "Only the first guess counts in yours. ANY of the k will do.": lambda c, b, y, t: error(
            (named(c, y) & placed(b, t))[:, 0]
        ),
        "Class and box must be right in the SAME guess.": lambda c, b, y, t: error(
            named(c, y).any(1) & placed(b, t).any(1)
        ),
        "The class does not matter in yours.": lambda c, b, y, t: error(placed(b, t).any(1)),
        "The box does not matter in yours: that is the classification error.": lambda c, b, y, t: error(
            named(c, y).any(1)
        ),
        "An IoU of exactly 0.5 is not enough: it must be above.": lambda c, b, y, t: error(
            (named(c, y) & (localization.iou(b, t[:, None]) >= 0.5)).any(1)
        ),
        "All guesses must be right in yours. ANY of the k will do.": lambda c, b, y, t: error(
            (named(c, y) & placed(b, t)).all(1)
        ),
        "That is the share of guesses that are wrong; count images, each once.": lambda c, b, y, t: error(
            named(c, y) & placed(b, t)
        ),
    }
    cases = {
        f"{count} images with {k} guess{'es' * (k > 1)} each": images(count, k)
        for count, k in ((6, 1), (13, 2), (23, 5))
    }
    return judge_numbers("localization error", attempt, target, cases, mistakes, tolerance=1e-5)
