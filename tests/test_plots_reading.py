"""The figures of the chapter that reads the paper's results show what the tables say."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

from vgg_course import paper, plots


def dots(ax):
    return [
        (float(x), float(y))
        for line in ax.lines
        if line.get_marker() not in ("None", "", None)
        for x, y in zip(*line.get_data(), strict=True)
    ]


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_every_row_of_both_tables_is_a_dot():
    axes = plots.errors_by_configuration({"one": paper.TABLE_3, "three": paper.TABLE_4})
    for ax, table in zip(axes, (paper.TABLE_3, paper.TABLE_4), strict=True):
        assert sorted(y for _, y in dots(ax)) == sorted(row.top_1 for row in table)
        assert words(ax) == ["S = 256", "S = 384", "S in [256; 512]"]
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_a_lrn_is_hollow_and_joined_to_nothing():
    ax = plots.errors_by_configuration({"one": paper.TABLE_3, "three": paper.TABLE_4})[0]
    (alone,) = [line for line in ax.lines if line.get_fillstyle() == "none"]
    assert [list(part) for part in alone.get_data()] == [[1], [paper.TABLE_3["A_LRN_256"].top_1]]
    assert all(1 not in line.get_xdata() for line in ax.lines if line is not alone)


def test_gains_beyond_the_widest_band_are_full_and_those_against_the_claim_square():
    rows = {"first": [("P", 0.9), ("Q", -0.1)], "second": [("R", 0.3), ("S", 0.3)], "third": [("T", 0.0)]}
    ax = plots.gains_and_chance(rows, (0.56, 0.37))
    marks = {(line.get_xdata()[0], line.get_ydata()[0]): line for line in ax.lines if len(line.get_xdata()) == 1}
    assert {place: (m.get_marker(), m.get_fillstyle()) for place, m in marks.items()} == {
        (0.9, 0): ("o", "full"),
        (-0.1, 0): ("s", "none"),
        (0.3, 1): ("o", "none"),
        (0.0, 2): ("s", "none"),
    }
    assert words(ax) == ["Q", "P", "R, S", "T"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second", "third"]
    bands = sorted(patch.get_width() for patch in ax.patches)
    assert bands == pytest.approx([0.74, 1.12])


def test_gains_are_counted_from_the_first_net_and_names_do_not_meet():
    ax = plots.gains_over_first({"p": {"A": 30.0, "B": 29.0, "E": 27.0}, "q": {"A": 32.0, "B": 31.5, "E": 28.99}})
    assert [y for _, y in dots(ax)] == pytest.approx([0, 1, 3, 0, 0.5, 3.01])
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert heights[1] - heights[0] > 0.15
    assert [label.get_text() for label in ax.get_xticklabels()] == ["A", "B", "E"]


def test_the_grid_has_seven_members_and_two_frames():
    later = paper.TABLE_6["dense"].networks
    ax = plots.submission_grid(paper.TABLE_4, paper.SUBMISSION, later, ["D [256; 512]"])
    frames = [patch for patch in ax.patches if patch.get_facecolor()[3] == 0]
    assert (len(ax.patches) - len(frames), len(frames), len(dots(ax))) == (7, 2, 7)
    assert words(ax).count("-") == 18 - len(paper.TABLE_4)
    assert "then ?\nlater 24.8" in words(ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["A", "A-LRN", "B", "C", "D", "E"]


def test_curves_start_at_one_net_and_printed_values_are_dots():
    ax = plots.fused_errors({"toy": [25.0, 24.0, 23.5]}, {"two nets": (2, 24.0)})
    (curve,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert list(curve.get_xdata()) == [1, 2, 3]
    assert dots(ax) == [(2.0, 24.0)]
    assert words(ax) == ["toy", "two nets"]


def test_validation_is_hollow_test_is_full_and_equal_numbers_are_written_once():
    ax = plots.headline_errors({"a": (7.5, 7.3), "b": (6.8, 6.8), "c": (7.9, None)})
    marks = [
        (line.get_fillstyle(), line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() not in ("None", "", None) and line.get_transform() == ax.transData
    ]
    assert marks == [("none", 7.5, 0), ("full", 7.3, 0), ("none", 6.8, 1), ("full", 6.8, 1), ("none", 7.9, 2)]
    assert words(ax) == ["7.5", "7.3", "6.8", "7.9", "validation", "test"]
