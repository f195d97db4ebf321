"""The student editions link into the book. Their numbers and anchors were computed without Sphinx: here Sphinx has its say."""

import json
import re

import pytest

from tools.project import HTML, ROOT, book_url, chapters

LINK = re.compile(r"\[([^\[\]]*)\]\(" + re.escape(book_url()) + r"/([^)#]*)#?([^)]*)\)")
NUMBER = re.compile(r"^(?:Figure|Table|Exercise|Listing) [\d.]+$|^\([\d.]+\)$")


@pytest.mark.parametrize("page", chapters())
def test_every_link_into_the_book_has_its_target_under_the_same_number(page):
    notebook = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))
    links = [link for cell in notebook["cells"] for link in LINK.findall("".join(cell["source"]))]
    assert links
    for text, file, anchor in links:
        html = (HTML / file).read_text(encoding="utf-8")
        if not anchor:
            continue
        assert f'id="{anchor}"' in html, f"{page}.ipynb links to {file}#{anchor}, which the book does not have"
        if NUMBER.match(text):
            nearby = re.sub(r"<[^>]*>", "", html[html.index(f'id="{anchor}"') :].partition(">")[2])[:4000]
            assert text in " ".join(nearby.split()), f"{page}.ipynb says {text} for {file}#{anchor}, the book does not"
