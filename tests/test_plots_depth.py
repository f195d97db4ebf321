"""The figures of the chapter on depth show the runs that they are given, the stuck ones too."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

from vgg_course import plots

NETS = ("A", "A-LRN", "B", "B-5x5", "C", "D", "E", "A-wide")


def net(*accuracies):
    return {
        "runs": [
            {"seed": i, "test_accuracy": share, "train_accuracy": min(1.0, share + 0.03)}
            for i, share in enumerate(accuracies, start=1)
        ]
    }


@pytest.fixture
def found():
    """An invented study: E without batch norm is stuck once, C always, and the wide A has one seed."""
    batch = {name: net(0.92 + 0.002 * i, 0.925 + 0.002 * i, 0.93) for i, name in enumerate(NETS)}
    none = {name: net(0.90, 0.91, 0.905 - 0.001 * i) for i, name in enumerate(NETS)}
    none["E"], none["C"], none["A-wide"] = net(0.9, 1 / 3, 0.88), net(1 / 3, 1 / 3, 1 / 3), net(0.9)
    gain, far = {"low": -0.004, "mean": 0.002, "high": 0.008}, {"low": 0.01, "mean": 0.6, "high": 1.1}
    return {
        "failed_below": 0.5,
        "nets": {name: {"macs": (2 + i) * 10**6} for i, name in enumerate(NETS)},
        "families": {"batch": batch, "none": none},
        "differences": {
            "batch": {"D - C": gain, "E - D": gain},
            "none": {"D - C": far},
        },
    }


def dots(ax):
    return [float(y) for line in ax.lines if line.get_marker() not in ("None", "", None) for y in line.get_ydata()]


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_every_run_that_learned_is_a_dot_and_every_other_is_counted(found):
    batch, none = plots.depth_by_net(found)
    for ax, norm in ((batch, "batch"), (none, "none")):
        runs = [run["test_accuracy"] for name in NETS[:-1] for run in found["families"][norm][name]["runs"]]
        assert sorted(dots(ax)) == pytest.approx(sorted(100 * share for share in runs if share > 0.5))
    labels = {label.get_text().split("\n")[0]: label.get_text() for label in none.get_xticklabels()}
    assert labels["E"] == "E\n89.0\n1 stuck"
    assert labels["C"] == "C\n3 stuck"
    assert labels["A"] == "A\n90.5"


def test_the_nets_can_be_chosen(found):
    axes = plots.depth_by_net(found, ("A", "A-wide"))
    assert [label.get_text()[:2] for label in axes[1].get_xticklabels()] == ["A\n", "A-"]


def test_a_family_that_is_not_there_leaves_an_empty_panel(found):
    found["families"]["none"] = {}
    assert dots(plots.depth_by_net(found)[1]) == []
    assert dots(plots.fit_and_test(found)[1]) == []
    assert plots.accuracy_against_macs(found).lines


def test_differences_stand_beside_the_papers(found):
    ax = plots.depth_differences(found, ["D - C", "E - D", "B - B-5x5"], {"D - C": [1.1], "B - B-5x5": [2.0, 7.0]})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["D over C", "E over D", "B over B-5x5"]
    assert {1.1, 2.0, 7.0, 0.2} <= {round(float(x), 6) for line in ax.lines for x in line.get_xdata()}
    intervals = [segment[:, 0].tolist() for part in ax.collections for segment in part.get_segments()]
    assert [-0.4, 0.8] in [pytest.approx(interval) for interval in intervals]
    assert max(max(interval) for interval in intervals) == 8  # not 110
    assert {"in the paper", "with batch norm", "without"} == {*words(ax)}


def test_accuracy_stands_over_macs_and_the_net_of_another_width_is_hollow(found):
    ax = plots.accuracy_against_macs(found)
    points = {(float(x), round(float(y), 3)) for line in ax.lines for x, y in zip(*line.get_data(), strict=True)}
    assert (2.0, 92.5) in points
    assert words(ax).count("A-wide") == words(ax).count("D") == 2
    assert "A-LRN" not in words(ax)
    assert words(ax).count("C") == 1  # all of its runs without batch norm are stuck
    hollow = [line for line in ax.lines if line.get_fillstyle() == "none"]
    assert len(hollow) == 4  # B-5x5 and A-wide, twice; A-LRN has the MACs of A


def test_the_gap_between_training_and_test_images_is_written_beside_it(found):
    batch, none = plots.fit_and_test(found)
    assert set(words(batch)) == {"3.0"}
    assert len(words(none)) == 6  # not C
    assert "train (hollow), test (full)" in batch.get_title(loc="left")
