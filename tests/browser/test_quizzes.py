"""The quizzes in a real browser, on a page of their own: by keyboard, on a phone, light and dark, and word for word."""

import pytest
from exploring import ROOT
from test_explorers import CONTRAST

from tools.project import HTML, chapters
from vgg_course import quiz
from vgg_course.quiz.records import Choice, Number, Quiz, anchor, right, wrong

ALL = quiz.chapters()
SMALL = Quiz(
    7,
    [
        Choice(
            "Which `one`?",
            [
                wrong("first", "Not the first.", "Add up"),
                right("second", "Yes."),
                wrong("third", "Nor <this>.", "Lost"),
            ],
        ),
        Number(
            "How many?",
            [right(138357, "Exactly."), wrong(276714, "Twice as many.", "Add up")],
            otherwise="Count again.",
            section="Add up",
            unit="MB",
            within=0.001,
        ),
    ],
)
BOOK = '<section id="add-up"><h2>1.2. Add up<a>#</a></h2></section>{}'
NOTEBOOK = '<h2 data-jupyter-id="Add-up">Add up<a>\u00b6</a></h2>{}'


def says(shown, number):
    return shown.js(f"() => ROOT.getElementById('says{number}').textContent")


def score(shown):
    return shown.text("#score")


def answer(shown, number, words):
    """Type a number and press Enter."""
    shown.tab.locator(f"#q{number}").fill(words)
    shown.tab.keyboard.press("Enter")
    return says(shown, number)


def test_by_keyboard_alone(show):
    shown = show(SMALL, body=BOOK)
    press = shown.tab.keyboard.press
    assert score(shown) == "0 of 2 solved, 0 at first try."
    press("Tab")  # the first radio button
    press("Tab")  # its Check
    press("Enter")
    assert says(shown, 1) == "Choose one of the answers first."
    press("Shift+Tab")
    press("Space")
    press("Enter")
    assert says(shown, 1) == "Not yet. Not the first. See Add up."
    press("ArrowDown")
    press("Enter")
    assert says(shown, 1) == "Right. Yes."
    assert score(shown) == "1 of 2 solved, 0 at first try."
    press("ArrowDown")
    press("Enter")
    assert says(shown, 1) == "Not yet. Nor <this>. See Lost."
    assert score(shown) == "1 of 2 solved, 0 at first try."  # once solved it stays so
    press("Tab")
    press("Tab")
    shown.tab.keyboard.type("138,357")
    press("Enter")
    assert says(shown, 2) == "Right. Exactly."
    assert score(shown) == "2 of 2 solved, 1 at first try."
    press("Tab")
    press("Tab")
    press("Enter")  # Start again
    assert score(shown) == "0 of 2 solved, 0 at first try."
    assert says(shown, 1) == says(shown, 2) == ""
    assert shown.js("() => [...ROOT.querySelectorAll(':checked')].length + ROOT.getElementById('q2').value") == "0"


@pytest.mark.parametrize(
    "words",
    [
        "138357",
        "138,357",
        "138 357",
        "138\u00a0357",
        "138\u202f357",
        "138_357",
        "138'357",
        " 138357.0 ",
        "+138357",
        "1.38357e5",
        "1.38357E+5",
        "1.38357 x 10^5",
        "1.38357\u00d710^5",
        "1.38357 * 10**5",
        "138357 MB",
        "138,357mb",
        "138400",
    ],
)
def test_a_number_may_be_written_in_many_ways(show, words):
    assert answer(show(SMALL), 2, words) == "Right. Exactly."


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("276714", "Not yet. Twice as many. See Add up."),
        ("2.767e5", "Not yet. Twice as many. See Add up."),
        ("-138357", "Not yet. Too small. Count again. See Add up."),
        ("\u2212138357", "Not yet. Too small. Count again. See Add up."),
        ("1e9", "Not yet. Too large. Count again. See Add up."),
        ("1.5", "Not yet. Too small. Count again. See Add up."),
    ],
)
def test_a_wrong_number_gets_its_reply(show, words, reply):
    shown = show(SMALL)
    assert answer(shown, 2, words) == reply
    assert score(shown) == "0 of 2 solved, 0 at first try."


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("", "Type a number first."),
        ("MB", "Type a number first."),
        ("12,5", "Is the comma a decimal point? Then write 12.5."),
        ("many", "\u201cmany\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3."),
        ("<b>1</b>", "\u201c<b>1</b>\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3."),
        ("1,38,357", "\u201c1,38,357\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3."),
        ("138 M", "\u201c138 M\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3."),
        ("1 2", "\u201c1 2\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3."),
        ("NaN", "\u201cNaN\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3."),
        ("0x10", "\u201c0x10\u201d is no number that can be read here. Write digits, as 1,234 or 1.234e3."),
    ],
)
def test_what_is_no_number_is_told_so_and_costs_no_try(show, words, reply):
    shown = show(SMALL)
    assert answer(shown, 2, words) == reply
    assert answer(shown, 2, "138357") == "Right. Exactly."
    assert score(shown) == "1 of 2 solved, 1 at first try."


@pytest.mark.parametrize("chapter", ALL)
def test_every_answer_of_every_quiz_gets_the_reply_that_python_gives(show, chapter):
    asked = quiz.show(chapter)
    shown = show(asked)
    for number, question in enumerate(asked.questions, 1):
        for place, each in enumerate(question.answers):
            if isinstance(question, Choice):
                given = "abcdefgh"[place]
                shown.js(f"() => ROOT.querySelector('[name=q{number}][value=\"{place}\"]').click()")
                shown.js(f"() => ROOT.querySelector('#form{number} button').click()")
            else:
                given = each.value
                answer(shown, number, repr(given))
            wanted = asked.answer(number, given).replace(' See "', " See ").replace('".', ".")
            wanted = wanted.replace("`", "").replace("$10^{-2}$", "10-2")
            assert says(shown, number).replace('".', ".").replace(' See "', " See ") == wanted
    count = len(asked.questions)
    assert score(shown).startswith(f"{count} of {count} solved")


