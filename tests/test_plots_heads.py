"""The figures of backbones show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots
from vgg_course.backbone import BACKBONES


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_each_system_has_a_mark_at_every_stride_that_it_reads():
    ax = plots.reads(BACKBONES.values())
    marks = {(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() in "os"}
    for row, system in enumerate(BACKBONES.values()):
        assert {x for x, y in marks if y == row} == {system.field(layer).jump for layer in system.reads}
    assert "conv5_3, rpn_conv/3x3" in words(ax)


def test_the_old_places_of_a_dense_map_are_framed():
    dense = torch.rand(7, 7)
    axes = plots.old_places(dense[::3, ::3], dense, step=3).figure.axes
    corners = [patch.get_xy() for patch in axes[1].patches]
    assert corners == [(x - 0.5, y - 0.5) for y in (0, 3, 6) for x in (0, 3, 6)]
    assert axes[0].images[0].get_clim() == axes[1].images[0].get_clim()


def test_grids_stand_beside_the_true_mask():
    masks = torch.rand(2, 16, 16) > 0.5
    axes = plots.drawn_by_grids(masks, {4: masks, 8: ~masks}).figure.axes
    assert [ax.get_title(loc="center") for ax in axes[:3]] == ["true", "stride 4", "stride 8"]
    assert len(axes) == 6


def test_every_class_has_a_line_of_its_own():
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    parts = torch.zeros(2, 8, 8, dtype=torch.int64)
    parts[0, 2:5, 2:5], parts[1, 3:6, 3:6] = 1, 3
    ax = plots.painted(images, {"truth": parts, "nothing": parts * 0})
    assert [a.get_ylabel() for a in ax.figure.axes[::2]] == ["truth", "nothing"]
    assert "solid: airplane   dashed: automobile   dotted: bird" in ax.figure.get_suptitle()
    assert [len(a.collections) > 0 for a in ax.figure.axes] == [True, True, False, False]


def test_sizes_are_named_and_lines_end_in_their_names():
    ax = plots.iou_by_size(((0, 8), (8, 12), (12, 64)), {"a": {"x": [0.1, 0.2, 0.3], "y": [0.1, 0.3, 0.31]}, "b": {}})
    assert [label.get_text() for label in ax.get_xticklabels()] == ["under 8", "8 to 12", "over 12"]
    assert words(ax) == ["x", "y"]
    low, high = (text.get_position()[1] for text in ax.texts)
    assert high - low > 0.05  # names do not lie on each other


def test_a_stride_that_finds_nothing_is_said_so():
    ax = plots.smallest_by_stride({"one": {32: None, 16: 20.0, 8: 10.0}})
    assert "one: never" in words(ax)
    assert {"20", "10", "one"} <= set(words(ax))


def test_what_and_where_are_the_axes():
    ax = plots.what_and_where({"alone": {"pool4": (0.2, 0.7), "pool3": (0.4, 0.6)}, "sum": {"pool4": (0.3, 0.8)}})
    assert ax.lines[0].get_xdata().tolist() == [0.2, 0.4]
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([70, 60])
    assert {"pool4", "pool3", "alone", "sum"} == set(words(ax))


def test_a_stride_looks_the_same_in_every_panel():
    ax = plots.iou_by_size(((0, 8), (8, 64)), {"a": {"y": [0.1, 0.2]}, "b": {"x": [0.1, 0.2], "y": [0.3, 0.4]}})
    first, second = ([line for line in some.lines if line.get_marker() != "None"] for some in ax.figure.axes)
    assert (first[0].get_color(), first[0].get_marker()) == (second[1].get_color(), second[1].get_marker())


def test_arms_with_few_labels_show_all_seeds():
    ax = plots.few_labels({"a": {"12": [0.1, 0.3], "48": [0.5, 0.7]}})
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([0.2, 0.6])
    assert ax.lines[1].get_ydata().tolist() == [0.1, 0.3]


def test_a_ramp_is_drawn_as_it_was_read():
    ax = plots.reading_a_ramp([0, 1, 2], {"pooling": [5, 5, 9], "align": [4, 5, 6]})
    assert [line.get_ydata().tolist() for line in ax.lines] == [[5, 5, 9], [4, 5, 6]]
    assert words(ax) == ["pooling", "align"]
