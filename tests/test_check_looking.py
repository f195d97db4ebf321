"""What only the checkers of the chapter on feature maps do, and the wrong answers that they explain."""

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


def test_other_types_of_the_right_answer_pass():
    assert check.patch_box(lambda *a: list(patch_box(*a)))
    assert check.patch_box(lambda *a: torch.tensor(patch_box(*a)))
    assert check.top_cells(lambda *a: torch.tensor(top_cells(*a)))
    assert check.top_cells(lambda *a: [list(row) for row in top_cells(*a)])
    assert check.sparsity(lambda m: sparsity(m).float())
    assert check.selectivity(lambda r, y: selectivity(r, y).float())


def test_rows_of_numbers_are_no_box():
    assert "four numbers" in check.patch_box(lambda f, r, c: torch.zeros(4, 4)).message


def test_a_wrong_box_is_drawn_beside_the_target():
    assert "<svg" in check.patch_box(lambda f, r, c: patch_box(f, c, r)).picture


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


WRONG = [
    (check.sparsity, lambda m: 1 - sparsity(m), "NOT zero"),
    (check.sparsity, lambda m: (m > 0).double().mean((0, 2, 3)), "NOT zero"),
    (check.sparsity, lambda m: (m == 0).double().mean(), "whole layer"),
    (check.sparsity, lambda m: (m == 0).double().mean((1, 2, 3)), "each image"),
    (check.sparsity, lambda m: (m == 0).double().mean((2, 3)), "each map of each image"),
    (check.sparsity, lambda m: (m == 0).sum((0, 2, 3)), "counted the zeros"),
    (check.sparsity, lambda m: (m < 0.01).double().mean((0, 2, 3)), "Small is not zero"),
    (check.sparsity, lambda m: (m.flatten(2) == 0).all(2).double().mean(0), "as a whole"),
    (check.sparsity, lambda m: m.mean((0, 2, 3)), "mean value"),
    (check.patch_box, box(ends), "Cut the box at the borders"),
    (check.patch_box, box(lambda f, i: (max(ends(f, i)[0], 0), ends(f, i)[1])), "upper left only"),
    (check.patch_box, box(lambda f, i: (ends(f, i)[0], min(ends(f, i)[1], f.input_size))), "lower right only"),
    (check.patch_box, box(lambda f, i: clip(*ends(f, i), f.grid)), "grid counts values"),
    (
        check.patch_box,
        box(lambda f, i: (lambda a: (a, a + f.size))(min(max(ends(f, i)[0], 0), f.input_size - f.size))),
        "pushed the window back",
    ),
    (check.patch_box, box(lambda f, i: clip(i * f.jump, i * f.jump + f.size, f.input_size)), "begins at field.start"),
    (
        check.patch_box,
        box(lambda f, i: clip(f.start + i, f.start + i + f.size, f.input_size)),
        "field.jump pixels apart",
    ),
    (
        check.patch_box,
        box(lambda f, i: clip(ends(f, i)[0], ends(f, i)[1] - 1, f.input_size)),
        "one past the last pixel",
    ),
    (check.patch_box, box(lambda f, i: clip(ends(f, i)[0], ends(f, i)[1], f.input_size - 1)), "input_size - 1"),
    (
        check.patch_box,
        box(lambda f, i: clip(i * f.jump - f.size // 2, i * f.jump - f.size // 2 + f.size, f.input_size)),
        "use field.start",
    ),
    (
        check.patch_box,
        box(lambda f, i: clip(f.start + i * f.size, f.start + (i + 1) * f.size, f.input_size)),
        "a jump apart",
    ),
    (check.patch_box, lambda f, r, c: patch_box(f, c, r), "Rows go down"),
    (check.patch_box, lambda f, r, c: (*inside(f, r), *inside(f, c)), "top, bottom, left, right"),
    (
        check.patch_box,
        lambda f, r, c: (lambda t, le, b, ri: (t, le, b - t, ri - le))(*patch_box(f, r, c)),
        "not height and width",
    ),
    (check.selectivity, lambda r, y: index(class_means(r, y).amax(0), class_means(r, y).mean(0)), "OTHER classes"),
    (check.selectivity, lambda r, y: index(*class_means(r, y).topk(2, dim=0).values), "second best"),
    (check.selectivity, lambda r, y: index(class_means(r, y).amax(0), class_means(r, y).amin(0)), "weakest alone"),
    (
        check.selectivity,
        lambda r, y: torch.stack(
            [
                index(r[y == k, c].mean(), r[y != k, c].mean())
                for c, k in enumerate(class_means(r, y).argmax(0).tolist())
            ]
        ),
        "Every class counts the same",
    ),
    (
        check.selectivity,
        lambda r, y: (lambda s: index(s.amax(0), (s.sum(0) - s.amax(0)) / (len(s) - 1)))(
            torch.stack([r[y == k].sum(0) for k in range(int(y.max()) + 1)])
        ),
        "take means",
    ),
    (
        check.selectivity,
        lambda r, y: (lambda s: index(s.amax(0), (s.sum(0) - s.amax(0)) / (len(s) - 1)))(
            torch.stack([r[y == k].amax(0) for k in range(int(y.max()) + 1)])
        ),
        "took its largest value",
    ),
    (check.selectivity, lambda r, y: (parts(r, y)[0] - parts(r, y)[1]) / parts(r, y)[0], "Divide by the SUM"),
    (check.selectivity, lambda r, y: parts(r, y)[0] - parts(r, y)[1], "a loud channel"),
    (check.selectivity, lambda r, y: parts(r, y)[0], "how far is it from the others"),
    (check.selectivity, lambda r, y: class_means(r, y).argmax(0), "by how much"),
    (check.selectivity, lambda r, y: (parts(r, y)[0] - parts(r, y)[1]) / (parts(r, y)[0] + parts(r, y)[1]), "0 / 0"),
    (check.top_cells, everywhere, "only once"),
    (check.top_cells, lambda m, n: [(i, c, r) for i, r, c in top_cells(m, n)], "exchanged"),
    (check.top_cells, by(lambda m: m.amax((1, 2)), width=lambda m: m.shape[1]), "divided by the height"),
    (check.top_cells, lambda m, n: top_cells(m, n)[::-1], "strongest comes first"),
    (check.top_cells, by(lambda m: m.amax((1, 2)), largest=False), "descending=True"),
    (check.top_cells, lambda m, n: [(i, r, c) for i, r, c in top_cells(-m, n)], "smallest values"),
    (check.top_cells, by(lambda m: m.mean((1, 2))), "by their mean"),
    (check.top_cells, lambda m, n: sorted(top_cells(m, len(m)))[:n], "first images"),
    (check.top_cells, lambda m, n: sorted(top_cells(m, n)), "order of the batch"),
]
