"""Checks for the chapter that measures what mistakes cost."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

from vgg_course.check.judging import Kind, judge, judge_numbers
from vgg_course.check.verdict import Verdict, answer_on

_judge = partial(judge_numbers, tolerance=1e-6)  # the same formula in another order rounds otherwise


# --- what weight decay leaves ---

SHRINKAGE_MISTAKES = {
    "That is what is lost; what is left is asked for.": lambda lr, wd, steps: 1 - (1 - lr * wd) ** steps,
    "Each step takes a share of what is *left*, not of the beginning: multiply, do not subtract.": lambda lr, wd, n: (
        1 - n * lr * wd
    ),
    "A step takes learning rate times decay off, not the decay alone.": lambda lr, wd, steps: (1 - wd) ** steps,
    "That is one step; take all of them.": lambda lr, wd, steps: 1 - lr * wd,
    "The gradient of the penalty is the decay times the weight, without a factor of 2: torch, too, counts half the square.": (
        lambda lr, wd, steps: (1 - 2 * lr * wd) ** steps
    ),
    "The weight grows: decay pulls toward 0, so it is 1 *minus* something.": lambda lr, wd, steps: (
        (1 + lr * wd) ** steps
    ),
}


def shrinkage(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(learning_rate, weight_decay, steps)``: what SGD without momentum leaves of a weight, by decay alone."""
    draw = random.Random(seed)
    cases = [(0.1, 0.5, 2), (0.01, 5e-4, 1000), (0.01, 0.5, 106), (0.05, 0.1, 0)]
    cases += [
        (draw.choice((0.02, 0.05, 0.1)), round(draw.uniform(0.01, 0.5), 3), draw.randint(3, 90)) for _ in range(3)
    ]
    return _judge(
        "shrinkage",
        attempt,
        lambda lr, wd, n: (1 - lr * wd) ** n,
        [{"learning_rate": lr, "weight_decay": wd, "steps": n} for lr, wd, n in cases],
        SHRINKAGE_MISTAKES,
    )


# --- the loss of an epoch ---

EPOCH_LOSS_MISTAKES = {
    "That is the loss of the last mini-batch. It may be a handful of images.": lambda losses, sizes: losses[-1],
    "That is the mean of the batches' means: it gives an image of a small batch more weight than the others.": (
        lambda losses, sizes: sum(losses) / len(losses)
    ),
    "That is the sum over the images; divide it by their number.": lambda losses, sizes: sum(
        a * n for a, n in zip(losses, sizes, strict=True)
    ),
    "You divided by the number of batches; divide by the number of images.": lambda losses, sizes: (
        sum(a * n for a, n in zip(losses, sizes, strict=True)) / len(losses)
    ),
    "Every loss is a mean over its batch already: multiply it by the size before you add.": lambda losses, sizes: (
        sum(losses) / sum(sizes)
    ),
}


def epoch_loss(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(losses, sizes)``: the mean over all images, from each batch's mean loss and its size."""
    draw = random.Random(seed)
    cases = [
        {"losses": [0.5, 2.0], "sizes": [3, 1]},
        {"losses": [0.25, 0.75, 0.5, 3.0], "sizes": [128, 128, 128, 24]},
        {"losses": [1.25, 0.5], "sizes": [64, 64]},
        {"losses": [0.75], "sizes": [24]},
    ]
    for batches in (3, 6):
        sizes = [64] * batches + [draw.randint(2, 60)]
        cases.append({"losses": [round(draw.uniform(0.1, 3), 2) for _ in sizes], "sizes": sizes})

    def target(losses: Sequence[float], sizes: Sequence[int]) -> float:
        return sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)

    return _judge("epoch_loss", attempt, target, cases, EPOCH_LOSS_MISTAKES)


# --- an epoch picked without the test images ---


def _at_best(by: Sequence[float], of: Sequence[float]) -> float:
    return of[max(range(len(by)), key=by.__getitem__)]  # the first, if several are best


