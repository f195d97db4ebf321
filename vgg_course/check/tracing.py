"""Checks for the chapter on receptive fields."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from vgg_course.check.judging import judge_numbers, judge_one_number
from vgg_course.check.verdict import Verdict
from vgg_course.configuration import Configuration, as_configuration
from vgg_course.receptive_field import receptive_field, window_of


def _words(layers: Sequence[tuple[int, ...]]) -> str:
    """Windows ``(kernel, stride)`` or ``(kernel, stride, padding)`` in the notation of a configuration."""
    return " ".join(f"conv{k}-1/s{s}/p{p[0] if p else 0}" for k, s, *p in layers)


def _field(layers: Sequence[tuple[int, ...]]):
    """The course's own record of what the last of these layers sees: the target of the checks below."""
    return receptive_field(Configuration.parse(_words(layers), input_size=4096)).fields[-1]


def _followed(layers, add: Callable[[int, int, int], int], jump_to: Callable[[int, int], int], size: int = 1) -> int:
    """A recurrence, right or wrong: ``size += add(kernel, stride, jump)``, then ``jump = jump_to(jump, stride)``."""
    jump = 1
    for kernel, stride, *_ in layers:
        size, jump = size + add(kernel, stride, jump), jump_to(jump, stride)
    return size


def _product(jump: int, stride: int) -> int:
    return jump * stride


def _popular(layers) -> int:
    size = 1
    for kernel, stride, *_ in layers:
        size = (size - 1) * stride + kernel
    return size


SIZE_MISTAKES: dict[str, Callable] = {
    "Your jump is always 1: you add kernel - 1 pixels at every layer. After a pool the values lie 2 pixels apart, so the "
    "next window adds twice as much.": lambda layers: _followed(layers, lambda k, s, j: k - 1, _product),
    "That is the popular rule (size - 1) * stride + kernel applied from the image on. It is right only backward, from the "
    "output to the image.": _popular,
    "You change the jump too early: a layer with stride 2 still looks at a grid with the old jump. Add (kernel - 1) * "
    "jump first, multiply the jump afterwards.": lambda layers: _followed(
        layers, lambda k, s, j: (k - 1) * j * s, _product
    ),
    "You leave the layers with a stride out. Their windows see something too: a 2x2 pool adds one jump.": lambda layers: (
        _followed(layers, lambda k, s, j: (k - 1) * j if s == 1 else 0, _product)
    ),
    "You add kernel * jump. The first value of a window is counted already: only kernel - 1 are new.": lambda layers: (
        _followed(layers, lambda k, s, j: k * j, _product)
    ),
    "You start with nothing. A pixel sees itself: the size begins at 1.": lambda layers: _followed(
        layers, lambda k, s, j: (k - 1) * j, _product, size=0
    ),
    "Your jump is the last stride. It is the product of all strides so far: two pools make it 4.": lambda layers: (
        _followed(layers, lambda k, s, j: (k - 1) * j, lambda j, s: s)
    ),
    "Your jump is the sum of the strides. It is their product: three pools make it 8.": lambda layers: _followed(
        layers, lambda k, s, j: (k - 1) * j, lambda j, s: j + s if s > 1 else j
    ),
    "That is the jump, the pixels from one window to the next. Asked for is the size of a window.": lambda layers: (
        _followed(layers, lambda k, s, j: j * s - j, _product)
    ),
}


def receptive_field_of(name: str, answer: object, configuration: str | Configuration = "D") -> Verdict:
    """Check a number: what one value of layer ``name`` sees, in pixels along a side. Dots mean that you have yet to say."""
    configuration = as_configuration(configuration)
    right = receptive_field(configuration)[name].size
    place = configuration.layers.index(configuration[name]) + 1
    layers = [window_of(layer) for layer in configuration.layers[:place]]
    return judge_one_number(
        f"what {name} sees",
        answer,
        right,
        {
            "That is the number of pixels in the whole square; say its side.": right**2,
            **{words: mistaken(layers) for words, mistaken in SIZE_MISTAKES.items()},
        },
        "Say how many pixels it sees along one side: what does each layer add, and why?",
    )


def _layers(draw: random.Random, padded: bool = False) -> list[tuple[int, ...]]:
    """Three to five layers, at least two of them with a stride."""
    strides = draw.sample([1, 2, 2, 3], 3) + draw.choices([1, 2], k=draw.randint(0, 2))
    layers = [(draw.choice([2, 3, 5, 7]), stride) for stride in strides]
    return [(k, s, draw.randint(1, 3)) for k, s in layers] if padded else layers


