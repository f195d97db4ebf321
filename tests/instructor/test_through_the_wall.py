"""Every task of the book, asked through the wall: what passes in a notebook passes from inside the sandbox, too."""

import pytest

from tests.instructor.sandboxes import confined
from tools.assignments.tasks import seeded, solved_cells, student_notebook, tasks
from tools.grading.remote import Session
from tools.grading.sandbox import Limits
from tools.project import chapters
from vgg_course import check

NAMES = [page.removeprefix("notebooks/") for page in chapters()]
PATIENT = Limits(seconds=60, total_seconds=600)


@pytest.fixture(autouse=True)
def _no_second_clock(monkeypatch):
    monkeypatch.setattr("vgg_course.check.verdict.LIMIT", 1e9)


def verdicts(cells, found):
    """The verdict of every task of a notebook, and what was noticed on the way."""
    noticed, given = [], {}
    session = Session(confined(), PATIENT, list(cells), [], noticed.append)
    try:
        for task in found:
            values, problem, _ = session.load([task.name])
            assert problem is None, f"{task.name}: {problem}"
            function = getattr(check, task.checker)
            arguments = [values[task.name] if isinstance(a, tuple) else a for a in task.arguments]
            given[task.name] = function(*arguments, **seeded(function, 5))
    finally:
        session.close()
    return given, noticed


@pytest.mark.parametrize("chapter", NAMES)
def test_solutions_pass_and_nothing_is_noticed(chapter):
    found = [task for task in tasks(chapter) if not task.literal]
    if not found:
        pytest.skip("no task that a machine could grade")
    given, noticed = verdicts(solved_cells(chapter), found)
    assert {name: verdict.message for name, verdict in given.items() if not verdict} == {}
    assert noticed == []


@pytest.mark.parametrize("chapter", NAMES[:8])
def test_stubs_are_not_attempted(chapter):
    cells = [cell.source for cell in student_notebook(chapter).cells if cell.cell_type == "code"]
    given, _ = verdicts(cells, [task for task in tasks(chapter) if not task.literal])
    assert {verdict.status for verdict in given.values()} <= {"not attempted"}


JUNK = """
import torch
from torch import nn

text = lambda *a: "many"
truth = lambda *a: True
nothing = lambda *a: None
nan = lambda *a: float("nan")
empty = lambda *a: []
thing = lambda *a: object()
steps = lambda *a: (n for n in range(3))
numbers = lambda *a: (float("nan"), float("inf"))
tensor = lambda *a: torch.full((2, 4, 2, 2), torch.nan)
module = lambda *a: nn.Identity()
huge = lambda *a: 10**400
error = lambda *a: 1 / 0
"""


def test_junk_gets_a_verdict_through_the_wall_too():
    """What a checker says of junk, it says of the same junk from inside."""
    names = [line.split(" = ")[0] for line in JUNK.splitlines() if " = lambda" in line]
    checkers = [getattr(check, task.checker) for name in NAMES[:8] for task in tasks(name) if not task.literal]
    session = Session(confined(), PATIENT, [JUNK], [], lambda words: None)
    try:
        values, problem, _ = session.load(names)
        assert problem is None
        for checker in checkers:
            for name in names:
                verdict = checker(values[name])
                assert verdict.status == "wrong", (checker.__name__, name)
                assert len(verdict.message) > 20
    finally:
        session.close()
