"""The checkers of the chapter that averages many views have teeth."""

import re

import pytest
import torch

from vgg_course import check
from vgg_course.evaluation import hits, places


def first_k(p, labels, k):
    return (p.topk(k).indices == labels[:, None]).any(1).double().mean().item()


def averaged(*pairs):
    """The mean of posteriors."""
    return sum(pairs) / len(pairs)


def mean_of(m):
    return m.mean((2, 3))


def crops(corners, views=(False, True), combine=lambda z: z.softmax(-1).mean(0)):
    """An attempt: ``corners(images, size, grid)`` are the places."""

    def attempt(model, images, size, grid):
        with torch.no_grad():
            cuts = [images[:, :, t : t + size, x : x + size] for t, x in corners(images, size, grid)]
            return combine(torch.stack([model(c.flip(3) if mirrored else c) for c in cuts for mirrored in views]))

    return attempt


def product(rows, columns):
    return [(t, x) for t in rows for x in columns]


def everywhere(images, size, grid):
    return product(*(places(length, size, grid) for length in images.shape[2:]))


SOLUTIONS = {
    check.top_k_error: lambda p, y, k: 1 - first_k(p, y, k),
    check.crop_starts: lambda n, s, g: [round(i * (n - s) / (g - 1)) for i in range(g)],
    check.answer_from_maps: lambda a, b: averaged(mean_of(a).softmax(1), mean_of(b).softmax(1)),
    check.crops_answer: crops(everywhere),
}
named = pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)


@named
def test_the_solution_passes(checker):
    verdict = checker(SOLUTIONS[checker])
    assert verdict, verdict


@pytest.mark.parametrize("checker", [check.top_k_error, check.answer_from_maps, check.crops_answer])
@pytest.mark.parametrize("seed", range(1, 5))
def test_it_passes_with_every_seed(checker, seed):
    assert checker(SOLUTIONS[checker], seed)


def test_other_right_ways_pass_too():
    assert check.top_k_error(lambda p, y, k: 1 - hits(p, y, k).mean())
    assert check.top_k_error(
        lambda p, y, k: sum(y[i] not in row.argsort(descending=True)[:k] for i, row in enumerate(p)) / len(y)
    )
    for made in (tuple, torch.tensor, list):
        assert check.crop_starts(lambda n, s, g, made=made: made(places(n, s, g)))
    assert check.answer_from_maps(
        lambda a, b: torch.stack([m.flatten(2).mean(2).softmax(1) for m in (a, b.flip(3))]).mean(0)
    )
    assert check.crops_answer(lambda model, x, s, g: crops(everywhere)(model.float(), x.float(), s, g).float())


def test_a_net_that_the_attempt_puts_into_training_mode_does_not_confuse_the_checker():
    def attempt(model, images, size, grid):
        return crops(everywhere)(model.train(), images, size, grid)

    assert "off by" in check.crops_answer(attempt).message or check.crops_answer(attempt)


