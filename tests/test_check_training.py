"""What only the checkers of the training chapter do, and the wrong answers that they explain."""

import copy

import pytest
import torch
from torch.nn import functional

from vgg_course import check, results
from vgg_course.answers import Evaluation
from vgg_course.check.training import SPREADS
from vgg_course.history import Epoch, History
from vgg_course.training import Recipe


def statistics(images):
    pixels = images.float() / 255
    return pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))


def share(model, inputs, labels):
    mode = model.training
    model.eval()
    with torch.no_grad():
        logits = model(inputs)
    model.train(mode)
    return (logits.argmax(1) == labels).float().mean().item()


def flip(images, generator, other=lambda images: images.flip(3), chance=0.5):
    coins = torch.rand(len(images), generator=generator) < chance
    return torch.where(coins[:, None, None, None], other(images), images)


def test_both_ways_to_divide_the_squares_pass_and_lists_do_too():
    assert check.channel_statistics(lambda x: (statistics(x)[0], (x / 255).std((0, 2, 3), correction=0)))
    assert check.channel_statistics(lambda x: [part.tolist() for part in statistics(x)])


def test_a_share_in_a_tensor_passes():
    assert check.evaluated_accuracy(lambda *case: torch.tensor(share(*case)))


def test_a_net_that_is_taken_apart_is_no_crash():
    def takes_apart(model, inputs, labels):
        del model[1]
        return 1.0

    assert check.evaluated_accuracy(takes_apart).status == "wrong"


def test_a_copy_of_the_net_in_train_mode_leaves_no_trace_and_is_caught_all_the_same():
    def looks_at_a_copy(model, inputs, labels):
        with torch.no_grad():
            return (copy.deepcopy(model)(inputs).argmax(1) == labels).float().mean()

    assert check.evaluated_accuracy(looks_at_a_copy).status == "wrong"


def test_flipping_the_given_images_in_place_passes():
    def in_place(images, generator):
        coins = torch.rand(len(images), generator=generator) < 0.5
        images[coins] = images[coins].flip(3)
        return images

    assert check.random_flip(in_place)


def test_a_flip_that_is_none_is_drawn_beside_the_mirrored_image():
    assert "<table" in check.random_flip(lambda x, g: flip(x, g, lambda x: x.flip(2))).picture


def no_eval(model, inputs, labels):
    with torch.no_grad():
        return (model(inputs).argmax(1) == labels).float().mean().item()


def with_gradients(model, inputs, labels):
    mode = model.training
    logits = model.eval()(inputs)
    model.train(mode)
    return (logits.argmax(1) == labels).float().mean().item()


def left_in(mode):
    def attempt(model, inputs, labels):
        answer = share(model, inputs, labels)
        model.train(mode)
        return answer

    return attempt


def only_the_flag(model, inputs, labels):
    answer, mode = share(model, inputs, labels), model.training
    model.eval()
    model.training = mode
    return answer


def logits_in_eval(score):
    def attempt(model, inputs, labels):
        mode = model.training
        with torch.no_grad():
            logits = model.eval()(inputs)
        model.train(mode)
        return score(logits, labels)

    return attempt


def by(level):
    def attempt(images, generator):
        shape = [*images.shape[:level], *[1] * (4 - level)]
        return torch.where(torch.rand(shape, generator=generator) < 0.5, images.flip(3), images)

    return attempt


def one_coin(images, generator):
    return images.flip(3) if torch.rand((), generator=generator) < 0.5 else images


def every_second(images, generator):
    return torch.where(torch.arange(len(images))[:, None, None, None] % 2 == 1, images.flip(3), images)


