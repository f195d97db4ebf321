import random
from math import prod

import pytest
import torch
from torch import nn

from tests.test_accounting import random_words
from vgg_course.configuration import CONFIGURATIONS, Configuration, Conv
from vgg_course.receptive_field import backward, closed_form, effective, measured, receptive_field, side_of_share

LAYERS_OF_D = (  # the recurrence by hand, layer by layer: conv adds 2 jumps, a pool adds 1 jump and doubles the jump
    "conv1_1 3 1, conv1_2 5 1, pool1 6 2, conv2_1 10 2, conv2_2 14 2, pool2 16 4, conv3_1 24 4, conv3_2 32 4,"
    "conv3_3 40 4, pool3 44 8, conv4_1 60 8, conv4_2 76 8, conv4_3 92 8, pool4 100 16, conv5_1 132 16, conv5_2 164 16,"
    "conv5_3 196 16, pool5 212 32, fc6 404 32, fc7 404 32, fc8 404 32"
)


def test_every_layer_of_d():
    expected = [tuple(words.split()) for words in LAYERS_OF_D.split(",")]
    assert [(f.name, str(f.size), str(f.jump)) for f in receptive_field("D")] == expected


@pytest.mark.parametrize(
    ("name", "pool5", "fc6"),
    [("A", 150, 342), ("A-LRN", 150, 342), ("B", 156, 348), ("C", 156, 348), ("D", 212, 404), ("E", 268, 460)],
)
def test_the_six_at_pool5_and_fc6(name, pool5, fc6):
    fields = receptive_field(name)
    assert (fields["pool5"].size, fields["fc6"].size) == (pool5, fc6)


def test_two_3x3_see_as_far_as_one_5x5_and_three_as_one_7x7():
    size = lambda words: receptive_field(Configuration.parse(words)).fields[-1].size  # noqa: E731
    assert size("conv3-1 conv3-1") == size("conv5-1") == 5
    assert size("conv3-1 conv3-1 conv3-1") == size("conv7-1") == 7


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_walking_back_from_the_output_gives_the_same_sizes(name):
    assert [backward(name, f.name) for f in receptive_field(name)] == [f.size for f in receptive_field(name)]


