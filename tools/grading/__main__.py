"""python -m tools.grading COURSE/grading/ASSIGNMENT.json SUBMISSIONS OUT      grade a folder, in a sandbox
    python -m tools.grading doctor                                             can this machine do it safely?

Run it again to go on after an interruption, or after students handed in again: only what is new is graded.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tools.assignments.private import PrivateTestError
from tools.grading import sandbox
from tools.grading.reports import ReportError


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["doctor"]:
        return doctor()
    parser = argparse.ArgumentParser(
        prog="python -m tools.grading", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("assignment", type=Path, help="grading/ASSIGNMENT.json, which tools.assignments made")
    parser.add_argument("submissions", type=Path, help="a folder: one folder or file a student")
    parser.add_argument("out", type=Path, help="where results, feedback, marks and the report go")
    parser.add_argument("--at-once", type=int, default=0, help="submissions at the same time (as many as processors)")
    parser.add_argument(
        "--roster", type=Path, help="the class list, or the gradebook that your learning system exported (csv)"
    )
    parser.add_argument("--overrides", type=Path, help="marks by hand (csv: student, task, points, reason)")
    parser.add_argument(
        "--sandbox", default="", choices=["", "bubblewrap", "namespaces", "docker", "podman", sandbox.UNPROTECTED]
    )
    told = parser.parse_args(arguments)
    try:
        return grade(told)
    except (sandbox.SandboxError, PrivateTestError, ReportError) as problem:
        sys.exit(f"error: {problem}")


def doctor():
    for one in sandbox.candidates():
        print(one.name)
        for probe in sandbox.prove(one):
            print(f"  {probe}")
    try:
        print(f"grading will use: {sandbox.find().name}")
    except sandbox.SandboxError as problem:
        sys.exit(f"error: {problem}")


def grade(told):
    from tools.grading import classroom, judge, reports

    try:
        record = json.loads(told.assignment.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        sys.exit(
            f"error: {told.assignment}: {problem}; make it with: python -m tools.assignments make COURSE.toml FOLDER"
        )
    if not told.submissions.is_dir():
        sys.exit(f"error: there is no folder {told.submissions}")
    began = time.monotonic()
    confined = sandbox.find(judge.limits(record), told.sandbox)
    if confined.name == sandbox.UNPROTECTED:
        print("warning: students' code runs WITHOUT a sandbox, with all that you may do", file=sys.stderr)
    else:
        print(f"sandbox: {confined.name}, {len(confined.probes)} ways out tried, all closed", flush=True)
    results = classroom.grade_all(
        record, told.submissions, told.out, confined, told.at_once, lambda line: print(line, flush=True)
    )
    written = reports.write(record, results, told.out, told.roster, told.overrides)
    flagged = sum(bool(result["flags"]) for result in results.values())
    print(f"{len(results)} submissions, {flagged} flagged, {time.monotonic() - began:.0f} s")
    for path in written:
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
