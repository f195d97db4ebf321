"""The {fact} role: a number in the text is computed when the book is built, and shows its name when pointed at.

Errors are Sphinx warnings, which break the build.
"""

import sys
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # jupyter-book does not put the repository's root there

from tools import facts

logger = logging.getLogger(__name__)


class fact(nodes.inline):
    """A span whose title names the expression; builders that know no title show the number alone."""


def fact_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    try:
        value = facts.show(text)
    except facts.FactError as problem:
        logger.warning(str(problem), location=(inliner.document.settings.env.docname, lineno), type="fact")
        return [nodes.problematic(rawtext, rawtext)], []
    return [fact(rawtext, value, source=facts.split(text)[0], classes=["fact"])], []


def visit_html(self, node):
    self.body.append(self.starttag(node, "span", "", title=node["source"]))


def depart_html(self, node):
    self.body.append("</span>")


def setup(app):
    app.add_node(fact, html=(visit_html, depart_html))
    app.add_role("fact", fact_role)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
