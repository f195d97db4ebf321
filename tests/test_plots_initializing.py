"""The figures of the chapter on first weights show the numbers that they are given."""

from itertools import pairwise
from math import sqrt

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots, results
from vgg_course.initialization import SCHEMES, gains, initialize, signal
from vgg_course.model import vgg


@pytest.fixture(scope="module")
def model():
    return vgg("A", width=1 / 8, input_size=32, classes=10, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def signals(model):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = {}
    for name in ("he", "glorot", "torch"):
        initialize(model, name, torch.Generator().manual_seed(0))
        found[name] = signal(model, images, torch.tensor([0, 1]))
    return found


def words(ax):
    return [text.get_text() for text in ax.texts]


def lines(ax):
    return [list(line.get_ydata()) for line in ax.lines]


def test_both_ways_draws_what_was_measured(signals):
    forward, backward = plots.both_ways(signals).figure.axes
    for found in signals.values():
        assert [layer.output for layer in found] in lines(forward)
        assert [layer.gradient for layer in found] in lines(backward)
    assert {*words(forward)} == {*words(backward)} == {*signals}
    assert [tick.get_text() for tick in forward.get_xticklabels()] == [layer.name for layer in signals["he"]]
    assert forward.get_yscale() == backward.get_yscale() == "log"


def test_theory_starts_at_the_images_and_at_the_logits(signals, model):
    theory = gains(model.configuration, "he")
    forward, backward = plots.both_ways({"he": signals["he"]}, {"he": theory}).figure.axes
    dashed = [next(line for line in ax.lines if line.get_linestyle() == "--") for ax in (forward, backward)]
    there, back = (list(line.get_ydata()) for line in dashed)
    assert there[0] == pytest.approx(signals["he"].images * sqrt(2) * theory["conv1_1"].forward)
    assert there[1] / there[0] == pytest.approx(theory["conv2_1"].forward)
    assert back[-1] == signals["he"]["fc8"].gradient
    assert back[-2] / back[-1] == pytest.approx(theory["fc8"].backward)
    assert back[0] / back[1] == pytest.approx(theory["conv2_1"].backward)
    assert len(there) == len(back) == len(theory)


def test_both_ways_draws_stored_means_with_their_spread_as_a_band():
    stored = results.load("initialization_signal")["nets"]["D"]["pixel"]
    forward, backward = plots.both_ways(stored).figure.axes
    for found in stored.values():
        assert [layer["output"]["mean"] for layer in found["layers"].values()] in lines(forward)
    assert len(forward.collections) == len(backward.collections) == len(stored)
    assert {*words(forward)} == {*stored}
    assert {*SCHEMES} - {"dirac"} < {*stored}


def test_no_two_curves_look_alike():
    stored = results.load("initialization_signal")["nets"]["D"]["pixel"]
    curves = [line for line in plots.both_ways(stored).lines if line.get_marker() not in ("None", "")]
    assert len(curves) == len(stored)
    assert len({line.get_marker() for line in curves}) == len(stored)
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == len(stored)


def test_labels_do_not_meet():
    stored = results.load("initialization_signal")["nets"]["D"]["pixel"]
    for ax in plots.both_ways(stored).figure.axes:
        heights = sorted(text.get_position()[1] for text in ax.texts)
        assert min(b - a for a, b in pairwise(heights)) > 0.06


def test_relative_gradients_are_drawn_measured_and_stored(signals):
    stored = results.load("initialization_signal")["nets"]["A"]["pixel"]["he"]
    ax = plots.relative_gradients({**signals, "stored": stored})
    assert [layer.relative_gradient for layer in signals["he"]] in lines(ax)
    assert [layer["relative_gradient"]["mean"] for layer in stored["layers"].values()] in lines(ax)
    assert len(ax.collections) == 1
    assert {*words(ax)} == {*signals, "stored"}


def test_gain_lines_say_the_gain_of_every_fan_in():
    ax = plots.gain_lines({"0.1": gains("D", "paper"), "0.01": gains("D", "std-0.01")})
    assert {"4.8", "0.48", "11", "1.1", "0.037", "keeps the signal"} <= {*words(ax)}
    assert [tick.get_text() for tick in ax.get_xticklabels() if tick.get_text()] == [
        "27\nconv1_1",
        "576\nconv1_2",
        "1,152\nconv2_2",
        "2,304\nconv3_2",
        "4,608\nconv4_2",
        "25,088\nfc6",
    ]
    assert sorted({row.forward for row in gains("D", "paper")}) in lines(ax)
