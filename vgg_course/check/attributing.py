"""Checks for the chapter that asks what a net looks at."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from vgg_course.check.judging import Kind, judge, judge_numbers, judge_tensors
from vgg_course.check.verdict import Verdict
from vgg_course.configuration import CONFIGURATIONS, Configuration, Conv
from vgg_course.receptive_field import Field, receptive_field

if TYPE_CHECKING:
    from torch import Tensor

# --- Grad-CAM ---


def grad_cam_map(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(values, gradients)``: the map ``(h, w)`` of one image from two tensors ``(C, h, w)``."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def signed(values: Tensor, gradients: Tensor) -> Tensor:
        return (gradients.mean((1, 2), keepdim=True) * values).sum(0)

    def target(values: Tensor, gradients: Tensor) -> Tensor:
        return signed(values, gradients).relu()

    def drawn(*shape: int) -> dict[str, Tensor]:
        while True:  # until the map has something to cut and something to keep
            values, gradients = (
                torch.randn(shape, generator=generator, dtype=torch.float64).round(decimals=1) for _ in range(2)
            )
            found = signed(values, gradients)
            if (found > 0.01).any() and (found < -0.01).any():
                return {"values": values, "gradients": gradients}

    mistakes = {
        "The negative sums are still there: what speaks against the class is cut to 0 at the end.": signed,
        "You took absolute values; negative sums become 0.": lambda v, g: signed(v, g).abs(),
        "The ReLU comes last, behind the SUM over channels. You cut each channel before you added them up.": (
            lambda v, g: (g.mean((1, 2), keepdim=True) * v).relu().sum(0)
        ),
        "You cut the negative weights. A channel that speaks against the class must be able to take something away.": (
            lambda v, g: (g.mean((1, 2), keepdim=True).relu() * v).sum(0).relu()
        ),
        "Each channel has ONE weight: the mean of its gradient over all places. You multiplied place by place.": (
            lambda v, g: (g * v).sum(0).relu()
        ),
        "A channel's weight is the MEAN of its gradient over the places; you took the sum.": (
            lambda v, g: (g.sum((1, 2), keepdim=True) * v).sum(0).relu()
        ),
        "Add the weighted channels up; you took their mean.": lambda v, g: target(v, g) / len(v),
        "Values and gradients are exchanged: the gradients make the weights, the values are what is added up.": (
            lambda v, g: target(g, v)
        ),
        "You averaged the gradient over the channels; average it over the places, each channel on its own.": (
            lambda v, g: (g.mean(0, keepdim=True) * v).sum(0).relu()
        ),
        "A map is (h, w): the sum over channels takes their dimension away, without keepdim.": (
            lambda v, g: target(v, g)[None]
        ),
        "The weights are missing: that is the sum of all channels.": lambda v, g: v.sum(0).relu(),
        "The weights are missing, and the ReLU.": lambda v, g: v.sum(0),
        "That is scaled so that its maximum is 1. Leave the numbers as they are.": (
            lambda v, g: target(v, g) / target(v, g).max()
        ),
    }
    cases = [drawn(2, 2, 2), drawn(4, 3, 3), drawn(3, 2, 5)]
    return judge_tensors("Grad-CAM", attempt, target, cases, mistakes)


# --- occlusion ---


class _Score:
    """What stands in for a net: a number for an image ``(C, H, W)``, more than a weighted sum of its pixels."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def __call__(self, image: Tensor) -> Tensor:
        if tuple(image.shape) != tuple(self.weights.shape):
            raise ValueError(f"score takes one image {tuple(self.weights.shape)}; it got {tuple(image.shape)}.")
        total = (self.weights * image).sum()
        return total + 0.1 * total**2

    def __repr__(self) -> str:
        return "<a function of an image>"


def _covered(
    score: Callable,
    image: Tensor,
    patch: int,
    stride: int,
    fill: float,
    *,
    restore: bool = True,
    channels: int | None = None,
    step: int | None = None,
    whole: bool = True,
) -> Tensor:
    """The fall of the score for each square, and variants that students write."""
    import torch

    height, width = image.shape[1:]
    step, before, image = step or stride, score(image) if whole else 0.0, image.clone()
    falls = []
    for y in range(0, height - patch + 1, step):
        row = []
        for x in range(0, width - patch + 1, step):
            hidden = image.clone() if restore else image
            hidden[:channels, y : y + patch, x : x + patch] = fill
            row.append(before - score(hidden))
        falls.append(torch.stack(row))
    return torch.stack(falls)


