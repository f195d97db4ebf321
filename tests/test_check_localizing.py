"""The checkers of the chapter that finds where an object is have teeth."""

import math

import pytest
import torch

from vgg_course import check, localization


def sides(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])


def common(a, b):
    return math.prod(max(0, side) for side in sides(a, b))


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def ratio(a, b):
    return common(a, b) / (area(a) + area(b) - common(a, b))


def in_image(output, row, column, window, stride):
    x, y, w, h = output
    x, y, w, h = x * window + column * stride, y * window + row * stride, w * window, h * window
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def loss(outputs, targets, labels):
    return sum(((o.view(-1, 4)[y] - t) ** 2).sum() / 2 for o, t, y in zip(outputs, targets, labels, strict=True)) / len(
        labels
    )


def merge(boxes, match, limit, once=False):
    boxes = list(boxes)
    while len(boxes) > 1:
        score, i, j = min(
            (match(boxes[i], boxes[j]), i, j) for i in range(len(boxes)) for j in range(i + 1, len(boxes))
        )
        if score > limit:
            break
        average = [(p + q) / 2 for p, q in zip(boxes[i], boxes[j], strict=True)]
        boxes = [box for k, box in enumerate(boxes) if k not in (i, j)] + [average]
        if once:
            break
    return boxes


def error(classes, boxes, labels, truth):
    wrong = 0
    for i in range(len(labels)):
        right = False
        for c, box in zip(classes[i], boxes[i], strict=True):
            right = right or (c == labels[i] and localization.iou(box, truth[i]) > 0.5)
        wrong += not right
    return wrong / len(labels)


SOLUTIONS = {
    check.iou: ratio,
    check.box_in_image: in_image,
    check.per_class_loss: loss,
    check.greedy_merge: merge,
    check.localization_error: error,
}
named = pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)


@named
@pytest.mark.parametrize("seed", range(6))
def test_the_solution_passes_with_every_seed(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


@named
@pytest.mark.parametrize(
    "answer",
    ["many", float("nan"), (1, 2, float("inf"), 3), [[1, 2]], [torch.zeros(2), 1], True, object(), torch.zeros(3, 3)],
)
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, answer):
    verdict = checker(lambda *arguments: answer)
    assert verdict.status == "wrong"
    assert "returned" in verdict.message


def test_tensors_are_answers_too():
    assert check.iou(lambda a, b: torch.tensor(ratio(a, b), dtype=torch.float64))
    assert check.box_in_image(lambda *a: torch.tensor(in_image(*a)))
    assert check.per_class_loss(lambda *a: float(loss(*a)))
    assert check.greedy_merge(lambda *a: torch.tensor(merge(*a)))
    assert check.localization_error(lambda *a: torch.tensor(error(*a)))


def test_the_courses_own_functions_pass():
    assert check.iou(lambda a, b: localization.iou(torch.tensor(a).double(), torch.tensor(b).double()))
    assert check.per_class_loss(localization.box_loss)
    assert check.localization_error(
        lambda c, b, y, t: localization.judge(localization.Guesses(c, b), y, t).error,
    )


def over(common, whole):
    return lambda a, b: common(a, b) / whole(a, b)


