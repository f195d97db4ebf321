"""The checkers of the chapter on transfer have teeth."""

import copy

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


def mean(maps):
    return maps.mean((2, 3))


def unit(v):
    return v / v.norm(dim=1, keepdim=True)


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


def test_a_copy_is_as_good_as_the_net_itself():
    assert check.ready_for_head(lambda net, classes: ready(copy.deepcopy(net), classes))
    assert check.ready_for_head(
        lambda net, classes: [
            new := adaptation.with_new_head(net, classes).eval(),
            new.requires_grad_(False),
            new.classifier[-1].requires_grad_(),
        ][0]
    )


WRONG = [
    (check.hinge_loss, lambda s, y: (1 - s * y).mean(), "costs nothing"),
    (check.hinge_loss, lambda s, y: hinge(s, y) * len(s), "the sum"),
    (check.hinge_loss, lambda s, y: (1 - s * y).clamp(min=0).square().mean(), "squared hinge"),
    (check.hinge_loss, lambda s, y: (-s * y).clamp(min=0).mean(), "not of 0"),
    (check.hinge_loss, lambda s, y: (1 + s * y).clamp(min=0).mean(), "sign is wrong"),
    (check.hinge_loss, lambda s, y: (1 - s).clamp(min=0).mean(), "label does not matter"),
    (check.hinge_loss, lambda s, y: (s * y <= 0).float().mean(), "count mistakes"),
    (check.hinge_loss, lambda s, y: nn.functional.softplus(-s * y).mean(), "logistic"),
    (check.hinge_loss, lambda s, y: (1 - s * (2 * y - 1)).clamp(min=0).mean(), "labels of 0 and 1"),
    (check.hinge_loss, lambda s, y: (1 - s * y).mean().clamp(min=0), "clamp the mean"),
    (check.part_rate, lambda i, n, h, d: h * d**i, "falls toward the head"),
    (check.part_rate, lambda i, n, h, d: h * d ** (n - i), "gets the full rate"),
    (check.part_rate, lambda i, n, h, d: h * d ** max(0, n - 2 - i), "before the head"),
    (check.part_rate, lambda i, n, h, d: h if i == n - 1 else h * d, "same rate"),
    (check.part_rate, lambda i, n, h, d: h / d ** (n - 1 - i), "divide by the decay"),
    (check.part_rate, lambda i, n, h, d: d ** (n - 1 - i), "That is the factor"),
    (check.part_rate, lambda i, n, h, d: h * d * (i + 1) / n, "straight line"),
    (check.part_rate, lambda i, n, h, d: h, "does not matter"),
    (check.part_rate, lambda i, n, h, d: h * d * (n - 1 - i), "raise the decay"),
    (check.two_view_vectors, lambda a, b: (mean(a) + mean(b)) / 2, "but for the length"),
    (check.two_view_vectors, lambda a, b: (unit(mean(a)) + unit(mean(b))) / 2, "before averaging"),
    (check.two_view_vectors, lambda a, b: unit(unit(mean(a)) + unit(mean(b))), "scaled again"),
    (check.two_view_vectors, lambda a, b: unit(torch.cat([mean(a), mean(b)], 1)), "stacked"),
    (check.two_view_vectors, lambda a, b: unit(mean(a)), "mirror image does not count"),
    (check.two_view_vectors, lambda a, b: unit(mean(b)), "Only the mirror image"),
    (check.two_view_vectors, lambda a, b: unit(torch.maximum(mean(a), mean(b))), "larger of the two views"),
    (check.two_view_vectors, lambda a, b: mean(a) + mean(b), "did not scale"),
    (check.two_view_vectors, lambda a, b: (mean(a) + mean(b)) / (mean(a) + mean(b)).norm(dim=0), "dim=0"),
    (check.two_view_vectors, lambda a, b: unit((a + b).flatten(1)), "All places"),
    (check.two_view_vectors, lambda a, b: unit(a.amax((2, 3)) + b.amax((2, 3))), "largest value"),
    (check.ready_for_head, replaced, "requires_grad_(False)"),
    (check.ready_for_head, attribute_only, "only makes an attribute"),
    (check.ready_for_head, frozen_after, "The new head is frozen"),
    (check.ready_for_head, weights_only, "Biases are parameters"),
    (check.ready_for_head, features_only, "hidden layers in front"),
    (check.ready_for_head, in_training_mode, "batch norm follows every batch"),
    (check.ready_for_head, lambda net, classes: net.requires_grad_(False).eval(), "old head"),
    (check.ready_for_head, added, "behind the old one"),
]
