import random

import pytest

from tests.test_accounting import random_words
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.receptive_field import backward, measured, receptive_field

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
