"""The student edition: from notebooks/NN.md, the source, to notebooks/NN.ipynb, which Colab opens.

    python -m tools.notebooks            writes
    python -m tools.notebooks --check    fails if one is out of date

Plain Markdown, no outputs, solutions replaced by a hole. The same source always gives the same bytes.
"""

import argparse
import hashlib
import re
import sys

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat import v4

from tools import facts, labels
from tools.markdown import Page
from tools.myst import MystError
from tools.project import ROOT, branch, chapters, repository_url

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
COLAB = "https://colab.research.google.com/github"
HIDDEN = {"hide-input", "hide-cell"}
SOLUTION = re.compile(
    r"^(?P<indent>[ \t]*)### BEGIN SOLUTION[ \t]*\n.*?^[ \t]*### END SOLUTION[ \t]*$", re.DOTALL | re.MULTILINE
)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    try:
        stale = [page for page in chapters() if not up_to_date(page, write=not check)]
    except (MystError, facts.FactError) as problem:
        sys.exit(f"error: {problem}")
    if check and stale:
        sys.exit(f"error: out of date: {', '.join(page + '.ipynb' for page in stale)}; run: make notebooks, and commit")
    for page in stale:
        print(f"wrote {page}.ipynb")


def up_to_date(page, write=False):
    path = ROOT / f"{page}.ipynb"
    text = student_edition(page)
    same = path.exists() and path.read_text(encoding="utf-8") == text
    if write and not same:
        path.write_text(text, encoding="utf-8", newline="\n")
    return same


def student_edition(page):
    """The text of the .ipynb."""
    source = (ROOT / f"{page}.md").read_text(encoding="utf-8")
    book = read_myst_markdown_notebook(source, MdParserConfig(enable_extensions={"colon_fence"}), add_source_map=True)
    if book.metadata.get("file_format") != "mystnb":
        raise MystError(
            f"{page}.md:1: a chapter begins with front matter that says file_format: mystnb (and its kernelspec)"
        )
    cells = opening(page)
    for cell, line in zip(book.cells, book.metadata.source_map, strict=True):
        cells += student_cells(cell, Page(page), first_line(cell, line, source.splitlines()))
    notebook = v4.new_notebook(cells=identified(cells), metadata=metadata(book.metadata))
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def first_line(cell, start, lines):
    """Where a cell begins, counted from 1. The reader gives a code cell's first line, and blank lines before a text."""
    if cell.cell_type == "code":
        return start
    return start + 1 + next(i for i, line in enumerate(lines[start:]) if line.strip())


def metadata(book):
    """Fixed, except that a chapter may ask Colab for an accelerator."""
    wanted = {
        "colab": {"provenance": [], "toc_visible": True},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return wanted | ({"accelerator": book["accelerator"]} if "accelerator" in book else {})


def opening(page):
    """The Colab badge, and the one cell that makes the rest run on a machine that has never seen the course."""
    slug = repository_url().removeprefix("https://github.com/")
    badge = f"[![Open this notebook in Colab]({BADGE})]({COLAB}/{slug}/blob/{branch()}/{page}.ipynb)"
    book = f"[Read this chapter in the book]({labels.page_url(page)}), with outputs, figures and solutions."
    # The package asks for lower bounds only, so pip leaves the torch that is already there alone.
    install = "try:\n    import vgg_course\nexcept ModuleNotFoundError:\n"
    install += f"    %pip install -q git+{repository_url()}"
    return [v4.new_markdown_cell(f"{badge}\n\n{book}"), v4.new_code_cell(install)]


def student_cells(cell, page, line):
    """None, one, or two cells: a code cell whose output the book captions is followed by the caption."""
    if cell.cell_type == "markdown":
        text = page.markdown(cell.source, line)
        return [v4.new_markdown_cell(text)] if text else []
    if cell.cell_type != "code":
        raise page.error(line, "a raw cell has no place in a notebook that Colab opens")
    tags = set(cell.metadata.get("tags", []))
    if "remove-cell" in tags:
        raise page.error(
            line, "remove-cell hides code that the student edition needs; tag the cell hide-input, or book-only"
        )
    if "book-only" in tags:
        return []
    code = v4.new_code_cell(with_holes(cell.source, page, line), metadata=cell_metadata(tags))
    return [code, *caption(cell, page, line)]


def cell_metadata(tags):
    """`raises-exception` lets a run go on; a hidden input stays hidden. All other tags speak to the book."""
    kept = (
        {"tags": sorted(tags & {"raises-exception", "hide-input"})} if tags & {"raises-exception", "hide-input"} else {}
    )
    return kept | ({"jupyter": {"source_hidden": True}} if tags & HIDDEN else {})


def with_holes(source, page, line):
    """Solutions become a stub. It must be inside a function: at the top level it would stop the whole notebook."""

    def hole(match):
        if not match["indent"]:
            raise page.error(line, "put the solution inside a function: as it is, its hole would stop `run all`")
        return match["indent"] + 'raise NotImplementedError("your code here")'

    holed = SOLUTION.sub(hole, source)
    if "### BEGIN SOLUTION" in holed or "### END SOLUTION" in holed:
        raise page.error(line, "### BEGIN SOLUTION and ### END SOLUTION must come in pairs")
    return holed


def caption(cell, page, line):
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if not figure.get("caption"):
        return []
    if not figure.get("name"):
        raise page.error(line, "a figure with a caption needs a name: mystnb: {figure: {name: fig-..., caption: ...}}")
    name = page.target(figure["name"], line).text
    return [v4.new_markdown_cell(f"*{name}.* {page.inline(figure['caption'].strip(), line)}")]


def identified(cells):
    """Ids from the content, so that a new cell changes no other cell's id."""
    seen = {}
    for cell in cells:
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return cells


if __name__ == "__main__":
    main()
