"""The figures of feature maps show what they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots
from vgg_course.patches import Patch
from vgg_course.plots.looking import most_varied


def test_filters_stand_in_named_lines_with_middle_gray_for_zero():
    filters = torch.zeros(20, 3, 3, 3)
    filters[0, 0, 1, 1] = 2
    ax = plots.color_filters({"before": filters, "after": filters[:4]}, columns=16)
    drawn = [some for some in ax.figure.axes if some.images]
    assert len(drawn) == 24
    first = drawn[0].images[0].get_array()
    assert first[1, 1].tolist() == [1, 0.5, 0.5]
    assert first[0, 0].tolist() == [0.5, 0.5, 0.5]
    assert [some.get_title(loc="left") for some in ax.figure.axes if some.get_title(loc="left")] == ["before", "after"]


def test_maps_of_a_layer_share_a_scale_that_is_written_beside_them():
    maps = torch.rand(6, 4, 4)
    maps[3] *= 10
    ax = plots.feature_maps(torch.zeros(3, 8, 8, dtype=torch.uint8), {"relu1_1": maps, "relu2_1": maps / 2}, 4)
    rows = [some for some in ax.figure.axes if some.images and some.get_title(loc="center")]
    assert len(rows) == 8
    for row, top in ((rows[:4], maps.max()), (rows[4:], maps.max() / 2)):
        assert [some.images[0].norm.vmax for some in row] == pytest.approx([float(top)] * 4)
        assert {some.images[0].norm.vmin for some in row} == {0}
        assert f"to {float(top):.3g}" in row[0].get_ylabel()
    assert [int(some.get_title(loc="center")) for some in rows[:4]] == most_varied(maps, 4)


def test_the_most_varied_channels_are_found_and_keep_their_order():
    maps = torch.zeros(5, 2, 2)
    maps[4, 0, 0], maps[1, 0, 0], maps[2] = 3, 5, 9
    assert most_varied(maps, 2) == [1, 4]


@pytest.mark.parametrize("log", [False, True])
def test_a_line_has_a_point_for_every_layer_and_its_name_at_its_end(log):
    curves = {"one": {"relu1_1": 0.5, "relu1_2": 0.25}, "two": {"relu1_1": 0.2, "relu1_2": 0.25}}
    bands = {"one": {"relu1_1": (0.4, 0.6), "relu1_2": (0.2, 0.3)}}
    ax = plots.by_layer(curves, "zeros", bands=bands, percent=True, log=log, note="drawn")
    assert [list(line.get_ydata()) for line in ax.lines] == [[50, 25], [20, 25]]
    assert {text.get_text() for text in ax.texts} == {"one", "two"}
    heights = [text.xyann[1] for text in ax.texts]
    assert abs(heights[0] - heights[1]) > 5  # names that would meet are pushed apart
    assert ax.get_ylabel() == "zeros, %"
    assert ax.get_title(loc="left") == "drawn"
    assert len({line.get_marker() for line in ax.lines}) == 2
    assert log or ax.get_ylim()[0] == 0


def test_channels_stand_by_the_class_that_they_prefer_and_silent_ones_are_left_out():
    means = torch.tensor([[4.0, 1, 0, 0.5], [2, 2, 0, 1], [0, 1, 0, 1.5]])
    ax = plots.class_responses(means, ["a", "b", "c"])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a: 1", "b: 1", "c: 1"]
    shown = ax.images[0].get_array()
    assert shown.shape == (3, 3)
    assert shown.max(0).tolist() == [1, 1, 1]
    assert shown[0, 0] == 1
    assert shown[1, 0] == 0.5


IMAGES = torch.arange(2 * 3 * 8 * 8, dtype=torch.uint8).view(2, 3, 8, 8)


def test_a_patch_is_framed_in_its_image_cut_below_it_and_hatched_in_the_padding():
    found = [Patch(1, 0, 0, 0, 2.5, range(-2, 3), range(1, 6)), Patch(0, 0, 3, 3, 1.5, range(2, 7), range(2, 7))]
    ax = plots.patches(IMAGES, found, ["one", "two"], "drawn")
    above, below = ax.figure.axes[:2], ax.figure.axes[2:]
    frame = above[0].patches[0]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((1, -2), 5, 5)
    assert below[0].images[0].get_array()[2:, :, 0].tolist() == IMAGES[1, 0, :3, 1:6].tolist()
    (strip,) = below[0].patches
    assert (strip.get_xy(), strip.get_width(), strip.get_height()) == ((1, -2), 5, 2)
    assert strip.get_hatch()
    assert not below[1].patches
    assert [some.get_xlabel() for some in below] == ["one", "two"]
    assert ax.figure.get_suptitle() == "drawn"


def test_a_footprint_shows_only_the_pixels_that_move_the_value():
    change = torch.zeros(8, 8)
    change[2:5, 1:4] = 0.5
    change[3, 2] = 2
    patch = Patch(0, 0, 0, 0, 1.0, range(2, 5), range(1, 4))
    ax = plots.footprint(IMAGES[0], IMAGES[1], change, patch)
    shown = torch.tensor(ax.figure.axes[2].images[0].get_array().filled(float("nan")))
    assert torch.equal(shown.isfinite(), change > 0)
    assert ax.figure.axes[2].patches[-1].get_xy() == (1, 2)
