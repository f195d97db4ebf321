"""The student edition: plain Markdown, deterministic, in sync with its source."""

import json
import re
import subprocess
import sys

import nbformat
import pytest

from tools import facts, labels, markdown, myst, notebooks
from tools.project import ROOT, chapters, repository_url

DIRECTIVE_OR_ROLE = re.compile(r"^[ >]*(?:`{3,}|~{3,}|:{3,}) *\{|\{[a-zA-Z][\w:+.-]*\}`", re.MULTILINE)
CODE = re.compile(r"(`{3,}).*?\1|`[^`\n]+`", re.DOTALL)

PAGE = "notebooks/01_sample"
FRONT = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
GLOSSARY = "# Glossary\n\n```{glossary}\nfeature map\n  What a layer puts out.\n```\n"
BIBLIOGRAPHY = """
@article{one, author = {Simonyan, Karen and Zisserman, Andrew}, title = {T}, journal = {J}, year = {2015}}
@article{many, author = {van den Berg, A. and B, B. and C, C.}, title = {T}, journal = {J}, year = {2016}}
"""


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """Write a chapter into a small book of its own and give its student edition."""
    for folder in ("notebooks", "book"):
        (tmp_path / folder).mkdir()
    config = {
        "repository": {"url": "https://github.com/o/r", "branch": "main"},
        "html": {"baseurl": "https://o.github.io/r"},
    }
    toc = {"root": "book/glossary", "parts": [{"numbered": True, "chapters": [{"file": PAGE}]}]}
    (tmp_path / "_config.yml").write_text(json.dumps({**config, "bibtex_bibfiles": ["book/references.bib"]}))
    (tmp_path / "_toc.yml").write_text(json.dumps(toc))
    (tmp_path / "book" / "glossary.md").write_text(GLOSSARY)
    (tmp_path / "book" / "references.bib").write_text(BIBLIOGRAPHY)
    (tmp_path / "book" / "x.png").write_bytes(b"")
    monkeypatch.setattr(facts, "names", lambda: {"net": {"parameters": 138_357_544}})
    from tools import project

    cached = (
        project.config,
        project.pages,
        labels.titles,
        labels.targets,
        labels.terms,
        labels.citations,
        labels.page_blocks,
    )
    for module in (project, labels, markdown, notebooks):
        monkeypatch.setattr(module, "ROOT", tmp_path)

    def forget():
        for function in cached:
            function.cache_clear()

    def edition(body, front=FRONT):
        forget()
        (tmp_path / f"{PAGE}.md").write_text(front + body, encoding="utf-8")
        return json.loads(notebooks.student_edition(PAGE))

    yield edition
    forget()


@pytest.fixture
def text(convert):
    """The Markdown that a piece of a page becomes."""

    def converted(body):
        cells = convert("# Sample\n\n" + body)["cells"][2:]
        return "\n\n".join("".join(cell["source"]) for cell in cells).removeprefix("# Sample").strip()

    return converted


