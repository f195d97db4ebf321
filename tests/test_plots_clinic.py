"""The figures of the clinic show the numbers that they are given."""

import matplotlib as mpl

mpl.use("Agg")

import pytest

from vgg_course import plots


def percent(values):
    return [100 * value for value in values]


def test_costs_shows_every_seed_the_mean_and_its_interval_in_points():
    rows = {"one": [0.01, 0.03], "two": [-0.01, 0.0, 0.01]}
    ax = plots.costs(rows, {"one": 0.02, "two": 0.005})
    drawn = [list(line.get_xdata()) for line in ax.lines]
    for values in rows.values():
        assert percent(values) in drawn
    assert pytest.approx([0, 4]) in drawn  # the mean is 2 points, with 2 to each side
    assert [text.get_text() for text in ax.texts] == ["+2.0", "+0.0"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row on top


def test_judges_draws_each_series_with_its_own_mark_and_names_it_once():
    rows = {"honest": {"during": [0.5, 0.7]}, "careless": {"during": [0.4, 0.2], "after": [0.6, 0.6]}}
    ax = plots.judges(rows)
    assert [list(line.get_xdata()) for line in ax.lines] == [percent(v) for row in rows.values() for v in row.values()]
    assert [text.get_text() for text in ax.texts] == ["60.0", "30.0", "60.0"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["during", "after"]
    assert len({line.get_marker() for line in ax.lines}) == 2


def test_one_series_needs_no_legend():
    assert plots.judges({"honest": {"during": [0.5, 0.7]}}).get_legend() is None


def test_decaying_draws_absolute_values_on_a_logarithmic_scale():
    ax = plots.decaying({"straight": [1, 0.5, 0.25], "swinging": [1, -0.5, 0.1]})
    assert ax.get_yscale() == "log"
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[1, 0.5, 0.25], [1, 0.5, 0.1]]
    assert {text.get_text() for text in ax.texts} == {"straight", "swinging"}


def test_picked_epochs_marks_the_last_epoch_the_best_on_validation_and_the_best_on_test():
    axes = plots.picked_epochs([[0.5, 0.9, 0.6]], [[0.7, 0.5, 0.6]])
    marks = {line.get_marker(): (line.get_xdata()[0], line.get_ydata()[0]) for line in axes[0].lines[2:]}
    assert marks == {"s": (3, 60), "D": (2, 50), "o": (1, 70)}
    assert list(axes[0].lines[0].get_ydata()) == [70, 50, 60]
    names = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert names == ["best on test", "best on validation", "last"]


def test_printed_losses_has_a_line_and_crosses_for_every_seed():
    means, lasts = [[1.0, 0.5], [1.1, 0.4]], [[0.9, 0.8], [1.4, 0.1]]
    ax = plots.printed_losses(means, lasts)
    assert [list(line.get_ydata()) for line in ax.lines[::2]] == means
    assert [list(line.get_ydata()) for line in ax.lines[1::2]] == lasts
    assert len(ax.get_legend().get_texts()) == 2
    assert ax.get_ylim()[0] == 0
