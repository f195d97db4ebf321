"""The checkers have teeth: they pass the solution, tell the stub apart, and name the mistakes that students make."""

import re
from itertools import pairwise

import pytest
import torch
from torch import nn

from vgg_course import check
from vgg_course.check.verdict import Verdict


def block(in_channels, out_channels, convolutions):
    layers = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU()]
        in_channels = out_channels
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def from_image_each_time(a, b, n):
    return nn.Sequential(*[module for _ in range(n) for module in block(a, b, 1)[:2]], nn.MaxPool2d(2))


def layers_from(words, padding=lambda kernel: kernel // 2):
    layers, channels = [], 3
    for word in words.split():
        if word == "maxpool":
            layers.append(nn.MaxPool2d(2))
        else:
            kernel, out = map(int, word[4:].split("-"))
            layers += [nn.Conv2d(channels, out, kernel, padding=padding(kernel)), nn.ReLU()]
            channels = out
    return nn.Sequential(*layers)


def count(shapes):
    return sum(torch.Size(shape).numel() for shape in shapes)


SOLUTIONS = {
    check.conv_parameters: lambda a, b, k: (k**2 * a + 1) * b,
    check.conv_macs: lambda a, b, k, n: k**2 * a * b * n**2,
    check.activation_bytes: lambda shapes, size: count(shapes) * size,
    check.peak_values: lambda values: max(map(sum, pairwise(values))),
    check.largest_batch: lambda memory, parameters, saved: max(0, (memory - 12 * parameters) // saved),
    check.conv_block: block,
    check.feature_layers: layers_from,
}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
def test_the_solution_passes(checker):
    verdict = checker(SOLUTIONS[checker])
    assert verdict, verdict
    assert "[passed]" in repr(verdict)


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
def test_the_stub_is_not_attempted(checker):
    def stub(*args, **kwargs):
        raise NotImplementedError("your code here")

    assert checker(stub).status == "not attempted"


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a, **k: None, "returned None. Does it print"),
        (lambda *a, **k: 1 / 0, "raised ZeroDivisionError"),
        (lambda: 1, "raised TypeError"),
        (42, "hand over the function itself"),
        (lambda *a, **k: "many", "returned"),
        (lambda *a, **k: True, "returned"),
        (lambda *a, **k: float("nan"), "returned"),
    ],
)
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message


MISTAKES = [
    (check.conv_parameters, lambda a, b, k: k**2 * a * b, "biases are missing"),
    (check.conv_parameters, lambda a, b, k: k**2 * a * b + 1, "one bias for the whole layer"),
    (check.conv_parameters, lambda a, b, k: k**2 * a * b + a, "not to an input channel"),
    (check.conv_parameters, lambda a, b, k: (k * a + 1) * b, "kernel \\* kernel"),
    (check.conv_parameters, lambda a, b, k: (k**2 + 1) * b, "all input channels"),
    (check.conv_parameters, lambda a, b, k: 1792, "not 10"),  # a hard-coded answer
    (check.conv_macs, lambda a, b, k, n: k**2 * a * b, "number of weights"),
    (check.conv_macs, lambda a, b, k, n: k**2 * a * b * n, "not size"),
    (check.conv_macs, lambda a, b, k, n: 2 * k**2 * a * b * n**2, "FLOPs"),
    (check.conv_macs, lambda a, b, k, n: (k**2 * a + 1) * b * n**2, "the bias is only added"),
    (check.conv_macs, lambda a, b, k, n: k**2 * a * b * (n - k + 1) ** 2, "lost its border"),
    (check.activation_bytes, lambda shapes, size: count(shapes), "bytes each takes"),
    (check.activation_bytes, lambda shapes, size: 4 * count(shapes), "always take 4"),
    (check.activation_bytes, lambda shapes, size: size * count(shapes[-1:]), "Only the last"),
    (check.activation_bytes, lambda shapes, size: size * count(shapes[:1]), "return inside the loop"),
    (check.activation_bytes, lambda shapes, size: size * count(shapes) / 1e6, "megabytes"),
    (check.peak_values, sum, "nothing is ever freed"),
    (check.peak_values, max, "its input is still there"),
    (check.peak_values, lambda v: 2 * max(v), "the neighbor it has"),
    (check.peak_values, lambda v: sum(sorted(v)[-2:]), "Only neighbors"),
    (check.peak_values, lambda v: sum(v[v.index(max(v)) :][:2]), "the input before it may be larger"),
    (check.peak_values, lambda v: max(map(sum, zip(v, v[1:], (*v[2:], 0), strict=False))), "three at a time"),
    (check.peak_values, lambda v: min(map(sum, pairwise(v))), "take the largest"),
    (check.peak_values, lambda v: v[0] + v[1], "not 12"),  # right on the first case only
    (check.largest_batch, lambda m, p, s: max(0, (m - 12 * p) / s), "round down"),
    (check.largest_batch, lambda m, p, s: (m - 12 * p) // s, "that is 0 images"),
    (check.largest_batch, lambda m, p, s: max(0, -((12 * p - m) // s)), "last image does not fit"),
    (check.largest_batch, lambda m, p, s: max(0, (m - 4 * p) // s), "room for the weights only"),
    (check.largest_batch, lambda m, p, s: max(0, (m - 8 * p) // s), "momentum is missing"),
    (check.largest_batch, lambda m, p, s: max(0, (m - 3 * p) // s), "each of the three takes four"),
    (check.largest_batch, lambda m, p, s: m // s, "forget what the parameters take"),
    (check.largest_batch, lambda m, p, s: 2, "not 0"),  # right on the first two cases only
    (check.conv_block, lambda a, b, n: nn.Sequential(*[m for m in block(a, b, n) if not isinstance(m, nn.ReLU)]), "'ReLU'"),
    (check.conv_block, lambda a, b, n: block(a, b, n)[:-1], "'max-pool'"),
    (check.conv_block, lambda a, b, n: block(a, b, 2), "'convolution'"),
    (check.conv_block, lambda a, b, n: list(block(a, b, n)), "plain list"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*reversed(block(a, b, n))), "order is convolution"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*block(a, b, n), nn.Dropout()), "too many"),
    (check.conv_block, from_image_each_time, "takes in what the one before"),
    (check.feature_layers, lambda words: layers_from(words, lambda kernel: 1), "0 for 1x1"),
    (check.feature_layers, lambda words: layers_from(words, lambda kernel: 0), "padding"),
    (check.feature_layers, lambda words: layers_from(words.replace("conv1", "conv3")), "kernel 3, not 1"),
]  # fmt: skip


@pytest.mark.parametrize(("checker", "attempt", "words"), MISTAKES)
def test_a_usual_mistake_is_caught_and_named(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert re.search(words, verdict.message), verdict.message


def test_a_stride_that_torch_takes_from_the_kernel_is_right():
    assert check.conv_block(lambda a, b, n: block(a, b, n))


def test_same_padding_and_tuples_are_right_too():
    def spelled_differently(in_channels, out_channels, convolutions):
        layers = []
        for _ in range(convolutions):
            layers += [nn.Conv2d(in_channels, out_channels, (3, 3), padding="same"), nn.ReLU(inplace=True)]
            in_channels = out_channels
        return nn.Sequential(*layers, nn.MaxPool2d((2, 2), (2, 2)))

    assert check.conv_block(spelled_differently)


def test_a_verdict_escapes_what_the_student_returned():
    verdict = Verdict("task", "wrong", "<script>alert(1)</script>")
    assert "<script>" not in verdict._repr_html_()
    assert 'class="vgg-verdict wrong"' in verdict._repr_html_()
