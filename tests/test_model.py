import pytest
import torch
import torchvision
from torch import nn

from vgg_course.configuration import CONFIGURATIONS, Configuration, ConfigurationError, LocalResponseNorm
from vgg_course.model import VGG, vgg


def shapes(model):
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("suffix", ["", "_bn"])
@pytest.mark.parametrize(("name", "depth"), [("A", 11), ("B", 13), ("D", 16), ("E", 19)])
def test_state_dict_has_torchvisions_names_and_shapes(name, depth, suffix):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"vgg{depth}{suffix}")()
        ours = vgg(name, batch_norm=bool(suffix))
    assert shapes(ours) == shapes(theirs)
    assert list(shapes(ours)) == list(shapes(theirs))


@pytest.mark.parametrize("suffix", ["", "_bn"])
def test_torchvisions_weights_give_torchvisions_logits(suffix):
    theirs = getattr(torchvision.models, f"vgg11{suffix}")().double().eval()
    ours = vgg("A", batch_norm=bool(suffix)).double().eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 224, 224, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_configuration_runs_on_32_pixels(name):
    model = vgg(name, input_size=32, classes=3, width=1 / 8)
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_the_trace_of_the_configuration_is_what_torch_computes():
    model = vgg("C", input_size=64, width=1 / 8, classes=5)
    x, by_torch = torch.zeros(1, 3, 64, 64), []
    for module in model.features:
        x = module(x)
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            by_torch.append(tuple(x.shape[1:]))
    by_table = [layer.output_shape for block in model.configuration.blocks for layer in block]
    assert by_torch == by_table


def test_logits_can_be_negative_because_no_relu_follows_them():
    model = vgg("A", input_size=32, width=1 / 8, classes=50).eval()
    assert isinstance(model.classifier[-1], nn.Linear)
    assert (model(torch.randn(4, 3, 32, 32)) < 0).any()


def test_dropout_stands_behind_the_two_hidden_fully_connected_layers():
    kinds = [type(m).__name__ for m in vgg("A", input_size=32, width=1 / 8).classifier]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]


def test_lrn_computes_the_published_formula():
    model = vgg("A-LRN", input_size=32, width=1 / 8)
    layer = next(m for m in model.features if isinstance(m, nn.LocalResponseNorm))
    spec, x = LocalResponseNorm(), 50 * torch.randn(1, 8, 4, 4, dtype=torch.float64)
    expected = torch.empty_like(x)
    for channel in range(8):  # Krizhevsky et al. (2012), section 3.3: alpha is not divided by n
        near = x[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = x[:, channel] / (spec.k + spec.alpha * near.square().sum(1)) ** spec.beta
    torch.testing.assert_close(layer(x), expected)


def test_the_same_generator_seed_gives_the_same_weights():
    seeded = lambda seed: vgg("A", input_size=32, width=1 / 8, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    one, same, other = seeded(1).state_dict(), seeded(1).state_dict(), seeded(2).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["features.0.weight"], other["features.0.weight"])


def test_weights_are_drawn_with_hes_deviation():
    weight = vgg("D", input_size=32, classes=3, hidden=()).features[2].weight
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)


def test_one_linear_layer_with_batch_norm_has_the_count_of_the_published_cifar_net():
    model = vgg("D", input_size=32, classes=3, hidden=(), batch_norm=True)
    assert sum(p.numel() for p in model.parameters()) == 14_724_675


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 3, 64, 64), (1, 1, 32, 32)])
def test_images_of_another_shape_are_refused_with_the_remedy(shape):
    model = vgg("A", input_size=32, width=1 / 8)
    with pytest.raises(ValueError, match=r"built for batches of 3x32x32 images.*input_size"):
        model(torch.zeros(shape))


def test_a_configuration_without_classes_is_refused():
    with pytest.raises(ConfigurationError, match="ends with maxpool, not with an FC"):
        VGG(Configuration.parse("conv3-8 maxpool"))


@pytest.mark.parametrize("dropout", [-0.1, 1, float("nan")])
def test_a_dropout_that_is_no_probability_is_refused(dropout):
    with pytest.raises(ConfigurationError, match="dropout is"):
        vgg("A", input_size=32, dropout=dropout)