@pytest.mark.parametrize("body", [BOOK, NOTEBOOK])
def test_a_reply_leads_to_its_section(show, body):
    filler = "<p style='height: 3000px'>far away</p>"
    shown = show(SMALL, body=body.replace("{}", filler + "{}"))
    shown.tab.locator("#q2").fill("276714")
    shown.tab.keyboard.press("Enter")
    link = shown.tab.locator("#says2 a")
    assert link.inner_text() == "Add up"
    link.press("Enter")
    shown.tab.wait_for_function("() => scrollY < 100")


def test_where_the_section_is_not_on_the_page_its_name_stands(show):
    shown = show(SMALL)
    answer(shown, 2, "276714")
    assert shown.tab.locator("#says2 em").inner_text() == "Add up"
    assert shown.tab.locator("#says2 a").count() == 0


def test_keys_that_are_typed_do_not_reach_the_page(show):
    shown = show(SMALL)
    shown.js("() => { window.heard = []; document.addEventListener('keydown', (e) => heard.push(e.key)); }")
    answer(shown, 2, "")
    shown.tab.keyboard.type("d1")
    shown.tab.keyboard.press("ArrowRight")
    assert shown.js("() => heard") == []
    shown.tab.keyboard.press("Control+k")  # what is meant for the page gets there
    assert "k" in shown.js("() => heard")


def test_a_reply_is_read_out_and_says_more_than_its_color(show):
    shown = show(SMALL)
    assert shown.js("() => [...ROOT.querySelectorAll('.says')].map((e) => e.getAttribute('role'))") == ["status"] * 2
    look = "() => { const s = getComputedStyle(ROOT.getElementById('says2')); return s.borderLeftStyle; }"
    answer(shown, 2, "276714")
    assert (shown.js(look), shown.tab.locator("#says2 strong").inner_text()) == ("dashed", "Not yet.")
    answer(shown, 2, "138357")
    assert (shown.js(look), shown.tab.locator("#says2 strong").inner_text()) == ("solid", "Right.")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_light_and_dark(show, theme):
    shown = show(SMALL, theme=theme, body=BOOK)
    shown.tab.wait_for_function(f"() => {ROOT}.querySelector('.explorer').style.colorScheme == '{theme}'")
    answer(shown, 2, "276714")
    assert shown.js(CONTRAST) == []


@pytest.mark.parametrize("chapter", ALL)
def test_on_a_phone_nothing_is_wider_than_the_screen(show, chapter):
    shown = show(quiz.show(chapter), viewport={"width": 340, "height": 700}, has_touch=True)
    for number, question in enumerate(quiz.show(chapter).questions, 1):
        if isinstance(question, Choice):
            shown.js(f"() => ROOT.querySelector('[name=q{number}]').click()")
        shown.js(f"() => ROOT.querySelector('#form{number} button').click()")
    assert shown.js("() => document.documentElement.scrollWidth") <= 340
    small = """() => [...ROOT.querySelectorAll('fieldset label, button, input[type=text]')]
        .filter((e) => e.getBoundingClientRect().height < 34).map((e) => e.outerHTML)"""
    assert shown.js(small) == []


def test_every_control_has_a_name_and_a_visible_focus(show):
    shown = show(SMALL)
    for _ in range(5):
        shown.tab.keyboard.press("Tab")
        element = "() => { const e = ROOT.activeElement; return [e.outerHTML, getComputedStyle(e).outlineStyle]; }"
        html, outline = shown.js(element)
        assert outline == "solid", html
    nameless = """() => [...ROOT.querySelectorAll('input, button')].filter((e) => !e.labels?.length
        && !e.textContent.trim()).map((e) => e.outerHTML)"""
    assert shown.js(nameless) == []
    assert shown.tab.get_by_role("group", name="Which one?").count() == 1
    assert shown.tab.get_by_role("textbox", name="How many?").count() == 1


def test_nothing_moves_and_nothing_is_kept(show):
    shown = show(SMALL, reduced_motion="reduce")
    answer(shown, 2, "138357")
    moving = "() => ROOT.getAnimations().length + document.getAnimations().length"
    assert shown.js(moving) == 0
    assert shown.js("() => localStorage.length + sessionStorage.length + document.cookie.length") == 0
    shown.tab.reload()
    assert score(shown) == "0 of 2 solved, 0 at first try."


def test_the_same_quiz_twice_on_a_page_are_two_forms(show):
    shown = show(SMALL, SMALL)
    forms = "() => [...document.querySelectorAll('.vgg-quiz')].map((e) => e.shadowRoot.querySelectorAll('form').length)"
    assert shown.js(forms) == [2, 2]


@pytest.mark.parametrize("chapter", ALL)
def test_every_section_that_a_reply_names_has_its_id_in_the_built_book(chapter):
    pages = [page for page in chapters() if page.startswith(f"notebooks/{chapter:02}_")]
    for page in pages:  # none, if the book does not have the chapter yet
        html = (HTML / f"{page}.html").read_text(encoding="utf-8")
        questions = quiz.show(chapter).questions
        named = {each.section for asked in questions for each in asked.answers if each.section}
        assert [section for section in named if f'id="{anchor(section)}"' not in html] == []
