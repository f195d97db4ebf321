"""Checks for the chapter that trains on reduced CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from vgg_course.check.verdict import Verdict, answer_on

if TYPE_CHECKING:
    from vgg_course.answers import Evaluation
    from vgg_course.history import History


# --- the mean and the standard deviation of each channel ---


def channel_statistics(attempt: Callable) -> Verdict:
    """Judge ``attempt(images)``: uint8 ``(N, 3, H, W)`` to mean and std, each ``(3,)``, where 255 counts as 1."""
    import torch

    task, on = "channel_statistics", "6 images of 4x5 pixels"
    generator = torch.Generator().manual_seed(0)
    bright = torch.tensor([20, 70, 120, 160, 190, 200])[:, None, None, None]  # images differ in brightness
    images = bright + torch.randint(0, 50, (6, 3, 4, 5), generator=generator) + torch.tensor([0, 1, 4])[:, None, None]
    images = images.to(torch.uint8)
    answer, verdict = answer_on(attempt, [images.clone()], on, task)
    if verdict is not None:
        return verdict
    try:
        parts = [torch.as_tensor(part) for part in answer]
        if any(part.is_complex() for part in parts):
            raise TypeError("complex numbers")
        mean, std = (part.double() for part in parts)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return Verdict(task, "wrong", f"it returned {type(answer).__name__}; return two tensors: mean, std.")
    for name, value in (("mean", mean), ("std", std)):
        if tuple(value.shape) != (3,):
            shape = tuple(value.shape)
            return Verdict(task, "wrong", f"{name} has shape {shape}, not (3,): average over images, rows and columns.")
    pixels = images.double() / 255
    right = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3), correction=0)

    def close(mine, target) -> bool:
        return bool(torch.allclose(mine, target, rtol=0, atol=2e-4 * float(target.max())))

    if close(mean, right[0]) and (close(std, right[1]) or close(std, pixels.std((0, 2, 3)))):
        return Verdict(task, "passed", "the mean and the deviation of every channel agree.")
    if close(mean, 255 * right[0]):
        return Verdict(task, "wrong", "your numbers are 255 times too large: uint8 pixels run from 0 to 255, not to 1.")
    if not close(mean, right[0]):
        return Verdict(task, "wrong", f"on {on} the mean is {_few(mean)}, not {_few(right[0])}.")
    message = f"the mean is right, but std is {_few(std)}, not {_few(right[1])}."
    if any(close(std, pixels.std((2, 3), correction=c).mean(0)) for c in (0, 1)):
        reason = "You averaged the deviations of the images; that misses how images differ from one another."
        return Verdict(task, "wrong", f"{message} {reason}")
    if any(close(std, pixels.var((0, 2, 3), correction=c)) for c in (0, 1)):
        return Verdict(task, "wrong", f"{message} That is the variance: take the square root.")
    return Verdict(task, "wrong", message)


def _few(values) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values.tolist()) + ")"


# --- accuracy, measured properly ---


def evaluated_accuracy(attempt: Callable) -> Verdict:
    """Judge ``attempt(model, inputs, labels)``: the share of right answers, in eval mode, the mode put back."""
    import torch

    task = "evaluated_accuracy"
    for was_training in (True, False):
        model, inputs, labels = _noisy_net()
        model.train(was_training)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        on = f"7 images and a net in {'train' if was_training else 'eval'} mode"
        answer, verdict = answer_on(attempt, [model, inputs, labels], on, task)
        if verdict is not None:
            return verdict
        try:
            share = float(answer.detach() if isinstance(answer, torch.Tensor) else answer)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return Verdict(task, "wrong", f"it returned {type(answer).__name__}; a number is wanted.")
        if any(not torch.equal(before[name], value) for name, value in model.state_dict().items()):
            reason = "batch norm updated its running statistics. Call model.eval() before you look."
            return Verdict(task, "wrong", f"on {on}, the images it was judged by changed the net: {reason}")
        if isinstance(answer, torch.Tensor) and answer.requires_grad:
            return Verdict(task, "wrong", "your answer drags a graph along: compute under torch.no_grad().")
        if model.training != was_training:
            return Verdict(task, "wrong", f"on {on}, it left the net in the other mode. Put it back as it was.")
        model.eval()
        with torch.no_grad():
            right = (model(inputs).argmax(1) == labels).double().mean().item()
        if abs(share - 100 * right) < 1e-3:
            return Verdict(task, "wrong", f"on {on} it returned {share:g}: that is in percent; return a share of 1.")
        if abs(share - 7 * right) < 1e-3:
            return Verdict(task, "wrong", f"on {on} it returned {share:g}: a count. Divide by the number of images.")
        if not abs(share - right) <= 1e-6:  # NaN is not
            return Verdict(task, "wrong", f"on {on} it returned {share:.4f}, not {right:.4f}.")
    return Verdict(task, "passed", "right in both modes, and the net is as it was.")


def _noisy_net():
    """A net whose answers differ between train and eval mode, on images whose labels it gets right five times of seven."""
    import torch
    from torch import nn

    with torch.random.fork_rng([]):
        torch.manual_seed(2)
        model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 3))
        inputs = 3 * torch.randn(7, 3, 2, 2) + 2
    model.eval()
    with torch.no_grad():
        labels = model(inputs).argmax(1)
    labels[:2] = (labels[:2] + 1) % 3
    return model, inputs, labels


# --- a coin for every image ---


def random_flip(attempt: Callable) -> Verdict:
    """Judge ``attempt(images, generator)``: each image mirrored left-right with probability one half, on its own."""
    import torch

    task, count = "random_flip", 64
    on = f"{count} images of 3x4 pixels"
    images = torch.arange(count * 3 * 3 * 4).reshape(count, 3, 3, 4).float()

    def flipped() -> tuple[object, Verdict | None]:
        return answer_on(attempt, [images.clone(), torch.Generator().manual_seed(3)], on, task)

    answer, verdict = flipped()
    if verdict is not None:
        return verdict
    if not isinstance(answer, torch.Tensor) or answer.shape != images.shape:
        found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        return Verdict(task, "wrong", f"on {on} it returned {found}; images of the same shape are wanted.")
    kept, mirrored = ((answer == other).flatten(1).all(1) for other in (images, images.flip(3)))
    if not (kept | mirrored).all():
        if (kept | (answer == images.flip(2)).flatten(1).all(1)).all():
            return Verdict(task, "wrong", "your images stand on their head: columns are the last dimension, 3.")
        return Verdict(task, "wrong", "some images are neither as they were nor mirrored left to right.")
    share = int(mirrored.sum())
    if share in (0, count):
        which = "every image was mirrored" if share else "no image was mirrored"
        return Verdict(task, "wrong", f"{which}: one coin for the batch? Draw {count} of them, one an image.")
    if not 16 <= share <= 48:  # 32 with a standard deviation of 4
        return Verdict(task, "wrong", f"{share} of {count} images were mirrored; about half of them should be.")
    again, verdict = flipped()
    if verdict is not None:
        return verdict
    if not torch.equal(again, answer):
        return Verdict(
            task, "wrong", "the same generator gave other images: draw from `generator`, not from torch's own."
        )
    return Verdict(task, "passed", f"{share} of {count} images mirrored, each by its own coin, and it repeats.")


# --- a run against runs like it ---

SPREADS = 3  # with 5 runs, their mean plus and minus this many spreads is where the next one falls, 95 times in 100


def live_run(history: History, test: Evaluation) -> Verdict:
    """Tell whether a run of ``fit`` with the course's recipe and net lies in the band of our own runs of it.

    The band is a 95 % prediction interval for one more run: ``mean ± t * spread * sqrt(1 + 1/n)``, where Student's t is
    2.776 for n = 5; the factor is 3.04, and we take 3. It says nothing of drawn stand-ins.
    """
    from vgg_course import results

    task, measured = "live_run", results.load("live_training")
    for name, value, kind in (("history", history, "History"), ("test", test, "Evaluation")):
        if type(value).__name__ != kind:
            found = f"{name} is {type(value).__name__}; hand over the {kind} that"
            return Verdict(task, "wrong", f"{found} {'fit' if kind == 'History' else 'evaluate'} returned.")
    if history.is_drawn:
        return Verdict(task, "not attempted", "these were drawn stand-ins; the band was measured on photographs.")
    if history.interrupted:
        return Verdict(task, "not attempted", f"the run was stopped after {len(history)} epochs; let it end.")
    ours = measured["recipe"]
    other = [f"{name} = {value}" for name, value in asdict(history.recipe).items() if value != ours.get(name, value)]
    if other:
        return Verdict(task, "not attempted", f"the band belongs to another recipe; yours has {', '.join(other)}.")
    if test.images != measured["images"]["test"]:
        wanted = measured["images"]["test"]
        return Verdict(task, "not attempted", f"you judged {test.images:,} images; the band is for {wanted:,}.")
    band = measured["test_accuracy"]
    low, high = (band["mean"] + sign * SPREADS * band["spread"] for sign in (-1, 1))
    message = f"{test.accuracy:.1%}; of {band['n']} runs we expect the next between {low:.1%} and {high:.1%}."
    if low <= test.accuracy <= high:
        return Verdict(task, "passed", message)
    if test.accuracy > high:
        return Verdict(task, "wrong", f"{message} Too good: has the net been trained on what it is judged by?")
    chance, trained = 1 / len(measured["confusion"]), history[-1].train_accuracy
    if test.accuracy < chance + 0.1:
        reason = f"That is guessing. Did you judge another net than the one you trained (which had {trained:.1%})?"
    elif trained - test.accuracy > 0.05:
        reason = (
            f"In training it had {trained:.1%}: judge it in eval mode, on images that are normalized in the same way."
        )
    else:
        reason = (
            f"In training it had {trained:.1%} too: it learned too little. Look at the learning rate, labels, images."
        )
    return Verdict(task, "wrong", f"{message} {reason}")
