"""Answers of every kind are judged alike: exact, up to rounding, close, or how far off; and the target is drawn beside them."""

import pytest
import torch

from vgg_course.check import beside, judging
from vgg_course.check.judging import how_far, judge_boxes, judge_lists, judge_numbers, judge_pairs, judge_tensors


def double(n):
    return 2 * n


CASES = [{"n": 1}, {"n": 5}, {"n": 12}]


def test_a_verdict_says_whether_answers_are_exact_or_right_up_to_rounding():
    assert "exact on all 3 cases" in judge_numbers("twice", double, double, CASES, {}).message
    rounding = judge_numbers("twice", lambda n: 2 * n * (1 + 1e-9), double, CASES, {}, tolerance=1e-6)
    assert rounding
    assert "up to rounding (1e-09)" in rounding.message


@pytest.mark.parametrize(
    ("mine", "right", "words"),
    [
        (7, 4, "That is 3 too large."),
        (3, 4, "That is 1 too small."),
        (400, 100, "That is 4 times as much."),
        (100, 400, "That is 4 times too little."),
        (-0.5, 0.5, "Only the sign is wrong."),
        (-8, 4, "The sign is wrong, and so is the size."),
        (0.999, 1.0, "Close: too small by 0.1%."),
        (1.35, 1.0, "That is too large by 35%."),
        (3.0, 0.0, ""),
        (float("nan"), 1.0, ""),
        (float("inf"), 1.0, ""),
        (10**400, 3, ""),
        (0, 5, "That is 5 too small."),
    ],
)
def test_how_far_off_a_number_is_goes_into_words(mine, right, words):
    assert how_far(mine, right) == words


def test_the_smallest_failing_case_is_shown_and_a_mistake_is_named_only_if_it_explains_every_answer():
    mistakes = {"You took the square.": lambda n: n * n}
    squares = judge_numbers("twice", lambda n: n * n, double, CASES, mistakes)
    assert squares.message == "on (n=1) it returned 1, not 2. That is 2 times too little. You took the square."
    assert "square" not in judge_numbers("twice", lambda n: n * n + (n == 12), double, CASES, mistakes).message


def test_a_mistake_that_cannot_be_made_on_a_case_explains_nothing():
    found = judge_numbers("twice", lambda n: 0, double, CASES, {"You divided by 0.": lambda n: n / 0})
    assert "divided" not in found.message


def test_cases_that_look_alike_are_all_asked():
    asked = []

    def attempt(values):
        asked.append(values)
        return values.sum().item()

    cases = [{"values": torch.full((4, 4), float(i))} for i in range(3)]
    assert judge_numbers("sum", attempt, lambda values: values.sum().item(), cases, {})
    assert [int(values[0, 0]) for values in asked] == [0, 1, 2]


def test_a_mapping_says_a_case_in_words():
    found = judge_numbers("twice", lambda n: 0, double, {"the first number": {"n": 1}}, {})
    assert found.message.startswith("on the first number it returned 0")


def test_neither_the_target_nor_a_mistake_can_spoil_a_case():
    def spoil(values):
        values += 1
        return values

    cases = [{"values": torch.zeros(2)}]
    assert judge_tensors("one more", lambda values: values + 1, spoil, cases, {"twice": lambda v: v.mul_(2)})
    assert cases[0]["values"].tolist() == [0, 0]


def test_pairs_want_whole_numbers():
    found = judge_pairs("pair", lambda n: (n / 1, n), lambda n: (n, n), CASES, {})
    assert not found
    assert "make them whole numbers" in found.message
    half = judge_pairs("pair", lambda n: (n, n + 1), lambda n: (n, n), CASES, {})
    assert "1 of 2 are right" in half.message


def test_lists_say_how_many_are_wanted():
    found = judge_lists("list", lambda n: [n], lambda n: [n, n], CASES, {}, "a list")
    assert found.message == "on (n=1) it returned (1,), not (1, 1). 2 are wanted."
    assert judge_lists("list", lambda n: range(n), lambda n: list(range(n)), CASES, {}, "a list")


# --- what is drawn ---


def test_a_wrong_box_is_drawn_beside_the_right_one():
    found = judge_boxes("box", lambda n: (0, 0, n, n), lambda n: (1, 0, n + 1, n), CASES, {})
    assert "A side is off by 1 pixels." in found.message
    assert found.picture.count("<rect") == 2
    assert "stroke-dasharray" in found.picture  # a line tells them apart, not a color
    assert found.picture in found._repr_html_()
    assert "<rect" not in repr(found)


def test_a_small_grid_is_a_table_whose_wrong_numbers_are_marked():
    target = torch.arange(6.0).reshape(2, 3)
    yours = target.clone()
    yours[1, 2] = 9
    drawn = beside.grids(target, yours)
    assert drawn.count("<td") == 12
    assert drawn.count("&ne;") == 1
    assert "9 &ne;" in drawn


def test_of_many_planes_the_one_with_the_largest_difference_is_drawn():
    target = torch.zeros(2, 3, 2, 2)
    yours = target.clone()
    yours[1, 2, 0, 1] = 5
    assert "target at [1, 2]" in beside.grids(target, yours)


def test_a_large_grid_is_a_picture_with_words_and_its_difference():
    target, yours = torch.zeros(20, 30), torch.ones(20, 30)
    drawn = beside.grids(target, yours)
    assert drawn.count("<img alt=") == 3
    assert "off by up to 1 (dark)" in drawn
    assert "20x30 numbers" in drawn


@pytest.mark.parametrize(
    ("target", "yours"),
    [
        (torch.zeros(()), torch.ones(())),
        (torch.zeros(2, 2), torch.full((2, 2), torch.nan)),
        (torch.zeros(2, 2), torch.zeros(0)),
        (torch.zeros(20, 20), torch.full((20, 20), torch.inf)),
        (torch.zeros(3, 20, 20), torch.full((3, 20, 20), torch.nan)),
        (torch.zeros(2, 2, dtype=torch.int64), torch.ones(2, 2, dtype=torch.bool)),
        (torch.zeros(4), torch.zeros(2, 3, 4)),
        (torch.zeros(2, 3, 4), torch.zeros(0, 3, 4)),
    ],
)
def test_whatever_came_back_drawing_it_raises_nothing(target, yours):
    assert "script" not in beside.grids(target, yours)


def test_boxes_that_cannot_be_drawn_are_left_out():
    assert beside.boxes((0, 0, 1, 1), (0, 0, float("nan"), 1)) == ""
    assert beside.boxes((0, 0, 1, 1), (0, 0, 1e30, 1)) == ""


def test_a_passed_verdict_needs_no_picture():
    found = judge_tensors("same", lambda n: n, lambda n: n, [{"n": torch.zeros(3, 3)}], {})
    assert found
    assert found.picture == ""
    assert judging.passed("some", 4, 0.0, "nets").message == "exact on all 4 nets."