def occlusion_falls(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(score, image, patch, stride, fill)``: by how much the score falls, for each place of a square."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    cases = []
    for (height, width), patch, stride, fill in (((3, 4), 2, 1, 0.5), ((6, 8), 2, 2, 0.25), ((7, 7), 3, 2, -0.5)):
        image = torch.rand(3, height, width, generator=generator, dtype=torch.float64)
        weights = torch.rand(3, height, width, generator=generator, dtype=torch.float64) - 0.3
        names = ("score", "image", "patch", "stride", "fill")
        cases.append(dict(zip(names, (_Score(weights), image, patch, stride, fill), strict=True)))
    mistakes = {
        "The sign is wrong: where the square hurts, the score FALLS, and the fall is before minus after.": (
            lambda *a: -_covered(*a)
        ),
        "You took absolute values: a score that rises behind the square is evidence against the class, and negative.": (
            lambda *a: _covered(*a).abs()
        ),
        "Those are the scores with the square; asked for is how far they lie below the score without it.": (
            lambda *a: -_covered(*a, whole=False)
        ),
        "The squares stay: each one is put on top of those before. Begin with a fresh copy of the image at each place.": (
            lambda *a: _covered(*a, restore=False)
        ),
        "You cover one channel only: image[:, y : y + patch, x : x + patch] takes all of them.": (
            lambda *a: _covered(*a, channels=1)
        ),
        "You put 0 there, whatever `fill` says.": lambda s, i, p, t, f: _covered(s, i, p, t, 0.0),
        "You move by one pixel; the squares lie `stride` pixels apart.": lambda *a: _covered(*a, step=1),
        "You move by `patch` pixels; the squares lie `stride` pixels apart, and may overlap.": (
            lambda s, i, p, t, f: _covered(s, i, p, t, f, step=p)
        ),
        "Rows and columns are exchanged: the first index counts down.": lambda *a: _covered(*a).T,
        "The last place is missing: a square fits (size - patch) // stride + 1 times.": (
            lambda *a: _covered(*a)[:-1, :-1]
        ),
        "That is the fall as a share of the score; the fall itself is asked.": lambda s, i, *a: (
            _covered(s, i, *a) / s(i)
        ),
    }
    return judge_tensors("occlusion", attempt, _covered, cases, mistakes)


# --- the ReLU of guided backprop ---


def guided_relu(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(x, above)``: what guided backprop hands down through a ReLU whose input was ``x``."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    small = {
        "x": torch.tensor([2.0, -1.0, 3.0, -2.0, 0.0], dtype=torch.float64),
        "above": torch.tensor([1.0, 2.0, -3.0, -4.0, 5.0], dtype=torch.float64),
    }
    drawn = {
        name: torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64).round(decimals=2) for name in small
    }
    drawn["x"][0, 0] = 0.0
    mistakes = {
        "That is the ReLU's own backward pass. Guided backprop also stops what is negative from above.": (
            lambda x, above: above * (x > 0)
        ),
        "That is the deconvnet's rule: it looks at the gradient only. Guided backprop ALSO stops it where the ReLU was "
        "shut, x <= 0.": lambda x, above: above.clamp(min=0),
        "You let a gradient pass if either is positive; both have to be.": lambda x, above: (
            above * ((x > 0) | (above > 0))
        ),
        "A shut ReLU hands nothing down, at x = 0 neither: the condition is x > 0.": (
            lambda x, above: above.clamp(min=0) * (x >= 0)
        ),
        "The GRADIENT is handed down, not the ReLU's value.": lambda x, above: x.clamp(min=0) * (above > 0),
        "You multiply with the ReLU's value; the gradient passes as it is, or not at all.": (
            lambda x, above: x.clamp(min=0) * above.clamp(min=0)
        ),
        "That is only where it passes; hand the gradient down.": lambda x, above: ((x > 0) & (above > 0)).double(),
        "You took absolute values; a negative gradient becomes 0.": lambda x, above: above.abs() * (x > 0),
        "You kept what is negative and stopped what is positive.": lambda x, above: above.clamp(max=0) * (x > 0),
    }
    return judge_tensors(
        "the ReLU of guided backprop",
        attempt,
        lambda x, above: above.clamp(min=0) * (x > 0),
        [small, drawn],
        mistakes,
    )


# --- which layer ---


def _deepest(fields: list[Field], fits: Callable[[Field], bool]) -> str:
    found = [field.name for field in fields if fits(field)]
    return found[-1] if found else "none"


def _convolutions(configuration: Configuration) -> list[Field]:
    fields = receptive_field(configuration)
    return [fields[layer.name] for layer in configuration if isinstance(layer.spec, Conv)]


