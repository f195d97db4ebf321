"""The checkers of the chapter that builds VGG three times have teeth."""

import re

import pytest
from torch import nn
from torch.nn import functional as F

from vgg_course import check

# --- modules ---


def block(in_channels, out_channels, convolutions, padding=1, **options):
    layers = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(in_channels, out_channels, 3, padding=padding, **options), nn.ReLU()]
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


def without(kind, layers):
    return nn.Sequential(*(layer for layer in layers if not isinstance(layer, kind)))


def one_relu_at_the_end(a, b, n):
    return nn.Sequential(*without(nn.ReLU, block(a, b, n))[:-1], *block(a, b, 1)[1:])


def pooled_each_time(a, b, n):
    return nn.Sequential(*block(a, b, 1), *(m for _ in range(n - 1) for m in block(b, b, 1)))


def relu_first(a, b, n):
    convolutions = without(nn.ReLU, block(a, b, n))[:-1]
    return nn.Sequential(*(m for conv in convolutions for m in (nn.ReLU(), conv)), nn.MaxPool2d(2))


def normalized(a, b, n):
    return nn.Sequential(
        *(m for conv in block(a, b, n) for m in ([conv, nn.BatchNorm2d(b)] if isinstance(conv, nn.Conv2d) else [conv]))
    )


def always_from_three(words):
    return nn.Sequential(*(layer for word in words.split() for layer in layers_from(word)))


def relu_behind_every_word(words):
    layers = layers_from(words)
    return nn.Sequential(
        *(m for layer in layers for m in ([layer, nn.ReLU()] if isinstance(layer, nn.MaxPool2d) else [layer]))
    )


def relu_behind_3x3_only(words):
    layers = list(layers_from(words))
    return nn.Sequential(
        *(
            b
            for a, b in zip([None, *layers], layers, strict=False)
            if not (isinstance(b, nn.ReLU) and a.kernel_size == (1, 1))
        )
    )


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


def always_the_first(parameters, block, convolutions, x):
    for _ in range(convolutions):
        x = convolve(parameters, f"conv{block}_1", x).relu()
    return F.max_pool2d(x, 2)


WRONG = [
    (check.conv_block, lambda a, b, n: without(nn.ReLU, block(a, b, n)), "There is no ReLU"),
    (check.conv_block, one_relu_at_the_end, "last convolution only"),
    (check.conv_block, relu_first, "comes before each convolution"),
    (check.conv_block, lambda a, b, n: block(a, b, n)[:-1], "There is no pool"),
    (check.conv_block, pooled_each_time, "a pool behind every convolution"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*block(a, b, n)[:-1], nn.AvgPool2d(2)), "takes the mean"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*block(a, b, n)[:-1], nn.MaxPool2d(2, 1)), "its stride is 2"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*block(a, b, n)[:-1], nn.MaxPool2d(3, 2)), "pools overlap"),
    (check.conv_block, lambda a, b, n: block(a, b, n, padding=0), "padding is missing"),
    (check.conv_block, lambda a, b, n: block(a, b, n, bias=False), "biases are missing"),
    (check.conv_block, normalized, "batch normalization"),
    (check.conv_block, from_image_each_time, "takes in what the one before"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*block(a, a, n - 1)[:-1], *block(a, b, 1)), "channels grow at the last"),
    (check.conv_block, lambda a, b, n: block(a, b, 1), "You build one convolution"),
    (check.conv_block, lambda a, b, n: block(a, b, 2), "You build two convolutions"),
    (check.conv_block, lambda a, b, n: block(a, b, n - 1), "ends one too early"),
    (check.conv_block, lambda a, b, n: nn.Sequential(*list(block(a, b, 1)[:2]) * n, nn.MaxPool2d(2)), "shares its weights"),
    (check.conv_block, lambda a, b, n: list(block(a, b, n)), "nn.Sequential(*layers)"),
    (check.feature_layers, lambda words: without(nn.ReLU, layers_from(words)), "There is no ReLU"),
    (check.feature_layers, lambda words: without(nn.MaxPool2d, layers_from(words)), "There is no pool"),
    (check.feature_layers, lambda words: layers_from(words, lambda kernel: 1), "0 for 1x1"),
    (check.feature_layers, lambda words: layers_from(words, lambda kernel: 0), "padding is missing"),
    (check.feature_layers, lambda words: layers_from(words.replace("conv1", "conv3")), "Every kernel of yours is 3x3"),
    (check.feature_layers, always_from_three, "takes in three channels"),
    (check.feature_layers, relu_behind_every_word, "A pool needs none"),
    (check.feature_layers, relu_behind_3x3_only, "A 1x1 convolution is followed by a ReLU, too"),
    (check.feature_layers, lambda words: layers_from(words.replace(" maxpool", "") + " maxpool"), "one pool, at the end"),
    (check.feature_layers, lambda words: layers_from(words.split()[0]), "return inside the loop"),
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
    (check.block_forward, lambda p, b, n, x: forward(p, b, 1, x), "Only the first convolution"),
    (check.block_forward, lambda p, b, n, x: forward(p, b, n - 1, x), "ends one too early"),
    (check.block_forward, lambda p, b, n, x: forward(p, 1, n, x), "always take block 1"),
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
    (check.block_forward, always_the_first, "count up in the name"),
]  # fmt: skip


