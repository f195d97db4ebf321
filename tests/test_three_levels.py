"""Same weights in, same logits out: functions and a dictionary, our modules, and torchvision's, in float64.

What is compared is rounding against mistakes. An output of a layer is a sum of n products; added up in another order it is
off by at most n * epsilon times the sum of their sizes. The longest sum here has 25,088 terms (fc6 of the full net), so
6e-12 would be the worst of one layer; errors of either sign cancel, and what is measured is 1e-15. A forgotten bias or
ReLU costs 1e-2. The tolerance lies between: 1e-12 of the largest value.
"""

import os
from functools import cache

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models import vgg as library

from vgg_course.configuration import CONFIGURATIONS, Configuration, Conv, Linear, LocalResponseNorm, MaxPool
from vgg_course.model import VGG, vgg

TOLERANCE = 1e-12
TORCHVISIONS = ("A", "B", "D", "E")


def assert_same(one, other, what="logits"):
    assert one.shape == other.shape
    assert one.dtype == other.dtype == torch.float64
    largest = other.abs().max()
    assert 0 < largest < float("inf"), f"{what} are all zero or not finite: there is nothing to compare"
    difference = ((one - other).abs().max() / largest).item()
    assert difference < TOLERANCE, f"{what} are {difference:.1e} apart"


def random_images(seed, size, batch=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, size, size, generator=generator, dtype=torch.float64)


@torch.no_grad()
def drawn(configuration, seed):
    """Our net in float64, every tensor drawn: biases and batch norms are not what a fresh net has."""
    generator = torch.Generator().manual_seed(seed)
    model = VGG(configuration, initialization="he", generator=generator).double().eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
        elif name.endswith(("bias", "running_mean")):
            tensor.normal_(generator=generator)
        elif tensor.ndim == 1:  # a batch norm's scale
            tensor.uniform_(0.5, 1.5, generator=generator)
    return model


# --- the levels, spelled anew: nothing of the package but the table itself ---


def as_dictionary(model):
    """The paper's names, by counting: the nth convolution or fully-connected layer of the net is the nth of the table."""
    names = [layer.name for layer in model.configuration if isinstance(layer.spec, Conv | Linear)]
    modules = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(names) == len(modules)
    found = {}
    for name, module in zip(names, modules, strict=True):
        found |= {f"{name}.weight": module.weight.detach(), f"{name}.bias": module.bias.detach()}
    for name, norm in zip(names, norms, strict=False):
        found[f"{name}.norm"] = (norm.running_mean, norm.running_var, norm.weight.detach(), norm.bias.detach())
    return found


