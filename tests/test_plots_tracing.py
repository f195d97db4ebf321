"""The figures of the chapter on receptive fields show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots, results
from vgg_course.configuration import CONFIGURATIONS
from vgg_course.receptive_field import receptive_field


def words(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(("name", "count", "union"), [("conv1_2", 2, 6), ("pool1", 3, 10)])
def test_overlapping_windows_cover_what_the_next_layer_sees(name, count, union):
    field = receptive_field("D")[name]
    ax = plots.overlapping_windows(field, count)
    bars = [patch for patch in ax.patches if patch.get_width() == field.size]
    assert [bar.get_x() for bar in bars] == [row * field.jump for row in range(count)]
    assert f"together {union}" in words(ax)
    assert len(ax.patches) == count + union


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_growth_says_the_size_of_every_layer(name):
    fields = receptive_field(name)
    shown = [str(field.size) for field in fields if not field.name.startswith("fc")] + [str(fields["fc6"].size)]
    ax = plots.growth(fields)
    assert [word for word in words(ax) if word.isdigit()] == shown
    assert [word for word in words(ax) if word.startswith("jump")] == [f"jump {2**n}" for n in range(6)]


def test_growth_draws_a_wrong_rule_beside_the_right_one():
    ax = plots.growth(receptive_field("D"), wrong={"doubling": [3, 5, 10]})
    assert [3, 5, 10] in [list(line.get_ydata()) for line in ax.lines]
    assert "doubling\n10" in words(ax)


def test_the_step_stands_where_the_stored_runs_say():
    distances = results.load("receptive_field_step")["distances"]
    for ax, (distance, found) in zip(plots.step(distances).figure.axes, distances.items(), strict=True):
        assert found["needed"] == int(distance) + 1
        assert f"both marks fit\nfrom {found['needed']} pixels on" in words(ax)
        curve = next(line for line in ax.lines if len(line.get_xdata()) == len(found["runs"]) > 2)
        assert list(curve.get_ydata()) == [100 * run["accuracy"]["mean"] for run in found["runs"]]


def test_the_stored_runs_have_a_step_where_theory_puts_it():
    for found in results.load("receptive_field_step")["distances"].values():
        for run in [*found["runs"], found["control"]]:
            if run["size"] < found["needed"]:
                assert run["accuracy"]["values"] == [0.5] * 5
            else:
                assert max(run["accuracy"]["values"]) == 1.0
            if (
                run["size"] > found["needed"]
            ):  # where it only just fits, the marks lie on the window's edges: not all learn
                assert run["accuracy"]["mean"] > 0.98
        assert found["control"]["layers"] == max(run["layers"] for run in found["runs"])


def test_the_stored_effective_fields_lie_within_the_theoretical_ones():
    found = results.load("effective_receptive_field")
    for layer in found["layers"].values():
        first, last = layer["window"]
        assert last - first + 1 == layer["size"]
        for when in ("before", "after"):
            influence = torch.tensor(layer[when]["map"])
            assert influence.sum() == pytest.approx(1, abs=2e-3)
            outside = influence.clone()
            outside[first : last + 1, first : last + 1] = 0
            assert not outside.any()
            assert layer[when]["side_of_90"]["highest"] < layer["size"]


def test_influence_frames_the_theoretical_window():
    ax = plots.influence({"one": (torch.rand(32, 32), (range(6, 30), range(2, 34)), "12.3")})
    frame = ax.patches[0]
    assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == (1.5, 5.5, 32, 24)
    assert "one\n90 % within 12.3 of 32" in ax.get_title(loc="center")