@pytest.mark.parametrize("attempt", [relu_behind_the_pool, emptying_the_dictionary])
def test_another_way_to_the_same_numbers_passes(attempt):
    verdict = check.block_forward(attempt)
    assert verdict, verdict


def test_a_verdict_on_a_dictionary_of_tensors_is_short():
    message = check.block_forward(with_step(convolve)).message
    assert "on (parameters=those of conv1_1, block=1, convolutions=1, x=<2x4x4x4 numbers>) the shape" in message
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


def test_one_relu_for_all_places_is_right():
    relu = nn.ReLU()

    def sharing_what_has_no_weights(in_channels, out_channels, convolutions):
        layers = block(in_channels, out_channels, convolutions)
        return nn.Sequential(*(relu if isinstance(layer, nn.ReLU) else layer for layer in layers))

    assert check.conv_block(sharing_what_has_no_weights)


def test_blocks_in_blocks_are_right():
    assert check.conv_block(lambda a, b, n: nn.Sequential(block(a, b, n)[:-1], nn.Sequential(nn.MaxPool2d(2))))


class Skipping(nn.Module):
    """Has the right layers and runs them as it likes."""

    def __init__(self, layers, forward):
        super().__init__()
        self.layers, self.forward = layers, forward


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda x: x, r"became \(2, 3, 16, 16\), not \(2, 8, 8, 8\)"),
        (lambda x: None, "the forward pass raised AttributeError"),
        (lambda x: 1 / 0, "the forward pass raised ZeroDivisionError"),
    ],
)
def test_the_right_layers_must_be_run_too(forward, words):
    verdict = check.conv_block(lambda a, b, n: Skipping(block(a, b, n), forward))
    assert verdict.status == "wrong"
    assert re.search(words, verdict.message), verdict.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda layers: [*layers, nn.Dropout()], "it has 4 modules, not 3: 'Dropout' is too many"),
        (lambda layers: [layers[0], layers[2], layers[1]], "module 1 is 'max-pool'; 'ReLU' belongs there"),
        (lambda layers: [nn.Conv2d(3, 8, 3, padding=1, dilation=2), *layers[1:]], "dilation 2, not 1"),
        (lambda layers: [*layers, nn.ReLU()], "it has 2 of the layer 'ReLU', not 1"),
    ],
)
def test_a_rare_mistake_is_told_what_differs_first(change, words):
    verdict = check.conv_block(lambda a, b, n: nn.Sequential(*change(list(block(a, b, n)))))
    assert verdict.status == "wrong"
    assert words in verdict.message


def test_a_module_that_was_never_made_is_no_crash():
    class Bare(nn.Module):
        def __init__(self):
            pass

    assert "nn.Sequential is wanted" in check.conv_block(lambda a, b, n: Bare()).message
