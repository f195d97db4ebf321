"""What only the checkers of the chapter on localization do, and the wrong answers that they explain."""

import math

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


def test_boxes_that_were_merged_may_come_in_any_order():
    assert check.greedy_merge(lambda *a: merge(*a)[::-1])


def test_the_error_cannot_be_told_from_the_number_of_images():
    seen = []
    for seed in range(4):
        check.localization_error(lambda *a: seen.append(round(error(*a), 6)) or error(*a), seed=seed)
    assert len(set(seen)) >= 5


def test_what_is_left_is_drawn_beside_what_should_be():
    assert check.greedy_merge(lambda boxes, match, limit: boxes).picture.count("<img") == 3
    assert "it left nothing" in check.greedy_merge(lambda boxes, match, limit: []).message
    assert check.greedy_merge(lambda boxes, match, limit: [(9, -1e308, 1e308, 8)]).picture


def over(common, whole):
    return lambda a, b: common(a, b) / whole(a, b)


def union(a, b):
    return area(a) + area(b) - common(a, b)


def clamped_together(a, b):
    shared = 0 if max(sides(a, b)) < 0 else math.prod(sides(a, b))
    return shared / (area(a) + area(b) - shared)


def variant(
    x=lambda o, r, c, w, s: o[0] * w + c * s, y=lambda o, r, c, w, s: o[1] * w + r * s, w=2, h=3, near=0.5, far=0.5
):
    def attempt(*given):
        middle, size = (x(*given), y(*given)), (given[0][w] * given[3], given[0][h] * given[3])
        low = [m - near * s for m, s in zip(middle, size, strict=True)]
        return [*low, *(m + far * s for m, s in zip(middle, size, strict=True))]

    return attempt


def apart(outputs, targets, labels):
    return outputs.view(len(labels), -1, 4)[range(len(labels)), labels] - targets


def merge_like(boxes, match, limit, pick=min, join=None, stops=True, keep=False):
    boxes, join = list(boxes), join or (lambda a, b: [(p + q) / 2 for p, q in zip(a, b, strict=True)])
    while len(boxes) > 1:
        pairs = [(match(boxes[i], boxes[j]), i, j) for j in range(len(boxes)) for i in range(j)]
        score, i, j = pick(pairs)
        if stops and score > limit:
            break
        boxes = [box for k, box in enumerate(boxes) if keep or k not in (i, j)] + [join(boxes[i], boxes[j])]
        if keep:
            break
    return boxes


def by_members(boxes, match, limit):
    """The average of all that were merged into one, by their weights."""
    boxes, weights = list(boxes), [1] * len(boxes)
    while len(boxes) > 1:
        score, i, j = min((match(boxes[i], boxes[j]), i, j) for j in range(len(boxes)) for i in range(j))
        if score > limit:
            break
        both = weights[i] + weights[j]
        average = [(weights[i] * p + weights[j] * q) / both for p, q in zip(boxes[i], boxes[j], strict=True)]
        rest = [k for k in range(len(boxes)) if k not in (i, j)]
        boxes, weights = [boxes[k] for k in rest] + [average], [weights[k] for k in rest] + [both]
    return boxes


def first_below(boxes, match, limit):
    return merge_like(boxes, match, limit, pick=lambda pairs: next((p for p in pairs if p[0] <= limit), pairs[0]))


def around(a, b):
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]


def right(classes, boxes, labels, truth):
    return classes == labels[:, None], localization.iou(boxes, truth[:, None]) > 0.5


def share(some):
    return 1 - some.float().mean()


