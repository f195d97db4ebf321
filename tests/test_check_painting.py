"""The checkers of the chapter that paints with features have teeth."""

import numpy as np
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


def test_the_courses_own_functions_pass():
    assert check.gram_matrix(perceptual.gram)
    assert check.total_variation(perceptual.total_variation)


def test_other_types_of_a_right_answer_pass():
    assert check.total_variation(lambda x: float(variation(x)))
    assert check.forgets_places(lambda s, x: np.bool_(unmoved(shuffled)(s, x)))
    assert check.forgets_places(lambda s, x: torch.tensor(unmoved(shuffled)(s, x)))
    assert check.gram_matrix(lambda x: perceptual.gram(x.float()))


def each_apart(x):
    return torch.stack([c[:, torch.randperm(c.shape[1])] for c in x.flatten(2).unbind(1)], 1).view_as(x)


def errors(x, p):
    return torch.stack([(p * (x - guess).square().sum((1, 2, 3))).sum() for guess in x])


WRONG = [
    (check.gram_matrix, sums, "take the mean"),
    (check.gram_matrix, lambda x: sums(x) / x[0].numel(), "You divide by C * H * W"),
    (check.gram_matrix, lambda x: sums(x) / x.numel(), "all numbers of the batch"),
    (check.gram_matrix, lambda x: sums(x) / x.shape[1], "you divide by the channels"),
    (check.gram_matrix, lambda x: sums(x) / x.shape[-1], "the width alone"),
    (check.gram_matrix, lambda x: sums(x - x.mean((2, 3), keepdim=True)) / places(x), "covariance"),
    (check.gram_matrix, lambda x: sums(x).sum(0) / places(x), "you summed over pictures"),
    (check.gram_matrix, lambda x: (sums(x) / places(x)).mean(0), "mean over pictures"),
    (check.gram_matrix, lambda x: x.view(-1, places(x)) @ x.view(-1, places(x)).T / x.numel(), "well-known tutorial"),
    (check.gram_matrix, lambda x: x.view(-1, places(x)) @ x.view(-1, places(x)).T / places(x), "reshape(B * C, H * W)"),
    (check.gram_matrix, lambda x: x @ x.transpose(2, 3), "rows of the picture"),
    (check.gram_matrix, lambda x: x.flatten(2).transpose(1, 2) @ x.flatten(2), "and sums"),
    (
        check.gram_matrix,
        lambda x: x.reshape(len(x), -1, x.shape[1]).transpose(1, 2) @ x.reshape(len(x), -1, x.shape[1]) / places(x),
        "cuts memory into pieces",
    ),
    (
        check.gram_matrix,
        lambda x: torch.einsum("bc,bd->bcd", x.mean((2, 3)), x.mean((2, 3))),
        "Multiply at each place first",
    ),
    (
        check.gram_matrix,
        lambda x: sums(x) / ((d := sums(x).diagonal(dim1=1, dim2=2).sqrt().clamp(min=1e-9))[:, :, None] * d[:, None]),
        "lengths of the channels",
    ),
    (check.total_variation, lambda x: variation(x, lambda s: s.square().mean()), "squared the steps"),
    (check.total_variation, lambda x: variation(x, lambda s: s.abs().sum()), "not sums"),
    (check.total_variation, lambda x: steps(x)[0].abs().mean(), "add those across"),
    (check.total_variation, lambda x: steps(x)[1].abs().mean(), "add those down"),
    (check.total_variation, lambda x: variation(x, lambda s: s.mean()), "cancel"),
    (check.total_variation, lambda x: variation(x, lambda s: s.mean().abs()), "come after it"),
    (check.total_variation, lambda x: sum((x - torch.roll(x, 1, d)).abs().mean() for d in (2, 3)), "roll"),
    (check.total_variation, lambda x: variation(x) / 2, "mean of the two"),
    (check.total_variation, lambda x: torch.cat([s.flatten() for s in steps(x)]).abs().mean(), "one over all steps"),
    (check.total_variation, lambda x: sum(s.abs().sum() for s in steps(x)) / x.numel(), "you divide by the pixels"),
    (check.total_variation, lambda x: variation(x, lambda s: s.square().mean().sqrt()), "square root"),
    (check.total_variation, lambda x: variation(x) * len(x), "sum over the pictures"),
    (check.total_variation, lambda x: variation(x) * x.shape[1], "sum over the channels"),
    (check.total_variation, lambda x: (x - x.mean()).abs().mean(), "compares neighbors"),
    (check.forgets_places, unmoved(each_apart), "each channel in its own way"),
    (check.forgets_places, unmoved(lambda x: x[:, torch.tensor([1, 2, 3, 0])]), "channels, not places"),
    (check.forgets_places, unmoved(shuffled, torch.equal), "last bit"),
    (check.forgets_places, unmoved(lambda x: x.flip(3)), "mirror"),
    (check.forgets_places, unmoved(lambda x: x.flip(2)), "upside down"),
    (check.forgets_places, unmoved(lambda x: x.roll(1, 3).roll(1, 2)), "roll"),
    (check.forgets_places, unmoved(lambda x: x[:, :, torch.randperm(x.shape[2])]), "rows only"),
    (check.forgets_places, unmoved(lambda x: x[..., torch.randperm(x.shape[3])]), "columns only"),
    (
        check.forgets_places,
        unmoved(shuffled, lambda a, b: not torch.allclose(a.double(), b.double(), 1e-4, 1e-5)),
        "other way round",
    ),
    (check.forgets_places, lambda s, x: s(x).shape == s(shuffled(x)).shape, "compare shapes"),
    (check.forgets_places, lambda s, x: False, "False to everything"),
    (check.best_guess, lambda x, p: x.mean(0), "each counted once"),
    (check.best_guess, lambda x, p: x[p.argmax()], "likeliest"),
    (check.best_guess, lambda x, p: x[errors(x, p).argmin()], "need not be one of them"),
    (check.best_guess, lambda x, p: weighted(x, p) / len(x), "divide by the number of pictures"),
    (check.best_guess, lambda x, p: x.median(0).values, "median"),
    (check.best_guess, lambda x, p: (x.amin(0) + x.amax(0)) / 2, "darkest and the brightest"),
    (check.best_guess, lambda x, p: weighted(x, p**2), "squares of the chances"),
    (check.best_guess, lambda x, p: weighted(x, p.softmax(0)), "no softmax"),
    (check.best_guess, lambda x, p: x.sum(0), "sum of the pictures"),
    (check.best_guess, lambda x, p: p[:, None, None, None] * x, "not added them up"),
    (check.best_guess, lambda x, p: weighted((x - weighted(x, p)) ** 2, p), "error that is left"),
]
