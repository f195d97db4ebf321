"""The task of two marks: whoever sees only one mark at a time cannot do better than chance, whatever it computes."""

import pytest
import torch
from torch import nn

from vgg_course.synthetic import BRIGHT_MARK, DARK_MARK, GROUND_LEVEL, MARK_HEIGHT, two_marks


def signs(task):
    """-1, 0 or 1 for dark, ground and bright: (N, size, size)."""
    return (task.images[:, 0].int() - GROUND_LEVEL).sign()


def pooled(kernels, images, width=6, seed=0, bias=True):
    """Random convolutions and ReLUs, then the average over the grid: (N, width), in float64."""
    torch.manual_seed(seed)
    layers, channels = [], 1
    for kernel in kernels:
        conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=bias, dtype=torch.float64)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.ReLU()]
        channels = width
    with torch.no_grad():
        return nn.Sequential(*layers)(images.double() / 128 - 1).mean((2, 3))


@pytest.mark.parametrize("distance", [2, 5, 6, 10])
def test_the_label_says_whether_partners_are_alike(distance):
    task = two_marks(400, distance)
    for image, label, pair in zip(signs(task), task.labels, task.corners, strict=True):
        for row, column in pair:
            assert (image[row, column] == image[row, column + distance]) == bool(label)
            assert image[row : row + MARK_HEIGHT, column].unique().numel() == 1


@pytest.mark.parametrize("distance", [2, 5, 6, 10])
def test_every_image_holds_two_bright_and_two_dark_marks_and_nothing_else(distance):
    task = two_marks(400, distance)
    for level in (BRIGHT_MARK, DARK_MARK):
        assert (task.images == level).sum((1, 2, 3)).unique().tolist() == [2 * MARK_HEIGHT]
    assert set(task.images.unique().tolist()) == {GROUND_LEVEL, BRIGHT_MARK, DARK_MARK}


def test_no_pixel_tells_anything_about_the_label():
    task = two_marks(1200, 6)
    alike, different = task.images[task.labels == 1], task.images[task.labels == 0]
    assert len(alike) == len(different) == 600
    for level in (BRIGHT_MARK, DARK_MARK):
        assert torch.equal((alike == level).sum(0), (different == level).sum(0))


def test_two_pixels_tell_only_if_they_are_as_far_apart_as_two_marks():
    distance, size = 4, 22
    task = two_marks(1600, distance, size=size)
    marks = signs(task).float()
    alike, different = (marks[task.labels == label].flatten(1) for label in (1, 0))
    gap = (alike.T @ alike - different.T @ different).view(size, size, size, size)  # products of all pairs of pixels
    y0, x0, y1, x1 = gap.nonzero().T
    apart = torch.maximum((y0 - y1).abs(), (x0 - x1).abs())
    assert apart.min() == distance


@pytest.mark.parametrize("size", [20, 24])
def test_marks_keep_their_distance_from_the_border_and_from_the_other_pair(size):
    distance = 4
    task = two_marks(80, distance, size=size)
    marked = signs(task) != 0
    rows, columns = marked.any(2), marked.any(1)
    for seen in (rows, columns):
        assert not seen[:, :distance].any()
        assert not seen[:, -distance:].any()
    upper, lower = task.corners[:, 0, 0], task.corners[:, 1, 0]
    assert (lower - (upper + MARK_HEIGHT - 1)).min() >= distance


@pytest.mark.parametrize("distance", [6, 7])
@pytest.mark.parametrize("kernels", [(3,), (5,), (3, 3), (1, 3, 1, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_any_network_with_a_smaller_receptive_field_gives_all_images_the_same_features(distance, kernels, seed):
    images = two_marks(80, distance).images
    features = pooled(kernels, images, seed=seed)
    assert (features - features[0]).abs().max() < 1e-14
    assert features.abs().max() > 1e-3


@pytest.mark.parametrize("kernels", [(7,), (3, 3, 3), (5, 3), (3, 3, 3, 3)])
def test_a_network_that_covers_both_marks_sees_a_difference(kernels):
    task = two_marks(80, 6)
    assert task.needed == 7
    features = pooled(kernels, task.images, width=16, bias=False)
    means = [features[task.labels == label].mean(0) for label in (0, 1)]
    assert (means[0] - means[1]).abs().max() > 1e-5


def test_the_step_is_exactly_where_the_window_covers_both_marks():
    for distance in (4, 6, 8):
        images = two_marks(40, distance).images
        largest_blind, smallest_seeing = (distance - 1) // 2, distance // 2  # 3x3 layers: 2 n + 1 pixels
        assert pooled((3,) * largest_blind, images).std(0).max() < 1e-14
        assert pooled((3,) * smallest_seeing, images, width=16, bias=False).std(0).max() > 1e-6


def test_the_seed_decides_and_layouts_do_not_repeat():
    one, same, other = two_marks(400, 6, seed=3), two_marks(400, 6, seed=3), two_marks(400, 6, seed=4)
    assert torch.equal(one.images, same.images)
    assert torch.equal(one.labels, same.labels)
    assert not torch.equal(one.images, other.images)
    assert len(one.images.flatten(1).unique(dim=0)) == 400


def test_all_layouts_can_be_drawn_and_not_one_more():
    size = 6 + 3 + 2  # the smallest for a distance of 2: one pair of rows, 5 columns for each pair
    task = two_marks(4 * 25, 2, size=size)
    assert task.images.shape == (100, 1, size, size)
    with pytest.raises(
        ValueError, match=r"count is 104, but 11x11 pixels have room for 25 layouts .* 100 images at most"
    ):
        two_marks(104, 2, size=size)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 10}, "count is 10; it must be a multiple of 4"),
        ({"count": 0}, "count is 0; it must be a whole number of at least 4"),
        ({"count": 4.0}, "count is 4.0; it must be a whole number"),
        ({"count": 8, "distance": 1}, "distance is 1; it must be a whole number of at least 2"),
        ({"count": 8, "distance": 6.0}, "distance is 6.0; it must be a whole number"),
        ({"count": 8, "distance": True}, "distance is True; it must be a whole number"),
        ({"count": 8, "distance": 6, "size": 22}, "size is 22; it must be a whole number of at least 23"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        two_marks(**arguments)


def test_it_says_what_it_is():
    assert repr(two_marks(8, 6)) == "TwoMarks: 8 images, partners 6 pixels apart"
    assert len(two_marks(8, 6)) == 8
