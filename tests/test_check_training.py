"""The checkers of the training chapter: the solution passes, the stub is told apart, mistakes are named."""

import pytest
import torch

from vgg_course import results
from vgg_course.answers import Evaluation
from vgg_course.check import training as check
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


def flip(images, generator):
    coins = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(coins[:, None, None, None], images.flip(3), images)


SOLUTIONS = {check.channel_statistics: statistics, check.evaluated_accuracy: share, check.random_flip: flip}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
def test_the_solution_passes(checker):
    assert checker(SOLUTIONS[checker]), checker(SOLUTIONS[checker])


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (3, "the function itself"),
        (lambda *_: "x", ""),
    ],
)
def test_nonsense_is_wrong_and_raises_nothing(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message


def no_eval(model, inputs, labels):
    return (model(inputs).argmax(1) == labels).float().mean().item()


def mode_forgotten(model, inputs, labels):
    model.eval()
    return (model(inputs).argmax(1) == labels).float().mean().item()


def always_train_afterwards(model, inputs, labels):
    answer = mode_forgotten(model, inputs, labels)
    model.train()
    return answer


def with_graph(model, inputs, labels):
    mode = model.training
    answer = model.eval()(inputs)[:, 0].mean()
    model.train(mode)
    return answer


def one_coin(images, generator):
    return images.flip(3) if torch.rand((), generator=generator) < 2 else images


def upside_down(images, generator):
    return torch.where(
        (torch.rand(len(images), generator=generator) < 0.5)[:, None, None, None], images.flip(2), images
    )


def global_coins(images, generator):
    return flip(images, torch.Generator().manual_seed(int(torch.randint(10**6, ()))))


def rarely(images, generator):
    return torch.where(
        (torch.rand(len(images), generator=generator) < 0.05)[:, None, None, None], images.flip(3), images
    )


@pytest.mark.parametrize(
    ("checker", "attempt", "words"),
    [
        (
            check.channel_statistics,
            lambda x: (x.float().mean((0, 2, 3)), x.float().std((0, 2, 3))),
            "255 times too large",
        ),
        (check.channel_statistics, lambda x: (statistics(x)[0], (x / 255).std((2, 3)).mean(0)), "how images differ"),
        (check.channel_statistics, lambda x: (statistics(x)[0], statistics(x)[1] ** 2), "variance"),
        (check.channel_statistics, lambda x: ((x / 255).mean(), (x / 255).std()), "not (3,)"),
        (check.channel_statistics, lambda x: ((x / 255).mean((2, 3)), (x / 255).std((2, 3))), "not (3,)"),
        (check.channel_statistics, lambda x: (1 - statistics(x)[0], statistics(x)[1]), "the mean is"),
        (check.channel_statistics, lambda x: (statistics(x)[0], 2 * statistics(x)[1]), "std is"),
        (check.evaluated_accuracy, no_eval, "running statistics"),
        (check.evaluated_accuracy, mode_forgotten, "Put it back"),
        (check.evaluated_accuracy, always_train_afterwards, "Put it back"),
        (check.evaluated_accuracy, with_graph, "no_grad"),
        (check.evaluated_accuracy, lambda *a: 100 * share(*a), "percent"),
        (check.evaluated_accuracy, lambda *a: 7 * share(*a), "count"),
        (check.evaluated_accuracy, lambda *a: 0.5, "not 0.7143"),
        (check.random_flip, one_coin, "one coin for the batch"),
        (check.random_flip, lambda x, g: x, "no image was mirrored"),
        (check.random_flip, upside_down, "stand on their head"),
        (check.random_flip, global_coins, "draw from `generator`"),
        (check.random_flip, rarely, "about half"),
        (check.random_flip, lambda x, g: x[:3], "same shape"),
        (check.random_flip, lambda x, g: x + 1, "neither"),
    ],
)
def test_a_mistake_is_named(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message


# --- a run against runs like it ---

MEASURED = results.load("live_training")
BAND = MEASURED["test_accuracy"]


def finished(accuracy=BAND["mean"], trained=0.96, images=MEASURED["images"]["test"], **changes):
    recipe = Recipe(**MEASURED["recipe"] | {k: v for k, v in changes.items() if k in MEASURED["recipe"]})
    epoch = Epoch(recipe.epochs, 0.0, 0.3, trained, None, None, 1.0)
    history = History((epoch,), recipe, 0, "float32", "CPU", changes.get("drawn", False), changes.get("stopped", False))
    return history, Evaluation(images, 0.2, accuracy)


@pytest.mark.parametrize("accuracy", BAND["values"])
def test_our_own_runs_lie_in_the_band(accuracy):
    assert check.live_run(*finished(accuracy))


@pytest.mark.parametrize(
    ("run", "status", "words"),
    [
        ({"accuracy": 1.0}, "wrong", "trained on what it is judged by"),
        ({"accuracy": 1 / 3}, "wrong", "guessing"),
        ({"accuracy": 0.85}, "wrong", "eval mode"),
        ({"accuracy": 0.85, "trained": 0.86}, "wrong", "learned too little"),
        ({"epochs": 2}, "not attempted", "yours has epochs = 2"),
        ({"images": 100}, "not attempted", "you judged 100 images"),
        ({"drawn": True}, "not attempted", "drawn stand-ins"),
        ({"stopped": True}, "not attempted", "stopped after 1 epochs"),
    ],
)
def test_a_run_outside_the_band_is_told_where_to_look(run, status, words):
    verdict = check.live_run(*finished(**run))
    assert verdict.status == status
    assert words in verdict.message


def test_something_else_than_a_run_is_told_so():
    history, test = finished()
    assert "History that fit returned" in check.live_run(None, test).message
    assert "Evaluation that evaluate returned" in check.live_run(history, 0.95).message


def test_three_spreads_are_a_prediction_interval_for_the_sixth_of_five_runs():
    runs = torch.randn(200_000, 6, generator=torch.Generator().manual_seed(0))
    five, sixth = runs[:, :5], runs[:, 5]
    inside = (sixth - five.mean(1)).abs() <= check.SPREADS * five.std(1)
    assert 0.945 < inside.float().mean() < 0.955
