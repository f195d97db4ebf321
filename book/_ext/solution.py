"""Solutions start closed: code cells tagged `solution`, and the {solution} directive.

The marks between which the student edition has a hole are instructions to tools/notebooks.py; the reader does not see them.
"""

import re

from docutils import nodes
from sphinx_exercise.nodes import solution_node

MARK = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)

SOLUTION = "Show a solution", "Hide the solution"
PROOF = "Show that it holds", "Hide it"  # what stands behind a solution in the book only: the numbers, computed


def close_solutions(app, doctree):
    for cell in list(doctree.findall(nodes.container)):
        tags = cell.get("cell_metadata", {}).get("tags", [])
        if cell.get("nb_element") == "cell_code" and "solution" in tags:
            cell["hide_mode"] = "all"
            cell["prompt_show"], cell["prompt_hide"] = PROOF if "book-only" in tags else SOLUTION
            strip_marks(cell)
    for solution in doctree.findall(solution_node):
        if "dropdown" not in solution["classes"]:
            solution["classes"].append("dropdown")


def strip_marks(cell):
    for block in cell.findall(nodes.literal_block):
        text = MARK.sub("", block.astext())
        block.rawsource = text  # highlighting is skipped where rawsource and text differ
        block.children = [nodes.Text(text)]


def setup(app):
    app.connect("doctree-read", close_solutions)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
