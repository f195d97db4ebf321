"""The checkers of the chapter that turns images into vectors have teeth."""

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


def own(x):
    return x - x.mean(1, keepdim=True)


def rows(x, centered=True):
    return torch.linalg.svd(x - x.mean(0) if centered else x, full_matrices=False)


def neighbors(likeness, y):
    return (y[likeness.argmax(1)] == y).float().mean()


def columns(x):
    return (x / x.norm(dim=0)) @ (x / x.norm(dim=0)).T


def vote(likeness, y, k):
    return (y[likeness.topk(k).indices].mode(1).values == y).float().mean()


WRONG = [
    (check.pooled_vectors, lambda m: m.mean((2, 3)), "length is not"),
    (check.pooled_vectors, lambda m: m.sum((2, 3)), "sum over the places"),
    (check.pooled_vectors, lambda m: vectors.unit(m.amax((2, 3))), "largest value"),
    (check.pooled_vectors, lambda m: vectors.unit(m.flatten(1)), "All places"),
    (check.pooled_vectors, lambda m: m.mean((2, 3)) / m.mean((2, 3)).norm(dim=0), "dim=0"),
    (check.pooled_vectors, lambda m: m.mean((2, 3)) / m.mean((2, 3)).norm(), "common length"),
    (check.pooled_vectors, lambda m: m.mean((2, 3)) / m.mean((2, 3)).sum(1, keepdim=True), "SUM of the values"),
    (check.pooled_vectors, lambda m: m.mean((2, 3)) / length(m.mean((2, 3))) ** 2, "squared length"),
    (check.pooled_vectors, lambda m: vectors.unit(m.mean(1).flatten(1)), "averaged over the channels"),
    (check.cosines, lambda a, b: a @ b.T, "inner product"),
    (check.cosines, lambda a, b: a @ b.T / length(a), "Only the first"),
    (check.cosines, lambda a, b: a @ b.T / length(b).T, "Only the second"),
    (check.cosines, lambda a, b: (a / a.norm(dim=0)) @ (b / b.norm(dim=0)).T, "scaled the columns"),
    (check.cosines, lambda a, b: torch.cdist(a, b), "the distance; the cosine"),
    (check.cosines, lambda a, b: 1 - cosines(a, b), "1 minus"),
    (check.cosines, lambda a, b: a @ b.T / (length(a) * length(b).T) ** 2, "squares of the lengths"),
    (check.cosines, lambda a, b: cosines(a, b).clamp(-1, 1).acos(), "angle"),
    (check.cosines, lambda a, b: cosines(b, a), "exchanged"),
    (check.principal_coordinates, lambda x, k: (rows(x, False).U * rows(x, False).S)[:, :k], "Subtract the mean"),
    (check.principal_coordinates, lambda x, k: x @ rows(x).Vh[:k].T, "projected the vectors as they were"),
    (check.principal_coordinates, lambda x, k: rows(x).U[:, :k], "whitened"),
    (check.principal_coordinates, lambda x, k: rows(x).Vh[:k], "directions, not where"),
    (check.principal_coordinates, lambda x, k: rows(x).Vh[:k].T, "directions, as columns"),
    (
        check.principal_coordinates,
        lambda x, k: (x - x.mean(0)) @ torch.linalg.eigh((x - x.mean(0)).T @ (x - x.mean(0)))[1][:, :k],
        "LAST",
    ),
    (check.principal_coordinates, lambda x, k: (x - x.mean(0)) @ rows(x).Vh[:, :k], "rows for its columns"),
    (check.principal_coordinates, lambda x, k: coordinates((x - x.mean(0)) / x.std(0), k), "divided each coordinate"),
    (check.principal_coordinates, lambda x, k: (x - x.mean(0))[:, :k], "first k numbers"),
    (check.principal_coordinates, lambda x, k: (rows(own(x), False).U * rows(own(x), False).S)[:, :k], "its own mean"),
    (check.nearest_accuracy, lambda x, y: 1.0, "its own nearest"),
    (check.nearest_accuracy, lambda x, y: neighbors((x @ x.T).fill_diagonal_(-1e9), y), "long vectors win"),
    (check.nearest_accuracy, lambda x, y: neighbors(-torch.cdist(x, x).fill_diagonal_(1e9), y), "compare distances"),
    (check.nearest_accuracy, lambda x, y: neighbors(-cosines(x, x), y), "FARTHEST"),
    (check.nearest_accuracy, lambda x, y: 1 - nearest(x, y), "share of wrong"),
    (check.nearest_accuracy, lambda x, y: 100 * nearest(x, y), "percent"),
    (check.nearest_accuracy, lambda x, y: nearest(x, y) * len(x), "a count"),
    (check.nearest_accuracy, lambda x, y: neighbors(columns(x).fill_diagonal_(-9), y), "scaled the columns"),
    (check.nearest_accuracy, lambda x, y: neighbors(cosines(x, x).fill_diagonal_(0), y), "0 is a cosine like others"),
    (check.nearest_accuracy, lambda x, y: vote(cosines(x, x).fill_diagonal_(-9), y, 5), "Five neighbors vote"),
]