def field_size(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(layers)``: what the last of the layers ``[(kernel, stride), ...]`` sees, in pixels along a side."""
    draw = random.Random(seed)
    by_hand = [[(3, 1)], [(3, 1), (3, 1)], [(3, 1), (2, 2)], [(2, 2), (3, 1)], [(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)]]
    return judge_numbers(
        "size of a receptive field",
        attempt,
        lambda layers: _field(layers).size,
        [{"layers": layers} for layers in (*by_hand, *(_layers(draw) for _ in range(4)))],
        SIZE_MISTAKES,
    )


def _started(layers, index: int, shift: Callable[[int, int, int], int], step: Callable[[int, int], int]) -> int:
    """``start -= shift(padding, jump, jump behind the layer)``; then ``index`` steps of ``step(jump, size)``."""
    start, jump = 0, 1
    for _, stride, padding in layers:
        start, jump = start - shift(padding, jump, jump * stride), jump * stride
    return start + index * step(jump, _field(layers).size)


def first_pixel(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(layers, index)``: the first pixel that value ``index`` sees; negative if it is padding.

    The layers are ``[(kernel, stride, padding), ...]``.
    """
    draw = random.Random(seed)
    by_hand = [
        ([(3, 1, 0)], 0),
        ([(3, 1, 1)], 0),
        ([(3, 1, 1)], 5),
        ([(3, 1, 1), (2, 2, 0)], 3),
        ([(3, 1, 1), (2, 2, 0), (3, 1, 1)], 4),
    ]
    fresh = [(_layers(draw, padded=True), draw.randint(2, 9)) for _ in range(4)]
    return judge_numbers(
        "first pixel of a window",
        attempt,
        lambda layers, index: _field(layers).window(index).start,
        [{"layers": layers, "index": index} for layers, index in (*by_hand, *fresh)],
        {
            "You leave the padding out: each layer's padding moves the first window to the left.": lambda layers, i: (
                _started(layers, i, lambda p, j, after: 0, lambda j, size: j)
            ),
            "A padding of 1 is one value of the grid before it, and these lie a jump apart: subtract padding * jump.": (
                lambda layers, i: _started(layers, i, lambda p, j, after: p, lambda j, size: j)
            ),
            "The padding lies on the grid that goes into the layer: multiply it by the jump before the stride, not after.": (
                lambda layers, i: _started(layers, i, lambda p, j, after: p * after, lambda j, size: j)
            ),
            "The padding moves the window to the left, out of the image: subtract it.": lambda layers, i: _started(
                layers, i, lambda p, j, after: -p * j, lambda j, size: j
            ),
            "That is where the first window starts, whatever the index: go on by index * jump.": lambda layers, i: (
                _started(layers, i, lambda p, j, after: p * j, lambda j, size: 0)
            ),
            "Neighbors lie a jump apart, not one pixel.": lambda layers, i: _started(
                layers, i, lambda p, j, after: p * j, lambda j, size: 1
            ),
            "Windows overlap: the next one starts a jump further on, not behind the end of this one.": lambda layers, i: (
                _started(layers, i, lambda p, j, after: p * j, lambda j, size: size)
            ),
            "You stop at the border of the image. Here a window may begin in the padding, at a negative pixel.": (
                lambda layers, i: max(0, _field(layers).window(i).start)
            ),
        },
    )


def convolutions_needed(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(distance)``: the fewest 3x3 convolutions in whose view two marks that far apart both lie."""
    distances = [2, 3, 6, 10, 11, *random.Random(seed).sample(range(12, 60), 4)]
    return judge_numbers(
        "convolutions that cover two marks",
        attempt,
        lambda distance: (distance + 1) // 2,
        [{"distance": distance} for distance in distances],
        {
            "That is the receptive field that is needed. How many convolutions have it, if each adds 2?": lambda d: (
                d + 1
            ),
            "For an odd distance that is one too few: marks d columns apart fill d + 1 columns, and 2 n + 1 must be at "
            "least that. Round up.": lambda d: d // 2,
            "The first convolution sees 3 already: n of them see 2 n + 1 pixels, not 2 n.": lambda d: d // 2 + 1,
            "Each convolution adds 2 pixels, one on either side, not 1.": lambda d: d,
            "Each convolution adds 2 pixels, not 3: the windows overlap.": lambda d: -(-(d + 1) // 3),
        },
    )
