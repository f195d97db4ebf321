"""What only the checkers of the chapter on new heads do, and the wrong answers that they explain."""

import math

import torch
from torch.nn import functional

from vgg_course import backbone, check


def traced(layers):
    jump = field = 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return jump, field


def deepest(side, jumps):
    return [name for name, jump in jumps.items() if 2 * jump - 1 <= side][-1]


def found(predicted, truth, classes):
    for c in range(classes):
        p, t = predicted == c, truth == c
        yield int((p & t).sum()), int(p.sum()), int(t.sum())


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def iou(*case):
    return mean(both / (p + t - both) for both, p, t in found(*case) if p + t)


def pooled(maps, box, size):
    x0, y0, x1, y1 = box
    return functional.adaptive_max_pool2d(maps[:, y0:y1, x0:x1], size)


def test_the_courses_own_functions_pass():
    assert check.dilated_span(backbone.span)
    assert check.mean_iou(lambda p, t, classes: backbone.mean_iou(backbone.counts(p, t, classes)))
    assert check.roi_pool(lambda maps, box, size: backbone.roi_pool(maps, (*box[:2], box[2] - 1, box[3] - 1), 1, size))


def test_layers_that_were_changed_in_place_are_no_crash():
    assert check.jump_and_field(lambda layers: layers.pop()).status == "wrong"
    assert check.deepest_stage(lambda side, jumps: jumps.clear() or "pool1").status == "wrong"


def test_what_is_no_stage_is_told_which_there_are():
    for answer in ("pool9", 4):
        assert "'conv5_3'" in check.deepest_stage(lambda side, jumps, answer=answer: answer).message


def variant(grow=lambda j, k, s, d: (k - 1) * d * j, move=lambda j, s, d: j * s):
    def attempt(layers):
        jump = field = 1
        for kernel, stride, dilation in layers:
            field += grow(jump, kernel, stride, dilation)
            jump = move(jump, stride, dilation)
        return jump, field

    return attempt


def backward_rule_forward(layers):
    jump = field = 1
    for kernel, stride, dilation in layers:
        field = (field - 1) * stride + (kernel - 1) * dilation + 1
        jump *= stride
    return jump, field


def choice(fits, pick=-1):
    return lambda side, jumps: ([name for name, jump in jumps.items() if fits(side, jump)] or ["image"])[pick]


def score(ratio, which=lambda b, p, t: p + t, first=0):
    return lambda *case: mean(ratio(*f) for f in list(found(*case))[first:] if which(*f))


def over_union(b, p, t):
    return b / (p + t - b)


def by_bins(low=math.floor, high=math.ceil, take=lambda part: part.amax((1, 2))):
    def attempt(maps, box, size):
        x0, y0, x1, y1 = box
        part = maps[:, y0:y1, x0:x1]
        answer = torch.zeros(len(maps), size, size)
        for i in range(size):
            for j in range(size):
                (a, b), (c, d) = (
                    (low(k * n / size), max(high((k + 1) * n / size), low(k * n / size) + 1))
                    for k, n in ((i, part.shape[1]), (j, part.shape[2]))
                )
                answer[:, i, j] = take(part[:, a:b, c:d])
        return answer

    return attempt


def xy(maps, box, size):
    y0, x0, y1, x1 = box
    return functional.adaptive_max_pool2d(maps[:, y0 : min(y1, maps.shape[1]), x0 : min(x1, maps.shape[2])], size)


