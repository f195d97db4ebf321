"""The figures of the chapter on real bugs show the numbers that they are given."""

import matplotlib as mpl

mpl.use("Agg")

import torch

from vgg_course import museum, plots
from vgg_course.model import vgg


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_histograms_of_answers_count_all_of_them_on_common_axes_and_say_how_many_are_negative():
    values = torch.tensor([-2.0, -1.0, 0.0, 3.0])
    axes = plots.answers({"cured": values, "as found": values.relu()}).figure.axes
    assert [sum(bar.get_height() for bar in ax.patches) for ax in axes] == [4, 4]
    assert [ax.get_title(loc="left") + ax.get_title() for ax in axes] == [
        "cured: 50% negative",
        "as found: 0% negative",
    ]
    assert len({tuple(bar.get_x() for bar in ax.patches) for ax in axes}) == 1


def test_deviations_are_those_of_the_layers():
    inside = museum.look_inside(vgg("A", **museum.SMALL), torch.randn(2, 3, 64, 64))
    ax = plots.deviations({"a net": inside, "the same": inside})
    assert [list(line.get_ydata()) for line in ax.lines] == 2 * [[step.deviation for step in inside]]
    assert [label.get_text() for label in ax.get_xticklabels()] == [step.name for step in inside]
    assert words(ax) == ["a net", "the same"]
    assert ax.get_yscale() == "log"


def test_the_answers_in_company_are_joined_for_each_batch_and_their_labels_keep_apart():
    batches = {"birds": [1.0, 2.0, 3.0], "cats": torch.tensor([0.0, 5.0, 3.0])}
    ax = plots.companies(["a", "b", "c"], batches, [1, 1, 1])
    drawn = [list(line.get_ydata()) for line in ax.lines]
    assert [1.0, 2.0, 3.0] in drawn
    assert [0.0, 5.0, 3.0] in drawn
    assert [1.0, 1.0, 1.0] in drawn
    heights = [text.get_position()[1] for text in ax.texts if text.get_text() in batches]
    assert abs(heights[0] - heights[1]) > 0.3


def test_accuracy_by_scale_is_in_percent_and_marks_what_has_a_name():
    ax = plots.accuracy_by_scale([1, 10, 100], [0.3, 0.5, 0.9], {"as found": 1})
    assert list(ax.lines[0].get_ydata()) == [30, 50, 90]
    assert words(ax) == ["as found"]
    assert ax.get_xscale() == "log"