BOOK = "https://o.github.io/r/notebooks/01_sample.html"


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("It has {fact}`net.parameters` of them.", "It has 138,357,544 of them."),
        ("Over {fact}`net.parameters\n| M.1` lines.", "Over 138.4\u00a0M lines."),
        ("| a |\n|---|\n| {fact}`net.parameters \\| M.0` |", "| a |\n|---|\n| 138\u00a0M |"),
        ("The `{fact}` role, ``{term}`x` `` and `$x$`.", "The `{fact}` role, ``{term}`x` `` and `$x$`."),
        (
            "{term}`feature maps <feature map>`",
            "[feature maps](https://o.github.io/r/book/glossary.html#term-feature-map)",
        ),
        ("{term}`Feature map`", "[Feature map](https://o.github.io/r/book/glossary.html#term-feature-map)"),
        ("{doc}`/book/glossary`", "[Glossary](https://o.github.io/r/book/glossary.html)"),
        ("{doc}`words <../book/glossary>`", "[words](https://o.github.io/r/book/glossary.html)"),
        ("[words](../book/glossary.md)", "[words](https://o.github.io/r/book/glossary.html)"),
        ("[a picture](../book/x.png)", "[a picture](https://github.com/o/r/blob/main/book/x.png)"),
        (
            "{cite:t}`one`",
            "Simonyan and Zisserman ([2015](https://o.github.io/r/book/bibliography.html#cite-one))",
        ),
        (
            "{cite:p}`many`",
            "([van den Berg *et al.*, 2016](https://o.github.io/r/book/bibliography.html#cite-many))",
        ),
        ("(here)=\n## Two maps\n\n{ref}`here`", f"## Two maps\n\n[Two maps]({BOOK}#here)"),
        ("(here)=\n## Two\n\n[](#here) [x](#here)", f"## Two\n\n[Two]({BOOK}#here) [x]({BOOK}#here)"),
        ("$$\na = b\n$$ (eq-a)\n\n{eq}`eq-a`", f"$$\na = b\n\\tag{{1.1}}\n$$\n\n[(1.1)]({BOOK}#equation-eq-a)"),
        ("$$ a = b $$", "$$\na = b\n$$"),
        ("```{math}\n:label: eq-b\na = b\n```", "$$\na = b\n\\tag{1.1}\n$$"),
        ("Costs \\$5, inline $k^2$.", "Costs \\$5, inline $k^2$."),
        ("% a comment\nText.", "Text."),
        (":::{note}\nOne.\n\nTwo.\n:::", "> **Note**\n>\n> One.\n>\n> Two."),
        (":::{admonition} A title\n:class: tip\nOne.\n:::", "> **A title**\n>\n> One."),
        ("```{tip}\nUse `x`.\n```", "> **Tip**\n>\n> Use `x`."),
        (
            "````{admonition} T\n```python\nx = {}\n```\n````",
            "> **T**\n>\n> ```python\n> x = {}\n> ```",
        ),
        (
            ":::{dropdown} A `hint`\nUse $x$.\n:::",
            "<details>\n<summary>A <code>hint</code></summary>\n\nUse $x$.\n\n</details>",
        ),
        (
            "- one\n\n  ```{note}\n  Two.\n  ```\n- three",
            "- one\n\n  > **Note**\n  >\n  > Two.\n- three",
        ),
        (
            "```{figure} ../book/x.png\n:name: fig-x\n:alt: An x.\n\nThe letter {fact}`net.parameters`.\n```\n\n{numref}`fig-x`",
            "![An x.](https://github.com/o/r/raw/main/book/x.png)\n\n*Figure 1.1.* The letter 138,357,544.\n\n"
            f"[Figure 1.1]({BOOK}#fig-x)",
        ),
        (
            "```{exercise} Count\n:label: ex-c\n\nHow many?\n```\n\n```{solution} ex-c\nTwo.\n```",
            "### Exercise 1.1: Count\n\nHow many?\n\n"
            "<details>\n<summary>Solution to Exercise 1.1</summary>\n\nTwo.\n\n</details>",
        ),
    ],
)
def test_markdown_becomes_plain(text, source, result):
    assert text(source) == result


@pytest.mark.parametrize(
    ("source", "line", "complaint"),
    [
        ("A {glue}`x`.", 9, "knows no role {glue}"),
        ("One.\n\n```{bogus}\n```", 11, "knows no directive {bogus}"),
        (":::{note}\nOne.\n\n{ref}`nowhere`\n:::", 12, "no page has the label 'nowhere'"),
        ("{fact}`net.paramters`", 9, "did you mean parameters"),
        ("{term}`featur map`", 9, "did you mean feature map"),
        ("{doc}`/book/nowhere`", 9, "there is no page '/book/nowhere'"),
        ("{cite:p}`none`", 9, "the bibliography has no 'none'"),
        ("[x](nowhere.py)", 9, "there is no file 'notebooks/nowhere.py'"),
        ("![](../book/x.png)", 9, "alt text"),
        ("```{image} ../book/x.png\n```", 9, "needs :alt:"),
        ("```{exercise} Count\n\nHow many?\n```", 9, "give it a name: :label:"),
        (":::{note}\n```{code-cell}\n1\n```\n:::", 10, "a code cell must stand alone"),
        ("```{code-cell}\n:tags: [remove-cell]\n1\n```", 9, "hide-input, or book-only"),
        ("```{code-cell}\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n```", 9, "inside a function"),
        ("```{code-cell}\ndef f():\n    ### BEGIN SOLUTION\n    x = 1\n```", 9, "in pairs"),
        ("> ```{note}\n> x\n> ```", 9, "inside a quotation"),
    ],
)
def test_what_cannot_be_converted_names_file_line_and_remedy(text, source, line, complaint):
    with pytest.raises(myst.MystError) as error:
        text(source)
    assert complaint in str(error.value)
    assert str(error.value).startswith(f"{PAGE}.md:{line}:")


