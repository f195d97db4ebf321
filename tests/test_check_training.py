"""The checkers of the training chapter: the solution passes, the stub is told apart, mistakes are named."""

import pytest
import torch

from vgg_course.check import training as check


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
