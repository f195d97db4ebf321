"""Which file is whose, in the folders that learning systems hand out; and reading one without trusting it.

Understood: STUDENT/NOTEBOOK.ipynb, nbgrader's STUDENT/ASSIGNMENT/NOTEBOOK.ipynb, Moodle's
"Name_12345_assignsubmission_file/NOTEBOOK.ipynb", and Canvas's flat "name_12345_67890_NOTEBOOK.ipynb".
"""

import csv
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

LARGEST = 20_000_000  # bytes of a notebook
MOST_CELLS = 2_000
CANVAS = re.compile(r"^(?P<name>[^_]+?)(?:_LATE)?_(?P<user>\d+)_(?P<id>\d+)_(?P<file>.+)$", re.IGNORECASE)
MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_file_?$")
AGAIN = re.compile(r"[-_ ]?\(?(\d+)\)?\.ipynb$")


class Unreadable(Exception):
    """A file that is no notebook. Its text is the reason, for the student to read."""


@dataclass
class Submission:
    student: str
    files: dict  # of each chapter's notebook: the paths, newest last
    others: list  # what is there besides


def find(folder, assignment, chapters):
    """All submissions, by student, in the order of their names."""
    folder, found = Path(folder), {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir(follow_symlinks=False):
            match = MOODLE.match(entry.name)
            paths = [path for path in _walk(entry.path, 3) if _meant(path, Path(entry.path), assignment)]
            _put(found, match["name"] if match else entry.name, paths)
        else:
            match = CANVAS.match(entry.name)
            if match or entry.name.endswith(".ipynb"):  # anything else beside them is a list or a note of yours
                _put(found, match["name"] if match else Path(entry.name).stem, [entry.path])
    submissions = []
    for key in sorted(found):
        names, paths = found[key]
        files, others = _by_chapter(paths, chapters)
        one = Submission(names[0], files, others)
        one.names = names
        submissions.append(one)
    return submissions


def _walk(folder, depth):
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, depth - 1) if depth else ()
        else:
            yield entry.path


def _meant(path, student, assignment):
    """In nbgrader's layout a student has a folder for each assignment."""
    parts = Path(path).relative_to(student).parts
    return len(parts) == 1 or parts[0] == assignment or not (student / assignment).is_dir()


def _put(found, name, paths):
    name = re.sub(r"[^\w .@+-]", "_", name).strip(" .")[:80] or "nameless"
    key = re.sub(r"[\W_]+", " ", name).strip().casefold()
    names, old = found.setdefault(key, ([], []))
    if name not in names:
        names.append(name)
    old += paths


def _by_chapter(paths, chapters):
    files, others = {chapter: [] for chapter in chapters}, []
    for path in sorted(paths, key=_when):
        name = Path(path).name
        chapter = next((c for c in chapters if c in name), None)
        if chapter is None:
            number = re.search(r"(?<!\d)(\d\d)_", name)
            chapter = next((c for c in chapters if number and c.startswith(number[1] + "_")), None)
        if chapter is None and len(chapters) == 1 and name.endswith(".ipynb"):
            chapter = chapters[0]
        (files[chapter] if chapter else others).append(str(path))
    return files, others


def _when(path):
    match = AGAIN.search(Path(path).name)
    return os.lstat(path).st_mtime, int(match[1]) if match and len(match[1]) < 4 else 0


def read_bytes(path):
    """The bytes of a plain file of reasonable size; a link, a pipe or a device is not followed."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(
            "it is a link to another file" if os.path.islink(path) else f"it cannot be opened: {error.strerror}"
        ) from None
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("it is no plain file")
        if found.st_size > LARGEST:
            raise Unreadable(
                f"it is huge: {found.st_size / 1e6:.0f} MB, and {LARGEST / 1e6:.0f} are allowed. "
                "Clear all outputs and hand in again."
            )
        return file.read(LARGEST + 1)


@dataclass
class Handed:
    """The code of a notebook, and what its metadata claims."""

    cells: list  # sources of its code cells
    marked: dict  # (nbgrader's metadata, source) by grade_id
    doubles: list


def parse(data):
    """The code cells of a notebook; raises :class:`Unreadable` with what is wrong."""
    if not data.strip():
        raise Unreadable("the file is empty")
    try:
        told = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("it is corrupt: no text in UTF-8") from None
    except (ValueError, RecursionError) as error:
        cut = " It seems to be cut off." if data.lstrip()[:1] == b"{" and data.rstrip()[-1:] != b"}" else ""
        raise Unreadable(f"it is corrupt: no JSON ({str(error)[:80]}).{cut}") from None
    cells = told.get("cells") if isinstance(told, dict) else None
    if cells is None and isinstance(told, dict) and isinstance(told.get("worksheets"), list):
        raise Unreadable("it is in an old format of notebooks (3); open it in Jupyter, save it, and hand in again")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise Unreadable("it is JSON, but no notebook: it has no list of cells")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"it has {len(cells)} cells, and {MOST_CELLS} are allowed")
    sources, marked, doubles = [], {}, []
    for cell in cells:
        source = cell.get("source", "")
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        if not isinstance(source, str):
            source = ""
        source = source.encode("utf-8", "replace").decode()
        if cell.get("cell_type") == "code":
            sources.append(source)
        metadata = cell.get("metadata")
        nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        if isinstance(nbgrader, dict):
            name = str(nbgrader.get("grade_id", ""))[:100]
            if name in marked:
                doubles.append(name)
            marked[name] = (nbgrader, source)
    if not sources:
        raise Unreadable("it has no code cells")
    return Handed(sources, marked, doubles)


def roster(path):
    """Rows of a class list or an exported gradebook, with the columns that it has."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))
