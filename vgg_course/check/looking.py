"""Checks for the chapter that looks at feature maps."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vgg_course.check import beside
from vgg_course.check.judging import judge_lists, judge_tensors
from vgg_course.check.verdict import Verdict
from vgg_course.receptive_field import Field, receptive_field

if TYPE_CHECKING:
    from torch import Tensor

Numbers = tuple[int, ...]


# --- how much of a map is zero ---


def sparsity(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(maps)``: of maps ``(B, C, H, W)`` behind a ReLU, the share of zeros of each channel ``(C,)``."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> dict[str, Tensor]:
        maps = (
            torch.randn(shape, generator=generator, dtype=torch.float64)
            + torch.linspace(-1.5, 1.5, shape[1])[:, None, None]
        )
        maps = maps.relu().mul(8).round().div(8)  # few digits, for they are shown
        tiny = torch.rand(shape, generator=generator) < 0.25
        maps = torch.where(tiny & (maps > 0), 1e-3, maps)  # small, and yet no zeros
        maps[-1, 0] = 0  # one map without a single spark
        return {"maps": maps}

    def target(maps: Tensor) -> Tensor:
        return (maps == 0).double().mean((0, 2, 3))

    return judge_tensors(
        "the sparsity of a map",
        attempt,
        target,
        [drawn(1, 2, 2, 2), drawn(3, 4, 5, 2), drawn(2, 5, 3, 6)],
        {
            "That is the share of values that are NOT zero.": lambda m: 1 - target(m),
            "That is one number for the whole layer; every channel has its own.": lambda m: (m == 0).double().mean(),
            "That is a share for each image; average over images too, and keep the channels.": (
                lambda m: (m == 0).double().mean((1, 2, 3))
            ),
            "That is a share for each map of each image; average over the images too.": (
                lambda m: (m == 0).double().mean((2, 3))
            ),
            "You counted the zeros; their share of all values is wanted.": lambda m: (m == 0).double().sum((0, 2, 3)),
            "Small is not zero: a ReLU makes exact zeros, so compare with 0 itself.": (
                lambda m: (m < 0.01).double().mean((0, 2, 3))
            ),
            "You asked which maps are zero as a whole; count single values.": (
                lambda m: (m == 0).flatten(2).all(2).double().mean(0)
            ),
            "That is the mean value of each channel, not its share of zeros.": lambda m: m.double().mean((0, 2, 3)),
        },
    )


# --- which pixels a value sees ---


def patch_box(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(field, row, column)``: top, left, bottom and right of the pixels that a value sees, clipped."""
    draw, task = random.Random(seed), "the box of a patch"
    nets = [receptive_field("D"), receptive_field("A")]
    cases = [(nets[0]["conv1_2"], 3, 5), (nets[0]["pool1"], 0, 2), (nets[0]["conv2_2"], 60, 0)]
    for _ in range(5):
        field = draw.choice(nets)[draw.choice(["conv2_1", "pool2", "conv3_2", "pool3", "conv4_1"])]
        cases.append((field, draw.randrange(field.grid), draw.randrange(field.grid)))
    for row, column in ((0, -1), (-1, 0), (-1, -1), (0, 0)):
        field = nets[0]["conv3_3"]
        cases.append((field, row % field.grid, column % field.grid))

    def clip(first: int, last: int, n: int) -> tuple[int, int]:
        return max(first, 0), min(last, n)

    def boxes(side: Callable) -> Callable:
        """A box from what is done along one side: ``side(field, index)`` gives its two ends."""

        def box(field: Field, row: int, column: int) -> Numbers:
            (top, bottom), (left, right) = side(field, row), side(field, column)
            return top, left, bottom, right

        return box

    def window(f: Field, i: int) -> tuple[int, int]:
        return f.start + i * f.jump, f.start + i * f.jump + f.size

    def inside(f: Field, i: int) -> tuple[int, int]:
        return clip(*window(f, i), f.input_size)

    def moved(f: Field, i: int) -> tuple[int, int]:
        first = min(max(window(f, i)[0], 0), f.input_size - f.size)
        return first, first + f.size

    target = boxes(inside)
    mistakes = {
        "Cut the box at the borders of the image: what is beyond them is padding.": boxes(window),
        "You cut the box at the upper left only; it may reach beyond the other borders as well.": boxes(
            lambda f, i: (max(window(f, i)[0], 0), window(f, i)[1])
        ),
        "You cut the box at the lower right only; it may begin before pixel 0.": boxes(
            lambda f, i: (window(f, i)[0], min(window(f, i)[1], f.input_size))
        ),
        "The grid counts values; the image ends at field.input_size.": boxes(lambda f, i: clip(*window(f, i), f.grid)),
        "You pushed the window back into the image. It stays where it is, and what is outside is cut off.": boxes(
            moved
        ),
        "The first window begins at field.start, not at pixel 0.": boxes(
            lambda f, i: clip(i * f.jump, i * f.jump + f.size, f.input_size)
        ),
        "Neighboring values are field.jump pixels apart: multiply the row and the column by it.": boxes(
            lambda f, i: clip(f.start + i, f.start + i + f.size, f.input_size)
        ),
        "The ends are one past the last pixel, as in a slice: add the size and take nothing off.": boxes(
            lambda f, i: clip(window(f, i)[0], window(f, i)[1] - 1, f.input_size)
        ),
        "The ends are as in a slice, but the last pixel of the image has the number input_size - 1.": boxes(
            lambda f, i: clip(window(f, i)[0], window(f, i)[1], f.input_size - 1)
        ),
        "Half of the size around row * jump is not where the window lies: use field.start.": boxes(
            lambda f, i: clip(i * f.jump - f.size // 2, i * f.jump - f.size // 2 + f.size, f.input_size)
        ),
        "You moved by the size of the window; windows overlap, they are a jump apart.": boxes(
            lambda f, i: clip(f.start + i * f.size, f.start + (i + 1) * f.size, f.input_size)
        ),
        "Rows go down and columns go right, and the order is top, left, bottom, right.": (
            lambda f, row, column: target(f, column, row)
        ),
        "That is top, bottom, left, right; the order is top, left, bottom, right.": (
            lambda f, row, column: (*inside(f, row), *inside(f, column))
        ),
        "The last two numbers are ends, not height and width.": (
            lambda f, row, column: _as_sides(target(f, row, column))
        ),
    }

    def described(field: Field, row: int, column: int) -> str:
        return (
            f"{field.name} (size {field.size}, jump {field.jump}, start {field.start}, input_size {field.input_size}), "
            f"row {row}, column {column}"
        )

    def picture(mine: Numbers, right: Numbers) -> str:
        """Top, left, bottom, right; a picture takes x0, y0, x1, y1."""
        return beside.boxes(*((box[1], box[0], box[3], box[2]) for box in (right, mine)))

    return judge_lists(
        task,
        attempt,
        target,
        {described(*case): dict(zip(("field", "row", "column"), case, strict=True)) for case in cases},
        mistakes,
        "a box of four numbers",
        is_form=lambda numbers: len(numbers) == 4 and all(isinstance(number, int) for number in numbers),
        picture=picture,
    )


def _as_sides(box: Numbers) -> Numbers:
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


# --- which class a channel prefers ---


def selectivity(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(responses, labels)``: how much each channel prefers one class, ``(N, C)`` and ``(N,)`` to ``(C,)``."""
    import torch

    task, generator = "class selectivity", torch.Generator().manual_seed(seed)

    def drawn(counts: Sequence[int], channels: int) -> dict[str, Tensor]:
        labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        labels = labels[torch.randperm(len(labels), generator=generator)]
        liking = torch.rand(len(counts), channels, generator=generator, dtype=torch.float64)
        noise = torch.rand(len(labels), channels, generator=generator, dtype=torch.float64)
        return {"responses": liking[labels] + 0.2 * noise, "labels": labels}

    def means(responses: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([responses[labels == k].mean(0) for k in range(int(labels.max()) + 1)])  # (classes, C)

    def best_and_rest(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        of_class = means(responses, labels)
        best = of_class.amax(0)
        return best, (of_class.sum(0) - best) / (len(of_class) - 1)

    def index(best: Tensor, rest: Tensor) -> Tensor:
        both = best + rest
        return torch.where(both > 0, (best - rest) / both.where(both > 0, 1), 0)

    def target(responses: Tensor, labels: Tensor) -> Tensor:
        return index(*best_and_rest(responses, labels))

    def of_images(responses: Tensor, labels: Tensor) -> Tensor:
        best = means(responses, labels).argmax(0)  # (C,)
        others = labels[:, None] != best  # (N, C)
        return index(means(responses, labels).amax(0), (responses * others).sum(0) / others.sum(0))

    def of_sums(responses: Tensor, labels: Tensor) -> Tensor:
        sums = torch.stack([responses[labels == k].sum(0) for k in range(int(labels.max()) + 1)])
        return index(sums.amax(0), (sums.sum(0) - sums.amax(0)) / (len(sums) - 1))

    def of_largest(responses: Tensor, labels: Tensor) -> Tensor:
        tops = torch.stack([responses[labels == k].amax(0) for k in range(int(labels.max()) + 1)])
        return index(tops.amax(0), (tops.sum(0) - tops.amax(0)) / (len(tops) - 1))

    mistakes = {
        "The rest is the OTHER classes: leave the preferred one out of their mean.": (
            lambda r, y: index(means(r, y).amax(0), means(r, y).mean(0))
        ),
        "The rest is the mean of all other classes; you took the second best alone.": (
            lambda r, y: index(*means(r, y).topk(2, dim=0).values)
        ),
        "The rest is the mean of all other classes; you took the weakest alone.": (
            lambda r, y: index(means(r, y).amax(0), means(r, y).amin(0))
        ),
        "Every class counts the same, however many images it has: average the classes' means, not the images.": of_images,
        "Classes with more images have larger sums: take means.": of_sums,
        "Average over the images of a class; you took its largest value.": of_largest,
        "Divide by the SUM of the two, so that the index ends at 1 for a channel that fires for one class alone.": (
            lambda r, y: 1 - best_and_rest(r, y)[1] / best_and_rest(r, y)[0]
        ),
        "Divide by the sum of the two: a loud channel is not a choosy one.": (
            lambda r, y: best_and_rest(r, y)[0] - best_and_rest(r, y)[1]
        ),
        "That is the mean of the preferred class; how far is it from the others?": lambda r, y: best_and_rest(r, y)[0],
        "That is the class that each channel prefers; by how much is asked.": lambda r, y: means(r, y).argmax(0),
    }
    cases, silent = [drawn((2, 1, 3), 2), drawn((5, 9, 3), 4), drawn((4, 6, 8, 3), 5)], drawn((3, 2, 4), 3)
    silent["responses"][:, 1] = 0
    verdict = judge_tensors(task, attempt, target, cases, mistakes)
    if not verdict:
        return verdict

    def divided(responses: Tensor, labels: Tensor) -> Tensor:
        best, rest = best_and_rest(responses, labels)
        return (best - rest) / (best + rest)

    mistakes = {"A channel that never fires gave 0 / 0. It prefers nothing: its selectivity is 0.": divided}
    return judge_tensors(task, attempt, target, [*cases, silent], mistakes)


# --- where a channel fires most ---


def top_cells(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(maps, count)``: of one channel's maps ``(N, H, W)``, the images with the largest values, and where."""
    import torch

    task, generator = "the places of the largest values", torch.Generator().manual_seed(seed)

    def drawn(images: int, height: int, width: int, count: int) -> tuple[Tensor, int]:
        values = torch.randperm(images * height * width, generator=generator)  # no two are equal
        maps = values.reshape(images, height, width).float() / 10
        first = int(maps.flatten(1).amax(1).argmin())
        # one image holds the largest value, and the next one as well
        loud = (first + 1) % images
        maps[loud, 0, :2] = maps.max() + torch.tensor([0.5, 0.4])
        return maps, count

    def ranked(scores: Tensor, places: Tensor, width: int, count: int, largest: bool = True) -> list[Numbers]:
        order = scores.sort(descending=largest).indices[:count].tolist()
        return [(i, *divmod(int(places[i]), width)) for i in order]

    def target(maps: Tensor, count: int) -> list[Numbers]:
        values, places = maps.flatten(1).max(1)
        return ranked(values, places, maps.shape[2], count)

    def anywhere(maps: Tensor, count: int) -> list[Numbers]:
        places = maps.flatten().topk(count).indices.tolist()
        each = maps.shape[1] * maps.shape[2]
        return [(place // each, *divmod(place % each, maps.shape[2])) for place in places]

    def by_mean(maps: Tensor, count: int) -> list[Numbers]:
        return ranked(maps.mean((1, 2)), maps.flatten(1).argmax(1), maps.shape[2], count)

    def by_height(maps: Tensor, count: int) -> list[Numbers]:
        values, places = maps.flatten(1).max(1)
        return ranked(values, places, maps.shape[1], count)

    def weakest(maps: Tensor, count: int) -> list[Numbers]:
        values, places = maps.flatten(1).max(1)
        return ranked(values, places, maps.shape[2], count, largest=False)

    def smallest(maps: Tensor, count: int) -> list[Numbers]:
        values, places = maps.flatten(1).min(1)
        return ranked(values, places, maps.shape[2], count, largest=False)

    mistakes = {
        "An image may come only once: first the best place of every image, then the best images.": anywhere,
        "Row and column are exchanged.": lambda m, n: [(i, column, row) for i, row, column in target(m, n)],
        "A place in a flattened map is row * WIDTH + column; you divided by the height.": by_height,
        "The strongest comes first.": lambda m, n: target(m, n)[::-1],
        "Those are the images that excite the channel least; sort with descending=True.": weakest,
        "Those are the smallest values; the largest are wanted.": smallest,
        "You ranked the images by their mean; rank them by their largest value.": by_mean,
        "The places are right, but these are the first images, not those with the largest values.": (
            lambda m, n: sorted(target(m, len(m)))[:n]
        ),
        "The right images, but in the order of the batch; the strongest comes first.": lambda m, n: sorted(
            target(m, n)
        ),
    }
    cases = [drawn(3, 2, 3, 2), drawn(6, 4, 3, 4), drawn(5, 3, 6, 5)]
    return judge_lists(
        task,
        attempt,
        target,
        {f"maps of {tuple(maps.shape)} and count {count}": {"maps": maps, "count": count} for maps, count in cases},
        mistakes,
        "a list of (image, row, column)",
        is_form=lambda rows: all(isinstance(row, tuple) and len(row) == 3 for row in rows),
    )
