"""How long a chapter takes: its exercises by their cards, its reading by a rule.

Prose goes by at 200 words a minute (adults read nonfiction at 238 in the mean of 190 studies: Brysbaert 2019, Journal of
Memory and Language 109; formulas slow one down), a line of code in 5 seconds, a figure in 20, a question of the quiz in 30.
"""

import re

from tools.assignments.tasks import EXERCISE, exercises, source
from tools.project import chapters
from vgg_course import quiz

CELL = re.compile(r"^```\{code-cell\}.*?^```$", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"\A---\n.*?^---\n|^---\n.*?^---\n|^:tags:.*\n", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"\w[\w'-]*")


class Minutes(dict):
    """By a chapter's two digits: ``{"read": minutes, "do": minutes}``, whole."""

    def __missing__(self, digits):
        names = {page.rpartition("/")[2][:2]: page.rpartition("/")[2] for page in chapters()}
        self[digits] = of(names[digits])
        return self[digits]


def of(chapter):
    """``{"read": minutes, "do": minutes}`` of notebooks/CHAPTER.md, whole."""
    text = EXERCISE.sub("", source(chapter))
    cells = [cell for cell in CELL.findall(text) if "### BEGIN SOLUTION" not in cell]
    words = len(WORD.findall(SETTING.sub("", CELL.sub("", text), count=1)))
    lines = sum(len(SETTING.sub("", cell).strip().splitlines()) - 2 for cell in cells)
    figures = sum("figure:" in cell for cell in cells)
    questions = len(quiz.show(int(chapter[:2])).questions)
    seconds = 60 * words / 200 + 5 * lines + 20 * figures + 30 * questions
    return {"read": round(seconds / 60), "do": sum(exercise.minutes for exercise in exercises(chapter))}