MISTAKES = [
    (check.top_k_error, first_k, "That is the accuracy"),
    (check.top_k_error, lambda p, y, k: 1 - first_k(p, y, 1), "k may be more than 1"),
    (check.top_k_error, lambda p, y, k: len(y) * (1 - first_k(p, y, k)), "how many images"),
    (check.top_k_error, lambda p, y, k: 100 * (1 - first_k(p, y, k)), "in percent"),
    (check.top_k_error, lambda p, y, k: 1 - first_k(-p, y, k), "least probable"),
    (check.top_k_error, lambda p, y, k: 1 - first_k(p, y, min(k + 1, p.shape[1])), "one class too many"),
    (check.top_k_error, lambda p, y, k: (p.topk(k).indices[:, -1] != y).double().mean(), "exactly in place k"),
    (check.top_k_error, lambda p, y, k: 0.5, r"returned 0.5, not 1"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) // g for i in range(g)], "does not reach the far edge"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) / g for i in range(g)], "does not reach the far edge"),
    (check.crop_starts, lambda n, s, g: [(i + 1) * (n - s) // (g + 1) for i in range(g)], "leave a margin"),
    (check.crop_starts, lambda n, s, g: [round(i * n / (g - 1)) for i in range(g)], "where the image ends"),
    (check.crop_starts, lambda n, s, g: [i * n // g for i in range(g)], "into equal parts"),
    (check.crop_starts, lambda n, s, g: [i * s for i in range(g)], "Crops overlap"),
    (check.crop_starts, lambda n, s, g: [x + s // 2 for x in places(n, s, g)], "the middles of the crops"),
    (check.crop_starts, lambda n, s, g: places(n, s, g)[:-1], "grid counts both ends"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) // (g - 1) for i in range(g)], "You round down"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) / (g - 1) for i in range(g)], "Round to the nearest"),
    (check.crop_starts, lambda n, s, g: list(map(float, places(n, s, g))), "make them whole numbers"),
    (check.crop_starts, lambda n, s, g: torch.tensor(places(n, s, g)).double(), "make them whole numbers"),
    (check.crop_starts, lambda n, s, g: [(x, x) for x in places(n, s, g)], "a list of numbers"),
    (check.crop_starts, lambda n, s, g: [0, 8, 16, 24, 32], r"length=384.*not \[0, 40, 80, 120, 160\]"),
    (check.crop_starts, lambda n, s, g: [float("nan")] * g, "a list of numbers"),
    (
        check.answer_from_maps,
        lambda a, b: averaged(*(m.softmax(1).mean((2, 3)) for m in (a, b))),
        "averages the scores over the map first",
    ),
    (check.answer_from_maps, lambda a, b: averaged(mean_of(a), mean_of(b)).softmax(1), "Average their posteriors"),
    (check.answer_from_maps, lambda a, b: mean_of(torch.cat([a, b], 3)).softmax(1), "Average their posteriors"),
    (check.answer_from_maps, lambda a, b: mean_of(a).softmax(1), "mirror image is missing"),
    (check.answer_from_maps, lambda a, b: mean_of(b).softmax(1), "image itself is missing"),
    (check.answer_from_maps, lambda a, b: averaged(mean_of(a), mean_of(b)), "no soft-max yet"),
    (check.answer_from_maps, lambda a, b: mean_of(a).softmax(1) + mean_of(b).softmax(1), "divide by 2"),
    (check.answer_from_maps, lambda a, b: averaged(*(m.sum((2, 3)).softmax(1) for m in (a, b))), "far too sure"),
    (check.answer_from_maps, lambda a, b: averaged(*(m.amax((2, 3)).softmax(1) for m in (a, b))), "the largest score"),
    (check.answer_from_maps, lambda a, b: averaged(*(mean_of(m).softmax(0) for m in (a, b))), "over the images"),
    (check.answer_from_maps, lambda a, b: mean_of(a).softmax(1) * mean_of(b).softmax(1), "multiplied"),
    (check.answer_from_maps, lambda a, b: averaged(*(m[:, :, 0, 0].softmax(1) for m in (a, b))), "one cell"),
    (check.answer_from_maps, lambda a, b: a, r"returned \(3, 4, 2, 5\); posteriors \(3, 4\)"),
    (check.crops_answer, crops(everywhere, (False,)), "mirror images are missing"),
    (check.crops_answer, crops(everywhere, (True,)), "Only mirror images"),
    (check.crops_answer, crops(everywhere, combine=lambda z: z.mean(0).softmax(1)), "soft-max of every crop first"),
    (check.crops_answer, crops(everywhere, combine=lambda z: z.mean(0)), "no soft-max at all"),
    (check.crops_answer, crops(everywhere, combine=lambda z: z.softmax(-1).sum(0)), "You added up"),
    (check.crops_answer, crops(everywhere, combine=lambda z: z.softmax(-1).sum(0) / 9), "twice as many views"),
    (check.crops_answer, crops(lambda x, s, g: [(0, 0), (4, 3), (8, 6)]), "along the diagonal"),
    (check.crops_answer, crops(lambda x, s, g: [(0, 0)]), "that of the first crop"),
    (check.crops_answer, crops(lambda x, s, g: [(8, 6)]), "that of the last crop"),
    (check.crops_answer, crops(lambda x, s, g: product((0, 2, 5), (0, 2, 4))), "do not reach the far edges"),
    (check.crops_answer, crops(lambda x, s, g: product((0, 3, 6), (0, 3, 6))), "height and width differ"),
    (check.crops_answer, crops(lambda x, s, g: [(4, 3)]), "the middle crop alone"),
    (check.crops_answer, lambda model, x, s, g: model(x), "it raised ValueError"),
    (check.crops_answer, lambda model, x, s, g: crops(everywhere)(model, x, s, g)[0], r"posteriors \(3, 4\)"),
]  # fmt: skip


@pytest.mark.parametrize(("checker", "attempt", "words"), MISTAKES)
def test_a_usual_mistake_is_caught_and_named(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert re.search(words, verdict.message), verdict.message


def test_upside_down_is_named():
    def attempt(model, images, size, grid):
        with torch.no_grad():
            cuts = [images[:, :, t : t + size, x : x + size] for t, x in everywhere(images, size, grid)]
            return (
                torch.stack([model(c.flip(2) if mirrored else c) for c in cuts for mirrored in (0, 1)])
                .softmax(-1)
                .mean(0)
            )

    assert "dimension 2" in check.crops_answer(attempt).message
