import re

import pytest

from vgg_course.configuration import (
    CONFIGURATIONS,
    Configuration,
    ConfigurationError,
    Conv,
    LocalResponseNorm,
    MaxPool,
    as_configuration,
    parse_layer,
)

D = CONFIGURATIONS["D"]


def test_the_six_have_the_depths_that_table_1_prints():
    depths = {name: configuration.depth for name, configuration in CONFIGURATIONS.items()}
    assert depths == {"A": 11, "A-LRN": 11, "B": 13, "C": 16, "D": 16, "E": 19}  # Table 1, second row


def test_the_size_halves_five_times_from_224_to_7():
    grids = [block[-1].output_shape for block in D.blocks]
    assert grids == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]


def test_c_is_d_with_three_1x1_convolutions():
    c, d = CONFIGURATIONS["C"], D
    differing = [(a.name, a.spec) for a, b in zip(c, d, strict=True) if a.spec != b.spec]
    assert differing == [("conv3_3", Conv(256, 1)), ("conv4_3", Conv(512, 1)), ("conv5_3", Conv(512, 1))]
    assert all(spec.padding == 0 for _, spec in differing)


def test_a_lrn_is_a_with_one_normalization():
    a, lrn = CONFIGURATIONS["A"], CONFIGURATIONS["A-LRN"]
    assert [spec for spec in lrn.specs if not isinstance(spec, LocalResponseNorm)] == list(a.specs)
    assert lrn.layers[1].name == "lrn1_1"


def test_layers_have_the_names_of_the_field():
    names = [layer.name for layer in D]
    assert names[:3] == ["conv1_1", "conv1_2", "pool1"]
    assert names[-5:] == ["conv5_3", "pool5", "fc6", "fc7", "fc8"]


def test_the_first_fc_counts_a_last_block_without_a_pool():
    assert [layer.name for layer in Configuration.parse("conv3-8 maxpool conv3-8 FC-3")][-1] == "fc3"
    assert [layer.name for layer in Configuration.parse("FC-3")] == ["fc1"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_notation_and_parse_are_inverse(name):
    configuration = CONFIGURATIONS[name]
    assert Configuration.parse(configuration.notation(), name) == configuration


@pytest.mark.parametrize(
    "word", ["conv7-64/s2/p2", "conv3-5/p0", "maxpool3/s3/p1", "maxpool/s1", "conv1-9", "LRN", "FC-10"]
)
def test_every_word_survives_a_round_trip(word):
    assert str(parse_layer(word)) == word


@pytest.mark.parametrize(("n", "k", "s", "p"), [(224, 7, 2, 3), (13, 3, 2, 0), (5, 2, 2, 0), (9, 4, 3, 1)])
def test_the_output_size_floors(n, k, s, p):
    out = Configuration.parse(f"conv{k}-1/s{s}/p{p}", input_size=n).layers[0].output_shape
    assert out == (1, (n + 2 * p - k) // s + 1, (n + 2 * p - k) // s + 1)


def test_a_variant_changes_what_is_named_and_nothing_else():
    small = D.variant(width=1 / 4, input_size=32, classes=3, hidden=(), batch_norm=True)
    assert [layer.spec.channels for layer in small if isinstance(layer.spec, Conv)][:3] == [16, 16, 32]
    assert (small.classes, small.input_size, small.batch_norm, small["pool5"].output_shape) == (
        3,
        32,
        True,
        (128, 1, 1),
    )
    assert D.variant() == D


def test_width_scales_the_hidden_layers_but_not_the_classes():
    assert [str(spec) for spec in D.variant(width=0.5).specs[-3:]] == ["FC-2048", "FC-2048", "FC-1000"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("conv3-0", {}, "layer 1.*'conv3-0'.*output channels of a convolution is 0.*at least 1"),
        ("conv0-8", {}, "kernel size of a convolution is 0"),
        ("conv3-8/s0", {}, "stride of a convolution is 0"),
        ("maxpool2/p2", {}, "padding 2; padding may be at most half"),
        ("conv3-8 convolve", {}, "layer 2: unknown layer 'convolve'.*conv3-64"),
        ("conv3-8 maxpool FC-0", {}, "fully-connected layer is 0"),
        ("FC-10 conv3-8", {}, "behind a fully-connected layer"),
        ("maxpool maxpool", {"input_size": 2}, "pool2.*2x2 window, but only 1x1 reaches it"),
        ("conv3-8/p0", {"input_size": 2}, "conv1_1.*3x3 window, but only 2x2"),
        ("", {}, "has no layers"),
        ("conv3-8", {"input_size": 0}, "input_size is 0"),
        ("conv3-8", {"input_size": 3.5}, "input_size is 3.5"),
        ("conv3-8", {"in_channels": True}, "in_channels is True"),
        (None, {}, "one string"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_rule(text, options, words):
    with pytest.raises(ConfigurationError, match=words):
        Configuration.parse(text, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width is 0"),
        ({"width": "wide"}, "width is 'wide'"),
        ({"width": float("nan")}, "width is nan"),
        ({"width": 0.001}, "no channel at all"),
        ({"classes": -1}, "fully-connected layer is -1"),
        ({"hidden": (64, 0)}, "fully-connected layer is 0"),
        ({"input_size": 16}, "pool5.*shrunk too far"),
    ],
)
def test_a_wrong_variant_is_refused_with_the_rule(options, words):
    with pytest.raises(ConfigurationError, match=words):
        D.variant(**options)


def test_an_unknown_letter_names_the_six():
    with pytest.raises(
        ConfigurationError, match=re.escape("'F' is none of the paper's configurations: A, A-LRN, B, C, D, E")
    ):
        as_configuration("F")


def test_an_unknown_layer_names_those_there_are():
    with pytest.raises(KeyError, match="no layer 'conv9_9'; it has conv1_1"):
        D["conv9_9"]


def test_something_that_is_no_layer_is_refused():
    with pytest.raises(ConfigurationError, match="is no layer"):
        Configuration("odd", (MaxPool(), "conv3-64"))
