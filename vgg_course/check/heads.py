"""Checks for the chapter that gives a net a new head."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from vgg_course.check.judging import judge_numbers, judge_pairs, judge_tensors, judge_words
from vgg_course.check.verdict import Verdict

if TYPE_CHECKING:
    from torch import Tensor

# --- kernels with holes ---


def dilated_span(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(kernel, dilation)``: cells from the first to the last value of a dilated kernel."""
    draw = random.Random(seed)
    pairs = [(3, 1), (3, 2), (3, 6), (5, 2), (7, 3), *((draw.randint(2, 9), draw.randint(4, 15)) for _ in range(3))]
    return judge_numbers(
        "the span of a dilated kernel",
        attempt,
        lambda k, d: (k - 1) * d + 1,
        [{"kernel": k, "dilation": d} for k, d in pairs],
        {
            "Between k values there are only k - 1 steps.": lambda k, d: k * d,
            "Count the first cell, too: k - 1 steps lead from it to the last.": lambda k, d: (k - 1) * d,
            "That is the number of cells that are read; the holes between them count, too.": lambda k, d: k,
            "A dilation of d leaves d - 1 cells free between two values, not d.": lambda k, d: k + (k - 1) * d,
            "That is the padding that keeps the size; the span is asked.": lambda k, d: (k - 1) * d // 2,
        },
    )


def _traced(layers: Sequence[tuple[int, int, int]], step: Callable) -> tuple[int, int]:
    jump, field = 1, 1
    for layer in layers:
        jump, field = step(jump, field, *layer)
    return jump, field


