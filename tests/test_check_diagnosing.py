"""The museum's checkers accept the right diagnosis and cure, and reject each wrong one with a reason."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from vgg_course import check, museum
from vgg_course.model import vgg

NUMBERS = list(museum.ROOMS)
BUGS = {room.bug: number for number, room in museum.ROOMS.items()}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", museum.DIAGNOSES)
def test_the_right_diagnosis_passes_and_each_wrong_one_is_rejected_with_a_reason(number, name):
    verdict = check.diagnosis(number, name)
    room = museum.ROOMS[number]
    if name == room.bug:
        assert verdict, verdict
        assert all(source in verdict.message for source in room.sources)
        assert "The cost:" in verdict.message
    else:
        assert verdict.status == "wrong"
        assert "The experiment speaks against it: " in verdict.message
        assert room.bug not in verdict.message
        assert len(verdict.message) > 100


def test_the_reason_against_a_diagnosis_is_that_of_the_room():
    missing = [check.diagnosis(number, "missing-pool").message for number in (1, 2, 3)]
    assert len(set(missing)) > 1


@pytest.mark.parametrize("answer", ["Missing-Convolution", " missing-convolution ", "missing_convolution"])
def test_a_diagnosis_may_be_spelled_freely(answer):
    assert check.diagnosis(1, answer)
    assert check.diagnosis(1, lambda: answer)


def stub():
    raise NotImplementedError("your code here")


@pytest.mark.parametrize("checker", [check.diagnosis, check.cured])
@pytest.mark.parametrize("attempt", [..., None, stub, lambda: ...])
def test_the_stub_is_not_attempted(checker, attempt):
    assert checker(6, attempt).status == "not attempted"


@pytest.mark.parametrize("checker", [check.diagnosis, check.cured])
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda: None, "returned None"),
        (lambda: 1 / 0, "raised ZeroDivisionError"),
        (lambda room: room, "raised TypeError"),
        (42, "42|this is int"),
        ("it is broken", "none of the names|this is str"),
        (float("nan"), "nan|this is float"),
        (["missing-pool"], "none of the names|this is list"),
        (torch.zeros(3), "none of the names|this is Tensor"),
        (nn.Linear(2, 3), "none of the names|prepare|tensor|raised"),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, number, attempt, words):
    verdict = checker(number, attempt)
    assert verdict.status == "wrong"
    assert any(word in verdict.message for word in words.split("|")), verdict


@pytest.mark.parametrize("checker", [check.diagnosis, check.cured])
@pytest.mark.parametrize("number", [0, 13, "1", None, 1.0, True, [1]])
def test_there_is_no_other_room(checker, number):
    assert "numbered from 1 to 12" in checker(number, "missing-pool").message


@pytest.mark.parametrize("number", NUMBERS)
def test_the_cure_passes(number):
    assert check.cured(number, museum.cured(number))
    assert check.cured(number, partial(museum.cured, number))


@pytest.mark.parametrize("number", NUMBERS)
def test_what_was_not_repaired_is_not_cured(number):
    verdict = check.cured(number, museum.visit(number))
    assert verdict.status == "wrong"
    assert len(verdict.message) > 40


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("step", [1, 4])
def test_the_cure_of_another_room_cures_this_one_only_if_it_is_the_same_net(number, step):
    other = (number + step - 1) % len(NUMBERS) + 1
    a, b = museum.ROOMS[number], museum.ROOMS[other]
    left = museum.cured(other)
    verdict = check.cured(number, replace(museum.visit(number), model=left.model, prepare=left.prepare))
    if a.trained:  # trained rooms share one net, with its batch norms or without
        same = b.trained and a.right_prepare is b.right_prepare
    else:  # an untrained net is right with any weights, but where the weights are the point
        same = not b.trained and a.size == b.size and a.bug != "variance-as-deviation"
    assert bool(verdict) == same, verdict


def visit(bug):
    return museum.visit(BUGS[bug])


def changed(bug, change):
    exhibit = visit(bug)
    change(exhibit)
    return check.cured(BUGS[bug], exhibit)


def wrong(bug, change, *words):
    verdict = changed(bug, change)
    assert verdict.status == "wrong", verdict
    for word in words:
        assert word in verdict.message, verdict


def test_a_model_alone_may_be_handed_over():
    assert check.cured(BUGS["missing-convolution"], vgg("D", **museum.SMALL))


def test_one_more_convolution_in_the_wrong_block_is_no_cure():
    from vgg_course.configuration import Configuration

    words = "conv3-8 conv3-8 maxpool conv3-16 conv3-16 maxpool conv3-32 conv3-32 maxpool conv3-64 conv3-64 conv3-64 "
    words += "conv3-64 maxpool conv3-64 conv3-64 conv3-64 maxpool FC-128 FC-128 FC-3"
    other = vgg(Configuration.parse(words, "D", input_size=64))
    wrong("missing-convolution", lambda e: setattr(e, "model", other), "features.14.weight", "(32, 32, 3, 3)")


def test_a_new_net_without_the_trained_weights_is_no_cure():
    for bug in ("relu-on-logits", "softmax-twice", "dropout-on", "flatten-order"):
        wrong(bug, lambda e: setattr(e, "model", vgg("A", **museum.SMALL).eval()), "fresh images")


def test_taking_the_relu_off_by_building_the_net_anew_cures():
    def cure(exhibit):
        model = vgg("A", **museum.SMALL)
        model.load_state_dict(exhibit.model.state_dict())
        exhibit.model = model.eval()

    assert changed("relu-on-logits", cure)
    assert changed("softmax-twice", cure)


def test_a_net_left_in_training_mode_is_no_cure_for_what_stands_behind_its_logits():
    def half(exhibit):
        model = vgg("A", **museum.SMALL)
        model.load_state_dict(exhibit.model.state_dict())
        exhibit.model = model

    wrong("relu-on-logits", half, "dropout-on")


def test_padding_one_convolution_is_no_cure():
    def half(exhibit):
        exhibit.model.features[0].padding = (1, 1)

    wrong("no-padding", half, "12 of 13")


def test_padding_all_convolutions_cures():
    def cure(exhibit):
        for layer in exhibit.model.features:
            if isinstance(layer, nn.Conv2d):
                layer.padding = (1, 1)

    assert changed("no-padding", cure)


def test_a_pool_put_back_in_the_wrong_place_is_no_cure():
    def half(exhibit):
        modules = list(exhibit.model.features)
        modules.insert(2, nn.MaxPool2d(2))
        exhibit.model.features = nn.Sequential(*modules)

    wrong("missing-pool", half, "features")


def test_a_relu_put_back_in_one_block_only_is_no_cure():
    def half(exhibit):
        modules = list(exhibit.model.features)
        modules.insert(1, nn.ReLU())
        exhibit.model.features = nn.Sequential(*modules)

    wrong("missing-relu", half, "missing-relu")


def test_relus_put_back_behind_the_pools_too_are_harmless():
    def cure(exhibit):
        exhibit.model = vgg("D", **museum.SMALL)
        exhibit.model.avgpool = nn.ReLU()

    assert changed("missing-relu", cure)


def test_evaluation_mode_cures_before_one_has_looked_and_not_after():
    assert changed("batch-norm-in-training-mode", lambda e: e.model.eval())

    def too_late(exhibit):
        for _ in range(20):
            exhibit(exhibit.images[:40])
        exhibit.model.eval()

    wrong("batch-norm-in-training-mode", too_late, "Visit the room anew")


def test_one_batch_norm_in_evaluation_mode_is_no_cure():
    def half(exhibit):
        next(m for m in exhibit.model.modules() if isinstance(m, nn.BatchNorm2d)).eval()

    wrong("batch-norm-in-training-mode", half, "batch-norm-in-training-mode")


def test_one_dropout_switched_off_is_no_cure():
    def half(exhibit):
        next(m for m in exhibit.model.modules() if isinstance(m, nn.Dropout)).eval()

    wrong("dropout-on", half, "dropout-on")


def test_dropout_with_probability_zero_cures_too():
    def cure(exhibit):
        for module in exhibit.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    assert changed("dropout-on", cure)


def test_reversing_the_prepared_channels_leaves_the_means_in_the_wrong_order():
    wrong("bgr-for-rgb", lambda e: setattr(e, "prepare", lambda x: museum.normalize(x.flip(1)).flip(1)), "have means")


def test_a_preparation_in_one_s_own_words_cures():
    def prepare(images):
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        return ((images.permute(0, 2, 3, 1) / 255 - mean) / std).permute(0, 3, 1, 2)

    assert changed("bgr-for-rgb", lambda e: setattr(e, "prepare", prepare))


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda x: x.float(), "have means"),
        (lambda x: x.float() / 255, "deviation"),
        (museum.normalize, "deviation"),
        (lambda x: museum.subtract_mean(x.flip(1)).flip(1), "have means"),
        (lambda x: x, "have means"),
        (lambda x: museum.subtract_mean(x)[:, :1], "it made"),
        (lambda x: None, "it made NoneType"),
        (lambda x: museum.subtract_mean(x) * float("nan"), "nan"),
        (None, "raised TypeError"),
    ],
)
def test_half_a_preparation_is_no_cure(prepare, words):
    wrong("wrong-scale", lambda e: setattr(e, "prepare", prepare), words)


@pytest.mark.parametrize("scale", [lambda i, o: 2 / (i + o), lambda i, o: (1 / (i + o)) ** 0.5, lambda i, o: 0.1])
def test_another_deviation_is_no_cure(scale):
    def half(exhibit):
        for module in exhibit.model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                fans = module.weight[0].numel(), module.weight[:, 0].numel()
                nn.init.normal_(module.weight, 0, scale(*fans))

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        wrong("variance-as-deviation", half, "Glorot's deviation")


@pytest.mark.parametrize("draw", [nn.init.xavier_normal_, nn.init.xavier_uniform_])
@pytest.mark.parametrize("seed", range(5))
def test_glorot_s_deviation_cures_whatever_the_shape_of_the_distribution(draw, seed):
    def cure(exhibit):
        for module in exhibit.model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                draw(module.weight)

    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        assert changed("variance-as-deviation", cure)


def test_the_columns_in_the_reverse_of_the_right_order_are_no_cure():
    def half(exhibit):
        fc6 = exhibit.model.layers["fc6"]
        fc6.weight.data = fc6.weight.data.view(-1, 64, 2, 2).permute(0, 2, 3, 1).flatten(1)

    wrong("flatten-order", half, "fresh images")


def test_flattening_as_the_original_does_cures_as_well():
    assert changed("flatten-order", lambda e: setattr(e, "model", e.original.model))


def test_a_model_that_answers_with_something_else_is_no_cure():
    class Odd(nn.Module):
        def __init__(self, answer):
            super().__init__()
            self.answer = answer

        def forward(self, x):
            return self.answer(x)

    for answer in (lambda x: (x, x), lambda x: x, lambda x: None, lambda x: torch.full((len(x), 3), float("nan"))):
        for bug in ("missing-convolution", "dropout-on"):
            wrong(bug, lambda e, a=answer: setattr(e, "model", Odd(a)))


def test_the_checks_leave_no_trace():
    exhibit = museum.visit(BUGS["batch-norm-in-training-mode"])
    before = {name: value.clone() for name, value in exhibit.model.state_dict().items()}
    dice = torch.get_rng_state()
    check.cured(BUGS["batch-norm-in-training-mode"], exhibit)
    check.diagnosis(BUGS["dropout-on"], "dropout-on")
    assert exhibit.model.training
    assert all(torch.equal(before[name], value) for name, value in exhibit.model.state_dict().items())
    assert torch.equal(dice, torch.get_rng_state())
