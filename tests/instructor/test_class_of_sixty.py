"""A class of sixty, a third of it hostile, graded by the one command: every mark right, every attack contained and flagged."""

import contextlib
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.invented_class import CHAPTER, HOSTILE, Class
from tests.instructor.sandboxes import confined
from tools.project import ROOT

SECRET = "7919"  # a number that only the private tests know
PRIVATE = f"""
def test_no_layer_at_all(field_size):
    assert field_size([]) == 1


def test_a_layer_that_nobody_would_guess(field_size):
    assert field_size([({SECRET}, 3)]) == {SECRET}


def test_nothing_above_the_corner(first_pixel):
    assert first_pixel([({SECRET}, 1, 0)], 0) == 0
"""
COURSE = """
name = "Sixty"
seed = 424242
private = "private"
limits = { seconds = 6, total_seconds = 120, memory_mb = 1000, disk_mb = 32, processes = 12 }

[[assignment]]
name = "week-03"
chapters = ["03_trace_receptive_fields"]
points = { field_size = 4, first_pixel = 4, convolutions_needed = 2, answer_receptive_field_of = 1, widened = 0 }
numbers = ["first_pixel"]
"""


def run(*arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def state(folder):
    """Every file below, with its size and time, links not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        told = path.lstat()
        found[str(path)] = (told.st_size if path.is_file() else 0, told.st_mtime_ns if path.is_file() else 0)
    return found


@pytest.fixture(scope="module")
def term(tmp_path_factory):
    """The course, the class, and what one run of the command made of it."""
    confined()
    home = tmp_path_factory.mktemp("term")
    (home / "private").mkdir()
    (home / "private" / f"{CHAPTER}.py").write_text(PRIVATE, encoding="utf-8")
    (home / "course.toml").write_text(COURSE, encoding="utf-8")
    run("tools.assignments", "make", home / "course.toml", home / "course")
    record = json.loads((home / "course" / "grading" / "week-03.json").read_text(encoding="utf-8"))
    out = home / "graded"
    out.mkdir()
    (out / "marks.csv").write_text("student,points\nlast week,12\n", encoding="utf-8")  # something worth stealing
    expected = Class(record, home / "course" / "release" / "week-03", home / "submitted", out).hand_in()
    workers = _workers()
    before = state(home / "submitted"), state(home / "course"), state(home / "private"), set(os.listdir("/tmp"))
    printed = run("tools.grading", home / "course" / "grading" / "week-03.json", home / "submitted", out)
    after = state(home / "submitted"), state(home / "course"), state(home / "private"), set(os.listdir("/tmp"))
    results = {}
    for path in (out / "results").glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        results[result["student"]] = result
    return {"home": home, "out": out, "record": record, "expected": expected, "results": results} | {
        "before": before,
        "after": after,
        "workers": workers,
        "printed": printed,
    }


def test_there_are_sixty_and_a_third_is_hostile(term):
    hostile = [name for name in term["expected"] if name.startswith(("hostile", "tells", "edits", "forges", "linked"))]
    assert len(term["expected"]) >= 60
    assert len(hostile) >= len(term["expected"]) / 3
    assert len(HOSTILE) >= 20


def test_every_mark_is_right(term):
    given = {
        name: {task["task"]: task["points"] for task in result["tasks"]} for name, result in term["results"].items()
    }
    assert given == {name: told["points"] for name, told in term["expected"].items()}


def test_every_attack_and_every_broken_file_is_flagged_and_nobody_else(term):
    flagged = {name for name, result in term["results"].items() if result["flags"]}
    assert flagged == {name for name, told in term["expected"].items() if told["flagged"]}


def test_no_zero_is_silent(term):
    for name, result in term["results"].items():
        for task in result["tasks"]:
            assert task["message"], (name, task)
        if result["points"] == 0:
            assert result["flags"], name


def test_the_machine_is_unharmed(term):
    submitted, course, private, temporary = term["before"]
    assert term["after"][:3] == (submitted, course, private)
    assert not {name for name in term["after"][3] - temporary if name.startswith(("filled", "asked", "vgg"))}
    assert not (term["out"] / "harmed").exists()
    deadline = time.monotonic() + 10
    while (left := _workers() - term["workers"]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left


def _workers():
    """Processes that run a submission: the worker and whatever it forked have its command line."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"inside/worker.py" in path.read_bytes():
                found.add(int(path.parent.name))
    return found


def test_feedback_tells_no_secret_and_runs_no_script(term):
    pages = {path.name: path.read_text(encoding="utf-8") for path in (term["out"] / "feedback").glob("*.html")}
    assert len(pages) == len(term["expected"])
    for name, page in pages.items():
        for word in (SECRET, "test_no_layer", "nobody_would_guess", "above_the_corner", "last week"):
            assert word not in page, (name, word)
        assert "<script" not in page
        assert "root:x" not in page


def test_mistakes_are_named_in_the_report(term):
    report = (term["out"] / "report.html").read_text(encoding="utf-8")
    assert "You leave the padding out" in report
    assert "Who is stuck where" in report
    assert "tried to open &#x27;/etc/passwd&#x27;" in report


def test_marks_can_be_imported(term):
    with open(term["out"] / "marks.csv", newline="", encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(term["expected"])
    assert all(not name.startswith(("=", "+", "-", "@")) for name in rows)
    with open(term["out"] / "canvas.csv", newline="", encoding="utf-8") as file:
        canvas = list(csv.reader(file))
    assert canvas[0][:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert canvas[1][0] == "Points Possible"
    assert len(canvas) == 2 + len(term["expected"])


def test_a_second_run_grades_nothing_and_says_so(term):
    printed = run(
        "tools.grading", term["home"] / "course" / "grading" / "week-03.json", term["home"] / "submitted", term["out"]
    )
    assert f"{len(term['expected'])} of {len(term['expected'])} are graded already" in printed
