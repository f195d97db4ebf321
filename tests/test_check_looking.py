"""The checkers of the chapter that looks at feature maps have teeth."""

import pytest
import torch

from vgg_course import check


def sparsity(maps):
    return torch.stack([(maps[:, c] == 0).double().mean() for c in range(maps.shape[1])])


def ends(field, index):
    first = field.start + index * field.jump
    return first, first + field.size


def clip(first, last, n):
    return max(first, 0), min(last, n)


def box(side):
    def answer(field, row, column):
        (top, bottom), (left, right) = side(field, row), side(field, column)
        return top, left, bottom, right

    return answer


def inside(field, index):
    return clip(*ends(field, index), field.input_size)


patch_box = box(inside)


def class_means(responses, labels):
    return torch.stack([responses[labels == k].mean(0) for k in range(int(labels.max()) + 1)])


def index(best, rest):
    return torch.nan_to_num((best - rest) / (best + rest))


def parts(responses, labels):
    means = class_means(responses, labels)
    return means.amax(0), (means.sum(0) - means.amax(0)) / (len(means) - 1)


def selectivity(responses, labels):
    return index(*parts(responses, labels))


def top_cells(maps, count):
    best = []
    for i, one in enumerate(maps):
        place = int(one.flatten().argmax())
        best.append((float(one.max()), i, *divmod(place, one.shape[1])))
    return [row[1:] for row in sorted(best, reverse=True)[:count]]


SOLUTIONS = {
    check.sparsity: sparsity,
    check.patch_box: patch_box,
    check.selectivity: selectivity,
    check.top_cells: top_cells,
}
named = pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)


@named
@pytest.mark.parametrize("seed", range(6))
def test_the_solution_passes_with_every_seed(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


@named
@pytest.mark.parametrize(
    "answer",
    ["many", float("nan"), (1, 2, float("inf"), 3), [[1, 2]], [torch.zeros(2), 1], True, object(), torch.zeros(3, 3),
     [None], [(1, 2, 3), 4], torch.full((2,), torch.nan), {}, [], [[]], torch.zeros(2, dtype=torch.complex64)],
)  # fmt: skip
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, answer):
    verdict = checker(lambda *arguments: answer)
    assert verdict.status == "wrong"
    assert "returned" in verdict.message


@named
def test_an_attempt_that_changes_what_it_is_handed_is_judged_by_its_answer(checker):
    def spoiling(*arguments):
        answer = SOLUTIONS[checker](*arguments)
        for part in arguments:
            if isinstance(part, torch.Tensor):
                part.zero_()
        return answer

    assert checker(spoiling)