def test_a_chapter_without_front_matter_is_told_what_to_write(convert):
    with pytest.raises(myst.MystError, match="front matter that says file_format: mystnb"):
        convert("# Sample", front="")


def test_a_solution_becomes_a_hole_of_the_same_depth(convert):
    body = "# S\n\n```{code-cell}\n:tags: [solution]\ndef f(x):\n    if x:\n        ### BEGIN SOLUTION\n        y = x\n"
    *_, cell = convert(body + "        return y\n        ### END SOLUTION\n    return 0\n```\n")["cells"]
    assert "".join(cell["source"]) == (
        'def f(x):\n    if x:\n        raise NotImplementedError("your code here")\n    return 0'
    )
    assert cell["metadata"] == {}


def test_tags_that_speak_to_the_book_are_dropped_and_hidden_code_stays_hidden(convert):
    cells = convert(
        "# S\n\n```{code-cell}\n:tags: [hide-input]\n1\n```\n\n```{code-cell}\n:tags: [book-only]\n2\n```\n\n"
        "```{code-cell}\n:tags: [raises-exception]\n3\n```\n"
    )["cells"][3:]
    assert ["".join(cell["source"]) for cell in cells] == ["1", "3"]
    assert cells[0]["metadata"]["jupyter"] == {"source_hidden": True}
    assert cells[1]["metadata"]["tags"] == ["raises-exception"]


def test_a_captioned_output_is_followed_by_its_caption(convert):
    figure = "---\nmystnb:\n  image: {alt: An x.}\n  figure:\n    name: fig-o\n    caption: Of {fact}`net.parameters`.\n---\n1\n"
    cells = convert("# S\n\n```{code-cell}\n" + figure + "```\n\n{numref}`fig-o`\n")["cells"][3:]
    assert "".join(cells[1]["source"]) == "*Figure 1.1.* Of 138,357,544."
    assert "".join(cells[2]["source"]) == f"[Figure 1.1]({BOOK}#fig-o)"


def test_ids_depend_on_the_content_and_not_on_what_stands_before(convert):
    short = convert("# S\n\n```{code-cell}\n1\n```\n\n```{code-cell}\n1\n```\n")["cells"]
    longer = convert("# S\n\nNew.\n\n```{code-cell}\n0\n```\n\n```{code-cell}\n1\n```\n\n```{code-cell}\n1\n```\n")[
        "cells"
    ]
    assert [cell["id"] for cell in short[-2:]] == [cell["id"] for cell in longer[-2:]]
    assert len({cell["id"] for cell in longer}) == len(longer)


# --- the real chapters ---


@pytest.fixture(params=chapters())
def chapter(request):
    return nbformat.read(ROOT / f"{request.param}.ipynb", as_version=nbformat.NO_CONVERT)


def test_no_directive_and_no_role_is_left(chapter):
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            assert not DIRECTIVE_OR_ROLE.search(CODE.sub("", cell.source)), cell.source


def test_it_is_a_valid_notebook_without_outputs_and_without_ways_to_hide_errors(chapter):
    nbformat.validate(chapter)
    assert not {"allow_errors", "timeout", "execution"} & set(chapter.metadata)
    for cell in chapter.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_first_cells_are_the_colab_badge_and_an_install_that_leaves_torch_alone(chapter):
    badge, install = chapter.cells[:2]
    assert re.match(r"\[!\[\w[^\]]+\]\(.*\)\]\(https://colab\.research\.google\.com/github/.*\.ipynb\)", badge.source)
    assert "except ModuleNotFoundError" in install.source
    assert repository_url() in install.source
    assert "torch" not in install.source


def test_no_solution_is_left_in_a_student_edition(chapter):
    assert not any("SOLUTION" in cell.source for cell in chapter.cells)


@pytest.mark.parametrize("page", chapters())
def test_the_same_source_gives_the_same_bytes_in_another_process(page):
    here = notebooks.student_edition(page)
    code = f"import sys; from tools import notebooks; sys.stdout.buffer.write(notebooks.student_edition({page!r}).encode())"
    there = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout
    assert here.encode() == there


@pytest.mark.parametrize("page", chapters())
def test_it_is_in_sync_with_its_source(page):
    assert notebooks.up_to_date(page), f"{page}.ipynb is out of date; run: make notebooks, and commit"
