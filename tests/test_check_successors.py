"""The checkers of the chapter on what came after VGG have teeth."""

import pytest
import torch
from torch.nn import functional

from vgg_course import check


def head(maps, weight, bias):
    return functional.linear(functional.adaptive_avg_pool2d(maps, 1).flatten(1), weight, bias)


def conv(x, weight):
    return functional.conv2d(x, weight, padding=1)


def residual(x, first, second):
    return torch.relu(conv(torch.relu(conv(x, first)), second) + x)


def within(nets, parameters, macs):
    found = sorted((a, name) for name, (a, p, m) in nets.items() if p <= parameters and m <= macs)
    return found[-1][1]


SOLUTIONS = {
    check.separable_share: lambda a, b, k: (k * k * a + a * b) / (k * k * a * b),
    check.bottleneck_weights: lambda c, m: m * (2 * c + 9 * m),
    check.pooled_logits: head,
    check.residual_block: residual,
    check.net_within: within,
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
    ["many", float("nan"), (1, 2), [[1, 2]], True, object(), torch.zeros(3, 3), torch.full((1, 3), torch.nan)],
)
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, answer):
    verdict = checker(lambda *arguments: answer)
    assert verdict.status == "wrong"
    assert "returned" in verdict.message or "difference" in verdict.message


def test_tensors_are_answers_too():
    assert check.separable_share(lambda a, b, k: torch.tensor(1 / b + 1 / k**2, dtype=torch.float64))
    assert check.bottleneck_weights(lambda c, m: torch.tensor(2 * c * m + 9 * m * m))
    assert check.pooled_logits(lambda *a: head(*a).double())
    assert check.residual_block(lambda *a: residual(*a).requires_grad_())


def test_an_answer_from_another_case_does_not_pass():
    assert not check.separable_share(lambda a, b, k: 0.361111)
    assert not check.bottleneck_weights(lambda c, m: 69632)
    assert not check.net_within(lambda nets, p, m: "y")


def names(keep):
    """A choice of net by a rule of one's own."""
    return lambda nets, p, m: max(
        (name for name, (_, q, n) in nets.items() if keep(q <= p, n <= m)), key=lambda name: nets[name][0]
    )


@pytest.mark.parametrize(
    ("checker", "attempt", "words"),
    [
        (check.separable_share, lambda a, b, k: 1 / b, "1x1 convolution is missing"),
        (check.separable_share, lambda a, b, k: 1 / k**2, "depthwise convolution is missing"),
        (check.separable_share, lambda a, b, k: 1 / a + 1 / k**2, "divided by the input channels"),
        (check.separable_share, lambda a, b, k: 1 / b + 1 / k, "square"),
        (check.separable_share, lambda a, b, k: b * k**2 / (b + k**2), "turn it around"),
        (check.separable_share, lambda a, b, k: 1 / (b * k**2), "add their work"),
        (check.separable_share, lambda a, b, k: 1 - (1 / b + 1 / k**2), "what is saved"),
        (check.separable_share, lambda a, b, k: k**2 * a + a * b, "work itself"),
        (check.bottleneck_weights, lambda c, m: c * m + 9 * m * m, "way back"),
        (check.bottleneck_weights, lambda c, m: 2 * c * m + 9 * m * m + 2 * m + c, "biases"),
        (check.bottleneck_weights, lambda c, m: 2 * c * m + 9 * c * c, "middle channels, not on all"),
        (check.bottleneck_weights, lambda c, m: 2 * c * m + 9 * m, "looks at all middle channels"),
        (check.bottleneck_weights, lambda c, m: 2 * c * m + 3 * m * m, "not 3"),
        (check.bottleneck_weights, lambda c, m: 9 * (2 * c * m + m * m), "no 9 there"),
        (check.bottleneck_weights, lambda c, m: 2 * 9 * c * c, "plain block"),
        (check.bottleneck_weights, lambda c, m: 9 * m * m, "left out the two 1x1"),
        (check.pooled_logits, lambda x, w, b: functional.linear(x.sum((2, 3)), w, b), "MEAN"),
        (check.pooled_logits, lambda x, w, b: functional.linear(x.amax((2, 3)), w, b), "largest"),
        (check.pooled_logits, lambda x, w, b: functional.linear(x.mean((2, 3)), w), "bias is missing"),
        (check.pooled_logits, lambda x, w, b: head(x, w, b).softmax(1), "probabilities"),
        (check.pooled_logits, lambda x, w, b: head(x, w, b).relu(), "no ReLU behind"),
        (check.pooled_logits, lambda x, w, b: head(x.relu(), w, b), "no ReLU in a pooled head"),
        (check.pooled_logits, lambda x, w, b: functional.linear(x[..., 0, 0], w, b), "Only one place"),
        (check.pooled_logits, lambda x, w, b: x.mean((2, 3)), "shape"),
        (check.residual_block, lambda x, a, b: conv(conv(x, a).relu(), b).relu(), "shortcut is missing"),
        (check.residual_block, lambda x, a, b: x + conv(conv(x, a).relu(), b).relu(), "first add"),
        (check.residual_block, lambda x, a, b: x + conv(conv(x, a).relu(), b), "behind the sum is missing"),
        (check.residual_block, lambda x, a, b: (x + conv(conv(x, a), b)).relu(), "without it they are one"),
        (check.residual_block, lambda x, a, b: (x + conv(x, a)).relu(), "second convolution is missing"),
        (check.residual_block, lambda x, a, b: residual(x, a, a), "first weights twice"),
        (check.residual_block, lambda x, a, b: residual(x, b, a), "second weights first"),
        (check.residual_block, lambda x, a, b: x.add_(conv(conv(x, a).relu(), b)).relu(), "changed what it was given"),
        (check.residual_block, lambda x, a, b: functional.conv2d(x, a), "shape"),
        (check.net_within, names(lambda p, m: p), "MACs must fit"),
        (check.net_within, names(lambda p, m: m), "parameters must fit"),
        (check.net_within, names(lambda p, m: True), "whatever they cost"),
        (check.net_within, names(lambda p, m: p or m), "asks for one of them"),
        (
            check.net_within,
            lambda nets, p, m: min((n for n, c in nets.items() if c[1] <= p and c[2] <= m), key=lambda n: nets[n][0]),
            "LEAST",
        ),
        (
            check.net_within,
            lambda nets, p, m: next(n for n, c in nets.items() if c[1] <= p and c[2] <= m),
            "first net that fits",
        ),
        (
            check.net_within,
            lambda nets, p, m: min((n for n, c in nets.items() if c[1] <= p and c[2] <= m), key=lambda n: nets[n][1]),
            "fewest parameters",
        ),
        (check.net_within, lambda nets, p, m: "zzz", "name of one of the nets"),
    ],
)
@pytest.mark.parametrize("seed", [0, 3])
def test_a_wrong_answer_gets_its_diagnosis(checker, attempt, words, seed):
    verdict = checker(attempt, seed)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def test_a_strict_budget_is_named_when_something_is_left():
    def strict(nets, p, m):
        left = [name for name, cost in nets.items() if cost[1] < p and cost[2] < m]
        return max(left, key=lambda name: nets[name][0]) if left else next(iter(nets))

    assert check.net_within(strict).status == "wrong"