WRONG = [
    (
        check.iou,
        lambda a, b: math.prod(sides(a, b)) / (area(a) + area(b) - math.prod(sides(a, b))),
        "product is positive",
    ),
    (check.iou, clamped_together, "a negative side counts as 0"),
    (check.iou, over(common, lambda a, b: area(a) + area(b)), "counts the shared part once"),
    (check.iou, over(common, lambda a, b: min(area(a), area(b))), "smaller box"),
    (check.iou, over(common, lambda a, b: area(a)), "first box"),
    (check.iou, over(common, lambda a, b: area(b)), "second box"),
    (check.iou, common, "divide it by the union"),
    (
        check.iou,
        over(common, lambda a, b: (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))),
        "smallest box around both",
    ),
    (check.iou, lambda a, b: ratio((*a[:2], a[2] + 1, a[3] + 1), (*b[:2], b[2] + 1, b[3] + 1)), "added 1"),
    (
        check.iou,
        lambda a, b: ratio((*a[:2], a[0] + a[2], a[1] + a[3]), (*b[:2], b[0] + b[2], b[1] + b[3])),
        "corners, not width and height",
    ),
    (
        check.box_in_image,
        variant(lambda o, r, c, w, s: o[0] * w + r * s, lambda o, r, c, w, s: o[1] * w + c * s),
        "are swapped",
    ),
    (check.box_in_image, variant(lambda o, r, c, w, s: o[0] * w, lambda o, r, c, w, s: o[1] * w), "add its corner"),
    (
        check.box_in_image,
        variant(lambda o, r, c, w, s: (o[0] + c) * w, lambda o, r, c, w, s: (o[1] + r) * w),
        "a stride apart",
    ),
    (
        check.box_in_image,
        variant(lambda o, r, c, w, s: o[0] * w + c, lambda o, r, c, w, s: o[1] * w + r),
        "Cells are not pixels",
    ),
    (check.box_in_image, lambda o, r, c, w, s: in_image([v / w for v in o], r, c, w, s), "multiply all four"),
    (check.box_in_image, variant(near=0, far=1), "CENTER"),
    (check.box_in_image, variant(near=1, far=1), "HALF a side"),
    (check.box_in_image, variant(w=3, h=2), "Width and height"),
    (check.box_in_image, lambda o, r, c, w, s: [o[0] * w + c * s, o[1] * w + r * s, o[2] * w, o[3] * w], "center form"),
    (
        check.box_in_image,
        lambda o, r, c, w, s: [*in_image(o, 0, 0, w, s)[:2], *in_image(o, r, c, w, s)[2:]],
        "far corner",
    ),
    (check.per_class_loss, lambda *a: 2 * loss(*a), "HALF"),
    (check.per_class_loss, lambda *a: loss(*a) / 4, "mean over images only"),
    (check.per_class_loss, lambda *a: loss(*a) / 2, "mse_loss"),
    (check.per_class_loss, lambda *a: loss(*a) * len(a[2]), "not the sum"),
    (
        check.per_class_loss,
        lambda o, t, y: ((o.view(len(y), -1, 4) - t[:, None]) ** 2).sum() / len(y) / 2,
        "All classes",
    ),
    (
        check.per_class_loss,
        lambda o, t, y: ((o.view(len(y), -1, 4) - t[:, None]) ** 2).sum(2).mean() / 2,
        "average over the classes",
    ),
    (check.per_class_loss, lambda o, t, y: loss(o, t, torch.zeros_like(y)), "first class"),
    (
        check.per_class_loss,
        lambda o, t, y: ((o.view(len(y), 4, -1)[range(len(y)), :, y] - t) ** 2).sum(1).mean() / 2,
        "by coordinate",
    ),
    (check.per_class_loss, lambda *a: apart(*a).norm(dim=1).mean() / 2, "took the root"),
    (check.per_class_loss, lambda *a: apart(*a).norm(dim=1).mean(), "took the distance"),
    (check.per_class_loss, lambda *a: apart(*a).abs().sum(1).mean() / 2, "absolute"),
    (check.greedy_merge, lambda *a: merge(*a, once=True), "Repeat"),
    (check.greedy_merge, first_below, "BEST pair"),
    (check.greedy_merge, lambda *a: merge_like(*a, pick=max), "LARGEST"),
    (check.greedy_merge, lambda *a: merge_like(*a, stops=False), "never stop"),
    (check.greedy_merge, lambda boxes, match, limit: merge(boxes, match, limit - 1e-9), "AT MOST the limit"),
    (check.greedy_merge, lambda *a: merge_like(*a, join=around), "box around both"),
    (check.greedy_merge, lambda *a: merge_like(*a, join=lambda p, q: p), "suppression"),
    (check.greedy_merge, lambda *a: merge_like(*a, keep=True), "leave the list"),
    (check.greedy_merge, by_members, "each counted once"),
    (check.greedy_merge, lambda boxes, match, limit: boxes, "nothing has been merged"),
    (check.localization_error, lambda *a: 1 - error(*a), "share of images that are right"),
    (check.localization_error, lambda *a: 100 * error(*a), "percent"),
    (check.localization_error, lambda *a: len(a[2]) * error(*a), "divide by their number"),
    (check.localization_error, lambda c, b, y, t: error(c[:, :1], b[:, :1], y, t), "Only the first guess"),
    (check.localization_error, lambda *a: share(right(*a)[0].any(1) & right(*a)[1].any(1)), "SAME guess"),
    (check.localization_error, lambda *a: share(right(*a)[1].any(1)), "class does not matter"),
    (check.localization_error, lambda *a: share(right(*a)[0].any(1)), "box does not matter"),
    (
        check.localization_error,
        lambda c, b, y, t: share(((c == y[:, None]) & (localization.iou(b, t[:, None]) >= 0.5)).any(1)),
        "exactly 0.5",
    ),
    (check.localization_error, lambda *a: share((right(*a)[0] & right(*a)[1]).all(1)), "All guesses"),
    (check.localization_error, lambda *a: share(right(*a)[0] & right(*a)[1]), "share of guesses"),
]
