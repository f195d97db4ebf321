"""Checks for the chapter that measures what mistakes cost."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial

from vgg_course.check.judging import judge_numbers
from vgg_course.check.verdict import Verdict, ask, not_attempted, short

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


def shrinkage(attempt: Callable) -> Verdict:
    """Judge ``attempt(learning_rate, weight_decay, steps)``: what SGD without momentum leaves of a weight, by decay alone."""
    cases = [
        {"learning_rate": 0.1, "weight_decay": 0.5, "steps": 2},
        {"learning_rate": 0.01, "weight_decay": 5e-4, "steps": 1000},
        {"learning_rate": 0.01, "weight_decay": 0.5, "steps": 106},
        {"learning_rate": 0.05, "weight_decay": 0.1, "steps": 0},
    ]
    return _judge("shrinkage", attempt, lambda lr, wd, n: (1 - lr * wd) ** n, cases, SHRINKAGE_MISTAKES)


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


def epoch_loss(attempt: Callable) -> Verdict:
    """Judge ``attempt(losses, sizes)``: the mean over all images, from each batch's mean loss and its size."""
    cases = [
        {"losses": [0.5, 2.0], "sizes": [3, 1]},
        {"losses": [0.25, 0.75, 0.5, 3.0], "sizes": [128, 128, 128, 24]},
        {"losses": [1.25, 0.5], "sizes": [64, 64]},
        {"losses": [0.75], "sizes": [24]},
    ]

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


def reported_accuracy(attempt: Callable) -> Verdict:
    """Judge ``attempt(validation, test)``: the test accuracy of the epoch that validation picks, the first of equals."""
    cases = [
        {"validation": [0.75, 0.875, 0.8125], "test": [0.75, 0.84375, 0.90625]},
        {"validation": [0.5, 0.9375, 0.625, 0.9375, 0.9375], "test": [0.5, 0.875, 0.9375, 0.890625, 0.84375]},
        {"validation": [0.9375, 0.875, 0.75], "test": [0.90625, 0.96875, 0.8125]},
    ]
    return judge_numbers("reported_accuracy", attempt, _at_best, cases, REPORT_MISTAKES)


# --- images augmented anew whenever they are asked for ---


def augmented_anew(attempt: Callable) -> Verdict:
    """Judge a class ``attempt(images, labels, augment)`` with ``len`` and ``[index]``: ``augment(image)`` anew each time."""
    import torch

    task, on = "augmented_anew", "5 images"
    images = 1000.0 * torch.arange(5)[:, None, None, None] + torch.zeros(5, 1, 2, 2)
    labels = torch.tensor([4, 3, 2, 1, 0])
    before, calls = images.clone(), []

    def augment(image):
        calls.append(image)
        return image + float(len(calls))  # another guise at every call

    def wrong(words: str) -> Verdict:
        return Verdict(task, "wrong", f"on {on} {words}")

    if not callable(attempt):
        return Verdict(task, "wrong", f"hand over the function itself, or the class; this is {type(attempt).__name__}.")
    try:
        made = ask(attempt, images, labels, augment)
        if made is None:
            return wrong("it returned None. Hand over a class, or a function that returns its object.")
        early = len(calls)
        if early:
            return wrong(
                f"augment was called {early} times before anyone asked for an image: that list is frozen, and every "
                "epoch will see the same guises. Keep the images as they are, and augment in __getitem__."
            )
        if len(made) != len(images):
            return wrong(f"len() is {len(made)}, not {len(images)}.")
        pairs = [made[index] for index in (2, 2, 4)]
        if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):
            return wrong(f"[2] is {short(pairs[0])}; a pair of image and label is wanted.")
        (first, label), (second, _), (_, other) = pairs
        if int(label) != 2 or int(other) != 0:
            return wrong(f"the labels of [2] and [4] are {int(label)} and {int(other)}, not 2 and 0.")
        first, second = torch.as_tensor(first).reshape(-1), torch.as_tensor(second).reshape(-1)
        if first.numel() != 4:
            return wrong(f"the image of [2] has {first.numel()} values, not 4: is it one image, (C, H, W)?")
        first, second = first[0].item(), second[0].item()
    except NotImplementedError:
        return not_attempted(task)
    except Exception as error:  # whatever a student's code raises becomes part of the verdict
        return wrong(f"it raised {type(error).__name__}: {error}")
    if len(calls) == 0:
        return wrong("augment was never called: the images come out as they went in.")
    if first == second:
        return wrong("the same image came out twice in the same guise: is the first one kept? Augment at every access.")
    if not torch.equal(images, before):
        return wrong("the images that were handed in have changed: return the augmented image, and do not store it.")
    if second > 2000 + 2:
        return wrong("the second guise was made from the first one: augment the original, and do not store the result.")
    if abs(first - 2000) > 10:
        return wrong(f"[2] is not a guise of image 2: its first value is {first:g}, about 2000 is expected.")
    if len(calls) > 3:
        return wrong(f"augment was called {len(calls)} times for 3 images: one call an access.")
    return Verdict(
        task, "passed", "nothing is drawn early, every access has a guise of its own, and the originals stay."
    )


