"""The museum's checkers accept the right diagnosis and cure, and reject each wrong one with a reason."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from vgg_course import check, museum
from vgg_course.configuration import Configuration
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


def half(bug, change):
    """What ``check.cured`` is handed: the room, and a function that returns the exhibit after half a repair."""

    def exhibit():
        found = visit(bug)
        change(found)
        return found

    return BUGS[bug], exhibit


def one_more_convolution_in_the_wrong_block(exhibit):
    words = "conv3-8 conv3-8 maxpool conv3-16 conv3-16 maxpool conv3-32 conv3-32 maxpool conv3-64 conv3-64 conv3-64 "
    words += "conv3-64 maxpool conv3-64 conv3-64 conv3-64 maxpool FC-128 FC-128 FC-3"
    exhibit.model = vgg(Configuration.parse(words, "D", input_size=64))


def a_new_net(exhibit):
    exhibit.model = vgg("A", **museum.SMALL).eval()


def left_in_training_mode(exhibit):
    model = vgg("A", **museum.SMALL)
    model.load_state_dict(exhibit.model.state_dict())
    exhibit.model = model


def one_padded(exhibit):
    exhibit.model.features[0].padding = (1, 1)


def inserted(module, place):
    def change(exhibit):
        modules = list(exhibit.model.features)
        modules.insert(place, module)
        exhibit.model.features = nn.Sequential(*modules)

    return change


def one_evaluates(kind):
    return lambda exhibit: next(m for m in exhibit.model.modules() if isinstance(m, kind)).eval()


def looked_before_the_repair(exhibit):
    for _ in range(20):
        exhibit(exhibit.images[:40])
    exhibit.model.eval()


def drawn_with(deviation):
    def change(exhibit):
        for module in exhibit.model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, 0, deviation(module.weight[0].numel(), module.weight[:, 0].numel()))

    return change


def columns_turned_the_other_way(exhibit):
    fc6 = exhibit.model.layers["fc6"]
    fc6.weight.data = fc6.weight.data.view(-1, 64, 2, 2).permute(0, 2, 3, 1).flatten(1)


def prepared(prepare):
    return lambda exhibit: setattr(exhibit, "prepare", prepare)


WRONG = [
    (check.diagnosis, (1, "missing-relu"), "the smallest that enters"),
    (check.diagnosis, (1, "missing-pool"), "has 5 pools, and 5 ran"),
    (check.diagnosis, (1, "no-padding"), "takes 2 pixels off a side; 0 of"),
    (check.diagnosis, (1, "shared-weights"), "weight tensors of their own"),
    (check.diagnosis, (1, "bgr-for-rgb"), "could matter only to trained weights"),
    (check.diagnosis, (2, "softmax-twice"), "answers that sum to 1 for every image"),
    (check.diagnosis, (2, "dropout-on"), "asked about twice"),
    (check.diagnosis, (2, "bgr-for-rgb"), "undone, the share of right answers goes from"),
    (check.cured, half("missing-convolution", one_more_convolution_in_the_wrong_block), r"features.14.weight.*\(32, 32, 3, 3\)"),
    *(
        (check.cured, half(bug, a_new_net), "on 60 fresh images its answers differ")
        for bug in ("relu-on-logits", "softmax-twice", "dropout-on", "flatten-order")
    ),
    (check.cured, half("relu-on-logits", left_in_training_mode), "Still there: dropout-on"),
    (check.cured, half("no-padding", one_padded), "12 of 13"),
    (check.cured, half("missing-pool", inserted(nn.MaxPool2d(2), 2)), "its tensor features"),
    (check.cured, half("missing-relu", inserted(nn.ReLU(), 1)), "Still there: missing-relu"),
    (check.cured, half("batch-norm-in-training-mode", looked_before_the_repair), "Visit the room anew"),
    (check.cured, half("batch-norm-in-training-mode", one_evaluates(nn.BatchNorm2d)), "Still there: batch-norm-in-training"),
    (check.cured, half("dropout-on", one_evaluates(nn.Dropout)), "Still there: dropout-on"),
    (check.cured, half("bgr-for-rgb", prepared(lambda x: museum.normalize(x.flip(1)).flip(1))), "have means"),
    (check.cured, half("wrong-scale", prepared(lambda x: x.float())), "have means"),
    (check.cured, half("wrong-scale", prepared(lambda x: x.float() / 255)), "their deviation is"),
    (check.cured, half("wrong-scale", prepared(museum.normalize)), "their deviation is"),
    (check.cured, half("wrong-scale", prepared(lambda x: museum.subtract_mean(x.flip(1)).flip(1))), "have means"),
    (check.cured, half("wrong-scale", prepared(lambda x: x)), "have means"),
    (check.cured, half("wrong-scale", prepared(lambda x: museum.subtract_mean(x)[:, :1])), "prepare must make"),
    (check.cured, half("wrong-scale", prepared(lambda x: None)), "it made NoneType"),
    (check.cured, half("wrong-scale", prepared(lambda x: museum.subtract_mean(x) * float("nan"))), "nan"),
    (check.cured, half("wrong-scale", prepared(None)), "raised TypeError"),
    *(
        (check.cured, half("variance-as-deviation", drawn_with(deviation)), "Glorot's deviation")
        for deviation in (lambda i, o: 2 / (i + o), lambda i, o: (1 / (i + o)) ** 0.5, lambda i, o: 0.1)
    ),
    (check.cured, half("flatten-order", columns_turned_the_other_way), "on 60 fresh images its answers differ"),
]  # fmt: skip


def test_the_prepared_images_are_drawn_beside_the_right_ones():
    assert "<img" in check.cured(*half("wrong-scale", prepared(lambda x: x))).picture


def test_a_model_alone_may_be_handed_over():
    assert check.cured(BUGS["missing-convolution"], vgg("D", **museum.SMALL))


def test_taking_the_relu_off_by_building_the_net_anew_cures():
    def cure(exhibit):
        model = vgg("A", **museum.SMALL)
        model.load_state_dict(exhibit.model.state_dict())
        exhibit.model = model.eval()

    assert changed("relu-on-logits", cure)
    assert changed("softmax-twice", cure)


def test_padding_all_convolutions_cures():
    def cure(exhibit):
        for layer in exhibit.model.features:
            if isinstance(layer, nn.Conv2d):
                layer.padding = (1, 1)

    assert changed("no-padding", cure)


def test_relus_put_back_behind_the_pools_too_are_harmless():
    def cure(exhibit):
        exhibit.model = vgg("D", **museum.SMALL)
        exhibit.model.avgpool = nn.ReLU()

    assert changed("missing-relu", cure)


def test_evaluation_mode_cures_before_one_has_looked():
    assert changed("batch-norm-in-training-mode", lambda e: e.model.eval())


def test_dropout_with_probability_zero_cures_too():
    def cure(exhibit):
        for module in exhibit.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    assert changed("dropout-on", cure)


def test_a_preparation_in_one_s_own_words_cures():
    def prepare(images):
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        return ((images.permute(0, 2, 3, 1) / 255 - mean) / std).permute(0, 3, 1, 2)

    assert changed("bgr-for-rgb", lambda e: setattr(e, "prepare", prepare))


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


def test_flattening_as_the_original_does_cures_as_well():
    assert changed("flatten-order", lambda e: setattr(e, "model", e.original.model))


class Odd(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    "answer", [lambda x: (x, x), lambda x: x, lambda x: None, lambda x: torch.full((len(x), 3), float("nan"))]
)
@pytest.mark.parametrize("bug", ["missing-convolution", "dropout-on"])
def test_a_model_that_answers_with_something_else_is_no_cure(bug, answer):
    assert check.cured(*half(bug, lambda exhibit: setattr(exhibit, "model", Odd(answer)))).status == "wrong"


def test_the_checks_leave_no_trace():
    exhibit = museum.visit(BUGS["batch-norm-in-training-mode"])
    before = {name: value.clone() for name, value in exhibit.model.state_dict().items()}
    dice = torch.get_rng_state()
    check.cured(BUGS["batch-norm-in-training-mode"], exhibit)
    check.diagnosis(BUGS["dropout-on"], "dropout-on")
    assert exhibit.model.training
    assert all(torch.equal(before[name], value) for name, value in exhibit.model.state_dict().items())
    assert torch.equal(dice, torch.get_rng_state())
