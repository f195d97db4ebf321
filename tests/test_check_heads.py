"""The checkers of the chapter that gives a net a new head have teeth."""

import math

import pytest
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


SOLUTIONS = {
    check.dilated_span: lambda kernel, dilation: (kernel - 1) * dilation + 1,
    check.jump_and_field: traced,
    check.deepest_stage: deepest,
    check.mean_iou: iou,
    check.roi_pool: pooled,
}
named = pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)


@named
@pytest.mark.parametrize("seed", range(6))
def test_the_solution_passes_with_every_seed(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


def test_the_courses_own_functions_pass():
    assert check.dilated_span(backbone.span)
    assert check.mean_iou(lambda p, t, classes: backbone.mean_iou(backbone.counts(p, t, classes)))
    assert check.roi_pool(lambda maps, box, size: backbone.roi_pool(maps, (*box[:2], box[2] - 1, box[3] - 1), 1, size))


def test_a_tensor_changed_in_place_changes_no_case():
    def careless(predicted, truth, classes):
        answer = iou(predicted, truth, classes)
        predicted.zero_(), truth.zero_()
        return torch.tensor(answer)

    assert check.mean_iou(careless)

    def careless_pool(maps, box, size):
        answer = pooled(maps, box, size).clone()
        maps.zero_()
        return answer

    assert check.roi_pool(careless_pool)


def test_layers_that_were_changed_in_place_are_no_crash():
    assert check.jump_and_field(lambda layers: layers.pop()).status == "wrong"
    assert check.deepest_stage(lambda side, jumps: jumps.clear() or "pool1").status == "wrong"


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda k, d: k * d, "k - 1 steps"),
        (lambda k, d: (k - 1) * d, "first cell"),
        (lambda k, d: k, "holes between"),
        (lambda k, d: k + (k - 1) * d, "d - 1 cells free"),
        (lambda k, d: (k - 1) * d // 2, "padding"),
        (lambda k, d: 3.5, "not 3"),
    ],
)
def test_a_wrong_span_is_explained(attempt, words):
    verdict = check.dilated_span(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def variant(grow=lambda j, k, s, d: (k - 1) * d * j, move=lambda j, s, d: j * s):
    def attempt(layers):
        jump = field = 1
        for kernel, stride, dilation in layers:
            field += grow(jump, kernel, stride, dilation)
            jump = move(jump, stride, dilation)
        return jump, field

    return attempt


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda layers: traced(layers)[::-1], "swapped"),
        (variant(lambda j, k, s, d: (k - 1) * j), "dilation is missing"),
        (variant(move=lambda j, s, d: j * s * d), "moves no window"),
        (variant(lambda j, k, s, d: (k - 1) * d * j * s), "BEFORE"),
        (variant(lambda j, k, s, d: (k - 1) * d), "multiply by it"),
        (variant(lambda j, k, s, d: k * d * j), "k - 1 steps"),
        (variant(lambda j, k, s, d: (k * d - 1) * j), "k * dilation"),
        (lambda layers: (1 + sum(s - 1 for _, s, _ in layers), traced(layers)[1]), "Strides multiply"),
        (lambda layers: (1, 3), "not"),
    ],
)
def test_a_wrong_jump_or_field_is_explained(attempt, words):
    verdict = check.jump_and_field(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def test_the_backward_rule_is_recognized():
    def backward_rule_forward(layers):
        jump = field = 1
        for kernel, stride, dilation in layers:
            field = (field - 1) * stride + (kernel - 1) * dilation + 1
            jump *= stride
        return jump, field

    verdict = check.jump_and_field(backward_rule_forward)
    assert "from the last layer to the image" in verdict.message


def choice(fits, pick=-1):
    return lambda side, jumps: ([name for name, jump in jumps.items() if fits(side, jump)] or ["image"])[pick]


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (choice(lambda n, j: j <= n), "only by luck"),
        (choice(lambda n, j: 2 * j <= n), "too strict"),
        (choice(lambda n, j: 3 * j - 1 <= n), "far too strict"),
        (choice(lambda n, j: 2 * j - 1 <= n, 0), "DEEPEST"),
        (lambda n, jumps: next(s for s, j in jumps.items() if j == jumps[deepest(n, jumps)]), "later one is deeper"),
        (lambda n, jumps: list(jumps)[-1], "whatever the object's size"),
        (lambda n, jumps: jumps[deepest(n, jumps)], "name of a stage"),
        (lambda n, jumps: "pool9", "name of a stage"),
    ],
)
def test_a_wrong_stage_is_explained(attempt, words):
    verdict = check.deepest_stage(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def score(ratio, which=lambda b, p, t: p + t, first=0):
    return lambda *case: mean(ratio(*f) for f in list(found(*case))[first:] if which(*f))


def over_union(b, p, t):
    return b / (p + t - b)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda p, t, n: (p == t).float().mean(), "share of pixels"),
        (lambda *c: sum(over_union(*f) for f in found(*c) if f[1] + f[2]) / c[2], "counts as 0"),
        (lambda *c: mean(over_union(*f) if f[1] + f[2] else 1.0 for f in found(*c)), "counts as 1"),
        (score(over_union, lambda b, p, t: t), "predicted and not there"),
        (score(over_union, lambda b, p, t: p), "never predicted"),
        (score(over_union, lambda b, p, t: b), "with a hit"),
        (score(lambda b, p, t: b / t if t else 0), "true pixels"),
        (score(lambda b, p, t: b / p if p else 0), "predicted pixels"),
        (score(lambda b, p, t: b / (p + t)), "once"),
        (score(lambda b, p, t: 2 * b / (p + t)), "Dice"),
        (score(over_union, first=1), "background"),
        (lambda *c: float("nan"), "0 divided by 0"),
        (lambda *c: 0.123, "not"),
    ],
)
def test_a_wrong_mean_iou_is_explained(attempt, words):
    verdict = check.mean_iou(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


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


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (by_bins(take=lambda part: part.mean((1, 2))), "mean of each part"),
        (by_bins(high=math.floor), "Round the end UP"),
        (by_bins(low=math.ceil), "Round it DOWN"),
        (lambda *c: pooled(*c).mT, "Rows and columns"),
        (xy, "LAST dimension"),
        (lambda maps, box, size: functional.adaptive_max_pool2d(maps, size), "cut the box out"),
        (lambda m, b, s: pooled(m, (b[0], b[1], b[2] - 1, b[3] - 1), s), "leave out the last"),
        (lambda m, b, s: pooled(m, (b[0], b[1], b[2] + 1, b[3] + 1), s), "a cell too far"),
        (lambda *c: pooled(*c).clamp(min=0), "not with zeros"),
        (lambda m, b, s: pooled(m, b, s)[0], "shape"),
        (lambda m, b, s: pooled(m, b, s).tolist(), "a tensor"),
        (lambda m, b, s: torch.zeros(len(m), s, s), "not"),
    ],
)
def test_a_wrong_pooling_is_explained(attempt, words):
    verdict = check.roi_pool(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict
