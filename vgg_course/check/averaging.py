"""Checks for the chapter that averages many views."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import wraps
from itertools import islice, product
from math import ceil, floor
from numbers import Integral
from typing import TYPE_CHECKING

from vgg_course.check.judging import Kind, judge, judge_numbers, judge_tensors, number_in
from vgg_course.check.verdict import Verdict

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
    small = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], dtype=torch.float64)
    cases = [{"probabilities": small, "labels": torch.tensor([1, 0]), "k": k} for k in (1, 2)]
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


def _starts(length: int, size: int, grid: int) -> list[float]:
    """Where crops begin ideally, before rounding."""
    return [i * (length - size) / (grid - 1) for i in range(grid)]


def _places(length: int, size: int, grid: int) -> list[int]:
    return [floor(start + 0.5) for start in _starts(length, size, grid)]


def _numbers(answer: object) -> list | None:
    """A flat sequence of at most a thousand finite numbers, as a list; None for everything else."""
    try:
        items = [number_in(item) for item in islice(answer.tolist() if hasattr(answer, "tolist") else answer, 1001)]
    except Exception:  # whatever a student returns
        return None
    return None if len(items) > 1000 or any(item is None or not abs(item) < 1e9 for item in items) else items


def _same_starts(mine: Sequence, other: Sequence) -> bool:
    """Whole numbers must be equal. Where a mistake has fractions, it is the same one however it was rounded."""
    return len(mine) == len(other) and all(
        a == b if isinstance(b, Integral) else abs(a - b) < 1 for a, b in zip(mine, other, strict=True)
    )


def crop_starts(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(length, size, grid)``: the first pixels of ``grid`` crops, spread evenly from edge to edge."""
    draw = random.Random(seed)
    cases = [(256, 224, 5), (384, 224, 5), (512, 224, 3), (331, 224, 4), (290, 224, 8), (230, 224, 2)]
    while len(cases) < 9:
        size, room, grid = draw.randrange(96, 256), draw.randrange(20, 200), draw.randrange(3, 9)
        if all(2 * i * room % (2 * (grid - 1)) != grid - 1 for i in range(grid)):  # half a pixel may go either way
            cases.append((size + room, size, grid))

    def evenly(share: Callable) -> Callable:
        """``share(i, length, size, grid)`` is the ideal place of crop i."""
        return lambda n, s, g: [float(share(i, n, s, g)) for i in range(g)]

    kind = Kind(
        "a list of numbers is wanted",
        _numbers,
        _same_starts,
        lambda mine, right: 0.0,
        lambda mine, right: f"it returned {mine}, not {right}.",
        flaw=lambda mine: (
            ""
            if all(isinstance(start, Integral) for start in mine)
            else "the values are right; make them whole numbers, for they will be indices."
        ),
    )
    return judge(
        "where crops begin",
        attempt,
        _places,
        [{"length": length, "size": size, "grid": grid} for length, size, grid in cases],
        {
            "The last crop does not reach the far edge: between grid crops there are grid - 1 steps.": evenly(
                lambda i, n, s, g: i * (n - s) / g
            ),
            "The first and the last crop touch the edges; yours leave a margin.": evenly(
                lambda i, n, s, g: (i + 1) * (n - s) / (g + 1)
            ),
            "The last crop would begin where the image ends: the last place is length - size.": evenly(
                lambda i, n, s, g: i * n / (g - 1)
            ),
            "You cut the image into equal parts. Crops overlap, and the last one ends at the edge.": evenly(
                lambda i, n, s, g: i * n / g
            ),
            "Crops overlap: the next one begins long before this one ends.": evenly(lambda i, n, s, g: i * s),
            "Those are the middles of the crops; their first pixels are wanted.": evenly(
                lambda i, n, s, g: i * (n - s) / (g - 1) + s / 2
            ),
            "One crop too few: grid counts both ends.": lambda n, s, g: _starts(n, s, g)[:-1],
            "You round down; round to the nearest.": lambda n, s, g: list(map(floor, _starts(n, s, g))),
            "You round up; round to the nearest.": lambda n, s, g: list(map(ceil, _starts(n, s, g))),
            "Round to the nearest whole number.": _starts,
        },
        kind,
    )


# --- in which order ---


