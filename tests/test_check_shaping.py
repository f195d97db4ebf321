"""The checkers of the chapter on shapes have teeth."""

import math

import pytest

from vgg_course import check
from vgg_course.check.shaping import BROKEN_MISTAKES, _breakages
from vgg_course.configuration import Configuration
from vgg_course.shapes import trace


def flat(words, size, up=lambda n: n // 2):
    channels, _, _ = Configuration.parse(words, input_size=size).layers[-1].output_shape
    for _ in range(words.split().count("maxpool")):
        size = up(size)
    return channels * size * size


def sides(flat, channels, pools, root=math.isqrt, last=-1):
    grid = root(flat // channels)
    return grid * 2**pools, (grid + 1) * 2**pools + last


def grids(flat, channels):
    grid = math.isqrt(flat // channels)
    return grid, grid + 1


def first(model, configuration, pick=0, kinds=("Conv2d", "MaxPool2d", "Linear"), same=lambda f, p: f[1:] == p):
    steps = [step for step in trace(model, (1, *configuration.input_shape)) if not kinds or step.kind in kinds]
    together = zip(configuration, steps, strict=False)
    names = [layer.name for layer, step in together if not same(step.output_shape, layer.output_shape)]
    return names[pick] if names else None


def unpadded(words, size, pad=lambda k: 0):
    channels = 3
    for layer in Configuration.parse(words, input_size=size).specs:
        if hasattr(layer, "channels"):
            channels, size = layer.channels, size + 2 * pad(layer.kernel) - layer.kernel + 1
        else:
            size //= 2
    return channels * size * size


MESSAGE = "mat1 and mat2 shapes cannot be multiplied (8x131072 and 25088x4096)"
WRONG = [
    (check.grid_behind, (MESSAGE, 256), "the root"),
    (check.grid_behind, (MESSAGE, 7), "built for"),
    (check.grid_behind, (MESSAGE, 49), "You forgot the root"),
    (check.grid_behind, (MESSAGE, 8), "the batch"),
    (check.grid_behind, (MESSAGE, 512), "Asked for is the grid"),
    (check.grid_behind, (MESSAGE, 362), "forgot the channels"),
    (check.grid_after, lambda s, p: s / 2**p, "keep the fraction"),
    (check.grid_after, lambda s, p: [s := math.ceil(s / 2) for _ in range(p)][-1] if p else s, "ceil mode"),
    (check.grid_after, lambda s, p: round(s / 2**p), "round to the nearest"),
    (check.grid_after, lambda s, p: s // (2 * p) if p else s, "not by 10"),
    (check.grid_after, lambda s, p: s // 2 ** (p + 1), "one pool too many"),
    (check.grid_after, lambda s, p: s // 2 ** max(0, p - 1), "One pool is missing"),
    (check.grid_after, lambda s, p: (s // 2**p) ** 2, "say its side"),
    (check.grid_after, lambda s, p: s - 2 * p, "you subtract"),
    (check.flat_features, lambda w, s: 512 * 7 * 7, "hard-coded"),
    (
        check.flat_features,
        lambda w, s: Configuration.parse(w, input_size=s).layers[-1].output_shape[1] ** 2,
        "channels",
    ),
    (
        check.flat_features,
        lambda w, s: math.prod(Configuration.parse(w, input_size=s).layers[-1].output_shape[:2]),
        "once",
    ),
    (check.flat_features, lambda w, s: flat(w, s, lambda n: n), "leave the pools out"),
    (check.flat_features, lambda w, s: flat(w, s, lambda n: -(-n // 2)), "round up"),
    (check.flat_features, unpadded, "shrink the grid"),
    (check.flat_features, lambda w, s: unpadded(w, s, lambda k: 1), "pad every convolution by 1"),
    (check.image_sides_for, lambda f, c, p: sides(f, c, p, last=0), "one too large"),
    (check.image_sides_for, lambda f, c, p: (sides(f, c, p)[0],) * 2, "larger images give the same grid"),
    (check.image_sides_for, lambda f, c, p: sides(f, c, p, root=lambda n: n), "forgot the root"),
    (check.image_sides_for, lambda f, c, p: (math.isqrt(f // c),) * 2, "stop at the grid"),
    (check.image_sides_for, lambda f, c, p: sides(f, c, p)[::-1], "smallest, largest"),
    (check.image_sides_for, lambda f, c, p: tuple(n * 2 * p - k for k, n in enumerate(grids(f, c))), "not by 10"),
    (check.image_sides_for, lambda f, c, p: tuple(n - 2**p // 2 for n in sides(f, c, p)), "half a grid less"),
    (check.image_sides_for, lambda f, c, p: range(*sides(f, c, p)), "two numbers are wanted"),
    (check.first_broken, lambda m, c: first(m, c, pick=-1), "the last layer that differs"),
    (check.first_broken, lambda m, c: first(m, c, same=lambda f, p: f == p), "with the batch"),
    (check.first_broken, lambda m, c: first(m, c, kinds=()), "ReLU and Flatten"),
    (check.first_broken, lambda m, c: first(m, c, same=lambda f, p: len(p) < 3 or f[2:] == p[1:]), "the sides only"),
    (check.first_broken, lambda m, c: first(m, c, same=lambda f, p: f[1] == p[0]), "the channels only"),
    (check.first_broken, lambda m, c: "fc6", "noticed"),
    (check.first_broken, lambda m, c: print(end=""), "Does it print the name"),
    (check.first_broken, lambda m, c: "7", "the name of a layer is wanted"),
    (check.first_broken, lambda m, c: c[first(m, c)], "a layer has it as .name"),
]


def test_the_grid_behind_the_message_is_judged():
    assert check.grid_behind(MESSAGE, 16)
    assert check.grid_behind("addmm: " + MESSAGE.replace("131072", "18432"), 6)
    assert check.grid_behind(MESSAGE, ...).status == "not attempted"
    assert "its square" in check.grid_behind(MESSAGE, 10**5000).message  # Python does not write it out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3, "not 3. That is 13 too small. Say the side of the grid: 512 times its square must be 131,072"),
        (15, "That is 1 too small"),
        ("16", "'16' is no number"),
        (None, "None is no number"),
        (float("nan"), "its square"),
    ],
)
def test_a_grid_without_a_known_mistake_is_told_how_far_off_it_is(answer, words):
    verdict = check.grid_behind(MESSAGE, answer)
    assert verdict.status == "wrong"
    assert words in verdict.message


def test_the_broken_nets_run_to_the_end_and_are_all_different_in_kind():
    for seed in range(5):
        breakages = _breakages(seed)
        assert all(report and report.complaint is None for *_, report in breakages)
        assert len({what.split(", ")[1] for what, *_ in breakages}) == 6
    assert len(BROKEN_MISTAKES) == 7
