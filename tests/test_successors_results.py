"""The two studies of what came after VGG: complete, consistent with what is counted today, and as the chapter has them."""

from statistics import mean, stdev

import pytest
import torch

from experiments import degradation, depth, successors
from vgg_course import results
from vgg_course.accounting import ledger
from vgg_course.data import Dataset, Split
from vgg_course.successors import NETS, RETRAINED, DeepNet, blank, kept_bytes, macs, parameters, recorded
from vgg_course.synthetic import CLASSES, draw


@pytest.fixture(scope="module")
def found():
    return results.load("successors")


@pytest.fixture(scope="module")
def study():
    return results.load("degradation")


# --- published nets ---


def test_the_result_has_every_net_with_what_torchvision_records(found):
    assert list(found["nets"]) == list(NETS)
    for name, net in found["nets"].items():
        record = recorded(name)
        kept = (net["top_1"], net["top_5"], net["parameters"], net["gigamacs"])
        assert kept == (record.top_1, record.top_5, record.parameters, record.gigamacs)
        assert (net["title"], net["year"]) == NETS[name]
        assert abs(net["macs"] / 1e9 - net["gigamacs"]) < 0.0015


@pytest.mark.parametrize(("name", "letter"), [("vgg11", "A"), ("vgg13", "B"), ("vgg16", "D"), ("vgg19", "E")])
def test_the_vggs_of_the_result_are_those_of_the_ledger(found, name, letter):
    net, ours = found["nets"][name], ledger(letter)
    assert (net["parameters"], net["macs"]) == (ours.parameters, ours.macs)


@pytest.mark.parametrize("name", ["googlenet", "resnet34", "mobilenet_v2"])
def test_counting_again_gives_the_same(found, name):
    net = found["nets"][name]
    assert (parameters(blank(name)), macs(blank(name))[""]) == (net["parameters"], net["macs"])
    assert kept_bytes(blank(name)) == pytest.approx(net["kept_bytes"], rel=0.05)


def test_recipes_are_those_of_the_record(found):
    assert list(found["recipes"]) == list(RETRAINED)
    for name, pair in found["recipes"].items():
        assert pair == {
            "first": recorded(name).top_1,
            "second": recorded(name, "IMAGENET1K_V2").top_1,
        }


def test_every_round_of_the_race_has_vgg16_as_its_measure(found):
    for batch, speed in found["speed"].items():
        assert speed["relative"]["vgg16"]["values"] == [1] * successors.ROUNDS[int(batch)]
        assert set(speed["relative"]) == set(successors.TIMED)
        for one in speed["relative"].values():
            assert one["mean"] == pytest.approx(mean(one["values"]))
            assert one["spread"] == pytest.approx(stdev(one["values"]))


def test_macs_alone_do_not_predict_time(found):
    """For each of its MACs, a net of depthwise convolutions takes at least twice the time of VGG-16."""
    nets, relative = found["nets"], found["speed"]["1"]["relative"]
    for name in ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0"):
        assert relative[name]["lowest"] > 2 * nets[name]["macs"] / nets["vgg16"]["macs"]


def test_a_depthwise_convolution_takes_longer_for_a_mac_than_a_dense_one(found):
    for by_kind in found["layers"].values():
        assert by_kind["dense"]["values"] == [1] * len(by_kind["dense"]["values"])
        assert by_kind["depthwise"]["lowest"] > 2


# --- a separable VGG ---


def test_the_separable_study_has_the_dense_nets_seeds_recipe_and_macs(found):
    kept, one = results.load("depth"), found["separable"]
    assert one["setting"]["epochs"] == kept["setting"]["epochs"] == depth.RECIPE.epochs
    dense = [r["validation_accuracy"] for r in kept["families"]["batch"]["D"]["runs"] if r["seed"] in one["seeds"]]
    assert one["arms"]["dense"]["validation_accuracy"]["values"] == dense
    assert one["arms"]["dense"]["macs"] == kept["nets"]["D"]["macs"]
    wider = one["arms"]["separable, wider"]["macs"] / one["arms"]["dense"]["macs"]
    assert 0.9 < wider < 1.1


def test_the_differences_of_the_separable_study_are_paired_by_seed(found):
    arms = found["separable"]["arms"]
    for pair, apart in found["separable"]["differences"].items():
        a, b = (arms[name]["validation_accuracy"]["values"] for name in pair.split(" - "))
        assert apart["values"] == pytest.approx([x - y for x, y in zip(a, b, strict=True)])


# --- plain and residual ---


def test_every_arm_has_every_depth_with_every_seed(study):
    assert list(study["arms"]) == list(degradation.ARMS)
    for arm in study["arms"].values():
        assert list(arm) == [str(d) for d in degradation.DEPTHS]
        for one in arm.values():
            assert [r["seed"] for r in one["runs"]] == study["seeds"]
            assert one["train_accuracy"]["values"] == [r["train_accuracy"] for r in one["runs"]]
            assert one["train_accuracy"]["mean"] == pytest.approx(mean(one["train_accuracy"]["values"]))
            assert all(len(r["curve"]) == study["setting"]["epochs"] for r in one["runs"])


def test_nets_of_one_depth_have_the_costs_that_are_recorded(study):
    for depth_, net in study["nets"].items():
        for skips in (True, False):
            twin = DeepNet(int(depth_), skips, degradation.WIDTH, 3, degradation.STRIDE)
            assert (parameters(twin), macs(twin, 32)[""]) == (net["parameters"], net["macs"])


def test_differences_between_depths_and_arms_follow_from_the_runs(study):
    for pair, apart in study["differences"].items():
        sides = [study["arms"][name.split()[0]][name.split()[1]] for name in pair.split(" - ")]
        for key in ("train_accuracy", "validation_accuracy"):
            values = [a - b for a, b in zip(*(one[key]["values"] for one in sides), strict=True)]
            assert apart[key]["values"] == pytest.approx(values)
            n = len(values)
            reach = degradation._student(n - 1) * stdev(values) / n**0.5
            assert apart[key]["high"] - apart[key]["mean"] == pytest.approx(reach)


def test_depth_harms_the_plain_net_in_training_and_shortcuts_cure_it(study):
    apart = {pair: d["train_accuracy"] for pair, d in study["differences"].items()}
    assert apart["plain 44 - plain 8"]["high"] < 0
    assert apart["residual 44 - plain 44"]["low"] > 0
    assert apart["dirac 44 - plain 44"]["low"] > 0
    assert apart["residual 44 - dirac 44"]["low"] > 0


def test_no_rate_that_was_tried_saves_the_deep_plain_net(study):
    shallow = study["arms"]["plain"]["8"]["train_accuracy"]["lowest"]
    assert set(study["rates"]) == {"0.03", "0.1", "0.3"}
    assert all(one["train_accuracy"] < shallow - 0.05 for one in study["rates"].values())


def test_the_arms_of_a_seed_begin_alike():
    plain, residual = (degradation.begin(arm, 8, 3) for arm in ("plain", "residual"))
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), residual.parameters(), strict=True))
    dirac = degradation.begin("dirac", 8, 3)
    assert torch.equal(dirac[-1].weight, plain[-1].weight)


def test_a_run_repeats():
    def split(seed):
        pictures = draw(8, seed)
        return Split(pictures.images, pictures.labels)

    data = Dataset(split(1), split(2), split(3), CLASSES, "drawn", True)
    recipe = degradation.replace(degradation.RECIPE, epochs=1, batch_size=12)
    one, same = (degradation.run("residual", 8, 0, recipe, data) for _ in range(2))
    assert {**one, "seconds": 0} == {**same, "seconds": 0}
