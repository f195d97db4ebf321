"""The figures of the chapter that builds VGG three times show the networks that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots
from vgg_course.configuration import CONFIGURATIONS
from vgg_course.model import vgg


def words(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "bn"])
@pytest.mark.parametrize("letter", CONFIGURATIONS)
def test_a_line_leads_from_each_name_to_the_number_in_the_state_dict(letter, batch_norm):
    with torch.device("meta"):
        model = vgg(letter, batch_norm=batch_norm)
    ax = plots.module_map(model)
    boxes = {(i, part) for part in ("features", "classifier") for i in range(len(getattr(model, part)))}
    assert len(ax.patches) == len(boxes)
    lines = [line for line in ax.lines if list(line.get_ydata()) != [-1.35, -1.35]]
    names = [word for word in words(ax) if word.startswith(("conv", "fc"))]
    assert names == [name for name, module in model.layers.items() if hasattr(module, "weight")]
    convolutions = [line.get_xdata()[0] for name, line in zip(names, lines, strict=True) if name.startswith("conv")]
    keys = [key for key in model.state_dict() if key.startswith("features") and key.endswith("weight")]
    numbers = [int(key.split(".")[1]) for key in keys if model.get_parameter(key).ndim == 4]
    assert convolutions == numbers


def test_every_kind_of_module_is_in_the_key_once():
    key = plots.module_map(vgg("A-LRN", width=1 / 16, batch_norm=True)).get_legend()
    kinds = [text.get_text() for text in key.get_texts()]
    assert sorted(kinds) == sorted(
        ["convolution", "batch norm", "ReLU", "LRN", "max-pool", "fully connected", "dropout"]
    )


def test_differences_are_drawn_as_they_are_and_zeros_left_out():
    curves = {"exact": {"conv1_1": 0.0, "conv1_2": 1e-16}, "a bug": {"conv1_1": 1e-16, "conv1_2": 0.5}}
    ax = plots.differences(curves, tolerance=1e-12)
    exact, bug, tolerance = ax.lines[0], ax.lines[1], ax.lines[2]
    assert exact.get_ydata()[0] != exact.get_ydata()[0]  # nan
    assert exact.get_ydata()[1] == 1e-16
    assert list(bug.get_ydata()) == [1e-16, 0.5]
    assert list(tolerance.get_ydata()) == [1e-12, 1e-12]
    assert ax.get_yscale() == "log"
    assert {"exact", "a bug", "tolerance"} <= set(words(ax))