# --- an alarm for batches that speak to one another ---


def depends_on_company(attempt: Callable) -> Verdict:
    """Judge ``attempt(model, images)``: whether what the model says of the first image depends on the others, as it is."""
    import torch

    task, answers = "depends_on_company", []
    cases = [(mode, net) for net in ("batch norm", "no batch norm") for mode in (True, False)]
    for training, kind in cases:
        model, images = _small_net(kind == "batch norm")
        model.train(training)
        on = f"a net with {kind} in {'train' if training else 'eval'} mode"
        before = copy.deepcopy(model.state_dict())
        if not callable(attempt):
            return Verdict(task, "wrong", f"hand over the function itself; this is {type(attempt).__name__}.")
        try:
            answer = ask(attempt, model, images.clone())
        except NotImplementedError:
            return not_attempted(task)
        except Exception as error:
            return Verdict(task, "wrong", f"on {on} it raised {type(error).__name__}: {error}")
        if answer is None:
            return Verdict(
                task, "wrong", f"on {on} it returned None. Does it print the answer instead of returning it?"
            )
        if hasattr(answer, "numel") and hasattr(answer, "item") and answer.numel() == 1 and answer.dtype == torch.bool:
            answer = answer.item()
        if not isinstance(answer, bool):
            return Verdict(task, "wrong", f"on {on} it returned {short(answer)}; True or False is wanted.")
        if model.training != training:
            words = "left it in the other mode. Judge the net in the mode it is in: that is what the alarm is about."
            return Verdict(task, "wrong", f"on {on} your function {words}")
        if any(not torch.equal(value, before[name]) for name, value in model.state_dict().items()):
            words = "changed its running statistics: two looks, two nets. Look at copy.deepcopy(model)."
            return Verdict(task, "wrong", f"on {on} your function {words}")
        answers.append(answer)
    right = [True, False, False, False]
    if answers == right:
        return Verdict(task, "passed", "the alarm rings for batch norm in train mode, and for nothing else.")
    if not any(answers):
        words = "Did you call eval() first? Or compare the whole batch with itself?"
        return Verdict(task, "wrong", f"it never rings, not even for batch norm in train mode. {words}")
    if all(answers):
        words = "Sums are rounded differently in batches of other sizes: compare with torch.allclose and a tolerance."
        return Verdict(task, "wrong", f"it always rings, even in eval mode. {words}")
    training, kind = next(case for case, mine, target in zip(cases, answers, right, strict=True) if mine != target)
    place = cases.index((training, kind))
    found = (
        f"on a net with {kind} in {'train' if training else 'eval'} mode it says {answers[place]}, not {right[place]}."
    )
    if answers == [True, False, True, False]:
        found += " It answers for the mode; a net without batch norm may be in train mode and judge each image alone."
    if answers == [True, True, False, False]:
        found += " It answers for the layers; in eval mode batch norm uses what it stored. Compare what the net says."
    return Verdict(task, "wrong", found)


def _small_net(batch_norm: bool):
    """A net and 12 images; its answers are rounded differently in batches of other sizes, as in real life."""
    import torch
    from torch import nn

    class Rounded(nn.Module):
        """Adds what float32 does to sums: a few units in the last place that depend on the size of the batch."""

        def forward(self, x):
            return x * (1 + 1e-6 * (len(x) % 7))

    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        norm = nn.BatchNorm2d(4) if batch_norm else nn.Identity()
        model = nn.Sequential(
            nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), Rounded()
        )
        images = torch.randn(12, 3, 6, 6) + torch.linspace(-2, 2, 12)[:, None, None, None]
    return model, images
