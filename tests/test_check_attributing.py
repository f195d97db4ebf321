"""The checkers of the chapter that asks what a net looks at have teeth."""

import pytest
import torch

from vgg_course import attribution, check
from vgg_course.configuration import Conv
from vgg_course.receptive_field import receptive_field


def cam(values, gradients):
    total = torch.zeros(values.shape[1:], dtype=values.dtype)
    for value, slope in zip(values, gradients, strict=True):
        total += slope.mean() * value
    return total.clamp(min=0)


def falls(score, image, patch, stride, fill):
    before, rows = score(image), []
    for y in range(0, image.shape[1] - patch + 1, stride):
        row = []
        for x in range(0, image.shape[2] - patch + 1, stride):
            covered = image.clone()
            covered[:, y : y + patch, x : x + patch] = fill
            row.append(float(before - score(covered)))
        rows.append(row)
    return torch.tensor(rows)


def guided(x, above):
    return torch.where((x > 0) & (above > 0), above, 0.0)


def layer(configuration, side):
    fields = receptive_field(configuration)
    names = [one.name for one in configuration if isinstance(one.spec, Conv) and fields[one.name].jump <= side]
    return names[-1]


def alike(a, b):
    x, y = (torch.argsort(torch.argsort(m.abs().flatten())).double() for m in (a, b))
    return torch.corrcoef(torch.stack([x, y]))[0, 1].item()


SOLUTIONS = {
    check.grad_cam_map: cam,
    check.occlusion_falls: falls,
    check.guided_relu: guided,
    check.layer_to_look_at: layer,
    check.rank_correlation: alike,
}
named = pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)


@named
@pytest.mark.parametrize("seed", range(8))
def test_the_solution_passes_with_every_seed(checker, seed):
    verdict = checker(SOLUTIONS[checker], seed)
    assert verdict, verdict


@named
@pytest.mark.parametrize("seed", range(3))
def test_an_attempt_that_spoils_what_it_was_given_is_judged_by_its_answer(checker, seed):
    def spoils(*given):
        answer = SOLUTIONS[checker](*given)
        for part in given:
            if isinstance(part, torch.Tensor):
                part.zero_()
        return answer

    assert checker(spoils, seed)


@named
@pytest.mark.parametrize(
    "answer", ["many", float("nan"), [1, 2], True, object(), torch.full((2, 2), torch.nan), torch.zeros(0)]
)
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, answer):
    verdict = checker(lambda *arguments: answer)
    assert verdict.status == "wrong"
    assert "returned" in verdict.message


def test_the_courses_own_functions_pass():
    assert check.rank_correlation(lambda a, b: attribution.rank_correlation(a.abs()[None], b.abs()[None]))


