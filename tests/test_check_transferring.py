"""The checkers of the chapter on transfer have teeth."""

import copy

import pytest
import torch
from torch import nn

from vgg_course import adaptation, check


def hinge(scores, labels):
    return sum(max(0.0, 1 - float(s) * float(y)) for s, y in zip(scores, labels, strict=True)) / len(scores)


def rate(place, parts, head, decay):
    for _ in range(parts - 1 - place):
        head *= decay
    return head


def two_views(maps, mirrored):
    v = maps.flatten(2).mean(2) + mirrored.flatten(2).mean(2)
    return v / v.norm(dim=1, keepdim=True)


def ready(net, classes):
    net.requires_grad_(False).eval()
    net.classifier[-1] = nn.Linear(net.classifier[-1].in_features, classes)
    return net


SOLUTIONS = {
    check.hinge_loss: hinge,
    check.part_rate: rate,
    check.two_view_vectors: two_views,
    check.ready_for_head: ready,
}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_the_solution_passes_with_every_seed(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


def says(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda s, y: (1 - s * y).mean(), "costs nothing"),
        (lambda s, y: hinge(s, y) * len(s), "the sum"),
        (lambda s, y: (1 - s * y).clamp(min=0).square().mean(), "squared hinge"),
        (lambda s, y: (-s * y).clamp(min=0).mean(), "not of 0"),
        (lambda s, y: (1 + s * y).clamp(min=0).mean(), "sign is wrong"),
        (lambda s, y: (1 - s).clamp(min=0).mean(), "label does not matter"),
        (lambda s, y: (s * y <= 0).float().mean(), "count mistakes"),
        (lambda s, y: nn.functional.softplus(-s * y).mean(), "logistic"),
        (lambda s, y: (1 - s * (2 * y - 1)).clamp(min=0).mean(), "labels of 0 and 1"),
        (lambda s, y: 0.123, "not"),
    ],
)
def test_a_wrong_hinge_is_explained(attempt, words):
    says(check.hinge_loss, attempt, words)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda i, n, h, d: h * d**i, "falls toward the head"),
        (lambda i, n, h, d: h * d ** (n - i), "gets the full rate"),
        (lambda i, n, h, d: h * d ** max(0, n - 2 - i), "before the head"),
        (lambda i, n, h, d: h if i == n - 1 else h * d, "same rate"),
        (lambda i, n, h, d: h / d ** (n - 1 - i) if d or i == n - 1 else float("inf"), ""),
        (lambda i, n, h, d: d ** (n - 1 - i), "That is the factor"),
        (lambda i, n, h, d: h, "does not matter"),
        (lambda i, n, h, d: h * d * (n - 1 - i), "raise the decay"),
    ],
)
def test_a_wrong_rate_is_explained(attempt, words):
    says(check.part_rate, attempt, words)


def mean(maps):
    return maps.mean((2, 3))


def unit(v):
    return v / v.norm(dim=1, keepdim=True)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda a, b: (mean(a) + mean(b)) / 2, "but for the length"),
        (lambda a, b: (unit(mean(a)) + unit(mean(b))) / 2, "before averaging"),
        (lambda a, b: unit(unit(mean(a)) + unit(mean(b))), "scaled again"),
        (lambda a, b: unit(torch.cat([mean(a), mean(b)], 1)), "stacked"),
        (lambda a, b: unit(mean(a)), "mirror image does not count"),
        (lambda a, b: unit((a + b).flatten(1)), "All places"),
        (lambda a, b: unit(a.amax((2, 3)) + b.amax((2, 3))), "largest value"),
    ],
)
def test_a_wrong_view_is_explained(attempt, words):
    says(check.two_view_vectors, attempt, words)


def replaced(net, classes):
    net.classifier[-1] = nn.Linear(net.classifier[-1].in_features, classes)
    return net


def attribute_only(net, classes):
    net.features.requires_grad = False
    return replaced(net.eval(), classes)


def frozen_after(net, classes):
    return replaced(net, classes).requires_grad_(False).eval()


def weights_only(net, classes):
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(not name.endswith("weight"))
    return replaced(net.eval(), classes)


def features_only(net, classes):
    net.features.requires_grad_(False).eval()
    return replaced(net, classes)


def in_training_mode(net, classes):
    return replaced(net.requires_grad_(False), classes).train()


def added(net, classes):
    net.requires_grad_(False).eval()
    net.classifier.append(nn.Linear(3, classes))
    return net


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (replaced, "requires_grad_(False)"),
        (attribute_only, "only makes an attribute"),
        (frozen_after, "the new head is frozen"),
        (weights_only, "biases are parameters"),
        (features_only, "hidden layers in front"),
        (in_training_mode, "batch norm follows every batch"),
        (lambda net, classes: net.requires_grad_(False).eval(), "old head"),
        (lambda net, classes: replaced(net.requires_grad_(False).eval(), classes + 1), "puts out 5"),
        (lambda net, classes: nn.Sequential(nn.Flatten(), nn.Linear(3072, classes)), "the net is wanted"),
    ],
)
def test_a_net_that_is_not_ready_is_explained(attempt, words):
    says(check.ready_for_head, attempt, words)


def test_a_copy_is_as_good_as_the_net_itself():
    assert check.ready_for_head(lambda net, classes: ready(copy.deepcopy(net), classes))
    assert check.ready_for_head(
        lambda net, classes: [
            new := adaptation.with_new_head(net, classes).eval(),
            new.requires_grad_(False),
            new.classifier[-1].requires_grad_(),
        ][0]
    )
