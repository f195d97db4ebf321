"""The checkers of the chapter that turns images into vectors have teeth."""

import pytest
import torch

from vgg_course import check, vectors


def length(x):
    return x.square().sum(1, keepdim=True).sqrt()


def pooled(maps):
    v = maps.flatten(2).mean(2)
    return v / length(v)


def cosines(a, b):
    return torch.stack([torch.stack([(x * y).sum() / (x.norm() * y.norm()) for y in b]) for x in a])


def coordinates(x, k):
    centered = x - x.mean(0)
    _, directions = torch.linalg.eigh(centered.T @ centered)
    return centered @ directions.flip(1)[:, :k]


def nearest(x, y):
    right = 0
    for i in range(len(x)):
        alike = [-2.0 if i == j else float(x[i] @ x[j] / (x[i].norm() * x[j].norm())) for j in range(len(x))]
        right += int(y[alike.index(max(alike))] == y[i])
    return right / len(x)


SOLUTIONS = {
    check.pooled_vectors: pooled,
    check.cosines: cosines,
    check.principal_coordinates: coordinates,
    check.nearest_accuracy: nearest,
}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_the_solution_passes_with_every_seed(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


def test_the_courses_own_functions_pass():
    assert check.pooled_vectors(lambda m: vectors.unit(m.mean((2, 3))))
    assert check.cosines(lambda a, b: vectors.unit(a) @ vectors.unit(b).T)
    assert check.nearest_accuracy(vectors.nearest_accuracy)


def test_the_sign_of_a_direction_is_free():
    assert check.principal_coordinates(lambda x, k: -coordinates(x, k))


def test_an_answer_that_changes_its_input_is_judged_on_the_true_input():
    def spoils(x, y):
        x /= x.norm(dim=1, keepdim=True)
        return nearest(x, y)

    assert check.nearest_accuracy(spoils)


def says(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda m: m.mean((2, 3)), "length is not"),
        (lambda m: m.sum((2, 3)), "sum over the places"),
        (lambda m: vectors.unit(m.amax((2, 3))), "largest value"),
        (lambda m: vectors.unit(m.flatten(1)), "All places"),
        (lambda m: m.mean((2, 3)) / m.mean((2, 3)).norm(dim=0), "dim=0"),
        (lambda m: m.mean((2, 3)) / m.mean((2, 3)).norm(), "common length"),
        (lambda m: m.mean((2, 3)) / m.mean((2, 3)).sum(1, keepdim=True), "SUM of the values"),
        (lambda m: m.mean((2, 3)) / length(m.mean((2, 3))) ** 2, "squared length"),
        (lambda m: vectors.unit(m.mean(1).flatten(1)), "averaged over the channels"),
    ],
)
def test_a_wrong_vector_is_explained(attempt, words):
    says(check.pooled_vectors, attempt, words)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda a, b: a @ b.T, "inner product"),
        (lambda a, b: a @ b.T / length(a), "Only the first"),
        (lambda a, b: a @ b.T / length(b).T, "Only the second"),
        (lambda a, b: (a / a.norm(dim=0)) @ (b / b.norm(dim=0)).T, "scaled the columns"),
        (lambda a, b: torch.cdist(a, b), "the distance; the cosine"),
        (lambda a, b: 1 - cosines(a, b), "1 minus"),
        (lambda a, b: a @ b.T / (length(a) * length(b).T) ** 2, "squares of the lengths"),
        (lambda a, b: cosines(a, b).clamp(-1, 1).acos(), "angle"),
        (lambda a, b: cosines(b, a), "exchanged"),
    ],
)
def test_a_wrong_cosine_is_explained(attempt, words):
    says(check.cosines, attempt, words)


def rows(x, centered=True):
    return torch.linalg.svd(x - x.mean(0) if centered else x, full_matrices=False)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda x, k: (rows(x, False).U * rows(x, False).S)[:, :k], "Subtract the mean"),
        (lambda x, k: x @ rows(x).Vh[:k].T, "projected the vectors as they were"),
        (lambda x, k: rows(x).U[:, :k], "whitened"),
        (lambda x, k: rows(x).Vh[:k], "directions, not where"),
        (lambda x, k: rows(x).Vh[:k].T, "directions, not where"),
        (lambda x, k: (x - x.mean(0)) @ torch.linalg.eigh((x - x.mean(0)).T @ (x - x.mean(0)))[1][:, :k], "LAST"),
        (lambda x, k: (x - x.mean(0)) @ rows(x).Vh[:, :k], "rows for its columns"),
        (lambda x, k: coordinates((x - x.mean(0)) / x.std(0), k), "divided each coordinate"),
        (lambda x, k: (x - x.mean(0))[:, :k], "first k numbers"),
        (lambda x, k: coordinates(x - x.mean(1, keepdim=True), k), "its own mean"),
    ],
)
def test_wrong_coordinates_are_explained(attempt, words):
    if "its own mean" in words:  # centered twice: not one of the named mistakes, but wrong all the same
        assert check.principal_coordinates(attempt).status == "wrong"
        return
    says(check.principal_coordinates, attempt, words)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda x, y: 1.0, "its own nearest"),
        (lambda x, y: (y[(x @ x.T).fill_diagonal_(-1e9).argmax(1)] == y).float().mean(), "long vectors win"),
        (lambda x, y: (y[torch.cdist(x, x).fill_diagonal_(1e9).argmin(1)] == y).float().mean(), "compare distances"),
        (lambda x, y: (y[cosines(x, x).argmin(1)] == y).float().mean(), "FARTHEST"),
        (lambda x, y: 1 - nearest(x, y), "share of wrong"),
        (lambda x, y: 100 * nearest(x, y), "percent"),
        (lambda x, y: nearest(x, y) * len(x), "a count"),
        (lambda x, y: nearest(x / x.norm(dim=0), y), ""),
        (lambda x, y: 0.123, "not"),
    ],
)
def test_a_wrong_accuracy_is_explained(attempt, words):
    says(check.nearest_accuracy, attempt, words)