def answer_from_maps(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(score_map, mirrored_map)``: the averaged posteriors ``(B, classes)`` of section 3.2."""
    import torch

    chance = torch.Generator().manual_seed(seed)
    shapes = ((1, 2, 1, 2), (3, 4, 2, 5), (2, 6, 3, 3))
    cases = {
        f"two maps of shape {shape}": {
            name: 3 * torch.randn(shape, generator=chance, dtype=torch.float64)
            for name in ("score_map", "mirrored_map")
        }
        for shape in shapes
    }

    def scores(m: Tensor) -> Tensor:
        return m.mean((2, 3))

    def both(posteriors: Callable) -> Callable:
        """The mean of what it makes of either map."""
        return lambda one, other: (posteriors(one) + posteriors(other)) / 2

    return judge_tensors(
        "from score maps to an answer",
        attempt,
        both(lambda m: scores(m).softmax(1)),
        cases,
        {
            "You took the soft-max in every cell. The paper averages the scores over the map first.": both(
                lambda m: m.softmax(1).mean((2, 3))
            ),
            "You averaged the scores of the two images. Average their posteriors: soft-max first, then the mean of both.": (
                lambda one, other: ((scores(one) + scores(other)) / 2).softmax(1)
            ),
            "The mirror image is missing.": lambda one, other: scores(one).softmax(1),
            "The image itself is missing; both count.": lambda one, other: scores(other).softmax(1),
            "There is no soft-max yet: these are scores.": both(scores),
            "You added the two posteriors; a row must sum to 1: divide by 2.": lambda one, other: (
                scores(one).softmax(1) + scores(other).softmax(1)
            ),
            "You added the scores over the map. Their mean is wanted; a sum makes the answer far too sure.": both(
                lambda m: m.sum((2, 3)).softmax(1)
            ),
            "You took the largest score of the map; the mean is wanted.": both(lambda m: m.amax((2, 3)).softmax(1)),
            "Your soft-max runs over the images, dimension 0; the classes are dimension 1.": both(
                lambda m: scores(m).softmax(0)
            ),
            "You multiplied the posteriors; the mean is wanted.": lambda one, other: (
                scores(one).softmax(1) * scores(other).softmax(1)
            ),
            "You took one cell of each map; the mean over all is wanted.": both(lambda m: m[:, :, 0, 0].softmax(1)),
            "The cells are still there: take the mean over height and width.": both(lambda m: m.softmax(1)),
        },
    )


# --- all of it ---


def _logits(model, images: Tensor, size: int, corners: Sequence[tuple[int, int]], mirrors: Sequence[int]) -> Tensor:
    """``(views, B, classes)``: at each place a view as it is (0), or mirrored along that dimension."""
    import torch

    with torch.no_grad():
        cuts = [images[:, :, top : top + size, left : left + size] for top, left in corners]
        return torch.stack([model(cut.flip(side) if side else cut) for cut in cuts for side in mirrors])


def _averaged(
    corners: Callable = product, mirrors: Sequence[int] = (0, 3), combine: Callable = lambda z: z.softmax(-1).mean(0)
) -> Callable:
    """An answer, right or wrong: ``corners(tops, lefts)`` are the places, ``combine(logits)`` makes one of all views."""

    def answer(model, images: Tensor, size: int, grid: int) -> Tensor:
        tops, lefts = (_places(length, size, grid) for length in images.shape[2:])
        return combine(_logits(model, images, size, list(corners(tops, lefts)), mirrors))

    return answer


def _short_steps(model, images: Tensor, size: int, grid: int) -> Tensor:
    tops, lefts = ([i * (length - size) // grid for i in range(grid)] for length in images.shape[2:])
    return _averaged(lambda *_: product(tops, lefts))(model, images, size, grid)


def crops_answer(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(model, images, size, grid)``: posteriors averaged over crops and their mirror images."""
    import torch

    from vgg_course.configuration import Configuration
    from vgg_course.model import VGG

    chance = torch.Generator().manual_seed(seed)
    words = "conv3-4 maxpool conv3-6 maxpool FC-8 FC-4"
    model = VGG(Configuration.parse(words, input_size=12), initialization="he", generator=chance).double().eval()

    def picture(count: int, height: int, width: int) -> Tensor:
        """No picture is its own mirror image, nor are its crops alike."""
        ramp = torch.linspace(-3, 3, width, dtype=torch.float64)
        images = 3 * torch.randn(count, 3, height, width, generator=chance, dtype=torch.float64)
        images += ramp + ramp.cos().cumsum(0)
        images[:, :, height // 2 :] *= -1
        return images

    cases = {
        f"{count} images of {height}x{width} pixels, crops of 12 and a grid of {grid}": {
            "model": model, "images": picture(count, height, width), "size": 12, "grid": grid
        }
        for count, height, width, grid in ((2, 20, 16, 2), (3, 20, 18, 3))
    }  # fmt: skip

    def on_a_copy(function: Callable) -> Callable:
        """The model is lent: what an attempt does to it is no matter of the next."""
        if not callable(function):
            return function
        return wraps(function)(lambda model, *others: function(deepcopy(model), *others))

    return judge_tensors(
        "many crops",
        on_a_copy(attempt),
        _averaged(),
        cases,
        {
            "The mirror images are missing.": _averaged(mirrors=(0,)),
            "Only mirror images are there.": _averaged(mirrors=(3,)),
            "You averaged scores; average posteriors: soft-max of every crop first.": _averaged(
                combine=lambda z: z.mean(0).softmax(1)
            ),
            "You averaged scores, and there is no soft-max at all.": _averaged(combine=lambda z: z.mean(0)),
            "You added up; divide by the number of views, so that a row sums to 1.": _averaged(
                combine=lambda z: z.softmax(-1).sum(0)
            ),
            "You divided by the number of places; with mirror images there are twice as many views.": _averaged(
                combine=lambda z: 2 * z.softmax(-1).mean(0)
            ),
            "You walked along the diagonal: every row of places goes with every column.": _averaged(zip),
            "The answer is that of the first crop: average over all.": _averaged(lambda tops, lefts: [(0, 0)]),
            "The answer is that of the last crop: average over all.": _averaged(
                lambda tops, lefts: [(tops[-1], lefts[-1])]
            ),
            "You mirrored top and bottom, dimension 2. Left and right are dimension 3.": _averaged(mirrors=(0, 2)),
            "The last crops do not reach the far edges: between grid crops there are grid - 1 steps.": _short_steps,
            "You used the same places for rows and columns; height and width differ.": _averaged(
                lambda tops, lefts: product(lefts, lefts)
            ),
            "That is the middle crop alone.": _averaged(lambda tops, lefts: [(tops[-1] // 2, lefts[-1] // 2)]),
        },
    )
