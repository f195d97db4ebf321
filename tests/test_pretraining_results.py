"""The paper's remedy, measured: the record is complete, adds up, and says what the chapter says of it."""

from math import log, sqrt
from statistics import geometric_mean, mean, stdev

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from experiments import pretraining
from vgg_course import paper, plots, results
from vgg_course.configuration import CONFIGURATIONS

TRAINED = [name for name in pretraining.STARTS if "literal" not in name]
CORE = [name for name in pretraining.CORE if name in TRAINED]


@pytest.fixture(scope="module")
def found():
    return results.load("pretraining")


def last(found, start):
    """Validation accuracy after the last epoch, one number a seed."""
    return [run["validation_accuracy"][-1] for run in found["starts"][start]["runs"]]


# --- the record ---


def test_every_start_has_all_of_its_seeds(found):
    assert len(found["seeds"]) >= 5
    assert list(found["starts"]) == list(pretraining.STARTS)
    for name, start in found["starts"].items():
        assert [run["seed"] for run in start["runs"]] == found["seeds"][: pretraining.STARTS[name].seeds]


@pytest.mark.parametrize("name", TRAINED)
def test_a_run_has_all_of_its_epochs_and_layers(found, name):
    start = found["starts"][name]
    for run in start["runs"]:
        for key in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
            assert len(run[key]) == found["setting"]["epochs"]
        for moment in ("before", "after"):
            for key in ("signal", "gradient", "relative_gradient"):
                assert len(run[moment][key]) == len(found["layers"][start["configuration"]])


@pytest.mark.parametrize("name", TRAINED)
def test_the_summaries_follow_from_the_runs(found, name):
    start, accuracies = found["starts"][name], last(found, name)
    assert start["accuracy"]["values"] == accuracies
    assert start["accuracy"]["mean"] == pytest.approx(mean(accuracies))
    assert start["accuracy"]["spread"] == pytest.approx(stdev(accuracies))
    for run in start["runs"]:
        below = [epoch for epoch, loss in enumerate(run["validation_loss"], 1) if loss < found["learned_below"]]
        assert run["learned_at"] == (below[0] if below else None)
    learned = [run["learned_at"] for run in start["runs"] if run["learned_at"]]
    assert start["learned"] == len(learned)
    assert (start["learned_at"] or {"values": []})["values"] == learned


def test_the_setting_is_the_papers_but_for_the_batch(found):
    for name in ("learning_rate", "momentum", "weight_decay", "dropout"):
        assert found["setting"][name] == paper.TRAINING[name]
    assert found["setting"]["batch_size"] < paper.TRAINING["batch_size"]
    assert found["images"]["test"] == 0
    assert found["chance"] == {"accuracy": pytest.approx(1 / 3), "loss": pytest.approx(log(3))}


# --- the beginnings ---


@pytest.mark.parametrize("name", ["A_random", "D_random", "D_literal"])
def test_every_layer_has_the_gain_that_it_has_in_the_papers_net(name):
    start = pretraining.STARTS[name]
    net, _ = pretraining.begin(start, 0)
    for layer in net.configuration:
        if not layer.name.startswith("pool"):
            ours = net.layers[layer.name].weight.std().item() * sqrt(pretraining.fan_in(layer))
            full = start.deviation * sqrt(pretraining.fan_in(CONFIGURATIONS[start.configuration][layer.name]))
            assert ours == pytest.approx(full, rel=0.1)


@pytest.mark.parametrize(("name", "kinds"), [("D_copied", ("conv", "fc")), ("D_copied_conv", "conv")])
def test_a_copy_differs_from_the_random_start_in_the_copied_layers_only(name, kinds):
    shallow, _ = pretraining.begin(pretraining.STARTS["A_random"], 7)
    ours, copied = pretraining.begin(pretraining.STARTS[name], 8, shallow)
    random, _ = pretraining.begin(pretraining.STARTS["D_random"], 8)
    assert copied
    assert all(layer.startswith(kinds) for layer in copied)
    for layer in random.configuration:
        if not layer.name.startswith("pool"):
            source = shallow if layer.name in copied else random
            assert torch.equal(ours.layers[layer.name].weight, source.layers[layer.name].weight)
            assert torch.equal(ours.layers[layer.name].bias, source.layers[layer.name].bias)


# --- what the chapter says ---


def test_A_learns_from_random_weights_and_D_does_not(found):
    assert min(last(found, "A_random")) > 0.8
    assert found["starts"]["D_random"]["learned"] == 0
    for run in found["starts"]["D_random"]["runs"]:
        assert max(run["validation_accuracy"]) < 0.35
        assert max(abs(loss - log(3)) for loss in run["validation_loss"]) < 0.01


def test_D_learns_with_seven_layers_of_A_with_every_seed(found):
    start = found["starts"]["D_copied"]
    assert len(start["copied"]) == 7
    assert start["learned"] == len(found["seeds"])
    assert min(last(found, "D_copied")) > 0.8


def test_D_learns_from_glorot_without_A_with_every_seed(found):
    assert found["starts"]["D_glorot"]["learned"] == len(found["seeds"])
    assert min(last(found, "D_glorot")) > 0.8
    assert all(run["learned_at"] == 1 for run in found["starts"]["D_glorot"]["runs"])


def test_D_does_not_learn_from_torchs_default(found):
    assert found["starts"]["D_torch"]["learned"] == 0
    assert max(last(found, "D_torch")) < 0.35