def normalized(a, spec):
    """Krizhevsky et al. (2012), section 3.3, channel by channel."""
    b = torch.empty_like(a)
    for i in range(a.shape[1]):
        near = a[:, max(0, i - spec.size // 2) : i + spec.size // 2 + 1]
        b[:, i] = a[:, i] / (spec.k + spec.alpha * near.square().sum(1)) ** spec.beta
    return b


@torch.no_grad()
def by_functions(configuration, parameters, x, seen=None):
    """Level 1: functions only. Hands what each layer puts out, behind its ReLU, to ``seen``, if there is one."""
    for layer in configuration:
        weight, bias = parameters.get(f"{layer.name}.weight"), parameters.get(f"{layer.name}.bias")
        match layer.spec:
            case Conv(kernel=kernel):
                x = F.conv2d(x, weight, bias, padding=kernel // 2)
                if configuration.batch_norm:
                    mean, variance, scale, shift = (t[:, None, None] for t in parameters[f"{layer.name}.norm"])
                    x = (x - mean) / (variance + 1e-5).sqrt() * scale + shift
                x = F.relu(x)
            case MaxPool():
                x = F.max_pool2d(x, 2)
            case LocalResponseNorm() as spec:
                x = normalized(x, spec)
            case Linear():
                x = F.linear(x.flatten(1), weight, bias)
                x = x if layer is configuration.layers[-1] else F.relu(x)
        if seen is not None:
            seen[layer.name] = x
    return x


def torchvisions(model):
    """torchvision's class and loop for our configuration, with our weights: the same tensors, not copies of them."""
    configuration = model.configuration
    specs = [layer.spec for block in configuration.blocks for layer in block]
    words = ["M" if isinstance(spec, MaxPool) else spec.channels for spec in specs]
    widths = [
        (layer.weight.shape[1], layer.weight.shape[0]) for layer in model.classifier if isinstance(layer, nn.Linear)
    ]
    with torch.device("meta"):
        twin = library.VGG(library.make_layers(words, configuration.batch_norm), init_weights=False)
        for place, (inputs, outputs) in zip(
            (0, 3, 6), widths, strict=True
        ):  # its own has 4096 and 1000 written into it
            twin.classifier[place] = nn.Linear(inputs, outputs)
    twin.load_state_dict(model.state_dict(), assign=True)
    assert all(not tensor.is_meta for tensor in twin.state_dict().values())
    return twin.eval()


# --- levels 1 and 2 ---


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "bn"])
@pytest.mark.parametrize("letter", CONFIGURATIONS)
@pytest.mark.parametrize("size", [32, 50, 97])
def test_functions_and_modules_give_the_same_logits_for_all_six(letter, batch_norm, size):
    configuration = CONFIGURATIONS[letter].variant(input_size=size, width=1 / 8, classes=7, batch_norm=batch_norm)
    model = drawn(configuration, seed=size)
    images = 50 * random_images(size + 1, size)  # large values, or LRN would be a constant factor
    with torch.no_grad():
        assert_same(model(images), by_functions(configuration, as_dictionary(model), images))


@pytest.mark.parametrize("variant", [{"hidden": ()}, {"hidden": (5,)}, {"in_channels": 1}, {"width": 3 / 16}], ids=str)
def test_functions_and_modules_agree_on_other_shapes_too(variant):
    configuration = CONFIGURATIONS["C"].variant(**{"input_size": 40, "width": 1 / 16, "classes": 4, **variant})
    model = drawn(configuration, seed=3)
    images = random_images(4, 40)[:, : configuration.in_channels]
    with torch.no_grad():
        assert_same(model(images), by_functions(configuration, as_dictionary(model), images))


def test_the_dictionary_of_the_full_net_has_two_tensors_a_layer():
    with torch.device("meta"):
        parameters = as_dictionary(vgg("D"))
    assert len(parameters) == 2 * 16
    assert sum(tensor.numel() for tensor in parameters.values()) == 138_357_544  # Table 2: 138 million


def test_the_names_of_the_layers_are_those_that_counting_gives():
    model = drawn(CONFIGURATIONS["A-LRN"].variant(input_size=32, width=1 / 16, batch_norm=True), seed=0)
    counted = as_dictionary(model)
    for name, module in model.layers.items():
        for part, tensor in module.named_parameters():
            assert tensor.data_ptr() == counted[f"{name}.{part}"].data_ptr()


def test_dropout_is_drawn_in_training_and_only_there():
    model = drawn(CONFIGURATIONS["A"].variant(input_size=32, width=1 / 8, classes=9), seed=0)
    images = random_images(1, 32)
    with torch.no_grad():
        assert torch.equal(model(images), model(images))
        model.train()
        assert not torch.equal(model(images), model(images))


@pytest.mark.parametrize("seed", range(3))
def test_torchs_lrn_is_the_formula_with_five_times_the_alpha_and_not_with_the_alpha(seed):
    spec = LocalResponseNorm()
    x = 50 * torch.randn(2, 9, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert_same(F.local_response_norm(x, spec.size, 5 * spec.alpha, spec.beta, spec.k), normalized(x, spec))
    wrong = F.local_response_norm(x, spec.size, spec.alpha, spec.beta, spec.k)
    assert (wrong - normalized(x, spec)).abs().max() > 10


# --- against torchvision ---


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "bn"])
@pytest.mark.parametrize("letter", TORCHVISIONS)
@pytest.mark.parametrize(("size", "width"), [(224, 1 / 16), (239, 1 / 8), (255, 3 / 32)])
def test_torchvisions_class_gives_the_same_logits(letter, batch_norm, size, width):
    configuration = CONFIGURATIONS[letter].variant(input_size=size, width=width, classes=11, batch_norm=batch_norm)
    model = drawn(configuration, seed=size)
    images = random_images(size + 1, size, batch=1)
    with torch.no_grad():
        logits = model(images)
        assert_same(logits, torchvisions(model)(images))
        assert_same(logits, by_functions(configuration, as_dictionary(model), images))


@pytest.mark.parametrize("letter", TORCHVISIONS)
def test_torchvisions_own_words_are_those_of_table_1(letter):
    specs = [layer.spec for block in CONFIGURATIONS[letter].blocks for layer in block]
    assert ["M" if isinstance(spec, MaxPool) else spec.channels for spec in specs] == library.cfgs[letter]


@pytest.mark.parametrize("size", [223, 256])
def test_beyond_a_grid_of_seven_torchvisions_pool_makes_it_another_net(size):
    configuration = CONFIGURATIONS["A"].variant(input_size=size, width=1 / 16, classes=5)
    grid = configuration["pool5"].output_shape[1]
    assert grid == size // 32 != 7
    x = torch.randn(1, 4, grid, grid, generator=torch.Generator().manual_seed(0))
    assert F.adaptive_avg_pool2d(x, 7).shape != x.shape


