"""Checks for the chapter on what came after VGG."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from vgg_course.check.judging import judge_numbers, judge_tensors, judge_words
from vgg_course.check.verdict import Verdict, answer_on, own

if TYPE_CHECKING:
    from torch import Generator, Tensor

# --- depthwise separable layers ---


def separable_share(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(inputs, outputs, kernel)``: MACs of a depthwise separable layer over those of a dense one."""
    draw = random.Random(seed)
    fresh = [(draw.randint(2, 60), draw.randint(61, 512), draw.choice([3, 5, 7])) for _ in range(4)]
    cases = [(2, 4, 3), (64, 128, 3), *fresh]
    return judge_numbers(
        "the share of a depthwise separable layer",
        attempt,
        lambda a, b, k: 1 / b + 1 / k**2,
        [dict(zip(("inputs", "outputs", "kernel"), case, strict=True)) for case in cases],
        {
            "That is the depthwise half alone; the 1x1 convolution is missing.": lambda a, b, k: 1 / b,
            "That is the 1x1 half alone; the depthwise convolution is missing.": lambda a, b, k: 1 / k**2,
            "You divided by the input channels. Every OUTPUT channel of a dense layer has its own k x k window over each "
            "input channel; the depthwise half needs one window, whatever the outputs.": lambda a, b, k: (
                1 / a + 1 / k**2
            ),
            "The kernel is a square: k * k.": lambda a, b, k: 1 / b + 1 / k,
            "That is how many times fewer, dense over separable; turn it around.": lambda a, b, k: (
                1 / (1 / b + 1 / k**2)
            ),
            "The halves follow each other: add their work, do not multiply it.": lambda a, b, k: 1 / (b * k**2),
            "That is what is saved; the share that is left is asked.": lambda a, b, k: 1 - 1 / b - 1 / k**2,
            "That is the work itself, for one place; divide it by that of the dense layer.": lambda a, b, k: (
                k**2 * a + a * b
            ),
        },
        tolerance=1e-6,
    )


# --- a bottleneck ---


