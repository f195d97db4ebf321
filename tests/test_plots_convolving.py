import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_one_output_value_writes_the_sum_of_the_products_where_it_belongs():
    image, kernel = torch.arange(16).reshape(4, 4), torch.tensor([[1, 0], [0, -2]])
    written = texts(plots.one_output_value(image, kernel, row=1, column=2))
    assert "sum\n-16" in written  # 6 - 2 * 11
    assert len(written) == 16 + 4 + 4 + 9 + 4 + 2 + 1  # the cells, four titles, two signs, the sum
    assert written.count("-16") == 1


def test_the_three_grids_can_be_called_by_other_names():
    square = torch.ones(3, 3)
    written = texts(plots.one_output_value(square, square[:2, :2], row=0, column=0, names=("one", "two", "three")))
    assert {"one", "two", "three", "products"} <= set(written)
    assert not {"input", "kernel", "output"} & set(written)


def test_one_gradient_back_shows_what_all_windows_write_and_lights_one():
    grad, kernel = torch.tensor([[1000, 100], [10, 1]]), torch.tensor([[1, 2], [3, 4]])
    ax = plots.one_gradient_back(grad, kernel, row=0, column=1)
    written = texts(ax)
    assert "4321" in written  # 1000 * 4 + 100 * 3 + 10 * 2 + 1 * 1
    assert {"100", "200", "300", "400"} <= set(written)  # the products of the one that is lit
    assert len(written) == 3 * (4 + 1) + (9 + 1) + 3  # grids with their titles, two signs, "added to"
    lit = [patch for patch in ax.patches if patch.get_facecolor()[3] > 0]
    assert len(lit) == 1 + 4 + 4 + 4


def test_maps_share_one_scale_that_is_symmetric_if_a_value_is_negative():
    first = plots.maps({"a": torch.tensor([[0.0, 1.0]]), "b": torch.tensor([[-3.0, 2.0]]), "c": torch.rand(3, 2, 2)})
    images = [ax.images[0] for ax in first.figure.axes[:3]]
    assert [image.get_clim() for image in images[:2]] == [(-3, 3)] * 2
    assert plots.maps({"a": torch.tensor([[0.0, 1.0]])}).images[0].get_clim() == (0, 1)


def test_pictures_alone_have_no_color_bar():
    assert len(plots.maps({"one": torch.rand(3, 4, 4), "two": torch.rand(3, 4, 4)}).figure.axes) == 2


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_view_of_a_stack_has_a_box_for_each_value_that_matters(layers):
    ax = plots.view_of_a_stack(layers)
    assert len(ax.patches) == sum(2 * n + 1 for n in range(layers + 1))
    assert f"input: {2 * layers + 1} pixels" in texts(ax)


def test_two_bases_says_the_gap_both_ways():
    ax = plots.two_bases(27, 49, ("three", "one"))
    assert "44.9 % less, seen from 49\n81.5 % more, seen from 27" in texts(ax)
    assert [bar.get_width() for bar in ax.patches[:2]] == [27, 49]


def test_left_over_has_a_dot_for_each_kernel():
    ax = plots.left_over({1: [0.3, 0.4, 0.2], 2: [1e-9, 1e-8, 1e-7]}, "rest")
    assert [len(line.get_xdata()) for line in ax.lines[:2]] == [3, 3]
    assert "0.30" in texts(ax)


def test_along_a_line_counts_its_bends():
    ax = plots.along_a_line([0, 1, 2], {"one": ([0, 0, 1], [1]), "none": ([0, 1, 2], [])}, ("start", "end"))
    assert [a.get_title(loc="left") for a in ax.figure.axes] == ["one: 1 bend", "none: 0 bends"]


def test_drawing_keeps_what_the_backend_set_when_it_loaded():
    """Or a notebook shows its first figure only: its backend is loaded by the first one, and then turns "interactive" on."""

    @plots.styled
    def draw():
        mpl.rcParams["interactive"] = not before

    before = mpl.rcParams["interactive"]
    try:
        draw()
        assert mpl.rcParams["interactive"] is not before
    finally:
        mpl.rcParams["interactive"] = before