def exactly_half(images, generator):
    images = images.clone()
    some = torch.randperm(len(images), generator=generator)[: len(images) // 2]
    images[some] = images[some].flip(3)
    return images


MEASURED = results.load("live_training")
BAND = MEASURED["test_accuracy"]


def finished(accuracy=BAND["mean"], trained=0.96, images=MEASURED["images"]["test"], **changes):
    recipe = Recipe(**MEASURED["recipe"] | {k: v for k, v in changes.items() if k in MEASURED["recipe"]})
    epoch = Epoch(recipe.epochs, 0.0, 0.3, trained, None, None, 1.0)
    history = History((epoch,), recipe, 0, "float32", "CPU", changes.get("drawn", False), changes.get("stopped", False))
    return history, Evaluation(images, 0.2, accuracy)


WRONG = [
    (check.channel_statistics, lambda x: (x.float().mean((0, 2, 3)), x.float().std((0, 2, 3))), "255 times too large"),
    (check.channel_statistics, lambda x: (statistics(x)[0], x.float().std((0, 2, 3))), "bring the deviation there"),
    (check.channel_statistics, lambda x: [255 / 256 * part for part in statistics(x)], "divided by 256"),
    (check.channel_statistics, lambda x: (statistics(x)[0], (x / 255).std((2, 3)).mean(0)), "how images differ"),
    (check.channel_statistics, lambda x: (statistics(x)[0], statistics(x)[1] ** 2), "take the square root"),
    (
        check.channel_statistics,
        lambda x: ((x / 255).mean((0, 2, 3)), ((x / 255) ** 2).mean((0, 2, 3)) ** 0.5),
        "mean off",
    ),
    (check.channel_statistics, lambda x: statistics(x)[::-1], "The mean comes first"),
    (check.channel_statistics, lambda x: ((x / 255).mean(), (x / 255).std()), "one number for all colors"),
    (
        check.channel_statistics,
        lambda x: ((x / 255).mean((2, 3)), (x / 255).std((2, 3))),
        "average over the images, too",
    ),
    (check.channel_statistics, lambda x: ((x / 255).mean(0), (x / 255).std(0)), "average over rows and columns, too"),
    (check.channel_statistics, lambda x: ((x / 255).mean((0, 1, 2)), (x / 255).std((0, 1, 2))), "they are the second"),
    (check.evaluated_accuracy, no_eval, "running statistics"),
    (check.evaluated_accuracy, with_gradients, "under torch.no_grad"),
    (check.evaluated_accuracy, left_in(False), "left the net in eval mode"),
    (check.evaluated_accuracy, left_in(True), "left the net in train mode"),
    (check.evaluated_accuracy, only_the_flag, "reaches all of them"),
    (check.evaluated_accuracy, lambda *case: 100 * share(*case), "in percent"),
    (check.evaluated_accuracy, lambda *case: len(case[2]) * share(*case), "That is a count"),
    (check.evaluated_accuracy, lambda *case: 1 - share(*case), "share of wrong answers"),
    (check.evaluated_accuracy, logits_in_eval(functional.cross_entropy), "mean loss"),
    (
        check.evaluated_accuracy,
        logits_in_eval(lambda logits, y: logits.softmax(1).amax(1).mean()),
        "how sure the net is",
    ),
    (check.random_flip, lambda x, g: flip(x, g, lambda x: x.flip(2)), "stand on their head"),
    (check.random_flip, lambda x, g: flip(x, g, lambda x: x.flip((2, 3))), "half a turn"),
    (check.random_flip, lambda x, g: flip(x, g, lambda x: x.flip(1)), "colors in another order"),
    (check.random_flip, lambda x, g: flip(x, g, lambda x: x.flip(0)), "batch in another order"),
    (check.random_flip, by(2), "channel has a coin"),
    (check.random_flip, by(3), "row has a coin"),
    (check.random_flip, by(4), "pixel has a coin"),
    (check.random_flip, lambda x, g: flip(x, None), "draw from `generator`"),
    (check.random_flip, lambda x, g: x, "none was ever mirrored"),
    (check.random_flip, lambda x, g: x.flip(3), "every one was mirrored"),
    (check.random_flip, one_coin, "one coin for the batch"),
    (check.random_flip, every_second, "always the same images"),
    (check.random_flip, lambda x, g: flip(x, torch.Generator().manual_seed(1)), "with `generator`"),
    (check.random_flip, exactly_half, "Coins do not count"),
    (check.random_flip, lambda x, g: flip(x, g, chance=0.2), "yours is smaller"),
    (check.random_flip, lambda x, g: flip(x, g, chance=0.8), "yours is larger"),
    (check.live_run, (None, finished()[1]), "hand over the History that fit returned"),
    (check.live_run, (finished()[0], 0.95), "hand over the Evaluation that evaluate returned"),
    (check.live_run, finished(1.0), "trained on what it is judged by"),
    (check.live_run, finished(1 / 3), "That is guessing"),
    (check.live_run, finished(0.85), "Judge it in eval mode"),
    (check.live_run, finished(0.85, trained=0.86), "It learned too little"),
]


@pytest.mark.parametrize("accuracy", BAND["values"])
def test_our_own_runs_lie_in_the_band(accuracy):
    assert check.live_run(*finished(accuracy))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"epochs": 2}, "yours has epochs = 2"),
        ({"images": 100}, "you judged 100 images"),
        ({"drawn": True}, "drawn stand-ins"),
        ({"stopped": True}, "stopped after 1 epochs"),
    ],
)
def test_a_run_that_the_band_says_nothing_about_is_not_judged(run, words):
    verdict = check.live_run(*finished(**run))
    assert verdict.status == "not attempted"
    assert words in verdict.message


def test_three_spreads_are_a_prediction_interval_for_the_sixth_of_five_runs():
    runs = torch.randn(200_000, 6, generator=torch.Generator().manual_seed(0))
    five, sixth = runs[:, :5], runs[:, 5]
    inside = (sixth - five.mean(1)).abs() <= SPREADS * five.std(1)
    assert 0.945 < inside.float().mean() < 0.955
