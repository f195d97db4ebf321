"""The quizzes: every wrong answer has a reply of its own, nothing is typed in, and the text is what a terminal shows."""

import ast
import json
import re
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from docutils.nodes import make_id

from tools import myst
from tools.project import ROOT, chapters
from tools.typed_numbers import typed_numbers
from vgg_course import quiz
from vgg_course.quiz.records import Choice, Number, Quiz, anchor, right, wrong

ALL = quiz.chapters()
FOLDER = Path(quiz.__file__).parent
# A quiz may be there before its chapter is.
WRITTEN = [chapter for chapter in ALL if list((ROOT / "notebooks").glob(f"{chapter:02}_*.md"))]


def source(chapter):
    (path,) = (ROOT / "notebooks").glob(f"{chapter:02}_*.md")
    return path.read_text(encoding="utf-8")


def sections(chapter):
    """The titles of the sections."""
    lines = [line for block in myst.blocks(source(chapter)) if block.kind == "text" for line in block.text.split("\n")]
    return [match["title"] for line in lines if line.startswith("##") and (match := myst.HEADING.match(line))]


QUESTIONS = [
    pytest.param(chapter, asked, id=f"{chapter}-{number}")
    for chapter in ALL
    for number, asked in enumerate(quiz.show(chapter).questions, 1)
]


def texts(chapter):
    """Every word of a quiz that stands in its source; what is computed is not among them."""
    tree = ast.parse((FOLDER / f"chapter_{chapter:02}.py").read_text(encoding="utf-8"))
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    titles = sections(chapter) if chapter in WRITTEN else []
    return [text for text in words if text not in titles]  # a title is the chapter's


@pytest.mark.parametrize("chapter", ALL)
def test_a_quiz_has_four_to_eight_questions(chapter):
    assert quiz.show(chapter).chapter == chapter
    assert 4 <= len(quiz.show(chapter).questions) <= 8


@pytest.mark.parametrize(("chapter", "asked"), QUESTIONS)
def test_one_answer_is_right_and_each_wrong_one_has_a_reply_of_its_own(chapter, asked):
    assert sum(answer.is_right for answer in asked.answers) == 1
    assert 2 <= len(asked.answers) <= 6
    replies = [answer.reply for answer in asked.answers] + [getattr(asked, "otherwise", "")]
    assert len(set(replies)) == len(replies)
    assert len({answer.value for answer in asked.answers}) == len(asked.answers)
    for answer in asked.answers:
        assert len(answer.reply) > 20
        assert answer.reply.endswith((".", "?", ")"))
        assert answer.is_right or answer.section


@pytest.mark.parametrize(("chapter", "asked"), QUESTIONS)
def test_a_reply_leads_to_a_section_of_this_chapter(chapter, asked):
    known = sections(chapter) if chapter in WRITTEN else pytest.skip("the chapter is not written yet")
    for section in [answer.section for answer in asked.answers] + [getattr(asked, "section", None)]:
        if section is not None:
            assert known.count(section) == 1, f"chapter {chapter} has no section {section!r}; it has {known}"


@pytest.mark.parametrize(("chapter", "asked"), QUESTIONS)
def test_no_two_numbers_count_as_the_same(chapter, asked):
    if isinstance(asked, Number):
        for one in asked.answers:
            found = [other for other in asked.answers if asked.same(one.value, other.value)]
            assert found == [one], f"{one.value} is taken for {found}"
            assert 2 * asked.within * abs(one.value) < min(
                abs(one.value - other.value) for other in asked.answers if other is not one
            )


@pytest.mark.parametrize("chapter", ALL)
def test_no_number_about_vgg_is_typed_into_a_quiz(chapter):
    assert [found for text in texts(chapter) for found in typed_numbers(text.replace("\n", " "))] == []


@pytest.mark.parametrize("chapter", ALL)
def test_a_number_that_is_asked_for_is_computed(chapter):
    """A likely answer of three or more digits stands in no source."""
    tree = ast.parse((FOLDER / f"chapter_{chapter:02}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") in HELD]
    for call in calls:
        value = call.args[0]
        assert not (isinstance(value, ast.Constant) and isinstance(value.value, int | float) and abs(value.value) > 99)


HELD = {"right", "wrong"}


def test_the_right_answer_stands_at_every_place():
    choices = [asked for chapter in ALL for asked in quiz.show(chapter).questions if isinstance(asked, Choice)]
    places = Counter(asked.answers.index(asked.right) for asked in choices)
    assert set(places) >= {0, 1, 2, 3}
    assert max(places.values()) < 0.4 * len(choices)
    longest = sum(max(asked.answers, key=lambda answer: len(answer.value)).is_right for asked in choices)
    assert longest < 0.6 * len(choices)  # nor is it the longest


@pytest.mark.parametrize("chapter", ALL)
def test_right_answers_of_one_quiz_stand_at_more_than_one_place(chapter):
    choices = [asked for asked in quiz.show(chapter).questions if isinstance(asked, Choice)]
    assert len({asked.answers.index(asked.right) for asked in choices}) > 1


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_shows_its_own_quiz_once(page):
    number = int(page.removeprefix("notebooks/")[:2])
    if number in ALL:
        assert re.findall(r"quiz\.show\((.*?)\)", source(number)) == [str(number)]
        titles = sections(number)
        assert titles.index("What to keep") == titles.index("Test yourself") + 1


