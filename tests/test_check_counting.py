"""The checkers have teeth: they pass the solution, tell the stub apart, and name the mistakes that students make."""

import re
from itertools import pairwise

import pytest
import torch

from vgg_course import check
from vgg_course.check.verdict import Verdict


def count(shapes):
    return sum(torch.Size(shape).numel() for shape in shapes)


SOLUTIONS = {
    check.conv_parameters: lambda a, b, k: (k**2 * a + 1) * b,
    check.conv_macs: lambda a, b, k, n: k**2 * a * b * n**2,
    check.activation_bytes: lambda shapes, size: count(shapes) * size,
    check.peak_values: lambda values: max(map(sum, pairwise(values))),
    check.largest_batch: lambda memory, parameters, saved: max(0, (memory - 12 * parameters) // saved),
}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
def test_the_solution_passes(checker):
    verdict = checker(SOLUTIONS[checker])
    assert verdict, verdict
    assert "[passed]" in repr(verdict)


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
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
]


@pytest.mark.parametrize(("checker", "attempt", "words"), MISTAKES)
def test_a_usual_mistake_is_caught_and_named(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert re.search(words, verdict.message), verdict.message


def test_a_verdict_escapes_what_the_student_returned():
    verdict = Verdict("task", "wrong", "<script>alert(1)</script>")
    assert "<script>" not in verdict._repr_html_()
    assert 'class="vgg-verdict wrong"' in verdict._repr_html_()
