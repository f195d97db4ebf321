"""The checkers of the chapter that repeats the paper's tests have teeth."""

from math import sqrt
from statistics import mean, pstdev, stdev, variance

import torch

from vgg_course import check
from vgg_course.augmentation import crop, random_crop, rescale, scale_jitter

# --- solutions ---


def on_zero(ends):
    if all(low > 0 for low, high in ends):
        return "reappears"
    return "contradicts" if all(high < 0 for low, high in ends) else "cannot tell"


def cheapest(ways, budget, affordable=lambda macs, budget: macs <= budget, key=lambda macs, error: (error, macs)):
    some = [name for name, (macs, _) in ways.items() if affordable(macs, budget)]
    return min(some, key=lambda name: key(*ways[name]), default=None)


def by_pairs(worse, better, t, half=lambda gains, t: t * stdev(gains) / sqrt(len(gains))):
    gains = [a - b for a, b in zip(worse, better, strict=True)]
    return mean(gains) - half(gains, t), mean(gains) + half(gains, t)


def in_groups(images, smallest, largest, size, generator, draw=None, cut=random_crop):
    sides = torch.randint(smallest, largest + 1, (len(images),), generator=generator)
    sides = sides if draw is None else draw(sides)
    crops = images.new_empty(len(images), 3, size, size)
    for side in sides.unique().tolist():
        crops[sides == side] = cut(rescale(images[sides == side], side), size, generator)
    return crops


def test_other_right_ways_pass_too():
    assert check.batch_jitter(scale_jitter)
    assert check.batch_jitter(lambda *a: in_groups(a[0].float(), *a[1:]))
    for made in (list, torch.tensor, lambda ends: (torch.tensor(ends[0]), ends[1])):
        assert check.paired_interval(lambda w, b, t, made=made: made(by_pairs(w, b, t)))


# --- mistakes ---


def sign_of_the_middle(ends):
    return "reappears" if sum(map(sum, ends)) > 0 else "contradicts"


def any_will_do(ends):
    return (
        "reappears"
        if any(low > 0 for low, _ in ends)
        else on_zero([max(ends)]) and ("contradicts" if any(high < 0 for _, high in ends) else "cannot tell")
    )


def unpaired(w, b, t):
    half = t * sqrt((variance(w) + variance(b)) / len(w))
    return mean(w) - mean(b) - half, mean(w) - mean(b) + half


def without_end(images, smallest, largest, size, generator):
    return in_groups(images, smallest, largest - 1, size, generator)


def one_scale(images, smallest, largest, size, generator):
    side = int(torch.randint(smallest, largest + 1, (), generator=generator))
    return random_crop(rescale(images, side), size, generator)


def grouped_order(images, smallest, largest, size, generator):
    sides = torch.randint(smallest, largest + 1, (len(images),), generator=generator)
    return torch.cat([random_crop(rescale(images[sides == s], s), size, generator) for s in sides.unique().tolist()])


def middle(images, size, generator):
    start = (images.shape[2] - size) // 2
    return images[:, :, start : start + size, start : start + size]


def together(images, size, generator):
    top, left = (int(torch.randint(images.shape[2] - size + 1, (), generator=generator)) for _ in range(2))
    return images[:, :, top : top + size, left : left + size]


def diagonal(images, size, generator):
    place = torch.randint(images.shape[2] - size + 1, (len(images),), generator=generator)
    return crop(images, place, place, size)


def last_missing(images, size, generator):
    room = max(1, images.shape[2] - size)
    top, left = torch.randint(room, (2, len(images)), generator=generator)
    return crop(images, top, left, size)


def stretched(images, smallest, largest, size, generator):
    out = []
    for image in images:
        sides = torch.randint(smallest, largest + 1, (2,), generator=generator).tolist()
        scaled = torch.nn.functional.interpolate(image[None], sides, mode="bilinear", antialias=True)
        top, left = (int(torch.randint(side - size + 1, (), generator=generator)) for side in sides)
        out.append(scaled[:, :, top : top + size, left : left + size])
    return torch.cat(out)


def unseeded(images, smallest, largest, size, generator):
    return in_groups(images, smallest, largest, size, torch.Generator().manual_seed(int(torch.randint(9999, ()))))


def own_seed(images, smallest, largest, size, generator):
    return in_groups(images, smallest, largest, size, torch.Generator().manual_seed(0))


def two_halves(*arguments):
    crops = in_groups(*arguments)
    crops[:, :, :12] = crops.roll(1, 0)[:, :, :12]
    return crops


