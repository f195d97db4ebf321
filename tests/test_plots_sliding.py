"""The figures of the sliding classifier show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_a_row_is_cut_into_one_sheet_a_channel_in_order():
    ax = plots.row_as_window(512, 7)
    assert [word for word in words(ax) if word.startswith("weights")] == [
        "weights 0 to 48",
        "weights 49 to 97",
        "weights 25,039 to 25,087",
    ]
    assert len(ax.patches) == 3 * 2 * 7 * 7
    assert "channel 511" in words(ax)


@pytest.mark.parametrize(("size", "most"), [(224, 1), (256, 4), (384, 36), (512, 49)])
def test_the_windows_on_a_pixel_are_counted(size, most):
    ax = plots.windows_on_pixels(size)
    counts = torch.zeros(size, size)
    for row in range(0, size - 223, 32):
        for column in range(0, size - 223, 32):
            counts[row : row + 224, column : column + 224] += 1
    assert torch.equal(torch.as_tensor(ax.images[0].get_array().data).float(), counts)
    assert counts.max() == most


def test_a_cell_of_a_score_map_lies_in_the_middle_of_its_window():
    maps = {"bird": torch.rand(9, 17), "automobile": torch.rand(9, 17)}
    picture = plots.score_maps(torch.rand(3, 96, 160), maps, window=32, step=8)
    drawn = [ax for ax in picture.figure.axes if ax.images and ax is not picture]
    assert [ax.get_title(loc="center") for ax in drawn[:2]] == list(maps)
    left, right, bottom, top = drawn[0].images[0].get_extent()
    assert (left + 4, top + 4) == (16, 16)  # the first cell's middle is that of the window of 32 pixels
    assert (right - 4, bottom - 4) == (160 - 16, 96 - 16)
    assert (torch.as_tensor(drawn[0].images[0].get_array().data) == maps["bird"]).all()
