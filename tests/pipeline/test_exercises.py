"""Every chapter has its exercises: a few, harder and harder, each with a card, hints, a solution and a check."""

import re

import pytest

from tools.assignments.tasks import EXERCISE, exercises, source
from tools.project import chapters

CHAPTERS = [page.rpartition("/")[2] for page in chapters()]


def pieces(chapter):
    """By label: the exercise itself, and what follows it up to the next one."""
    text = source(chapter)
    found = list(EXERCISE.finditer(text))
    ends = [one.start() for one in found[1:]] + [text.index("\n## ", found[-1].end())]
    return {one["label"]: (one["text"], text[one.end() : end]) for one, end in zip(found, ends, strict=True)}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_three_to_six_in_rising_difficulty_each_with_a_card(chapter):
    found = exercises(chapter)
    assert 3 <= len(found) <= 6
    assert all(one.goal and one.minutes for one in found)
    difficulties = [one.difficulty for one in found]
    assert difficulties == sorted(difficulties)
    assert difficulties[0] <= 2


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_has_stepped_hints_a_solution_and_a_check(chapter):
    for label, (text, behind) in pieces(chapter).items():
        hints = re.findall(r"^`{3,}\{dropdown\} Hint (\d)$", text, re.MULTILINE)
        assert hints == [str(i + 1) for i in range(len(hints))], label
        assert len(hints) >= 2, label
        assert "### BEGIN SOLUTION" in behind or f"{{solution}} {label}" in behind, label
        assert re.search(r"^check\.\w+\(|\bcheck\.\w+\(", behind, re.MULTILINE), label
