"""The study of maps: the record is complete, adds up, and says what the chapter says of it."""

from statistics import mean, stdev

import pytest
import torch

from experiments import attribution as study
from vgg_course import attribution, results
from vgg_course.activations import names
from vgg_course.configuration import Configuration
from vgg_course.receptive_field import receptive_field
from vgg_course.synthetic import scenes
from vgg_course.trained import load


@pytest.fixture(scope="module")
def found():
    return results.load("attribution")


def leaves(record):
    if "values" in record:
        yield record
    else:
        for part in record.values():
            yield from leaves(part)


PARTS = ("sanity", "accuracy", "pointing", "by layer", "stamp")


def test_every_number_has_all_of_its_seeds_and_its_interval(found):
    assert found["seeds"] == list(study.SEEDS)
    for part in PARTS:
        for leaf in leaves(found[part]):
            assert leaf["n"] == 5
            assert leaf["mean"] == pytest.approx(mean(leaf["values"]))
            half = 2.776 * stdev(leaf["values"]) / 5**0.5  # Student's t, 95 %, 4 degrees of freedom
            assert leaf["high"] - leaf["mean"] == pytest.approx(half)
            assert leaf["mean"] - leaf["low"] == pytest.approx(half)


def test_all_layers_were_made_random_from_the_top(found):
    layers = [name for name in names(load("small_vgg")) if name.startswith(("conv", "fc"))][::-1]
    for by_layer in found["sanity"]["randomized"].values():
        assert list(by_layer) == layers
    assert layers.index("conv3_1") + 1 == 10  # "ten of fourteen layers"
    assert len(layers) == 14


def test_guided_backprop_hardly_notices_and_the_others_do(found):
    sanity = found["sanity"]["randomized"]
    for layer in list(sanity["saliency"])[:-1]:
        assert sanity["guided backprop"][layer]["low"] > sanity["saliency"][layer]["high"]
        assert sanity["guided backprop"][layer]["low"] > sanity["Grad-CAM"][layer]["high"]
    assert sanity["guided backprop"]["conv4_1"]["low"] > 0.9
    assert sanity["Grad-CAM"]["conv5_1"]["high"] < 0.5


def test_guided_backprop_hardly_hears_which_class_is_asked_for(found):
    other = found["sanity"]["other class"]
    assert other["guided backprop"]["low"] > 0.95
    assert other["saliency"]["high"] < other["guided backprop"]["low"]
    assert other["Grad-CAM"]["high"] < 0


def test_every_map_points_somewhere(found):
    for shares in found["pointing"].values():
        for seed in range(5):
            total = sum(shares[place]["values"][seed] for place in ("asked", "other", "stamp", "elsewhere"))
            assert total == pytest.approx(1)
    edges, chance = found["pointing"]["edges, no net"], found["pointing"]["chance"]
    assert edges["asked"]["values"] == pytest.approx(edges["other"]["values"])  # each picture is asked for both
    assert chance["stamp"]["mean"] == pytest.approx(25 / 1600)


def test_what_the_chapter_says_of_the_pointing_game(found):
    game = found["pointing"]
    best = max(game, key=lambda name: game[name]["asked"]["mean"])
    assert best == "guided backprop"
    assert game[best]["asked"]["low"] > game["occlusion"]["asked"]["high"]
    assert game["occlusion"]["other"]["high"] < 0.02 < game[best]["other"]["low"]
    for name in ("saliency", "guided backprop", "occlusion", "Grad-CAM"):
        assert game[name]["asked"]["low"] > game["chance"]["asked"]["high"]


def test_the_best_layer_is_the_one_that_the_rule_names(found):
    means = {layer: record["mean"] for layer, record in found["by layer"].items()}
    best = max(means, key=means.get)
    assert best == found["drawn"]["layer"] == study.SMALL_LAYER
    assert found["by layer"][best]["low"] > found["by layer"]["relu3_2"]["high"]
    fields = receptive_field(Configuration.parse(study.WORDS, input_size=study.SIZE))
    smallest = study.SCALE[0] * study.SIZE
    assert fields["conv4_1"].jump <= smallest
    assert fields["pool4"].jump >= smallest


def test_what_the_chapter_says_of_the_cheats(found):
    assert found["accuracy"]["cheat"]["agreeing"]["mean"] == 1
    assert found["accuracy"]["cheat"]["lying"]["mean"] < 0.01
    assert found["accuracy"]["honest"]["lying"]["low"] > 0.9
    stamp = found["stamp"]
    for record in stamp.values():
        assert record["mass"]["cheat"]["low"] > record["mass"]["honest"]["high"]
    gaps = {name: record["mass"]["cheat"]["mean"] for name, record in stamp.items()}
    assert sorted(gaps, key=gaps.get) == ["Grad-CAM", "saliency", "guided backprop", "occlusion"]


def test_how_often_one_is_larger_counts_ties_half():
    assert study.more_often(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])) == (0.5 + 1 + 1 + 1) / 4


def test_two_objects_are_of_two_classes_and_apart():
    pictures = scenes(40, 7, study.SIZE, study.SCALE)
    images, masks, labels = attribution.two_objects(pictures, 15, seed=1)
    assert images.shape == (15, 3, study.SIZE, study.SIZE)
    assert (labels[:, 0] != labels[:, 1]).all()
    assert not (masks[:, 0] & masks[:, 1]).any()
    assert masks.flatten(2).any(2).all()


def test_a_stamp_is_where_its_mask_says():
    images = torch.zeros(3, 3, 20, 20, dtype=torch.uint8)
    marked = attribution.stamped(images, torch.arange(3))
    assert torch.equal(marked.any(1), attribution.stamps(images))
    assert not images.any()
    assert [int(image[:, 0, 0].argmax()) for image in marked] == [0, 1, 2]  # red, green, blue
