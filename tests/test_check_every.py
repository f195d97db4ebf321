"""What every checker of an attempted function does, whatever the exercise: a stub is no mistake, and junk is no crash."""

import re
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest
import torch
from torch import nn

from vgg_course import check
from vgg_course.check import verdict


def takes_a_function(checker):
    return callable(checker) and next(iter(signature(checker).parameters), "") == "attempt"


CHECKERS = [getattr(check, name) for name in check.__all__ if takes_a_function(getattr(check, name))]
every_checker = pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)

JUNK = {
    "text": "many",
    "a truth value": True,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "an empty list": [],
    "a dictionary": {},
    "an object": object(),
    "a generator": (n for n in range(3)),
    "a range": range(3),
    "two numbers": (float("nan"), float("inf")),
    "an empty tensor": torch.zeros(0),
    "a tensor without sides": torch.zeros(()),
    "a complex tensor": torch.zeros(2, 2, dtype=torch.complex64),
    "a tensor of NaN": torch.full((2, 4, 2, 2), torch.nan),
    "a sparse tensor": torch.eye(3).to_sparse(),
    "a tensor without numbers": torch.zeros(3, 3, device="meta"),
    "a module": nn.Identity(),
    "a huge number": 10**400,
}


ALL = [getattr(check, name) for name in check.__all__ if name != "Verdict"]
OTHERS = sorted({path.stem for path in Path(__file__).parent.glob("test_check_*.py")} - {Path(__file__).stem})
WRONG = [row for module in OTHERS for row in getattr(import_module(module), "WRONG", ())]
"""Wrong answers that people give, from the tests of each chapter: checker, attempt, and words of the diagnosis, plain or as
a regular expression. An attempt that is a tuple is all that the checker takes."""


def found_by(checker, attempt, **keywords):
    return checker(*attempt, **keywords) if isinstance(attempt, tuple) else checker(attempt, **keywords)


@pytest.mark.parametrize(("checker", "attempt", "words"), WRONG)
@pytest.mark.parametrize("seed", [0, 3])
def test_a_usual_mistake_is_caught_and_named(checker, attempt, words, seed):
    drawn = {"seed": seed} if "seed" in signature(checker).parameters else {}
    if seed and not drawn:
        pytest.skip("nothing is drawn")
    found = found_by(checker, attempt, **drawn)
    assert found.status == "wrong"
    assert words in found.message or re.search(words, found.message), found


@pytest.mark.parametrize("checker", ALL, ids=lambda checker: checker.__name__)
def test_every_checker_names_five_usual_mistakes_at_least(checker):
    assert len({words for one, _, words in WRONG if one is checker}) >= 5


@every_checker
def test_every_checker_draws_its_cases_anew(checker):
    assert "seed" in signature(checker).parameters


@every_checker
def test_the_stub_is_not_attempted(checker):
    def stub(*arguments, **keywords):
        raise NotImplementedError("your code here")

    found = checker(stub)
    assert found.status == "not attempted"
    assert not found


@every_checker
def test_a_function_that_prints_its_answer_is_told_so(checker):
    found = checker(lambda *arguments, **keywords: None)
    assert found.status == "wrong"
    assert "None" in found.message or "as it was" in found.message  # some exercises want a change in place


@every_checker
def test_what_the_attempt_raises_becomes_part_of_the_verdict(checker):
    for attempt, words in ((lambda *a, **k: 1 / 0, "ZeroDivisionError"), (lambda: 1, "TypeError")):
        found = checker(attempt)
        assert found.status == "wrong"
        assert words in found.message


@every_checker
def test_an_endless_loop_is_stopped_and_named(checker, monkeypatch):
    monkeypatch.setattr(verdict, "LIMIT", 0.05)

    def endless(*arguments, **keywords):
        while True:
            try:
                for _ in range(100):
                    pass
            except Exception:
                pass

    found = checker(endless)
    assert found.status == "wrong"
    assert "still running after 0.05 seconds" in found.message


@every_checker
def test_an_attempt_that_ends_the_program_ends_nothing(checker):
    found = checker(lambda *arguments, **keywords: sys.exit(0))
    assert found.status == "wrong"
    assert "wanted to end the program" in found.message


@every_checker
@pytest.mark.parametrize("attempt", [42, None, "text"])
def test_something_that_is_no_function_is_told_so(checker, attempt):
    found = checker(attempt)
    assert found.status == "wrong"
    assert "hand over the function itself" in found.message


@every_checker
@pytest.mark.parametrize("junk", JUNK)
def test_junk_gets_a_verdict_and_never_a_crash(checker, junk):
    found = checker(lambda *arguments, **keywords: JUNK[junk])
    assert found.status == "wrong"
    assert len(found.message) > 20