def layer_to_look_at(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(configuration, side)``: the name of the deepest convolution whose cells are at most ``side`` apart."""
    draw = random.Random(seed)
    asked = [("D", 32, 8), ("D", 224, 16), ("A", 224, 15), ("E", 224, 40), ("D", 224, 3)]
    asked += [(draw.choice("ABCDE"), draw.choice((64, 96, 128)), draw.randint(2, 31)) for _ in range(4)]
    cases = {
        f"configuration {letter} for {size} pixels and a side of {side}": {
            "configuration": CONFIGURATIONS[letter].variant(input_size=size),
            "side": side,
        }
        for letter, size, side in asked
    }

    def target(configuration: Configuration, side: int) -> str:
        return _deepest(_convolutions(configuration), lambda field: field.jump <= side)

    def first_of_block(configuration: Configuration, side: int) -> str:
        return target(configuration, side).partition("_")[0] + "_1"

    mistakes = {
        "You compared the receptive field, `size`. How far the cells lie apart is `jump`.": (
            lambda c, side: _deepest(_convolutions(c), lambda field: field.size <= side)
        ),
        "AT MOST `side` pixels apart: a jump of just `side` will do.": (
            lambda c, side: _deepest(_convolutions(c), lambda field: field.jump < side)
        ),
        "`grid` counts the cells along a side; how far they lie apart is `jump`.": (
            lambda c, side: _deepest(_convolutions(c), lambda field: field.grid <= side)
        ),
        "That is no convolution: leave pools and fully-connected layers out.": (
            lambda c, side: _deepest(list(receptive_field(c)), lambda field: field.jump <= side)
        ),
        "That is the first layer that fits. The DEEPEST is asked: it knows most about the class.": (
            lambda c, side: _convolutions(c)[0].name
        ),
        "The block is right. Of its convolutions take the last.": first_of_block,
        "That is the last convolution, whatever the side. For a small object its cells may be too far apart.": (
            lambda c, side: _convolutions(c)[-1].name
        ),
        "A layer that is deeper has cells FARTHER apart: the limit is an upper one.": (
            lambda c, side: _deepest(_convolutions(c)[::-1], lambda field: field.jump >= side)
        ),
    }
    kind = Kind(
        "the name of a layer is wanted",
        lambda answer: answer if isinstance(answer, str) else None,
        str.__eq__,
        lambda mine, right: 0.0,
        lambda mine, right: f"it returned {mine!r}, not {right!r}.",
    )
    return judge("the layer to look at", attempt, target, cases, mistakes, kind)


# --- how alike two maps are ---


def rank_correlation(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(a, b)``: Spearman's correlation of the absolute values of two maps ``(H, W)`` without ties."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def ranks(values: Tensor) -> Tensor:
        return values.flatten().argsort().argsort().double()

    def pearson(x: Tensor, y: Tensor) -> float:
        x, y = x.flatten().double(), y.flatten().double()
        x, y = x - x.mean(), y - y.mean()
        return float((x * y).sum() / (x.square().sum() * y.square().sum()).sqrt())

    def target(a: Tensor, b: Tensor) -> float:
        return pearson(ranks(a.abs()), ranks(b.abs()))

    def cosine(a: Tensor, b: Tensor) -> float:
        x, y = ranks(a.abs()), ranks(b.abs())
        return float((x * y).sum() / (x.square().sum() * y.square().sum()).sqrt())

    def far(a: Tensor, b: Tensor) -> float:
        n = a.numel()
        return float(6 * (ranks(a.abs()) - ranks(b.abs())).square().sum() / (n * (n**2 - 1)))

    def drawn(height: int, width: int, sign: int) -> dict[str, Tensor]:
        count = height * width
        while True:  # until the answer has that sign and is far from 0 and from 1, so that shares of it mean something
            maps = []
            for _ in range(2):
                sizes = (torch.randperm(count, generator=generator) + 1).double() ** 2 / 4
                signs = torch.randint(2, (count,), generator=generator) * 2 - 1
                maps.append((sizes * signs).reshape(height, width))
            if 0.1 < sign * target(*maps) < 0.9:
                return {"a": maps[0], "b": maps[1]}

    mistakes = {
        "Those are correlated VALUES; take ranks first, so that a single very bright pixel does not decide.": (
            lambda a, b: pearson(a.abs(), b.abs())
        ),
        "You left out the absolute values: a large negative value is as strong as a large positive one.": (
            lambda a, b: pearson(ranks(a), ranks(b))
        ),
        "You left out both ranks and absolute values.": pearson,
        "argsort() gives the order, not the ranks: the rank of each value is argsort().argsort().": (
            lambda a, b: pearson(a.abs().flatten().argsort(), b.abs().flatten().argsort())
        ),
        "Take the mean off the ranks before you multiply.": cosine,
        "That is how far apart they are; the correlation is 1 minus it.": far,
        "That is the square of the correlation.": lambda a, b: target(a, b) ** 2,
        "A correlation can be negative: you took its absolute value.": lambda a, b: abs(target(a, b)),
        "The sign is wrong: maps that rise together have a positive correlation.": lambda a, b: -target(a, b),
        "You averaged the correlations of the rows. A map is one row of numbers: flatten it.": (
            lambda a, b: sum(target(x, y) for x, y in zip(a, b, strict=True)) / len(a)
        ),
    }
    cases = [drawn(2, 3, 1), drawn(4, 4, -1), drawn(5, 3, 1)]
    return judge_numbers("rank correlation", attempt, target, cases, mistakes, tolerance=1e-5)
