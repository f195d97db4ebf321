"""Every exhibit looks right, has its bug, has no other, and its cure makes it what it claims to be."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from vgg_course import museum
from vgg_course.accounting import ledger
from vgg_course.check.diagnosing import EVIDENCE
from vgg_course.configuration import CONFIGURATIONS, Conv, MaxPool
from vgg_course.model import vgg

NUMBERS = list(museum.ROOMS)
TRAINED = [number for number, room in museum.ROOMS.items() if room.trained]


def number_of(bug):
    return next(number for number, room in museum.ROOMS.items() if room.bug == bug)


def found(bug):
    return museum.visit(number_of(bug))


def right(bug):
    return museum.cured(number_of(bug))


def test_every_room_has_a_bug_of_its_own_from_the_list():
    bugs = [room.bug for room in museum.ROOMS.values()]
    assert len(set(bugs)) == len(bugs) == 12
    assert set(bugs) <= set(museum.DIAGNOSES)
    assert set(EVIDENCE) == set(museum.DIAGNOSES)


def test_every_bug_says_where_it_happened():
    for room in museum.ROOMS.values():
        assert room.sources
        for source in room.sources:
            repository, _, thread = source.partition("#")
            assert repository.count("/") == 1
            assert thread.isdigit()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", museum.DIAGNOSES)
def test_an_experiment_speaks_for_the_right_diagnosis_and_for_no_other(number, name):
    present, words = EVIDENCE[name](museum.visit(number))
    assert present == (name == museum.ROOMS[number].bug), words
    assert words


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", museum.DIAGNOSES)
def test_no_experiment_finds_anything_in_a_cured_exhibit(number, name):
    present, words = EVIDENCE[name](museum.cured(number))
    assert not present, words


@pytest.mark.parametrize("number", NUMBERS)
def test_an_experiment_leaves_the_exhibit_as_it_was(number):
    exhibit = museum.visit(number)
    before = deepcopy(exhibit.model.state_dict())
    modes = [module.training for module in exhibit.model.modules()]
    dice = torch.get_rng_state()
    for experiment in EVIDENCE.values():
        experiment(exhibit)
    assert all(torch.equal(before[name], value) for name, value in exhibit.model.state_dict().items())
    assert modes == [module.training for module in exhibit.model.modules()]
    assert torch.equal(dice, torch.get_rng_state())


@pytest.mark.parametrize("number", NUMBERS)
def test_the_label_does_not_give_the_bug_away(number):
    words = repr(museum.visit(number))
    assert words.startswith(f"Room {number}, ")
    assert museum.ROOMS[number].bug not in words


@pytest.mark.parametrize("number", NUMBERS)
def test_every_visit_hands_out_a_fresh_copy(number):
    first = museum.visit(number)
    expected = museum.visit(number).inside().answers if museum.ROOMS[number].bug != "dropout-on" else None
    with torch.no_grad():
        for parameter in first.model.parameters():
            parameter.zero_()
        first.images.zero_()
    again = museum.visit(number)
    assert again.images.any()
    if expected is not None:
        assert torch.equal(again.inside().answers, expected)


@pytest.mark.parametrize("number", [0, 13, True, "1", None])
def test_there_is_no_other_room(number):
    with pytest.raises(ValueError, match="the rooms are numbered from 1 to 12"):
        museum.visit(number)


@pytest.mark.parametrize("number", TRAINED)
def test_a_trained_net_is_good_once_it_is_cured(number):
    assert museum.cured(number).accuracy() > 0.85


@pytest.mark.parametrize("bug", ["bgr-for-rgb", "wrong-scale", "flatten-order"])
def test_what_comes_in_wrongly_costs_most_of_the_accuracy(bug):
    assert found(bug).accuracy() < 0.5


@pytest.mark.parametrize("bug", ["relu-on-logits", "softmax-twice"])
def test_what_stands_behind_the_logits_costs_no_accuracy_here(bug):
    assert found(bug).accuracy() == right(bug).accuracy()


def test_melting_a_batch_norm_into_its_convolution_changes_nothing():
    normed, plain = museum.trained()
    x = museum.normalize(museum.pictures(3, seed=5).images)
    with torch.no_grad():
        torch.testing.assert_close(normed(x), plain(x), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in plain.modules())


def test_the_missing_convolution_is_one_of_256_channels_to_256():
    lacking = ledger(CONFIGURATIONS["D"].variant(**museum.SMALL)).parameters
    lacking -= sum(p.numel() for p in found("missing-convolution").model.parameters())
    assert lacking == 9 * 32 * 32 + 32


def test_the_one_without_padding_loads_the_right_net_s_weights():
    model = found("no-padding").model
    model.load_state_dict(vgg("D", **museum.SMALL | {"input_size": 224}).state_dict())
    assert found("no-padding").inside()["pool5"].output_shape == (64, 1, 1)


def test_the_one_whose_batch_norms_are_in_training_mode_judges_by_company():
    exhibit = found("batch-norm-in-training-mode")
    mixed, alone = (deepcopy(exhibit.model) for _ in range(2))
    x = exhibit.prepare(exhibit.images)
    with torch.no_grad():
        assert (mixed(x)[:10] - alone(x[:10])).abs().max() > 1
        steady = right("batch-norm-in-training-mode").model
        torch.testing.assert_close(steady(x)[:10], steady(x[:10]), rtol=1e-4, atol=1e-4)


def test_the_original_of_the_converted_net_is_right_and_only_its_order_differs():
    exhibit = found("flatten-order")
    cure = right("flatten-order")
    torch.testing.assert_close(exhibit.original(exhibit.images), cure(exhibit.images), rtol=1e-4, atol=1e-4)
    ours, theirs = (exhibit.model.layers["fc6"].weight, cure.model.layers["fc6"].weight)
    assert not torch.equal(ours, theirs)
    assert torch.equal(ours.sort(1).values, theirs.sort(1).values)


def test_caffe_s_weights_are_the_same_net_for_other_pixels():
    ours, plain = right("wrong-scale"), right("bgr-for-rgb")
    torch.testing.assert_close(ours(ours.images), plain(ours.images), rtol=1e-3, atol=1e-3)


def test_the_pictures_carry_the_color_of_their_class():
    split = museum.pictures(20, seed=3)
    means = torch.stack([split.images[split.labels == c].float().mean((0, 2, 3)) for c in range(3)])
    assert means.argmax(1).tolist() == [2, 0, 1]  # blue airplanes, red automobiles, green birds


@pytest.mark.parametrize("letter", ["A", "B", "C", "D", "E"])
def test_looking_inside_names_and_measures_what_ran(letter):
    model = vgg(letter, **museum.SMALL).eval()
    inside = museum.look_inside(model, torch.randn(2, 3, 64, 64))
    layers = model.configuration.layers
    assert [step.name for step in inside] == [layer.name for layer in layers]
    assert [step.output_shape for step in inside] == [layer.output_shape for layer in layers]
    counted = {row.name: row.parameters for row in ledger(model.configuration)}
    assert {step.name: step.parameters for step in inside}.items() <= counted.items()
    assert len(inside.kind("conv")) == sum(isinstance(layer.spec, Conv) for layer in layers)
    assert len(inside.kind("pool")) == sum(isinstance(layer.spec, MaxPool) for layer in layers)
    assert "answer" in repr(inside)
    with pytest.raises(KeyError, match="these did: conv1_1"):
        inside["conv9_9"]


def test_looking_inside_sees_what_enters_before_an_in_place_relu_changes_it():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), nn.Conv2d(3, 3, 1))
    inside = museum.look_inside(model, torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert [step.smallest < 0 for step in inside] == [True, True, False]


def test_looking_inside_changes_nothing():
    model = museum.visit(number_of("batch-norm-in-training-mode")).model
    before = deepcopy(model.state_dict())
    museum.look_inside(model, torch.randn(4, 3, 64, 64))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_the_course_s_own_names_are_those_of_the_field():
    for name, words in museum.DIAGNOSES.items():
        assert name == name.lower().replace(" ", "-")
        assert words[0].islower()
        assert not words.endswith(".")
