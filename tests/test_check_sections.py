"""A wrong verdict ends with a section to read again: one that is there, in a chapter that asks for this check."""

import re
from html import unescape
from inspect import signature

import pytest

from tests import teeth
from tools.project import ROOT, chapters
from vgg_course import check
from vgg_course.check.sections import SECTIONS

HEADING = re.compile(r"^###? (.+)$", re.MULTILINE)
FRAME = {"Your turn", "Test yourself", "What to keep"}
EXPLAINED_EARLIER = {"mean_iou"}  # what an IoU is, chapter 18 says
SOURCES = {int(page[10:12]): (ROOT / f"{page}.md").read_text(encoding="utf-8") for page in chapters()}


def wrong_answer(name):
    """The verdict on an object that is no answer."""
    first, *_ = signature(getattr(check, name)).parameters
    given = {
        "diagnosis": (6, object()),
        "cured": (6, object()),
        "live_run": (object(), object()),
        "grid_behind": ("(8x131072 and 25088x4096)", object()),
        "receptive_field_of": ("conv4_1", object()),
    }
    assert (name in given) == (first != "attempt")
    return getattr(check, name)(*given.get(name, (object(),)))


def test_every_checker_has_a_section_and_nothing_else_has():
    assert set(SECTIONS) == set(check.__all__) - {"Verdict"}


@pytest.mark.parametrize("name", SECTIONS)
def test_the_section_is_in_a_chapter_that_asks_for_the_check(name):
    chapter, title = SECTIONS[name]
    assert title in set(HEADING.findall(SOURCES[chapter])) - FRAME
    asking = {number for number, source in SOURCES.items() if f"check.{name}(" in source}
    assert asking
    if name in EXPLAINED_EARLIER:
        assert chapter < min(asking)
    else:
        assert chapter in asking


@pytest.mark.parametrize("name", SECTIONS)
def test_a_wrong_verdict_says_what_to_read_again(name):
    chapter, title = SECTIONS[name]
    found = wrong_answer(name)
    assert found.status == "wrong"
    words = found.advice.replace("'", "").replace('"', "")
    assert words == f"Read {title} in chapter {chapter} again.".translate({ord(sign): None for sign in "'\"`"})
    assert repr(found).endswith(f"\n{found.advice}")
    assert f"<br>{found.advice}</div>" in unescape(found._repr_html_())
    assert found.advice not in found.message


@pytest.mark.parametrize("name", [name for name in SECTIONS if "attempt" in signature(getattr(check, name)).parameters])
def test_a_stub_is_sent_nowhere(name):
    def stub(*arguments, **keywords):
        raise NotImplementedError("your code here")

    found = getattr(check, name)(stub)
    assert found.status == "not attempted"
    assert not found.advice
    assert "Read" not in repr(found) + found._repr_html_()


@pytest.mark.parametrize("one", teeth.exercises(), ids=lambda one: one.name)
def test_a_solution_is_sent_nowhere(one):
    found = one.judged(one.solution)
    assert found.status == "passed"
    assert not found.advice
    assert "Read" not in repr(found) + found._repr_html_()


def test_a_checker_is_still_itself():
    """Assignments read its name, its arguments and its source."""
    assert check.conv_parameters.__name__ == "conv_parameters"
    assert check.conv_parameters.__module__ == "vgg_course.check.counting"
    assert check.conv_parameters.__doc__
    assert list(signature(check.field_size).parameters) == ["attempt", "seed"]