def union(a, b):
    return area(a) + area(b) - common(a, b)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda a, b: math.prod(sides(a, b)) / (area(a) + area(b) - math.prod(sides(a, b))), "product is positive"),
        (over(common, lambda a, b: area(a) + area(b)), "counts the shared part once"),
        (over(common, lambda a, b: min(area(a), area(b))), "smaller box"),
        (over(common, lambda a, b: area(a)), "first box"),
        (over(common, lambda a, b: area(b)), "second box"),
        (common, "divide it by the union"),
        (
            over(common, lambda a, b: (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))),
            "smallest box around both",
        ),
        (lambda a, b: ratio((*a[:2], a[2] + 1, a[3] + 1), (*b[:2], b[2] + 1, b[3] + 1)), "added 1"),
        (
            lambda a, b: ratio((*a[:2], a[0] + a[2], a[1] + a[3]), (*b[:2], b[0] + b[2], b[1] + b[3])),
            "corners, not width and height",
        ),
        (lambda a, b: 0.5, "not 1"),
    ],
)
def test_a_wrong_overlap_is_explained(attempt, words):
    verdict = check.iou(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def variant(
    x=lambda o, r, c, w, s: o[0] * w + c * s, y=lambda o, r, c, w, s: o[1] * w + r * s, w=2, h=3, near=0.5, far=0.5
):
    def attempt(*given):
        middle, size = (x(*given), y(*given)), (given[0][w] * given[3], given[0][h] * given[3])
        low = [m - near * s for m, s in zip(middle, size, strict=True)]
        return [*low, *(m + far * s for m, s in zip(middle, size, strict=True))]

    return attempt


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (variant(lambda o, r, c, w, s: o[0] * w + r * s, lambda o, r, c, w, s: o[1] * w + c * s), "are swapped"),
        (variant(lambda o, r, c, w, s: o[0] * w, lambda o, r, c, w, s: o[1] * w), "add its corner"),
        (variant(lambda o, r, c, w, s: (o[0] + c) * w, lambda o, r, c, w, s: (o[1] + r) * w), "a stride apart"),
        (variant(lambda o, r, c, w, s: o[0] * w + c, lambda o, r, c, w, s: o[1] * w + r), "Cells are not pixels"),
        (lambda o, r, c, w, s: in_image([v / w for v in o], r, c, w, s), "multiply all four"),
        (variant(near=0, far=1), "CENTER"),
        (variant(near=1, far=1), "HALF a side"),
        (variant(w=3, h=2), "Width and height"),
        (lambda o, r, c, w, s: [o[0] * w + c * s, o[1] * w + r * s, o[2] * w, o[3] * w], "center form"),
        (lambda o, r, c, w, s: [*in_image(o, 0, 0, w, s)[:2], *in_image(o, r, c, w, s)[2:]], "far corner"),
        (lambda *a: [0, 0, 1, 1], "not (8, 12, 24, 20)"),
    ],
)
def test_a_wrong_place_is_explained(attempt, words):
    verdict = check.box_in_image(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def apart(outputs, targets, labels):
    return outputs.view(len(labels), -1, 4)[range(len(labels)), labels] - targets


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a: 2 * loss(*a), "HALF"),
        (lambda *a: loss(*a) / 4, "mean over images only"),
        (lambda *a: loss(*a) / 2, "mse_loss"),
        (lambda *a: loss(*a) * len(a[2]), "not the sum"),
        (
            lambda o, t, y: ((o.view(len(y), -1, 4) - t[:, None]) ** 2).sum() / len(y) / 2,
            "All classes",
        ),
        (lambda o, t, y: ((o.view(len(y), -1, 4) - t[:, None]) ** 2).sum(2).mean() / 2, "average over the classes"),
        (lambda o, t, y: loss(o, t, torch.zeros_like(y)), "first class"),
        (
            lambda o, t, y: ((o.view(len(y), 4, -1)[range(len(y)), :, y] - t) ** 2).sum(1).mean() / 2,
            "by coordinate",
        ),
        (lambda *a: apart(*a).norm(dim=1).mean() / 2, "took the root"),
        (lambda *a: apart(*a).norm(dim=1).mean(), "took the distance"),
        (lambda *a: apart(*a).abs().sum(1).mean() / 2, "absolute"),
        (lambda *a: loss(*a) if len(a[2]) == 1 else 0.0, "right for one image"),
    ],
)
def test_a_wrong_loss_is_explained(attempt, words):
    verdict = check.per_class_loss(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def merge_like(boxes, match, limit, pick=min, join=None, stops=True):
    boxes, join = list(boxes), join or (lambda a, b: [(p + q) / 2 for p, q in zip(a, b, strict=True)])
    while len(boxes) > 1:
        pairs = [(match(boxes[i], boxes[j]), i, j) for j in range(len(boxes)) for i in range(j)]
        score, i, j = pick(pairs)
        if stops and score > limit:
            break
        boxes = [box for k, box in enumerate(boxes) if k not in (i, j)] + [join(boxes[i], boxes[j])]
    return boxes


def first_below(boxes, match, limit):
    return merge_like(boxes, match, limit, pick=lambda pairs: next((p for p in pairs if p[0] <= limit), pairs[0]))


def around(a, b):
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a: merge(*a, once=True), "Repeat"),
        (first_below, "BEST pair"),
        (lambda *a: merge_like(*a, pick=max), "LARGEST"),
        (lambda *a: merge_like(*a, stops=False), "never stop"),
        (lambda *a: merge_like(*a, join=around), "box around both"),
        (lambda *a: merge_like(*a, join=lambda p, q: p), "suppression"),
        (lambda boxes, match, limit: boxes, "nothing has been merged"),
        (lambda boxes, match, limit: [], "it left nothing"),
    ],
)
def test_a_wrong_merging_is_explained(attempt, words):
    verdict = check.greedy_merge(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def right(classes, boxes, labels, truth):
    return classes == labels[:, None], localization.iou(boxes, truth[:, None]) > 0.5


def share(some):
    return 1 - some.float().mean()


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a: 1 - error(*a), "share of images that are right"),
        (lambda *a: 100 * error(*a), "percent"),
        (lambda c, b, y, t: error(c[:, :1], b[:, :1], y, t), "Only the first guess"),
        (lambda *a: share(right(*a)[0].any(1) & right(*a)[1].any(1)), "SAME guess"),
        (lambda *a: share(right(*a)[1].any(1)), "class does not matter"),
        (lambda *a: share(right(*a)[0].any(1)), "box does not matter"),
        (
            lambda c, b, y, t: share(((c == y[:, None]) & (localization.iou(b, t[:, None]) >= 0.5)).any(1)),
            "exactly 0.5",
        ),
        (lambda *a: share((right(*a)[0] & right(*a)[1]).all(1)), "All guesses"),
        (lambda *a: share(right(*a)[0] & right(*a)[1]), "share of guesses"),
        (lambda *a: 0.123, "not"),
    ],
)
def test_a_wrong_error_is_explained(attempt, words):
    verdict = check.localization_error(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict
