"""Whose file is whose, what is no notebook, and what comes out for students, learning systems and instructors."""

import csv
import json
import os

import pytest

from tools.grading import reports
from tools.grading.submissions import LARGEST, Unreadable, find, parse, read_bytes
from vgg_course.check import beside

CHAPTER = "03_trace_receptive_fields"


def hand_in(folder, *paths):
    for path in paths:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("{}", encoding="utf-8")
    return {one.student: one.files[CHAPTER] for one in find(folder, "week-03", [CHAPTER])}


@pytest.mark.parametrize(
    ("path", "student"),
    [
        (f"ada/{CHAPTER}.ipynb", "ada"),
        (f"ada/week-03/{CHAPTER}.ipynb", "ada"),
        ("Ada Byron_1234_assignsubmission_file/homework.ipynb", "Ada Byron"),
        (f"byronada_4711_815_{CHAPTER}.ipynb", "byronada"),
        (f"byronada_LATE_4711_815_{CHAPTER}-2.ipynb", "byronada"),
        ("ada.ipynb", "ada"),
    ],
)
def test_the_folders_of_learning_systems_are_understood(tmp_path, path, student):
    assert list(hand_in(tmp_path, path)) == [student]
    assert hand_in(tmp_path, path)[student] == [str(tmp_path / path)]


def test_another_assignment_of_the_same_student_is_left_alone(tmp_path):
    found = hand_in(tmp_path, f"ada/week-03/{CHAPTER}.ipynb", f"ada/week-02/{CHAPTER}.ipynb")
    assert found == {"ada": [str(tmp_path / f"ada/week-03/{CHAPTER}.ipynb")]}


def test_names_that_differ_in_case_and_signs_only_are_one_student_under_two_names(tmp_path):
    hand_in(tmp_path, f"Ada Byron/{CHAPTER}.ipynb", f"ada_byron/{CHAPTER}.ipynb")
    (one,) = find(tmp_path, "week-03", [CHAPTER])
    assert one.names == ["Ada Byron", "ada_byron"]
    assert len(one.files[CHAPTER]) == 2


def test_the_newest_file_comes_last(tmp_path):
    hand_in(tmp_path, f"ada/{CHAPTER}.ipynb", f"ada/{CHAPTER}-1.ipynb")
    os.utime(tmp_path / f"ada/{CHAPTER}.ipynb", (10, 10))
    (one,) = find(tmp_path, "week-03", [CHAPTER])
    assert one.files[CHAPTER][-1].endswith("-1.ipynb")


def test_links_pipes_and_huge_files_are_not_opened(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(LARGEST + 1)
    for name, words in (
        ("link", "a link"),
        ("pipe", "no plain file"),
        ("huge", "is huge"),
        ("none", "cannot be opened"),
    ):
        with pytest.raises(Unreadable, match=words):
            read_bytes(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\x89PNG\xff", "no text"),
        (b'{"cells": [', "cut off"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no list of cells"),
        (b'{"worksheets": []}', "old format"),
        (b'{"cells": [7]}', "no list of cells"),
        (b'{"cells": []}', "no code cells"),
        (b'{"cells": [' + b",".join([b"{}"] * 3000) + b"]}", "3000 cells"),
    ],
)
def test_what_is_no_notebook_is_told_why(data, words):
    with pytest.raises(Unreadable, match=words):
        parse(data)


def test_strange_cells_do_no_harm():
    cells = [
        {"cell_type": "code", "source": ["a = 1\n", 7, "b"]},
        {"cell_type": "code", "source": {"x": 1}, "metadata": []},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["list"]}}},
        {"source": None},
    ]
    handed = parse(json.dumps({"cells": cells}).encode())
    assert handed.cells == ["a = 1\nb", "", ""]
    assert list(handed.marked) == ["['list']"]


# --- reports ---

RECORD = {"title": "Week 3", "course": "A term", "assignment": "week-03", "brand": ""}


def result(
    name, points, status="passed", message="right.", flags=(), diagnosis="", private=None, advice="", picture=""
):
    task = {
        "task": "f",
        "chapter": CHAPTER,
        "title": "A function",
        "checker": "f",
        "status": status,
        "message": message,
        "advice": advice,
        "picture": picture,
    }
    task |= {
        "diagnosis": diagnosis,
        "points": points,
        "of": 4,
        "private": private,
        "private_points": 0,
        "private_of": 2,
    }
    return {
        "student": name,
        "tasks": [task],
        "flags": list(flags),
        "points": points,
        "of": 4,
        "seconds": 1,
        "files": {},
    }


