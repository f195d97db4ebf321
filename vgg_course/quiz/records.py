"""What a quiz is made of: questions with a few answers, or with a number for an answer, and a reply to each.

A wrong answer says which mistake leads to it, and which section of the chapter explains it::

    Choice(
        "What does a 2x2 max-pool keep?",
        [
            right("the largest of four values", "And it forgets where that was."),
            wrong("the mean of four values", "That is an average pool. VGG has none.", "Keep the largest of four"),
        ],
    )

The text is plain, but for `code` between backticks and $10^{-2}$ between dollar signs.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from textwrap import fill

from vgg_course import palette

EXACT = 1e-9  # two numbers that are the same but for rounding


@dataclass(frozen=True)
class Answer:
    """One answer and the reply to it.

    ``value`` is a sentence, or a number where a number was asked for. ``section`` is the title of the section of the
    chapter that explains it.
    """

    value: str | float
    reply: str
    section: str | None
    is_right: bool


def right(value: str | float, reply: str, section: str | None = None) -> Answer:
    """The right answer, and why it is."""
    return Answer(value, reply, section, True)


def wrong(value: str | float, reply: str, section: str) -> Answer:
    """A wrong answer, the mistake behind it, and the section that explains it."""
    return Answer(value, reply, section, False)


class _Question:
    answers: Sequence[Answer]

    @property
    def right(self) -> Answer:
        """The one right answer."""
        return next(answer for answer in self.answers if answer.is_right)


@dataclass(frozen=True)
class Choice(_Question):
    """A question with two to five answers to choose from, in this order."""

    ask: str
    answers: Sequence[Answer]


@dataclass(frozen=True)
class Number(_Question):
    """A question for a number. The wrong answers are those that are likely; any other gets the reply ``otherwise``.

    ``within`` is how far a number may be off and still count as the same, as a share of it; ``unit`` stands behind the
    field.
    """

    ask: str
    answers: Sequence[Answer]
    otherwise: str
    section: str
    unit: str = ""
    within: float = EXACT

    def same(self, given: float, value: float) -> bool:
        """Whether ``given`` counts as ``value``."""
        return abs(given - value) <= self.within * abs(value)


@dataclass(frozen=True, repr=False)
class Quiz:
    """The questions on one chapter. Shows itself as a form in a notebook and in the book, and as text in a terminal."""

    chapter: int
    questions: Sequence[Choice | Number]

    def answer(self, question: int, given: str | float) -> str:
        """The reply to an answer: a letter where there are answers to choose from, else a number.

        Raises:
            ValueError: there is no such question, or this is no answer to it.
        """
        if question not in range(1, len(self.questions) + 1):
            raise ValueError(f"question is {question!r}; there are 1 to {len(self.questions)}.")
        asked = self.questions[question - 1]
        if isinstance(asked, Choice):
            letters = "abcdefgh"[: len(asked.answers)]
            if not isinstance(given, str) or len(given) != 1 or given.lower() not in letters:
                raise ValueError(f"given is {given!r}; answer with one of {', '.join(letters)}, in quotes.")
            return _said(asked.answers[letters.index(given.lower())])
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise ValueError(f"given is {given!r}; this question asks for a number.")
        for answer in sorted(asked.answers, key=lambda answer: not answer.is_right):
            if asked.same(given, answer.value):
                return _said(answer)
        size = "Too small." if given < asked.right.value else "Too large."
        return _said(Answer(given, f"{size} {asked.otherwise}", asked.section, False))

    # --- as a form ---

    @property
    def id(self) -> str:
        """The id of its element: always the same for the same chapter, so that outputs are reproducible."""
        return f"vgg-quiz-{self.chapter:02}"

    def html(self) -> str:
        """A self-contained fragment of HTML: style, form and script."""
        questions = [
            {
                "unit": getattr(asked, "unit", ""),
                "within": getattr(asked, "within", EXACT),
                "otherwise": _reply(asked.otherwise, asked.section) if isinstance(asked, Number) else None,
                "answers": [
                    {"value": each.value, "right": each.is_right, **_reply(each.reply, each.section)}
                    for each in asked.answers
                ],
            }
            for asked in self.questions
        ]
        hidden = b64encode(json.dumps(questions).encode()).decode()  # so that no one reads an answer in passing
        forms = "\n".join(_form(number, asked) for number, asked in enumerate(self.questions, 1))
        colors = f"--right: {palette.CONVOLUTION}; --not-yet: {palette.FULLY_CONNECTED};"
        mount = files("vgg_course.explorers").joinpath("mount.js").read_text(encoding="utf-8")
        style, script = (
            files(__package__).joinpath(f"quiz.{end}").read_text(encoding="utf-8") for end in ("css", "js")
        )
        return (
            f'<div class="vgg-explorer vgg-quiz" id="{self.id}" '
            f'data-options="{escape(json.dumps({"hidden": hidden}))}">\n'
            f"<template><style>\n:host {{ {colors} }}\n{style}</style>\n"
            f'<section class="explorer quiz" aria-label="Quiz on chapter {self.chapter}">\n{forms}\n'
            '<p class="foot"><span id="score" role="status"></span> <button type="button" id="again">Start again</button>'
            "</p>\n"
            '<p class="hint">Try as often as you like. Nothing is stored and nothing is sent.</p>\n</section></template>\n'
            "<p>The quiz stands here where scripts may run: in a notebook, trust it and run this cell.</p>\n"
            f'</div>\n<script>(() => {{\n"use strict";\n{mount}\n{script}\nmount("{self.id}", quizView);\n}})();</script>\n'
        )

    def _repr_html_(self) -> str:
        return self.html()

    # --- as text ---

    def __repr__(self) -> str:
        parts = [f"Quiz on chapter {self.chapter}: {len(self.questions)} questions"]
        for number, asked in enumerate(self.questions, 1):
            parts.append(fill(f"{number}. {asked.ask}", 88, subsequent_indent="   "))
            if isinstance(asked, Choice):
                lines = (f"   {letter}. {each.value}" for letter, each in zip("abcdefgh", asked.answers, strict=False))
                parts.append("\n".join(fill(line, 88, subsequent_indent="      ") for line in lines))
        first = "'a'" if isinstance(self.questions[0], Choice) else "42"
        parts.append(f"Answer with quiz.show({self.chapter}).answer(1, {first}). Nothing is stored or sent.")
        return "\n\n".join(parts)


def _said(answer: Answer) -> str:
    where = f' See "{answer.section}".' if answer.section else ""
    return f"{'Right.' if answer.is_right else 'Not yet.'} {answer.reply}{where}"


def anchor(title: str) -> str:
    """The id that the book gives to the section of this title."""
    return re.sub(r"^[-0-9]+|-+$", "", re.sub(r"[^a-z0-9]+", "-", title.lower()))


def _reply(reply: str, section: str | None) -> dict[str, str]:
    """What the script needs of a reply; the texts are HTML by now."""
    return {"reply": _inline(reply)} | ({"section": _inline(section), "anchor": anchor(section)} if section else {})


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\$([^$^]*)\^\{([^}]*)\}([^$]*)\$", r"\1<sup>\2</sup>\3", text)


def _form(number: int, asked: Choice | Number) -> str:
    """One question. The reply comes into an empty element that is there from the start, so that it is read out."""
    title = f"{number}. {_inline(asked.ask)}"
    if isinstance(asked, Choice):
        options = "\n".join(
            f'<label><input type="radio" name="q{number}" value="{place}" /> <span>{_inline(each.value)}</span></label>'
            for place, each in enumerate(asked.answers)
        )
        body = f'<fieldset><legend>{title}</legend>\n{options}\n</fieldset>\n<p class="line">'
    else:
        body = (
            f'<label class="ask" for="q{number}">{title}</label>\n<p class="line"><input type="text" id="q{number}" '
            f'inputmode="text" autocomplete="off" spellcheck="false" aria-describedby="says{number}" /> '
            f"<span>{_inline(asked.unit)}</span> "
        )
    return (
        f'<form id="form{number}" novalidate>\n{body}<button type="submit">Check</button></p>\n'
        f'<p class="says" id="says{number}" role="status"></p>\n</form>'
    )