def resized_crops(images, smallest, largest, size, generator):
    out = []
    for image in images:
        side = int(torch.randint(size * 32 // largest + 1, size * 32 // smallest + 1, (), generator=generator))
        out.append(rescale(random_crop(image[None], side, generator), size))
    return torch.cat(out)


def few(sides):
    low, high = sides.min(), sides.max()
    return torch.where(sides < low + 4, low, torch.where(sides > high - 4, high, low + 8))


WRONG = [
    (check.verdict_on_ordering, sign_of_the_middle, "middles only"),
    (check.verdict_on_ordering, any_will_do, "not enough: all must"),
    (check.verdict_on_ordering, lambda ends: on_zero(ends[:1]), "first interval only"),
    (check.verdict_on_ordering, lambda ends: on_zero(ends[-1:]), "last interval only"),
    (check.verdict_on_ordering, lambda e: on_zero([(-h, -l) for l, h in e]), "other side's word"),  # noqa: E741
    (check.verdict_on_ordering, lambda e: "reappears" if on_zero(e)[0] == "r" else "cannot tell", "it contradicts"),
    (check.verdict_on_ordering, lambda e: "reappears" if on_zero(e)[0] == "r" else "contradicts", "does not contradict"),
    (
        check.verdict_on_ordering,
        lambda e: "reappears" if all(low >= 0 for low, _ in e) else on_zero(e),
        "Zero at the end",
    ),
    (check.within_budget, lambda w, b: cheapest(w, 1e9), "do not look at the budget"),
    (check.within_budget, lambda w, b: cheapest(w, b, key=lambda m, e: m), "the cheapest way"),
    (check.within_budget, lambda w, b: cheapest(w, b, key=lambda m, e: -m), "the dearest way"),
    (check.within_budget, lambda w, b: cheapest(w, b, lambda m, b: m < b), "exactly the budget"),
    (check.within_budget, lambda w, b: cheapest(w, b, key=lambda m, e: (-e, m)), "should be low"),
    (check.within_budget, lambda w, b: cheapest(w, b, lambda m, b: m > b), "more than the budget"),
    (check.within_budget, lambda w, b: cheapest(w, b, key=lambda m, e: (e, -m)), "take the cheaper"),
    (check.paired_interval, unpaired, "no pairs"),
    (check.paired_interval, lambda *a: by_pairs(*a, lambda g, t: t * stdev(g)), "left out the root"),
    (check.paired_interval, lambda *a: by_pairs(*a, lambda g, t: t * stdev(g) / len(g)), "not by the number"),
    (check.paired_interval, lambda *a: by_pairs(*a, lambda g, t: stdev(g) / sqrt(len(g))), "t is missing"),
    (check.paired_interval, lambda *a: by_pairs(*a, lambda g, t: 1.96 * stdev(g) / sqrt(len(g))), "1.96 in place of t"),
    (check.paired_interval, lambda *a: by_pairs(*a, lambda g, t: 2 * stdev(g) / sqrt(len(g))), "took 2 in place of t"),
    (check.paired_interval, lambda *a: by_pairs(*a, lambda g, t: t * pstdev(g) / sqrt(len(g))), "n - 1"),
    (check.paired_interval, lambda *a: by_pairs(*a, lambda g, t: t * variance(g) / sqrt(len(g))), "take the spread"),
    (check.paired_interval, lambda w, b, t: by_pairs(b, w, t), "sign is turned"),
    (check.paired_interval, lambda *a: by_pairs(*a)[::-1], "low first"),
    (check.paired_interval, lambda w, b, t: (mean(w) - mean(b), by_pairs(w, b, t)[1] - mean(w) + mean(b)), "half width"),
    (check.batch_jitter, without_end, "leaves its end out"),
    (check.batch_jitter, lambda x, a, b, s, g: in_groups(x, a + 1, b, s, g), "smallest side never"),
    (check.batch_jitter, lambda x, a, b, s, g: in_groups(x, a - 2, b, s, g), "outside of the range"),
    (check.batch_jitter, one_scale, "have the same scale"),
    (check.batch_jitter, lambda x, a, b, s, g: random_crop(x, s, g), "no rescaling"),
    (check.batch_jitter, grouped_order, "another order"),
    (check.batch_jitter, lambda *a: in_groups(*a, cut=middle), "from the middle"),
    (check.batch_jitter, lambda *a: in_groups(*a, cut=lambda x, s, g: x[:, :, :s, :s]), "upper left corner"),
    (check.batch_jitter, lambda *a: in_groups(*a, cut=together), "cut at the same place"),
    (check.batch_jitter, lambda *a: in_groups(*a, cut=diagonal), "on the diagonal"),
    (check.batch_jitter, lambda *a: in_groups(*a, cut=last_missing), "never reached"),
    (check.batch_jitter, lambda *a: in_groups(*a, draw=few), "only few different"),
    (check.batch_jitter, stretched, "different factors"),
    (check.batch_jitter, two_halves, "more than one image"),
    (check.batch_jitter, resized_crops, "no whole numbers of pixels"),
    (check.batch_jitter, unseeded, "The same generator"),
    (check.batch_jitter, own_seed, "Another generator"),
    (check.batch_jitter, lambda x, a, b, s, g: torch.full((160, 3, s, s), float("nan")), "not finite"),
    (check.batch_jitter, lambda *a: in_groups(*a)[[0] * 160], "some images are twice"),
]  # fmt: skip
