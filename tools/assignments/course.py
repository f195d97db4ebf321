"""What an instructor writes: one file, COURSE.toml, outside this repository. It says which chapters, which points, which seed."""

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from tools.assignments.tasks import tasks
from tools.project import ROOT, chapters

POINTS, PRIVATE_POINTS, NUMBER_POINTS = 3, 2, 1


class CourseError(Exception):
    """A course file that cannot be meant. Names the file, the value, the rule and the remedy."""


@dataclass(frozen=True)
class Assignment:
    name: str
    chapters: tuple[str, ...]
    points: dict = field(default_factory=dict)  # by task; what is not named has the course's default
    private_points: int = PRIVATE_POINTS  # of each task that has private tests
    numbers: tuple[str, ...] = ()  # tasks with a question whose number differs by section
    title: str = ""


@dataclass(frozen=True)
class Course:
    name: str
    seed: int
    assignments: tuple[Assignment, ...]
    private: Path | None = None
    brand: str = ""
    limits: dict = field(default_factory=dict)
    path: Path | None = None

    def assignment(self, name):
        for assignment in self.assignments:
            if assignment.name == name:
                return assignment
        raise CourseError(
            f"{self.path}: no assignment {name!r}; there are {', '.join(a.name for a in self.assignments)}"
        )

    def draw(self, *words):
        """A seed of this section for one purpose: the same words always give the same number, another section another."""
        text = "/".join(map(str, (self.seed, *words)))
        return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def read(path):
    """A :class:`Course` from its file, with every name in it checked."""
    path = Path(path).resolve()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"there is no {path}; copy demo/course.toml and change it") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} is no TOML: {error}") from None
    known = {"name", "seed", "private", "brand", "limits", "assignment"}
    _refuse(path, told, known, "the course")
    if not isinstance(told.get("seed"), int):
        raise CourseError(f"{path}: seed = {told.get('seed')!r}; give a whole number, another one for each section")
    private = (path.parent / told["private"]).resolve() if "private" in told else None
    if private is not None and not private.is_dir():
        raise CourseError(f"{path}: private = {told['private']!r}, but there is no folder {private}")
    if private is not None and private.is_relative_to(ROOT) and not private.is_relative_to(ROOT / "demo"):
        raise CourseError(
            f"{path}: the private tests are in {private}, inside the public repository; put them elsewhere"
        )
    found = tuple(_assignment(path, one) for one in told.get("assignment", []))
    if not found:
        raise CourseError(f"{path}: no [[assignment]] in it")
    limits = told.get("limits", {})
    _refuse(path, limits, {"seconds", "total_seconds", "memory_mb", "disk_mb", "processes"}, "[limits]")
    return Course(told.get("name", path.stem), told["seed"], found, private, told.get("brand", ""), limits, path)


def _refuse(path, told, known, where):
    if unknown := sorted(set(told) - known):
        raise CourseError(f"{path}: {where} has no {unknown[0]!r}; it knows {', '.join(sorted(known))}")


def _assignment(path, told):
    _refuse(path, told, {"name", "title", "chapters", "points", "private_points", "numbers"}, "[[assignment]]")
    name = told.get("name", "")
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise CourseError(f"{path}: the assignment's name {name!r} must be of letters, digits, - and _")
    known = [page.removeprefix("notebooks/") for page in chapters()]
    wanted = told.get("chapters") or []
    for chapter in wanted:
        if chapter not in known:
            raise CourseError(f"{path}: {name}: no chapter {chapter!r}; there are {', '.join(known)}")
    if not wanted:
        raise CourseError(f"{path}: {name}: no chapters")
    there = {task.name for chapter in wanted for task in tasks(chapter)}
    for task in [*told.get("points", {}), *told.get("numbers", [])]:
        if task not in there:
            raise CourseError(f"{path}: {name}: no task {task!r}; there are {', '.join(sorted(there))}")
    for task, points in told.get("points", {}).items():
        if not isinstance(points, int | float) or points < 0:
            raise CourseError(f"{path}: {name}: {task} = {points!r}; points are a number, 0 leaves the task ungraded")
    private = told.get("private_points", PRIVATE_POINTS)
    return Assignment(
        name, tuple(wanted), told.get("points", {}), private, tuple(told.get("numbers", [])), told.get("title", "")
    )
