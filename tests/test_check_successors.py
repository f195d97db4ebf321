"""What only the checkers of the chapter on VGG's successors do, and the wrong answers that they explain."""

import torch
from torch.nn import functional

from vgg_course import check


def head(maps, weight, bias):
    return functional.linear(functional.adaptive_avg_pool2d(maps, 1).flatten(1), weight, bias)


def conv(x, weight):
    return functional.conv2d(x, weight, padding=1)


def residual(x, first, second):
    return torch.relu(conv(torch.relu(conv(x, first)), second) + x)


def test_tensors_are_answers_too():
    assert check.separable_share(lambda a, b, k: torch.tensor(1 / b + 1 / k**2, dtype=torch.float64))
    assert check.bottleneck_weights(lambda c, m: torch.tensor(2 * c * m + 9 * m * m))
    assert check.pooled_logits(lambda *a: head(*a).double())
    assert check.residual_block(lambda *a: residual(*a).requires_grad_())


def test_weights_that_were_changed_are_named():
    def scales(x, first, second):
        answer = residual(x, first, second)
        first.mul_(2)
        return answer

    assert "the weights were changed" in check.residual_block(scales).message


def shortcut_behind_the_first(x, first, second):
    x = conv(x, first).relu()
    return (x + conv(x, second)).relu()


def names(keep):
    """A choice of net by a rule of one's own."""
    return lambda nets, p, m: max(
        (name for name, (_, q, n) in nets.items() if keep(q <= p, n <= m)), key=lambda name: nets[name][0]
    )


def fitting(nets, p, m):
    return (name for name, (_, q, n) in nets.items() if q <= p and n <= m)


def least(cost):
    """The net that has the least of something, of those that fit."""
    return lambda nets, p, m: min(fitting(nets, p, m), key=lambda name: cost(nets[name]))


def strictly(nets, p, m):
    return max((name for name, (_, q, n) in nets.items() if q < p and n < m), key=lambda name: nets[name][0])


WRONG = [
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
    (check.bottleneck_weights, lambda c, m: 2 * c * m + 9 * c * m, "from all channels or to all"),
    (check.bottleneck_weights, lambda c, m: 9 * m * m, "left out the two 1x1"),
    (check.pooled_logits, lambda x, w, b: functional.linear(x.sum((2, 3)), w, b), "MEAN"),
    (check.pooled_logits, lambda x, w, b: functional.linear(x.amax((2, 3)), w, b), "largest"),
    (check.pooled_logits, lambda x, w, b: functional.linear(x.mean((2, 3)), w), "bias is missing"),
    (check.pooled_logits, lambda x, w, b: head(x, w, b).softmax(1), "probabilities"),
    (check.pooled_logits, lambda x, w, b: head(x, w, b).relu(), "no ReLU behind"),
    (check.pooled_logits, lambda x, w, b: head(x.relu(), w, b), "no ReLU in a pooled head"),
    (check.pooled_logits, lambda x, w, b: functional.linear(x[..., 0, 0], w, b), "Only one place"),
    (check.pooled_logits, lambda x, w, b: head(x, w, b * x[0, 0].numel()), "once for every place"),
    (check.pooled_logits, lambda x, w, b: head(x, w, b).mean(0).expand(len(x), -1), "over the batch, too"),
    (check.pooled_logits, lambda x, w, b: functional.linear(x.mean(3)[..., 0], w, b), "one side of the grid"),
    (check.residual_block, lambda x, a, b: conv(conv(x, a).relu(), b).relu(), "shortcut is missing"),
    (check.residual_block, lambda x, a, b: x + conv(conv(x, a).relu(), b).relu(), "first add"),
    (check.residual_block, lambda x, a, b: x + conv(conv(x, a).relu(), b), "behind the sum is missing"),
    (check.residual_block, lambda x, a, b: (x + conv(conv(x, a), b)).relu(), "without it they are one"),
    (check.residual_block, lambda x, a, b: (x + conv(x, a)).relu(), "second convolution is missing"),
    (check.residual_block, lambda x, a, b: residual(x, a, a), "first weights twice"),
    (check.residual_block, lambda x, a, b: residual(x, b, a), "second weights first"),
    (check.residual_block, lambda x, a, b: x.add_(conv(conv(x, a).relu(), b)).relu(), "`x` was changed"),
    (check.residual_block, shortcut_behind_the_first, "must carry x itself"),
    (check.residual_block, lambda x, a, b: residual(x, a, b) / 2, "mean of the two ways"),
    (check.residual_block, lambda x, a, b: (conv(conv(x, a).relu(), b) - x).relu(), "subtract the shortcut"),
    (check.residual_block, lambda x, a, b: (x + conv(x, a).relu() + conv(x, b)).relu(), "what the first put out"),
    (check.net_within, names(lambda p, m: p), "MACs must fit"),
    (check.net_within, names(lambda p, m: m), "parameters must fit"),
    (check.net_within, names(lambda p, m: True), "whatever they cost"),
    (check.net_within, names(lambda p, m: p or m), "asks for one of them"),
    (check.net_within, strictly, "at most, not less than"),
    (check.net_within, least(lambda cost: cost[0]), "LEAST"),
    (check.net_within, lambda nets, p, m: next(fitting(nets, p, m)), "first net that fits"),
    (check.net_within, least(lambda cost: cost[1]), "fewest parameters"),
    (check.net_within, least(lambda cost: cost[2]), "fewest MACs"),
]
