"""Numbers by name: {fact}`D.ledger.parameters | M.1` in the text becomes 138.4 M.

    python -m tools.facts "D.ledger.parameters / 1e6 | .1"    prints one
    python -m tools.facts --write README.md                         fills in <!-- fact: ... -->value<!-- /fact -->
    python -m tools.facts --check README.md                         fails if one of them is out of date

An expression is arithmetic over names: the configurations A, A_LRN, B, C, D and E (each with `.configuration`,
`.ledger`, `.receptive_field` and `.saved_for_backward`), `paper` (vgg_course.paper), `results` (book/results/*.json by
file name), `environment` (tools/environment.py) and `minutes` (tools/minutes.py, as in `minutes['03'].read`). A dot takes
an item of that name if there is one, else a public attribute. There are no calls: what is worth saying is worth a name.

A format is `.2` (decimals), a unit with decimals such as `M.1`, `G.2`, `k.0`, `MB.2`, `MiB.2`, `%.1` (of a fraction), or `raw`.
"""

import argparse
import ast
import difflib
import json
import math
import operator
import re
import sys
from functools import cache, cached_property
from pathlib import Path

from tools.project import ROOT

NO_BREAK_SPACE = "\u00a0"
UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "%": 1e-2}
UNITS |= {"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}
MARKED = re.compile(r"(<!-- fact: (.*?) -->)(.*?)(<!-- /fact -->)", re.DOTALL)


class FactError(ValueError):
    """A fact that cannot be stated. The message names the expression and the part of it that failed."""


def show(text):
    """The text of a fact: EXPRESSION or EXPRESSION | FORMAT."""
    expression, style = split(text)
    return in_style(evaluate(expression), style, expression)


def split(text):
    expression, _, style = text.replace(r"\|", "|").partition("|")  # a table's cell must escape the bar
    return expression.strip(), style.strip()


# --- the names ---


class Net:
    """One column of the paper's Table 1, and what follows from it."""

    def __init__(self, letter):
        from vgg_course.configuration import CONFIGURATIONS

        self.configuration = CONFIGURATIONS[letter]

    @cached_property
    def ledger(self):
        from vgg_course.accounting import ledger

        return ledger(self.configuration)

    @cached_property
    def saved_for_backward(self):
        from vgg_course.accounting import saved_for_backward

        return saved_for_backward(self.configuration)

    @cached_property
    def receptive_field(self):
        from vgg_course.receptive_field import receptive_field

        return receptive_field(self.configuration)


@cache
def names():
    from tools import environment
    from tools.minutes import Minutes  # here, for the tools that it needs ask for facts themselves
    from vgg_course import paper

    nets = {letter.replace("-", "_"): Net(letter) for letter in ("A", "A-LRN", "B", "C", "D", "E")}
    known = {"paper": paper, "results": results(ROOT / "book" / "results"), "environment": environment}
    return {**nets, **known, "minutes": Minutes()}


def results(folder):
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


# --- the value ---


def evaluate(expression, namespace=None):
    namespace = names() if namespace is None else namespace
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError:
        raise FactError(f"fact {expression!r}: this is not an expression") from None
    try:
        value = walk(tree.body, namespace)
    except FactError as problem:
        raise FactError(f"fact {expression!r}: {problem}") from None
    except ArithmeticError as problem:
        raise FactError(f"fact {expression!r}: {problem}") from None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        inside = ", ".join(members(value)[:12])
        raise FactError(
            f"fact {expression!r}: this is a {type(value).__name__}, not a number; it has {inside or 'no parts'}"
        )
    return value


def walk(node, namespace):
    match node:
        case ast.Constant(value=int() | float() as constant):
            return constant
        case ast.Name(id=name):
            if name not in namespace:
                raise FactError(f"there is no {name!r}{near(name, namespace)}")
            return namespace[name]
        case ast.Attribute(value=parent, attr=name):
            return member(walk(parent, namespace), name, ast.unparse(parent))
        case ast.Subscript(value=parent, slice=ast.Constant(value=key)):
            return item(walk(parent, namespace), key, ast.unparse(parent))
        case ast.Subscript(value=parent, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as key))):
            return item(walk(parent, namespace), -key, ast.unparse(parent))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -number(operand, namespace)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return OPERATIONS[type(op)](number(left, namespace), number(right, namespace))
    raise FactError(
        f"{ast.unparse(node)!r} is not allowed; a fact has names, dots, constant [keys] and + - * / // ** only"
    )