def test_on_a_grid_of_seven_torchvisions_pool_does_nothing():
    x = torch.randn(2, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(F.adaptive_avg_pool2d(x, 7), x)


def test_the_full_net_gives_torchvisions_logits():
    with torch.device("meta"):
        theirs, ours = library.vgg16().eval(), vgg("D").eval()
    generator = torch.Generator().manual_seed(5)
    weights = {}  # one set of weights, 1.1 GB; three programs read it
    for name, tensor in theirs.state_dict().items():
        scale = (2 / tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else 0.1
        weights[name] = torch.empty(tensor.shape, dtype=torch.float64).normal_(0, scale, generator=generator)
    theirs.load_state_dict(weights, assign=True)
    ours.load_state_dict(weights, assign=True)
    images = random_images(6, 224, batch=1)
    with torch.no_grad():
        target = theirs(images)
        assert target.shape == (1, 1000)
        assert_same(ours(images), target)
        assert_same(by_functions(CONFIGURATIONS["D"], as_dictionary(ours), images), target)


# --- the comparison has teeth ---


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p | {"conv1_1.bias": 0 * p["conv1_1.bias"]},
        lambda p: p | {"conv5_3.weight": p["conv5_3.weight"].flip(-1)},
        lambda p: p | {"fc8.weight": p["fc7.weight"][:7]},
        lambda p: p | {"conv4_2.norm": (torch.zeros(1), torch.ones(1), *p["conv4_2.norm"][2:])},
        lambda p: {name: t.float().double() if "norm" not in name else t for name, t in p.items()},
    ],
    ids=["bias", "filter", "classifier", "statistics", "float32"],
)
def test_a_small_difference_in_the_weights_is_found(spoil):
    configuration = CONFIGURATIONS["D"].variant(input_size=32, width=1 / 8, classes=7, batch_norm=True)
    model = drawn(configuration, seed=0)
    images = random_images(1, 32)
    with torch.no_grad(), pytest.raises(AssertionError, match="apart"):
        assert_same(by_functions(configuration, spoil(as_dictionary(model)), images), model(images))


# --- with the weights that ImageNet taught ---


@cache
def imagenet_features():
    """The convolutions of torchvision's VGG-16, in float64, by torchvision's names."""
    path = os.environ.get("VGG_COURSE_WEIGHTS")
    if not path:
        pytest.skip("VGG_COURSE_WEIGHTS names no file with the convolutions of torchvision's VGG-16")
    stored = torch.load(path, map_location="cpu", weights_only=True)
    features = {name: tensor.double() for name, tensor in stored.items() if name.startswith("features.")}
    assert len(features) == 2 * 13
    return features


def smooth_image(size):
    """A scene without noise: slow waves of color, of the size that ImageNet's normalization leaves."""
    along = torch.linspace(0, 6.28, size, dtype=torch.float64)
    waves = [torch.sin(along)[:, None] * torch.cos(k * along)[None] + k / 4 for k in (1, 2, 3)]
    return torch.stack(waves)[None]


@pytest.mark.parametrize("kind", ["random", "smooth"])
@pytest.mark.parametrize("size", [96, 224])
def test_with_imagenets_weights_every_layer_of_features_gives_torchvisions_activations(kind, size):
    weights = imagenet_features()
    with torch.device("meta"):
        theirs, ours = library.vgg16().features.eval(), vgg("D").features.eval()
    for net in (theirs, ours):
        net.load_state_dict({name.removeprefix("features."): t for name, t in weights.items()}, assign=True)
    assert len(theirs) == len(ours) == 31
    x = y = random_images(size, size, batch=1) if kind == "random" else smooth_image(size)
    body = Configuration("D", [s for s in CONFIGURATIONS["D"].specs if not isinstance(s, Linear)], input_size=size)
    names = [layer.name for layer in body if isinstance(layer.spec, Conv)]
    parameters = {}
    for name, place in zip(names, [i for i, m in enumerate(theirs) if isinstance(m, nn.Conv2d)], strict=True):
        parameters |= {f"{name}.{part}": weights[f"features.{place}.{part}"] for part in ("weight", "bias")}
    with torch.no_grad():
        by_name = {}
        by_functions(body, parameters, x, by_name)
        stages = iter(by_name.items())
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            x, y = one(x), other(y)
            assert type(one) is type(other)
            assert_same(x, y, f"activations of features.{place}")
            if not isinstance(one, nn.Conv2d):  # a ReLU or a pool ends one of the table's layers
                name, activation = next(stages)
                assert_same(activation, y, f"activations of {name}")
    assert y.shape == (1, 512, size // 32, size // 32)
    assert list(stages) == []


def test_the_file_of_weights_fits_torchvisions_net():
    weights = imagenet_features()
    with torch.device("meta"):
        wanted = torchvision.models.vgg16().features.state_dict()
    assert {name.removeprefix("features."): t.shape for name, t in weights.items()} == {
        name: t.shape for name, t in wanted.items()
    }