WRONG = [
    (check.dilated_span, lambda k, d: k * d, "k - 1 steps"),
    (check.dilated_span, lambda k, d: (k - 1) * d, "first cell"),
    (check.dilated_span, lambda k, d: k, "holes between"),
    (check.dilated_span, lambda k, d: k + (k - 1) * d, "d - 1 cells free"),
    (check.dilated_span, lambda k, d: (k - 1) * d // 2, "padding"),
    (check.jump_and_field, lambda layers: traced(layers)[::-1], "swapped"),
    (check.jump_and_field, variant(lambda j, k, s, d: (k - 1) * j), "dilation is missing"),
    (check.jump_and_field, variant(move=lambda j, s, d: j * s * d), "moves no window"),
    (check.jump_and_field, variant(lambda j, k, s, d: (k - 1) * d * j * s), "BEFORE"),
    (check.jump_and_field, variant(lambda j, k, s, d: (k - 1) * d), "multiply by it"),
    (check.jump_and_field, variant(lambda j, k, s, d: k * d * j), "k - 1 steps"),
    (check.jump_and_field, variant(lambda j, k, s, d: (k * d - 1) * j), "k * dilation"),
    (
        check.jump_and_field,
        lambda layers: (1 + sum(s - 1 for _, s, _ in layers), traced(layers)[1]),
        "Strides multiply",
    ),
    (check.jump_and_field, backward_rule_forward, "from the last layer to the image"),
    (check.deepest_stage, choice(lambda n, j: j <= n), "only by luck"),
    (check.deepest_stage, choice(lambda n, j: 2 * j <= n), "one pixel too strict"),
    (check.deepest_stage, choice(lambda n, j: 3 * j - 1 <= n), "far too strict"),
    (check.deepest_stage, choice(lambda n, j: 2 * j - 1 <= n, 0), "DEEPEST"),
    (
        check.deepest_stage,
        lambda n, jumps: next(s for s, j in jumps.items() if j == jumps[deepest(n, jumps)]),
        "later one is deeper",
    ),
    (check.deepest_stage, lambda n, jumps: list(jumps)[-1], "whatever the object's size"),
    (check.mean_iou, lambda p, t, n: (p == t).float().mean(), "share of pixels"),
    (check.mean_iou, lambda *c: sum(over_union(*f) for f in found(*c) if f[1] + f[2]) / c[2], "counts as 0"),
    (check.mean_iou, lambda *c: mean(over_union(*f) if f[1] + f[2] else 1.0 for f in found(*c)), "counts as 1"),
    (check.mean_iou, score(over_union, lambda b, p, t: t), "predicted and not there"),
    (check.mean_iou, score(over_union, lambda b, p, t: p), "never predicted"),
    (check.mean_iou, score(over_union, lambda b, p, t: b), "with a hit"),
    (check.mean_iou, score(lambda b, p, t: b / t if t else 0), "true pixels"),
    (check.mean_iou, score(lambda b, p, t: b / p if p else 0), "predicted pixels"),
    (check.mean_iou, score(lambda b, p, t: b / (p + t)), "once"),
    (check.mean_iou, score(lambda b, p, t: 2 * b / (p + t)), "Dice"),
    (check.mean_iou, score(over_union, first=1), "background"),
    (
        check.mean_iou,
        lambda p, t, n: mean((p[(p == c) | (t == c)] == t[(p == c) | (t == c)]).float().mean() for c in range(n)),
        "0 divided by 0",
    ),
    (
        check.mean_iou,
        lambda *c: sum(f[2] * over_union(*f) for f in found(*c) if f[2]) / c[1].numel(),
        "weigh the classes",
    ),
    (check.mean_iou, lambda *c: over_union(*map(sum, zip(*found(*c), strict=True))), "add up the pixels"),
    (check.roi_pool, by_bins(take=lambda part: part.mean((1, 2))), "mean of each part"),
    (check.roi_pool, by_bins(high=math.floor), "Round the end UP"),
    (check.roi_pool, by_bins(low=math.ceil), "Round it DOWN"),
    (check.roi_pool, lambda *c: pooled(*c).mT, "Rows and columns"),
    (check.roi_pool, xy, "LAST dimension"),
    (check.roi_pool, lambda maps, box, size: functional.adaptive_max_pool2d(maps, size), "cut the box out"),
    (check.roi_pool, lambda m, b, s: pooled(m, (b[0], b[1], b[2] - 1, b[3] - 1), s), "leave out the last"),
    (check.roi_pool, lambda m, b, s: pooled(m, (b[0], b[1], b[2] + 1, b[3] + 1), s), "a cell too far"),
    (check.roi_pool, lambda *c: pooled(*c).clamp(min=0), "not with zeros"),
]
