"""The figures of paintings show the numbers and the pictures that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots


def test_a_gallery_has_a_picture_a_place_and_names_its_rows_and_columns():
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    bytes_ = torch.full((3, 4, 4), 7, dtype=torch.uint8)
    ax = plots.gallery({"one": [red, bytes_], "two": [red * 3]}, ["a", "b"])
    axes = ax.figure.axes
    assert [len(some.images) for some in axes] == [1, 1, 1, 0]
    assert axes[0].images[0].get_array()[0, 0].tolist() == [1, 0, 0]
    assert axes[2].images[0].get_array().max() == 1  # clipped
    assert axes[1].images[0].get_array().max() == 7
    assert [some.get_title(loc="center") for some in axes[:2]] == ["a", "b"]
    assert [axes[i].get_ylabel() for i in (0, 2)] == ["one", "two"]


def test_losses_fall_by_look_and_lines_are_named():
    ax = plots.descents({"L-BFGS": [1, 0.5, 0.1], "Adam": {1: 1.0, 50: 0.2}})
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert ax.lines[1].get_ydata().tolist() == [1.0, 0.2]
    assert {"L-BFGS", "Adam"} <= {text.get_text() for text in ax.texts}
    assert ax.get_yscale() == "log"


def test_texture_by_depth_starts_at_zero_and_draws_what_it_is_held_against():
    ax = plots.texture_by_depth({"net": [0.5, 0.4]}, {"gray": 1.0}, ["relu1_1", "relu2_1"])
    assert ax.lines[0].get_ydata().tolist() == [0.5, 0.4]
    assert ax.get_ylim()[0] == 0
    assert {"net", "gray"} <= {text.get_text() for text in ax.texts}


def test_judgments_have_a_dot_a_seed_and_the_mean_in_numbers():
    ax = plots.judgments(
        {"PSNR": {"pixel": [20.0, 22.0], "other": [19.0]}, "steps": {"pixel": [0.5, 0.5], "other": [1]}}
    )
    assert ax.lines[0].get_xdata().tolist() == [20, 22]
    assert [text.get_text() for text in ax.texts] == ["21", "19"]
    assert [some.get_title() or some.get_title(loc="left") for some in ax.figure.axes] == ["PSNR", "steps"]
    assert pytest.approx(ax.lines[1].get_ydata().tolist()) == [1]
