"""Checks for the chapter that averages many views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from itertools import islice
from math import floor
from numbers import Integral
from typing import TYPE_CHECKING

from vgg_course.check.judging import judge_numbers, number_in
from vgg_course.check.verdict import Verdict, answer_on, attempt_on, short, shown

if TYPE_CHECKING:
    from torch import Tensor


# --- the label among the first k ---


def top_k_error(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(probabilities, labels, k)``: the share of images whose label is not among the k most probable."""
    import torch

    def error(p: Tensor, labels: Tensor, k: int, largest: bool = True) -> float:
        k = min(k, p.shape[1])
        return 1 - (p.topk(k, largest=largest).indices == labels[:, None]).any(1).double().mean().item()

    generator = torch.Generator().manual_seed(seed)
    cases = [
        {"probabilities": torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), "labels": torch.tensor([1, 0]), "k": k}
        for k in (1, 2)
    ]
    for count, classes, k in ((40, 6, 2), (30, 8, 5), (25, 10, 3)):
        # the label is likely to be among the first, as for a net that has learned something
        logits, labels = (
            torch.randn(count, classes, generator=generator),
            torch.randint(classes, (count,), generator=generator),
        )
        logits[range(count), labels] += 0.7
        cases.append({"probabilities": logits.softmax(1), "labels": labels, "k": k})
    return judge_numbers(
        "top-k error",
        attempt,
        error,
        cases,
        {
            "That is the accuracy; the error is what is left of 1.": lambda p, y, k: 1 - error(p, y, k),
            "You looked at the first class only: k may be more than 1.": lambda p, y, k: error(p, y, 1),
            "That is how many images are wrong; the error is their share of all.": (
                lambda p, y, k: len(y) * error(p, y, k)
            ),
            "That is the error in percent; a share is wanted, from 0 to 1.": lambda p, y, k: 100 * error(p, y, k),
            "You took the least probable classes: the most probable are the largest.": (
                lambda p, y, k: error(p, y, k, largest=False)
            ),
            "You took one class too many: the first k, not k + 1.": lambda p, y, k: error(p, y, k + 1),
            "The label need not be exactly in place k; any of the first k places will do.": (
                lambda p, y, k: (p.topk(k).indices[:, -1] != y).double().mean().item()
            ),
        },
        tolerance=1e-5,
    )


# --- where crops begin ---


