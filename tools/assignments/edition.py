"""The instructor's edition: every chapter with its answers, and behind each exercise what it is for, how long it takes, what full
marks want and what students usually get wrong (from the checkers, so it is what the checks will say).
"""

from pathlib import Path

import nbformat
from nbformat import v4

from tools.assignments.course import POINTS
from tools.assignments.make import _identified
from tools.assignments.tasks import check_call, exercises, mistakes, solution_source, stubs, student_notebook, tasks
from tools.labels import titles
from tools.project import chapters


def write(folder, wanted=()):
    """One notebook a chapter and an overview, index.md; returns the paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written, overview = [], ["# The instructor's edition", ""]
    for chapter in wanted or [page.removeprefix("notebooks/") for page in chapters()]:
        path = folder / f"{chapter}.ipynb"
        path.write_text(nbformat.writes(edition(chapter)) + "\n", encoding="utf-8")
        written.append(path)
        overview += outline(chapter)
    (folder / "index.md").write_text("\n".join(overview) + "\n", encoding="utf-8")
    return [*written, folder / "index.md"]


def edition(chapter):
    """The student edition with its holes filled and a note behind each graded exercise."""
    graded, cells = {task.call: task for task in tasks(chapter)}, []
    for cell in student_notebook(chapter).cells:
        if cell.cell_type == "code" and stubs(cell.source):
            cell.source = solution_source(chapter, cell.source)
            cell.metadata.pop("jupyter", None)
        cells.append(cell)
        if cell.cell_type == "code" and check_call(cell.source) is not None and cell.source in graded:
            cells.append(v4.new_markdown_cell(note(graded[cell.source])))
    one = v4.new_notebook(cells=_identified(cells))
    one.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.validate(one)
    return one


def note(task):
    """What an instructor wants to know of one exercise."""
    exercise = task.exercise
    lines = [
        f"> **For the instructor: {exercise.title}**",
        ">",
        f"> {exercise.goal} Difficulty {exercise.difficulty} of 5, {exercise.minutes} minutes.",
        ">",
        f"> Rubric: {POINTS} points when `check.{task.checker}` passes, none when it does not, unless your course file says "
        "otherwise. Fresh cases by the seed of the section.",
    ]
    usual = mistakes(task.checker)
    if usual:
        lines += [">", "> Usual mistakes, in the words of the check:", ">", *(f"> - {words}" for words in usual)]
    return "\n".join(lines)


def outline(chapter):
    """Goals and minutes of a chapter's exercises, graded or not."""
    names = {task.exercise.label: task.name for task in tasks(chapter)}
    found = exercises(chapter)
    lines = [
        f"## {chapter[:2]} {titles()[f'notebooks/{chapter}']}",
        "",
        f"Exercises: {sum(e.minutes for e in found)} minutes.",
        "",
    ]
    lines += ["| exercise | goal | difficulty | minutes | graded as |", "|---|---|---|---|---|"]
    lines += [
        f"| {e.title} | {e.goal} | {e.difficulty} | {e.minutes} | {f'`{names[e.label]}`' if e.label in names else 'by hand'} |"
        for e in found
    ]
    return [*lines, ""]
