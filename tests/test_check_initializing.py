"""The checkers of the chapter on first weights have teeth."""

from math import sqrt

import pytest
import torch
from torch import nn

from vgg_course import check
from vgg_course.check.initializing import SHAPES, WEIGHT_MISTAKES
from vgg_course.configuration import Conv, Linear


def he(weight):
    weight.normal_(0, sqrt(2 / weight[0].numel()))


def names(configuration, kind):
    return [layer.name for layer in configuration if isinstance(layer.spec, kind)]


def copied(shallow, deep):
    return names(shallow, Conv)[:4] + names(shallow, Linear)[-3:]


@pytest.mark.parametrize(
    ("checker", "attempt"),
    [
        (check.gain, lambda d, n: sqrt(d * d * n / 2)),
        (check.gain, lambda d, n: torch.tensor(d * sqrt(n / 2), dtype=torch.float64)),
        (check.keeping_deviation, lambda n: (n / 2) ** -0.5),
        (check.keeping_deviation, lambda n: torch.tensor(2 / n).sqrt()),
        (check.he_normal, lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
        (check.he_normal, lambda w: w.copy_(torch.randn_like(w) * sqrt(2 / w[0].numel()))),
        (check.copied_layers, lambda a, b: set(copied(a, b))),
        (check.copied_layers, lambda a, b: tuple(reversed(copied(a, b)))),
        (check.copied_layers, lambda a, b: (name for name in copied(a, b))),
    ],
)
def test_another_way_to_the_same_answer_passes(checker, attempt):
    verdict = checker(attempt)
    assert verdict, verdict


WRONG = [
    (check.gain, lambda d, n: d * d * n / 2, "gain of the mean square"),
    (check.gain, lambda d, n: d * sqrt(n), "leave the ReLU out"),
    (check.gain, lambda d, n: d * sqrt(n) / 2, "belongs under the root"),
    (check.gain, lambda d, n: d * sqrt(2 * n), "where the ReLU halves"),
    (check.gain, lambda d, n: sqrt(d * n / 2), "for a variance"),
    (check.gain, lambda d, n: d * n / 2, "their squares do"),
    (check.gain, lambda d, n: d * d * sqrt(n / 2), "to the first power"),
    (check.keeping_deviation, lambda n: 2 / n, "That is the variance"),
    (check.keeping_deviation, lambda n: sqrt(1 / n), "without a ReLU"),
    (check.keeping_deviation, lambda n: sqrt(0.5 / n), "half of what it was"),
    (check.keeping_deviation, lambda n: sqrt(n / 2), "for a deviation of 1"),
    (check.keeping_deviation, lambda n: sqrt(1 / (3 * n)), "torch's own layers"),
    (check.keeping_deviation, lambda n: 2 / sqrt(n), "under the root"),
    (check.he_normal, lambda w: w.normal_(0, 2 / w[0].numel()), "used as a standard deviation"),
    (check.he_normal, lambda w: w.normal_(0, sqrt(2 / w.shape[1])), "nine values of each"),
    (check.he_normal, lambda w: w.normal_(0, sqrt(2 / w[:, 0].numel())), "That is fan_out"),
    (check.he_normal, lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"), "That is fan_out"),
    (check.he_normal, lambda w: w.normal_(0, sqrt(2 / w.shape[0])), "output channels without the kernel"),
    (check.he_normal, nn.init.xavier_normal_, "Glorot's"),
    (check.he_normal, lambda w: w.normal_(0, sqrt(1 / w[0].numel())), "twice as large"),
    (check.he_normal, lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear"), "twice as large"),
    (check.he_normal, lambda w: w.normal_(0, sqrt(1 / (3 * w[0].numel()))), "torch's own default"),
    (check.he_normal, lambda w: w.normal_(), "standard normal draw"),
    (check.he_normal, lambda w: w.normal_(0, 0.1), "literal 0.1"),
    (check.he_normal, lambda w: w.normal_(0, 0.01), "0.01, whatever the layer"),
    (check.he_normal, lambda w: w.normal_(0, sqrt(2 / w.numel())), "number of weights"),
    (check.he_normal, lambda w: torch.randn_like(w) * sqrt(2 / w[0].numel()), "returned a new tensor"),
    (check.he_normal, lambda w: sqrt(2 / w[0].numel()), "the weight is as it was"),
    (check.he_normal, lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"), "are uniform"),
    (check.he_normal, lambda w: w.zero_(), "all weights are equal"),
    (check.he_normal, lambda w: w.fill_(sqrt(2 / w[0].numel())), "all weights are equal"),
    (check.he_normal, lambda w: w.fill_(float("nan")), "not finite"),
    (check.he_normal, lambda w: w.normal_(sqrt(2 / w[0].numel()), 0.01), "mean is not 0"),
    (check.he_normal, lambda w: w.add_(torch.randn_like(w) * sqrt(2 / w[0].numel())), "mean is not 0"),
    (check.he_normal, lambda w: w.resize_(3, 3).normal_(), r"its shape is now \(3, 3\)"),
    (check.copied_layers, lambda a, b: names(b, Conv)[:4] + names(b, Linear), "by place"),
    (check.copied_layers, lambda a, b: names(a, (Conv, Linear)), "all layers that both nets have"),
    (check.copied_layers, lambda a, b: names(a, Conv)[:4], "fully-connected layers are copied, too"),
    (check.copied_layers, lambda a, b: names(a, Linear), "first four convolutions are copied, too"),
    (check.copied_layers, lambda a, b: names(a, Conv)[:4] + names(a, Linear)[:2], "logits' layer is copied"),
    (check.copied_layers, lambda a, b: [x.name for x in a][:4] + names(a, Linear), "A pool has no weights"),
    (check.copied_layers, lambda a, b: [n for n in names(b, Conv) if n not in names(a, Conv)], "new in the deep net"),
]


def test_no_two_mistakes_of_a_weight_look_alike():
    expected = [[mistaken(shape) for shape in SHAPES] for mistaken in WEIGHT_MISTAKES.values()]
    expected.append([sqrt(2 / torch.empty(shape)[0].numel()) for shape in SHAPES])
    for place, one in enumerate(expected):
        for other in expected[:place]:
            assert any(abs(a / b - 1) > 0.1 for a, b in zip(one, other, strict=True))


def test_the_check_leaves_the_random_numbers_as_they_were():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    check.he_normal(he)
    assert torch.equal(torch.rand(4), expected)
