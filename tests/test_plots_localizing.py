"""The figures of localization show the numbers that they are given."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_the_shared_part_is_the_rectangle_between_the_inner_corners():
    ax = plots.shared_area((1, 1, 7, 5), (3, 2, 9, 7))
    part, a, b = ax.patches
    assert (part.get_xy(), part.get_width(), part.get_height()) == ((3, 2), 4, 3)
    assert (a.get_xy(), b.get_xy()) == ((1, 1), (3, 2))
    assert a.get_linestyle() != b.get_linestyle()
    assert words(ax) == ["a: 6 x 4", "b: 6 x 5"]


def test_boxes_apart_share_nothing():
    assert len(plots.shared_area((0, 0, 2, 2), (3, 3, 5, 5)).patches) == 2


def test_an_overlap_crosses_one_half_at_a_third_of_the_side():
    ax = plots.overlap_by_shift([6, 12], furthest=10)
    for line, side in zip(ax.lines, (6, 12), strict=False):
        shares = dict(zip((round(x, 1) for x in line.get_xdata()), line.get_ydata(), strict=True))
        assert shares[side / 3] == pytest.approx(0.5)
        assert shares[0] == 1
    assert "6 pixels" in words(ax)


def test_one_box_or_several_are_drawn_on_each_picture():
    images = torch.zeros(3, 3, 8, 10, dtype=torch.uint8)
    true, many = torch.tensor([[1, 1, 4, 5]] * 3), [torch.tensor([[0, 0, 2, 2], [3, 3, 6, 6]])] * 3
    ax = plots.boxes_on_pictures(images, {"true": true, "net": many}, ["one", "two", "three"], columns=2)
    axes = [some for some in ax.figure.axes if some.images]
    assert [some.get_title(loc="center") for some in axes] == ["one", "two", "three"]
    for some in axes:
        frames = [(p.get_xy(), p.get_width(), p.get_height(), p.get_linestyle()) for p in some.patches][1::2]
        assert frames[0] == ((1, 1), 3, 4, "-")
        assert [frame[3] for frame in frames[1:]] == ["--", "--"]
    assert "true: solid   net: dashed" in ax.figure.get_suptitle()


def test_an_arm_shows_its_seeds_their_mean_and_the_papers_number():
    ax = plots.error_by_arm({"one": [0.1, 0.2], "two": [0.05]}, {"two": 33.1})
    assert ax.lines[0].get_xdata().tolist() == pytest.approx([10, 20])
    assert words(ax) == ["15.0", "5.0", "33.1 in the paper"]
    assert ax.get_xlim()[0] == 0


def test_the_parts_of_an_error_stand_behind_each_other():
    ax = plots.error_parts({"VGG": (0.073, 0.18), "other": (0.1, 0.0)})
    first, second = ax.patches[:2]
    assert first.get_width() == pytest.approx(7.3)
    assert second.get_x() == pytest.approx(7.3)
    assert second.get_width() == pytest.approx(18)
    assert second.get_hatch()
    assert words(ax)[0] == "7.3 + 18.0 = 25.3"
