"""The checkers of the chapter that prepares images have teeth."""

import pytest
import torch
from torch.nn import functional

from vgg_course import augmentation, check

MEAN, STD = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
CAFFE = torch.tensor([103.939, 116.779, 123.68])[:, None, None]


def axes_of(images, covariance=None):
    colors = images.transpose(0, 1).flatten(1)
    return torch.linalg.eigh(torch.cov(colors) if covariance is None else covariance(colors))


def colored(images, alpha, change=lambda values: values, turn=lambda vectors: vectors, covariance=None):
    values, vectors = axes_of(images, covariance)
    return images + ((alpha * change(values)) @ turn(vectors).T)[:, :, None, None]


def cut(images, top, left, size):
    return torch.stack([x[:, t : t + size, s : s + size] for x, t, s in zip(images, top, left, strict=True)])


def places(length, size, generator, count):
    return torch.randint(length - size + 1, (count,), generator=generator).tolist()


def crops(images, size, generator):
    height, width = images.shape[2:]
    return cut(images, *(places(side, size, generator, len(images)) for side in (height, width)), size)


def pixels(prepared):
    return 255 * (prepared * STD + MEAN)


def pipeline(
    image,
    mean,
    axes,
    generator,
    sides=(256, 512),
    scale=None,
    place=None,
    mirror=0.5,
    alpha=None,
    finish=None,
):
    """The solution, with a handle for every mistake."""
    side = int(torch.randint(sides[0], sides[1] + 1, (), generator=generator))
    whole = (scale or augmentation.rescale)(image[None].float(), side)
    top, left = (place or (lambda n: int(torch.randint(n - 223, (), generator=generator))) for _ in range(2))
    crop = whole[:, :, top(whole.shape[2]) :, :][:, :, :224]
    begin = left(whole.shape[3])
    crop = crop[:, :, :, begin : begin + 224]
    if torch.rand((), generator=generator) < mirror:
        crop = crop.flip(3)
    drawn = 0.1 * torch.randn(1, 3, generator=generator)
    crop = augmentation.pca_color(crop / 255, axes, alpha(drawn, axes) if alpha else drawn)[0]
    return (finish or (lambda crop, mean: 255 * crop - mean[:, None, None]))(crop, mean)


def with_(**changes):
    return lambda *arguments: pipeline(*arguments, **changes)


def by_our_own_functions(image, mean, axes, generator):
    crop = augmentation.scale_jitter(image[None], 256, 512, 224, generator)
    crop = augmentation.random_flip(crop, generator)
    crop = augmentation.random_pca_color(crop.float() / 255, axes, generator)
    return 255 * crop[0] - mean[:, None, None]


