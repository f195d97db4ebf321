"""The figures of transfer show the numbers that they are given."""

from itertools import pairwise

import matplotlib as mpl
import pytest

mpl.use("Agg")

from vgg_course import plots


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_a_curve_goes_through_the_means_and_is_named_at_its_end():
    ax = plots.few_shot_curves({"a": {1: [0.1, 0.3], 20: [0.5, 0.6]}, "b": {1: [0.2], 5: [0.4]}}, chance=1 / 7)
    first, second = ax.lines[:2]
    assert first.get_xdata().tolist() == [1, 20]
    assert first.get_ydata().tolist() == pytest.approx([20, 55])
    assert second.get_ydata().tolist() == pytest.approx([20, 40])
    assert first.get_marker() != second.get_marker()
    assert ax.lines[2].get_ydata()[0] == pytest.approx(100 / 7)
    assert {"a", "b", "chance"} <= set(words(ax))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "5", "20"]
    assert ax.get_ylim()[0] == 0


def test_names_at_the_ends_do_not_meet():
    arms = {f"arm {i}": {1: [0.5], 10: [0.5 + 0.001 * i]} for i in range(5)}
    ax = plots.few_shot_curves(arms, chance=0.1)
    heights = sorted(text.get_position()[1] for text in ax.texts if text.get_text().startswith("arm"))
    assert all(high - low > 0.06 for low, high in pairwise(heights))


def test_three_losses_are_right_at_a_margin_of_zero_and_one():
    ax = plots.margin_losses()
    squared, hinge, logistic = (dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in ax.lines[:3])
    assert squared[0.0] == hinge[0.0] == 1
    assert squared[1.0] == hinge[1.0] == 0
    assert logistic[0.0] == pytest.approx(0.693, abs=1e-3)
    assert {"hinge", "squared hinge", "logistic"} <= set(words(ax))


def test_a_row_has_a_mark_for_each_kind():
    rows = {"right": {"both": 0.5, "use": 0.5}, "wrong": {"both": 0.4, "use": 0.2}}
    ax = plots.marks_by_row(rows, ("right", 0.5))
    both, use = ax.lines[:2]
    assert both.get_xdata().tolist() == pytest.approx([50, 40])
    assert use.get_xdata().tolist() == pytest.approx([50, 20])
    assert both.get_marker() != use.get_marker()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["right", "wrong"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["both", "use"]
