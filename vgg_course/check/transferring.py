"""Checks for the chapter on transfer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from vgg_course.check.judging import judge_numbers, judge_tensors
from vgg_course.check.verdict import Verdict, answer_on, short

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vgg_course.model import VGG

# --- the loss of a support vector machine ---


def hinge_loss(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(scores, labels)``: the mean of max(0, 1 - label * score), labels being 1 or -1."""
    import torch

    chance = torch.Generator().manual_seed(seed)

    def case(n: int):
        labels = torch.randint(0, 2, (n,), generator=chance) * 2.0 - 1
        return {"scores": 2 * torch.randn(n, generator=chance) + labels, "labels": labels}

    given = [
        {"scores": torch.tensor([2.0, -3.0]), "labels": torch.tensor([1.0, -1.0])},
        {"scores": torch.tensor([0.5, 0.25]), "labels": torch.tensor([1.0, -1.0])},
    ]
    return judge_numbers(
        "hinge loss",
        attempt,
        lambda s, y: float((1 - y * s).clamp(min=0).double().mean()),
        [*given, *(case(n) for n in (5, 8, 20))],
        {
            "A margin beyond 1 costs nothing: clamp at 0.": lambda s, y: float((1 - y * s).mean()),
            "That is the sum; the mean is asked.": lambda s, y: float((1 - y * s).clamp(min=0).sum()),
            "That is the squared hinge, LinearSVC's default; the plain one is asked.": lambda s, y: float(
                (1 - y * s).clamp(min=0).square().mean()
            ),
            "The hinge begins at a margin of 1, not of 0.": lambda s, y: float((-y * s).clamp(min=0).mean()),
            "The sign is wrong: a large margin is good, so it is 1 MINUS label times score.": lambda s, y: float(
                (1 + y * s).clamp(min=0).mean()
            ),
            "The label does not matter in yours: multiply the score by it.": lambda s, y: float(
                (1 - s).clamp(min=0).mean()
            ),
            "You count mistakes; the hinge also charges for right answers that are too close.": lambda s, y: float(
                (y * s <= 0).double().mean()
            ),
            "That is the logistic loss: smooth, and never quite zero.": lambda s, y: float(
                torch.nn.functional.softplus(-y * s).mean()
            ),
            "You took labels of 0 and 1; here they are -1 and 1.": lambda s, y: float(
                (1 - (2 * y - 1) * s).clamp(min=0).mean()
            ),
            "You clamp the mean. Each example is clamped by itself: one that is very right must not pay for another.": (
                lambda s, y: float((1 - y * s).mean().clamp(min=0))
            ),
        },
        tolerance=1e-5,
    )


# --- a learning rate for each part ---


