"""The figures of vectors show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots


def test_pictures_stand_at_their_places_and_those_without_room_are_marks():
    places = torch.tensor([[0.0, 0.0], [10.0, 10.0], [10.01, 10.0], [0.0, 10.0]])
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    ax = plots.image_map(places, images, torch.tensor([0, 1, 2, 2]), ("a", "b", "c"), side=0.1, note="drawn")
    assert len(ax.images) == 3
    assert [patch.get_linestyle() for patch in ax.patches] == ["-", "--", ":"]
    left, right, bottom, top = ax.images[0].get_extent()
    assert (left, bottom) == (pytest.approx(0, abs=1e-6), pytest.approx(0, abs=1e-6))
    assert right - left == pytest.approx(0.1)
    (mark,) = ax.lines
    assert mark.get_xdata()[0] > 0.9
    (key,) = ax.figure.legends
    assert [text.get_text() for text in key.get_texts()] == ["a", "b", "c"]
    assert key.get_title().get_text() == "drawn"
    assert top > bottom


def test_all_pictures_at_one_place_are_no_crash():
    ax = plots.image_map(torch.ones(3, 2), torch.zeros(3, 3, 4, 4).byte(), torch.tensor([0, 0, 1]), ("a", "b"))
    assert len(ax.images) == 1


def test_each_panel_has_all_points_by_class():
    panels = {"one": torch.rand(6, 2), "two": torch.rand(6, 2)}
    ax = plots.point_maps(panels, torch.tensor([0, 0, 1, 1, 1, 1]), ("a", "b"))
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 4]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert ax.get_title(loc="left") == "one"


def test_layers_stand_in_order_and_pixels_are_a_level():
    nets = {"trained": {"pool1": [0.5, 0.7], "pool2": [0.8, 0.8]}, "pixels": {"pixels": [0.4]}}
    ax = plots.sorted_by_layer({"known": nets}, {"known": 1 / 3})
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([60, 80])
    assert ax.lines[1].get_ydata()[0] == pytest.approx(40)
    assert ax.lines[1].get_linestyle() == ":"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["pool1", "pool2"]
    assert {"trained", "pixels", "chance"} <= {text.get_text() for text in ax.texts}
