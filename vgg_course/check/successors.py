"""Checks for the chapter on what came after VGG."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from vgg_course.check.judging import judge_numbers
from vgg_course.check.verdict import Verdict, answer_on, short

if TYPE_CHECKING:
    from torch import Tensor

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

    task, draw = "a pooled head", torch.Generator().manual_seed(seed)

    def case(batch: int, channels: int, classes: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        shapes = ((batch, channels, height, width), (classes, channels), (classes,))
        return tuple(torch.randn(shape, generator=draw) for shape in shapes)  # type: ignore[return-value]

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
    return _judge_tensors(task, attempt, right, cases, mistakes)


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

    def case(channels: int, side: int, size: float) -> tuple[Tensor, Tensor, Tensor]:
        weights = (size * torch.randn(channels, channels, 3, 3, generator=draw) for _ in range(2))
        return torch.randn(2, channels, side, side, generator=draw).relu(), *weights  # type: ignore[return-value]

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
    cases = {"weights of zero": case(2, 4, 0.0), "2 channels": case(2, 5, 0.4), "3 channels": case(3, 6, 0.4)}
    return _judge_tensors(task, attempt, right, cases, mistakes)


def _judge_tensors(
    task: str,
    attempt: Callable,
    right: Callable[..., Tensor],
    cases: Mapping[str, Sequence[Tensor]],
    mistakes: Mapping[str, Callable[..., Tensor]],
) -> Verdict:
    """Judge a function from tensors to a tensor, as ``judge_numbers`` judges one that returns a number."""
    import torch

    answers, targets = [], [right(*given) for given in cases.values()]
    for (on, given), target in zip(cases.items(), targets, strict=True):
        handed = [tensor.clone() for tensor in given]
        answer, verdict = answer_on(attempt, handed, on, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if not isinstance(answer, torch.Tensor) or answer.is_complex():
            return Verdict(task, "wrong", f"on {on} it returned {short(answer)}; a tensor of numbers is wanted.")
        if answer.shape != target.shape:
            shapes = tuple(answer.shape), tuple(target.shape)
            return Verdict(task, "wrong", f"on {on} it returned a tensor of shape {shapes[0]}, not {shapes[1]}.")
        if not all(torch.equal(mine, theirs) for mine, theirs in zip(handed, given, strict=True)):
            words = "it changed what it was given. Others may still need it: make a new tensor (no `+=`, no `relu_`)."
            return Verdict(task, "wrong", f"on {on} {words}")
        answers.append(answer.detach().to("cpu", torch.float64))
    if all(map(_near, answers, targets)):
        return Verdict(task, "passed", f"right on all {len(cases)} cases.")
    place = next(i for i, pair in enumerate(zip(answers, targets, strict=True)) if not _near(*pair))
    apart = (answers[place] - targets[place]).abs().max().item()
    message = f"on {list(cases)[place]} the largest difference is {apart:.3g}."
    for words, mistaken in mistakes.items():
        if all(_near(mine, mistaken(*given)) for mine, given in zip(answers, cases.values(), strict=True)):
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _near(a: Tensor, b: Tensor) -> bool:
    import torch

    return a.shape == b.shape and torch.allclose(a, b.double(), rtol=1e-4, atol=1e-4)


# --- which net fits ---

Cost = tuple[float, int, int]  # accuracy, parameters, MACs


def net_within(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(nets, parameters, macs)``: the name of the most accurate net within both budgets."""
    task, draw = "the best net within a budget", random.Random(seed)

    def drawn() -> tuple[dict[str, Cost], int, int]:
        """Nets a to h; the budgets are the costs of one of them, so that 'at most' and 'less than' differ."""
        accuracies = draw.sample(range(500, 900), 8)
        nets = {
            name: (accuracy / 10, draw.randint(2, 150) * 10**6, draw.randint(1, 200) * 10**8)
            for name, accuracy in zip(draw.sample("abcdefgh", 8), accuracies, strict=True)
        }
        budget = nets[draw.choice(sorted(nets))]
        return nets, budget[1], budget[2]

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
    small = {"x": (60.0, 10, 100), "y": (70.0, 20, 50), "z": (80.0, 20, 200)}
    apart = False
    while not apart:  # until no two rules, right or wrong, choose alike
        cases = [(small, 20, 100), *(drawn() for _ in range(9))]
        rules = [_best, *mistakes.values()]
        apart = len({tuple(rule(*case) for case in cases) for rule in rules}) == len(rules)
    answers = []
    for nets, parameters, macs in cases:
        on = f"{len(nets)} nets, {parameters:,} parameters, {macs:,} MACs"
        answer, verdict = answer_on(attempt, [dict(nets), parameters, macs], on, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if not isinstance(answer, str) or answer not in nets:
            return Verdict(
                task, "wrong", f"on {on} it returned {short(answer)}; the name of one of the nets is wanted."
            )
        answers.append(answer)
    targets = [_best(*case) for case in cases]
    if answers == targets:
        return Verdict(task, "passed", f"right on all {len(cases)} lists of nets.")
    place = next(i for i, pair in enumerate(zip(answers, targets, strict=True)) if pair[0] != pair[1])
    nets, parameters, macs = cases[place]
    mine, best = (f"{name} {nets[name]}" for name in (answers[place], targets[place]))
    message = f"within {parameters:,} parameters and {macs:,} MACs it chose {mine}, and the best is {best}."
    for words, mistaken in mistakes.items():
        if answers == [mistaken(*case) for case in cases]:
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _best(nets: Mapping[str, Cost], parameters: int, macs: int, pick: Callable = max) -> str:
    fitting = {name: cost[0] for name, cost in nets.items() if cost[1] <= parameters and cost[2] <= macs}
    return pick(fitting, key=fitting.get) if fitting else ""
