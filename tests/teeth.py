"""The exercises of a chapter as its source has them, and their solutions with one small mistake each.

A mistake is what a program can make: another operator, a constant or an index that is off by one, a comparison that
includes its end or does not. A checker that lets one of them pass has not looked there.
"""

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache

from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig

from tools.project import ROOT, chapters


@dataclass(frozen=True)
class Exercise:
    """A solution and the call of its checker, both as written; ``setting`` is what the chapter imports and defines."""

    chapter: str
    call: str
    solution: str
    setting: str

    @property
    def name(self) -> str:
        defined = (node for node in ast.parse(self.solution).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
        return f"{self.chapter[:2]}-{next(defined).name}"

    def judged(self, solution: str, **keywords: object) -> object:
        """The verdict on it; keywords are for its checker."""
        names: dict[str, object] = {}
        exec(compile(self.setting, f"<{self.chapter}>", "exec"), names)
        exec(compile(solution, f"<{self.name}>", "exec"), names)
        call = ast.parse(self.call, mode="eval")
        call.body.keywords += [ast.keyword(name, ast.Constant(value)) for name, value in keywords.items()]
        return eval(compile(ast.fix_missing_locations(call), f"<{self.call}>", "eval"), names)

    @property
    def checker(self) -> str:
        """Its name."""
        return ast.parse(self.call, mode="eval").body.func.attr


@cache
def exercises() -> tuple[Exercise, ...]:
    """All whose solution is a piece of code, in the order of the book."""
    return tuple(one for page in chapters() for one in _of(page))


def _of(page: str) -> Iterator[Exercise]:
    source = (ROOT / f"{page}.md").read_text(encoding="utf-8")
    book = read_myst_markdown_notebook(source, MdParserConfig(enable_extensions={"colon_fence"}))
    cells = [cell.source for cell in book.cells if cell.cell_type == "code"]
    top = [node for cell in cells for node in ast.parse(cell).body]
    setting = "\n".join(
        ast.unparse(node) for node in top if isinstance(node, ast.Import | ast.ImportFrom) or _constant(node)
    )
    for place, cell in enumerate(cells):
        if "### BEGIN SOLUTION" in cell:
            calls = [
                ast.unparse(node)
                for node in ast.walk(ast.parse(cells[place + 1]))
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("check.")
            ]
            assert len(calls) == 1, f"{page}: behind a solution stands one call of its checker, not {calls}"
            yield Exercise(page.rpartition("/")[2], calls[0], cell, setting)


def _constant(node: ast.AST) -> bool:
    """``STD = ...``, which a solution may use."""
    if not isinstance(node, ast.Assign):
        return False
    names = [name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return all(name.id.isupper() and len(name.id) > 2 for name in names)


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Every program with one mistake: what was changed, in words, and the whole text."""
    tree = ast.parse(source)
    for place, node in enumerate(ast.walk(tree)):
        for words, change in _changes(node):
            copy = deepcopy(tree)
            change(list(ast.walk(copy))[place])
            yield f"line {node.lineno}: {words}", ast.unparse(ast.fix_missing_locations(copy))


OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div, ast.Add],
    ast.Div: [ast.Mult, ast.FloorDiv],
    ast.FloorDiv: [ast.Div, ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
}
NAMES = {
    "min": "max",
    "max": "min",
    "sum": "mean",
    "mean": "sum",
    "amin": "amax",
    "amax": "amin",
    "any": "all",
    "all": "any",
}


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    match node:
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            for other in OPERATORS.get(type(node.op), ()):
                yield _words(node.op, other), lambda n, other=other: setattr(n, "op", other())
        case ast.Compare():
            for i, op in enumerate(node.ops):
                for other in OPERATORS.get(type(op), ()):
                    yield _words(op, other), lambda n, i=i, other=other: n.ops.__setitem__(i, other())
        case ast.UnaryOp(op=ast.USub()):
            yield "a minus is lost", lambda n: setattr(n, "op", ast.UAdd())
        case ast.Constant(value=bool(value)):
            yield f"{not value} for {value}", lambda n: setattr(n, "value", not n.value)
        case ast.Constant(value=int() | float() as value):
            for other in (value + 1, value - 1) if isinstance(value, int) else (value * 2,):
                yield f"{other} for {value}", lambda n, other=other: setattr(n, "value", other)
        case ast.Attribute(attr=name) if name in NAMES:
            yield f"{NAMES[name]} for {name}", lambda n: setattr(n, "attr", NAMES[n.attr])
        case ast.Name(id=("min" | "max" | "any" | "all") as name):
            yield f"{NAMES[name]} for {name}", lambda n: setattr(n, "id", NAMES[n.id])


def _words(old: ast.AST, new: type) -> str:
    return f"{new.__name__} for {type(old).__name__}"
