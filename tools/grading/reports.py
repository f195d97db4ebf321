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
STYLE = """<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{border-bottom:1px solid #8886;padding:.3rem .7rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.m td{text-align:center}.note{border-left:.3rem solid #8888;padding-left:1rem}
code,td.w{overflow-wrap:anywhere;white-space:pre-wrap}</style>"""


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
    kept = set()
    for name, result in results.items():
        path = feedback / f"{file_name(name)}.html"
        path.write_text(page_for_student(record, result), encoding="utf-8")
        kept.add(path.name)
    for path in feedback.glob("*.html"):
        if path.name not in kept:
            path.unlink()
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
                yield row["student"], row["task"], float(row["points"]), row.get("reason") or ""
            except (KeyError, TypeError, ValueError):
                raise ReportError(
                    f"{path}, line {number}: a line has student, task, points and reason; this one has {row}"
                ) from None
            if row["student"] not in results:
                raise ReportError(f"{path}, line {number}: there is no student {row['student']!r}")


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
    return f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>{STYLE}</head><body>\n{body}\n</body></html>\n'  # noqa: E501


def page_for_student(record, result):
    """What a student may know: nothing that was said after the first private test began."""
    lines = []
    for task in result["tasks"]:
        message = escape(task["message"])
        if task["private_of"] and task["private"]:
            message += f"<br>Your instructor's own tests: {task['private_points']:g} of {task['private_of']:g} points. What they ask is not shown."
        elif task["private_of"]:
            message += "<br>Your instructor's own tests are asked when the check passes."
        if "by_hand" in task:
            message += f"<br><strong>Changed by hand</strong> from {task['by_hand']['was']:g}: {escape(task['by_hand']['reason'])}"
        lines.append(
            f"<tr><td>{escape(task['title'])}<br><code>{escape(task['task'])}</code></td><td>{WORDS[task['status']]}</td>"
            f'<td class="n">{task["points"]:g} of {task["of"]:g}</td><td class="w">{message}</td></tr>'
        )
    notes = [escape(flag["words"]) for flag in result["flags"] if flag["public"]]
    if any(not flag["public"] for flag in result["flags"]):
        notes.append("Something in this notebook will be looked at by your instructor.")
    told = (
        '<div class="note"><p>About the file that you handed in:</p><ul>'
        + "".join(f"<li>{note}</li>" for note in notes)
        + "</ul></div>"
    )
    body = f"<h1>{escape(record['title'])}</h1><p>{escape(record['course'])}<br>{escape(result['student'])}</p>"
    body += f"<p><strong>{result['points']:g} of {result['of']:g} points</strong></p>{told if notes else ''}"
    body += (
        '<table><tr><th>exercise</th><th></th><th class="n">points</th><th>what the check said</th></tr>'
        + "".join(lines)
        + "</table>"
    )
    body += "<p>You can run the same checks in your notebook. If one says something else there, tell your instructor what it says.</p>"
    return _page(f"{record['title']}: {result['student']}", body)


def report(record, results, rows, matched):
    totals = [result["points"] for result in results.values()]
    body = f"<h1>{escape(record['title'])}: the class</h1><p>{escape(record['course'])}. For the instructor only: it names students.</p>"
    if totals:
        body += f"<p>{len(totals)} submissions; points from {min(totals):g} to {max(totals):g} of {_of(results):g}, median {median(totals):g}.</p>"
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
    lines = [
        f'<tr><td>{escape(name)}</td><td class="n">{result["points"]:g}</td><td>{escape(flag["kind"])}</td><td class="w">{escape(flag["words"])}</td></tr>'
        for name, result in results.items()
        for flag in result["flags"]
    ]
    words = "<p>A flag is a reason to look; it changes no mark.</p>"
    table = (
        '<table><tr><th>student</th><th class="n">points</th><th>flag</th><th>reason</th></tr>'
        + "".join(lines)
        + "</table>"
    )
    return "<h2>Flagged</h2>" + (words + table if lines else "<p>Nothing.</p>")


def _by_task(results):
    tasks = {}
    for name, result in results.items():
        for task in result["tasks"]:
            tasks.setdefault(task["task"], []).append((name, task))
    return tasks


def _exercises(results):
    """The hardest first: the smallest share of points."""
    found = _by_task(results)
    share = {
        name: mean(task["points"] / task["of"] if task["of"] else 0 for _, task in each) for name, each in found.items()
    }
    body = '<h2>Exercises, the hardest first</h2><table><tr><th>exercise</th><th class="n">points</th><th class="n">passed</th><th class="n">not right</th><th class="n">not attempted</th><th class="n">other</th><th>usual mistakes</th></tr>'  # noqa: E501
    for name in sorted(found, key=share.get):
        each = found[name]
        states = Counter(task["status"] for _, task in each)
        said = Counter(task["diagnosis"] for _, task in each if task["diagnosis"]).most_common(4)
        usual = "<br>".join(f"{count}: {escape(words)}" for words, count in said)
        other = len(each) - states["passed"] - states["wrong"] - states["not attempted"]
        body += f"<tr><td>{escape(each[0][1]['title'])}<br><code>{escape(name)}</code></td>"
        body += "".join(
            f'<td class="n">{n}</td>'
            for n in (f"{share[name]:.0%}", states["passed"], states["wrong"], states["not attempted"], other)
        )
        body += f'<td class="w">{usual}</td></tr>'
    return body + "</table>"


def _stuck(results):
    """Students by exercises; whoever passed least comes first."""
    found = list(_by_task(results))
    order = sorted(results, key=lambda name: (results[name]["points"], name))
    head = "".join(f"<th><code>{escape(name)}</code></th>" for name in found)
    body = f'<h2>Who is stuck where</h2><p>{" &nbsp; ".join(f"{SIGNS[s]} {w}" for s, w in WORDS.items())}</p><table class="m"><tr><th>student</th>{head}<th class="n">points</th></tr>'  # noqa: E501
    for name in order:
        states = {task["task"]: task["status"] for task in results[name]["tasks"]}
        cells = "".join(
            f'<td title="{WORDS[states[t]]}">{SIGNS[states[t]]}</td>' if t in states else "<td></td>" for t in found
        )
        body += f'<tr><td style="text-align:left">{escape(name)}</td>{cells}<td class="n">{results[name]["points"]:g}</td></tr>'
    return body + "</table>"
