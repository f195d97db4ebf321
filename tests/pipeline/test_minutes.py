"""The instructor's minutes are counted from the chapters, not guessed."""

import pytest

from tools import facts, minutes
from tools.project import chapters
from vgg_course import quiz

CELL = "```{code-cell} ipython3\n---\nmystnb:\n  figure:\n    caption: many words that are no prose\n---\nx = 1\ny = 2\n```"
EXERCISE = "```{exercise} A title\n:label: ex-a\n\n*Goal: try. Difficulty 1 of 5, 7 minutes.*\n\nwords\n```"
HEAD = "---\nfile_format: mystnb\n---\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("word " * 200, 60), (CELL, 2 * 5 + 20), (EXERCISE, 0), (CELL.replace("x = 1", "### BEGIN SOLUTION"), 0)],
)
def test_reading_follows_the_rule(monkeypatch, text, seconds):
    questions = 30 * len(quiz.show(3).questions)
    monkeypatch.setattr(minutes, "source", lambda chapter: HEAD + "word " * 2000 + "\n\n" + text + "\n")
    assert minutes.of("03_trace_receptive_fields")["read"] == round((600 + questions + seconds) / 60)


def test_a_fact_may_ask_for_them():
    assert facts.evaluate("minutes['03'].read") == minutes.of("03_trace_receptive_fields")["read"]
    with pytest.raises(facts.FactError, match=r"no chapter '99'|no item '99'"):
        facts.evaluate("minutes['99'].read")


def test_every_chapter_can_be_read_in_an_hour_and_done_in_another():
    for page in chapters():
        found = minutes.of(page.rpartition("/")[2])
        assert 20 <= found["read"] <= 60, (page, found)
        assert 20 <= found["do"] <= 60, (page, found)
