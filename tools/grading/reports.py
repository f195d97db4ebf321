"""What comes out: a page for each student, marks for the learning systems, and a report for the instructor.

feedback/STUDENT.html   what the public checks said, and points; private tests count, and are not shown
marks.csv               one row a student, one column a task
canvas.csv, moodle.csv  with the columns that their imports want
report.html             which exercise was hard, which mistakes were common, who is stuck where, what was flagged
"""

import csv
import re
from collections import Counter
from html import escape
from pathlib import Path
from statistics import mean, median

from tools.grading.classroom import file_name
from tools.grading.submissions import roster as read_roster

WORDS = {
    "passed": "passed",
    "wrong": "not right",
    "not attempted": "not attempted",
    "missing": "missing",
    "broken": "could not be run",
    "stopped": "had to be stopped",
    "unclear": "to be looked at",
}
SIGNS = {
    "passed": "&#10003;",
    "wrong": "&#10007;",
    "not attempted": "&middot;",
    "missing": "?",
    "broken": "!",
    "stopped": "!",
    "unclear": "?",
}
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = ("First name", "Last name", "ID number", "Email address")
STYLE = """<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse }
td, th { border-bottom: 1px solid #8886; padding: .3rem .7rem; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.m td { text-align: center }
.m td:first-child { text-align: left }
.note { border-left: .3rem solid #8888; padding-left: 1rem }
code, td.w { overflow-wrap: anywhere; white-space: pre-wrap }
</style>"""


class ReportError(ValueError):
    """A class list or marks by hand that cannot be meant."""


def write(record, results, out, roster=None, overrides=None):
    """Write everything; returns the paths."""
    out = Path(out)
    results = {name: _overridden(result) for name, result in results.items()}
    for row in _overrides(overrides, results):
        _override(results, *row)
    rows = read_roster(roster) if roster else []
    matched = match(results, rows)
    feedback = out / "feedback"
    feedback.mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        path = feedback / f"{file_name(name)}.html"
        path.write_text(page_for_student(record, result), encoding="utf-8")
    written = [feedback]
    for name, table in {
        "marks.csv": marks(results),
        "canvas.csv": canvas(record, results, rows, matched),
        "moodle.csv": moodle(record, results, rows, matched),
    }.items():
        with open(out / name, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_safe(cell) for cell in line] for line in table)
        written.append(out / name)
    (out / "report.html").write_text(report(record, results, rows, matched), encoding="utf-8")
    return [*written, out / "report.html"]


def _safe(cell):
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


# --- marks by hand ---


def _overridden(result):
    return result | {"tasks": [dict(task) for task in result["tasks"]]}


