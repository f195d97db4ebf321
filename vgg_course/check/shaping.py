"""Checks for the chapter on shapes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from math import ceil, isqrt, prod
from typing import TYPE_CHECKING

from vgg_course.check.judging import Kind, judge, judge_numbers, judge_one_number, judge_pairs
from vgg_course.check.verdict import Verdict
from vgg_course.configuration import CONFIGURATIONS, Configuration, Conv, Linear, MaxPool

if TYPE_CHECKING:
    from vgg_course.shapes import Broken


def grid_behind(message: str, answer: object, channels: int = 512) -> Verdict:
    """Check a number: the side of the grid that was flattened, read off "mat1 and mat2 shapes cannot be multiplied".

    Dots mean that you have yet to say.
    """
    batch, came, wide, _ = map(int, re.search(r"\((\d+)x(\d+) and (\d+)x(\d+)\)", message).groups())
    right, wanted = isqrt(came // channels), isqrt(wide // channels)
    return judge_one_number(
        "the grid behind the message",
        answer,
        right,
        {
            "That is the grid that the layer was built for. Which one came?": wanted,
            "That is the number of images: the first number of the first pair is the batch.": batch,
            "That is the number of places on the grid; its side is the root of it.": right**2,
            "You forgot the root, and that is the grid that the layer was built for. Which one came?": wanted**2,
            "That is the side of an image that gives this grid. Asked for is the grid.": right * 32,
            "You forgot the channels: each place of the grid has as many numbers as there are channels.": isqrt(came),
        },
        f"Say the side of the grid: {channels} times its square must be {came:,}.",
    )


def _halved(size: int, pools: int, half: Callable[[int], float]) -> float:
    for _ in range(pools):
        size = half(size)
    return size


def grid_after(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(size, pools)``: the side of the grid behind that many 2x2 pools with stride 2."""
    draw = random.Random(seed)
    cases = [(224, 5), (224, 0), (225, 1), (250, 5), (255, 5), (31, 5)]
    cases += [(draw.randrange(33, 600, 2), draw.randint(2, 5)) for _ in range(5)]
    return judge_numbers(
        "the grid behind the pools",
        attempt,
        lambda size, pools: size >> pools,
        [{"size": size, "pools": pools} for size, pools in cases],
        {
            "You keep the fraction. A window that does not fit whole is left out: round down.": lambda size, pools: (
                size / 2**pools
            ),
            "You round up. That is ceil mode (Caffe's); torch leaves a window out that does not fit whole.": (
                lambda size, pools: _halved(size, pools, lambda n: ceil(n / 2))
            ),
            "You round to the nearest whole number. Half a window is left out: round down.": lambda size, pools: round(
                size / 2**pools
            ),
            "Each pool halves what the one before it left: five of them divide by 32, not by 10.": (
                lambda size, pools: size // (2 * pools) if pools else size
            ),
            "One pool is missing from your count.": lambda size, pools: size >> max(0, pools - 1),
            "That is one pool too many.": lambda size, pools: size >> (pools + 1),
            "That is the number of places on the grid; say its side.": lambda size, pools: (size >> pools) ** 2,
            "A pool halves the side; you subtract from it.": lambda size, pools: size - 2 * pools,
        },
    )


def _parsed(words: str, size: int) -> Configuration:
    return Configuration.parse(f"{words} FC-10", input_size=size)


def _last(words: str, size: int) -> tuple[int, int]:
    channels, side, _ = _parsed(words, size).layers[-1].input_shape
    return channels, side


def _without_padding(words: str, size: int) -> int:
    channels = 3
    for spec in _parsed(words, size).specs[:-1]:
        channels = spec.channels if isinstance(spec, Conv) else channels
        size = (size - spec.kernel) // spec.stride + 1
    return channels * size * size


def _padded_by_one(words: str, size: int) -> int:
    channels = 3
    for spec in _parsed(words, size).specs[:-1]:
        channels = spec.channels if isinstance(spec, Conv) else channels
        padding = 1 if isinstance(spec, Conv) else 0
        size = (size + 2 * padding - spec.kernel) // spec.stride + 1
    return channels * size * size


def _rounded_up(words: str, size: int) -> int:
    specs = _parsed(words, size).specs
    pools = sum(isinstance(spec, MaxPool) for spec in specs)
    return _last(words, size)[0] * _halved(size, pools, lambda n: ceil(n / 2)) ** 2


