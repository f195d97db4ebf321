"""Checks for the chapter on first weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt

from vgg_course import paper
from vgg_course.check.judging import judge_numbers
from vgg_course.check.verdict import Verdict, ask, attempt_on, not_attempted
from vgg_course.configuration import CONFIGURATIONS, Configuration, Conv, Linear

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
    window = 1
    for side in shape[2:]:
        window *= side
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


def he_normal(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(weight)``: fills a weight in place with normal numbers of variance ``2 / fan_in``.

    Weights are ``(out, in, k, k)`` or ``(out, in)``. It is called under ``torch.no_grad()``, and torch's random numbers
    go on afterwards as if it had not been.
    """
    import torch

    task, stale = "He's normal initialization", 7.0
    if not callable(attempt):
        return Verdict(task, "wrong", f"hand over the function itself; this is {type(attempt).__name__}.")
    found: list[float] = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for shape in SHAPES:
            weight = torch.full(shape, stale)
            case = f"on a weight of shape {shape}"
            try:
                answer = ask(attempt, weight)
            except NotImplementedError:
                return not_attempted(task)
            except Exception as error:  # whatever a student's code raises becomes part of the verdict
                return Verdict(task, "wrong", f"{case} it raised {type(error).__name__}: {error}")
            if weight.shape != torch.Size(shape):
                return Verdict(task, "wrong", f"{case}: its shape is now {tuple(weight.shape)}.")
            if message := _odd(weight, answer, stale):
                return Verdict(task, "wrong", f"{case}: {message}")
            found.append(weight.std().item())
            if weight.abs().max() < 2.5 * weight.std():
                message = "the deviation may be right, but the numbers are uniform: none is beyond 2.5 deviations."
                return Verdict(task, "wrong", f"{case}: {message} Draw them with normal_.")
    wanted = [sqrt(2 / _fans(shape)[0]) for shape in SHAPES]
    if _close(found, wanted):
        return Verdict(task, "passed", f"in place, normal, with the right deviation on all {len(SHAPES)} shapes.")
    place = next(i for i, (mine, right) in enumerate(zip(found, wanted, strict=True)) if not _close([mine], [right]))
    message = f"on a weight of shape {SHAPES[place]} the deviation is {found[place]:.4g}, not {wanted[place]:.4g}."
    for words, mistaken in WEIGHT_MISTAKES.items():
        if _close(found, [mistaken(shape) for shape in SHAPES]):
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _odd(weight, answer: object, stale: float) -> str:
    """What is wrong with a weight that was filled, before its deviation is looked at; empty if nothing."""
    import torch

    if (weight == stale).all():
        if isinstance(answer, torch.Tensor):
            return (
                "it returned a new tensor, and the layer keeps its old weights. Fill the one that you are given: "
                "weight.normal_(mean, deviation)."
            )
        return (
            "the weight is as it was. Change it in place: a method that ends in _ does, and so does weight[...] = ..."
        )
    if not torch.isfinite(weight).all():
        return "it holds values that are not finite."
    if weight.std() == 0:
        return "all weights are equal, so all channels compute the same and get the same gradient, forever."
    if abs(weight.mean()) > 0.05 * weight.std():
        return f"the mean is {weight.mean():.3g}, not 0."
    return ""


def _close(found: Sequence[float], wanted: Sequence[float]) -> bool:
    return all(abs(mine / right - 1) < CLOSE for mine, right in zip(found, wanted, strict=True))


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


def copied_layers(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(shallow, deep)``: the names of the layers that the paper would copy from one into the other.

    Both are configurations. Any collection of names will do, in any order.
    """
    del seed  # there is nothing to draw: the paper has few nets
    task = "layers to copy"
    if not callable(attempt):
        return Verdict(task, "wrong", f"hand over the function itself; this is {type(attempt).__name__}.")
    for a, b in (("A", "D"), ("A", "B"), ("A", "E"), ("B", "E")):
        shallow, deep = CONFIGURATIONS[a], CONFIGURATIONS[b]
        by_letter = lambda a, b: attempt(CONFIGURATIONS[a], CONFIGURATIONS[b])  # noqa: E731  shown by letter, if it fails
        answer, verdict = attempt_on(by_letter, {"shallow": a, "deep": b}, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        case = f"from {a} into {b}"
        try:
            if isinstance(answer, str):
                raise TypeError
            answer = list(answer)
        except Exception:  # no collection, or one that breaks
            return Verdict(task, "wrong", f"{case} it returned {answer!r}; a list of names is wanted.")
        if odd := [name for name in answer if not isinstance(name, str)]:
            message = f"{case} the list holds a {type(odd[0]).__name__}; names are wanted, such as 'conv1_1'."
            return Verdict(task, "wrong", message)
        mine, right = set(answer), _copied(shallow)
        if mine == right:
            continue
        if unknown := sorted(mine - {layer.name for layer in (*shallow, *deep)}):
            return Verdict(task, "wrong", f"{case}: neither net has a layer {unknown[0]!r}.")
        for words, mistaken in COPY_MISTAKES.items():
            if mine == mistaken(shallow, deep):
                return Verdict(task, "wrong", f"{case}: {words}")
        lacks, extra = sorted(right - mine), sorted(mine - right)
        parts = [f"{', '.join(lacks)} missing" if lacks else "", f"{', '.join(extra)} too many" if extra else ""]
        return Verdict(task, "wrong", f"{case}: {' and '.join(filter(None, parts))}.")
    return Verdict(
        task, "passed", "right for A into B, D and E, and for B into E: four convolutions and three FC each."
    )