def jump_and_field(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(layers)``: jump and receptive field behind layers ``(kernel, stride, dilation)``."""
    draw = random.Random(seed)
    conv, pool, hole = (3, 1, 1), (2, 2, 1), (3, 1, 2)
    cases = [
        (),
        (conv,),
        (conv, conv),
        (conv, pool),
        (conv, pool, conv),
        (conv, hole),
        (conv, pool, hole, (3, 1, 6)),
        ((7, 2, 1), pool, hole, (2, 1, 2), (3, 1, 4)),
        tuple((draw.randint(2, 7), draw.randint(1, 3), draw.randint(1, 4)) for _ in range(5)),
    ]

    def told(step: Callable) -> Callable:
        return lambda layers: _traced(layers, step)

    return judge_pairs(
        "jump and receptive field",
        attempt,
        told(lambda j, f, k, s, d: (j * s, f + (k - 1) * d * j)),
        [{"layers": case} for case in cases],
        {
            "The two numbers are swapped: the jump first.": lambda layers: _traced(
                layers, lambda j, f, k, s, d: (j * s, f + (k - 1) * d * j)
            )[::-1],
            "The dilation is missing: neighbors of a kernel stand `dilation` cells apart.": told(
                lambda j, f, k, s, d: (j * s, f + (k - 1) * j)
            ),
            "A dilation moves no window: it spreads what a window reads, and the jump stays.": told(
                lambda j, f, k, s, d: (j * s * d, f + (k - 1) * d * j)
            ),
            "The field grows by the jump BEFORE the layer; the stride counts for those behind it.": told(
                lambda j, f, k, s, d: (j * s, f + (k - 1) * d * j * s)
            ),
            "Strides multiply: a stride of 2 behind a stride of 2 makes 4.": lambda layers: (
                1 + sum(s - 1 for _, s, _ in layers),
                _traced(layers, lambda j, f, k, s, d: (j * s, f + (k - 1) * d * j))[1],
            ),
            "The cells of a layer are `jump` pixels apart: multiply by it.": told(
                lambda j, f, k, s, d: (j * s, f + (k - 1) * d)
            ),
            "k values are k - 1 steps: the field grows by (k - 1) times the step.": told(
                lambda j, f, k, s, d: (j * s, f + k * d * j)
            ),
            "You spread the kernel to k * dilation cells; it is (k - 1) * dilation + 1.": told(
                lambda j, f, k, s, d: (j * s, f + (k * d - 1) * j)
            ),
            "That rule, (field - 1) * stride + kernel, is for the way from the last layer to the image.": told(
                lambda j, f, k, s, d: (j * s, (f - 1) * s + (k - 1) * d + 1)
            ),
        },
    )


# --- which stage ---

_STAGES = {"pool1": 2, "conv2_2": 2, "pool2": 4, "conv3_3": 4, "pool3": 8, "conv4_3": 8, "pool4": 16, "conv5_3": 16}


def deepest_stage(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(side, jumps)``: the deepest stage with a whole cell inside an object of that side, anywhere."""
    draw = random.Random(seed)
    nets = {"image": 1, **_STAGES}, {"image": 1, "coarse": draw.randint(3, 5), "blind": draw.randint(20, 30)}
    cases = sorted(
        {
            (side, net)
            for net, jumps in enumerate(nets)
            for jump in sorted(set(jumps.values()) - {1})
            for side in (2 * jump - 1, 2 * jump - 2, jump, draw.randint(jump, 4 * jump))
        }
    )

    def told(fits: Callable, last: bool = True) -> Callable:
        def name(side: int, jumps: Mapping[str, int]) -> str:
            good = [name for name, jump in jumps.items() if fits(side, jump)] or ["image"]
            return good[-1] if last else good[0]

        return name

    target = told(lambda side, jump: side >= 2 * jump - 1)
    mistakes = {
        "A cell as large as the object lies inside it only by luck: shifted by one pixel, none does.": told(
            lambda side, jump: side >= jump
        ),
        "That is one pixel too strict. In the worst place the first whole cell begins jump - 1 pixels in.": told(
            lambda side, jump: side >= 2 * jump
        ),
        "That is far too strict: one whole cell is asked.": told(lambda side, jump: side >= 3 * jump - 1),
        "That is the first stage that will do; the DEEPEST is asked.": told(lambda s, j: s >= 2 * j - 1, last=False),
        "Of stages with the same jump the later one is deeper.": lambda side, jumps: next(
            name for name, jump in jumps.items() if jump == jumps[target(side, jumps)]
        ),
        "That is the last stage whatever the object's size.": told(lambda side, jump: True),
    }
    return judge_words(
        "the deepest stage that will do",
        attempt,
        target,
        {f"side={side}, jumps={nets[net]}": {"side": side, "jumps": nets[net]} for side, net in cases},
        mistakes,
        list({**nets[0], **nets[1]}),
    )


# --- mean IoU ---


def _classes(predicted: Tensor, truth: Tensor, classes: int) -> list[tuple[int, int, int]]:
    """For each class: pixels in both, in the prediction, in the truth."""
    return [
        (int(((predicted == c) & (truth == c)).sum()), int((predicted == c).sum()), int((truth == c).sum()))
        for c in range(classes)
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def mean_iou(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(predicted, truth, classes)``: the mean IoU over classes that are there or predicted."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def told(score: Callable, which: Callable = lambda both, p, t: p + t > 0, first: int = 0) -> Callable:
        return lambda *case: _mean([score(*found) for found in _classes(*case)[first:] if which(*found)])

    def ratio(both: int, p: int, t: int) -> float:
        return both / (p + t - both)

    def everywhere(both: int, p: int, t: int) -> bool:
        return True

    def accuracy(predicted: Tensor, truth: Tensor, classes: int) -> float:
        return float((predicted == truth).float().mean())

    def weighted(*case) -> float:
        found = _classes(*case)
        return sum(t * ratio(both, p, t) for both, p, t in found if t) / sum(t for *_, t in found)

    def pooled(*case) -> float:
        found = [f for f in _classes(*case) if f[1] + f[2]]
        both, p, t = (sum(f[i] for f in found) for i in range(3))
        return both / (p + t - both)

    mistakes: dict[str, Callable] = {
        "That is the share of pixels that are right; a large background hides everything else in it.": accuracy,
        "A class that is neither there nor predicted counts as 0 in yours; leave it out.": told(
            lambda both, p, t: ratio(both, p, t) if p + t else 0.0, everywhere
        ),
        "A class that is neither there nor predicted counts as 1 in yours; leave it out.": told(
            lambda both, p, t: ratio(both, p, t) if p + t else 1.0, everywhere
        ),
        "A class that is neither there nor predicted is 0 divided by 0 in yours; leave it out.": told(
            lambda both, p, t: ratio(both, p, t) if p + t else math.nan, everywhere
        ),
        "A class that is predicted and not there has an IoU of 0; you left it out.": told(
            ratio, lambda both, p, t: t > 0
        ),
        "A class that is there and never predicted has an IoU of 0; you left it out.": told(
            ratio, lambda both, p, t: p > 0
        ),
        "Only classes with a hit count in yours. A miss is an IoU of 0.": told(ratio, lambda both, p, t: both > 0),
        "That is intersection over the true pixels; below the line stands the union.": told(
            lambda both, p, t: both / t if t else 0.0
        ),
        "That is intersection over the predicted pixels; below the line stands the union.": told(
            lambda both, p, t: both / p if p else 0.0
        ),
        "The union counts the shared pixels once: take the intersection off the sum.": told(
            lambda both, p, t: both / (p + t)
        ),
        "That is twice the intersection over the sum, the Dice score; IoU has the union below the line.": told(
            lambda both, p, t: 2 * both / (p + t)
        ),
        "The background is a class like the others; you left it out.": told(ratio, first=1),
        "You weigh the classes by their pixels; each class counts the same.": weighted,
        "You add up the pixels of all classes first. The mean is over the IoUs of the classes.": pooled,
    }

    def picture(truth_of: int, predicted_of: int, classes: int, side: int):
        truth, predicted = torch.zeros(side, side, dtype=torch.int64), torch.zeros(side, side, dtype=torch.int64)
        x, y = (int(torch.randint(0, side // 2, (1,), generator=generator)) for _ in range(2))
        truth[y : y + side // 2, x : x + side // 2] = truth_of
        predicted[y + 1 : y + 1 + side // 2, x : x + side // 2 - 1] = predicted_of
        return predicted, truth, classes

    noise = torch.randint(0, 4, (2, 9, 9), generator=generator)
    sides = torch.randint(6, 20, (2,), generator=generator).tolist()
    cases = {
        "a picture where one of three classes is absent": picture(1, 1, 3, 6),
        "a picture whose object is taken for another class": picture(1, 2, 4, sides[0]),
        "a picture whose object is overlooked": picture(1, 0, 3, sides[1]),
        "a picture of four classes": (noise[0], noise[1] * (noise[0] < 3) + noise[0] * (noise[0] > 2), 4),
    }
    named = {on: dict(zip(("predicted", "truth", "classes"), case, strict=True)) for on, case in cases.items()}
    return judge_numbers("mean IoU", attempt, told(ratio), named, mistakes, tolerance=1e-5)


# --- RoI pooling ---


def _bins(length: int, size: int, low: Callable = math.floor, high: Callable = math.ceil) -> list[tuple[int, int]]:
    """Where each of ``size`` parts of ``length`` cells begins and ends."""
    ends = [(low(i * length / size), high((i + 1) * length / size)) for i in range(size)]
    return [(a, max(b, a + 1)) for a, b in ends]


def _pooled(maps: Tensor, box: Sequence[int], size: int, *, take: str = "amax", rounds: tuple = ()) -> Tensor:
    import torch

    x0, y0, x1, y1 = box
    part = maps[:, y0:y1, x0:x1]
    rows, columns = (_bins(length, size, *rounds) for length in part.shape[1:])
    cells = [[getattr(part[:, a:b, c:d], take)((1, 2)) for c, d in columns] for a, b in rows]
    return torch.stack([torch.stack(row, 1) for row in cells], 1)


def roi_pool(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(maps, box, size)``: the largest value in each of ``size x size`` parts of a box in whole cells."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    cases = {
        f"{channels} map(s) of {height}x{width}, box {box}, size {size}": {
            "maps": torch.randint(-80, 20, (channels, height, width), generator=generator) / 100,
            "box": box,
            "size": size,
        }
        for channels, height, width, box, size in (
            (1, 6, 6, (1, 2, 5, 6), 2),
            (2, 8, 9, (2, 0, 8, 4), 2),
            (3, 9, 11, (1, 2, 8, 9), 3),
            (2, 7, 12, (3, 1, 11, 6), 3),
            (2, 6, 7, (1, 0, 6, 5), 4),
        )
    }

    def swapped(maps: Tensor, box: Sequence[int], size: int) -> Tensor:
        y0, x0, y1, x1 = box
        return _pooled(maps, (x0, y0, max(min(x1, maps.shape[2]), x0 + 1), max(min(y1, maps.shape[1]), y0 + 1)), size)

    def shorter(maps: Tensor, box: Sequence[int], size: int) -> Tensor:
        return _pooled(maps, (*box[:2], max(box[2] - 1, box[0] + 1), max(box[3] - 1, box[1] + 1)), size)

    def longer(maps: Tensor, box: Sequence[int], size: int) -> Tensor:
        return _pooled(maps, (*box[:2], box[2] + 1, box[3] + 1), size)

    mistakes: dict[str, Callable] = {
        "Yours is the mean of each part; the largest value is asked.": lambda *c: _pooled(*c, take="mean"),
        "You begin and end at the rounded-down cell, so that cells between two parts get lost or parts stay empty. "
        "Round the end UP.": lambda *c: _pooled(*c, rounds=(math.floor, math.floor)),
        "You round the beginning up, too. Round it DOWN: parts may overlap by a cell.": lambda *c: _pooled(
            *c, rounds=(math.ceil, math.ceil)
        ),
        "Rows and columns of the result are swapped.": lambda *c: _pooled(*c).transpose(1, 2),
        "The box is x0, y0, x1, y1: x counts columns, the LAST dimension of the maps.": swapped,
        "You pool the whole map; cut the box out first.": lambda maps, box, size: _pooled(
            maps, (0, 0, maps.shape[2], maps.shape[1]), size
        ),
        "You leave out the last row and column: x1 and y1 are one past the last cell.": shorter,
        "Your box reaches a cell too far: x1 and y1 are one past the last cell.": longer,
        "Values may be below 0: begin with the values themselves, not with zeros.": lambda *c: _pooled(*c).clamp(min=0),
    }
    return judge_tensors("RoI pooling", attempt, _pooled, cases, mistakes)