def crop_starts(attempt: Callable) -> Verdict:
    """Judge ``attempt(length, size, grid)``: the first pixels of ``grid`` crops, spread evenly from edge to edge."""
    task = "where crops begin"
    sizes = [(256, 224, 5), (384, 224, 5), (512, 224, 3), (331, 224, 4), (290, 224, 8), (230, 224, 2)]
    cases = [dict(zip(("length", "size", "grid"), some, strict=True)) for some in sizes]

    def evenly(share: Callable) -> Callable:
        """``share(i, grid, length, size)`` is the ideal place of crop i."""
        return lambda length, size, grid: [share(i, grid, length, size) for i in range(grid)]

    exact = evenly(lambda i, g, n, s: i * (n - s) / (g - 1))
    mistakes: Mapping[str, Callable] = {
        "The last crop does not reach the far edge: between grid crops there are grid - 1 steps.": evenly(
            lambda i, g, n, s: i * (n - s) / g
        ),
        "The first and the last crop touch the edges; yours leave a margin.": evenly(
            lambda i, g, n, s: (i + 1) * (n - s) / (g + 1)
        ),
        "The last crop would begin where the image ends: the last place is length - size.": evenly(
            lambda i, g, n, s: i * n / (g - 1)
        ),
        "You cut the image into equal parts. Crops overlap, and the last one ends at the edge.": evenly(
            lambda i, g, n, s: i * n / g
        ),
        "Crops overlap: the next one begins long before this one ends.": evenly(lambda i, g, n, s: i * s),
        "Those are the middles of the crops; their first pixels are wanted.": evenly(
            lambda i, g, n, s: i * (n - s) / (g - 1) + s / 2
        ),
        "One crop too few: grid counts both ends.": lambda n, s, g: exact(n, s, g)[:-1],
    }
    answers = []
    for case in cases:
        answer, verdict = attempt_on(attempt, case, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        starts = _numbers(answer)
        if starts is None:
            message = f"on ({shown(case)}) it returned {short(answer)}; a list of numbers is wanted."
            return Verdict(task, "wrong", message)
        answers.append(starts)
    targets = [[floor(start + 0.5) for start in exact(*case.values())] for case in cases]
    if answers == targets:
        if all(isinstance(start, Integral) for starts in answers for start in starts):
            return Verdict(task, "passed", f"right on all {len(cases)} cases, from edge to edge.")
        return Verdict(task, "wrong", "the values are right; make them whole numbers, for they will be indices.")
    place = next(i for i, (mine, right) in enumerate(zip(answers, targets, strict=True)) if mine != right)
    message = f"on ({shown(cases[place])}) it returned {answers[place]}, not {targets[place]}."

    def explains(mistaken: Callable) -> bool:
        """Whatever the rounding: a mistake is the same one with floor, ceil or round."""
        pairs = zip(answers, (mistaken(*case.values()) for case in cases), strict=True)
        return all(
            len(mine) == len(other) and all(abs(a - b) < 1 for a, b in zip(mine, other, strict=True))
            for mine, other in pairs
        )

    for words, mistaken in mistakes.items():
        if explains(mistaken):
            return Verdict(task, "wrong", f"{message} {words}")
    if explains(exact):
        if [[floor(start) for start in exact(*case.values())] for case in cases] == answers:
            return Verdict(task, "wrong", f"{message} You round down; round to the nearest.")
        return Verdict(task, "wrong", f"{message} Round to the nearest whole number.")
    return Verdict(task, "wrong", message)


def _numbers(answer: object) -> list | None:
    """A flat sequence of at most a thousand finite numbers, as a list; None for everything else."""
    try:
        items = [number_in(item) for item in islice(answer.tolist() if hasattr(answer, "tolist") else answer, 1001)]
    except Exception:  # whatever a student returns
        return None
    if len(items) > 1000 or any(item is None or not abs(item) < 1e9 for item in items):
        return None
    return items


# --- in which order ---


def answer_from_maps(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(score_map, mirrored_map)``: the averaged posteriors ``(B, classes)`` of section 3.2."""
    import torch

    task = "from score maps to an answer"
    generator = torch.Generator().manual_seed(seed)
    case = [3 * torch.randn(3, 4, 2, 5, generator=generator, dtype=torch.float64) for _ in range(2)]
    on = "two maps of shape (3, 4, 2, 5)"
    answer, verdict = answer_on(attempt, [one.clone() for one in case], on, task)
    if verdict is not None:
        return verdict

    def scores(m: Tensor) -> Tensor:
        return m.mean((2, 3))

    one, other = case
    right = (scores(one).softmax(1) + scores(other).softmax(1)) / 2
    mistakes = {
        "You took the soft-max in every cell. The paper averages the scores over the map first.": (
            (one.softmax(1).mean((2, 3)) + other.softmax(1).mean((2, 3))) / 2
        ),
        "You averaged the scores of the two images. Average their posteriors: soft-max first, then the mean of both.": (
            ((scores(one) + scores(other)) / 2).softmax(1)
        ),
        "The mirror image is missing.": scores(one).softmax(1),
        "The image itself is missing; both count.": scores(other).softmax(1),
        "There is no soft-max yet: these are scores.": (scores(one) + scores(other)) / 2,
        "You added the two posteriors; a row must sum to 1: divide by 2.": 2 * right,
        "You added the scores over the map. Their mean is wanted; a sum makes the answer far too sure.": (
            (one.sum((2, 3)).softmax(1) + other.sum((2, 3)).softmax(1)) / 2
        ),
        "You took the largest score of the map; the mean is wanted.": (
            (one.amax((2, 3)).softmax(1) + other.amax((2, 3)).softmax(1)) / 2
        ),
        "Your soft-max runs over the images, dimension 0; the classes are dimension 1.": (
            (scores(one).softmax(0) + scores(other).softmax(0)) / 2
        ),
        "You multiplied the posteriors; the mean is wanted.": scores(one).softmax(1) * scores(other).softmax(1),
        "You took one cell of each map; the mean over all is wanted.": (
            (one[:, :, 0, 0].softmax(1) + other[:, :, 0, 0].softmax(1)) / 2
        ),
    }
    return _judged(task, on, answer, right, mistakes, "the mean over places, then the soft-max, then the mean of both.")


# --- all of it ---


def crops_answer(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(model, images, size, grid)``: posteriors averaged over crops and their mirror images."""
    import torch

    from vgg_course.configuration import Configuration
    from vgg_course.model import VGG

    task = "many crops"
    generator = torch.Generator().manual_seed(seed)
    words = "conv3-4 maxpool conv3-6 maxpool FC-8 FC-4"
    model = VGG(Configuration.parse(words, input_size=12), initialization="he", generator=generator).double().eval()
    ramp = torch.linspace(-3, 3, 18, dtype=torch.float64)  # no picture is its own mirror image, nor are its crops alike
    images = 3 * torch.randn(3, 3, 20, 18, generator=generator, dtype=torch.float64) + ramp + ramp.cos().cumsum(0)
    images[:, :, 10:] *= -1
    on = "images of 20x18 pixels, crops of 12 and a grid of 3"
    answer, verdict = answer_on(attempt, [deepcopy(model), images.clone(), 12, 3], on, task)
    if verdict is not None:
        return verdict

    def logits(corners, views=(False, True)) -> Tensor:
        """``(crops, B, classes)``: for the places and mirror images asked for."""
        with torch.no_grad():
            cuts = [images[:, :, top : top + 12, left : left + 12] for top, left in corners]
            return torch.stack([model(cut.flip(3) if mirrored else cut) for cut in cuts for mirrored in views])

    def mean(z: Tensor) -> Tensor:
        return z.softmax(-1).mean(0)

    tops, lefts = (0, 4, 8), (0, 3, 6)
    all_places = [(top, left) for top in tops for left in lefts]
    z = logits(all_places)
    right = mean(z)
    with torch.no_grad():
        upside_down = torch.stack([model(images[:, :, t : t + 12, x : x + 12].flip(2)) for t, x in all_places])
    short_steps = [(i * 8 // 3, j * 6 // 3) for i in range(3) for j in range(3)]
    mistakes = {
        "The mirror images are missing.": mean(logits(all_places, (False,))),
        "Only mirror images are there.": mean(logits(all_places, (True,))),
        "You averaged scores; average posteriors: soft-max of every crop first.": z.mean(0).softmax(1),
        "You averaged scores, and there is no soft-max at all.": z.mean(0),
        "You added up; divide by the number of views, so that a row sums to 1.": z.softmax(-1).sum(0),
        "You divided by the number of places; with mirror images there are twice as many views.": (
            z.softmax(-1).sum(0) / 9
        ),
        "You walked along the diagonal: every row of places goes with every column.": mean(
            logits(list(zip(tops, lefts, strict=True)))
        ),
        "The answer is that of the first crop: average over all.": mean(logits([(0, 0)])),
        "The answer is that of the last crop: average over all.": mean(logits([(8, 6)])),
        "You mirrored top and bottom, dimension 2. Left and right are dimension 3.": torch.cat(
            [logits(all_places, (False,)), upside_down]
        )
        .softmax(-1)
        .mean(0),
        "The last crops do not reach the far edges: between 3 crops there are 2 steps.": mean(logits(short_steps)),
        "You used the same places for rows and columns; height and width differ.": mean(
            logits([(top, left) for top in lefts for left in lefts])
        ),
        "That is the middle crop alone.": mean(logits([(4, 3)])),
    }
    return _judged(
        task, on, answer, right, mistakes, "nine places, each with its mirror image, 18 posteriors averaged."
    )


def _judged(task: str, on: str, answer: object, right: Tensor, mistakes: Mapping[str, Tensor], praise: str) -> Verdict:
    """Compare posteriors with the right ones and with those of known mistakes."""
    import torch

    if not isinstance(answer, torch.Tensor) or answer.is_complex() or answer.shape != right.shape:
        found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        return Verdict(task, "wrong", f"on {on} it returned {found}; posteriors {tuple(right.shape)} are wanted.")
    mine = answer.detach().double()

    def near(other: Tensor) -> bool:
        return bool((mine - other).abs().max() < 1e-5 * other.abs().max())  # NaN is not

    if near(right):
        return Verdict(task, "passed", praise)
    message = f"on {on} it is off by up to {(mine - right).abs().max():.3g}."
    for words, other in mistakes.items():
        if near(other):
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)
