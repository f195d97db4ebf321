"""The figures of the chapter that repeats the paper's tests show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

from vgg_course import palette, plots


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_lines_run_through_means_and_every_seed_has_a_mark():
    panels = {
        "the paper": {"D, one side": [[27.0], [25.6]], "E, one side": [[27.3], [25.5]]},
        "ours": {"D, one side": [[5.0, 6.0], [9.0, 10.0]], "D, three sides": [[4.0, 5.0], [8.0, 9.0]]},
    }
    ticks = {"the paper": ["256", "jitter"], "ours": ["40", "[40; 72]"]}
    theirs, ours = plots.errors_by_training(panels, ticks)
    assert [list(line.get_ydata()) for line in theirs.lines] == [[27.0, 25.6], [27.3, 25.5]]
    lines = [list(line.get_ydata()) for line in ours.lines]
    assert lines == [[5.5, 9.5], [5.0, 6.0], [9.0, 10.0], [4.5, 8.5], [4.0, 5.0], [8.0, 9.0]]
    assert [label.get_text() for label in ours.get_xticklabels()] == ticks["ours"]
    assert {line.get_fillstyle() for line in ours.lines[:3]} == {"full"}
    assert {line.get_fillstyle() for line in ours.lines[3:]} == {"none"}


def one(middle, verdict, papers=(1.0, 2.0)):
    return {
        "claim": "this, better than that",
        "rows": {str(i): {"paper": value} for i, value in enumerate(papers)},
        "points": {"values": [middle - 0.1, middle + 0.1], "mean": middle},
        "low": middle - 1,
        "high": middle + 1,
        "images_low": middle - 0.5,
        "images_high": middle + 0.5,
        "verdict": verdict,
    }


@pytest.mark.parametrize(("verdict", "color"), [("reappears", palette.CONVOLUTION), ("contradicts", palette.HIGHLIGHT)])
def test_an_ordering_has_its_intervals_its_mean_the_papers_gain_and_its_verdict_in_words(verdict, color):
    ax = plots.orderings({"first": one(2.0, verdict), "second": one(0.1, "cannot tell")})
    assert words(ax)[:2] == [verdict, "cannot tell"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["this,\nbetter than that"] * 2
    solid, dashed = ax.collections[:2]
    assert solid.get_segments()[0][:, 0].tolist() == [1.0, 3.0]
    assert dashed.get_segments()[0][:, 0].tolist() == [1.5, 2.5]
    assert mpl.colors.to_hex(solid.get_color()[0]) == color
    marks = {line.get_marker(): line.get_xdata()[0] for line in reversed(ax.lines) if line.get_marker() in "oD"}
    assert marks["o"] == 2.0
    assert marks["D"] == 1.5
