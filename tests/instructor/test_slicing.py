"""Which statements of a notebook a function needs, and what is worth an instructor's look."""

import pytest

from tools.grading.inside.slicing import Notebook, plain_python, worth_a_look


def ran(cells, name):
    """The value of a name after its slice has run, and the sources of the slice."""
    import ast

    space, told = {}, []
    for _, node in Notebook(cells).slice([name]):
        told.append(ast.unparse(node))
        exec(compile(ast.Module([node], []), "cell", "exec"), space)
    return space[name], "\n".join(told)


def test_only_what_is_needed_runs():
    cells = ["import math\nimport does_not_exist", "data = 1 / 0", "def f(x):\n    return math.sqrt(x)"]
    value, told = ran(cells, "f")
    assert value(9) == 3
    assert "does_not_exist" not in told
    assert "1 / 0" not in told


def test_a_function_finds_helpers_that_stand_below_it():
    value, _ = ran(["def f(x):\n    return g(x)", "def g(x):\n    return 2 * x"], "f")
    assert value(4) == 8


def test_the_last_definition_counts_as_in_run_all():
    value, told = ran(["def f():\n    return 1", "def f():\n    return 2"], "f")
    assert value() == 2
    assert "return 1" not in told


def test_what_runs_now_sees_what_stood_above_it():
    assert ran(["n = 1", "f = n + 1", "n = 100"], "f")[0] == 2


def test_a_functions_own_names_are_not_looked_for_elsewhere():
    cells = [
        "layers = 1 / 0",
        "def f(layers):\n    size = 1\n    for layer in layers:\n        size += layer\n    return size",
    ]
    assert ran(cells, "f")[0]([1, 2]) == 4


def test_loops_that_build_a_table_are_taken_whole():
    assert ran(["table = []\nfor i in range(3):\n    table = table + [i]", "f = table"], "f")[0] == [0, 1, 2]


def test_an_import_brings_only_what_is_asked_for():
    _, told = ran(["from math import sqrt, pi", "def f():\n    return pi"], "f")
    assert told.startswith("from math import pi")


@pytest.mark.parametrize("line", ["%pip install x", "!ls", "  %time y = 1", "f?", "?f", "%%time"])
def test_magic_is_no_syntax_error(line):
    source = f"if True:\n  x = 1\n{line}\n"
    assert Notebook([source]).broken == {}
    assert plain_python(source).count("\n") == source.count("\n")


def test_a_cell_that_does_not_parse_spoils_no_other():
    notebook = Notebook(["def f(:\n", "def g():\n    return 1"])
    assert "line 1" in notebook.broken_for("f")
    assert notebook.broken_for("g") is None
    assert notebook.defines("g") == [1]


@pytest.mark.parametrize(
    "source", ["x = " + "(" * 5000, "x = " + "-" * 100_000 + "1", "\x00", "x = '\ud800'", "if" * 10_000]
)
def test_no_source_crashes_the_parser(source):
    Notebook([source.encode("utf-8", "replace").decode()])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import socket", "imports socket"),
        ("from vgg_course import check\ncheck.field_size = print", "changes check.field_size"),
        ("import torch\ntorch.allclose = lambda *a: True", "changes torch.allclose"),
        ("import os\nos._exit(0)", "uses ._exit"),
        ("eval('1')", "uses eval"),
        ("class A:\n    def __eq__(self, o):\n        return True", "defines __eq__"),
        ("open('/etc/passwd')", "names the path '/etc/passwd'"),
    ],
)
def test_what_no_exercise_needs_is_worth_a_look(source, words):
    assert any(words in found for found in worth_a_look([source]))


def test_ordinary_code_is_not():
    source = (
        "import torch\nfrom math import prod\nx = torch.zeros(3)\nx.grad = None\n\ndef f(a):\n    return prod(a) / 2"
    )
    assert worth_a_look([source]) == []
