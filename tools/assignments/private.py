"""The instructor's private tests: CHAPTER.py in a folder outside the repository.

    def test_two_strides_in_a_row(field_size):
        "Layers whose stride is larger than their kernel."        # what the student may read
        assert field_size([(2, 3), (2, 3)]) == 5

A test belongs to the task whose name its parameter has. It runs beside the checker, never inside the sandbox.
"""

import ast
import importlib.util
import inspect
import sys
from pathlib import Path


class PrivateTestError(Exception):
    """Tests that cannot be used. Names the file and the remedy."""


def load(folder, chapter, names):
    """``{task: [test, ...]}`` of one chapter."""
    path = Path(folder) / f"{chapter}.py" if folder else None
    if path is None or not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"private_{chapter}", path)
    module = importlib.util.module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PrivateTestError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.dont_write_bytecode = writes
    found = {}
    for name, test in vars(module).items():
        if not name.startswith("test") or not inspect.isfunction(test):
            continue
        parameters = list(inspect.signature(test).parameters)
        if len(parameters) != 1 or parameters[0] not in names:
            raise PrivateTestError(
                f"{path}: {name}({', '.join(parameters)}): a test has one parameter, the name of a task; "
                f"there are {', '.join(sorted(names))}"
            )
        found.setdefault(parameters[0], []).append(test)
    return found


def as_cell(folder, chapter, task, tests):
    """The same tests as the code of a notebook cell, for nbgrader."""
    text = (Path(folder) / f"{chapter}.py").read_text(encoding="utf-8")
    chosen = {test.__name__ for test in tests}
    kept = [
        ast.get_source_segment(text, node)
        for node in ast.parse(text).body
        if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test") and node.name not in chosen)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    return "\n\n".join([*kept, *(f"{test.__name__}({task})" for test in tests)])
