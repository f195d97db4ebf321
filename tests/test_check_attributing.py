"""The checkers of the chapter that asks what a net looks at have teeth."""

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


def test_the_courses_own_functions_pass():
    assert check.rank_correlation(lambda a, b: attribution.rank_correlation(a.abs()[None], b.abs()[None]))


def weighted(v, g):
    return g.mean((1, 2), keepdim=True) * v


def with_squares(score, image, patch, stride, fill, channels=slice(None), fresh=True, before=True):
    first, image, rows = score(image) if before else 0, image.clone(), []
    for y in range(0, image.shape[1] - patch + 1, stride):
        rows.append([])
        for x in range(0, image.shape[2] - patch + 1, stride):
            covered = image.clone() if fresh else image
            covered[channels, y : y + patch, x : x + patch] = fill
            rows[-1].append(float(first - score(covered)))
    return torch.tensor(rows)


def fields(configuration):
    return [f for f in receptive_field(configuration) if f.name.startswith("conv")]


def deepest(some, fits):
    return next((f.name for f in reversed(some) if fits(f)), "none")


def corr(x, y):
    return torch.corrcoef(torch.stack([x.flatten().double(), y.flatten().double()]))[0, 1].item()


def ranked(m):
    return m.flatten().argsort().argsort()


WRONG = [
    (check.grad_cam_map, lambda v, g: weighted(v, g).sum(0), "negative sums are still there"),
    (check.grad_cam_map, lambda v, g: weighted(v, g).sum(0).abs(), "absolute values"),
    (check.grad_cam_map, lambda v, g: weighted(v, g).relu().sum(0), "before you added them up"),
    (
        check.grad_cam_map,
        lambda v, g: weighted(v, g.mean((1, 2), keepdim=True).relu()).sum(0).relu(),
        "cut the negative weights",
    ),
    (check.grad_cam_map, lambda v, g: (g * v).sum(0).relu(), "place by place"),
    (check.grad_cam_map, lambda v, g: (g.sum((1, 2), keepdim=True) * v).sum(0).relu(), "you took the sum"),
    (check.grad_cam_map, lambda v, g: weighted(v, g).mean(0).relu(), "you took their mean"),
    (check.grad_cam_map, lambda v, g: cam(g, v), "exchanged"),
    (check.grad_cam_map, lambda v, g: (g.mean(0) * v).sum(0).relu(), "over the channels"),
    (check.grad_cam_map, lambda v, g: v.sum(0), "weights are missing"),
    (check.grad_cam_map, lambda v, g: cam(v, g) / cam(v, g).max(), "maximum is 1"),
    (check.grad_cam_map, lambda v, g: cam(v, g)[None], "without keepdim"),
    (check.occlusion_falls, lambda *a: -falls(*a), "sign is wrong"),
    (check.occlusion_falls, lambda *a: falls(*a).abs(), "absolute values"),
    (check.occlusion_falls, lambda *a: -with_squares(*a, before=False), "scores with the square"),
    (check.occlusion_falls, lambda *a: with_squares(*a, fresh=False), "The squares stay"),
    (check.occlusion_falls, lambda *a: with_squares(*a, channels=0), "one channel only"),
    (check.occlusion_falls, lambda s, i, p, t, f: falls(s, i, p, t, 0.0), "whatever `fill` says"),
    (check.occlusion_falls, lambda s, i, p, t, f: falls(s, i, p, 1, f), "move by one pixel"),
    (check.occlusion_falls, lambda s, i, p, t, f: falls(s, i, p, p, f), "move by `patch`"),
    (check.occlusion_falls, lambda *a: falls(*a).T, "exchanged"),
    (check.occlusion_falls, lambda *a: falls(*a)[:-1, :-1], "last place is missing"),
    (check.occlusion_falls, lambda s, i, *a: falls(s, i, *a) / s(i), "as a share"),
    (check.occlusion_falls, lambda s, i, *a: s(i[None]), "score takes one image"),
    (check.guided_relu, lambda x, above: above * (x > 0), "own backward"),
    (check.guided_relu, lambda x, above: above.relu(), "deconvnet"),
    (check.guided_relu, lambda x, above: above * ((x > 0) + (above > 0)), "either is positive"),
    (check.guided_relu, lambda x, above: above.relu() * (x >= 0), "at x = 0"),
    (check.guided_relu, lambda x, above: x.relu() * (above > 0), "not the ReLU's value"),
    (check.guided_relu, lambda x, above: x.relu() * above.relu(), "You multiply"),
    (check.guided_relu, lambda x, above: (x > 0) & (above > 0), "only where"),
    (check.guided_relu, lambda x, above: above.abs() * (x > 0), "absolute values"),
    (check.guided_relu, lambda x, above: above.clamp(max=0) * (x > 0), "kept what is negative"),
    (check.layer_to_look_at, lambda c, s: deepest(fields(c), lambda f: f.size <= s), "receptive field"),
    (check.layer_to_look_at, lambda c, s: deepest(fields(c), lambda f: f.jump < s), "AT MOST"),
    (check.layer_to_look_at, lambda c, s: deepest(fields(c), lambda f: f.grid <= s), "counts the cells"),
    (check.layer_to_look_at, lambda c, s: deepest(list(receptive_field(c)), lambda f: f.jump <= s), "no convolution"),
    (check.layer_to_look_at, lambda c, s: "conv1_1", "first layer that fits"),
    (check.layer_to_look_at, lambda c, s: layer(c, s)[:-1] + "1", "take the last"),
    (check.layer_to_look_at, lambda c, s: fields(c)[-1].name, "whatever the side"),
    (check.layer_to_look_at, lambda c, s: deepest(fields(c)[::-1], lambda f: f.jump >= s), "FARTHER"),
    (check.rank_correlation, lambda a, b: corr(a.abs(), b.abs()), "correlated VALUES"),
    (check.rank_correlation, lambda a, b: corr(ranked(a), ranked(b)), "left out the absolute values"),
    (check.rank_correlation, corr, "left out both"),
    (
        check.rank_correlation,
        lambda a, b: corr(a.abs().flatten().argsort(), b.abs().flatten().argsort()),
        "argsort().argsort()",
    ),
    (
        check.rank_correlation,
        lambda a, b: torch.cosine_similarity(ranked(a.abs()).double(), ranked(b.abs()).double(), 0).item(),
        "Take the mean off",
    ),
    (check.rank_correlation, lambda a, b: 1 - alike(a, b), "1 minus it"),
    (check.rank_correlation, lambda a, b: alike(a, b) ** 2, "square"),
    (check.rank_correlation, lambda a, b: abs(alike(a, b)), "can be negative"),
    (check.rank_correlation, lambda a, b: -alike(a, b), "sign is wrong"),
    (check.rank_correlation, lambda a, b: sum(alike(x, y) for x, y in zip(a, b, strict=True)) / len(a), "flatten it"),
]
