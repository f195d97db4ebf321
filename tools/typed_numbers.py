"""Find numbers that somebody typed into the prose instead of asking for them by name.

A typed number is right on the day it is typed. The course's numbers are computed, so the text names them: {fact}`...`.
"""

import re

from tools import myst

REMEDY = """\
A number typed by hand stays when the code changes. Let the build compute it: {fact}`D.ledger.parameters | M.1`
(python -m tools.facts "EXPRESSION | FORMAT" tries one; in a README it is <!-- fact: EXPRESSION -->value<!-- /fact -->).
A guess that the reader is offered, or a piece of a calculation, is $math$ or `code`; what others said stands in "quotes"."""
UNITS = "k|M|G|kB|MB|GB|TB|KiB|MiB|GiB|[kMG]?MACs?|[MGT]?FLOPs?|thousand|million|billion|percent|s|ms|seconds?"
TYPED = re.compile(
    r"(?<![\w.,-])(?:"
    r"\d{1,3}(?:[,_ \u00a0\u202f]\d{3})+(?:\.\d+)?"  # 138,357,544
    r"|\d{4,}(?:\.\d+)?"  # 4096
    rf"|\d+(?:[.,]\d+)*[ \u00a0\u202f-]?(?:(?:{UNITS})\b|%)"  # 138 M, 94.8 %
    r")"
)
ALLOWED = re.compile(
    r"\d{4}-\d\d(?:-\d\d)?"  # a date
    r"|(?<![\d,.])(?:19[5-9]|20[0-3])\d(?![\d,.]\d|[ -]?(?:\w*MACs?|values|channels)\b)"  # a year (but 2048 is none)
    r"|arXiv[: ]\s*\d{4}\.\d{4,5}"
    r"|\bv?\d+\.\d+\.\d+\S*"  # a version
    r"|(?:\bpages?|\bp\.|\bpp\.|\bissue|#)\s*#?\d+"
    r"|\b100 ?%"  # a way of saying "all"
)
NOT_PROSE = re.compile(
    r"<!-- fact: .*?<!-- /fact -->|<!--.*?-->|<[a-zA-Z/][^<>]*>"  # filled in by tools.facts, comments, HTML
    r"|(?<![\\$])\$\$.+?\$\$|(?<![\\$])\$[^$\n]+(?:\n[^$\n]+)*\$"  # math
    r"|\"[^\"\n]+\"|\u201c[^\u201d\n]+\u201d"  # what others said, as they said it
    r"|\]\([^()\s]*\)|https?://\S+",  # links
    re.DOTALL,
)
NOT_READ = {"code-cell", "code-block", "math", "bibliography", "raw"}


def typed_numbers(text, name="page"):
    """["name:line: '138 M' is typed by hand", ...]"""
    start, text = without_front_matter(text)
    pieces = prose(text, start)
    return [
        f"{name}:{line}: {found!r} is typed by hand" for piece, first in pieces for found, line in numbers(piece, first)
    ]


def without_front_matter(text):
    match = re.match(r"---\n.*?\n---\n", text, re.DOTALL)
    return (1 + match[0].count("\n"), text[match.end() :]) if match else (1, text)


def prose(text, line):
    """The pieces that a reader reads as sentences, with their first lines."""
    for block in myst.blocks(text, line):
        if block.kind == "text":
            yield block.text, block.line
        elif block.kind == "directive":
            yield caption(block), block.line
            if block.name not in NOT_READ:
                yield block.argument, block.line
                yield from prose(block.text, block.content_line)


def caption(block):
    figure = (block.options.get("mystnb") or {}).get("figure") or {}
    return str(figure.get("caption") or block.options.get("caption") or "")


def numbers(text, first):
    for pattern in (myst.ROLE_OR_CODE, NOT_PROSE, ALLOWED):
        text = pattern.sub(blank, text)
    for match in TYPED.finditer(text):
        yield match[0], first + text.count("\n", 0, match.start())


def blank(match):
    """Spaces instead of letters: what follows keeps its line. A letter first, so that digits beside it do not look alone."""
    return "x" + re.sub(r"[^\n]", " ", match[0][1:-1]) + "x" if len(match[0]) > 1 else " "
