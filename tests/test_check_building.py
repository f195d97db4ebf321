"""The checkers of the chapter that builds VGG three times have teeth."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vgg_course import check

# --- modules ---


def block(in_channels, out_channels, convolutions, **options):
    layers = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(in_channels, out_channels, 3, padding=1, **options), nn.ReLU()]
        in_channels = out_channels
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def from_image_each_time(a, b, n):
    return nn.Sequential(*[module for _ in range(n) for module in block(a, b, 1)[:2]], nn.MaxPool2d(2))


def layers_from(words, padding=lambda kernel: kernel // 2):
    layers, channels = [], 3
    for word in words.split():
        if word == "maxpool":
            layers.append(nn.MaxPool2d(2))
        else:
            kernel, out = map(int, word[4:].split("-"))
            layers += [nn.Conv2d(channels, out, kernel, padding=padding(kernel)), nn.ReLU()]
            channels = out
    return nn.Sequential(*layers)


# --- functions ---


def convolve(parameters, name, x, padding=1, biased=True):
    bias = parameters[f"{name}.bias"] if biased else None
    return F.conv2d(x, parameters[f"{name}.weight"], bias, padding=padding)


def names(block, convolutions):
    return [f"conv{block}_{n + 1}" for n in range(convolutions)]


def forward(parameters, block, convolutions, x, step=lambda p, n, x: convolve(p, n, x).relu()):
    for name in names(block, convolutions):
        x = step(parameters, name, x)
    return F.max_pool2d(x, 2)


def with_step(step):
    return lambda p, b, n, x: forward(p, b, n, x, step)


def until_the_pool(parameters, block, convolutions, x):
    for name in names(block, convolutions):
        x = convolve(parameters, name, x).relu()
    return x


def all_but_the_last_relu(parameters, block, convolutions, x):
    *first, last = names(block, convolutions)
    return F.max_pool2d(convolve(parameters, last, until_the_pool(parameters, block, len(first), x)), 2)


def relu_behind_the_pool(parameters, block, convolutions, x):
    return all_but_the_last_relu(parameters, block, convolutions, x).relu()


def a_pool_each_time(parameters, block, convolutions, x):
    for name in names(block, convolutions):
        x = F.max_pool2d(convolve(parameters, name, x).relu(), 2)
    return x


def one_relu(parameters, block, convolutions, x):
    return forward(parameters, block, convolutions, x, convolve).relu()


def late_bias(parameters, name, x):
    return convolve(parameters, name, x, biased=False).relu() + parameters[f"{name}.bias"][:, None, None]


def as_stored(parameters, block, convolutions, x):
    for key in parameters:
        if key.startswith(f"conv{block}_") and key.endswith("weight"):
            x = convolve(parameters, key.removesuffix(".weight"), x).relu()
    return F.max_pool2d(x, 2)


def whatever_comes(parameters, block, convolutions, x):
    tensors = list(parameters.values())
    for i in range(convolutions):
        x = F.conv2d(x, tensors[2 * i], tensors[2 * i + 1], padding=1).relu()
    return F.max_pool2d(x, 2)


def in_reverse(parameters, block, convolutions, x):
    for name in names(block, convolutions)[::-1]:
        x = convolve(parameters, name, x).relu()
    return F.max_pool2d(x, 2)


def emptying_the_dictionary(parameters, block, convolutions, x):
    for name in names(block, convolutions):
        x = F.conv2d(x, parameters.pop(f"{name}.weight"), parameters.pop(f"{name}.bias"), padding=1).relu_()
    return F.max_pool2d(x, 2)


def torchs(x, n, k, alpha, beta):
    return F.local_response_norm(x, n, alpha, beta, k)


def published(x, n, k, alpha, beta):
    return F.local_response_norm(x, n, alpha=alpha * n, beta=beta, k=k)


SOLUTIONS = {
    check.conv_block: block,
    check.feature_layers: layers_from,
    check.block_forward: forward,
    check.published_lrn: published,
}


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
def test_the_solution_passes(checker):
    verdict = checker(SOLUTIONS[checker])
    assert verdict, verdict


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("checker", [check.block_forward, check.published_lrn], ids=lambda c: c.__name__)
def test_the_solution_passes_with_any_weights(checker, seed):
    assert checker(SOLUTIONS[checker], seed)


@pytest.mark.parametrize("attempt", [relu_behind_the_pool, emptying_the_dictionary])
def test_another_way_to_the_same_numbers_passes(attempt):
    verdict = check.block_forward(attempt)
    assert verdict, verdict


@pytest.mark.parametrize("checker", SOLUTIONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda *a: "many", "returned"),
        (lambda *a: True, "returned"),
        (lambda *a: float("nan"), "returned"),
        (lambda *a: [], ""),
        (lambda *a: {}, "returned"),
        (lambda *a: torch.zeros(()), "returned"),
        (lambda *a: torch.full((2, 4, 2, 2), float("nan")), ""),
        (lambda *a: torch.zeros(2, dtype=torch.complex64), "returned"),
    ],
)
def test_what_is_no_answer_is_wrong_and_never_crashes(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message


MISTAKES = [
    (check.conv_block, lambda a, b, n: nn.Sequential(*[m for m in block(a, b, n) if not isinstance(m, nn.ReLU)]), "'ReLU'"),
    (check.conv_block, lambda a, b, n: block(a, b, n)[:-1], "'max-pool'"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*block(a, b, n)[:-1], nn.AvgPool2d(2)), "'max-pool'"),
    (check.conv_block, lambda a, b, n: block(a, b, 2), "'convolution'"),
    (check.conv_block, lambda a, b, n: list(block(a, b, n)), "plain list"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*reversed(block(a, b, n))), "order is convolution"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*block(a, b, n), nn.Dropout()), "too many"),
    (check.conv_block, lambda a, b, n: block(a, b, n, bias=False), "has a bias"),
    (check.conv_block, lambda a, b, n: block(a, b, n, dilation=2), "dilation 2, not 1"),
    (check.conv_block, from_image_each_time, "takes in what the one before"),
    (check.feature_layers, lambda words: layers_from(words, lambda kernel: 1), "0 for 1x1"),
    (check.feature_layers, lambda words: layers_from(words, lambda kernel: 0), "padding"),
    (check.feature_layers, lambda words: layers_from(words.replace("conv1", "conv3")), "kernel 3, not 1"),
    (check.block_forward, with_step(convolve), "There is no ReLU"),
    (check.block_forward, one_relu, "behind the last convolution only"),
    (check.block_forward, all_but_the_last_relu, "The last convolution has no ReLU"),
    (check.block_forward, with_step(lambda p, n, x: convolve(p, n, x.relu())), "ReLU comes before"),
    (check.block_forward, with_step(lambda p, n, x: convolve(p, n, x, padding=0).relu()), "padding is missing"),
    (check.block_forward, with_step(lambda p, n, x: convolve(p, n, x, biased=False).relu()), "biases are missing"),
    (check.block_forward, with_step(late_bias), "before the ReLU, not behind"),
    (check.block_forward, until_the_pool, "The pool is missing"),
    (check.block_forward, lambda p, b, n, x: F.avg_pool2d(until_the_pool(p, b, n, x), 2), "takes the mean"),
    (check.block_forward, lambda p, b, n, x: F.max_pool2d(until_the_pool(p, b, n, x), 2, 1), "its stride is 2"),
    (check.block_forward, a_pool_each_time, "a block has one, at its end"),
    (check.block_forward, as_stored, "order in which the dictionary"),
    (check.block_forward, in_reverse, "in reverse"),
    (check.block_forward, whatever_comes, "differ by"),
    (check.block_forward, lambda p, b, n, x: forward(p, b, 1, x), "Only the first convolution"),
    (check.block_forward, lambda p, b, n, x: forward(p, b, n - 1, x), "ends one too early"),
    (check.block_forward, lambda p, b, n, x: forward(p, 1, n, x), "always take block 1"),
    (check.block_forward, lambda p, b, n, x: forward(p, b, n, x)[0], "returned the shape"),
    (check.block_forward, lambda p, b, n, x: forward({}, b, n, x), "raised KeyError"),
    (check.published_lrn, torchs, "Undo it"),
    (check.published_lrn, lambda x, n, k, a, b: torchs(x, n, k, a / n, b), "divide alpha by n once more"),
    (check.published_lrn, lambda x, n, k, a, b: torchs(x, n, k, 5 * a, b), "right for n = 5 only"),
    (check.published_lrn, lambda x, n, k, a, b: torchs(x, n, k, n * n * a, b), "not n squared"),
    (check.published_lrn, lambda x, n, k, a, b: torchs(x, n, n * k, a, b), "k is not the one"),
    (check.published_lrn, lambda x, n, k, a, b: F.local_response_norm(x, n, k, a * n, b), "order is"),
    (check.published_lrn, lambda x, n, k, a, b: F.local_response_norm(x, n, k, a, b), "order is"),
    (check.published_lrn, lambda x, n, k, a, b: F.local_response_norm(x, n, a * n, b), "k is missing"),
    (check.published_lrn, lambda x, n, k, a, b: F.local_response_norm(x, n, a * n, k=k), "beta is missing"),
    (check.published_lrn, lambda x, n, k, a, b: F.local_response_norm(x, n, a * n), "beta and k are missing"),
    (check.published_lrn, lambda x, n, k, a, b: x, "differ by|not"),
]  # fmt: skip


@pytest.mark.parametrize(("checker", "attempt", "words"), MISTAKES)
def test_a_usual_mistake_is_caught_and_named(checker, attempt, words):
    verdict = checker(attempt)
    assert verdict.status == "wrong"
    assert re.search(words, verdict.message), verdict.message


def test_every_forward_pass_through_the_first_weights_is_named():
    def always_the_first(parameters, block, convolutions, x):
        for _ in range(convolutions):
            x = convolve(parameters, f"conv{block}_1", x).relu()
        return F.max_pool2d(x, 2)

    assert "count up in the name" in check.block_forward(always_the_first).message


def test_a_verdict_on_a_dictionary_of_tensors_is_short():
    message = check.block_forward(with_step(convolve)).message
    assert "conv1_1.weight: <4x4x3x3 numbers>" in message
    assert len(message) < 300


def test_a_stride_that_torch_takes_from_the_kernel_is_right():
    assert check.conv_block(lambda a, b, n: block(a, b, n))


def test_same_padding_and_tuples_are_right_too():
    def spelled_differently(in_channels, out_channels, convolutions):
        layers = []
        for _ in range(convolutions):
            layers += [nn.Conv2d(in_channels, out_channels, (3, 3), padding="same"), nn.ReLU(inplace=True)]
            in_channels = out_channels
        return nn.Sequential(*layers, nn.MaxPool2d((2, 2), (2, 2)))

    assert check.conv_block(spelled_differently)