def part_rate(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(place, parts, head, decay)``: the rate of a part, where place 0 is at the image, the last the head."""
    draw = random.Random(seed)
    cases = [
        {"place": 5, "parts": 6, "head": 0.5, "decay": 0.5},
        {"place": 4, "parts": 6, "head": 0.5, "decay": 0.5},
        {"place": 0, "parts": 6, "head": 0.8, "decay": 0.5},
        {"place": 1, "parts": 3, "head": 0.1, "decay": 1.0},
        *(
            {"place": draw.randint(0, 6), "parts": 8, "head": draw.choice((0.1, 0.3)), "decay": draw.choice((0.3, 0.7))}
            for _ in range(3)
        ),
    ]

    mistakes = {
        "Yours falls toward the head: the head learns fastest, the image's end slowest.": lambda i, n, h, d: h * d**i,
        "Off by one: the head itself (place parts - 1) gets the full rate.": lambda i, n, h, d: h * d ** (n - i),
        "Off by one: the part before the head has the decay once.": lambda i, n, h, d: h * d ** max(0, n - 2 - i),
        "Multiply by the decay at EVERY step; yours falls in a straight line.": lambda i, n, h, d: h * d * (i + 1) / n,
        "All parts but the head get the same rate in yours; the decay counts once for every step.": (
            lambda i, n, h, d: h if i == n - 1 else h * d
        ),
        "You divide by the decay: rates grow toward the image.": lambda i, n, h, d: h / d ** (n - 1 - i),
        "You multiply by the number of steps; raise the decay to that power.": lambda i, n, h, d: h * d * (n - 1 - i),
        "That is the factor; multiply it by the head's rate.": lambda i, n, h, d: d ** (n - 1 - i),
        "The decay does not matter in yours.": lambda i, n, h, d: h,
    }
    return judge_numbers(
        "the rate of a part",
        attempt,
        lambda i, n, h, d: h * d ** (n - 1 - i),
        cases,
        mistakes,
        tolerance=1e-6,
    )


# --- what Appendix B makes of an image ---


def two_view_vectors(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(maps, mirrored)``: pooled over places, averaged over the two views, scaled to length 1, ``(N, C)``."""
    import torch
    from torch.nn.functional import normalize

    chance = torch.Generator().manual_seed(seed)

    def unit(x):
        return normalize(x, dim=1)

    def pooled(maps):
        return maps.mean((2, 3))

    def case(n: int, c: int, h: int, w: int):
        """One view is stronger, but not in every channel."""
        strength = torch.randint(1, 9, (2, n, c, 1, 1), generator=chance) / 4
        views = torch.randint(1, 9, (2, n, c, h, w), generator=chance) / 8 * strength
        return {"maps": views[0], "mirrored": 2 * views[1]}

    def right(a, b):
        return unit((pooled(a) + pooled(b)) / 2)

    return judge_tensors(
        "the vector of an image and its mirror image",
        attempt,
        right,
        [case(*shape) for shape in ((1, 2, 1, 2), (2, 4, 2, 2), (3, 5, 4, 3))],
        {
            "Right, but for the length: scale each vector to length 1 at the end.": lambda a, b: (
                (pooled(a) + pooled(b)) / 2
            ),
            "You added the two and did not scale to length 1.": lambda a, b: pooled(a) + pooled(b),
            "You scaled each view before averaging. Average first; the sum of two unit vectors has no unit length.": (
                lambda a, b: (unit(pooled(a)) + unit(pooled(b))) / 2
            ),
            "You scaled each view, averaged, and scaled again: then a weak view counts as much as a strong one. Average first.": (
                lambda a, b: unit(unit(pooled(a)) + unit(pooled(b)))
            ),
            "You stacked the two views: twice as long. Views of one scale are averaged.": (
                lambda a, b: unit(torch.cat([pooled(a), pooled(b)], 1))
            ),
            "The mirror image does not count in yours.": lambda a, b: unit(pooled(a)),
            "Only the mirror image counts in yours.": lambda a, b: unit(pooled(b)),
            "You took the larger of the two views; their average is asked.": lambda a, b: unit(
                torch.maximum(pooled(a), pooled(b))
            ),
            "All places are still there: average over height and width.": lambda a, b: unit((a + b).flatten(1)),
            "You took the largest value of each map; the mean is asked.": lambda a, b: unit(
                a.amax((2, 3)) + b.amax((2, 3))
            ),
            "You scaled each channel over the images (dim=0); each image's vector is to have length 1.": (
                lambda a, b: normalize(pooled(a) + pooled(b), dim=0)
            ),
        },
    )


# --- only the head may change ---


def ready_for_head(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(net, classes)``: the net with a new last layer, so that a training step changes that layer alone."""
    import torch

    from vgg_course.model import vgg

    task, chance, draw = (
        "a net that learns with its head alone",
        torch.Generator().manual_seed(seed),
        random.Random(seed),
    )
    for classes, hidden in zip(draw.sample(range(4, 10), 2), draw.sample(range(4, 10), 2), strict=True):
        sizes = {"input_size": 32, "classes": 3, "width": 1 / 32, "hidden": (hidden,)}
        net = vgg("A", **sizes, batch_norm=True, dropout=0.5, generator=chance)
        before = {name: value.clone() for name, value in net.state_dict().items()}
        on = f"a small net with batch norm and dropout, for {classes} classes,"
        answer, verdict = answer_on(attempt, [net.train(), classes], on, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        images = torch.randn(32, 3, 32, 32, generator=chance)
        if words := _not_ready(answer, classes, hidden) or _one_step(answer, images, before):
            return Verdict(task, "wrong", f"on {on} {words}")
    return Verdict(
        task, "passed", "two nets got a new head of the right size; a training step moved it, and nothing else."
    )


def _last(net: nn.Module) -> nn.Module:
    import torch

    return net.classifier[-1] if isinstance(net.classifier, torch.nn.Sequential) else net.classifier


def _not_ready(net: object, classes: int, hidden: int) -> str:
    """What is wrong with it before any training; empty if nothing is."""
    import torch

    if not isinstance(net, torch.nn.Module) or not hasattr(net, "classifier") or not hasattr(net, "features"):
        return f"it returned {short(net)}; the net is wanted."
    if not isinstance(last := _last(net), torch.nn.Linear):
        return f"the last module is a {type(last).__name__}; a Linear that puts out scores is wanted."
    faults = [
        ("That is the old head still: put a new layer in its place.", last.out_features == 3),
        (
            "You put the new layer behind the old one. It takes its place, and sees what the old one saw.",
            last.in_features == 3,
        ),
        (
            "The new head is frozen, too. Freeze first, then put the new layer in: its weights require gradients.",
            not last.weight.requires_grad,
        ),
    ]
    words = next((words for words, found in faults if found), "")
    if words or (last.in_features, last.out_features) != (hidden, classes):
        layer = f"the last layer makes {last.out_features} numbers out of {last.in_features}"
        return f"{layer}; {classes} out of {hidden} are wanted, and it is to learn. {words}".rstrip()
    return ""


def _one_step(net: VGG, images: Tensor, before: Mapping[str, Tensor]) -> str:
    """Train as the exercise says; what is wrong if anything but the head moved."""
    import torch

    learns = [p for p in net.parameters() if p.requires_grad]
    try:
        with torch.random.fork_rng(devices=[]):
            loss = net(images).logsumexp(1).sum()
            loss.backward()
            torch.optim.SGD(learns, lr=0.1).step()
    except Exception as error:  # whatever the net has become
        return f"a training step raised {type(error).__name__}: {error}"
    head = {id(part) for part in _last(net).parameters()}
    heads = {name for name, part in net.named_parameters() if id(part) in head}
    after = net.state_dict()
    if gone := sorted(set(before) - set(after)):
        return f"{gone[0]} is gone; only the last layer is to be replaced."
    moved = [name for name in before if name not in heads and not torch.equal(after[name], before[name])]
    if not moved:
        return ""
    weights = [name for name in moved if "running" not in name and "num_batches" not in name]
    faults = [
        (
            "The weights stay, but in training mode a batch norm follows every batch, gradients or not: put the features "
            "into eval mode.",
            not weights,
        ),
        ("Biases are parameters, too: freeze them all.", all(name.endswith(".bias") for name in weights)),
        (
            "The hidden layers in front of the head are to stay as well.",
            all(name.startswith("classifier.") for name in weights),
        ),
        (
            "Setting `module.requires_grad = False` only makes an attribute; `module.requires_grad_(False)` reaches the "
            "parameters. And they must be frozen before the step.",
            True,
        ),
    ]
    words = next(words for words, found in faults if found)
    return f"a training step changed {len(moved)} of {len(before)} tensors, {(weights or moved)[0]} for one. {words}"
