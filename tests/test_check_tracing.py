"""The checkers of the chapter on receptive fields have teeth."""

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


def start(layers, index, shift=lambda p, j, s: p * j, step=lambda j: j):
    first, jump = 0, 1
    for _, s, p in layers:
        first, jump = first - shift(p, jump, s), jump * s
    return first + index * step(jump)


WRONG = [
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: k - 1), "jump is always 1"),
    (check.field_size, popular, "right only backward"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: (k - 1) * j * s), "too early"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: (k - 1) * j * (s == 1)), "leave the layers"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: k * j), "only kernel - 1 are new"),
    (check.field_size, lambda layers: size(layers, start=0), "sees itself"),
    (check.field_size, lambda layers: size(layers, jump_to=lambda j, s: s), "product of all strides"),
    (check.field_size, lambda layers: size(layers, jump_to=lambda j, s: j + s if s > 1 else j), "sum of the strides"),
    (check.field_size, lambda layers: size(layers, add=lambda k, s, j: j * s - j), "That is the jump"),
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
    (check.convolutions_needed, lambda d: d, "one on either side, not 1"),
    (check.convolutions_needed, lambda d: -(-(d + 1) // 3), "not 3: the windows overlap"),
    (check.receptive_field_of, ("conv4_1", 70), "right only backward"),
    (check.receptive_field_of, ("pool1", 10), "right only backward"),
    (check.receptive_field_of, ("fc6", 314), "right only backward"),
    (check.receptive_field_of, ("conv2_1", 8), "jump is always 1"),
    (check.receptive_field_of, ("pool1", 7), "too early"),
    (check.receptive_field_of, ("conv4_1", 53), "leave the layers with a stride out"),
    (check.receptive_field_of, ("conv4_1", 8), "That is the jump"),
    (check.receptive_field_of, ("conv4_1", 59), "sees itself"),
    (check.receptive_field_of, ("conv2_2", 14**2), "say its side"),
]


def test_walking_backward_passes_too():
    assert check.field_size(backward)


@pytest.mark.parametrize("name", ["conv1_1", "conv4_1", "pool5", "fc6"])
def test_the_right_number_passes(name):
    assert check.receptive_field_of(name, receptive_field("D")[name].size)


def test_dots_are_not_attempted():
    assert check.receptive_field_of("conv4_1", ...).status == "not attempted"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (61, "That is 1 too large."),
        (20.5, "too small by 66%"),
        ("sixty", "'sixty' is no number"),
        (True, "True is no number"),
        (None, "None is no number"),
        (float("nan"), "not nan. Say how many pixels"),
        (10**400, "what does each layer add"),
    ],
)
def test_a_number_without_a_known_mistake_is_told_how_far_off_it_is(answer, words):
    verdict = check.receptive_field_of("conv4_1", answer)
    assert verdict.status == "wrong"
    assert words in verdict.message


def test_no_named_mistake_gives_the_right_answer_everywhere():
    layers = [window_of(layer)[:2] for layer in CONFIGURATIONS["D"].layers[:18]]
    assert all(mistaken(layers) != 212 for mistaken in SIZE_MISTAKES.values())


def test_another_configuration_can_be_asked_for():
    assert check.receptive_field_of("pool5", 268, "E")
