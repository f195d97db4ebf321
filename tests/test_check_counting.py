"""The checkers of the chapter that counts parameters, memory and MACs have teeth."""

from itertools import pairwise

import torch

from vgg_course import check
from vgg_course.check.verdict import Verdict


def count(shapes):
    return sum(torch.Size(shape).numel() for shape in shapes)


WRONG = [
    (check.conv_parameters, lambda a, b, k: k**2 * a * b, "biases are missing"),
    (check.conv_parameters, lambda a, b, k: k**2 * a * b + 1, "one bias for the whole layer"),
    (check.conv_parameters, lambda a, b, k: k**2 * a * b + a, "not to an input channel"),
    (check.conv_parameters, lambda a, b, k: (k * a + 1) * b, "kernel \\* kernel"),
    (check.conv_parameters, lambda a, b, k: (k**2 + 1) * b, "all input channels"),
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
    (check.largest_batch, lambda m, p, s: max(0, (m - 12 * p) / s), "round down"),
    (check.largest_batch, lambda m, p, s: (m - 12 * p) // s, "that is 0 images"),
    (check.largest_batch, lambda m, p, s: max(0, -((12 * p - m) // s)), "last image does not fit"),
    (check.largest_batch, lambda m, p, s: max(0, (m - 4 * p) // s), "room for the weights only"),
    (check.largest_batch, lambda m, p, s: max(0, (m - 8 * p) // s), "momentum is missing"),
    (check.largest_batch, lambda m, p, s: max(0, (m - 3 * p) // s), "each of the three takes four"),
    (check.largest_batch, lambda m, p, s: m // s, "forget what the parameters take"),
]


def test_a_verdict_escapes_what_the_student_returned():
    verdict = Verdict("task", "wrong", "<script>alert(1)</script>")
    assert "<script>" not in verdict._repr_html_()
    assert 'class="vgg-verdict wrong"' in verdict._repr_html_()
