"""The checkers of the chapter that paints with features have teeth."""

import numpy as np
import pytest
import torch

from vgg_course import check, perceptual


def steps(x):
    return x[:, :, 1:] - x[:, :, :-1], x[..., 1:] - x[..., :-1]


def variation(x, of=lambda step: step.abs().mean()):
    return sum(map(of, steps(x)))


def shuffled(x):
    order = torch.randperm(x.shape[2] * x.shape[3])
    return x.flatten(2)[:, :, order].reshape(x.shape)


def unmoved(move, same=lambda a, b: torch.allclose(a.double(), b.double(), 1e-4, 1e-5)):
    return lambda statistic, values: same(statistic(values), statistic(move(values)))


def sums(x):
    return x.flatten(2) @ x.flatten(2).transpose(1, 2)


def places(x):
    return x.shape[2] * x.shape[3]


def weighted(pictures, chances):
    return (chances[:, None, None, None] * pictures).sum(0)


SOLUTIONS = {
    check.gram_matrix: lambda x: torch.einsum("bchw,bdhw->bcd", x, x) / places(x),
    check.total_variation: variation,
    check.forgets_places: unmoved(shuffled),
    check.best_guess: weighted,
}
named = pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)


@named
@pytest.mark.parametrize("seed", range(6))
def test_the_solution_passes_with_every_seed(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


def test_the_courses_own_functions_pass():
    assert check.gram_matrix(perceptual.gram)
    assert check.total_variation(perceptual.total_variation)


def test_other_types_of_a_right_answer_pass():
    assert check.total_variation(lambda x: float(variation(x)))
    assert check.forgets_places(lambda s, x: np.bool_(SOLUTIONS[check.forgets_places](s, x)))
    assert check.forgets_places(lambda s, x: torch.tensor(SOLUTIONS[check.forgets_places](s, x)))
    assert check.gram_matrix(lambda x: perceptual.gram(x.float()))


@named
@pytest.mark.parametrize(
    "answer", ["many", float("nan"), [[1, 2]], torch.zeros(3, 3), torch.full((2, 2, 2), torch.nan), True, False, 0, {}]
)
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, answer):
    assert checker(lambda *arguments: answer).status == "wrong"


