"""The figures of attributions show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots


def words(ax):
    return [text.get_text() for text in ax.texts]


def record(mean, reach=0.1):
    return {"mean": mean, "low": mean - reach, "high": mean + reach}


def test_maps_lie_under_their_pictures_each_on_a_scale_of_its_own():
    pictures = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    plain, signed = torch.rand(2, 4, 4), torch.tensor([[[1.0, -2.0]], [[0.0, 3.0]]])
    ax = plots.maps_under_pictures(
        pictures, {"plain": plain, "signed": signed, "seen": pictures}, ["a", "b"], note="drawn"
    )
    axes = ax.figure.axes
    assert len(axes) == 8
    assert [one.get_title(loc="center") for one in axes[:2]] == ["a", "b"]
    assert [one.get_ylabel() for one in axes[::2]] == ["", "plain", "signed", "seen"]
    assert axes[2].images[0].get_clim() == (0, pytest.approx(plain[0].max().item()))
    assert axes[4].images[0].get_clim() == (-2, 2)
    assert axes[5].images[0].get_clim() == (-3, 3)
    assert ax.figure.get_suptitle() == "drawn"


def test_an_empty_map_is_drawn_black():
    ax = plots.maps_under_pictures(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), {"empty": torch.zeros(1, 2, 2)})
    low, high = ax.figure.axes[1].images[0].get_clim()
    assert low == 0 < high


def test_every_line_begins_with_the_trained_net():
    lines = {"one": [record(0.5), record(0.2)], "two": [record(0.9), record(0.8)]}
    ax = plots.after_randomizing(["fc6", "conv1_1"], lines)
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[1, 0.5, 0.2], [1, 0.9, 0.8]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["none", "fc6", "conv1_1"]
    assert words(ax) == ["one", "two"]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()


def test_bars_of_places_add_up_and_each_place_is_named_once():
    rows = {"a": {"asked": 0.7, "other": 0.3, "stamp": 0.0}, "b": {"asked": 0.2, "other": 0.3, "stamp": 0.5}}
    ax = plots.where_it_points(rows)
    assert sum(bar.get_width() for bar in ax.patches[:3]) == pytest.approx(100)
    assert ax.patches[5].get_x() == pytest.approx(50)
    assert ax.patches[4].get_hatch()
    assert [w for w in words(ax) if w.isalpha()] == ["asked", "other", "stamp"]
    assert [w for w in words(ax) if w.isdigit()] == ["70", "30", "20", "30", "50"]


def test_marks_of_a_row_have_their_intervals_and_words():
    ax = plots.shares_in_rows(
        {"x": {"honest": record(0.1), "cheat": record(0.5)}, "y": {"cheat": record(0.3)}}, "share, %", {"chance": 0.04}
    )
    assert words(ax) == ["10 honest", "50 cheat", "30", "chance"]
    assert list(ax.lines[0].get_xdata()) == pytest.approx([0, 20])
    assert ax.get_xlim()[0] == 0
    assert ax.get_xlim()[1] > 60
