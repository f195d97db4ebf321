"""An nbgrader course from chapters: source/ (with answers and private tests), release/ (what students get), grading/ (for us).

The notebooks carry nbgrader's metadata, so that ``nbgrader`` works on this folder, too. grading/ASSIGNMENT.json is what
tools/grading needs; it and source/ stay with the instructor.
"""

import copy
import hashlib
import json
import random
import re
import shutil
from pathlib import Path

import nbformat
from nbformat import v4

from tools.assignments import private
from tools.assignments.course import NUMBER_POINTS, POINTS, Course, CourseError
from tools.assignments.tasks import (
    check_call,
    recorded,
    seeded,
    solution,
    solution_source,
    stubs,
    student_notebook,
    tasks,
)
from tools.assignments.variants import VARIANTS
from tools.notebooks import BADGE

SOLUTION_TEXT = re.compile(r"<details>\n<summary>Solution to [^<]*</summary>.*?</details>\n*", re.DOTALL)
HINTS = re.compile(r"<details>\n<summary>Hint[^<]*</summary>.*?</details>\n*", re.DOTALL)
NBGRADER = """c = get_config()
c.CourseDirectory.course_id = {name!r}
c.ClearSolutions.code_stub = {{"python": 'raise NotImplementedError("your code here")'}}
c.ExecutePreprocessor.timeout = 120
"""


def make(course: Course, folder, only=()):
    """Write the course into a folder; returns what was written, by assignment."""
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text(NBGRADER.format(name=_slug(course.name)), encoding="utf-8")
    made = {}
    for assignment in course.assignments:
        if only and assignment.name not in only:
            continue
        for kind in ("source", "release"):
            shutil.rmtree(folder / kind / assignment.name, ignore_errors=True)
        record = {"course": course.name, "brand": course.brand, "assignment": assignment.name, "limits": course.limits}
        record |= {"title": assignment.title or assignment.name, "private": str(course.private or ""), "notebooks": []}
        for chapter in assignment.chapters:
            source, release, told = notebook(course, assignment, chapter)
            for kind, one in (("source", source), ("release", release)):
                path = folder / kind / assignment.name / f"{chapter}.ipynb"
                path.parent.mkdir(parents=True, exist_ok=True)
                nbformat.validate(one)
                path.write_text(nbformat.writes(one) + "\n", encoding="utf-8")
            record["notebooks"].append(told)
        if not any(told["tasks"] for told in record["notebooks"]):
            raise CourseError(
                f"{course.path}: {assignment.name}: nothing in {', '.join(assignment.chapters)} can be graded"
            )
        path = folder / "grading" / f"{assignment.name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        made[assignment.name] = record
    return made


def _slug(name):
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "course"


def notebook(course, assignment, chapter):
    """(source, release, what the grader needs) of one chapter."""
    found = {task.name: task for task in tasks(chapter)}
    tests = private.load(course.private, chapter, set(found))
    chosen = {name: t for name, t in found.items() if assignment.points.get(name, POINTS) > 0}
    source, release, told = [], [], []

    def add(given, with_answer=None, metadata=None):
        for cells, text in ((release, given), (source, given if with_answer is None else with_answer)):
            cell = v4.new_code_cell(text) if metadata is not None else v4.new_markdown_cell(text)
            cell.metadata = dict(metadata or {})
            cells.append(cell)

    for cell in student_notebook(chapter).cells:
        names = [name for name in stubs(cell.source) if name in chosen] if cell.cell_type == "code" else []
        call = check_call(cell.source) if cell.cell_type == "code" else None
        task = next((t for t in chosen.values() if call is not None and t.call == cell.source), None)
        if cell.cell_type == "markdown":
            if BADGE in cell.source:
                continue  # it opens the public notebook, not this one
            text = SOLUTION_TEXT.sub("", cell.source).strip()
            if text:
                add(text)
        elif names:
            add(cell.source, solution_source(chapter, cell.source), _metadata(names[0], solution=True))
        elif task is not None:
            told.append(_graded(course, assignment, chapter, task, tests.get(task.name, []), add, (source, release)))
        else:
            for cells in (source, release):
                cells.append(copy.deepcopy(cell))
    head = _head(course, assignment, chapter, told)
    made = []
    for cells in (source, release):
        one = v4.new_notebook(cells=_identified([v4.new_markdown_cell(head), *cells]))
        one.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        made.append(one)
    codes = [cell.source for cell in made[1].cells if cell.cell_type == "code"]
    locked = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in made[1].cells if "nbgrader" in cell.metadata}
    record = {
        "chapter": chapter,
        "file": f"{chapter}.ipynb",
        "tasks": told,
        "cells": codes,
        "marked": {
            name: {
                "nbgrader": cell.metadata["nbgrader"],
                "source": cell.source if cell.metadata["nbgrader"]["locked"] else "",
            }
            for name, cell in locked.items()
        },
    }
    return made[0], made[1], record


def _metadata(name, solution=False, points=None):
    """nbgrader's words about a cell, its schema 3."""
    told = {"grade": points is not None, "grade_id": name, "locked": not solution, "schema_version": 3}
    told |= {"solution": solution, "task": False}
    return {"nbgrader": told | ({"points": points} if points is not None else {})}


def _answer(name):
    """The cell of an answer that is a value. nbgrader has no words for it: it would put an exception in place of the dots."""
    return {"vgg_course": {"answer": name}}