def number(node, namespace):
    value = walk(node, namespace)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FactError(f"{ast.unparse(node)!r} is a {type(value).__name__}, and one cannot calculate with that")
    return value


def member(parent, name, source):
    """parent.name: the item of that name if there is one, else the public attribute."""
    try:
        return parent[name]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        pass
    if not name.startswith("_"):
        try:
            return getattr(parent, name)
        except AttributeError:
            pass
    raise FactError(f"{source!r} has no {name!r}{near(name, members(parent))}")


def item(parent, key, source):
    try:
        return parent[key]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise FactError(f"{source!r} has no item {key!r}{near(str(key), members(parent))}") from None


def members(value):
    if isinstance(value, dict):
        return [str(key) for key in value]
    return [name for name in dir(value) if not name.startswith("_")]


def near(name, candidates):
    found = difflib.get_close_matches(name, list(candidates), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else ""


# --- the text ---


def in_style(value, style, expression="?"):
    if isinstance(value, str) or style == "raw":
        return str(value)
    if not style:
        return plain(value)
    unit, dot, digits = style.partition(".")
    if unit not in UNITS or not dot or not digits.isdigit():
        raise FactError(
            f"fact {expression!r}: there is no format {style!r}; use one such as .2, M.1, MB.2, MiB.2, %.1 or raw"
        )
    figure = f"{value / UNITS[unit]:,.{int(digits)}f}"
    space = NO_BREAK_SPACE if unit and unit != "%" else ""
    return figure + space + unit


def plain(value):
    """A whole number with thousands separators; any other with four significant digits."""
    if isinstance(value, int) or value.is_integer():
        return f"{int(value):,}"
    if not math.isfinite(value):
        raise FactError(f"the value is {value}")
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    figure = f"{value:,.{decimals}f}"
    return figure.rstrip("0").rstrip(".") if "." in figure else figure


# --- files outside the book, such as the README ---


def filled(text):
    """The text with every marked fact brought up to date."""

    def fill(match):
        in_table = text[text.rfind("\n", 0, match.start()) + 1 :].startswith("|")
        if in_table and "|" in match[2].replace(r"\|", ""):
            raise FactError(f"fact {match[2]!r}: in a table write \\| for the bar, or it ends the cell")
        return match[1] + show(match[2]) + match[4]

    return MARKED.sub(fill, text)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.facts", description=__doc__.splitlines()[0])
    parser.add_argument("expression", nargs="*", help="print this fact")
    parser.add_argument("--write", nargs="+", metavar="FILE", default=[], help="fill in the marked facts")
    parser.add_argument("--check", nargs="+", metavar="FILE", default=[], help="fail if a marked fact is out of date")
    options = parser.parse_args(arguments)
    stale = []
    try:
        for expression in options.expression:
            print(show(expression))
        for name in options.write + options.check:
            text = Path(name).read_text(encoding="utf-8")
            if filled(text) == text:
                continue
            if name in options.write:
                Path(name).write_text(filled(text), encoding="utf-8", newline="\n")
            else:
                stale.append(name)
    except FactError as problem:
        sys.exit(f"error: {problem}")
    if stale:
        sys.exit(
            f"error: facts are out of date in {', '.join(stale)}; run: python -m tools.facts --write {' '.join(stale)}"
        )


if __name__ == "__main__":
    main()
