"""What layers put out, by name: the same as what hooks see, and as the model's own answers."""

import pytest
import torch
from torch import nn
from torchvision.models import vgg11, vgg16_bn

from vgg_course.activations import activations, names
from vgg_course.model import vgg
from vgg_course.recipes import small_vgg

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def without_inplace(model):
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


@pytest.mark.parametrize("letter", ["A", "A-LRN", "B", "C", "D", "E"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_layer_gives_what_a_hook_sees_and_the_last_one_the_answer(letter, batch_norm):
    model = vgg(letter, input_size=32, classes=3, width=1 / 16, hidden=(8, 8), batch_norm=batch_norm).train()
    found = activations(model, IMAGES)
    assert model.training
    expected = without_inplace(model).eval()
    seen = []
    for module in (*expected.features, *expected.classifier):
        module.register_forward_hook(lambda module, arguments, output: seen.append(output))
    answer = expected(IMAGES)
    assert list(found) == names(model)
    assert len(set(found)) == len(seen)
    assert all(torch.equal(a, b) for a, b in zip(found.values(), seen, strict=True))
    assert torch.equal(found["fc8"], answer)
    own = {name for name in names(model) if name.startswith(("conv", "pool", "fc", "lrn"))}
    assert own == set(model.layers)


def test_names_are_the_papers_for_torchvisions_nets_too():
    with torch.device("meta"):
        plain, normed = names(vgg11()), names(vgg16_bn())
    assert plain[:3] == ["conv1_1", "relu1_1", "pool1"]
    assert plain[-7:] == ["fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"]
    assert "avgpool" in plain
    assert normed[:7] == ["conv1_1", "norm1_1", "relu1_1", "conv1_2", "norm1_2", "relu1_2", "pool1"]
    assert "relu5_3" in normed


def test_an_in_place_relu_does_not_overwrite_what_was_kept():
    found = activations(small_vgg(batch_norm=False), IMAGES, "conv1_1", "relu1_1")
    assert found["conv1_1"].min() < 0 == found["relu1_1"].min()


def test_gradients_reach_the_images_and_larger_images_pass_where_no_linear_layer_is_asked():
    images = torch.randn(1, 3, 47, 61, requires_grad=True)
    pool = activations(small_vgg(), images, "pool3")["pool3"]
    assert pool.shape[2:] == (5, 7)
    pool.sum().backward()
    assert images.grad.abs().sum() > 0


def test_a_sliding_classifier_has_the_same_names():
    model = vgg("A", input_size=32, classes=3, width=1 / 16, hidden=(8, 8))
    assert names(model.to_convolutional()) == names(model)
    larger = torch.randn(1, 3, 64, 64)
    assert torch.equal(
        activations(model.to_convolutional(), larger, "fc8")["fc8"], model.eval().to_convolutional()(larger)
    )


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            lambda: activations(small_vgg(), IMAGES, "conv6_1"),
            "no layer 'conv6_1' in this net; it has conv1_1, norm1_1",
        ),
        (lambda: activations(small_vgg(), IMAGES[0], "conv1_1"), r"\(3, 32, 32\).*batch \(B, C, H, W\)"),
        (lambda: activations(small_vgg(), (IMAGES * 9).byte(), "conv1_1"), "uint8.*normalized floats"),
        (lambda: activations(nn.Linear(3, 3), IMAGES), "a Linear has no `features`"),
    ],
)
def test_bad_requests_are_answered_with_the_remedy(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()
