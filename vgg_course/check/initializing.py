"""Checks for the chapter on first weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import prod, sqrt
from typing import TYPE_CHECKING

from vgg_course import paper
from vgg_course.check.judging import Kind, how_far, judge, judge_numbers, judge_sets
from vgg_course.check.verdict import Verdict
from vgg_course.configuration import CONFIGURATIONS, Configuration, Conv, Linear

if TYPE_CHECKING:
    from torch import Tensor

# --- numbers ---

_judge = partial(judge_numbers, tolerance=1e-6)  # the same formula in another order rounds otherwise


def gain(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(deviation, fan_in)``: what one layer behind a ReLU multiplies the RMS of the signal by."""
    draw = random.Random(seed)
    cases = [(0.1, 8), (0.01, 4608), (0.1, 4608), (0.02, 1152)]
    cases += [(round(draw.uniform(0.001, 0.3), 4), draw.randrange(9, 9000, 9)) for _ in range(4)]
    return _judge(
        "gain of a layer",
        attempt,
        lambda deviation, fan: deviation * sqrt(fan / 2),
        [{"deviation": deviation, "fan_in": fan} for deviation, fan in cases],
        {
            "That is the gain of the mean square. The RMS is its square root.": lambda d, n: d**2 * n / 2,
            "You leave the ReLU out: half of the mean square is gone before the sum.": lambda d, n: d * sqrt(n),
            "The ReLU halves the mean square, not the RMS: the 2 belongs under the root.": lambda d, n: d * sqrt(n) / 2,
            "You multiplied by 2 where the ReLU halves.": lambda d, n: d * sqrt(2 * n),
            "You took the deviation for a variance: its square stands under the root, so it comes out as it is.": (
                lambda d, n: sqrt(d * n / 2)
            ),
            "Deviations of independent terms do not add up, their squares do: the sum of n terms grows like sqrt(n).": (
                lambda d, n: d * n / 2
            ),
            "The deviation comes out of the root to the first power.": lambda d, n: d**2 * sqrt(n / 2),
        },
    )