@named
def test_an_attempt_that_spoils_its_input_is_judged_by_its_answer(checker):
    def spoiling(*arguments):
        answer = SOLUTIONS[checker](*arguments)
        for argument in arguments:
            if isinstance(argument, torch.Tensor):
                argument.zero_()
        return answer

    assert checker(spoiling)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (sums, "take the mean"),
        (lambda x: sums(x) / x[0].numel(), "You divide by C * H * W"),
        (lambda x: sums(x) / x.numel(), "all numbers of the batch"),
        (lambda x: sums(x) / x.shape[1], "you divide by the channels"),
        (lambda x: sums(x) / x.shape[-1], "the width alone"),
        (lambda x: sums(x - x.mean((2, 3), keepdim=True)) / places(x), "covariance"),
        (lambda x: sums(x).sum(0) / places(x), "you summed over pictures"),
        (lambda x: (sums(x) / places(x)).mean(0), "mean over pictures"),
        (lambda x: x.view(-1, places(x)) @ x.view(-1, places(x)).T / x.numel(), "well-known tutorial"),
        (lambda x: x.view(-1, places(x)) @ x.view(-1, places(x)).T / places(x), "reshape(B * C, H * W)"),
        (lambda x: x @ x.transpose(2, 3), "rows of the picture"),
        (lambda x: x.flatten(2).transpose(1, 2) @ x.flatten(2), "and sums"),
        (
            lambda x: (
                x.reshape(len(x), -1, x.shape[1]).transpose(1, 2) @ x.reshape(len(x), -1, x.shape[1]) / places(x)
            ),
            "cuts memory into pieces",
        ),
        (lambda x: torch.einsum("bc,bd->bcd", x.mean((2, 3)), x.mean((2, 3))), "Multiply at each place first"),
        (
            lambda x: (
                sums(x)
                / (
                    (d := sums(x).diagonal(dim1=1, dim2=2).sqrt().clamp(min=1e-9))[:, :, None] * d[:, None]
                )
            ),
            "lengths of the channels",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", [0, 3])
def test_a_wrong_gram_matrix_is_explained(attempt, words, seed):
    verdict = check.gram_matrix(attempt, seed)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda x: variation(x, lambda s: s.square().mean()), "squared the steps"),
        (lambda x: variation(x, lambda s: s.abs().sum()), "not sums"),
        (lambda x: steps(x)[0].abs().mean(), "add those across"),
        (lambda x: steps(x)[1].abs().mean(), "add those down"),
        (lambda x: variation(x, lambda s: s.mean()), "cancel"),
        (lambda x: variation(x, lambda s: s.mean().abs()), "come after it"),
        (lambda x: sum((x - torch.roll(x, 1, d)).abs().mean() for d in (2, 3)), "roll"),
        (lambda x: variation(x) / 2, "mean of the two"),
        (lambda x: torch.cat([s.flatten() for s in steps(x)]).abs().mean(), "one over all steps"),
        (lambda x: sum(s.abs().sum() for s in steps(x)) / x.numel(), "you divide by the pixels"),
        (lambda x: variation(x, lambda s: s.square().mean().sqrt()), "square root"),
        (lambda x: variation(x) * len(x), "sum over the pictures"),
        (lambda x: variation(x) * x.shape[1], "sum over the channels"),
        (lambda x: (x - x.mean()).abs().mean(), "compares neighbors"),
    ],
)
@pytest.mark.parametrize("seed", [0, 3])
def test_a_wrong_total_variation_is_explained(attempt, words, seed):
    verdict = check.total_variation(attempt, seed)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def each_apart(x):
    return torch.stack([c[:, torch.randperm(c.shape[1])] for c in x.flatten(2).unbind(1)], 1).view_as(x)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (unmoved(each_apart), "each channel in its own way"),
        (unmoved(lambda x: x[:, torch.tensor([1, 2, 3, 0])]), "channels, not places"),
        (unmoved(shuffled, torch.equal), "last bit"),
        (unmoved(lambda x: x.flip(3)), "mirror"),
        (unmoved(lambda x: x.flip(2)), "upside down"),
        (unmoved(lambda x: x.roll(1, 3).roll(1, 2)), "roll"),
        (unmoved(lambda x: x[:, :, torch.randperm(12)]), "rows only"),
        (unmoved(lambda x: x[..., torch.randperm(12)]), "columns only"),
        (unmoved(shuffled, lambda a, b: not torch.allclose(a.double(), b.double(), 1e-4, 1e-5)), "other way round"),
        (lambda s, x: s(x).shape == s(shuffled(x)).shape, "compare shapes"),
        (lambda s, x: False, "False to everything"),
        (lambda s, x: None, "None"),
        (lambda s, x: s(x), "True or False is wanted"),
    ],
)
@pytest.mark.parametrize("seed", [0, 3])
def test_a_wrong_way_to_ask_for_places_is_explained(attempt, words, seed):
    verdict = check.forgets_places(attempt, seed)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def errors(x, p):
    return torch.stack([(p * (x - guess).square().sum((1, 2, 3))).sum() for guess in x])


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda x, p: x.mean(0), "each counted once"),
        (lambda x, p: x[p.argmax()], "likeliest"),
        (lambda x, p: x[errors(x, p).argmin()], "need not be one of them"),
        (lambda x, p: weighted(x, p) / len(x), "divide by the number of pictures"),
        (lambda x, p: x.median(0).values, "median"),
        (lambda x, p: (x.amin(0) + x.amax(0)) / 2, "darkest and the brightest"),
        (lambda x, p: weighted(x, p**2), "squares of the chances"),
        (lambda x, p: weighted(x, p.softmax(0)), "no softmax"),
        (lambda x, p: x.sum(0), "sum of the pictures"),
        (lambda x, p: p[:, None, None, None] * x, "not added them up"),
        (lambda x, p: weighted((x - weighted(x, p)) ** 2, p), "error that is left"),
    ],
)
@pytest.mark.parametrize("seed", [0, 3])
def test_a_wrong_guess_is_explained(attempt, words, seed):
    verdict = check.best_guess(attempt, seed)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict
