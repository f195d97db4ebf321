"""An attempt is asked on copies and stopped when it never ends, and nothing is left of the stopping."""

import threading
import time

import pytest
import torch

from vgg_course.check import verdict
from vgg_course.check.judging import judge_numbers
from vgg_course.check.verdict import ask, attempt_on


def test_even_a_bare_except_cannot_keep_a_loop_going(monkeypatch):
    monkeypatch.setattr(verdict, "LIMIT", 0.05)

    def stubborn():
        while True:
            try:
                sum(range(100))
            except:  # noqa: E722  a student's
                continue

    with pytest.raises(TimeoutError, match="a loop that never ends"):
        ask(stubborn)


def test_a_loop_is_stopped_in_any_thread(monkeypatch):
    monkeypatch.setattr(verdict, "LIMIT", 0.05)
    seen = []

    def endless():
        while True:
            pass

    def other():
        try:
            ask(endless)
        except TimeoutError as error:
            seen.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(seen) == 1


def test_nothing_is_stopped_after_the_answer(monkeypatch):
    monkeypatch.setattr(verdict, "LIMIT", 0.01)
    assert ask(lambda a, b: a + b, 1, 2) == 3
    time.sleep(0.05)  # a late stop would strike here


def test_an_attempt_that_changes_its_input_spoils_nothing():
    def mean_in_place(values):
        values[0].clamp_(min=0)
        return values[0].mean().item()

    cases = [{"values": (torch.tensor([-1.0, 3.0]),)}]
    found = judge_numbers("mean", mean_in_place, lambda values: values[0].mean().item(), cases, {})
    assert not found
    assert "returned 1.5, not 1" in found.message
    assert cases[0]["values"][0].tolist() == [-1.0, 3.0]
    answer, none = attempt_on(lambda table: table.pop("a"), {"table": {"a": [1]}}, "task")
    assert (answer, none) == ([1], None)
