"""What can be figured out on paper: the usual slips, each with its name; and the formulas against what they are about."""

from itertools import product

import pytest

from vgg_course import check
from vgg_course.accounting import ledger
from vgg_course.check.figuring import _parameters
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.receptive_field import receptive_field


def side(layers):
    return sum(kernel for kernel, _ in layers) - len(layers) + 1


def widest(budget, parameters):
    return max((width for width in range(1, 200) if parameters(width) <= budget), default=0)


def fit(**changes):
    def attempt(budget, size, classes):
        return widest(budget, lambda width: _parameters(width, **{"size": size, "classes": classes, **changes}))

    return attempt


WRONG = [
    (check.maps_with_pool, lambda top, cells: (top + 1) ** cells, "without a number above top"),
    (check.maps_with_pool, lambda top, cells: top**cells, "no number reaches top"),
    (check.maps_with_pool, lambda top, cells: cells * (top + 1) ** (cells - 1), "counts it twice"),
    (check.maps_with_pool, lambda top, cells: cells * top ** (cells - 1), "exactly one place"),
    (check.maps_with_pool, lambda top, cells: top**cells - (top - 1) ** cells if top else 0, "top + 1 numbers"),
    (check.maps_with_pool, lambda top, cells: cells, "multiply the choices"),
    (check.melted, lambda a, layers: ((s := sum(k for k, _ in layers)), s**2 * a * layers[-1][1]), "not by its kernel"),
    (
        check.melted,
        lambda a, layers: ((s := max(k for k, _ in layers)), s**2 * a * layers[-1][1]),
        "as large as the largest",
    ),
    (check.melted, lambda a, layers: (side(layers), side(layers) * a * layers[-1][1]), "side times side"),
    (check.melted, lambda a, layers: (side(layers), side(layers) ** 2 * a * layers[0][1]), "not the first"),
    (
        check.melted,
        lambda a, layers: (
            side(layers),
            sum(k * k * b * c for (k, c), b in zip(layers, [a, *(c for _, c in layers)], strict=False)),
        ),
        "one by one",
    ),
    (check.widened, lambda block, kernel: (kernel - 1) * 2**block, "block - 1 pools"),
    (check.widened, lambda block, kernel: kernel * 2 ** (block - 1), "adds k - 1 jumps"),
    (check.widened, lambda block, kernel: kernel - 1, "in block 1"),
    (check.widened, lambda block, kernel: (kernel - 1) * block, "they do not add"),
    (check.widened, lambda block, kernel: kernel // 2 * 2 ** (block - 1), "on both sides"),
    (check.widened, lambda block, kernel: 2 ** (block - 1), "That is the jump"),
    (check.times_as_many, lambda f: (f * f,) * 4, "A filter does not know"),
    (check.times_as_many, lambda f: (1, f, f, f), "in both directions"),
    (check.times_as_many, lambda f: [1, f * f, f**4, f * f], "each place costs"),
    (check.times_as_many, lambda f: (1, f * f, f * f, 1), "pool5 grows with the image"),
    (check.times_as_many, lambda f: (1, f * f, f * f, f), "along both sides"),
    (check.widest_start, lambda b, s, c: fit()(b, s, c) + 1, "first that does not fit"),
    (check.widest_start, lambda b, s, c: fit()(b - 1, s, c), "at most, not less than"),
    (check.widest_start, fit(classes=0), "has weights as well"),
    (check.widest_start, fit(size=16), "every place of the last grid"),
    (check.widest_start, fit(convolutions=1), "you count one"),
    (check.channels_for, lambda d, k: 1 / (k * d) ** 2, "The ReLU halves"),
    (check.channels_for, lambda d, k: 2 / d**2, "all products of the sum"),
    (check.channels_for, lambda d, k: 2 / (k * d * d), "kernel x kernel pixels, not kernel"),
    (check.channels_for, lambda d, k: 2 / (k * k * d), "it is squared"),
    (check.channels_for, lambda d, k: (2 / (k * d) ** 2) ** 0.5, "You took the root"),
]


def test_counting_the_inputs_of_a_pool_gives_the_formula():
    def counted(top, cells):
        return sum(max(one) == top for one in product(range(top + 1), repeat=cells))

    for top, cells in ((0, 3), (1, 2), (4, 3), (9, 4)):
        assert counted(top, cells) == (top + 1) ** cells - top**cells


@pytest.mark.parametrize("block", range(1, 6))
def test_one_more_convolution_widens_the_view_as_the_check_says(block):
    blocks = [["conv3-8"] * count for count in (2, 2, 3, 3, 3)]
    seen = []
    for _ in range(2):
        text = " ".join(word for layers in blocks for word in (*layers, "maxpool"))
        seen.append(receptive_field(Configuration.parse(text, input_size=224))["pool5"].size)
        blocks[block - 1].append("conv3-8")
    assert seen[0] == receptive_field("D")["pool5"].size
    assert seen[1] - seen[0] == 2 * 2 ** (block - 1)


@pytest.mark.parametrize(("size", "classes"), [(64, 10), (32, 3), (128, 50)])
def test_the_parameters_of_the_widest_start_are_the_ledgers(size, classes):
    for width in (1, 8, 15):
        text = " ".join(f"conv3-{w} conv3-{w} maxpool" for w in (width, 2 * width, 4 * width, 8 * width))
        found = ledger(Configuration.parse(f"{text} FC-{classes}", input_size=size)).parameters
        assert found == _parameters(width, size, classes)


def test_a_larger_image_multiplies_as_the_check_says():
    small, large = (ledger(CONFIGURATIONS["D"].variant(input_size=size)) for size in (224, 672))
    assert small.convolutional.parameters == large.convolutional.parameters
    assert large.convolutional.macs == 9 * small.convolutional.macs
    weights = [book["fc6"].parameters - 4096 for book in (small, large)]
    assert weights[1] == 9 * weights[0]