def test_other_types_of_the_right_answer_pass():
    assert check.patch_box(lambda *a: list(patch_box(*a)))
    assert check.patch_box(lambda *a: torch.tensor(patch_box(*a)))
    assert check.top_cells(lambda *a: torch.tensor(top_cells(*a)))
    assert check.top_cells(lambda *a: [list(row) for row in top_cells(*a)])
    assert check.sparsity(lambda m: sparsity(m).float())
    assert check.selectivity(lambda r, y: selectivity(r, y).float())


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda m: 1 - sparsity(m), "NOT zero"),
        (lambda m: (m > 0).double().mean((0, 2, 3)), "NOT zero"),
        (lambda m: (m == 0).double().mean(), "whole layer"),
        (lambda m: (m == 0).double().mean((1, 2, 3)), "each image"),
        (lambda m: (m == 0).double().mean((2, 3)), "each map of each image"),
        (lambda m: (m == 0).sum((0, 2, 3)), "counted the zeros"),
        (lambda m: (m < 0.01).double().mean((0, 2, 3)), "Small is not zero"),
        (lambda m: (m.flatten(2) == 0).all(2).double().mean(0), "as a whole"),
        (lambda m: m.mean((0, 2, 3)), "mean value"),
        (lambda m: torch.zeros(m.shape[1]), "returned"),
    ],
)
def test_a_wrong_sparsity_is_explained(attempt, words):
    verdict = check.sparsity(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (box(ends), "Cut the box at the borders"),
        (box(lambda f, i: (max(ends(f, i)[0], 0), ends(f, i)[1])), "upper left only"),
        (box(lambda f, i: (ends(f, i)[0], min(ends(f, i)[1], f.input_size))), "lower right only"),
        (box(lambda f, i: clip(*ends(f, i), f.grid)), "grid counts values"),
        (
            box(lambda f, i: (lambda a: (a, a + f.size))(min(max(ends(f, i)[0], 0), f.input_size - f.size))),
            "pushed the window back",
        ),
        (box(lambda f, i: clip(i * f.jump, i * f.jump + f.size, f.input_size)), "begins at field.start"),
        (box(lambda f, i: clip(f.start + i, f.start + i + f.size, f.input_size)), "field.jump pixels apart"),
        (box(lambda f, i: clip(ends(f, i)[0], ends(f, i)[1] - 1, f.input_size)), "one past the last pixel"),
        (box(lambda f, i: clip(ends(f, i)[0], ends(f, i)[1], f.input_size - 1)), "input_size - 1"),
        (
            box(lambda f, i: clip(i * f.jump - f.size // 2, i * f.jump - f.size // 2 + f.size, f.input_size)),
            "use field.start",
        ),
        (box(lambda f, i: clip(f.start + i * f.size, f.start + (i + 1) * f.size, f.input_size)), "a jump apart"),
        (lambda f, r, c: patch_box(f, c, r), "Rows go down"),
        (lambda f, r, c: (*inside(f, r), *inside(f, c)), "top, bottom, left, right"),
        (lambda f, r, c: (lambda t, le, b, ri: (t, le, b - t, ri - le))(*patch_box(f, r, c)), "not height and width"),
        (lambda f, r, c: (0, 0, 5, 5), "not (3, 5, "),
        (lambda f, r, c: patch_box(f, r, c)[:2], "four numbers"),
    ],
)
def test_a_wrong_box_is_explained(attempt, words):
    verdict = check.patch_box(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message or (words == "not (3, 5, " and ", not (" in verdict.message), verdict


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda r, y: index(class_means(r, y).amax(0), class_means(r, y).mean(0)), "OTHER classes"),
        (lambda r, y: index(*class_means(r, y).topk(2, dim=0).values), "second best"),
        (lambda r, y: index(class_means(r, y).amax(0), class_means(r, y).amin(0)), "weakest alone"),
        (
            lambda r, y: torch.stack(
                [
                    index(r[y == k, c].mean(), r[y != k, c].mean())
                    for c, k in enumerate(class_means(r, y).argmax(0).tolist())
                ]
            ),
            "Every class counts the same",
        ),
        (
            lambda r, y: (lambda s: index(s.amax(0), (s.sum(0) - s.amax(0)) / (len(s) - 1)))(
                torch.stack([r[y == k].sum(0) for k in range(int(y.max()) + 1)])
            ),
            "take means",
        ),
        (
            lambda r, y: (lambda s: index(s.amax(0), (s.sum(0) - s.amax(0)) / (len(s) - 1)))(
                torch.stack([r[y == k].amax(0) for k in range(int(y.max()) + 1)])
            ),
            "took its largest value",
        ),
        (lambda r, y: (parts(r, y)[0] - parts(r, y)[1]) / parts(r, y)[0], "Divide by the SUM"),
        (lambda r, y: parts(r, y)[0] - parts(r, y)[1], "a loud channel"),
        (lambda r, y: parts(r, y)[0], "how far is it from the others"),
        (lambda r, y: class_means(r, y).argmax(0), "by how much"),
        (lambda r, y: (parts(r, y)[0] - parts(r, y)[1]) / (parts(r, y)[0] + parts(r, y)[1]), "0 / 0"),
        (lambda r, y: torch.ones(r.shape[1]), "not"),
    ],
)
def test_a_wrong_selectivity_is_explained(attempt, words):
    verdict = check.selectivity(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def everywhere(maps, count):
    height, width = maps.shape[1:]
    return [
        (p // (height * width), *divmod(p % (height * width), width))
        for p in maps.flatten().topk(count).indices.tolist()
    ]


def by(score, largest=True, width=None):
    def answer(maps, count):
        order = score(maps).sort(descending=largest).indices[:count].tolist()
        places = maps.flatten(1).argmax(1)
        return [(i, *divmod(int(places[i]), width(maps) if width else maps.shape[2])) for i in order]

    return answer


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (everywhere, "only once"),
        (lambda m, n: [(i, c, r) for i, r, c in top_cells(m, n)], "exchanged"),
        (by(lambda m: m.amax((1, 2)), width=lambda m: m.shape[1]), "divided by the height"),
        (lambda m, n: top_cells(m, n)[::-1], "strongest comes first"),
        (by(lambda m: m.amax((1, 2)), largest=False), "descending=True"),
        (lambda m, n: [(i, r, c) for i, r, c in top_cells(-m, n)], "smallest values"),
        (by(lambda m: m.mean((1, 2))), "by their mean"),
        (lambda m, n: sorted(top_cells(m, len(m)))[:n], "first images"),
        (lambda m, n: sorted(top_cells(m, n)), "order of the batch"),
        (lambda m, n: [row[1:] for row in top_cells(m, n)], "(image, row, column)"),
        (lambda m, n: top_cells(m, n + 1), "are wanted"),
    ],
)
def test_wrong_places_are_explained(attempt, words):
    verdict = check.top_cells(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict
