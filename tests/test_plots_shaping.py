"""The figures of the chapter on shapes show the numbers that they are given."""

import matplotlib as mpl

mpl.use("Agg")

import torch
import torchvision

from vgg_course import plots
from vgg_course.model import vgg
from vgg_course.shapes import broken_promises


def words(ax):
    return [text.get_text().strip() for text in ax.texts]


def test_cause_and_complaint_are_marked_where_they_are():
    with torch.device("meta"):
        loud, silent = torchvision.models.vgg16(), torchvision.models.vgg16()
    del loud.features[16], silent.features[16]
    loud.avgpool = torch.nn.Identity()
    cases = {"loud": broken_promises(loud, "D"), "silent": broken_promises(silent, "D")}
    first = plots.cause_and_complaint(cases)
    above, below = first.figure.axes
    assert above is first
    assert [ax.get_title(loc="left") for ax in (above, below)] == ["loud", "silent"]
    assert "pool3: the cause" in words(above)
    assert "fc6: the complaint" in words(above)
    assert "no layer complains" in words(below)
    names = [label.get_text() for label in above.get_xticklabels()]
    lines = [line.get_xdata()[0] for line in above.lines if line.get_linestyle() in ("--", ":")]
    assert [names[x] for x in lines] == ["pool3", "fc6"]
    numbers = [int(word) for word in words(above) if word.isdigit()]
    assert numbers == [56, 56, 56, 28, 28, 28, 28, 14]  # conv4_1 to pool5, each twice what was promised


def test_a_missing_layer_has_no_cross():
    model = vgg("A", input_size=32, width=1 / 16)
    del model.features[2]
    found = broken_promises(model, model.configuration)
    ax = plots.cause_and_complaint({"": found})
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert 0 < len(crosses) < len(ax.lines[0].get_xdata()) == len(found.grids)


def test_every_step_of_the_grid_is_as_wide_as_its_sizes():
    ax = plots.grids_by_size(5, 160, 287)
    for line, grid in zip(ax.lines, range(5, 9), strict=True):
        left, right = line.get_xdata()
        assert {size // 32 for size in range(int(left), int(right) + 1)} == {grid} == set(line.get_ydata())
    assert "224 to 255" in words(ax)