def weighted(v, g):
    return g.mean((1, 2), keepdim=True) * v


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda v, g: weighted(v, g).sum(0), "negative sums are still there"),
        (lambda v, g: weighted(v, g).sum(0).abs(), "absolute values"),
        (lambda v, g: weighted(v, g).relu().sum(0), "before you added them up"),
        (lambda v, g: weighted(v, g.mean((1, 2), keepdim=True).relu()).sum(0).relu(), "cut the negative weights"),
        (lambda v, g: (g * v).sum(0).relu(), "place by place"),
        (lambda v, g: (g.sum((1, 2), keepdim=True) * v).sum(0).relu(), "you took the sum"),
        (lambda v, g: weighted(v, g).mean(0).relu(), "you took their mean"),
        (lambda v, g: cam(g, v), "exchanged"),
        (lambda v, g: (g.mean(0) * v).sum(0).relu(), "over the channels"),
        (lambda v, g: v.sum(0), "weights are missing"),
        (lambda v, g: cam(v, g) / cam(v, g).max(), "maximum is 1"),
        (lambda v, g: torch.zeros(v.shape[1:]), "not ["),
        (lambda v, g: cam(v, g)[None], "the shape (1, 2, 2)"),
    ],
)
def test_a_wrong_grad_cam_is_explained(attempt, words):
    verdict = check.grad_cam_map(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def with_squares(score, image, patch, stride, fill, channels=slice(None), fresh=True, before=True):
    first, image, rows = score(image) if before else 0, image.clone(), []
    for y in range(0, image.shape[1] - patch + 1, stride):
        rows.append([])
        for x in range(0, image.shape[2] - patch + 1, stride):
            covered = image.clone() if fresh else image
            covered[channels, y : y + patch, x : x + patch] = fill
            rows[-1].append(float(first - score(covered)))
    return torch.tensor(rows)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a: -falls(*a), "sign is wrong"),
        (lambda *a: falls(*a).abs(), "absolute values"),
        (lambda *a: -with_squares(*a, before=False), "scores with the square"),
        (lambda *a: with_squares(*a, fresh=False), "The squares stay"),
        (lambda *a: with_squares(*a, channels=0), "one channel only"),
        (lambda s, i, p, t, f: falls(s, i, p, t, 0.0), "whatever `fill` says"),
        (lambda s, i, p, t, f: falls(s, i, p, 1, f), "move by one pixel"),
        (lambda s, i, p, t, f: falls(s, i, p, p, f), "move by `patch`"),
        (lambda *a: falls(*a).T, "exchanged"),
        (lambda *a: falls(*a)[:-1, :-1], "last place is missing"),
        (lambda s, i, *a: falls(s, i, *a) / s(i), "as a share"),
        (lambda s, i, *a: s(i[None]), "score takes one image"),
    ],
)
def test_a_wrong_occlusion_is_explained(attempt, words):
    verdict = check.occlusion_falls(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda x, above: above * (x > 0), "own backward"),
        (lambda x, above: above.relu(), "deconvnet"),
        (lambda x, above: above * ((x > 0) + (above > 0)), "either is positive"),
        (lambda x, above: above.relu() * (x >= 0), "at x = 0"),
        (lambda x, above: x.relu() * (above > 0), "not the ReLU's value"),
        (lambda x, above: x.relu() * above.relu(), "You multiply"),
        (lambda x, above: (x > 0) & (above > 0), "only where"),
        (lambda x, above: above.abs() * (x > 0), "absolute values"),
        (lambda x, above: above.clamp(max=0) * (x > 0), "kept what is negative"),
    ],
)
def test_a_wrong_guided_relu_is_explained(attempt, words):
    verdict = check.guided_relu(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def fields(configuration):
    return [f for f in receptive_field(configuration) if f.name.startswith("conv")]


def deepest(some, fits):
    return next((f.name for f in reversed(some) if fits(f)), "none")


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda c, s: deepest(fields(c), lambda f: f.size <= s), "receptive field"),
        (lambda c, s: deepest(fields(c), lambda f: f.jump < s), "AT MOST"),
        (lambda c, s: deepest(fields(c), lambda f: f.grid <= s), "counts the cells"),
        (lambda c, s: deepest(list(receptive_field(c)), lambda f: f.jump <= s), "no convolution"),
        (lambda c, s: "conv1_1", "first layer that fits"),
        (lambda c, s: layer(c, s)[:-1] + "1", "take the last"),
        (lambda c, s: fields(c)[-1].name, "whatever the side"),
        (lambda c, s: deepest(fields(c)[::-1], lambda f: f.jump >= s), "FARTHER"),
        (lambda c, s: 12, "name of a layer"),
        (lambda c, s: "features.28", "not 'conv4_3'"),
    ],
)
def test_a_wrong_layer_is_explained(attempt, words):
    verdict = check.layer_to_look_at(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict


def corr(x, y):
    return torch.corrcoef(torch.stack([x.flatten().double(), y.flatten().double()]))[0, 1].item()


def ranked(m):
    return m.flatten().argsort().argsort()


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda a, b: corr(a.abs(), b.abs()), "correlated VALUES"),
        (lambda a, b: corr(ranked(a), ranked(b)), "left out the absolute values"),
        (corr, "left out both"),
        (lambda a, b: corr(a.abs().flatten().argsort(), b.abs().flatten().argsort()), "argsort().argsort()"),
        (
            lambda a, b: torch.cosine_similarity(ranked(a.abs()).double(), ranked(b.abs()).double(), 0).item(),
            "Take the mean off",
        ),
        (lambda a, b: 1 - alike(a, b), "1 minus it"),
        (lambda a, b: alike(a, b) ** 2, "square"),
        (lambda a, b: abs(alike(a, b)), "can be negative"),
        (lambda a, b: -alike(a, b), "sign is wrong"),
        (lambda a, b: sum(alike(x, y) for x, y in zip(a, b, strict=True)) / len(a), "flatten it"),
        (lambda a, b: 1.0, "not"),
    ],
)
def test_a_wrong_correlation_is_explained(attempt, words):
    verdict = check.rank_correlation(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message, verdict