REPORT_MISTAKES = {
    "That is the best test accuracy: you have picked the epoch with the test images.": lambda held, test: max(test),
    "That is the best validation accuracy. It was used to pick, so it flatters; report the test accuracy of that epoch.": (
        lambda held, test: max(held)
    ),
    "That is the last epoch. It is an honest number, but validation was to pick.": lambda held, test: test[-1],
    "That is the validation accuracy of the epoch that is best on test: the two sets are exchanged.": (
        lambda held, test: _at_best(test, held)
    ),
    "Of several epochs that validation holds equal, take the first: whoever looks at test to decide has picked by it.": (
        lambda held, test: max(b for a, b in zip(held, test, strict=True) if a == max(held))
    ),
    "Of several epochs that validation holds equal, take the first, not the last.": lambda held, test: _at_best(
        held[::-1], test[::-1]
    ),
    "That is the number of the epoch; its test accuracy is asked for.": lambda held, test: held.index(max(held)),
    "That is the number of the epoch, counted from 1; its test accuracy is asked for.": lambda held, test: (
        held.index(max(held)) + 1
    ),
}


def reported_accuracy(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(validation, test)``: the test accuracy of the epoch that validation picks, the first of equals."""
    draw = random.Random(seed)
    cases = [
        {"validation": [0.75, 0.875, 0.8125], "test": [0.75, 0.84375, 0.90625]},
        {"validation": [0.5, 0.9375, 0.625, 0.9375, 0.9375], "test": [0.5, 0.875, 0.9375, 0.890625, 0.84375]},
        {"validation": [0.9375, 0.875, 0.75], "test": [0.90625, 0.96875, 0.8125]},
    ]
    for epochs in (5, 8):  # in sixteenths, so that some are equal
        held = [draw.randint(8, 14) / 16 for _ in range(epochs)]
        cases.append({"validation": held, "test": [share / 32 for share in draw.sample(range(16, 31), epochs)]})
    return judge_numbers("reported_accuracy", attempt, _at_best, cases, REPORT_MISTAKES)


# --- images augmented anew whenever they are asked for ---

ANEW_MISTAKES: dict[str, Callable[[SimpleNamespace], bool]] = {
    "augment was called before anyone asked for an image: that list is frozen, and every epoch will see the same guises. "
    "Keep the images as they are, and augment in __getitem__.": lambda seen: seen.early > 0,
    "its len() is not the number of images.": lambda seen: len(seen.made) != len(seen.images),
    "[index] is no pair; a pair of image and label is wanted.": lambda seen: any(
        not isinstance(pair, tuple | list) or len(pair) != 2 for pair in seen.pairs
    ),
    "the label is not that of the image that was asked for.": lambda seen: (
        [int(label) for _, label in seen.pairs] != [int(seen.labels[place]) for place in seen.asked]
    ),
    "[index] has not as many values as an image: is it one image, (C, H, W)?": lambda seen: (
        {seen.values(place).numel() for place in range(3)} != {seen.images[0].numel()}
    ),
    "augment was never called: the images come out as they went in.": lambda seen: not seen.calls,
    "the same image came out twice in the same guise: is the first one kept? Augment at every access.": lambda seen: (
        bool(seen.values(0)[0] == seen.values(1)[0])
    ),
    "the images that were handed in have changed: return the augmented image, and do not store it.": lambda seen: (
        not seen.images.equal(seen.before)
    ),
    "augment is called more than once for one image: one call an access.": lambda seen: len(seen.calls) > 3,
    "the second guise was made from the first one: augment the original, and do not store the result.": lambda seen: (
        bool(seen.values(1)[0] > seen.before[seen.asked[1]].max() + 2)
    ),
    "it is a guise of another image than the one that was asked for.": lambda seen: any(
        abs(seen.values(i)[0] - seen.before[place].max()) > 10 for i, place in enumerate(seen.asked)
    ),
}


def augmented_anew(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge a class ``attempt(images, labels, augment)`` with ``len`` and ``[index]``: ``augment(image)`` anew each time."""
    import torch

    draw = random.Random(seed)
    count = draw.randint(5, 9)
    twice, once = draw.sample(range(1, count), 2)
    images = 1000.0 * torch.arange(count)[:, None, None, None] + torch.zeros(count, 1, 2, 2)
    labels, calls = torch.tensor(draw.sample(range(20, 40), count)), []

    def augment(image):
        calls.append(image)
        return image + float(len(calls))  # another guise at every call

    def flaw(images, labels, augment) -> str | None:
        """What is wrong first; empty if nothing is."""
        seen = SimpleNamespace(
            images=images, labels=labels, calls=calls, before=images.clone(), asked=(twice, twice, once)
        )
        seen.made = attempt(images, labels, augment)
        if seen.made is None:
            return None
        seen.early = len(calls)
        seen.pairs = [seen.made[place] for place in seen.asked]
        seen.values = lambda i: torch.as_tensor(seen.pairs[i][0]).reshape(-1)
        return next((words for words, found in ANEW_MISTAKES.items() if found(seen)), "")

    task, on = "augmented_anew", f"{count} images, when asked for [{twice}] twice and [{once}] once:"
    words, verdict = answer_on(flaw if callable(attempt) else attempt, [images, labels, augment], on, task)
    if verdict is not None:  # a verdict is false unless it passed
        return verdict
    if words:
        return Verdict(task, "wrong", f"on {on} {words}")
    praise = "nothing is drawn early, every access has a guise of its own, and the originals stay."
    return Verdict(task, "passed", praise)


# --- an alarm for batches that speak to one another ---


class _Alarm(NamedTuple):
    rings: bool
    trace: str = ""  # what it left behind in the net


COMPANY_MISTAKES: dict[str, Callable[[str, str], bool]] = {
    "It never rings. Did you call eval() first? Or compare the whole batch with itself?": lambda net, mode: False,
    "It always rings. Sums are rounded differently in batches of other sizes: compare with torch.allclose and a tolerance.": (
        lambda net, mode: True
    ),
    "It answers for the mode; a net without batch norm may be in train mode and judge each image alone.": (
        lambda net, mode: mode == "train"
    ),
    "It answers for the layers; in eval mode batch norm uses what it stored. Compare what the net says.": (
        lambda net, mode: net == "batch norm"
    ),
    "The answer is turned around: True means that the others matter.": lambda net, mode: not _speak(net, mode),
}
TRACES: dict[str, Callable] = {
    "the answers are right, but the net was left in the other mode. Leave no trace: look at copy.deepcopy(model).": (
        lambda model, was: model.training != was.training
    ),
    "the answers are right, but the running statistics have changed: two looks, two nets. Look at copy.deepcopy(model).": (
        lambda model, was: any(
            not value.equal(other)
            for value, other in zip(model.state_dict().values(), was.state_dict().values(), strict=True)
        )
    ),
}


def _speak(net: str, mode: str) -> bool:
    """Whether images of one batch speak to one another."""
    return net == "batch norm" and mode == "train"


def depends_on_company(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(model, images)``: whether what the model says of the first image depends on the others, as it is."""

    def alarm(net: str, mode: str) -> object:
        model, images = _small_net(net == "batch norm", seed)
        was = deepcopy(model.train(mode == "train"))
        answer = attempt(model, images.clone())
        if str(getattr(answer, "dtype", "")) == "torch.bool" and answer.numel() == 1:
            answer = answer.item()
        if not isinstance(answer, bool):
            return answer
        return _Alarm(answer, next((words for words, left in TRACES.items() if left(model, was)), ""))

    def read(answer: object) -> _Alarm | None:
        return _Alarm(answer) if isinstance(answer, bool) else answer if isinstance(answer, _Alarm) else None

    kind = Kind(
        "True or False is wanted",
        read,
        lambda mine, right: mine.rings == right.rings,
        lambda mine, right: 0.0,
        lambda mine, right: f"it says {mine.rings}, not {right.rings}.",
        flaw=lambda mine: mine.trace,
    )
    cases = {
        f"a net with {net} in {mode} mode": {"net": net, "mode": mode}
        for net in ("batch norm", "no batch norm")
        for mode in ("train", "eval")
    }
    return judge("depends_on_company", alarm if callable(attempt) else attempt, _speak, cases, COMPANY_MISTAKES, kind)


def _small_net(batch_norm: bool, seed: int):
    """A net and 12 images; its answers are rounded differently in batches of other sizes, as in real life."""
    import torch
    from torch import nn

    class Rounded(nn.Module):
        """Adds what float32 does to sums: a few units in the last place that depend on the size of the batch."""

        def forward(self, x):
            return x * (1 + 1e-6 * (len(x) % 7))

    with torch.random.fork_rng([]):
        torch.manual_seed(5 + seed)
        norm = nn.BatchNorm2d(4) if batch_norm else nn.Identity()
        model = nn.Sequential(
            nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), Rounded()
        )
        images = torch.randn(12, 3, 6, 6) + torch.linspace(-2, 2, 12)[:, None, None, None]
    return model, images
