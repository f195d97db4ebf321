"""The measured feature statistics: complete, plausible, and what chapter 19 says of them."""

import pytest
import torch

from experiments import feature_statistics
from vgg_course import results, trained
from vgg_course.activations import names
from vgg_course.receptive_field import receptive_field
from vgg_course.recipes import small_vgg


@pytest.fixture(scope="module")
def found():
    return results.load("feature_statistics")


def relus():
    return [name for name in names(small_vgg()) if name.startswith("relu")]


def test_the_record_has_every_relu_of_every_net_and_says_where_it_was_made(found):
    assert list(found["small"]) == ["untrained", "trained"]
    for layers in (*found["small"].values(), found["imagenet"]["layers"]):
        assert list(layers) == relus()
        assert all(0 < layer["zeros"] < 1 and layer["rms"] > 0 for layer in layers.values())
    assert found["images"] == 1500
    assert found["accuracy"] == pytest.approx(trained.card("small_vgg").validation["accuracy"])
    assert found["versions"]["torch"]


def test_the_untrained_net_is_a_stack_of_copies_and_training_makes_zeros(found):
    start, end = found["small"]["untrained"], found["small"]["trained"]
    for block in ("1_2", "2_2", "3_3", "4_3", "5_3"):
        assert start[f"relu{block}"]["zeros"] == pytest.approx(start[f"relu{block[0]}_1"]["zeros"], abs=1e-6)
    assert end["relu5_2"]["zeros"] > 0.65 > 0.2 > start["relu5_2"]["zeros"]
    assert found["imagenet"]["layers"]["relu5_3"]["zeros"] > 0.9
    assert all(layer["silent"] == 0 for layer in end.values())


def test_a_net_without_batch_norm_has_layers_of_very_different_scale(found):
    big = [layer["rms"] for layer in found["imagenet"]["layers"].values()]
    ours = [layer["rms"] for layer in found["small"]["trained"].values()]
    assert max(big) / min(big) > 5
    assert max(ours) / min(ours) < 1.5


def test_training_makes_deep_layers_selective_and_the_first_ones_not(found):
    start, end = (
        {name: layer["selectivity"] for name, layer in found["small"][net].items()} for net in ("untrained", "trained")
    )
    for name in ("relu1_1", "relu1_2", "relu2_1", "relu2_2"):
        assert end[name]["median"] < start[name]["median"]
    assert end["relu5_2"]["median"] > 0.9
    for layers in (start, end):
        for layer in layers.values():
            assert layer["shuffled"]["n"] == feature_statistics.SHUFFLES
            assert layer["median"] > 5 * layer["shuffled"]["mean"]
            assert layer["low"] <= layer["median"] <= layer["high"]


def test_what_a_window_leaves_out_does_not_matter_to_the_last_bit(found):
    """VGG-16's own configuration at 224 pixels, and the small net's."""
    assert set(found["painted"]) == {"small", "imagenet"}
    fields = receptive_field("D")
    for which, layers in found["painted"].items():
        assert len(layers) == 18
        for name, layer in layers.items():
            assert layer["outside"] == 0
            assert layer["inside"] > 0.1
            assert layer["size"] == fields[name.replace("relu", "conv")].size
            if which == "imagenet" or layer["size"] <= 32:
                assert layer["with_outside"] == layer["cells"]


def test_a_zeroed_filter_costs_little_and_its_map_is_what_batch_norm_makes_of_its_bias(found):
    lost = [found["accuracy"] - one["accuracy"] for one in found["zeroed"]]
    assert len(lost) == 16
    assert max(lost) < 0.06
    assert lost[6] == max(lost)  # the chapter quotes it
    net = trained.load("small_vgg")
    norm, conv = net.features[4], net.layers["conv1_2"]
    with torch.no_grad():
        conv.weight.zero_()
        flat = norm(conv(torch.rand(1, 16, 3, 3))).relu()[0, :, 1, 1]
    assert [one["flat"] for one in found["zeroed"]] == pytest.approx(flat.tolist(), abs=1e-5)


def test_the_experiment_measures_what_it_says():
    responses = torch.tensor([[4.0, 1, 0], [4, 1, 2], [0, 1, 1]])
    assert feature_statistics.selectivity(responses, torch.tensor([0, 1, 2])).tolist() == pytest.approx([1 / 3, 0, 0.6])
    maps = feature_statistics.surveyed(small_vgg().eval(), torch.zeros(2, 3, 32, 32))
    assert maps["relu1_1"].shape == (3, 2, 16)
    assert feature_statistics.of_layers(maps)["relu1_1"] == {"zeros": 1, "rms": 0, "silent": 16}
