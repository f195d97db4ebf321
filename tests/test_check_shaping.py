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


def first(model, configuration, pick=0, kinds=("Conv2d", "MaxPool2d", "Linear"), same=lambda f, p: f[1:] == p):
    steps = [step for step in trace(model, (1, *configuration.input_shape)) if not kinds or step.kind in kinds]
    together = zip(configuration, steps, strict=False)
    names = [layer.name for layer, step in together if not same(step.output_shape, layer.output_shape)]
    return names[pick] if names else ""


SOLUTIONS = {
    check.grid_after: lambda size, pools: size // 2**pools,
    check.flat_features: flat,
    check.image_sides_for: sides,
    check.first_broken: first,
}
ANSWERS = {check.grid_after: 3, check.flat_features: 3, check.image_sides_for: (3, 4), check.first_broken: "pool3"}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("seed", range(8))
def test_the_solution_passes(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict
    assert "right on all" in verdict.message


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a: None, "returned"),
        (lambda *a: ["many"], "returned"),
        (lambda *a: float("nan"), "returned"),
        (lambda *a: (float("nan"), float("inf")), "returned"),
        (lambda *a: True, "returned"),
        (lambda *a: -1, "returned"),
        (lambda *a: "conv9_9", "returned"),
        (lambda *a: object(), "returned"),
        (lambda *a: range(3), "returned"),
    ],
)
def test_whatever_comes_back_gets_a_verdict(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
def test_one_right_answer_for_every_case_is_not_enough(checker):
    assert not checker(lambda *a: ANSWERS[checker])


def unpadded(words, size, pad=lambda k: 0):
    channels = 3
    for layer in Configuration.parse(words, input_size=size).specs:
        if hasattr(layer, "channels"):
            channels, size = layer.channels, size + 2 * pad(layer.kernel) - layer.kernel + 1
        else:
            size //= 2
    return channels * size * size


WRONG = [
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
    (check.image_sides_for, lambda f, c, p: range(*sides(f, c, p)), "returned a range"),
    (check.image_sides_for, lambda f, c, p: sides(f, c, p)[0], "two numbers are wanted"),
    (check.first_broken, lambda m, c: first(m, c, pick=-1), "the last layer that differs"),
    (check.first_broken, lambda m, c: first(m, c, same=lambda f, p: f == p), "with the batch"),
    (check.first_broken, lambda m, c: first(m, c, kinds=()), "ReLU and Flatten"),
    (check.first_broken, lambda m, c: first(m, c, same=lambda f, p: len(p) < 3 or f[2:] == p[1:]), "the sides only"),
    (check.first_broken, lambda m, c: first(m, c, same=lambda f, p: f[1] == p[0]), "the channels only"),
    (check.first_broken, lambda m, c: "fc6", "noticed"),
    (check.first_broken, lambda m, c: "7", "The layers have names: conv1_1"),
    (check.first_broken, lambda m, c: c[first(m, c)], "return its .name"),
]


@pytest.mark.parametrize(
    ("checker", "attempt", "words"), WRONG, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_wrong_answer_gets_its_diagnosis(checker, attempt, words):
    for seed in range(3):
        verdict = checker(attempt, seed)
        assert verdict.status == "wrong"
        assert words in verdict.message


MESSAGE = "mat1 and mat2 shapes cannot be multiplied (8x131072 and 25088x4096)"


def test_the_grid_behind_the_message_is_judged():
    assert check.grid_behind(MESSAGE, 16)
    assert check.grid_behind("addmm: " + MESSAGE.replace("131072", "18432"), 6)
    assert check.grid_behind(MESSAGE, ...).status == "not attempted"
    for answer, words in {
        256: "the root",
        7: "built for",
        8: "the batch",
        512: "Asked for is the grid",
        362: "forgot the channels",
        3: "its square must be 131,072",
        "16": "no number",
        None: "no number",
        float("nan"): "its square",
    }.items():
        verdict = check.grid_behind(MESSAGE, answer)
        assert verdict.status == "wrong"
        assert words in verdict.message


def test_the_broken_nets_run_to_the_end_and_are_all_different_in_kind():
    for seed in range(5):
        breakages = _breakages(seed)
        assert all(report and report.complaint is None for *_, report in breakages)
        assert len({what.split(", ")[1] for what, *_ in breakages}) == 6
    assert len(BROKEN_MISTAKES) == 6
