import copy
import pickle

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


# --- the fully-connected layers as convolutions ---


def seeded(*shape, seed=1):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(name="D", **options):
    """A small net in float64, in evaluation mode, with biases that are not zero."""
    generator = torch.Generator().manual_seed(0)
    options = {"input_size": 64, "classes": 5, "width": 1 / 16} | options
    return vgg(name, initialization="torch", generator=generator, **options).double().eval()


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"input_size": 32},
        {"input_size": 75, "batch_norm": True},
        {"input_size": 96, "hidden": ()},
        {"input_size": 32, "width": 1 / 8, "hidden": (7,), "in_channels": 1},
    ],
    ids=str,
)
def test_the_convolutional_net_equals_the_fully_connected_one_at_its_own_size(name, options):
    model = made(name, **options)
    images = seeded(2, *model.configuration.input_shape)
    with torch.no_grad():
        scores = model.to_convolutional()(images)
        assert scores.shape == (2, 5, 1, 1)
        torch.testing.assert_close(scores[:, :, 0, 0], model(images), rtol=1e-12, atol=1e-14)


def test_it_does_so_at_the_papers_size():
    model = made("A", input_size=224, classes=1000)
    images = seeded(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(model.to_convolutional()(images)[:, :, 0, 0], model(images), rtol=1e-12, atol=1e-14)


def test_a_convolution_without_a_body_slides_too():
    model = VGG(Configuration.parse("FC-4 FC-2", input_size=3)).double()
    assert model.eval().to_convolutional()(seeded(1, 3, 5, 4)).shape == (1, 2, 3, 2)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (256, 256), (384, 384), (512, 512), (225, 300), (255, 479)])
def test_the_score_map_has_a_cell_for_every_seven_by_seven_window_of_the_last_grid(height, width):
    model = made("D", input_size=224, width=1 / 64, hidden=(4,)).to_convolutional()
    with torch.no_grad():
        assert model(seeded(1, 3, height, width)).shape == (1, 5, height // 32 - 6, width // 32 - 6)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_cell_is_the_fully_connected_part_on_its_own_window(name):
    model = made(name, input_size=64)
    images = seeded(2, 3, 128, 97)
    with torch.no_grad():
        scores, grid = model.to_convolutional()(images), model.features(images)
        for row in range(3):
            for column in range(2):
                window = grid[:, :, row : row + 2, column : column + 2]
                expected = model.classifier(window.flatten(1))
                torch.testing.assert_close(scores[:, :, row, column], expected, rtol=1e-12, atol=1e-14)


def test_the_convolutional_net_has_no_weights_of_its_own():
    model = made()
    dense = model.to_convolutional()
    assert {id(p) for p in dense.parameters()} == {id(p) for p in model.parameters()}
    assert len(list(dense.parameters())) == len(list(model.parameters()))


def test_a_step_of_training_on_either_is_a_step_on_both():
    model, images = made(dropout=0.0), seeded(2, 3, 64, 64)
    dense = model.to_convolutional()
    for trained in (dense, model):
        optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
        before = dense(images).detach().clone()
        trained(images).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        assert not torch.allclose(dense(images), before)
        torch.testing.assert_close(dense(images)[:, :, 0, 0], model(images), rtol=1e-12, atol=1e-14)


def test_gradients_agree_with_those_of_the_fully_connected_net():
    model, images = made(), seeded(2, 3, 64, 64)
    expected = torch.autograd.grad(model(images).square().sum(), list(model.parameters()))
    dense = torch.autograd.grad(model.to_convolutional()(images).square().sum(), list(model.parameters()))
    for mine, theirs in zip(dense, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("move", [lambda m: m.float(), lambda m: m.to("meta"), lambda m: m.train()])
def test_moving_or_switching_either_moves_both(move):
    for pick in (lambda model, dense: model, lambda model, dense: dense):
        model = made()
        dense = model.to_convolutional()
        move(pick(model, dense))
        assert {id(p) for p in dense.parameters()} == {id(p) for p in model.parameters()}
        assert len({(p.device, p.dtype) for p in model.parameters()}) == 1
        shared = set(model.modules()) & set(dense.modules())
        assert len({m.training for m in shared}) == 1
        assert len(shared) == len(list(model.modules())) - 3  # all but the net, its avgpool and its classifier's frame


def test_a_deep_copy_stands_alone():
    model = made()
    alone = copy.deepcopy(model.to_convolutional())
    with torch.no_grad():
        alone.classifier[-1].linear.weight.zero_()
    assert model.classifier[-1].weight.any()


def test_dropout_drops_in_training_and_only_there():
    model, images = made(), seeded(1, 3, 96, 96)
    dense = model.to_convolutional()
    assert torch.equal(dense(images), dense(images))
    dense.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(dense(images), dense(images))


@pytest.mark.parametrize("shape", [(1, 3, 63, 64), (1, 3, 64, 63), (3, 64, 64), (1, 1, 64, 64)])
def test_images_that_are_too_small_are_refused_with_the_rule(shape):
    dense = made().to_convolutional()
    with pytest.raises(ValueError, match=r"H and W of at least 64, .*It got \([\d, ]*\).*smaller input_size"):
        dense(torch.zeros(shape, dtype=torch.float64))


def test_a_model_can_be_copied_and_pickled_after_its_configuration_was_asked_for_a_layer():
    model = vgg("A", input_size=32, width=1 / 8)
    assert model.configuration["pool5"].output_shape == (64, 1, 1)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.configuration == model.configuration
        assert torch.equal(twin.features[0].weight, model.features[0].weight)