def test_he_needs_pixels_over_their_deviation(found):
    at_255, at_1 = found["starts"]["D_he"], found["starts"]["D_he_unit"]
    assert 0 < at_255["learned"] < len(found["seeds"])  # some seeds learn and some never do
    assert at_1["learned"] == len(found["seeds"])
    assert min(run["first_loss"] for run in at_255["runs"]) > 5 * log(3)
    assert max(run["first_loss"] for run in at_1["runs"]) < 2 * log(3)
    for run in at_255["runs"]:
        assert (run["learned_at"] is None) == (max(run["after"]["gradient"][:13]) == 0)


def test_both_halves_of_the_copy_are_needed(found):
    conv, fc = found["starts"]["D_copied_conv"], found["starts"]["D_copied_fc"]
    assert (len(conv["copied"]), len(fc["copied"])) == (4, 3)
    assert conv["learned"] < len(conv["runs"])
    assert fc["learned"] == 0


def test_0_01_is_too_little_for_A_in_a_narrow_net(found):
    assert found["starts"]["A_narrow"]["learned"] == 0


def test_without_weight_decay_D_does_not_learn_either(found):
    assert found["starts"]["D_random_no_decay"]["learned"] == 0


@pytest.mark.parametrize("name", ["A_literal", "D_literal"])
def test_the_literal_variance_ends_at_the_second_step(found, name):
    for run in found["starts"][name]["runs"]:
        assert run["stopped_at_step"] == 2
        assert run["first_loss"] > 1e6


def test_weight_decay_pulls_harder_than_the_images_in_every_layer_of_D_from_random_weights_only(found):
    decay = found["setting"]["weight_decay"]
    for run in found["starts"]["D_random"]["runs"]:
        assert max(run["before"]["relative_gradient"]) < decay / 10
    for start in ("A_random", "D_copied", "D_glorot", "D_he"):
        for run in found["starts"][start]["runs"]:
            assert max(run["before"]["relative_gradient"]) > decay
    for run in found["starts"]["D_glorot"]["runs"]:
        assert min(run["before"]["relative_gradient"]) > decay


def test_the_weakest_gradient_in_the_new_layers_belongs_to_the_seed_that_waits_longest(found):
    start = found["starts"]["D_copied"]
    new = [i for i, name in enumerate(found["layers"]["D"]) if name not in start["copied"]]
    assert len(new) == 9
    weakest = [min(run["before"]["relative_gradient"][i] for i in new) for run in start["runs"]]
    strongest = [max(run["before"]["relative_gradient"][i] for i in new) for run in start["runs"]]
    waits = [run["learned_at"] for run in start["runs"]]
    assert waits.index(max(waits)) == weakest.index(min(weakest)) == strongest.index(min(strongest))
    assert min(strongest) > found["setting"]["weight_decay"]


def test_most_stuck_nets_have_no_gradient_left_in_any_convolution(found):
    left = [max(run["after"]["gradient"][:13]) for run in found["starts"]["D_random"]["runs"]]
    assert sum(gradient == 0 for gradient in left) >= 3
    assert max(left) < 1e-5


# --- the repetition ---


@pytest.fixture(scope="module")
def again():
    return results.load("pretraining_again")


def test_the_repetition_is_of_the_same_experiment(found, again):
    for part in ("command", "setting", "seeds", "images", "deviation", "layers", "chance"):
        assert again[part] == found[part]
    assert list(again["starts"]) == list(found["starts"])
    first = [f["starts"]["A_random"]["runs"][0]["validation_loss"] for f in (found, again)]
    assert first[0] != first[1]  # other images


def test_what_always_happens_repeats(again):
    for name in ("A_random", "D_copied", "D_glorot", "D_he_unit"):
        assert again["starts"][name]["learned"] == 5
    for name in ("D_random", "D_torch", "A_literal", "D_literal", "D_copied_fc", "D_random_no_decay", "A_narrow"):
        assert again["starts"][name]["learned"] == 0


def test_one_copied_net_fell_back_to_chance(again):
    ends = sorted(last(again, "D_copied"))
    assert ends[0] < 0.34
    assert min(ends[1:]) > 0.8


# --- the figures ---


def test_a_panel_shows_every_seed_and_their_median(found):
    axes = plots.by_start(found, {"A_random": "A", "D_random": "D"})
    assert [ax.get_title(loc="left") for ax in axes] == ["A", "D"]
    chance, *seeds, middle = axes[0].lines
    assert chance.get_ydata()[0] == pytest.approx(100 / 3)
    assert len(seeds) == len(found["seeds"])
    assert [line.get_ydata()[-1] for line in seeds] == pytest.approx([100 * share for share in last(found, "A_random")])
    assert middle.get_ydata()[-1] == pytest.approx(100 * sorted(last(found, "A_random"))[2])


def test_layers_of_A_stand_where_D_has_layers_of_the_same_name(found):
    ax = plots.pull_by_layer(found, {"A_random": "A", "D_random": "D"})
    decay, a, d = ax.lines[:3]
    assert decay.get_ydata()[0] == found["setting"]["weight_decay"]
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    assert [names[int(x)] for x in a.get_xdata()] == found["layers"]["A"]
    assert [names[int(x)] for x in d.get_xdata()] == found["layers"]["D"]
    firsts = [run["before"]["relative_gradient"][0] for run in found["starts"]["A_random"]["runs"]]
    assert a.get_ydata()[0] == pytest.approx(geometric_mean(firsts))
