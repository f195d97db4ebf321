"""Checks for the chapter that trains on reduced CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from vgg_course.check import beside
from vgg_course.check.judging import Kind, judge, judge_numbers
from vgg_course.check.verdict import Verdict, answer_on, own

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from vgg_course.answers import Evaluation
    from vgg_course.history import History

Statistics = tuple["Tensor", "Tensor"]

# --- the mean and the standard deviation of each channel ---


def channel_statistics(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(images)``: uint8 ``(N, 3, H, W)`` to mean and std, each ``(3,)``, where 255 counts as 1.

    With so many pixels it does not matter whether the squares are divided by their number or by one less.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)

    def drawn(count: int, height: int, width: int) -> dict[str, Tensor]:
        """Images that differ in brightness, channels that differ in both numbers."""
        bright = torch.randint(0, 130, (count, 1, 1, 1), generator=generator)
        noise = torch.randint(0, 50, (count, 3, height, width), generator=generator)
        color = torch.randint(1, 20, (3, 1, 1), generator=generator).cumsum(0)
        return {"images": (bright + color + noise * torch.tensor([0.8, 1.0, 1.2])[:, None, None]).to(torch.uint8)}

    def over(*dims: int) -> Callable:
        return lambda images: ((images / 255).mean(dims), (images / 255).std(dims))

    target, by_image = over(0, 2, 3), over(2, 3)

    def read(answer: object) -> Statistics | None:
        try:
            mean, std = (torch.as_tensor(part).detach() for part in answer)  # type: ignore[union-attr]
            return None if mean.is_complex() or std.is_complex() else (mean.double(), std.double())
        except Exception:  # whatever a student returns
            return None

    def near(mine: Tensor, right: Tensor) -> bool:
        return mine.shape == right.shape and torch.allclose(mine, right, rtol=2e-4, atol=0)

    def apart(mine: Statistics, right: Statistics) -> str:
        name, one, other = next(
            found for found in zip(("mean", "deviation"), mine, right, strict=True) if not near(*found[1:])
        )
        if one.shape != other.shape:
            return f"the {name} has the shape {tuple(one.shape)}, not {tuple(other.shape)}."
        return f"the {name} is {_few(one)}, not {_few(other)}."

    kind = Kind(
        "two tensors are wanted: the mean and the deviation of each channel",
        read,
        lambda mine, right: all(map(near, mine, right)),
        lambda mine, right: max(float((a / b - 1).abs().max()) for a, b in zip(mine, right, strict=True)),
        apart,
    )
    mistakes = {
        "Your numbers are 255 times too large: uint8 pixels run from 0 to 255, not to 1.": (
            lambda images: [255 * part for part in target(images)]
        ),
        "The mean is on the scale where 255 is 1; bring the deviation there, too.": (
            lambda images: (target(images)[0], 255 * target(images)[1])
        ),
        "You divided by 256; the largest uint8 is 255, and that counts as 1.": (
            lambda images: [255 / 256 * part for part in target(images)]
        ),
        "You averaged the deviations of the images; that misses how images differ from one another.": (
            lambda images: (target(images)[0], by_image(images)[1].mean(0))
        ),
        "That is the variance: take the square root.": lambda images: (target(images)[0], target(images)[1] ** 2),
        "The deviation is how far pixels are from their mean: take the mean off before you square.": (
            lambda images: (target(images)[0], (images / 255).square().mean((0, 2, 3)).sqrt())
        ),
        "The mean comes first, then the deviation.": lambda images: target(images)[::-1],
        "That is one number for all colors; every channel has its own. Average over dimensions 0, 2 and 3.": (
            over(0, 1, 2, 3)
        ),
        "You averaged over rows and columns; average over the images, too, which are dimension 0.": by_image,
        "You averaged over the images; average over rows and columns, too, which are dimensions 2 and 3.": over(0),
        "You took the last dimension for the colors; they are the second: (N, 3, H, W).": over(0, 1, 2),
    }
    sizes = (4, 64, 64), (6, 80, 60), (3, 72, 96)
    cases = {
        f"{count} images of {height}x{width} pixels": drawn(count, height, width) for count, height, width in sizes
    }
    return judge("channel_statistics", attempt, target, cases, mistakes, kind)


def _few(values: Tensor) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values.tolist()) + ")"


# --- accuracy, measured properly ---


def evaluated_accuracy(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(model, inputs, labels)``: the share of right answers, in eval mode, the mode put back."""
    import torch

    from vgg_course.answers import accuracy, predict

    task, generator = "evaluated_accuracy", torch.Generator().manual_seed(seed)
    cases = {}
    for count, training in ((7, True), (7, False), (31, True), (23, False)):
        wrong = int(torch.randint(1, count // 2, (), generator=generator))
        case = _noisy_net(count, wrong, generator)
        case[0].train(training)
        cases[f"{count} images and a net in {'train' if training else 'eval'} mode"] = case
    for on, (model, inputs, labels) in cases.items():
        was_training, before, graphs = model.training, own(dict(model.state_dict())), []
        model.register_forward_hook(lambda module, given, logits, graphs=graphs: graphs.append(logits.requires_grad))
        verdict = answer_on(attempt, [model, inputs.clone(), labels.clone()], on, task)[1]
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        after, modes = model.state_dict(), {module.training for module in model.modules()}
        traces = {
            "The images it was judged by changed the net: batch norm updated its running statistics. "
            "Call model.eval() before you look.": any(
                name not in after or not torch.equal(value, after[name]) for name, value in before.items()
            ),
            "It computed gradients that nobody wants: put the forward pass under torch.no_grad().": any(graphs),
            "It left the net in eval mode. Put it back as it was.": was_training and modes == {False},
            "It left the net in train mode. Put it back as it was: model.train(mode) takes the mode it had.": (
                not was_training and modes == {True}
            ),
            "Some layers are in the other mode now: model.train(mode) reaches all of them.": modes != {was_training},
        }
        for words, found in traces.items():
            if found:
                return Verdict(task, "wrong", f"on {on} it left a trace. {words}")

    def share(model: nn.Module, inputs: Tensor, labels: Tensor) -> float:
        return accuracy(predict(model, inputs), labels)

    mistakes = {
        "That is in percent; return a share of 1.": lambda *case: 100 * share(*case),
        "That is a count. Divide it by the number of images.": lambda *case: len(case[2]) * share(*case),
        "That is the share of wrong answers; the right ones are asked.": lambda *case: 1 - share(*case),
        "That is the mean loss; the share of right answers is asked.": lambda model, inputs, labels: (
            torch.nn.functional.cross_entropy(predict(model, inputs), labels)
        ),
        "That is how sure the net is on average; is it right?": lambda model, inputs, labels: (
            predict(model, inputs).softmax(1).amax(1).mean()
        ),
    }
    named = {on: dict(zip(("model", "inputs", "labels"), case, strict=True)) for on, case in cases.items()}
    return judge_numbers(task, attempt, share, named, mistakes, tolerance=1e-5)


def _noisy_net(count: int, wrong: int, generator: Generator) -> tuple[nn.Module, Tensor, Tensor]:
    """A net whose answers differ between train and eval mode, and images of which it gets so many wrong in eval mode."""
    import torch
    from torch import nn

    with torch.random.fork_rng([]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 3))
        inputs = 3 * torch.randn(count, 3, 2, 2) + 2
    model.eval()
    with torch.no_grad():
        labels = model(inputs).argmax(1)
    labels[:wrong] = (labels[:wrong] + 1) % 3
    return model, inputs, labels


# --- a coin for every image ---


def random_flip(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(images, generator)``: each image mirrored left-right with probability one half, on its own."""
    import torch

    task, count, draw = "random_flip", 64, torch.Generator().manual_seed(seed)
    on = f"{count} images of 3x4 pixels"
    images = (
        torch.randperm(count * 3 * 3 * 4, generator=draw).reshape(count, 3, 3, 4).float()
    )  # no two values are equal
    first = int(torch.randint(10**6, (), generator=draw))
    answers = []
    for coins in (first, *range(first, first + 8)):  # the first generator twice
        answer, verdict = answer_on(attempt, [images.clone(), torch.Generator().manual_seed(coins)], on, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        if not isinstance(answer, torch.Tensor) or answer.shape != images.shape:
            found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
            return Verdict(task, "wrong", f"on {on} it returned {found}; images of the same shape are wanted.")
        answers.append(answer.detach())
    found, mirrored = torch.stack(answers), images.flip(3)

    def equal(other: Tensor, dims: int = 3) -> Tensor:
        """For each draw, which images are those: whole (3 dims), by channel (2) or by row (1)."""
        return (found == other).flatten(-dims).all(-1)

    def either(other: Tensor, dims: int = 3) -> Tensor:
        return equal(images, dims) | equal(other, dims)

    if not either(mirrored).all():
        mistakes = {
            "Your images stand on their head: columns are the last dimension, 3.": either(images.flip(2)),
            "You turned images by half a turn; mirror the columns alone, the last dimension, 3.": (
                either(images.flip((2, 3)))
            ),
            "You put the colors in another order: columns are the last dimension, 3.": either(images.flip(1)),
            "You put the batch in another order: columns are the last dimension, 3.": either(images.flip(0)),
            "Every channel has a coin of its own in yours, and the colors no longer fit: one coin an image.": (
                either(mirrored, 2)
            ),
            "Every row has a coin of its own in yours: one coin an image.": either(mirrored, 1),
            "Every pixel has a coin of its own in yours: one coin an image.": (found == images) | (found == mirrored),
        }
        message = "some images are neither as they were nor mirrored left to right."
        for words, explained in mistakes.items():
            if explained.all():
                message += f" {words}"
                break
        turn, image = (~either(mirrored)).nonzero()[0].tolist()
        return Verdict(task, "wrong", message, picture=beside.grids(mirrored[image], found[turn, image]))
    flips = equal(mirrored)[1:]  # 8 draws of 64 images
    shares, total = flips.sum(1), int(flips.sum())
    mistakes = {
        "The same generator gave other images: draw from `generator`, not from torch's own.": (
            not torch.equal(found[0], found[1])
        ),
        "Toss a coin for every image: none was ever mirrored.": total == 0,
        "Toss a coin for every image: every one was mirrored, always.": total == flips.numel(),
        "That is one coin for the batch: all images were mirrored or none. Draw as many coins as there are images.": (
            bool(((shares == 0) | (shares == count)).all())
        ),
        "It is always the same images that are mirrored: toss the coins with `generator`.": bool(
            (flips == flips[0]).all()
        ),
        "Coins do not count: always exactly half of the images were mirrored. Give every image a coin of its own.": (
            bool((shares == count // 2).all())
        ),
        "The chance to be mirrored is one half; yours is smaller.": total < 200,  # 256 with a standard deviation of 11
        "The chance to be mirrored is one half; yours is larger.": total > 312,
    }
    result = f"in 8 draws {total} of {flips.numel()} images were mirrored"
    for words, caught in mistakes.items():
        if caught:
            return Verdict(task, "wrong", f"{result}. {words}")
    return Verdict(task, "passed", f"{result}, each by its own coin, and the same generator mirrors the same.")


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
    trained, chance = history[-1].train_accuracy, 1 / len(measured["confusion"])
    reasons = {
        "Too good: has the net been trained on what it is judged by?": test.accuracy > high,
        "That is guessing. Did you judge another net than the one you trained?": test.accuracy < chance + 0.1,
        "Judge it in eval mode, on images that are normalized in the same way.": trained - test.accuracy > 0.05,
        "It learned too little. Look at the learning rate, labels, images.": True,
    }
    reason = next(words for words, found in reasons.items() if found)
    return Verdict(task, "wrong", f"{message} In training it had {trained:.1%}. {reason}")
