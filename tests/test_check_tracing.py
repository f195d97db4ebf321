"""The checkers of the chapter on receptive fields have teeth."""

import re

import pytest

from vgg_course import check
from vgg_course.check.tracing import SIZE_MISTAKES
from vgg_course.configuration import CONFIGURATIONS
from vgg_course.receptive_field import receptive_field, window_of


def size(layers, start=1, add=lambda k, s, j: (k - 1) * j, jump_to=lambda j, s: j * s):
    total, jump = start, 1
    for k, s in layers:
        total, jump = total + add(k, s, jump), jump_to(jump, s)
    return total


def backward(layers):
    total = 1
    for k, s in reversed(layers):
        total = (total - 1) * s + k
    return total


def popular(layers):
    return backward(layers[::-1])


def doubling(layers):
    total = 1
    for k, s in layers:
        total = total * 2 if (k, s) == (2, 2) else total + k - 1
    return total


def start(layers, index, shift=lambda p, j, s: p * j, step=lambda j: j):
    first, jump = 0, 1
    for _, s, p in layers:
        first, jump = first - shift(p, jump, s), jump * s
    return first + index * step(jump)


SOLUTIONS = {
    check.field_size: size,
    check.first_pixel: start,
    check.convolutions_needed: lambda distance: (distance + 1) // 2,
}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("seed", range(5))
def test_the_solution_passes(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


def test_walking_backward_passes_too():
    assert check.field_size(backward)


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a: "many", "returned"),
        (lambda *a: float("nan"), "returned"),
    ],
)
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message


MISTAKES = [
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: k - 1), "jump is always 1"),
    (check.field_size, popular, "right only backward"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: (k - 1) * j * s), "too early"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: (k - 1) * j * (s == 1)), "leave the layers"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: k * j), "only kernel - 1 are new"),
    (check.field_size, lambda layers: size(layers, start=0), "sees itself"),
    (check.field_size, lambda layers: size(layers, jump_to=lambda j, s: s), "product of all strides"),
    (check.field_size, lambda layers: size(layers, jump_to=lambda j, s: j + s if s > 1 else j), "sum of the strides"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: j * s - j), "That is the jump"),
    (check.field_size, doubling, "not"),
    (check.field_size, lambda layers: {(3, 1): 3}.get(layers[0], 5), r"returned 3, not 5"),
    (check.first_pixel, lambda layers, i: start(layers, i, shift=lambda p, j, s: 0), "leave the padding out"),
    (check.first_pixel, lambda layers, i: start(layers, i, shift=lambda p, j, s: p), "subtract padding \\* jump"),
    (check.first_pixel, lambda layers, i: start(layers, i, shift=lambda p, j, s: p * j * s), "before the stride"),
    (check.first_pixel, lambda layers, i: start(layers, i, shift=lambda p, j, s: -p * j), "subtract it"),
    (check.first_pixel, lambda layers, i: start(layers, 0), "go on by index"),
    (check.first_pixel, lambda layers, i: start(layers, i, step=lambda j: 1), "a jump apart, not one pixel"),
    (
        check.first_pixel,
        lambda layers, i: start(layers, i, step=lambda j: size([layer[:2] for layer in layers])),
        "Windows overlap",
    ),
    (check.first_pixel, lambda layers, i: max(0, start(layers, i)), "stop at the border"),
    (check.convolutions_needed, lambda d: d + 1, "field that is needed"),
    (check.convolutions_needed, lambda d: d // 2, "Round up"),
    (check.convolutions_needed, lambda d: -(-(d - 1) // 2), "fill d \\+ 1 columns"),
    (check.convolutions_needed, lambda d: -(-(d + 1) // 2), "2 n \\+ 1 pixels, not 2 n"),
    (check.convolutions_needed, lambda d: d, "not 1"),
    (check.convolutions_needed, lambda d: -(-(d + 1) // 3), "not 3"),
]


@pytest.mark.parametrize(("checker", "attempt", "words"), MISTAKES)
@pytest.mark.parametrize("seed", range(3))
def test_a_usual_mistake_is_caught_and_named(checker, attempt, words, seed):
    verdict = checker(attempt, seed)
    assert verdict.status == "wrong"
    assert re.search(words, verdict.message), verdict.message


@pytest.mark.parametrize("name", ["conv1_1", "conv4_1", "pool5", "fc6"])
def test_the_right_number_passes(name):
    assert check.receptive_field_of(name, receptive_field("D")[name].size)


def test_dots_are_not_attempted():
    assert check.receptive_field_of("conv4_1", ...).status == "not attempted"


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("conv4_1", 70, "right only backward"),
        ("pool1", 10, "right only backward"),
        ("fc6", 314, "right only backward"),
        ("conv2_1", 8, "jump is always 1"),
        ("pool1", 7, "too early"),
        ("conv4_1", 53, "leave the layers with a stride out"),
        ("conv4_1", 8, "That is the jump"),
        ("conv4_1", 59, "sees itself"),
        ("conv2_2", 14**2, "say its side"),
        ("conv4_1", 61, "61 is 1 too many"),
        ("conv4_1", 20.5, "20.5 is 39.5 too few"),
        ("conv4_1", "sixty", "'sixty' is no number"),
        ("conv4_1", True, "True is no number"),
        ("conv4_1", float("nan"), "nan"),
    ],
)
def test_a_wrong_number_is_explained(name, answer, words):
    verdict = check.receptive_field_of(name, answer)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict.message


def test_no_named_mistake_gives_the_right_answer_everywhere():
    layers = [window_of(layer)[:2] for layer in CONFIGURATIONS["D"].layers[:18]]
    assert all(mistaken(layers) != 212 for mistaken in SIZE_MISTAKES.values())


def test_another_configuration_can_be_asked_for():
    assert check.receptive_field_of("pool5", 268, "E")
