"""The part of a notebook that defines a name: its statement, and all that this one needs, wherever they stand.

A notebook's figures and training runs need not run to grade a function. Which definition counts is what "run all" would
leave: the last one. Also what an instructor may want to look at, read off the code and never a reason for a mark.
"""

import ast
import re
import symtable

MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)
HELP = re.compile(r"^[ \t]*(?:\?{1,2}[\w.]+|[\w.]+\?{1,2})[ \t]*$", re.MULTILINE)
COMPOUND = (ast.If, ast.For, ast.While, ast.Try, ast.With, ast.AugAssign)
MODULES = frozenset((
    "asyncio", "builtins", "ctypes", "gc", "http", "importlib", "inspect", "marshal", "mmap", "multiprocessing", "pickle", "pty",
    "requests", "resource", "shutil", "signal", "socket", "subprocess", "tempfile", "threading", "urllib",
))  # fmt: skip
NAMES = frozenset(("__import__", "eval", "exec", "compile", "globals", "__builtins__", "breakpoint", "input"))
ATTRIBUTES = frozenset((
    "_exit", "system", "popen", "fork", "kill", "execv", "execve", "execvp", "spawnv", "remove", "unlink", "rmtree",
    "__globals__", "__subclasses__", "__code__", "__builtins__", "__mro__", "f_back", "_getframe", "settrace", "modules",
    "setrecursionlimit", "setrlimit", "environ", "getenv",
))  # fmt: skip


class Statement:
    """One statement of a cell: what it binds, and what it needs now and when its functions are called."""

    def __init__(self, node, cell):
        self.node, self.cell, self.binds, self.now, self.later = node, cell, set(), set(), set()
        self._read(symtable.symtable(ast.unparse(node), "cell", "exec"), later=False)

    def _read(self, table, later):
        """Python's own table of names knows which of them are a function's own."""
        for symbol in table.get_symbols():
            name, bound = symbol.get_name(), symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
            if table.get_type() == "module" or (symbol.is_declared_global() and bound):
                if bound:
                    self.binds.add(name)
                if symbol.is_referenced():
                    (self.later if later else self.now).add(name)
            elif symbol.is_global() and symbol.is_referenced():
                (self.later if later else self.now).add(name)
        for child in table.get_children():
            comprehension = child.get_name() in ("listcomp", "setcomp", "dictcomp", "genexpr")
            self._read(child, later or (child.get_type() == "function" and not comprehension))


class Notebook:
    """The code cells of a notebook, parsed one by one; a cell that does not parse spoils no other."""

    def __init__(self, sources):
        self.sources, self.statements, self.broken = list(sources), [], {}
        for number, source in enumerate(self.sources):
            try:
                tree = ast.parse(plain_python(source))
                found = [Statement(node, number) for node in tree.body]
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                line = getattr(error, "lineno", None)
                self.broken[number] = f"line {line}: {error.msg}" if line else type(error).__name__
                continue
            self.statements += found
        self.binders = {}
        for place, statement in enumerate(self.statements):
            for name in statement.binds:
                self.binders.setdefault(name, []).append(place)

    def defines(self, name):
        """The cells that bind it, in order."""
        return [self.statements[place].cell for place in self.binders.get(name, [])]

    def broken_for(self, name):
        """What is wrong with the cell that seems to define a name, if it does not parse."""
        pattern = re.compile(rf"^[ \t]*(def|class)[ \t]+{name}\b|^[ \t]*{name}[ \t]*=", re.MULTILINE)
        return next((words for cell, words in self.broken.items() if pattern.search(self.sources[cell])), None)

    def slice(self, names):
        """The statements needed for these names, as they end up after "run all", in order."""
        wanted, todo = set(), [(name, None) for name in names]
        asked = set(todo)
        while todo:
            name, before = todo.pop()
            places = [p for p in self.binders.get(name, []) if before is None or p < before]
            for place in reversed(places):
                statement = self.statements[place]
                if place not in wanted:
                    wanted.add(place)
                    new = [(n, place) for n in statement.now] + [(n, None) for n in statement.later]
                    todo += [each for each in new if each not in asked]
                    asked |= set(new)
                if not isinstance(statement.node, COMPOUND):
                    break  # a plain binding hides the earlier ones
        used = set(names) | {n for p in wanted for n in (self.statements[p].now | self.statements[p].later)}
        return [(self.statements[p].cell, _only(self.statements[p].node, used)) for p in sorted(wanted)]


def _only(node, used):
    """An import without what nobody asks for: a grader has no use for the checkers that a notebook imports."""
    if isinstance(node, ast.ImportFrom):
        kept = [alias for alias in node.names if alias.name == "*" or (alias.asname or alias.name) in used]
        return ast.copy_location(ast.ImportFrom(node.module, kept or node.names, node.level), node)
    return node


def plain_python(source):
    """Without notebook magic: a line of it becomes ``pass``."""
    return HELP.sub("pass", MAGIC.sub(r"\1pass", source))


def worth_a_look(sources):
    """Words about code that no exercise needs. They decide nothing."""
    found, notebook = [], Notebook(sources)
    imported = {}
    for statement in notebook.statements:
        for node in ast.walk(statement.node):
            if isinstance(node, ast.Import):
                imported |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for statement in notebook.statements:
        for node in ast.walk(statement.node):
            found += _look(node, imported)
    return list(dict.fromkeys(found))[:20]


def _look(node, imported):
    if isinstance(node, ast.Import):
        return [f"imports {alias.name}" for alias in node.names if alias.name.split(".")[0] in MODULES]
    if isinstance(node, ast.ImportFrom) and node.module:
        if node.module.startswith("vgg_course.check"):
            return [f"imports {node.module}"]
        return [f"imports {node.module}"] if node.module.split(".")[0] in MODULES else []
    if isinstance(node, ast.Name) and node.id in NAMES and isinstance(node.ctx, ast.Load):
        return [f"uses {node.id}"]
    if isinstance(node, ast.Attribute):
        root = node.value
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(node.ctx, ast.Store | ast.Del) and isinstance(root, ast.Name) and root.id in imported:
            return [f"changes {ast.unparse(node)}, which is not its own"]
        return [f"uses .{node.attr}"] if node.attr in ATTRIBUTES else []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr"):
        return [f"calls {node.func.id}"]
    if isinstance(node, ast.FunctionDef) and node.name in (
        "__eq__",
        "__ne__",
        "__bool__",
        "__instancecheck__",
        "__reduce__",
        "__float__",
    ):
        return [f"defines {node.name}"]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        for path in ("/etc/", "/proc/", "/root", "/home/", "gradebook", "../", "/dev/"):
            if path in node.value and len(node.value) < 200:
                return [f"names the path {node.value[:60]!r}"]
    return []