def _overrides(path, results):
    if path is None:
        return
    with open(path, newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                found = row["student"], row["task"], float(row["points"]), row.get("reason") or ""
            except (KeyError, TypeError, ValueError):
                reason = f"a line has student, task, points and reason; this one has {row}"
                raise ReportError(f"{path}, line {number}: {reason}") from None
            if found[0] not in results:
                raise ReportError(f"{path}, line {number}: there is no student {found[0]!r}")
            yield found


def _override(results, student, name, points, reason):
    result = results[student]
    task = next((task for task in result["tasks"] if task["task"] == name), None)
    if task is None:
        raise ReportError(
            f"{student}: there is no task {name!r}; there are {', '.join(t['task'] for t in result['tasks'])}"
        )
    task["by_hand"] = {"was": task["points"], "reason": reason}
    task["points"] = points
    result["points"] = round(sum(task["points"] for task in result["tasks"]), 4)


# --- names ---


def _letters(text):
    return re.sub(r"[\W_]+", "", str(text)).casefold()


def match(results, rows):
    """``{student: row}``: by any column that holds the name, the login or the number that the files have."""
    found, keys = {}, {}
    for place, row in enumerate(rows):
        names = {
            _letters(value)
            for column, value in row.items()
            if value and re.search("student|name|id|login|mail", column or "", re.I)
        }
        names |= {_letters((row.get("First name") or "") + (row.get("Last name") or ""))}
        names |= {_letters(" ".join(reversed((row.get("Student") or "").split(","))))}
        names |= {_letters((row.get("Email address") or "").split("@")[0])}
        for name in names - {""}:
            keys.setdefault(name, set()).add(place)
    for student in results:
        places = keys.get(_letters(student), set())
        if len(places) == 1:
            found[student] = rows[next(iter(places))]
    return found


# --- tables ---


def marks(results):
    tasks = list(dict.fromkeys(task["task"] for result in results.values() for task in result["tasks"]))
    yield ["student", *tasks, "points", "of", "flags"]
    for name, result in results.items():
        points = {task["task"]: task["points"] for task in result["tasks"]}
        flags = "; ".join(sorted({flag["kind"] for flag in result["flags"]}))
        yield [name, *(points.get(task, "") for task in tasks), result["points"], result["of"], flags]


def _of(results):
    return next((result["of"] for result in results.values()), 0)


def canvas(record, results, rows, matched):
    """Canvas takes a student by ID, SIS User ID or SIS Login ID, and the points possible from a second line."""
    column = record["title"]
    yield [*CANVAS, column]
    yield ["Points Possible", "", "", "", "", _of(results)]
    for name, result in results.items():
        row = matched.get(name, {})
        known = [row.get(key) or "" for key in CANVAS] if row else [name, "", "", "", ""]
        yield [*known, result["points"]]


def moodle(record, results, rows, matched):
    """Moodle asks on import which column is the user (Email address or ID number) and which is the grade."""
    yield [*MOODLE, record["title"], "Feedback comments"]
    for name, result in results.items():
        row = matched.get(name, {})
        known = [row.get(key) or "" for key in MOODLE] if row else [name, "", "", ""]
        words = "; ".join(f"{task['title']}: {WORDS[task['status']]}" for task in result["tasks"])
        yield [*known, result["points"], words]


# --- pages ---


def _page(title, body):
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>{STYLE}'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _cell(words, kind=""):
    return f'<td class="{kind}">{words}</td>' if kind else f"<td>{words}</td>"


def _table(heads, lines, kind=""):
    """Heads that begin with # stand over numbers."""
    row = "".join(f'<th class="n">{head[1:]}</th>' if head[:1] == "#" else f"<th>{head}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    return f'<table class="{kind}"><tr>{row}</tr>{body}</table>'


def page_for_student(record, result):
    """What a student may know: nothing that was said after the first private test began."""
    lines = [
        (
            _cell(f"{escape(task['title'])}<br><code>{escape(task['task'])}</code>"),
            _cell(WORDS[task["status"]]),
            _cell(f"{task['points']:g} of {task['of']:g}", "n"),
            _cell(_said(task), "w"),
        )
        for task in result["tasks"]
    ]
    notes = [escape(flag["words"]) for flag in result["flags"] if flag["public"]]
    if any(not flag["public"] for flag in result["flags"]):
        notes.append("Something in this notebook will be looked at by your instructor.")
    body = f"<h1>{escape(record['title'])}</h1><p>{escape(record['course'])}<br>{escape(result['student'])}</p>"
    body += f"<p><strong>{result['points']:g} of {result['of']:g} points</strong></p>"
    if notes:
        items = "".join(f"<li>{note}</li>" for note in notes)
        body += f'<div class="note"><p>About the file that you handed in:</p><ul>{items}</ul></div>'
    body += _table(("exercise", "", "#points", "what the check said"), lines)
    body += (
        "<p>You can run the same checks in your notebook. If one says something else there, tell your instructor.</p>"
    )
    return _page(f"{record['title']}: {result['student']}", body)


def _said(task):
    message = escape(task["message"])
    if task["advice"]:
        message += f"<br>{escape(task['advice'])}"
    message += task["picture"]
    if task["private_of"] and task["private"]:
        points = f"{task['private_points']:g} of {task['private_of']:g} points"
        message += f"<br>Your instructor's own tests: {points}. What they ask is not shown."
    elif task["private_of"]:
        message += "<br>Your instructor's own tests are asked when the check passes."
    if "by_hand" in task:
        reason = escape(task["by_hand"]["reason"])
        message += f"<br><strong>Changed by hand</strong> from {task['by_hand']['was']:g}: {reason}"
    return message


def report(record, results, rows, matched):
    totals = [result["points"] for result in results.values()]
    body = f"<h1>{escape(record['title'])}: the class</h1><p>{escape(record['course'])}. Not for students: it has names.</p>"
    if totals:
        middle = f"median {median(totals):g}, from {min(totals):g} to {max(totals):g} of {_of(results):g} points"
        body += f"<p>{len(totals)} submissions: {middle}.</p>"
    body += _roster_words(results, rows, matched) + _flags(results) + _exercises(results) + _stuck(results)
    return _page(f"{record['title']}: the class", body)


def _roster_words(results, rows, matched):
    if not rows:
        return ""
    there = [id(row) for row in matched.values()]
    absent = [
        row.get("Student") or f"{row.get('First name', '')} {row.get('Last name', '')}".strip()
        for row in rows
        if id(row) not in there
    ]
    absent = [name for name in absent if name and "Points Possible" not in name]
    strangers = [name for name in results if name not in matched]
    words = f"<p>Handed in nothing: {escape(', '.join(absent)) or 'nobody'}.</p>"
    return words + (f"<p>Not on the class list: {escape(', '.join(strangers))}.</p>" if strangers else "")


def _flags(results):
    lines = []
    for name, result in results.items():
        kinds = {}
        for flag in result["flags"]:
            kinds.setdefault(flag["kind"], []).append(escape(flag["words"]))
        for kind, words in kinds.items():
            more = f"<br>and {len(words) - 3} more" if len(words) > 3 else ""
            reasons = "<br>".join(words[:3]) + more
            lines.append(
                (_cell(escape(name)), _cell(f"{result['points']:g}", "n"), _cell(escape(kind)), _cell(reasons, "w"))
            )
    if not lines:
        return "<h2>Flagged</h2><p>Nothing.</p>"
    words = "<p>A flag is a reason to look; it changes no mark.</p>"
    return "<h2>Flagged</h2>" + words + _table(("student", "#points", "flag", "reason"), lines)


def _by_task(results):
    tasks = {}
    for name, result in results.items():
        for task in result["tasks"]:
            tasks.setdefault(task["task"], []).append((name, task))
    return tasks


def _exercises(results):
    """The hardest first: the smallest share of points."""
    found, lines = _by_task(results), []
    share = {
        name: mean(task["points"] / task["of"] if task["of"] else 0 for _, task in each) for name, each in found.items()
    }
    for name in sorted(found, key=share.get):
        each = found[name]
        states = Counter(task["status"] for _, task in each)
        said = Counter(task["diagnosis"] for _, task in each if task["diagnosis"]).most_common(4)
        failed = [words.split(":")[0] for _, task in each for words in (task["private"] or {}).get("failed", ())]
        said += [(f"{test} failed", count) for test, count in Counter(failed).most_common(4)]
        other = len(each) - states["passed"] - states["wrong"] - states["not attempted"]
        numbers = (f"{share[name]:.0%}", states["passed"], states["wrong"], states["not attempted"], other)
        lines.append(
            (
                _cell(f"{escape(each[0][1]['title'])}<br><code>{escape(name)}</code>"),
                *(_cell(number, "n") for number in numbers),
                _cell("<br>".join(f"{count}: {escape(words)}" for words, count in said), "w"),
            )
        )
    heads = ("exercise", "#points", "#passed", "#not right", "#not attempted", "#other", "usual mistakes")
    return "<h2>Exercises, the hardest first</h2>" + _table(heads, lines)


def _stuck(results):
    """Students by exercises; whoever has fewest points comes first."""
    found, lines = list(_by_task(results)), []
    for name in sorted(results, key=lambda name: (results[name]["points"], name)):
        states = {task["task"]: task["status"] for task in results[name]["tasks"]}
        signs = (
            f'<td title="{WORDS[states[t]]}">{SIGNS[states[t]]}</td>' if t in states else "<td></td>" for t in found
        )
        lines.append((_cell(escape(name)), *signs, _cell(f"{results[name]['points']:g}", "n")))
    key = " &nbsp; ".join(f"{SIGNS[state]} {words}" for state, words in WORDS.items())
    heads = ("student", *(f"<code>{escape(name)}</code>" for name in found), "#points")
    return f"<h2>Who is stuck where</h2><p>{key}</p>" + _table(heads, lines, "m")