@pytest.mark.parametrize(
    ("checker", "attempt"),
    [
        (check.prepare_for_training, by_our_own_functions),
        (check.random_crops, augmentation.random_crop),
        (check.pca_color, lambda x, a: augmentation.pca_color(x, augmentation.color_axes(x), a)),
        (check.pca_color, lambda x, a: colored(x, a.flip(1), turn=lambda v: -v)),
        (check.rescaled_size, lambda h, w, s: torch.Size((s * h // min(h, w), s * w // min(h, w)))),
    ],
)
def test_other_right_ways_pass_too(checker, attempt):
    verdict = checker(attempt)
    assert verdict, verdict


def one_for_all(images, size, generator):
    top, left = (int(torch.randint(n - size + 1, (), generator=generator)) for n in images.shape[2:])
    return images[:, :, top : top + size, left : left + size]


def by_side(change):
    def attempt(images, size, generator):
        height, width = images.shape[2:]
        top, left = change(height, width, size, generator, len(images))
        return cut(images, top, left, size)

    return attempt


def diagonal(height, width, size, generator, count):
    top = places(height, size, generator, count)
    return top, top


def own_axes(images, alpha):
    return torch.cat([colored(x[None], a[None]) for x, a in zip(images, alpha, strict=True)])


def size_of(by, change=lambda side: side):
    return lambda h, w, s: (change(s * h / by(h, w)), change(s * w / by(h, w)))


def squash(image, side):
    return functional.interpolate(image, (side, side), mode="bilinear", antialias=True)


def roots(drawn, axes):
    return drawn / axes.values.sqrt().clamp(min=1e-9)


WRONG = [
    (check.rescaled_size, lambda h, w, s: (s * h // max(h, w), s * w // max(h, w)), "You scaled the longer side"),
    (check.rescaled_size, lambda h, w, s: (s, s), "squashes the picture"),
    (check.rescaled_size, lambda h, w, s: (s * w // min(h, w), s * h // min(h, w)), "the height comes first"),
    (check.rescaled_size, lambda h, w, s: (s, s * w // h), "in a tall picture"),
    (check.rescaled_size, lambda h, w, s: (s * h // w, s), "in a wide picture"),
    (check.rescaled_size, size_of(min, lambda side: -int(-side // 1)), "you round up"),
    (check.rescaled_size, size_of(min, round), "to the nearest"),
    (check.rescaled_size, size_of(min), "whole numbers of pixels"),
    (check.rescaled_size, lambda h, w, s: (h * (s // min(h, w)), w * (s // min(h, w))), "Multiply first"),
    (check.random_crops, one_for_all, "the same crop for the whole batch"),
    (check.random_crops, by_side(diagonal), "always move together"),
    (
        check.random_crops,
        by_side(lambda h, w, s, g, n: (torch.randint(h - s, (n,), generator=g), torch.randint(w - s, (n,), generator=g))),
        "leaves out its upper end",
    ),
    (
        check.random_crops,
        by_side(lambda h, w, s, g, n: (places(w, s, g, n), places(h, s, g, n))),
        "are height and width swapped",
    ),
    (
        check.random_crops,
        by_side(lambda h, w, s, g, n: (torch.randint(h - s + 1, (n,)), torch.randint(w - s + 1, (n,)))),
        "draw from `generator`",
    ),
    (check.random_crops, lambda x, s, g: x[:, :, :s, :s], "the same crop for the whole batch"),
    (check.random_crops, lambda x, s, g: crops(x, s, g)[torch.randperm(len(x))], "another image"),
    (check.random_crops, lambda x, s, g: crops(x, s, g).flip(3), "neighboring pixels, in their order"),
    (
        check.random_crops,
        by_side(lambda h, w, s, g, n: [[2 * (p > 0) for p in places(h, s, g, n)], places(w, s, g, n)]),
        "equally likely",
    ),
    (check.pca_color, lambda x, a: x, "Nothing was added"),
    (check.pca_color, lambda x, a: colored(x, a, torch.sqrt), "root of the eigenvalues"),
    (check.pca_color, lambda x, a: colored(x, a, torch.square), "squares already"),
    (check.pca_color, lambda x, a: colored(x, a, torch.ones_like), "eigenvalues are missing"),
    (check.pca_color, lambda x, a: colored(x, a, turn=lambda v: v.T), "into COLUMNS"),
    (check.pca_color, lambda x, a: colored(x, a[:1]), "one for all"),
    (check.pca_color, lambda x, a: colored(x, a, covariance=lambda c: c @ c.T / c.shape[1]), "about the mean"),
    (check.pca_color, lambda x, a: colored(x, a, covariance=lambda c: torch.cov(c) * (c.shape[1] - 1)), "a covariance is a mean"),
    (check.pca_color, lambda x, a: colored(x, a, lambda v: 255**2 * v), "pixels up to 255"),
    (check.pca_color, lambda x, a: colored(x, 0.1 * a), "comes with its deviation"),
    (check.pca_color, own_axes, "axes for each image"),
    (check.pca_color, lambda x, a: colored(x, a).clamp(0, 1), "clipped"),
    (check.pca_color, lambda x, a: x * (1 + a[:, :, None, None]), "different colors"),
    (check.for_caffe, lambda x: pixels(x).flip(1) - CAFFE.flip(0), "Blue lost the mean of red"),
    (check.for_caffe, lambda x: (pixels(x) - CAFFE).flip(1), "before you subtract"),
    (check.for_caffe, lambda x: pixels(x) - CAFFE.flip(0), "The channels are still red first; Caffe"),
    (check.for_caffe, lambda x: pixels(x) - CAFFE, "in the order of Caffe"),
    (check.for_caffe, lambda x: pixels(x).flip(1), "mean is not subtracted"),
    (check.for_caffe, lambda x: pixels(x).flip(1) / 255 - CAFFE, "go up to 1 still"),
    (check.for_caffe, lambda x: 255 * (pixels(x).flip(1) / 255 - CAFFE), "not the difference"),
    (check.for_caffe, lambda x: 255 * (x + MEAN).flip(1) - CAFFE, "deviation was not undone"),
    (check.for_caffe, lambda x: 255 * (x * STD).flip(1) - CAFFE, "not added back"),
    (check.for_caffe, lambda x: 255 * ((x + MEAN) * STD).flip(1) - CAFFE, "multiply first"),
    (check.for_caffe, lambda x: pixels(x).flip(0) - CAFFE, "order of the images"),
    (check.for_caffe, lambda x: pixels(x).flip(2) - CAFFE, "upside down"),
    (check.for_caffe, lambda x: pixels(x).flip(3) - CAFFE, "mirrored the images"),
    (check.for_caffe, lambda x: x.flip(1), "scale is torchvision's still"),
    (check.for_caffe, lambda x: x, "Nothing has changed"),
    (check.prepare_for_training, with_(finish=lambda crop, mean: 255 * crop), "The mean is not subtracted"),
    (check.prepare_for_training, with_(finish=lambda crop, mean: 255 * crop + mean[:, None, None]), "The mean is added"),
    (
        check.prepare_for_training,
        with_(finish=lambda crop, mean: 255 * crop - mean.flip(0)[:, None, None]),
        "lost the mean of red",
    ),
    (check.prepare_for_training, with_(finish=lambda crop, mean: crop - mean[:, None, None]), "The pixels go up to 1, but"),
    (check.prepare_for_training, with_(finish=lambda crop, mean: crop), "no mean is subtracted"),
    (
        check.prepare_for_training,
        with_(finish=lambda crop, mean: crop - mean[:, None, None] / 255),
        "only subtracts the mean",
    ),
    (
        check.prepare_for_training,
        with_(finish=lambda crop, mean: 255 * crop.flip(0) - mean[:, None, None]),
        "order that they came in",
    ),
    (check.prepare_for_training, with_(scale=squash), "both sides take the same factor"),
    (check.prepare_for_training, with_(sides=(300, 300)), "the same every time; draw it anew"),
    (check.prepare_for_training, with_(sides=(230, 512)), "It is drawn from 256 to 512"),
    (check.prepare_for_training, with_(sides=(256, 400)), "only a part of 256 to 512"),
    (check.prepare_for_training, with_(mirror=0), "No crop is mirrored"),
    (check.prepare_for_training, with_(mirror=1), "Every crop is mirrored"),
    (check.prepare_for_training, with_(mirror=0.05), "About half of them|No crop"),
    (check.prepare_for_training, with_(place=lambda n: (n - 224) // 2), "Every crop is cut in the middle"),
    (check.prepare_for_training, with_(place=lambda n: 0), "Every crop is cut at one place"),
    (check.prepare_for_training, with_(alpha=lambda drawn, axes: 0 * drawn), "color never changes"),
    (check.prepare_for_training, with_(alpha=lambda drawn, axes: torch.full_like(drawn, 0.1)), "draw alpha anew"),
    (check.prepare_for_training, with_(alpha=roots), "root of the eigenvalues"),
    (check.prepare_for_training, with_(alpha=lambda drawn, axes: 10 * drawn), "ten times too much"),
    (check.prepare_for_training, with_(alpha=lambda drawn, axes: 255 * drawn), "255 times too much"),
    (check.prepare_for_training, with_(alpha=lambda drawn, axes: drawn / 255), "hardly vary"),
    (check.prepare_for_training, with_(alpha=lambda drawn, axes: 3 * drawn), "should be 0.1"),
    (check.prepare_for_training, lambda *a: pipeline(*a) + torch.randn(224, 224), "different colors"),
    (check.prepare_for_training, lambda *a: pipeline(*a[:3], torch.default_generator), "draw everything from"),
    (check.prepare_for_training, lambda *a: pipeline(*a).flip(1), "stand on their head"),
    (check.prepare_for_training, lambda *a: pipeline(*a).transpose(1, 2), "should rise to the right"),
]  # fmt: skip


def test_the_pipeline_passes_for_any_state_of_the_global_generator():
    """A checker that judges chance must not fail a right answer: what it draws from is seeded."""
    for seed in range(3):
        torch.manual_seed(seed)
        assert check.prepare_for_training(by_our_own_functions)
