"""The little of MyST's grammar that the tools need: fences, directives with their options, roles, labels."""

import re
from dataclasses import dataclass, field

import yaml

FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}(?=[^`]*$)|~{3,}|:{3,}) *(?P<info>.*)$")
DIRECTIVE = re.compile(r"^\{(?P<name>[\w:+.-]+)\} *(?P<argument>.*)$")
LABEL = re.compile(r"^\((?P<label>[^()\s]+)\)= *$")
HEADING = re.compile(r"^#{1,6} +(?P<title>.*?) *#* *$")
COMMENT = re.compile(r"^%.*$")
MATH = re.compile(r"^(?P<indent> *)\$\$(?P<body>.*?)\$\$ *(?:\((?P<label>[^()\s]+)\))? *$", re.DOTALL)
# Text between backticks may go over a line's end but not over a blank line.
SPAN = r"(?P<{0}>`+)(?P<{1}>(?:(?!\n[ \t]*\n).)+?)(?<!`)(?P={0})(?!`)"
ROLE_OR_CODE = re.compile(
    r"\{(?P<role>[a-zA-Z][\w:+.-]*)\}"
    + SPAN.format("role_marks", "text")
    + "|(?<!`)"
    + SPAN.format("code_marks", "code"),
    re.DOTALL,
)
OPTION = re.compile(r"^:(?P<key>[\w-]+): *(?P<value>.*)$")


class MystError(ValueError):
    """Something in a page that the tools cannot turn into plain Markdown. The message names file and line."""


@dataclass
class Block:
    """A piece of a page: `text`, `code` (a fence that is no directive), `directive`, `math`, `label` or `comment`."""

    kind: str
    line: int  # in the file, counted from 1
    text: str  # a directive's content, without its options
    indent: str = ""
    name: str = ""
    argument: str = ""
    options: dict = field(default_factory=dict)
    content_line: int = 0


def blocks(text, first_line=1):
    """The blocks of a piece of Markdown, one after the other."""
    lines = text.split("\n")
    start = position = 0
    while position < len(lines):
        end, block = special(lines, position, first_line)
        if block is None:
            position += 1
            continue
        if start < position:
            yield Block("text", first_line + start, "\n".join(lines[start:position]))
        yield block
        start = position = end
    if start < len(lines):
        yield Block("text", first_line + start, "\n".join(lines[start:]))


def special(lines, position, first_line):
    """The block that starts in this line, if it is not running text, and where it ends."""
    line, number = lines[position], first_line + position
    if match := LABEL.match(line):
        return position + 1, Block("label", number, match["label"])
    if COMMENT.match(line):
        return position + 1, Block("comment", number, line)
    if line.strip().startswith("$$"):
        return math(lines, position, number)
    if match := FENCE.match(line):
        return fence(lines, position, number, match)
    return position, None


def math(lines, position, number):
    for end in range(position, len(lines)):
        text = "\n".join(lines[position : end + 1])
        if (match := MATH.match(text)) and match["body"].strip():
            block = Block("math", number, match["body"].strip("\n"), match["indent"])
            block.options = {"label": match["label"]} if match["label"] else {}
            return end + 1, block
        if end > position and not lines[end].strip():
            break
    return position, None


def fence(lines, position, number, match):
    marks, indent = match["marks"], match["indent"]
    closing = re.compile(rf"^ *{re.escape(marks[0])}{{{len(marks)},}} *$")
    end = next((end for end in range(position + 1, len(lines)) if closing.match(lines[end])), len(lines))
    body = [line.removeprefix(indent) for line in lines[position + 1 : end]]
    directive = DIRECTIVE.match(match["info"])
    if not directive:
        return end + 1, Block("code", number, "\n".join(lines[position : end + 1]), indent)
    options, skip = read_options(body)
    content = body[skip:]
    while content and not content[0].strip():
        content, skip = content[1:], skip + 1
    block = Block(
        "directive", number, "\n".join(content).rstrip(), indent, directive["name"], directive["argument"].strip()
    )
    block.options, block.content_line = options, number + 1 + skip
    return end + 1, block


def read_options(body):
    """A directive's options, and how many lines they take: either a YAML block between `---` or lines of `:key: value`."""
    if body and body[0].strip() == "---":
        end = next((i for i in range(1, len(body)) if body[i].strip() == "---"), len(body))
        return yaml.safe_load("\n".join(body[1:end])) or {}, end + 1
    options, count = {}, 0
    for line in body:
        if not (match := OPTION.match(line.strip())):
            break
        options[match["key"]] = match["value"].strip()
        count += 1
    return options, count


def target(text):
    """`title <target>` -> (title, target); `target` -> (None, target)."""
    match = re.match(r"^(?P<title>.*?)\s*<(?P<target>[^<>]+)>$", text.strip(), re.DOTALL)
    return (" ".join(match["title"].split()), match["target"]) if match else (None, " ".join(text.split()))