def bottleneck_weights(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(channels, middle)``: weights of 1x1 to ``middle``, 3x3 on them, 1x1 back; no biases."""
    draw = random.Random(seed)
    fresh = [(draw.randint(100, 900), draw.randint(8, 90)) for _ in range(4)]
    cases = [(4, 1), (256, 64), *fresh]
    return judge_numbers(
        "weights of a bottleneck",
        attempt,
        lambda c, m: 2 * c * m + 9 * m * m,
        [{"channels": c, "middle": m} for c, m in cases],
        {
            "The way back is missing: a 1x1 convolution from the middle to all channels.": lambda c, m: (
                c * m + 9 * m * m
            ),
            "You counted biases. With a batch norm behind, these convolutions have none.": lambda c, m: (
                2 * c * m + 9 * m * m + 2 * m + c
            ),
            "The 3x3 convolution works on the middle channels, not on all: that is the point of a bottleneck.": (
                lambda c, m: 2 * c * m + 9 * c * c
            ),
            "Every filter of the 3x3 convolution looks at all middle channels: 9 x middle x middle.": lambda c, m: (
                2 * c * m + 9 * m
            ),
            "A 3x3 window has 9 weights, not 3.": lambda c, m: 2 * c * m + 3 * m * m,
            "The first and the last convolution are 1x1: no 9 there.": lambda c, m: 18 * c * m + 9 * m * m,
            "That is the plain block: two 3x3 convolutions on all channels.": lambda c, m: 18 * c * c,
            "The 3x3 convolution goes from the middle to the middle, in your count from all channels or to all.": (
                lambda c, m: 2 * c * m + 9 * c * m
            ),
            "You left out the two 1x1 convolutions.": lambda c, m: 9 * m * m,
        },
    )


# --- the pooled head ---


def pooled_logits(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(maps, weight, bias)``: the mean of every map, then one linear layer; ``(B, C, H, W)`` to ``(B, K)``."""
    import torch

    draw = torch.Generator().manual_seed(seed)

    def case(batch: int, channels: int, classes: int, height: int, width: int) -> dict[str, Tensor]:
        shapes = {"maps": (batch, channels, height, width), "weight": (classes, channels), "bias": (classes,)}
        return {name: _drawn(shape, draw) for name, shape in shapes.items()}

    def head(pool: Callable, maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return pool(maps) @ weight.T + bias

    def right(*given: Tensor) -> Tensor:
        return head(lambda maps: maps.mean((2, 3)), *given)

    mistakes: dict[str, Callable[..., Tensor]] = {
        "You add up the places; take their MEAN, or the logits grow with the image.": lambda *a: head(
            lambda maps: maps.sum((2, 3)), *a
        ),
        "You take the largest value of each map; the mean is asked.": lambda *a: head(
            lambda maps: maps.amax((2, 3)), *a
        ),
        "The bias is missing.": lambda maps, weight, bias: right(maps, weight, 0 * bias),
        "The bias counts once for every place in yours: add it after the mean.": lambda maps, weight, bias: right(
            maps, weight, bias * maps[0, 0].numel()
        ),
        "These are probabilities; logits are asked, without a soft-max.": lambda *a: right(*a).softmax(1),
        "There is no ReLU behind the logits.": lambda *a: right(*a).relu(),
        "There is no ReLU in a pooled head: the maps are taken as they are.": lambda maps, *a: right(maps.relu(), *a),
        "You average over the batch, too: every image has logits of its own.": lambda *a: (
            right(*a).mean(0, keepdim=True).expand(len(a[0]), -1)
        ),
        "Only one place of the maps counts in yours (the first); all must.": lambda *a: head(
            lambda maps: maps[..., 0, 0], *a
        ),
        "The mean went along one side of the grid only.": lambda *a: head(lambda maps: maps.mean(3)[..., 0], *a),
    }
    cases = {
        "one image, 2 channels, a grid of 2x2": case(1, 2, 3, 2, 2),
        "three images, 5 channels, a grid of 4x4": case(3, 5, 4, 4, 4),
        "two images, 4 channels, a grid of 3x7": case(2, 4, 6, 3, 7),
    }
    return judge_tensors("a pooled head", attempt, right, cases, mistakes)


def _drawn(shape: Sequence[int], draw: Generator) -> Tensor:
    """Normal numbers of few digits, for they may be shown; in float64, so that the order of a sum does not matter."""
    import torch

    return torch.randn(tuple(shape), generator=draw, dtype=torch.float64).mul(8).round().div(8)


# --- the residual block ---


def residual_block(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(x, first, second)``: two 3x3 convolutions with a ReLU between them, a shortcut, and a ReLU behind it."""
    import torch
    from torch.nn import functional

    task, draw = "a residual block", torch.Generator().manual_seed(seed)

    def conv(x: Tensor, weight: Tensor) -> Tensor:
        return functional.conv2d(x, weight, padding=1)

    def inside(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return conv(conv(x, first).relu(), second)

    def right(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return (x + inside(x, first, second)).relu()

    def case(channels: int, side: int, size: float) -> dict[str, Tensor]:
        first, second = (size * _drawn((channels, channels, 3, 3), draw) for _ in range(2))
        return {"x": _drawn((2, channels, side, side), draw).relu(), "first": first, "second": second}

    mistakes: dict[str, Callable[..., Tensor]] = {
        "The shortcut is missing: with weights of zero the block must hand on what it was given.": lambda *a: inside(
            *a
        ).relu(),
        "The shortcut comes after the last ReLU in yours: first add, then the ReLU.": lambda *a: (
            a[0] + inside(*a).relu()
        ),
        "The ReLU behind the sum is missing.": lambda *a: a[0] + inside(*a),
        "The ReLU between the two convolutions is missing: without it they are one.": lambda x, a, b: (
            x + conv(conv(x, a), b)
        ).relu(),
        "The second convolution is missing.": lambda x, a, b: (x + conv(x, a)).relu(),
        "You used the first weights twice.": lambda x, a, b: right(x, a, a),
        "You applied the second weights first.": lambda x, a, b: right(x, b, a),
        "The shortcut carries the output of the first convolution; it must carry x itself.": lambda x, a, b: (
            conv(x, a).relu() + inside(x, a, b)
        ).relu(),
        "You take the mean of the two ways; the sum is asked.": lambda *a: (a[0] + inside(*a)).relu() / 2,
        "You subtract the shortcut; add it.": lambda *a: (inside(*a) - a[0]).relu(),
        "Both convolutions get x in yours; the second must get what the first put out.": lambda x, a, b: (
            x + conv(x, a).relu() + conv(x, b)
        ).relu(),
    }
    cases = {"weights of zero": case(2, 4, 0.0), "2 channels": case(2, 5, 0.5), "3 channels": case(3, 6, 0.5)}
    verdict = judge_tensors(task, attempt, right, cases, mistakes)
    if not verdict:
        return verdict
    given = own(list(cases["2 channels"].values()))
    answer_on(attempt, given, "2 channels", task)
    kept = [torch.equal(after, before) for after, before in zip(given, cases["2 channels"].values(), strict=True)]
    traces = {
        "The answer is right, but `x` was changed. Others may still need it: make a new tensor (no `+=`, no `relu_`).": kept[
            0
        ],
        "The answer is right, but the weights were changed: they are still needed.": all(kept),
    }
    return next((Verdict(task, "wrong", words) for words, fine in traces.items() if not fine), verdict)


# --- which net fits ---

Cost = tuple[float, int, int]  # accuracy, parameters, MACs


def net_within(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(nets, parameters, macs)``: the name of the most accurate net within both budgets."""
    draw = random.Random(seed)

    def drawn() -> tuple[dict[str, Cost], int, int]:
        """Nets a to h; the budgets are the costs of one of them, so that 'at most' and 'less than' differ."""
        accuracies = draw.sample(range(500, 900), 8)
        nets = {
            name: (accuracy / 10, draw.randint(2, 150) * 10**6, draw.randint(1, 200) * 10**8)
            for name, accuracy in zip(draw.sample("abcdefgh", 8), accuracies, strict=True)
        }
        _, parameters, macs = nets[draw.choice(sorted(nets))]
        return (
            (nets, parameters, macs) if _best(nets, parameters - 1, macs - 1) else drawn()
        )  # one that needs less fits, too

    mistakes: dict[str, Callable] = {
        "Only the parameters count in yours; the MACs must fit, too.": lambda n, p, m: _best(n, p, 10**18),
        "Only the MACs count in yours; the parameters must fit, too.": lambda n, p, m: _best(n, 10**18, m),
        "It takes the best of all nets, whatever they cost.": lambda n, p, m: _best(n, 10**18, 10**18),
        "A net that needs the whole budget and no more does fit: at most, not less than.": lambda n, p, m: _best(
            n, p - 1, m - 1
        ),
        "It takes the LEAST accurate of those that fit.": lambda n, p, m: _best(n, p, m, min),
        "Both budgets must be kept; yours asks for one of them.": lambda n, p, m: _best(
            {name: cost for name, cost in n.items() if cost[1] <= p or cost[2] <= m}, 10**18, 10**18
        ),
        "It takes the first net that fits, not the best.": lambda n, p, m: next(
            (name for name, cost in n.items() if cost[1] <= p and cost[2] <= m), ""
        ),
        "It takes the net with the fewest parameters of those that fit; the most accurate is asked.": lambda n, p, m: (
            _best({name: (-cost[1], *cost[1:]) for name, cost in n.items()}, p, m)
        ),
        "It takes the net with the fewest MACs of those that fit; the most accurate is asked.": lambda n, p, m: _best(
            {name: (-cost[2], *cost[1:]) for name, cost in n.items()}, p, m
        ),
    }
    small = {"x": (60.0, 10, 40), "y": (70.0, 20, 50), "z": (80.0, 20, 200), "a": (90.0, 30, 60)}
    apart = False
    while not apart:  # until no two rules, right or wrong, choose alike
        cases = [(small, 20, 100), *(drawn() for _ in range(9))]
        rules = [_best, *mistakes.values()]
        apart = len({tuple(rule(*case) for case in cases) for rule in rules}) == len(rules)
    named = {
        f"{parameters:,} parameters, {macs:,} MACs and the nets {nets}": {
            "nets": nets,
            "parameters": parameters,
            "macs": macs,
        }
        for nets, parameters, macs in cases
    }
    return judge_words("the best net within a budget", attempt, _best, named, mistakes, list("abcdefghxyz"))


def _best(nets: Mapping[str, Cost], parameters: int, macs: int, pick: Callable = max) -> str:
    fitting = {name: cost[0] for name, cost in nets.items() if cost[1] <= parameters and cost[2] <= macs}
    return pick(fitting, key=fitting.get) if fitting else ""
