"""Checks for the chapter that paints with features."""

from __future__ import annotations

from collections.abc import Callable

from vgg_course.check.judging import Kind, judge, judge_numbers, judge_tensors
from vgg_course.check.verdict import Verdict

# --- which channels fire together ---


def gram_matrix(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(values)``: Gram matrices ``(B, C, C)`` of ``(B, C, H, W)``, products as a mean over places."""
    import torch

    def sums(x):
        return torch.einsum("bchw,bdhw->bcd", x, x)

    def places(x):
        return x.shape[2] * x.shape[3]

    def right(x):
        return sums(x) / places(x)

    def centered(x):
        return right(x - x.mean((2, 3), keepdim=True))

    def scrambled(x):
        cut = x.reshape(len(x), -1, x.shape[1])  # pieces of C numbers, none of which is a pixel
        return cut.transpose(1, 2) @ cut / places(x)

    def lengths(x):
        return right(x).diagonal(dim1=1, dim2=2).sqrt()

    def all_rows(x):
        flat = x.reshape(-1, places(x))
        return flat @ flat.T

    mistakes = {
        "You sum over the places; take the mean, or a larger picture of the same texture has a larger matrix.": sums,
        "Divide by the places only, H * W. You divide by C * H * W, as several programs do: then a layer counts the less the "
        "more channels it has.": lambda x: sums(x) / x[0].numel(),
        "Divide by the places only, H * W; you divide by all numbers of the batch.": lambda x: sums(x) / x.numel(),
        "Divide by the places, H * W; you divide by the channels.": lambda x: sums(x) / x.shape[1],
        "Divide by the places, H * W; you divide by the height alone.": lambda x: sums(x) / x.shape[2],
        "Divide by the places, H * W; you divide by the width alone.": lambda x: sums(x) / x.shape[3],
        "You took the means of the channels off first: that is their covariance. A Gram matrix keeps them.": centered,
        "You divided by the lengths of the channels: how strongly a channel fires belongs to the texture.": (
            lambda x: right(x) / (lengths(x)[:, :, None] * lengths(x)[:, None]).clamp(min=1e-12)
        ),
        "You multiply the means of the channels. Multiply at each place first, then take the mean: that is what 'together' "
        "means.": lambda x: x.mean((2, 3))[:, :, None] * x.mean((2, 3))[:, None],
        "reshape(B, H * W, C) does not gather a pixel's channels: it cuts memory into pieces of C. Flatten the places only, "
        "values.flatten(2).": scrambled,
        "You multiplied rows of the picture: x @ x.transpose(2, 3) pairs heights. Flatten the two sides first.": (
            lambda x: x @ x.transpose(2, 3)
        ),
        "That pairs each PLACE with each place. Asked for are pairs of channels: (B, C, C).": (
            lambda x: x.flatten(2).transpose(1, 2) @ x.flatten(2) / places(x)
        ),
        "That pairs each place with each place, and sums. Asked for are pairs of channels: (B, C, C).": (
            lambda x: x.flatten(2).transpose(1, 2) @ x.flatten(2)
        ),
        "The pictures of the batch got into one matrix: reshape(B * C, H * W) pairs channels of different pictures.": (
            lambda x: all_rows(x) / places(x)
        ),
        "The pictures of the batch got into one matrix, as in a well-known tutorial: reshape(B * C, H * W) pairs channels of "
        "different pictures, and the division is by all numbers.": lambda x: all_rows(x) / x.numel(),
        "One matrix for EACH picture of the batch: you summed over pictures.": lambda x: right(x).sum(0),
        "One matrix for EACH picture of the batch: you took the mean over pictures.": lambda x: right(x).mean(0),
    }
    generator = torch.Generator().manual_seed(seed)
    shapes = [(1, 2, 1, 2), (1, 3, 2, 3), (2, 3, 5, 4), (3, 4, 3, 7)]
    cases = [{"values": torch.randint(0, 9, shape, generator=generator).double()} for shape in shapes]
    return judge_tensors("Gram matrices", attempt, right, cases, mistakes)


# --- total variation ---


def total_variation(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(pictures)``: the mean absolute step down plus the mean absolute step across."""
    import torch

    def steps(x):
        return x[:, :, 1:] - x[:, :, :-1], x[..., 1:] - x[..., :-1]

    def both(x, of):
        down, across = steps(x)
        return float(of(down) + of(across))

    def length(step):
        return step.abs().mean()

    def wrapped(x):
        return float(sum((x - x.roll(1, dim)).abs().mean() for dim in (2, 3)))

    def rooted(x):
        down, across = steps(x)
        return float((down[..., :-1].square() + across[:, :, :-1].square()).sqrt().mean())

    mistakes = {
        "You squared the steps. Squares forgive many small steps and punish each edge; absolute steps treat a soft edge and "
        "a sharp one alike.": lambda x: both(x, lambda step: step.square().mean()),
        "Take means, not sums: a larger picture would have more.": lambda x: both(x, lambda step: step.abs().sum()),
        "Only the steps down count in yours; add those across.": lambda x: float(length(steps(x)[0])),
        "Only the steps across count in yours; add those down.": lambda x: float(length(steps(x)[1])),
        "Steps up and steps down cancel: take absolute values before the mean.": lambda x: both(x, lambda s: s.mean()),
        "Take absolute values of the steps, before the mean; yours come after it.": (
            lambda x: both(x, lambda step: step.mean().abs())
        ),
        "roll makes the last row a neighbor of the first. A picture ends there: use slices, x[:, :, 1:] - x[:, :, :-1].": (
            wrapped
        ),
        "Add the two means; you took the mean of the two.": lambda x: both(x, length) / 2,
        "Two means, one of the steps down and one of those across; you took one over all steps.": lambda x: float(
            torch.cat([step.flatten() for step in steps(x)]).abs().mean()
        ),
        "A mean over the STEPS: there is one row less of them than of pixels, and you divide by the pixels.": lambda x: (
            float(sum(step.abs().sum() for step in steps(x)) / x.numel())
        ),
        "You sum over the pictures or the channels. All of it is a mean.": lambda x: both(
            x, lambda step: step.abs().mean((2, 3)).sum()
        ),
        "You sum over the pictures: take the mean over all of them.": lambda x: both(x, length) * len(x),
        "You sum over the channels: take the mean over all of them.": lambda x: both(x, length) * x.shape[1],
        "You take the length of the two steps together, by Pythagoras. That is a total variation, too; asked for is the sum of "
        "both means.": rooted,
        "Dimension 1 are the colors. Neighbors lie along dimensions 2 and 3.": lambda x: float(
            length(x.diff(dim=1)) + length(x.diff(dim=2))
        ),
        "You compare with the mean of the picture; total variation compares neighbors.": lambda x: float(
            (x - x.mean()).abs().mean()
        ),
        "The square root is not wanted: absolute steps, then their mean.": lambda x: both(
            x, lambda step: step.square().mean().sqrt()
        ),
    }
    generator = torch.Generator().manual_seed(seed)
    shapes = [(1, 1, 2, 3), (1, 1, 3, 2), (1, 3, 4, 6), (2, 3, 7, 5), (4, 2, 5, 9)]
    cases = [{"pictures": torch.randint(0, 9, shape, generator=generator).double() / 8} for shape in shapes]
    return judge_numbers("total variation", attempt, lambda x: both(x, length), cases, mistakes, tolerance=1e-4)


# --- what has lost the places ---


def forgets_places(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(statistic, values)``: is ``statistic(values)`` the same when the places are shuffled?"""
    import torch
    from torch.nn.functional import avg_pool2d

    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(7, 4 * 144, generator=generator)

    def pairs(x, y):
        return torch.einsum("bchw,bdhw->bcd", x, y) / x[0, 0].numel()

    statistics: dict[str, tuple[Callable, bool]] = {
        "the mean of each channel": (lambda x: x.mean((2, 3)), True),
        "the values themselves": (lambda x: x, False),
        "the Gram matrix": (lambda x: pairs(x, x), True),
        "the mean of each picture": (lambda x: x.mean((1, 2, 3)), True),
        "the largest value of each channel": (lambda x: x.amax((2, 3)), True),
        "the values of each channel in order of size": (lambda x: x.flatten(2).sort().values, True),
        "the mean of the first channel": (lambda x: x[:, 0].mean((1, 2)), True),
        "where each channel is largest": (lambda x: x.flatten(2).argmax(2), False),
        "a fully-connected layer": (lambda x: x.flatten(1) @ weights.T, False),
        "the mean of each row": (lambda x: x.mean(3), False),
        "the mean of each column": (lambda x: x.mean(2), False),
        "the Gram matrix of 2x2 means": (
            lambda x: (lambda p: pairs(p, p))(avg_pool2d(x, 2, stride=1)),
            False,
        ),
        "the products with the neighbor to the right, around the edge": (lambda x: pairs(x, x.roll(1, 3)), False),
        "the total variation of each picture": (
            lambda x: x.diff(dim=2).abs().mean((1, 2, 3)) + x.diff(dim=3).abs().mean((1, 2, 3)),
            False,
        ),
    }
    truth = dict(statistics.values())
    not_summed = ("the largest value of each channel", "the values of each channel in order of size")
    exact = {statistics[name][0] for name in not_summed}

    def by(shuffle: Callable, same: Callable = lambda a, b: torch.allclose(a.double(), b.double(), 1e-4, 1e-5)):
        return lambda statistic, x: same(statistic(x), statistic(shuffle(x)))

    def places(x):
        order = torch.randperm(x[0, 0].numel(), generator=generator)
        return x.flatten(2)[:, :, order].view_as(x)

    def apart(x):
        orders = [torch.randperm(x[0, 0].numel(), generator=generator) for _ in range(x.shape[1])]
        flat = x.flatten(2)
        return torch.stack([flat[:, i, order] for i, order in enumerate(orders)], 1).view_as(x)

    def everything(x):
        return x.flatten(1)[:, torch.randperm(x[0].numel(), generator=generator)].view_as(x)

    mistakes = {
        "You shuffle each channel in its own way. Then channels that fired together no longer do, and even the Gram matrix "
        "changes. All channels of a place must move together: one order for all.": by(apart),
        "You shuffle channels, not places: the places are dimensions 2 and 3.": by(lambda x: x.roll(1, 1)),
        "You shuffle channels and places alike. A place takes its channels along: one order for H * W, none for C.": by(
            everything
        ),
        "You only turn the picture upside down or mirror it. Some statistics do not feel that, but do feel a shuffle.": by(
            lambda x: x.flip(3)
        ),
        "You only mirror the picture, upside down. Some statistics do not feel that, but do feel a shuffle.": by(
            lambda x: x.flip(2)
        ),
        "You only turn the picture around. Some statistics do not feel that, but do feel a shuffle.": by(
            lambda x: x.flip(2, 3)
        ),
        "You only move the picture around the edge (roll). A neighbor stays a neighbor then; shuffle for real.": by(
            lambda x: x.roll((1, 2), (2, 3))
        ),
        "You shuffle rows only; a row keeps its places. Flatten both sides, shuffle, and shape it back.": by(
            lambda x: x[:, :, torch.randperm(x.shape[2], generator=generator)]
        ),
        "You shuffle columns only; a column keeps its places. Flatten both sides, shuffle, and shape it back.": by(
            lambda x: x[..., torch.randperm(x.shape[3], generator=generator)]
        ),
        "You compare shapes. A shuffle never changes those: compare the numbers.": lambda s, x: True,
        "It is the other way round: True means that the statistic stays the same.": (lambda s, x: not by(places)(s, x)),
        "You ask for numbers that are equal to the last bit. In another order, sums round otherwise: use torch.allclose.": (
            lambda statistic, x: statistic in exact
        ),
        "It says False to everything. Do you compare with the values, in place of the statistic before and after?": (
            lambda s, x: False
        ),
    }
    shapes = [(8, 18), (18, 8), (9, 16), (16, 9)]
    turn = int(torch.randint(4, (), generator=generator))
    cases = {  # 16 pictures in float32: some of their sums depend on the order
        name: {"statistic": statistic, "values": torch.rand(16, 4, *shapes[(i + turn) % 4], generator=generator)}
        for i, (name, (statistic, _)) in enumerate(statistics.items())
    }
    kind = Kind(
        "True or False is wanted",
        _truth_value,
        lambda mine, right: mine == right,
        lambda mine, right: 0.0,
        lambda mine, right: (
            f"it returned {mine}, but a shuffle of the places {'does not' if right else 'does'} change that."
        ),
    )
    return judge("who has lost the places", attempt, lambda statistic, x: truth[statistic], cases, mistakes, kind)


def _truth_value(answer: object) -> bool | None:
    """True or False, also from a tensor or an array; None for everything else."""
    answer = answer.item() if getattr(answer, "shape", None) == () and hasattr(answer, "item") else answer
    return answer if isinstance(answer, bool) else None


# --- the guess with the least squared error ---


def best_guess(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(pictures, chances)``: the picture whose expected squared error is least."""
    import torch

    def weighted(x, p):
        return torch.einsum("n,nchw->chw", p, x)

    def errors(x, p):
        """Of each picture, taken as the guess."""
        return torch.einsum("m,nm->n", p, (x[:, None] - x[None]).square().sum((2, 3, 4)))

    def median(x, p):
        values, order = x.sort(0)
        reached = p[order].cumsum(0) >= 0.5 - 1e-9
        return values.gather(0, reached.int().argmax(0, keepdim=True))[0]

    mistakes = {
        "That is the mean of all pictures, each counted once. What is more likely counts more: weigh by the chances.": (
            lambda x, p: x.mean(0)
        ),
        "That is the likeliest picture. It is right most often, but when it is wrong, it is wrong by much; squared errors "
        "make you pay for that.": lambda x, p: x[p.argmax()],
        "That is the best of the pictures themselves. A guess need not be one of them: their mean costs less than each.": (
            lambda x, p: x[errors(x, p).argmin()]
        ),
        "You divide by the number of pictures, too. The chances add up to 1 already.": lambda x, p: (
            weighted(x, p) / len(p)
        ),
        "That is the median of the pictures, each counted once. A median is best for absolute errors; for squared ones it is "
        "the mean.": lambda x, p: x.median(0).values,
        "That is the median, weighed by the chances: best for ABSOLUTE errors. Squared ones ask for the mean.": median,
        "That is the middle between the darkest and the brightest. Weigh all pictures by their chances.": (
            lambda x, p: (x.amin(0) + x.amax(0)) / 2
        ),
        "You weigh by the squares of the chances. The error is squared, the chances are not.": (
            lambda x, p: weighted(x, p**2)
        ),
        "You weigh by the squares of the chances, divided by their sum. The chances are the weights as they are.": (
            lambda x, p: weighted(x, p**2 / (p**2).sum())
        ),
        "The chances add up to 1 already: no softmax.": lambda x, p: weighted(x, p.softmax(0)),
        "That is the error that is left, not the picture.": lambda x, p: (
            torch.einsum("n,nchw->chw", p, x.square()) - weighted(x, p).square()
        ),
        "That is the sum of the pictures, not their mean.": lambda x, p: x.sum(0),
        "You have weighed the pictures, but not added them up.": lambda x, p: p[:, None, None, None] * x,
        "That is one number a picture; add up over the pictures, not over the pixels.": lambda x, p: (
            p * x.mean((1, 2, 3))
        ),
    }
    generator = torch.Generator().manual_seed(seed)
    cases = []
    twins = torch.tensor([0.0, 0, 0.125, 0, 1, 1], dtype=torch.float64).view(3, 1, 1, 2)  # the likeliest is far off
    cases.append({"pictures": twins, "chances": torch.tensor([0.3, 0.3, 0.4], dtype=torch.float64)})
    for count, shape in ((2, (1, 1, 2)), (3, (1, 2, 2)), (4, (3, 3, 4)), (5, (3, 4, 5))):
        pictures = torch.randint(0, 9, (count, *shape), generator=generator).double() / 8
        parts = torch.randperm(count, generator=generator).double() + 1
        parts[parts.argmax()] += 0.5
        cases.append({"pictures": pictures, "chances": parts / parts.sum()})
    return judge_tensors("the best guess for squared errors", attempt, weighted, cases, mistakes)