@pytest.mark.parametrize("seed", range(60))
def test_three_derivations_agree_on_random_plain_networks(seed):
    configuration = Configuration.parse(random_words(random.Random(seed)), input_size=64)
    for field in receptive_field(configuration):
        layers = configuration.layers[: configuration.layers.index(configuration[field.name]) + 1]
        size, jump = 1, 1  # the closed form of Araujo et al. (2019): one plus the sum of (k - 1) times earlier strides
        for layer in layers:
            kernel = getattr(layer.spec, "kernel", layer.input_shape[-1] if len(layer.input_shape) == 3 else 1)
            size, jump = size + (kernel - 1) * jump, jump * getattr(layer.spec, "stride", 1)
        assert field.size == size == backward(configuration, field.name)
        try:
            seen, index = measured(configuration, field.name)
        except ValueError:  # that value sees nothing but padding
            assert len(field.clipped(field.grid // 2)) == 0
            continue
        clipped = field.clipped(index)
        assert seen.start >= clipped.start
        assert seen.stop <= clipped.stop
        if max(layer.spec.stride if hasattr(layer.spec, "stride") else 1 for layer in layers) == 1:
            assert seen == clipped  # with stride 1 there are no gaps: the footprint is exactly the window


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_gradient_reaches_exactly_the_predicted_pixels(name):
    configuration = CONFIGURATIONS[name]
    for field in receptive_field(configuration):
        seen, index = measured(configuration, field.name)
        assert seen == field.clipped(index), field.name


def test_windows_of_neighbors_start_one_jump_apart():
    pool2 = receptive_field("D")["pool2"]
    assert pool2.window(1).start - pool2.window(0).start == pool2.jump == 4
    assert len(pool2.window(0)) == pool2.size == 16


def test_padding_is_clipped_at_both_borders():
    conv = receptive_field("D")["conv1_1"]
    assert (conv.window(0), conv.clipped(0)) == (range(-1, 2), range(0, 2))
    assert conv.clipped(223) == range(222, 224)
    assert conv.center == 0


def test_a_value_outside_the_grid_is_refused():
    with pytest.raises(IndexError, match="pool5 has values 0 to 6 along a side; there is no value 7"):
        receptive_field("D")["pool5"].window(7)


def test_at_32_pixels_the_classifier_sees_as_far_as_pool5():
    fields = receptive_field(CONFIGURATIONS["D"].variant(input_size=32))
    assert fields["fc6"].size == fields["pool5"].size == 212


def test_an_unknown_layer_names_those_there_are():
    with pytest.raises(KeyError, match="no layer 'pool9'; there are conv1_1"):
        receptive_field("D")["pool9"]


# --- an independent oracle: which pixels move which values, found by torch alone ---


def random_network(draw, input_size, depth=6):
    """A plain network without a classifier: convolutions and pools with kernels 1 to 7, strides 1 to 4, paddings 0 to 3."""
    words, size, jump = [], input_size, 1
    while len(words) < draw.randint(1, depth):
        kernel, stride = draw.randint(1, 7), draw.choice([1, 1, 1, 1, 2, 2, 3, 4])
        pool = draw.random() < 0.3
        padding = draw.randint(0, kernel // 2 if pool else 3)
        if size + 2 * padding < kernel or jump * stride > input_size // 6:
            break
        words.append(f"maxpool{kernel}/s{stride}/p{padding}" if pool else f"conv{kernel}-1/s{stride}/p{padding}")
        size, jump = (size + 2 * padding - kernel) // stride + 1, jump * stride
    return Configuration.parse(" ".join(words) or "conv1-1", input_size=input_size)


def positive_twin(configuration, row_only):
    """The same windows with equal positive weights, average- for max-pool, no ReLU, float64: no path cancels another."""
    layers = []
    for spec in configuration.specs:
        kernel, stride, padding = spec.kernel, spec.stride, spec.padding
        if row_only:  # windows one pixel high
            kernel, stride, padding = (1, kernel), (1, stride), (0, padding)
        if isinstance(spec, Conv):
            layers.append(nn.Conv2d(1, 1, kernel, stride, padding, bias=False, dtype=torch.float64))
            nn.init.constant_(layers[-1].weight, 1.0)
        else:
            layers.append(nn.AvgPool2d(kernel, stride, padding))
    return nn.Sequential(*layers)


def test_zero_mismatches_with_the_gradients_of_two_thousand_random_networks():
    draw, size = random.Random(0), 128
    exact = with_padding = with_stride = 0
    for _ in range(2000):
        configuration = random_network(draw, size)
        field = receptive_field(configuration).fields[-1]
        with torch.no_grad():  # linear: the answers to all rows with one white pixel are the whole matrix of gradients
            moved = (
                positive_twin(configuration, row_only=True)(torch.eye(size, dtype=torch.float64)[None, None])[0, 0] > 0
            )
        assert moved.shape == (size, field.grid)
        assert field.size == backward(configuration, field.name) == closed_form(configuration, field.name)
        assert field.jump == prod(spec.stride for spec in configuration.specs)
        alive, seen = moved.any(0).tolist(), moved.tolist()
        first, last = moved.byte().argmax(0).tolist(), (size - 1 - moved.flip(0).byte().argmax(0)).tolist()
        for index in range(field.grid):
            window, clipped = field.window(index), field.clipped(index)
            if window == clipped:  # nothing of it is padding: the footprint must reach both ends
                assert (first[index], last[index]) == (window[0], window[-1]), configuration.notation()
                exact += 1
            elif alive[index]:
                assert clipped[0] <= first[index] <= last[index] <= clipped[-1], configuration.notation()
        for pixel in draw.sample(range(size), 8):
            seeing = field.cells_seeing(pixel)
            assert list(seeing) == [i for i in range(field.grid) if pixel in field.window(i)]
            assert {i for i, is_seen in enumerate(seen[pixel]) if is_seen} <= set(seeing)
        with_padding += any(spec.padding for spec in configuration.specs)
        with_stride += field.jump > 1
    assert exact > 40_000
    assert with_padding > 1000
    assert with_stride > 1000


def test_zero_mismatches_in_two_dimensions_where_no_window_skips_a_pixel():
    draw, exact = random.Random(1), 0
    for _ in range(300):
        configuration = random_network(draw, 40, depth=4)
        if any(spec.stride > spec.kernel for spec in configuration.specs):
            continue  # the windows have gaps
        field = receptive_field(configuration).fields[-1]
        pixels = torch.zeros(1, 1, 40, 40, dtype=torch.float64, requires_grad=True)
        values = positive_twin(configuration, row_only=False)(pixels)
        row, column = draw.randrange(field.grid), draw.randrange(field.grid)
        windows = field.window(row), field.window(column)
        if windows != (field.clipped(row), field.clipped(column)):
            continue
        (gradient,) = torch.autograd.grad(values[0, 0, row, column], pixels)
        expected = torch.zeros(40, 40, dtype=torch.bool)
        expected[windows[0].start : windows[0].stop, windows[1].start : windows[1].stop] = True
        assert torch.equal(gradient[0, 0] > 0, expected), configuration.notation()
        exact += 1
    assert exact > 60


def test_the_popular_forward_rule_is_caught_by_the_oracle_and_right_at_two_layers_by_accident():
    wrong, size = {}, 1
    for layer in CONFIGURATIONS["D"].layers[:18]:
        kernel, stride = layer.spec.kernel, layer.spec.stride
        size = (size - 1) * stride + kernel
        wrong[layer.name] = size
    assert wrong["pool5"] == 308
    right = {field.name: field.size for field in receptive_field("D")}
    assert {name for name in wrong if wrong[name] == right[name]} == {"conv1_1", "conv1_2", "conv2_2", "conv3_2"}
    seen, _ = measured("D", "pool1")
    assert len(seen) == 6 == right["pool1"] != wrong["pool1"] == 10


def test_a_pixel_and_the_values_that_see_it_of_d():
    fields = receptive_field("D")
    assert fields["conv1_1"].cells_seeing(0) == range(0, 2)  # a corner pixel is in two windows along each side
    assert fields["conv1_1"].cells_seeing(100) == range(99, 102)
    assert fields["pool5"].cells_seeing(112) == range(0, 7)
    assert fields["fc6"].cells_seeing(0) == range(0, 1)
    with pytest.raises(IndexError, match="pixels 0 to 223 along a side; there is no pixel 224"):
        fields["pool1"].cells_seeing(224)


# --- the effective receptive field ---


def convolutions(count):
    layers = [nn.Conv2d(1, 1, 3, padding=1, bias=False, dtype=torch.float64) for _ in range(count)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1 / 9)
    return nn.Sequential(*layers)


def test_equal_weights_give_the_trinomial_coefficients():
    influence = effective(convolutions(2), torch.zeros(1, 1, 9, 9, dtype=torch.float64))
    row = torch.tensor([0, 0, 1, 2, 3, 2, 1, 0, 0], dtype=torch.float64) / 9  # 111 * 111 = 12321
    torch.testing.assert_close(influence, row[:, None] * row)


def test_the_effective_field_lies_within_the_theoretical_one_and_is_smaller():
    influence = effective(convolutions(10), torch.zeros(1, 1, 31, 31, dtype=torch.float64))
    assert side_of_share(influence, 1.0) == receptive_field(Configuration.parse("conv3-1 " * 10)).fields[-1].size == 21
    assert side_of_share(influence) < 14


def test_the_side_of_a_share():
    even = torch.full((10, 10), 0.01)
    assert [side_of_share(even, share) for share in (0.01, 0.25, 0.26, 1.0)] == [1, 5, 6, 10]
    with pytest.raises(ValueError, match=r"share is 0; it must be above 0"):
        side_of_share(even, 0)


def test_what_has_no_middle_or_is_dead_is_refused():
    with pytest.raises(ValueError, match="leave out the head"):
        effective(nn.Flatten(), torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="zero behind its ReLU"):
        effective(nn.ReLU(), -torch.ones(1, 1, 4, 4))
