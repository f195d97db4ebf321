"""Where a label, a term or a citation leads to in the published book, and what the book calls it.

Sphinx knows this only after a build, and the student edition must not need one. So we count as Sphinx does; a test compares
the two (tests/browser: every link of a student edition has its target in the built book, under the same number).
"""

import re
from dataclasses import dataclass
from functools import cache

import yaml
from docutils.nodes import make_id
from pybtex.database import parse_file

from tools import myst
from tools.project import ROOT, book_url, config, pages

CAPTIONED = {"figure": "Figure", "table": "Table", "list-table": "Table", "code-block": "Listing"}


@dataclass(frozen=True)
class Target:
    url: str
    text: str  # a section's title, or "Figure 1.2", or "(1.2)" for an equation
    kind: str = ""


def page_url(page, anchor=""):
    return f"{book_url()}/{page}.html" + (f"#{anchor}" if anchor else "")


@cache
def titles():
    """The first heading of every page."""
    return {page: next(heading(block) for block in page_blocks(page) if heading(block)) for page in existing_pages()}


@cache
def targets():
    found = {}
    for page in existing_pages():
        for label, target in page_targets(page, chapter_number(page)):
            if label in found:
                raise myst.MystError(
                    f"{page}.md: the label {label!r} is also in {found[label].url}; give it another name"
                )
            found[label] = target
    return found


@cache
def terms():
    glossaries = [
        (page, block.text)
        for page in existing_pages()
        for block in page_blocks(page)
        if block.kind == "directive" and block.name == "glossary"
    ]
    return {
        line.strip().lower(): page_url(page, "term-" + re.sub(r"[^a-zA-Z0-9._]+", "-", line.strip()).strip("-"))
        for page, text in glossaries
        for line in text.splitlines()
        if line.strip() and not line.startswith((" ", ".."))
    }


@cache
def citations():
    """{key: (authors, year, url)}"""
    found = {}
    for name in config()["bibtex_bibfiles"]:
        for key, entry in parse_file(str(ROOT / name), bib_format="bibtex").entries.items():
            people = [" ".join(person.prelast_names + person.last_names) for person in entry.persons.get("author", [])]
            found[key] = (authors(people), entry.fields.get("year", ""), page_url("book/bibliography", f"cite-{key}"))
    return found


def authors(names):
    if len(names) > 2:
        return f"{names[0]} *et al.*"
    return " and ".join(names)


# --- one page ---


def existing_pages():
    return [page for page in pages() if (ROOT / f"{page}.md").exists()]


@cache
def page_blocks(page):
    return tuple(myst.blocks((ROOT / f"{page}.md").read_text(encoding="utf-8")))


def heading(block):
    """The title, if the block of text has a heading."""
    if block.kind != "text":
        return None
    return next((match["title"] for line in block.text.splitlines() if (match := myst.HEADING.match(line))), None)


def chapter_number(page):
    """Chapters are numbered over all numbered parts of the table of contents; other pages have no number."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    numbered = [chapter["file"] for part in toc["parts"] if part.get("numbered") for chapter in part["chapters"]]
    return numbered.index(page) + 1 if page in numbered else None


def page_targets(page, chapter):
    """The labels of a page, counted in order: figures, tables, equations and exercises each on their own."""
    counts, pending = {}, []
    for block in page_blocks(page):
        if block.kind == "label":
            pending.append(block.text)
        if block.kind in ("label", "comment") or (block.kind == "text" and not block.text.strip()):
            continue
        for label in pending:
            yield label, Target(page_url(page, make_id(label)), heading(block) or titles()[page], "section")
        pending = []
        yield from numbered(block, page, chapter, counts)
        if block.kind == "directive" and block.name not in ("code-cell", "figure", "glossary"):
            inner = myst.blocks(block.text)
            yield from (found for child in inner for found in numbered(child, page, chapter, counts))


def numbered(block, page, chapter, counts):
    """The target of a block that has a number, if it has a label; a block without one still counts."""
    kind, label, anchor = what(block)
    if kind is None:
        return
    counts[kind] = counts.get(kind, 0) + 1
    number = f"{chapter}.{counts[kind]}" if chapter else str(counts[kind])
    if label:
        text = f"({number})" if kind == "equation" else f"{kind} {number}"
        yield label, Target(page_url(page, anchor), text, kind)


def what(block):
    """(kind, label, anchor) of a numbered block."""
    options = block.options
    label = options.get("label") or options.get("name")
    if block.kind == "math" or (block.kind == "directive" and block.name == "math"):
        return ("equation", label, "equation-" + make_id(label)) if label else (None, None, None)
    if block.kind != "directive":
        return None, None, None
    if block.name == "exercise" and "nonumber" not in options:
        return "Exercise", label, label
    if block.name == "code-cell":
        figure = (options.get("mystnb") or {}).get("figure") or {}
        name = figure.get("name")
        return ("Figure", name, make_id(name or "")) if figure.get("caption") else (None, None, None)
    if block.name in CAPTIONED and has_caption(block):
        return CAPTIONED[block.name], label, make_id(label or "")
    return None, None, None


def has_caption(block):
    if block.name == "figure":
        return bool(block.text.strip())
    return bool(block.options.get("caption") or (block.name != "code-block" and block.argument))
