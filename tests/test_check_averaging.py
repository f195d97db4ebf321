"""The checkers of the chapter that averages many views have teeth."""

from itertools import product

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


def crops(corners=product, mirrors=(0, 3), combine=lambda z: z.softmax(-1).mean(0)):
    """An attempt: ``corners(tops, lefts)`` are the places; views are as they are (0) or mirrored along a dimension."""

    def attempt(model, images, size, grid):
        tops, lefts = (places(length, size, grid) for length in images.shape[2:])
        with torch.no_grad():
            cuts = [images[:, :, t : t + size, x : x + size] for t, x in corners(tops, lefts)]
            return combine(torch.stack([model(c.flip(side) if side else c) for c in cuts for side in mirrors]))

    return attempt


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
    assert check.crops_answer(lambda model, x, s, g: crops()(model.float(), x.float(), s, g).float())


def test_an_attempt_that_leaves_the_net_in_training_mode_harms_nobody():
    def attempt(model, *others):
        answer = crops()(model, *others)
        model.train()
        return answer

    assert check.crops_answer(attempt)


def too_early(model, images, size, grid):
    tops, lefts = ([i * (length - size) // grid for i in range(grid)] for length in images.shape[2:])
    return crops(lambda *_: product(tops, lefts))(model, images, size, grid)


WRONG = [
    (check.top_k_error, first_k, "That is the accuracy"),
    (check.top_k_error, lambda p, y, k: 1 - first_k(p, y, 1), "k may be more than 1"),
    (check.top_k_error, lambda p, y, k: len(y) * (1 - first_k(p, y, k)), "how many images"),
    (check.top_k_error, lambda p, y, k: 100 * (1 - first_k(p, y, k)), "in percent"),
    (check.top_k_error, lambda p, y, k: 1 - first_k(-p, y, k), "least probable"),
    (check.top_k_error, lambda p, y, k: 1 - first_k(p, y, min(k + 1, p.shape[1])), "one class too many"),
    (check.top_k_error, lambda p, y, k: (p.topk(k).indices[:, -1] != y).double().mean(), "exactly in place k"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) // g for i in range(g)], "does not reach the far edge"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) / g for i in range(g)], "does not reach the far edge"),
    (check.crop_starts, lambda n, s, g: [(i + 1) * (n - s) // (g + 1) for i in range(g)], "leave a margin"),
    (check.crop_starts, lambda n, s, g: [round(i * n / (g - 1)) for i in range(g)], "where the image ends"),
    (check.crop_starts, lambda n, s, g: [i * n // g for i in range(g)], "into equal parts"),
    (check.crop_starts, lambda n, s, g: [i * s for i in range(g)], "Crops overlap"),
    (check.crop_starts, lambda n, s, g: [x + s // 2 for x in places(n, s, g)], "the middles of the crops"),
    (check.crop_starts, lambda n, s, g: places(n, s, g)[:-1], "grid counts both ends"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) // (g - 1) for i in range(g)], "You round down"),
    (check.crop_starts, lambda n, s, g: [-(-i * (n - s) // (g - 1)) for i in range(g)], "You round up"),
    (check.crop_starts, lambda n, s, g: [i * (n - s) / (g - 1) for i in range(g)], "Round to the nearest"),
    (check.crop_starts, lambda n, s, g: list(map(float, places(n, s, g))), "make them whole numbers"),
    (check.crop_starts, lambda n, s, g: torch.tensor(places(n, s, g)).double(), "make them whole numbers"),
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
    (check.answer_from_maps, lambda a, b: averaged(a.softmax(1), b.softmax(1)), "The cells are still there"),
    (check.crops_answer, crops(mirrors=(0,)), "mirror images are missing"),
    (check.crops_answer, crops(mirrors=(3,)), "Only mirror images"),
    (check.crops_answer, crops(mirrors=(0, 2)), "dimension 2"),
    (check.crops_answer, crops(combine=lambda z: z.mean(0).softmax(1)), "soft-max of every crop first"),
    (check.crops_answer, crops(combine=lambda z: z.mean(0)), "no soft-max at all"),
    (check.crops_answer, crops(combine=lambda z: z.softmax(-1).sum(0)), "You added up"),
    (check.crops_answer, crops(combine=lambda z: 2 * z.softmax(-1).mean(0)), "twice as many views"),
    (check.crops_answer, crops(zip), "along the diagonal"),
    (check.crops_answer, crops(lambda tops, lefts: [(0, 0)]), "that of the first crop"),
    (check.crops_answer, crops(lambda tops, lefts: [(tops[-1], lefts[-1])]), "that of the last crop"),
    (check.crops_answer, too_early, "do not reach the far edges"),
    (check.crops_answer, crops(lambda tops, lefts: product(lefts, lefts)), "height and width differ"),
    (check.crops_answer, crops(lambda tops, lefts: [(tops[-1] // 2, lefts[-1] // 2)]), "the middle crop alone"),
]  # fmt: skip
