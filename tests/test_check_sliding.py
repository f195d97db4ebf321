"""The checkers of the chapter that slides the classifier have teeth."""

import re

import pytest
import torch
from torch import nn

from vgg_course import check
from vgg_course.accounting import ledger
from vgg_course.configuration import CONFIGURATIONS

D = CONFIGURATIONS["D"]


def macs(kind, size):
    return sum(row.macs for row in ledger(D.variant(input_size=size)) if row.kind == kind)


def conv(size):
    return macs("convolution", size)


FC = macs("fully connected", 224)


def cells(size):
    return (size // 32 - 6) ** 2


def converted(linear, channels, side, arrange=None, bias=True, **options):
    layer = nn.Conv2d(channels, linear.out_features, side, bias=bias, **options)
    weight = linear.weight.data
    weight = weight.reshape(-1, channels, side, side) if arrange is None else arrange(weight, channels, side)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias:
            layer.bias.copy_(linear.bias)
    return layer


def both(side):
    return lambda one, other: (side(one), side(other))


def broken(linear, channels, side):
    layer = converted(linear, channels, side)
    layer.forward = lambda x: 1 / 0
    return layer


def spoiling(linear, channels, side):
    linear.weight.data.zero_()
    return converted(linear, channels, side)


class Silent(nn.Module):
    def forward(self, x):
        return None


WRONG = [
    (check.score_map_size, both(lambda n: n // 32), "grid behind pool5"),
    (check.score_map_size, both(lambda n: n // 32 - 7), "count the first place too"),
    (check.score_map_size, both(lambda n: (n - 224) // 32), "count the first place too"),
    (check.score_map_size, both(lambda n: n / 32 - 6), "rounds down: use //"),
    (check.score_map_size, both(lambda n: float(n // 32 - 6)), "make them whole numbers"),
    (check.score_map_size, both(lambda n: -(-n // 32) - 6), "You round up"),
    (check.score_map_size, both(lambda n: round(n / 32) - 6), "round to the nearest"),
    (check.score_map_size, both(lambda n: (n - 404) // 32 + 1), "need not fit"),
    (check.score_map_size, both(lambda n: n // 224), "Windows overlap"),
    (check.score_map_size, both(lambda n: n - 223), "not for every pixel"),
    (check.score_map_size, lambda h, w: (w // 32 - 6, h // 32 - 6), "the height comes first"),
    (check.score_map_size, lambda h, w: (h // 32 - 6) * (w // 32 - 6), "two numbers are wanted"),
    (check.crop_of_cell, lambda row, column: (32 * column, 32 * row), "Row comes first"),
    (check.crop_of_cell, both(lambda i: 404 * i), "404 is the size of the window"),
    (check.crop_of_cell, both(lambda i: 224 * i), "no overlap"),
    (check.crop_of_cell, both(lambda i: 212 * i), "one value of pool5"),
    (check.crop_of_cell, both(lambda i: 16 * i), "five pools"),
    (check.crop_of_cell, both(lambda i: i), "one value of it is 32 pixels"),
    (check.crop_of_cell, both(lambda i: 7 * i), "in values; asked for are pixels"),
    (check.crop_of_cell, both(lambda i: 32 * i - 90), "90 pixels further on"),
    (check.crop_of_cell, both(lambda i: 32 * i + 111.5), "the middle of the crop"),
    (check.crop_of_cell, lambda row, column: (32 * row, 32 * column + 223), "top RIGHT corner"),
    (check.dense_macs, lambda s: conv(s) + FC, "once at every cell"),
    (check.dense_macs, lambda s: ledger(D.variant(input_size=s)).macs, "fc6 grew with the image"),
    (check.dense_macs, lambda s: cells(s) * ledger(D).macs, "separate crops"),
    (check.dense_macs, conv, "fully-connected layers are missing"),
    (check.dense_macs, lambda s: conv(224) + cells(s) * FC, "larger image: their cost grows"),
    (check.dense_macs, lambda s: ledger(D).macs * s**2 / 224**2, "scale with the area"),
    (check.dense_macs, lambda s: conv(s) + (s // 32 - 6) * FC, "along one side only"),
    (check.dense_macs, lambda s: 2 * (conv(s) + cells(s) * FC), "FLOPs"),
    (check.as_convolution, lambda fc, c, s: fc, "a linear layer still"),
    (check.as_convolution, lambda fc, c, s: fc.weight, "return the nn.Conv2d itself"),
    (check.as_convolution, lambda fc, c, s: nn.Conv2d(c * s * s, fc.out_features, 1), "1x1 window sees one value"),
    (check.as_convolution, lambda fc, c, s: nn.Conv2d(c, fc.out_features, s + 1), "The window must cover the grid"),
    (check.as_convolution, lambda fc, c, s: nn.Conv2d(fc.out_features, c, s), "take in the channels of the grid"),
    (check.as_convolution, lambda fc, c, s: nn.Conv2d(c, fc.out_features, s), "Its weights are others"),
    (check.as_convolution, lambda fc, c, s: converted(fc, c, s, padding=1), "padding 0"),
    (check.as_convolution, lambda fc, c, s: converted(fc, c, s, padding="same"), "padding 0"),
    (check.as_convolution, lambda fc, c, s: converted(fc, c, s, stride=s), "stop at every place: stride 1"),
    (check.as_convolution, lambda fc, c, s: converted(fc, c, s, bias=False), "bias is missing"),
    (
        check.as_convolution,
        lambda fc, c, s: converted(fc, c, s, lambda w, c, s: w.reshape(-1, s, s, c).permute(0, 3, 1, 2)),
        r"you read \(H, W, C\)",
    ),
    (
        check.as_convolution,
        lambda fc, c, s: converted(fc, c, s, lambda w, c, s: w.reshape(-1, c, s, s).transpose(2, 3)),
        "Rows and columns of the window",
    ),
    (
        check.as_convolution,
        lambda fc, c, s: converted(fc, c, s, lambda w, c, s: w.reshape(-1, c, s, s).flip(2, 3)),
        "turned by 180",
    ),
    (
        check.as_convolution,
        lambda fc, c, s: converted(fc, c, s, lambda w, c, s: w.T.reshape(-1, c, s, s)),
        "read the matrix by columns",
    ),
    (check.as_convolution, spoiling, "It changed the layer"),
]  # fmt: skip


@pytest.mark.parametrize("made", [list, torch.tensor, torch.Size, lambda pair: torch.zeros(pair).shape])
def test_any_pair_of_whole_numbers_will_do(made):
    verdict = check.score_map_size(lambda h, w: made((h // 32 - 6, w // 32 - 6)))
    assert verdict, verdict


def test_floors_one_after_the_other_pass_too():
    def five_pools(n):
        for _ in range(5):
            n //= 2
        return n - 7 + 1

    assert check.score_map_size(lambda h, w: (five_pools(h), five_pools(w)))


def test_other_ways_to_build_the_convolution_pass_too():
    assert check.as_convolution(lambda linear, c, s: nn.Sequential(converted(linear, c, s)))

    def shared(linear, channels, side):
        layer = nn.Conv2d(channels, linear.out_features, side)
        layer.weight = nn.Parameter(linear.weight.view(-1, channels, side, side))
        layer.bias = linear.bias
        return layer

    assert check.as_convolution(shared)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda fc, c, s: nn.Sequential(nn.Flatten(), fc), r"on a grid of 2x2, gave \(2, 3\), not \(2, 3, 1, 1\)"),
        (lambda fc, c, s: Silent(), "on a grid of 2x2, gave None"),
        (broken, "on a grid of 2x2, raised ZeroDivisionError"),
        (lambda fc, c, s: nn.Sequential(converted(fc, c, s), nn.AdaptiveAvgPool2d(1)), "on a grid of 4x5, gave"),
    ],
)
def test_a_layer_that_does_something_else_is_told_on_which_grid(attempt, words):
    verdict = check.as_convolution(attempt)
    assert verdict.status == "wrong"
    assert re.search(words, verdict.message), verdict.message


def test_the_right_convolution_does_not_pass_when_the_linear_layer_is_spoiled():
    def after_the_work(linear, channels, side):
        layer = converted(linear, channels, side)
        linear.bias.data.zero_()
        return layer

    assert "It changed the layer" in check.as_convolution(after_the_work).message


def test_a_check_draws_no_number_from_torchs_own_generator():
    torch.manual_seed(5)
    right = torch.rand(3)
    torch.manual_seed(5)
    check.as_convolution(lambda linear, channels, side: linear)
    assert torch.equal(torch.rand(3), right)


def test_the_dense_cost_is_the_published_one():
    """By hand: 20.5, 49.6 and 92.5 GMAC at 256, 384 and 512."""
    assert [round((conv(size) + cells(size) * FC) / 1e9, 1) for size in (256, 384, 512)] == [20.5, 49.6, 92.5]
