"""MyST to the Markdown that Colab and Jupyter render: no directive and no role is left.

What the book resolves (labels, terms, citations) becomes a link into the published book. What this module does not know
is an error that names file and line: better no student edition than one with raw directives in it.
"""

import posixpath
import re

from tools import facts, labels, myst
from tools.myst import MystError
from tools.project import ROOT, branch, pages, repository_url

LINK = re.compile(r"(?P<bang>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<to>[^()\s]+)\)")
QUOTED_DIRECTIVE = re.compile(r"^ *>[> ]*(?:`{3,}|:{3,}) *\{", re.MULTILINE)
QUOTED = {
    name: name.capitalize()
    for name in ("note", "tip", "warning", "important", "caution", "attention", "danger", "hint")
}
QUOTED["seealso"] = "See also"


class Page:
    """One page on its way to plain Markdown."""

    def __init__(self, page):
        self.page = page  # such as "notebooks/04_count_parameters_and_memory"

    def error(self, line, message):
        return MystError(f"{self.page}.md:{line}: {message}")

    def markdown(self, text, line=1):
        parts = [self.block(block) for block in myst.blocks(text, line)]
        joined = "\n".join(part for part in parts if part is not None)
        return re.sub(r"\n{3,}", "\n\n", joined).strip("\n")

    def block(self, block):
        match block.kind:
            case "text":
                return self.inline(block.text, block.line)
            case "code":
                if block.text.lstrip().startswith(":::"):
                    raise self.error(block.line, "a ::: fence needs a directive, such as :::{note}")
                return block.text
            case "math":
                return indented(formula(block.text, self.tag(block)), block.indent)
            case "directive":
                return indented(self.directive(block), block.indent)
        return None  # labels and comments

    # --- directives ---

    def directive(self, block):
        if block.name in QUOTED or block.name == "admonition":
            return self.admonition(block)
        if block.name == "code-cell":
            raise self.error(block.line, "a code cell must stand alone, not inside another directive or a list")
        render = getattr(self, "directive_" + block.name.replace("-", "_"), None)
        if render is None:
            known = ", ".join(sorted({*QUOTED, "admonition", *directives()}))
            raise self.error(block.line, f"the student edition knows no directive {{{block.name}}}; it knows {known}")
        return render(block)

    def admonition(self, block):
        argument = self.inline(block.argument, block.line)
        if block.name == "admonition":
            title, text = argument, self.content(block)
        else:
            title, text = QUOTED[block.name], "\n".join(filter(None, (argument, self.content(block))))
        if "dropdown" in block.options.get("class", ""):
            return details(title, text)
        return quote(f"**{title}**\n\n{text}")

    def content(self, block):
        return self.markdown(block.text, block.content_line)

    def directive_dropdown(self, block):
        return details(self.inline(block.argument, block.line) or "Details", self.content(block))

    def directive_margin(self, block):
        return quote("\n\n".join(filter(None, (self.inline(block.argument, block.line), self.content(block)))))

    def directive_exercise(self, block):
        title = self.inline(block.argument, block.line).strip("()")
        name = self.labelled(block, "exercise").text
        return f"### {name}: {title}\n\n{self.content(block)}" if title else f"### {name}\n\n{self.content(block)}"

    def directive_solution(self, block):
        exercise = self.target(block.argument, block.line)
        return details(f"Solution to {exercise.text}", self.content(block))

    def directive_figure(self, block):
        caption = self.content(block)
        image = self.directive_image(block)
        if not caption:
            return image
        name = self.labelled(block, "figure").text
        return f"{image}\n\n*{name}.* {caption}"

    def directive_image(self, block):
        alt = block.options.get("alt", "").strip()
        if not alt:
            raise self.error(block.line, "an image needs :alt:, one sentence that says what it shows")
        return f"![{alt}]({self.file_url(block.argument, block.line, raw=True)})"

    def directive_math(self, block):
        return formula("\n".join(filter(None, (block.argument, block.text))), self.tag(block))

    def directive_table(self, block):
        caption = self.inline(block.argument, block.line)
        name = self.labelled(block, "table").text + ". " if block.options.get("name") else ""
        return "\n\n".join(filter(None, (caption and f"*{name}* {caption}", self.content(block))))

    def directive_code_block(self, block):
        return f"```{block.argument}\n{block.text}\n```"

    def labelled(self, block, what):
        label = block.options.get("label") or block.options.get("name")
        if not label:
            option = ":label:" if what == "exercise" else ":name:"
            raise self.error(block.line, f"this {what} has a number in the book, so give it a name: {option} some-name")
        return self.target(label, block.line)

    def tag(self, block):
        label = block.options.get("label")
        return self.target(label, block.line).text.strip("()") if label else ""

    # --- roles and links ---

    def inline(self, text, line):
        """Convert what stands between code spans; code stays as it is."""
        if match := QUOTED_DIRECTIVE.search(text):
            at = line + text.count("\n", 0, match.start())
            raise self.error(at, "a directive inside a quotation cannot be converted; take it out, or use {admonition}")
        parts, position = [], 0
        for match in myst.ROLE_OR_CODE.finditer(text):
            parts.append(self.links(text[position : match.start()], line + text.count("\n", 0, position)))
            at = line + text.count("\n", 0, match.start())
            parts.append(self.role(match["role"], match["text"], at) if match["role"] else match[0])
            position = match.end()
        parts.append(self.links(text[position:], line + text.count("\n", 0, position)))
        return "".join(parts)

    def role(self, name, text, line):
        if name.startswith("cite"):
            return self.cite(name, text, line)
        render = getattr(self, "role_" + name, None)
        if render is None:
            raise self.error(line, f"the student edition knows no role {{{name}}}; it knows {', '.join(roles())}")
        return render(text, line)

    def role_fact(self, text, line):
        try:
            return facts.show(text)
        except facts.FactError as problem:
            raise self.error(line, str(problem)) from None

    def role_math(self, text, line):
        return f"${text}$"

    def role_sub(self, text, line):
        return f"<sub>{text}</sub>"

    def role_sup(self, text, line):
        return f"<sup>{text}</sup>"

    def role_doc(self, text, line):
        title, to = myst.target(text)
        page = self.resolve(to.removesuffix(".md"))
        if page not in labels.titles():
            raise self.error(line, f"there is no page {to!r}; there are {', '.join('/' + page for page in pages())}")
        return f"[{title or labels.titles()[page]}]({labels.page_url(page)})"

    def role_ref(self, text, line):
        title, label = myst.target(text)
        target = self.target(label, line)
        return f"[{title or self.inline(target.text, line)}]({target.url})"

    def role_numref(self, text, line):
        title, label = myst.target(text)
        target = self.target(label, line)
        number = target.text.split()[-1]
        text = re.sub(r"%s|\{number\}", number, title) if title else target.text
        return f"[{text}]({target.url})"

    def role_eq(self, text, line):
        target = self.target(text.strip(), line)
        return f"[{target.text}]({target.url})"

    def role_term(self, text, line):
        title, term = myst.target(text)
        if term.lower() not in labels.terms():
            raise self.error(line, f"the glossary has no {term!r}{facts.near(term.lower(), labels.terms())}")
        return f"[{title or term}]({labels.terms()[term.lower()]})"

    def cite(self, name, text, line):
        if name not in ("cite", "cite:p", "cite:t"):
            raise self.error(line, f"cite with {{cite:t}} or {{cite:p}}, not {{{name}}}")
        parts = [self.citation(key.strip(), name == "cite:t", line) for key in text.split(",")]
        return ", ".join(parts) if name == "cite:t" else f"({'; '.join(parts)})"

    def citation(self, key, textual, line):
        if key not in labels.citations():
            raise self.error(line, f"the bibliography has no {key!r}{facts.near(key, labels.citations())}")
        who, year, url = labels.citations()[key]
        return f"{who} ([{year}]({url}))" if textual else f"[{who}, {year}]({url})"

    def links(self, text, line):
        def replace(match):
            to, at = match["to"], line + text.count("\n", 0, match.start())
            if re.match(r"[a-z]+:", to):
                return match[0]
            if match["bang"] and not match["text"].strip():
                raise self.error(at, "an image needs alt text, one sentence that says what it shows")
            if to.startswith("#"):
                target = self.target(to[1:], at)
                return f"[{match['text'] or target.text}]({target.url})"
            return f"{match['bang']}[{match['text']}]({self.file_url(to, at, raw=bool(match['bang']))})"

        return LINK.sub(replace, text)

    def target(self, label, line):
        found = labels.targets()
        if label not in found:
            raise self.error(line, f"no page has the label {label!r}{facts.near(label, found)}")
        return found[label]

    def resolve(self, path):
        """A path as written in this page, from the repository's root."""
        if path.startswith("/"):
            return path[1:]
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.page), path))

    def file_url(self, path, line, raw=False):
        path, _, anchor = path.partition("#")
        path = self.resolve(path)
        if path.removesuffix(".md") in pages():
            return labels.page_url(path.removesuffix(".md"), anchor)
        if not (ROOT / path).exists():
            raise self.error(line, f"there is no file {path!r}")
        return f"{repository_url()}/{'raw' if raw else 'blob'}/{branch()}/{path}"


def directives():
    return [name.removeprefix("directive_").replace("_", "-") for name in dir(Page) if name.startswith("directive_")]


def roles():
    return [name.removeprefix("role_") for name in dir(Page) if name.startswith("role_")] + ["cite:p", "cite:t"]


def formula(text, tag=""):
    return f"$$\n{text.strip()}\n" + (f"\\tag{{{tag}}}\n" if tag else "") + "$$"


def quote(text):
    return "\n".join(f"> {line}".rstrip() for line in text.strip().split("\n"))


def details(summary, text):
    """Collapsed. The blank lines make Colab and Jupyter render the text as Markdown; a summary is HTML."""
    summary = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", re.sub(r"`([^`]+)`", r"<code>\1</code>", summary))
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def indented(text, indent):
    return "\n".join(indent + line if line else line for line in text.split("\n"))