@pytest.mark.parametrize("chapter", WRITTEN)
def test_sections_have_the_ids_that_the_book_gives_them(chapter):
    assert all(anchor(title) == make_id(title) for title in sections(chapter))
    assert all(count == 1 for count in Counter(map(anchor, sections(chapter))).values())


# --- the form ---


class Form(HTMLParser):
    """Open tags, ids, and the radio buttons of each name."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.buttons, self.labels = [], [], Counter(), []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag != "input":
            self.open.append(tag)
        elif attributes["type"] == "radio":
            assert "label" in self.open
            self.buttons[attributes["name"]] += 1
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "label" and "for" in attributes:
            self.labels.append(attributes["for"])

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("chapter", ALL)
def test_a_form_is_one_piece_that_asks_for_nothing(chapter):
    shown = quiz.show(chapter)
    html = shown._repr_html_()
    assert html == shown.html()
    assert not re.search(
        r"\bsrc=|\bhref=\"|@import|\bimport\s*\(|\bfetch\(|XMLHttpRequest|sendBeacon|[sS]torage\b", html
    )
    form = Form(html)
    assert form.open == []
    assert len(set(form.ids)) == len(form.ids)
    for number, asked in enumerate(shown.questions, 1):
        if isinstance(asked, Choice):
            assert form.buttons[f"q{number}"] == len(asked.answers)
        else:
            assert f"q{number}" in form.labels


@pytest.mark.parametrize("chapter", ALL)
def test_no_reply_can_be_read_in_passing(chapter):
    shown = quiz.show(chapter)
    html = unescape(shown.html())
    for asked in shown.questions:
        for answer in asked.answers:
            assert answer.reply not in html
    hidden = json.loads(re.search(r"data-options=\"(.*?)\"", shown.html())[1].replace("&quot;", '"'))["hidden"]
    assert len(json.loads(b64decode(hidden))) == len(shown.questions)


def test_every_quiz_has_an_id_of_its_own():
    assert len({quiz.show(chapter).id for chapter in ALL}) == len(ALL)


def test_a_quiz_costs_no_torch():
    program = "import sys; from vgg_course import quiz; [quiz.show(n).html() for n in quiz.chapters()];"
    program += "print(*sorted({'torch', 'matplotlib', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# --- the text ---

SMALL = Quiz(
    7,
    [
        Choice("Is `x` < 2?", [right("yes", "It is."), wrong("no", "It is not more.", "One")]),
        Number(
            "How many?",
            [right(200, "So many."), wrong(100, "Half of them.", "One"), wrong(400, "Twice as many.", "Two")],
            otherwise="Count again.",
            section="Three",
            unit="MB",
            within=0.01,
        ),
    ],
)


def test_a_terminal_shows_the_questions_and_not_the_answers():
    text = repr(SMALL)
    assert "1. Is `x` < 2?" in text
    assert "   b. no" in text
    assert "quiz.show(7).answer(1, 'a')" in text
    assert "It is" not in text
    assert "200" not in text


@pytest.mark.parametrize(
    ("question", "given", "reply"),
    [
        (1, "a", "Right. It is."),
        (1, "B", 'Not yet. It is not more. See "One".'),
        (2, 200, "Right. So many."),
        (2, 201.9, "Right. So many."),
        (2, 100.0, 'Not yet. Half of them. See "One".'),
        (2, 3, 'Not yet. Too small. Count again. See "Three".'),
        (2, float("inf"), 'Not yet. Too large. Count again. See "Three".'),
    ],
)
def test_an_answer_gets_its_reply(question, given, reply):
    assert SMALL.answer(question, given) == reply


@pytest.mark.parametrize(
    ("question", "given", "words"),
    [
        (0, "a", "question is 0; there are 1 to 2"),
        (1, "c", "given is 'c'; answer with one of a, b"),
        (1, "ab", "given is 'ab'"),
        (1, 1, "given is 1; answer with one of"),
        (2, "200", "given is '200'; this question asks for a number"),
        (2, True, "given is True"),
    ],
)
def test_what_is_no_answer_is_refused(question, given, words):
    with pytest.raises(ValueError, match=words):
        SMALL.answer(question, given)


@pytest.mark.parametrize("chapter", [0, 99, "1", True, None])
def test_a_chapter_without_a_quiz_is_refused(chapter):
    with pytest.raises(ValueError, match=r"chapter is .*; there is a quiz for 1, 2"):
        quiz.show(chapter)


def test_words_of_a_question_are_escaped_and_code_is_code_and_a_power_is_one():
    html = Quiz(1, [*SMALL.questions, Choice("What is $10^{-2}$?", SMALL.questions[0].answers)]).html()
    assert "What is 10<sup>-2</sup>?" in html
    assert "Is <code>x</code> &lt; 2?" in html
    assert "<span>MB</span>" in html