def flat_features(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(words, size)``: how many numbers reach the first fully-connected layer behind these layers."""
    draw = random.Random(seed)
    bodies = {n: c.notation().rsplit("\n", 1)[0].replace("\n", " ") for n, c in CONFIGURATIONS.items()}
    cases = [("conv3-8", 32), ("conv3-8 maxpool", 32), ("conv3-8 conv1-4 maxpool", 33), (bodies["D"], 224)]
    cases += [(bodies["C"], 192), (bodies["A"], 32)]
    for _ in range(4):
        pools = draw.randint(1, 4)
        words = " ".join(
            f"conv{draw.choice([1, 3, 5])}-{draw.randint(4, 40)} conv{draw.choice([1, 3])}-{draw.randint(41, 64)} maxpool"
            for _ in range(pools)
        )
        cases.append((words, draw.randrange(65, 200, 2)))
    return judge_numbers(
        "numbers that reach the first fully-connected layer",
        attempt,
        lambda words, size: prod(_parsed(words, size).layers[-1].input_shape),
        [{"words": words, "size": size} for words, size in cases],
        {
            "That is VGG's own number, hard-coded. It is right for 512 channels and 224 pixels only.": lambda w, s: (
                512 * 7 * 7
            ),
            "You count places and forget the channels: every place has a number in each of them.": lambda w, s: (
                _last(w, s)[1] ** 2
            ),
            "You count the side of the grid once; it has a height and a width.": lambda w, s: prod(_last(w, s)),
            "That is the grid alone; multiply by the channels, and take height and width.": lambda w, s: _last(w, s)[1],
            "That is the number of channels; each of them has a grid of numbers.": lambda w, s: _last(w, s)[0],
            "You leave the pools out: each halves the side.": lambda w, s: _last(w, s)[0] * s * s,
            "You take the size of the image for every layer, and its three channels.": lambda w, s: 3 * s * s,
            "You let every convolution shrink the grid. In this notation the padding keeps the size.": _without_padding,
            "You pad every convolution by 1. A 1x1 needs none and a 5x5 needs 2: (kernel - 1) // 2.": _padded_by_one,
            "You round up behind a pool; a window that does not fit whole is left out.": _rounded_up,
        },
    )


def image_sides_for(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(flat, channels, pools)``: the smallest and the largest image side that give so many numbers."""
    draw = random.Random(seed)
    cases = [(25088, 512, 5), (18432, 512, 5), (512, 512, 5), (3 * 10 * 10, 3, 0)]
    for _ in range(5):
        channels, grid, pools = draw.choice([8, 64, 512]), draw.randint(2, 16), draw.randint(1, 5)
        cases.append((channels * grid * grid, channels, pools))

    def sides(
        flat: int, channels: int, pools: int, times: Callable = lambda grid, pools: grid << pools
    ) -> tuple[int, int]:
        grid = isqrt(flat // channels)
        return times(grid, pools), times(grid + 1, pools) - 1

    def with_sides(change: Callable[[int, int], tuple[int, int]]) -> Callable:
        return lambda *case: change(*sides(*case))

    return judge_pairs(
        "image sides for a flattened grid",
        attempt,
        sides,
        [dict(zip(("flat", "channels", "pools"), case, strict=True)) for case in cases],
        {
            "The largest is one too large: at the next multiple the grid grows by one.": with_sides(
                lambda low, high: (low, high + 1)
            ),
            "You name one size. The pools round down, so larger images give the same grid: up to where it grows by one?": (
                with_sides(lambda low, high: (low, low))
            ),
            "You forgot the root: flat // channels is the number of places, the side of the grid is its root.": (
                lambda flat, channels, pools: sides((flat // channels) ** 2, 1, pools)
            ),
            "You stop at the grid: each pool has halved it, so double it as often.": lambda flat, channels, pools: (
                (isqrt(flat // channels),) * 2
            ),
            "Each pool doubles it: five of them multiply by 32, not by 10.": lambda flat, channels, pools: sides(
                flat, channels, pools, lambda grid, pools: grid * 2 * pools
            ),
            "The order is smallest, largest.": with_sides(lambda low, high: (high, low)),
            "You round to the nearest instead of down: half a grid less and half a grid more.": (
                lambda flat, channels, pools: tuple(n - (1 << pools) // 2 for n in sides(flat, channels, pools))
            ),
        },
    )


# --- find the broken layer ---

Seeded = tuple[str, object, Configuration, object]  # (what was done, model, configuration, report)


def _built(configuration: Configuration, specs) -> object:
    """A plain net of these layers on torch's meta device: it has shapes and no values."""
    import torch
    from torch import nn

    channels, side, layers, flat = configuration.in_channels, configuration.input_size, [], None
    with torch.device("meta"):
        for spec in specs:
            if isinstance(spec, Linear):
                if flat is None:
                    layers, flat = [*layers, nn.Flatten()], channels * side * side
                layers += [nn.Linear(flat, spec.features), nn.ReLU()]
                flat = spec.features
                continue
            if isinstance(spec, Conv):
                layers += [nn.Conv2d(channels, spec.channels, spec.kernel, spec.stride, spec.padding), nn.ReLU()]
                channels = spec.channels
            else:
                layers.append(nn.MaxPool2d(spec.kernel, spec.stride, spec.padding))
            side = (side + 2 * spec.padding - spec.kernel) // spec.stride + 1
        return nn.Sequential(*layers[:-1])


@cache
def _breakages(seed: int) -> tuple[Seeded, ...]:
    """Nets that run to the end and are not what they promise, with the layer that breaks the promise first."""
    from vgg_course.shapes import broken_promises

    draw, found = random.Random(seed), []
    kinds = ["pool", "convolution", "padding", "channels", "padded 1x1", "extra"]
    for kind in [*kinds, *draw.choices(kinds, k=4)]:
        letter = "C" if kind == "padded 1x1" else draw.choice(["A", "B", "D", "E"])
        promised = CONFIGURATIONS[letter].variant(width=1 / 16, input_size=draw.choice([96, 128, 224]), classes=5)
        specs = list(promised.specs)
        wanted = {
            "pool": lambda s: isinstance(s, MaxPool),
            "padded 1x1": lambda s: isinstance(s, Conv) and s.kernel == 1,
        }
        place = draw.choice([i for i, s in enumerate(specs) if wanted.get(kind, lambda s: isinstance(s, Conv))(s)])
        spec = specs[place]
        match kind:
            case "pool" | "convolution":
                del specs[place]
            case "padding":
                specs[place] = Conv(spec.channels, 3, 1, 0)
            case "padded 1x1":
                specs[place] = Conv(spec.channels, 1, 1, 1)
            case "channels":
                specs[place] = Conv(2 * spec.channels)
            case "extra":
                specs.insert(place, spec)
        model = _built(promised, specs)
        report = broken_promises(model, promised)
        found.append((f"{letter}, {kind}", model, promised, report))
    return tuple(found)


def _walked(
    model,
    configuration: Configuration,
    differs: Callable = lambda found, promised: found[1:] != promised,
    pick: int = 0,
    kinds: tuple[str, ...] = ("Conv2d", "MaxPool2d", "Linear"),
) -> str:
    """Of the layers at whose place ``differs(shape found, shape promised)``, the name of the first, or of another."""
    from vgg_course.shapes import trace

    steps = [s for s in trace(model, (1, *configuration.input_shape)) if not kinds or s.kind in kinds]
    together = zip(configuration, steps, strict=False)
    names = [layer.name for layer, step in together if differs(step.output_shape, layer.output_shape)]
    return names[pick] if names else ""


BROKEN_MISTAKES: dict[str, Callable] = {
    "You compare shapes with the batch to shapes without it: (1, 64, 224, 224) is never (64, 224, 224).": (
        lambda model, promised: _walked(model, promised, lambda found, wanted: True)
    ),
    "That is the last layer that differs. The first one is the cause, all others follow from it.": (
        lambda model, promised: _walked(model, promised, pick=-1)
    ),
    "You lay every module beside a layer. ReLU and Flatten have no line in a configuration: leave them out.": (
        lambda model, promised: _walked(model, promised, kinds=())
    ),
    "You compare the sides only. A layer may have the right grid and the wrong channels.": (
        lambda model, promised: _walked(model, promised, lambda f, w: len(w) == 3 and f[2:] != w[1:])
    ),
    "You compare the channels only. A layer may have the right channels and the wrong grid.": (
        lambda model, promised: _walked(model, promised, lambda f, w: f[1] != w[0])
    ),
    "You look at the fully-connected layers only: that is where it is noticed, not where it went wrong.": (
        lambda model, promised: "fc6"
    ),
    "Every net here is broken somewhere. Does it print the name instead of returning it?": lambda model, promised: "",
}


class _First(str):
    """The name of the layer that is broken first; any of those that are ``alike`` is as good an answer."""

    def __new__(cls, broken: Broken) -> _First:
        name = super().__new__(cls, broken.layer)
        name.alike, name.message = broken.alike, broken.message
        return name


NAMES = {"", *(layer.name for configuration in CONFIGURATIONS.values() for layer in configuration)}  # "": found nothing
LAYER_NAMES = Kind(
    "the name of a layer is wanted, as 'conv1_1' or 'pool3'; a layer has it as .name",
    lambda answer: answer if isinstance(answer, str) and answer in NAMES else None,
    lambda mine, right: mine == right or mine in getattr(right, "alike", ()),
    lambda mine, right: 0.0,
    lambda mine, right: f"it returned {mine or None!r}, not {right!r}: {right.message}",
)


def first_broken(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(model, configuration)``: the name of the first layer that does not give what was promised."""

    def found(model, configuration):  # a loop that ends without a return has found nothing: an answer like others
        answer = attempt(model, configuration)
        return "" if answer is None else answer

    nets, cases = _breakages(seed), {}
    for number, (what, model, configuration, _) in enumerate(nets, start=1):
        cases[f"net {number}, a broken {what[0]},"] = {"model": model, "configuration": configuration}
    first = {model: _First(report.first) for _, model, _, report in nets}
    return judge(
        "the first broken layer",
        found if callable(attempt) else attempt,
        lambda model, _: first[model],
        cases,
        BROKEN_MISTAKES,
        LAYER_NAMES,
    )
