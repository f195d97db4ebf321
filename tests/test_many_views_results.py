"""What views did for the course's small nets: the record is complete, and the chapter says what it says."""

from itertools import combinations

import pytest
import torch

from experiments import many_views
from vgg_course import results, trained
from vgg_course.evaluation import macs


@pytest.fixture(scope="module")
def found():
    return results.load("many_views")


@pytest.fixture(scope="module")
def protocols(found):
    return found["protocols"]


def test_every_protocol_was_measured_with_every_net_on_all_test_photographs(found, protocols):
    assert found["nets"] == list(many_views.SEEDS)
    assert found["sha256"] == trained.card("small_vgg").sha256  # else: python -m experiments.many_views
    assert found["images"] == 3000
    assert list(protocols) == list(many_views.PROTOCOLS)
    for row in protocols.values():
        assert row["error"]["n"] == row["gain"]["n"] == len(found["nets"])
        assert row["pair_error"]["n"] == len(list(combinations(found["nets"], 2)))
        for error in (*row["error"]["values"], *row["pair_error"]["values"], row["fused_error"]):
            assert error * found["images"] == pytest.approx(round(error * found["images"]), abs=1e-6)


def test_costs_are_those_of_the_protocols(protocols):
    net = trained.load("small_vgg").configuration
    for name, row in protocols.items():
        assert row["macs_an_image"] == macs(net, many_views.PROTOCOLS[name], 32, 32)
        assert row["done"] == str(many_views.PROTOCOLS[name])


def test_gains_are_differences_of_errors_net_by_net(protocols):
    single = protocols["single"]["error"]["values"]
    for row in protocols.values():
        assert row["gain"]["values"] == pytest.approx(
            [one - other for one, other in zip(single, row["error"]["values"], strict=True)]
        )


def test_the_nets_single_view_is_what_its_card_says(found, protocols):
    first = protocols["single"]["error"]["values"][found["nets"].index(0)]
    assert first == pytest.approx(1 - trained.card("small_vgg").test["accuracy"], abs=1e-9)


def test_the_chapter_says_what_was_measured(protocols):
    """Mirror images help every net; nothing else is as good; crops harm less than passes; a pair beats its nets."""
    error = {name: row["error"]["mean"] for name, row in protocols.items()}
    assert all(gain > 0 for gain in protocols["flip"]["gain"]["values"])
    for name in ("near", "wide", "crops", "both", "at_36", "at_40", "at_48", "at_64"):
        pairs = zip(protocols[name]["error"]["values"], protocols["flip"]["error"]["values"], strict=True)
        assert all(one > mirrored for one, mirrored in pairs), name
    assert all(gain < 0 for gain in protocols["near"]["gain"]["values"])
    assert 2 * error["flip"] < error["at_40"] < 3 * error["flip"]
    assert 9 * error["flip"] < error["at_64"] < 11 * error["flip"]
    assert abs(error["both"] - error["crops"]) < 0.001
    assert abs(protocols["single"]["pair_error"]["mean"] - error["flip"]) < 0.003
    assert error["flip"] < error["at_36"] < error["at_40"] < error["at_48"] < error["at_64"]
    assert error["crops"] < error["near"]
    assert protocols["flip"]["pair_error"]["mean"] < error["flip"]


def test_surroundings_mislead_and_the_mean_color_least(found, protocols):
    around = found["surroundings"]
    assert list(around) == ["mean color", "mirrored", "other pictures"]
    errors = [around[name]["error"]["mean"] for name in around]
    alone = protocols["single"]["error"]["mean"]
    assert alone < errors[0] < errors[1] < errors[2]
    assert 2.5 < errors[1] / alone < 3.5
    for row in around.values():
        assert row["error"]["n"] == row["same"]["n"] == len(found["nets"])


def test_a_scene_has_its_picture_in_the_middle():
    pictures = torch.arange(9 * 2 * 3 * 32 * 32).float().view(9, 2, 3, 32, 32)
    for scene in many_views.scenes(pictures[8], list(pictures[:8])).values():
        assert scene.shape == (2, 3, 96, 96)
        assert torch.equal(scene[:, :, 32:64, 32:64], pictures[8])