def _graded(course, assignment, chapter, task, tests, add, both):
    """Add the check of a task with its private tests and its number; returns what the grader needs of it."""
    seed = course.draw(assignment.name, chapter, task.name)
    points = assignment.points.get(task.name, POINTS)
    call, arguments = task.call, list(task.arguments)
    if task.literal:
        call, arguments = _literal(course, assignment, chapter, task, add, both, seed)
    else:
        _solvable(chapter, task, tests, seed, course)
    hidden = f"{call}\n### BEGIN HIDDEN TESTS\nassert {call}\n### END HIDDEN TESTS"
    add(call, hidden, _metadata(f"check-{task.name}", points=points))
    if tests:
        text = "# The instructor's own tests of the task above run here."
        code = private.as_cell(course.private, chapter, task.name, tests)
        hidden = f"{text}\n### BEGIN HIDDEN TESTS\n{code}\n### END HIDDEN TESTS"
        add(text, hidden, _metadata(f"private-{task.name}", points=assignment.private_points))
    told = {
        "name": task.name,
        "checker": task.checker,
        "arguments": [list(a) if isinstance(a, tuple) else a for a in arguments],
        "points": points,
        "private_points": assignment.private_points if tests else 0,
        "seed": seed,
        "title": task.exercise.title,
        "label": task.exercise.label,
        "minutes": task.exercise.minutes,
        "number": None,
    }
    if task.name in assignment.numbers:
        told["number"] = _number(course, assignment, chapter, task, add)
    return told


def _solvable(chapter, task, tests, seed, course):
    """The course's own solution must have full marks, or no student can."""
    from vgg_course import check

    function, attempt = getattr(check, task.checker), solution(chapter, task.name)
    arguments = [attempt if isinstance(argument, tuple) else argument for argument in task.arguments]
    verdict = function(*arguments, **seeded(function, seed))
    if not verdict:
        raise CourseError(
            f"{chapter}: the course's own {task.name} does not pass with this section's seed: {verdict.message}"
        )
    for test in tests:
        try:
            test(attempt)
        except Exception as error:
            file = f"{course.private}/{chapter}.py"
            raise CourseError(
                f"{file}: {test.__name__} fails on the course's own solution: {type(error).__name__}: {error}"
            ) from error


def _literal(course, assignment, chapter, task, add, both, seed):
    """A cell for the answer in place of the dots, and perhaps another question for this section."""
    call, arguments = task.call, list(task.arguments)
    word, choices = VARIANTS.get((chapter, task.checker), ("", ()))
    new = random.Random(seed).choice(choices) if choices else word
    if new != word:
        call = call.replace(word, new)
        arguments = [a.replace(word, new) if isinstance(a, str) else a for a in arguments]
        for cells in both:
            text = next(cell for cell in reversed(cells) if cell.cell_type == "markdown" and word in cell.source)
            text.source = HINTS.sub("", text.source).replace(word, new).strip()
    call = re.sub(r"\.\.\.\s*\)$", f"{task.name})", call)
    stub = f"{task.name} = ...  # your number in place of the dots"
    add(stub, stub, _answer(task.name))
    return call, arguments


def _number(course, assignment, chapter, task, add):
    """A question whose answer is a number of this section's own: a fresh case of the checker."""
    seed = course.draw(assignment.name, chapter, task.name, "number")
    plain = [
        (arguments, answer)
        for arguments, answer in recorded(task.checker, solution(chapter, task.name), seed)
        if len(repr(arguments)) < 200
        and not re.search(r"tensor|object|<", repr(arguments))
        and isinstance(answer, int | float)
        and not isinstance(answer, bool)
    ]
    if not plain:
        raise CourseError(f"{course.path}: numbers: the answers of {task.name} are no plain numbers; leave it out")
    arguments, answer = plain[-1]
    name, shown = f"number_{task.name}", ", ".join(map(repr, arguments))
    add(
        f"**A number for your section** ({NUMBER_POINTS} point{'s' * (NUMBER_POINTS != 1)}). Work out `{task.name}({shown})` "
        "on paper, write it in place of the dots, and then compare it with what your function says."
    )
    add(f"{name} = ...", f"{name} = ...", _answer(name))
    asked = f"number_{task.name}"
    given = "# Your number is compared here, after you have handed in."
    hidden = f"{given}\n### BEGIN HIDDEN TESTS\nassert abs({asked} - {answer!r}) <= 1e-6 * abs({answer!r})\n### END HIDDEN TESTS"
    add(given, hidden, _metadata(f"check-{name}", points=NUMBER_POINTS))
    return {"name": name, "answer": answer, "points": NUMBER_POINTS, "question": f"{task.name}({shown})"}


def _head(course, assignment, chapter, told):
    rows = "\n".join(
        f"| {one['title']} | `{one['name']}` | {one['points']} | {one['private_points'] or '-'} | "
        f"{one['number']['points'] if one['number'] else '-'} | {one['minutes']} |"
        for one in told
    )
    brand = f"{course.brand}\n\n" if course.brand else ""
    return (
        f"{brand}# {course.name}: {assignment.title or assignment.name}\n\n"
        "Fill in the cells that say `your code here` or have dots to replace. The check below each tells you what it "
        "thinks, as often as you like; your mark comes from the same check with other numbers"
        f"{', and from tests of your instructor' if any(one['private_points'] for one in told) else ''}. "
        "Keep the names of the functions. Before you hand in, restart and run all.\n\n"
        "| exercise | you write | points | instructor's tests | number | minutes |\n|---|---|---|---|---|---|\n" + rows
    )


def _identified(cells):
    """Ids from nbgrader's names where there are any, else from the content."""
    seen = {}
    for cell in cells:
        name = (
            cell.metadata.get("nbgrader", {}).get("grade_id") or hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        )
        name = name[:58]
        seen[name] = seen.get(name, 0) + 1
        cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return cells
