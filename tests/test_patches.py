"""Patches: the windows are the receptive fields, and what is outside of them does not matter."""

import pytest
import torch

from vgg_course import patches
from vgg_course.activations import activations
from vgg_course.receptive_field import measured, receptive_field
from vgg_course.recipes import small_vgg

GENERATOR = torch.Generator().manual_seed(3)
IMAGES = torch.randint(256, (6, 3, 32, 32), dtype=torch.uint8, generator=GENERATOR)
INPUTS = IMAGES.double() / 128 - 1


@pytest.fixture(scope="module")
def net():
    """Random weights, so that no path is cut by a zero; a negative slope nowhere, as in every ReLU net."""
    return small_vgg(seed=1, initialization="he").double().eval()


@pytest.mark.parametrize("layer", ["conv1_1", "norm1_2", "relu1_2", "pool1", "relu2_2", "relu3_1"])
def test_paint_outside_of_a_window_changes_nothing_and_paint_inside_does(net, layer):
    field = patches.field_of(net, layer)
    for row, column in ((0, 0), (field.grid - 1, 2), (field.grid // 2, field.grid // 2)):
        rows, columns = field.window(row), field.window(column)
        around = patches.repaint(IMAGES[0], rows, columns, GENERATOR)
        assert (around != IMAGES[0]).any()
        inside = torch.where(around == IMAGES[0], 255 - IMAGES[0], IMAGES[0])
        maps = activations(net, torch.stack([IMAGES[0], around, inside]).double() / 128 - 1, layer)[layer].detach()
        truth, same, other = maps[:, :, row, column]
        torch.testing.assert_close(same, truth, rtol=1e-12, atol=1e-12)
        assert not torch.allclose(other, truth, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("layer", ["conv1_2", "pool1", "conv2_2"])
def test_one_pixel_after_the_other_draws_the_window(net, layer):
    field = patches.field_of(net, layer)
    row, column = 1, field.grid - 2  # reaches over two borders
    spots = torch.eye(32 * 32, dtype=torch.bool).view(-1, 1, 32, 32)
    painted = torch.cat([IMAGES[:1], torch.where(spots, 255 - IMAGES[:1], IMAGES[:1])]).double() / 128 - 1
    values = activations(net, painted, layer)[layer][:, :, row, column].detach()  # every channel
    moved = ((values[1:] - values[0]).abs().amax(1) > 1e-9).view(32, 32)
    rows, columns = (patches.within(field.window(i), 32) for i in (row, column))
    window = torch.zeros(32, 32, dtype=torch.bool)
    window[rows.start : rows.stop, columns.start : columns.stop] = True
    assert not (moved & ~window).any()
    assert moved[window].float().mean() > 0.9


def test_the_windows_are_those_that_gradients_find(net):
    for layer in ("conv2_1", "pool2", "conv3_1"):
        pixels, index = measured(net.configuration, layer)
        assert patches.within(patches.field_of(net, layer).window(index), 32) == pixels


def test_top_finds_the_largest_value_of_each_image_strongest_first(net):
    maps = activations(net, INPUTS, "relu2_1")["relu2_1"][:, 5].detach()
    found = patches.top(net, INPUTS, "relu2_1", 5, count=4, batch_size=4)
    assert len(found) == len({each.image for each in found}) == 4
    assert [each.value for each in found] == pytest.approx(maps.amax((1, 2)).sort(descending=True).values[:4].tolist())
    field = receptive_field(net.configuration)["conv2_1"]
    for each in found:
        assert maps[each.image, each.row, each.column] == each.value == maps[each.image].max()
        assert each.channel == 5
        assert (each.rows, each.columns) == (field.window(each.row), field.window(each.column))
    assert f"image {found[0].image}: channel 5" in repr(found[0])
    assert len(patches.top(net, INPUTS, "relu2_1", 5, count=99)) == len(INPUTS)


def test_a_patch_is_cut_to_the_pixel_and_blank_in_the_padding():
    image = torch.arange(3 * 5 * 6, dtype=torch.uint8).view(3, 5, 6)
    assert torch.equal(patches.cut(image, range(1, 4), range(2, 5)), image[:, 1:4, 2:5])
    corner = patches.cut(image, range(-2, 2), range(4, 8), blank=99)
    assert corner.shape == (3, 4, 4)
    assert torch.equal(corner[:, 2:, :2], image[:, :2, 4:])
    assert (corner[:, :2] == 99).all()
    assert (corner[:, :, 2:] == 99).all()
    wide = patches.cut(image, range(-4, 9), range(-4, 9))
    assert torch.equal(wide[:, 4:9, 4:10], image)
    assert (patches.cut(image, range(-9, -4), range(20, 23)) == patches.BLANK).all()


def test_what_is_repainted_is_all_that_is_outside():
    changed = patches.repaint(IMAGES[1], range(-3, 5), range(8, 40), torch.Generator().manual_seed(0)) != IMAGES[1]
    assert not changed[:, :5, 8:].any()
    assert changed[:, 5:].float().mean() > 0.97
    assert changed[:, :, :8].float().mean() > 0.97


def test_the_field_of_a_norm_and_a_relu_is_that_of_the_convolution_and_larger_images_have_larger_grids(net):
    fields = receptive_field(net.configuration)
    for name in ("conv2_2", "norm2_2", "relu2_2"):
        assert patches.field_of(net, name) == fields["conv2_2"]
    assert patches.field_of(net, "pool5") == fields["pool5"]
    larger = patches.field_of(net, "relu3_3", side=96)
    assert (larger.size, larger.jump, larger.grid, larger.input_size) == (40, 4, 24, 96)
    found = patches.top(net, torch.rand(1, 3, 96, 96, dtype=torch.float64), "relu3_3", 0, 1)
    assert found[0].rows == larger.window(found[0].row)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda net: patches.field_of(net, "fc6"), "layer is 'fc6'; a patch belongs to conv1_1"),
        (lambda net: patches.field_of(net, "relu6"), "layer is 'relu6'"),
        (lambda net: patches.field_of(net, ""), "layer is ''"),
        (lambda net: patches.top(net, INPUTS, "relu1_1", 16), "relu1_1 has channels 0 to 15; there is no channel 16"),
        (lambda net: patches.top(net, INPUTS, "relu1_1", -1), "there is no channel -1"),
        (lambda net: patches.top(net, INPUTS[:, :, :20], "relu1_1", 0), r"\(6, 3, 20, 32\); give square images"),
    ],
)
def test_bad_requests_are_answered_with_the_rule(net, ask, words):
    with pytest.raises(ValueError, match=words):
        ask(net)
