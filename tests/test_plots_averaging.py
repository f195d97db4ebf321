"""The figures of the chapter on views show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

from vgg_course import palette, plots


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_each_answer_is_a_panel_with_its_winner_in_red():
    first = plots.posteriors({"one": [0.2, 0.7, 0.1], "other": [0.5, 0.25, 0.25]}, ("a", "b", "c"))
    panels = first.figure.axes
    assert [ax.get_title() or ax.get_title(loc="left") for ax in panels] == ["one", "other"]
    assert words(panels[0]) == ["0.20", "0.70", "0.10"]
    assert [bar.get_height() for bar in panels[1].patches] == [0.5, 0.25, 0.25]
    red = mpl.colors.to_rgba(palette.HIGHLIGHT)
    assert [[bar.get_facecolor() == red for bar in ax.patches] for ax in panels] == [
        [False, True, False],
        [True, False, False],
    ]


def test_the_line_runs_through_the_means_and_every_net_has_a_dot():
    ax = plots.error_by_side([32, 40], [[5.0, 6.0], [9.0, 12.0]], train=32)
    *dots, line, trained = ax.lines
    assert [list(dot.get_ydata()) for dot in dots] == [[5.0, 6.0], [9.0, 12.0]]
    assert list(line.get_ydata()) == [5.5, 10.5]
    assert list(trained.get_xdata()) == [32, 32]
    assert words(ax) == ["5.5", "10.5", "trained here"]
    assert ax.get_ylim()[0] == 0


@pytest.mark.parametrize("also", [None, {"pair": (4e9, [3.0])}])
def test_cost_and_error_stand_where_they_were_measured(also):
    ax = plots.error_against_cost(
        {"one": (1e9, [5.0, 7.0]), "many": (20e9, [4.0])}, also=also, beside={"many": (-8, 0)}
    )
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines]
    assert marks == [(1, 6), (20, 4), *([(4, 3)] if also else [])]
    assert words(ax) == ["one", "many", *(also or {})]
    assert ax.get_xscale() == "log"
    assert bool(ax.get_legend()) == bool(also)
    if also:
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one net", "two nets"]
