"""A quiz for every chapter: ``quiz.show(3)`` stands in the third one, as a form in a page and as text in a terminal.

The questions are data, a module a chapter (``chapter_03.py``) of :mod:`vgg_course.quiz.records`. Every number in them is
computed when the module is read. Nothing is stored and nothing is sent. The right answers are in the page, encoded just
enough not to be read in passing: they are no secret.

Needs the standard library only.
"""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files

from vgg_course.quiz.records import Quiz


def chapters() -> tuple[int, ...]:
    """The chapters that have a quiz."""
    names = (path.name for path in files(__package__).iterdir())
    return tuple(sorted(int(name[8:-3]) for name in names if name.startswith("chapter_") and name.endswith(".py")))


def show(chapter: int) -> Quiz:
    """The quiz of a chapter, by its number.

    Raises:
        ValueError: there is no quiz for it.
    """
    if isinstance(chapter, bool) or chapter not in chapters():
        known = ", ".join(map(str, chapters()))
        raise ValueError(f"chapter is {chapter!r}; there is a quiz for {known}: give one of these numbers.")
    return import_module(f"{__package__}.chapter_{chapter:02}").QUIZ