def test_a_students_page_has_no_word_of_private_tests_and_no_markup_of_the_students(tmp_path):
    failed = {"passed": 1, "of": 2, "failed": ["test_secret: AssertionError: 7919"]}
    flags = [
        {"kind": "looked", "words": "opened 7919", "public": False},
        {"kind": "blank", "words": "<b>nothing", "public": True},
    ]
    one = result("<i>ada", 3, message="<script>alert(1)</script>", flags=flags, private=failed)
    reports.write(RECORD, {"<i>ada": one}, tmp_path)
    (page,) = [path.read_text(encoding="utf-8") for path in (tmp_path / "feedback").glob("*.html")]
    for word in ("7919", "test_secret", "<script", "<i>ada", "<b>nothing"):
        assert word not in page
    assert "will be looked at by your instructor" in page
    assert "7919" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_students_page_says_what_to_read_again_and_draws_the_target_beside_the_answer(tmp_path):
    drawn = beside.boxes((0, 0, 2, 2), (0, 0, 3, 2))
    one = result("ada", 0, "wrong", "not 3.", advice='Read "Count the work" in chapter 4 again.', picture=drawn)
    reports.write(RECORD, {"ada": one}, tmp_path)
    (page,) = [path.read_text(encoding="utf-8") for path in (tmp_path / "feedback").glob("*.html")]
    assert f"not 3.<br>Read &quot;Count the work&quot; in chapter 4 again.{drawn}" in page


def test_marks_by_hand_change_the_mark_and_say_why(tmp_path):
    (tmp_path / "hand.csv").write_text("student,task,points,reason\nada,f,3.5,Nearly.\n", encoding="utf-8")
    reports.write(RECORD, {"ada": result("ada", 0, "wrong")}, tmp_path, overrides=tmp_path / "hand.csv")
    assert "ada,3.5,3.5,4" in (tmp_path / "marks.csv").read_text(encoding="utf-8")
    (page,) = [path.read_text(encoding="utf-8") for path in (tmp_path / "feedback").glob("*.html")]
    assert "Changed by hand" in page
    assert "Nearly." in page


@pytest.mark.parametrize("line", ["eve,f,1,x", "ada,g,1,x", "ada,f,much,x"])
def test_marks_by_hand_of_nobody_are_refused(tmp_path, line):
    (tmp_path / "hand.csv").write_text(f"student,task,points,reason\n{line}\n", encoding="utf-8")
    with pytest.raises(reports.ReportError, match=r"there is no|a line has student"):
        reports.write(RECORD, {"ada": result("ada", 0)}, tmp_path, overrides=tmp_path / "hand.csv")


def test_canvas_and_moodle_get_their_own_columns_from_their_own_lists(tmp_path):
    head = "Student,ID,SIS User ID,SIS Login ID,Section\nPoints Possible,,,,\n"
    canvas = head + '"Byron, Ada",7,S7,ab123,A\n"Roe, Richard",8,S8,rr,A\n'
    (tmp_path / "canvas-list.csv").write_text(canvas, encoding="utf-8")
    reports.write(RECORD, {"byronada": result("byronada", 4)}, tmp_path, roster=tmp_path / "canvas-list.csv")
    with open(tmp_path / "canvas.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[1] == ["Points Possible", "", "", "", "", "4"]
    assert rows[2] == ["Byron, Ada", "7", "S7", "ab123", "A", "4"]
    assert "Handed in nothing: Roe, Richard" in (tmp_path / "report.html").read_text(encoding="utf-8")
    moodle = "First name,Last name,ID number,Email address\nAda,Byron,7,ab@uni.example\n"
    (tmp_path / "moodle-list.csv").write_text(moodle, encoding="utf-8")
    reports.write(RECORD, {"Ada Byron": result("Ada Byron", 4)}, tmp_path, roster=tmp_path / "moodle-list.csv")
    with open(tmp_path / "moodle.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1][:5] == ["Ada", "Byron", "7", "ab@uni.example", "4"]


def test_no_cell_is_a_formula(tmp_path):
    reports.write(RECORD, {"=1+1": result("=1+1", 4)}, tmp_path)
    assert "'=1+1,4" in (tmp_path / "marks.csv").read_text(encoding="utf-8")


def test_the_report_puts_the_hardest_first_and_counts_mistakes(tmp_path):
    many = {f"s{n}": result(f"s{n}", 0, "wrong", diagnosis="You forgot the stride.") for n in range(3)}
    reports.write(RECORD, many | {"ada": result("ada", 4)}, tmp_path)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "3: You forgot the stride." in report
    assert "25%" in report
    assert report.index(">s0<") < report.rindex(">ada<")
