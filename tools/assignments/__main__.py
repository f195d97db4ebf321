"""python -m tools.assignments make COURSE.toml FOLDER     an nbgrader course: source, release, grading
python -m tools.assignments tasks [CHAPTER ...]          what can be graded, with points and minutes
python -m tools.assignments edition FOLDER [CHAPTER ...] the instructor's edition: answers, rubric, usual mistakes, times
"""

import argparse
import sys

from tools.assignments.course import CourseError, read
from tools.assignments.private import PrivateTestError


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tools.assignments", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("make", help="write an nbgrader course")
    one.add_argument("course", help="COURSE.toml")
    one.add_argument("folder", help="where to")
    one.add_argument("--only", action="append", default=[], metavar="ASSIGNMENT")
    two = verbs.add_parser("tasks", help="list what can be graded")
    two.add_argument("chapter", nargs="*")
    three = verbs.add_parser("edition", help="write the instructor's edition")
    three.add_argument("folder")
    three.add_argument("chapter", nargs="*")
    told = parser.parse_args(arguments)
    try:
        return {"make": _make, "tasks": _tasks, "edition": _edition}[told.verb](told)
    except (CourseError, PrivateTestError) as problem:
        sys.exit(f"error: {problem}")


def _make(told):
    from tools.assignments.make import make

    for name, record in make(read(told.course), told.folder, told.only).items():
        tasks = [task for notebook in record["notebooks"] for task in notebook["tasks"]]
        points = sum(t["points"] + t["private_points"] + (t["number"]["points"] if t["number"] else 0) for t in tasks)
        print(f"{name}: {len(tasks)} tasks, {points:g} points")
    print(f"hand out {told.folder}/release; keep {told.folder}/source and {told.folder}/grading to yourself")


def _tasks(told):
    from tools.assignments.tasks import tasks
    from tools.project import chapters

    for chapter in told.chapter or [page.removeprefix("notebooks/") for page in chapters()]:
        print(chapter)
        for task in tasks(chapter):
            print(
                f"  {task.name:24} {task.exercise.title} (difficulty {task.exercise.difficulty}, {task.exercise.minutes} minutes)"
            )


def _edition(told):
    from tools.assignments.edition import write

    for path in write(told.folder, told.chapter):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
