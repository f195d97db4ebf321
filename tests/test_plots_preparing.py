"""The figures of prepared pictures show the numbers that they are given."""

from itertools import pairwise

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots
from vgg_course.augmentation import ColorAxes


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_pictures_of_different_sizes_share_one_scale():
    images = {"small": torch.rand(3, 20, 30), "large": torch.rand(3, 60, 40)}
    ax = plots.pictures(images, frames={"large": [(10, 5, 30)]}, cells={"small": 10})
    boxes = [image.get_extent() for image in ax.images]
    assert [(right - left, bottom - top) for left, right, bottom, top in boxes] == [(30, 20), (40, 60)]
    assert boxes[0][2] == boxes[1][2]  # they stand on one line
    assert ax.get_aspect() == 1
    assert words(ax) == ["small", "large"]
    framed = [patch for patch in ax.patches if patch.get_width() == patch.get_height() == 30]
    assert {(patch.get_x() - boxes[1][0], patch.get_y()) for patch in framed} == {(5, 10)}
    assert [len(lines.get_segments()) for lines in ax.collections] == [4, 3]


def test_a_note_stands_above_the_pictures():
    ax = plots.pictures({"one": torch.rand(3, 8, 8)}, note="drawn stand-ins, not photographs")
    assert ax.get_title(loc="left") == "drawn stand-ins, not photographs"


def test_filters_stand_in_the_order_of_their_raw_means():
    raw = torch.randn(5, 7, 4, 4) + torch.tensor([3.0, -2, 0, 5, 1, -4, 2])[:, None, None]
    first = plots.sums_of_filters({"raw": raw, "centered": raw - raw.mean((0, 2, 3), keepdim=True)})
    left, right = first.figure.axes
    order = raw.mean((0, 2, 3)).argsort()
    assert left.lines[0].get_ydata() == pytest.approx(raw.mean((0, 2, 3))[order].tolist())
    assert right.lines[0].get_ydata() == pytest.approx([0] * 7, abs=1e-5)
    (low, high) = left.collections[0].get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(raw.std((0, 2, 3))[order[0]].item(), rel=1e-4)


@pytest.mark.parametrize("side", [224, 256, 384, 512])
def test_the_crops_on_a_pixel_are_counted(side):
    ax = plots.crop_coverage([side])
    counts = torch.zeros(side)
    for start in range(side - 223):
        counts[start : start + 224] += 1
    shares = counts / (side - 223)
    assert ax.lines[0].get_ydata() == pytest.approx((100 * shares * shares[side // 2]).tolist(), rel=1e-5)


def test_an_axis_reaches_two_deviations_to_either_side():
    axes = ColorAxes(torch.tensor([0.09, 0.01, 0.0004]), torch.eye(3)[:, [0, 2, 1]])  # red, blue, green
    pixels = torch.rand(50, 3)
    ax = plots.color_cloud(pixels, axes, torch.zeros(4, 3))
    mean = pixels.mean(0).tolist()
    assert ax.lines[0].get_xdata() == pytest.approx([mean[0] - 0.6, mean[0] + 0.6], abs=1e-5)
    assert ax.lines[1].get_ydata() == pytest.approx([mean[2] - 0.2, mean[2] + 0.2], abs=1e-5)
    assert words(ax) == ["p1", "p2"]  # the third is green, which this plane does not show
    assert len(ax.lines[3].get_xdata()) == 4


def test_lines_are_named_at_their_ends_and_names_do_not_meet():
    lines = {"a": [0.9, 0.5], "b": [0.8, 0.51], "c": [0.7, 0.1]}
    ax = plots.likeness_by_layer(["conv1_1", "conv1_2"], lines)
    assert sorted(words(ax)) == ["a", "b", "c"]
    heights = sorted(text.xyann[1] for text in ax.texts)
    assert min(b - a for a, b in pairwise(heights)) >= 0.07
    assert {tuple(line.get_ydata()) for line in ax.lines[:3]} == {tuple(values) for values in lines.values()}