def keeping_deviation(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(fan_in)``: the deviation of the weights with which a layer behind a ReLU keeps the signal's RMS."""
    fans = [2, 8, 576, 4608, *(random.Random(seed).randrange(9, 9000, 9) for _ in range(4))]
    return _judge(
        "deviation that keeps the signal",
        attempt,
        lambda fan: sqrt(2 / fan),
        [{"fan_in": fan} for fan in fans],
        {
            "That is the variance. Asked for is the deviation, its square root.": lambda n: 2 / n,
            "That keeps the signal of a layer without a ReLU. Behind a ReLU half of the mean square is missing.": (
                lambda n: sqrt(1 / n)
            ),
            "That makes the RMS half of what it was: the ReLU halves the mean square, so the weights must double it.": (
                lambda n: sqrt(1 / (2 * n))
            ),
            "That is the gain for a deviation of 1. Which deviation makes the gain 1?": lambda n: sqrt(n / 2),
            "That is what torch's own layers begin with, variance 1 / (3 fan_in): a gain of 0.41.": (
                lambda n: sqrt(1 / (3 * n))
            ),
            "The 2 belongs under the root.": lambda n: 2 / sqrt(n),
        },
    )


# --- weights ---

SHAPES = ((96, 160, 3, 3), (400, 150, 3, 3), (300, 900), (256, 640, 1, 1))
CLOSE = 0.02  # 130,000 numbers or more: their deviation is within 0.2 % of the one they were drawn with, nearly always


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    window = prod(shape[2:])
    return shape[1] * window, shape[0] * window


WEIGHT_MISTAKES: dict[str, Callable[[Sequence[int]], float]] = {
    "That is 2 / fan_in, the variance, used as a standard deviation: torch's normal_ wants the square root.": (
        lambda shape: 2 / _fans(shape)[0]
    ),
    "Your fan_in is the number of input channels. A 3x3 kernel adds up nine values of each: fan_in is 9 times that.": (
        lambda shape: sqrt(2 / shape[1])
    ),
    "That is fan_out, which keeps the gradient on its way back. Asked for is fan_in: weight.shape is (out, in, k, k).": (
        lambda shape: sqrt(2 / _fans(shape)[1])
    ),
    "You took the output channels without the kernel. fan_in is in_channels * k * k: weight.shape is (out, in, k, k).": (
        lambda shape: sqrt(2 / shape[0])
    ),
    "That is Glorot's, sqrt(2 / (fan_in + fan_out)). It does not know of the ReLU.": lambda shape: sqrt(
        2 / sum(_fans(shape))
    ),
    "That is sqrt(1 / fan_in). Behind a ReLU the variance must be twice as large.": lambda shape: sqrt(
        1 / _fans(shape)[0]
    ),
    "That is torch's own default, variance 1 / (3 fan_in).": lambda shape: sqrt(1 / (3 * _fans(shape)[0])),
    "That is a standard normal draw. Multiply it by the deviation.": lambda shape: 1.0,
    "That is the paper's literal 0.1, whatever the layer.": lambda shape: 0.1,
    "That is 0.01, whatever the layer.": lambda shape: 0.01,
    "You divide by the number of weights. fan_in is the number of terms in one sum: in_channels * k * k.": (
        lambda shape: sqrt(2 / (shape[0] * _fans(shape)[0]))
    ),
}


STALE = 7.0  # what a weight holds before it is filled
FILLING_MISTAKES: dict[str, Callable[[Tensor, object], bool]] = {
    "it returned a new tensor, and the layer keeps its old weights. Fill the one that you are given: "
    "weight.normal_(mean, deviation).": lambda weight, answer: (
        bool((weight == STALE).all()) and hasattr(answer, "shape")
    ),
    "the weight is as it was. Change it in place: a method that ends in _ does, and so does weight[...] = ...": (
        lambda weight, answer: bool((weight == STALE).all())
    ),
    "it holds values that are not finite.": lambda weight, answer: not weight.isfinite().all(),
    "all weights are equal, so all channels compute the same and get the same gradient, forever.": (
        lambda weight, answer: bool(weight.std() == 0)
    ),
    "its mean is not 0.": lambda weight, answer: bool(weight.mean().abs() > 0.05 * weight.std()),
    "its numbers are uniform: none is beyond 2.5 deviations. Draw them with normal_.": lambda weight, answer: bool(
        weight.abs().max() < 2.5 * weight.std()
    ),
}


def he_normal(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(weight)``: fills a weight in place with normal numbers of variance ``2 / fan_in``.

    Weights are ``(out, in, k, k)`` or ``(out, in)``. It is called under ``torch.no_grad()``, and torch's random numbers
    go on afterwards as if it had not been.
    """
    import torch

    draw = random.Random(seed)
    shapes = [*SHAPES, (draw.randrange(100, 200), draw.randrange(210, 300), 3, 3)]

    def filled(shape: tuple[int, ...]) -> float | str:
        """The deviation of a weight that the attempt filled, or what else is wrong with it."""
        weight = torch.full(shape, STALE)
        answer = attempt(weight)
        if tuple(weight.shape) != shape:
            return f"its shape is now {tuple(weight.shape)}."
        flaws = (words for words, found in FILLING_MISTAKES.items() if found(weight, answer))
        return next(flaws, weight.std().item())

    def apart(mine: float | str, right: float) -> str:
        if isinstance(mine, str):
            return mine
        return f"the deviation is {mine:.4g}, not {right:.4g}. {how_far(mine, right)}".rstrip()

    kind = Kind(
        "a weight that is filled",
        lambda found: found,
        lambda mine, right: not isinstance(mine, str) and abs(mine / right - 1) < CLOSE,
        lambda mine, right: 0.0,
        apart,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        verdict = judge(
            "He's normal initialization",
            filled if callable(attempt) else attempt,
            lambda shape: sqrt(2 / _fans(shape)[0]),
            {f"a weight of shape {shape}": {"shape": shape} for shape in shapes},
            WEIGHT_MISTAKES,
            kind,
        )
    praise = f"in place, normal, with the right deviation on all {len(shapes)} shapes."
    return replace(verdict, message=praise) if verdict else verdict


# --- the paper's remedy ---


def _named(configuration: Configuration, kind: type) -> list[str]:
    return [layer.name for layer in configuration if isinstance(layer.spec, kind)]


def _copied(shallow: Configuration) -> set[str]:
    convolutions, linears = _named(shallow, Conv), _named(shallow, Linear)
    rule = paper.INITIALIZATION
    return {*convolutions[: rule["copied_convolutions"]], *linears[-rule["copied_fully_connected"] :]}


COPY_MISTAKES: dict[str, Callable[[Configuration, Configuration], set[str]]] = {
    "You went by place: these are the first four convolutions of the deep net. Its second one makes 64 channels of 64; "
    "that of A makes 128 of 64. Go by name.": lambda shallow, deep: {
        *_named(deep, Conv)[:4],
        *_named(deep, Linear)[-3:],
    },
    "These are all layers that both nets have. They would fit, but the paper copied the first four convolutions only; "
    "the intermediate layers began at random.": lambda shallow, deep: {
        *_named(shallow, Conv),
        *_named(shallow, Linear),
    },
    "The last three fully-connected layers are copied, too.": lambda shallow, deep: set(_named(shallow, Conv)[:4]),
    "The first four convolutions are copied, too.": lambda shallow, deep: set(_named(shallow, Linear)[-3:]),
    "The logits' layer is copied, too: the last three, not the two hidden ones.": (
        lambda shallow, deep: {*_named(shallow, Conv)[:4], *_named(shallow, Linear)[:2]}
    ),
    "A pool has no weights. Count convolutions, not layers.": lambda shallow, deep: {
        *[layer.name for layer in shallow][:4],
        *_named(shallow, Linear)[-3:],
    },
    "These are the convolutions that are new in the deep net: they begin at random.": lambda shallow, deep: (
        set(_named(deep, Conv)) - set(_named(shallow, Conv))
    ),
}


def _invented(draw: random.Random) -> tuple[Configuration, Configuration]:
    """A shallow net and a deeper one, of four blocks each."""
    shallow = [draw.randint(1, 2) for _ in range(4)]
    deep = [convolutions + draw.randint(0, 2) for convolutions in shallow]
    deep[0] = shallow[0] + 1

    def built(blocks: Sequence[int], name: str) -> Configuration:
        words = [f"conv3-{8 * place} " * count + "maxpool" for place, count in enumerate(blocks, 1)]
        return Configuration.parse(" ".join([*words, "FC-20 FC-10 FC-3"]), name, input_size=32)

    return built(shallow, "shallow"), built(deep, "deep")


def copied_layers(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(shallow, deep)``: the names of the layers that the paper would copy from one into the other.

    Both are configurations. Any collection of names will do, in any order.
    """
    cases = {
        f"{a} into {b}": {"shallow": CONFIGURATIONS[a], "deep": CONFIGURATIONS[b]}
        for a, b in (("A", "D"), ("A", "B"), ("A", "E"), ("B", "E"))
    }
    shallow, deep = _invented(random.Random(seed))
    cases[f"a net of {len(_named(shallow, Conv))} convolutions into one of {len(_named(deep, Conv))}"] = {
        "shallow": shallow,
        "deep": deep,
    }
    return judge_sets(
        "layers to copy",
        attempt,
        lambda shallow, deep: _copied(shallow),
        cases,
        COPY_MISTAKES,
        "a list of names, such as 'conv1_1',",
        lambda name: isinstance(name, str),
    )
