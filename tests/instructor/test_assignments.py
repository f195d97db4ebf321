"""What students are handed, what stays with the instructor, and what differs from section to section."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools.assignments import course, edition, private, tasks
from tools.assignments.make import make
from tools.project import ROOT
from vgg_course import check

CHAPTER = "03_trace_receptive_fields"
COURSE = """
name = "A term"
seed = {seed}
private = "private"
[[assignment]]
name = "week-03"
chapters = ["03_trace_receptive_fields"]
points = {{ field_size = 4, convolutions_needed = 0 }}
numbers = ["first_pixel"]
"""
PRIVATE = "def test_deep(field_size):\n    'Five layers.'\n    assert field_size([(3, 1)] * 5) == 11\n"


def term(folder, seed=1, tests=PRIVATE, text=COURSE):
    (folder / "private").mkdir(parents=True, exist_ok=True)
    (folder / "private" / f"{CHAPTER}.py").write_text(tests, encoding="utf-8")
    (folder / "course.toml").write_text(text.format(seed=seed), encoding="utf-8")
    return course.read(folder / "course.toml")


def made(folder, **how):
    record = make(term(folder, **how), folder / "made")["week-03"]
    notebooks = [
        nbformat.read(folder / "made" / kind / "week-03" / f"{CHAPTER}.ipynb", 4) for kind in ("release", "source")
    ]
    return record, *notebooks


def test_the_release_holds_neither_solutions_nor_private_tests(tmp_path):
    _, release, source = made(tmp_path)
    text = "\n".join(cell.source for cell in release.cells)
    for word in (
        "BEGIN SOLUTION",
        "BEGIN HIDDEN",
        "test_deep",
        "colab-badge",
        "Solution to Exercise",
        "(distance + 1) // 2",
    ):
        assert word not in text
    assert "test_deep" in "\n".join(cell.source for cell in source.cells)


def test_every_graded_cell_says_so_in_the_words_of_nbgrader(tmp_path):
    _, release, _ = made(tmp_path)
    told = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in release.cells if "nbgrader" in c.metadata}
    assert told["field_size"] == {
        "grade": False,
        "grade_id": "field_size",
        "locked": False,
        "schema_version": 3,
        "solution": True,
        "task": False,
    }
    assert told["check-field_size"]["points"] == 4
    assert told["private-field_size"]["points"] == 2
    assert "check-convolutions_needed" not in told  # 0 points leave it ungraded


def test_two_sections_get_different_numbers_and_one_section_always_the_same(tmp_path):
    questions = {}
    for seed in (1, 2, 3, 1):
        record, release, _ = made(tmp_path / str(len(questions)), seed=seed)
        found = {task["name"]: task for task in record["notebooks"][0]["tasks"]}
        question = found["first_pixel"]["number"]["question"]
        assert any(question in cell.source for cell in release.cells)
        assert questions.setdefault(seed, question) == question
    assert len(set(questions.values())) == 3


def test_the_number_that_is_asked_for_is_right(tmp_path):
    record, *_ = made(tmp_path)
    number = next(t["number"] for t in record["notebooks"][0]["tasks"] if t["number"])
    assert eval(number["question"], {"first_pixel": tasks.solution(CHAPTER, "first_pixel")}) == number["answer"]


def test_where_a_question_changes_its_words_the_hints_of_the_old_one_go(tmp_path):
    for seed in range(8):
        record, release, _ = made(tmp_path / str(seed), seed=seed)
        layer = record["notebooks"][0]["tasks"][0]["arguments"][0]
        text = next(
            cell.source for cell in release.cells if "One layer by hand" in cell.source and "Goal" in cell.source
        )
        assert f"`{layer}`" in text
        assert ("Hint" in text) == (layer == "conv4_1")


def test_private_tests_that_the_solution_fails_are_refused(tmp_path):
    with pytest.raises(course.CourseError, match="test_deep fails on the course's own solution: AssertionError"):
        made(tmp_path, tests=PRIVATE.replace("11", "12"))


def test_private_tests_of_no_task_are_refused(tmp_path):
    with pytest.raises(private.PrivateTestError, match="a test has one parameter, the name of a task; there are"):
        made(tmp_path, tests="def test_it(field_sizes):\n    pass\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = {seed}", "seed = 'A'", "give a whole number"),
        ("03_trace_receptive_fields", "03_trace", "no chapter '03_trace'"),
        ("field_size = 4", "field_sise = 4", "no task 'field_sise'"),
        ("field_size = 4", "field_size = -1", "points are a number"),
        ('private = "private"', 'private = "nowhere"', "there is no folder"),
        ('name = "week-03"', 'name = "week 3"', "letters, digits"),
        ('name = "A term"', 'nome = "A term"', "has no 'nome'"),
    ],
)
def test_a_course_file_that_cannot_be_meant_is_refused_with_the_remedy(tmp_path, old, new, words):
    with pytest.raises(course.CourseError, match=words):
        term(tmp_path, text=COURSE.replace(old, new))


def test_private_tests_inside_the_public_repository_are_refused(tmp_path):
    path = tmp_path / "course.toml"
    path.write_text(COURSE.format(seed=1).replace('"private"', repr(str(ROOT / "tests"))), encoding="utf-8")
    with pytest.raises(course.CourseError, match="inside the public repository"):
        course.read(path)


def test_the_demonstration_course_can_be_made(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tools.assignments", "make", "demo/course.toml", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "week-03: 4 tasks" in done.stdout
    assert "week-05: 2 tasks" in done.stdout


def test_nbgrader_itself_makes_the_same_release(tmp_path):
    program = shutil.which("nbgrader") or next(map(str, (ROOT / "build" / "instructor" / "bin").glob("nbgrader")), None)
    if program is None:
        pytest.skip("nbgrader is not installed (requirements-instructor.txt)")
    _, release, _ = made(tmp_path)
    folder = tmp_path / "made"
    shutil.move(folder / "release", folder / "ours")
    environment = {"PATH": f"{Path(program).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [program, "generate_assignment", "week-03"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = nbformat.read(folder / "release" / "week-03" / f"{CHAPTER}.ipynb", 4)
    assert [c.source.strip() for c in theirs.cells] == [c.source.strip() for c in release.cells]
    marked = [
        {k: v for k, v in c.metadata.get("nbgrader", {}).items() if k not in ("checksum", "cell_type")}
        for c in theirs.cells
    ]
    assert marked == [dict(c.metadata.get("nbgrader", {})) for c in release.cells]


def test_the_instructors_edition_has_answers_and_usual_mistakes(tmp_path):
    (path, index) = edition.write(tmp_path, [CHAPTER])
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    assert "jump *= stride" in text
    assert "You leave the padding out" in text
    assert "NotImplementedError" not in text
    assert "| The size of any window | Goal" not in index.read_text(encoding="utf-8")
    assert "`field_size`" in index.read_text(encoding="utf-8")


MEASURED = "diagnosis"  # answers with what an experiment found, and has no sentences of its own


@pytest.mark.parametrize("checker", sorted(set(check.__all__) - {"Verdict", MEASURED, *tasks.BY_HAND}))
def test_usual_mistakes_are_read_off_the_checkers(checker):
    found = tasks.mistakes(checker)
    assert all(words[-1] in ".?!)" for words in found)
    assert len(found) >= 5
