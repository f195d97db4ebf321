"""Vectors of images: pooled as they should be, near in the sense that is said."""

import math

import pytest
import torch

from vgg_course import vectors
from vgg_course.activations import activations
from vgg_course.recipes import small_vgg


@pytest.fixture(scope="module")
def net():
    return small_vgg(width=1 / 16).eval()


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (7, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()


def prepare(images):
    return images.float() / 255


def test_a_vector_is_the_mean_of_each_map_over_its_places(net, images):
    found = vectors.layer_vectors(net, images, "pool2", "conv3_1", prepare=prepare, batch_size=3)
    for name, maps in activations(net, prepare(images), "pool2", "conv3_1").items():
        assert torch.allclose(found[name], maps.mean((2, 3)).detach(), atol=1e-5)


def test_the_whole_map_has_all_places(net, images):
    whole = vectors.layer_vectors(net, images, "pool3", prepare=prepare, whole=True)["pool3"]
    mean = vectors.layer_vectors(net, images, "pool3", prepare=prepare)["pool3"]
    assert whole.shape == (7, 16 * 4 * 4)
    assert torch.allclose(whole.unflatten(1, (16, 16)).mean(2), mean, atol=1e-5)


def test_the_model_stays_as_it_was(net, images):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    vectors.layer_vectors(net, images, "pool5", prepare=prepare)
    assert net.training
    net.eval()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_images_for_imagenet_are_scaled_and_normalized(images):
    ready = vectors.for_imagenet(images, 48)
    assert ready.shape == (7, 3, 48, 48)
    white = vectors.for_imagenet(torch.full((1, 3, 4, 4), 255, dtype=torch.uint8), 4)
    assert white[0, :, 0, 0].tolist() == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])


def test_a_unit_vector_has_length_1_and_zeros_stay_zeros():
    some = vectors.unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    assert some.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_neighbors_are_those_at_the_smallest_angle():
    angles = torch.tensor([0.0, 0.1, 0.5, 2.0])
    around = torch.stack([angles.cos(), angles.sin()], 1) * torch.tensor([1.0, 9.0, 0.1, 3.0])[:, None]
    cosines, places = vectors.neighbors(around, 2)
    assert places.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert cosines[0].tolist() == pytest.approx([math.cos(0.1), math.cos(0.5)])
    _, places = vectors.neighbors(around[:1], 1, among=around)
    assert places.tolist() == [[0]]  # among others, its own double counts


def test_more_than_a_thousand_vectors_leave_themselves_out_too():
    some = torch.randn(2300, 6, generator=torch.Generator().manual_seed(0))
    _, places = vectors.neighbors(some, 1)
    assert not (places[:, 0] == torch.arange(2300)).any()


@pytest.mark.parametrize("count", [0, 4])
def test_too_many_neighbors_are_an_error(count):
    with pytest.raises(ValueError, match="among 4 vectors"):
        vectors.neighbors(torch.eye(4), count)


def test_nearest_accuracy_counts_the_others():
    some = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [0.2, 0.8]])
    assert vectors.nearest_accuracy(some, torch.tensor([0, 0, 1, 1, 1])) == 1
    assert vectors.nearest_accuracy(some, torch.tensor([0, 0, 1, 1, 0])) == pytest.approx(4 / 5)
