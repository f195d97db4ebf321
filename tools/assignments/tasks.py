"""The exercises of a chapter that a machine can grade: found in the chapter itself, so that there is no second list of them.

A task is a call ``check.NAME(...)`` that stands alone in a cell. What it is handed, a function or the dots of an answer, is the
student's; the rest is the chapter's.
"""

import ast
import inspect
import re
from dataclasses import dataclass
from functools import cache

import nbformat

from tools import notebooks
from tools.grading.inside.slicing import Notebook, plain_python
from tools.project import ROOT

STUB = 'raise NotImplementedError("your code here")'
EXERCISE = re.compile(
    r"^(?P<fence>`{3,})\{exercise\} *(?P<title>[^\n]*)\n:label: (?P<label>\S+)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
CARD = re.compile(r"\*Goal: (?P<goal>.+?) Difficulty (?P<difficulty>\d) of 5, (?P<minutes>\d+) minutes")
BY_HAND = ("cured", "live_run")  # they judge a net or a run of training, and no function that could be called


@dataclass(frozen=True)
class Exercise:
    title: str
    label: str
    goal: str
    difficulty: int
    minutes: int
    place: int  # in the chapter's source


@dataclass(frozen=True)
class Task:
    """One graded exercise."""

    name: str  # what the student defines, or answer_LABEL where the answer is a value
    checker: str
    arguments: tuple  # of the check: values, and names as ("name", NAME)
    exercise: Exercise
    call: str  # the source of the check cell
    literal: bool = False  # the answer stands in the check's own call, where the dots were

    @property
    def hint(self):
        return f"check.{self.checker}"


@cache
def source(chapter):
    return (ROOT / "notebooks" / f"{chapter}.md").read_text(encoding="utf-8")


@cache
def exercises(chapter):
    """All of a chapter, graded or not."""
    found = []
    for match in EXERCISE.finditer(source(chapter)):
        card = CARD.search(match["text"])
        told = (card["goal"], int(card["difficulty"]), int(card["minutes"])) if card else ("", 0, 0)
        found.append(Exercise(match["title"], match["label"], *told, match.start()))
    return tuple(found)


def student_notebook(chapter):
    return nbformat.reads(notebooks.student_edition(f"notebooks/{chapter}"), as_version=4)


def stubs(cell_source):
    """The names that a cell leaves to the student."""
    try:
        tree = ast.parse(plain_python(cell_source))
    except SyntaxError:
        return []
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node.name for node in defined if STUB in ast.unparse(node).replace("'", '"')]


def check_call(cell_source):
    """The call, if the cell is one check and nothing else."""
    try:
        tree = ast.parse(plain_python(cell_source))
    except SyntaxError:
        return None
    last = tree.body[-1] if tree.body else None
    if not (
        isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and isinstance(last.value.func, ast.Attribute)
    ):
        return None
    call = last.value
    return (
        call if isinstance(call.func.value, ast.Name) and call.func.value.id == "check" and not call.keywords else None
    )


def tasks(chapter):
    """The tasks of a chapter, in its order."""
    found, open_names = [], set()
    for cell in student_notebook(chapter).cells:
        if cell.cell_type != "code":
            continue
        open_names |= set(stubs(cell.source))
        call = check_call(cell.source)
        if call is None or call.func.attr in BY_HAND:
            continue
        arguments, mine = [], []
        for argument in call.args:
            if isinstance(argument, ast.Name) and argument.id in open_names:
                arguments.append(("name", argument.id))
                mine.append(argument.id)
            elif isinstance(argument, ast.Constant):
                arguments.append(argument.value)
                mine += [...] if argument.value is ... else []
        if len(mine) != 1 or len(arguments) != len(call.args):
            continue
        exercise = _exercise_of(chapter, cell.source)
        if exercise is None:
            continue
        literal = mine[0] is ...
        name = f"answer_{call.func.attr}" if literal else mine[0]
        arguments = tuple(("name", name) if argument is ... else argument for argument in arguments)
        found.append(Task(name, call.func.attr, arguments, exercise, cell.source, literal))
    return tuple(found)


def _exercise_of(chapter, call):
    """The exercise above the last cell with this call."""
    place = source(chapter).rfind("\n" + call.strip() + "\n")
    before = [exercise for exercise in exercises(chapter) if exercise.place < place]
    return before[-1] if before else None


# --- the course's own answers ---


@cache
def solved_cells(chapter):
    """The chapter's code cells with their solutions."""
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    book = read_myst_markdown_notebook(source(chapter), MdParserConfig(enable_extensions={"colon_fence"}))
    return tuple(cell.source for cell in book.cells if cell.cell_type == "code")


@cache
def solution(chapter, name):
    """What the course's own solution defines under a name. Runs the chapter's code, and only what this name needs."""
    notebook, space = Notebook(solved_cells(chapter)), {"__name__": "solution"}
    if not notebook.defines(name):
        raise KeyError(f"{chapter} defines no {name}")
    for cell, node in notebook.slice([name]):
        exec(compile(ast.Module([node], []), f"{chapter}, cell {cell + 1}", "exec"), space)
    return space[name]


def solution_source(chapter, stub_source):
    """The cell with the solution whose hole is this cell."""
    for cell in solved_cells(chapter):
        if (
            "### BEGIN SOLUTION" in cell
            and notebooks.SOLUTION.sub(lambda m: m["indent"] + STUB, cell).strip() == stub_source.strip()
        ):
            return cell
    raise KeyError(f"{chapter} has no solution for this stub:\n{stub_source}")


def recorded(checker, attempt, seed):
    """The cases that a checker asks a right answer about: a list of (arguments, answer)."""
    from vgg_course import check

    cases, function = [], getattr(check, checker)

    def noted(*arguments):
        answer = attempt(*arguments)
        cases.append((arguments, answer))
        return answer

    verdict = function(noted, **seeded(function, seed))
    if not verdict:
        raise ValueError(f"the course's own solution does not pass check.{checker} with seed {seed}: {verdict.message}")
    return cases


def seeded(function, seed):
    """``{"seed": seed}`` if the checker draws its cases."""
    return {"seed": seed} if "seed" in inspect.signature(function).parameters else {}


# --- what students usually get wrong ---


def mistakes(checker):
    """The diagnoses that a checker may give, read off its source."""
    from vgg_course import check

    function = getattr(check, checker)
    module = inspect.getmodule(function)
    tree = ast.parse(inspect.getsource(module))
    named = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        target = (
            node.target
            if isinstance(node, ast.AnnAssign)
            else node.targets[0]
            if isinstance(node, ast.Assign)
            else None
        )
        if isinstance(target, ast.Name):
            named[target.id] = node
    found, todo, seen = [], [function.__name__], set()
    while todo:
        name = todo.pop(0)
        if name in seen or name not in named:
            continue
        seen.add(name)
        for node in ast.walk(named[name]):
            if isinstance(node, ast.Name) and node.id in named and (node.id.startswith("_") or node.id.isupper()):
                todo.append(node.id)
            keys = node.keys if isinstance(node, ast.Dict) else [pair.elts[0] for pair in _pairs(node)]
            found += [key.value for key in keys if _is_sentence(key)]
    return list(dict.fromkeys(found))


def _pairs(node):
    if not isinstance(node, ast.List | ast.Tuple):
        return []
    return [item for item in node.elts if isinstance(item, ast.Tuple) and len(item.elts) == 2]


def _is_sentence(node):
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and len(node.value) > 15
        and node.value.rstrip()[-1:] in ".?!)"
    )
