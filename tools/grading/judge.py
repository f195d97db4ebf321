"""One submission: what each task gets, and why.

The checker and the private tests run here. The student's code runs in the sandbox and answers their calls, so it has no
checker to patch, no test to read and no mark to forge. All public checks come first; what happens after the first private
call reaches the instructor only.
"""

import time
from types import SimpleNamespace

from tools.assignments import private
from tools.assignments.tasks import mistakes, seeded
from tools.grading import submissions
from tools.grading.remote import AnswerError, SandboxDied, Session
from tools.grading.sandbox import MB, Limits

NO_FILE = "there is no notebook for this part"
ENDINGS = {
    "time": "gave no answer in time: an endless loop?",
    "ended": "ended the process that ran it",
    "limit": "took more than it may",
    "protocol": "spoke to the grader in place of its notebook",
}


def limits(record):
    told = record.get("limits", {})
    usual = Limits()
    return Limits(
        told.get("seconds", usual.seconds),
        told.get("total_seconds", usual.total_seconds),
        int(told.get("memory_mb", usual.memory // MB)) * MB,
        int(told.get("disk_mb", usual.disk // MB)) * MB,
        told.get("processes", usual.processes),
    )


def grade(submission, record, sandbox):
    """A result: plain data, ready for JSON."""
    began, result = time.monotonic(), {"student": submission.student, "tasks": [], "flags": [], "files": {}}
    flags = Flags(result["flags"])
    if len(submission.names) > 1:
        flags("duplicate", f"handed in under several names: {', '.join(submission.names)}")
    for told in record["notebooks"]:
        paths = submission.files[told["chapter"]]
        if len(paths) > 1:
            flags(
                "duplicate",
                f"{len(paths)} files for {told['chapter']}; the newest counts, {paths[-1].rsplit('/', 1)[-1]}",
            )
        result["files"][told["chapter"]] = paths[-1] if paths else ""
        _grade_notebook(paths[-1] if paths else None, told, record, sandbox, result, flags)
    if submission.others and not any(submission.files.values()):
        flags(
            "missing file",
            f"no notebook of this assignment, but {', '.join(p.rsplit('/', 1)[-1][:60] for p in submission.others[:3])}",
        )
    tasks = result["tasks"]
    if tasks and all(task["status"] == "not attempted" for task in tasks):
        flags("blank", "nothing was attempted")
    result["points"] = round(sum(task["points"] for task in tasks), 4)
    result["of"] = sum(task["of"] for task in tasks)
    result["seconds"] = round(time.monotonic() - began, 2)
    return result


class Flags:
    """Reasons to look at a submission. ``public`` ones are told to the student; none changes a mark."""

    def __init__(self, found):
        self.found, self.private_began = found, False

    def __call__(self, kind, words, public=True):
        flag = {"kind": kind, "words": str(words)[:400], "public": bool(public and not self.private_began)}
        if len(self.found) < 60 and not any(
            old["kind"] == kind and old["words"] == flag["words"] for old in self.found
        ):
            self.found.append(flag)


def _grade_notebook(path, told, record, sandbox, result, flags):
    tasks = [SimpleNamespace(**task) for task in told["tasks"]]
    try:
        if path is None:
            raise submissions.Unreadable(NO_FILE)
        handed = submissions.parse(submissions.read_bytes(path))
    except submissions.Unreadable as problem:
        flags("missing file" if path is None else "unreadable", f"{told['chapter']}: {problem}")
        result["tasks"] += [_outcome(task, told, "missing", str(problem)) for task in tasks]
        result["tasks"] += [_outcome(task, told, "missing", str(problem), number=True) for task in tasks if task.number]
        return
    _compare(handed, told, flags)
    _Attempt(handed, tasks, told, record, sandbox, result, flags).run()


def _compare(handed, told, flags):
    """What the metadata says that we did not write. It decides nothing: names do."""
    ours = told["marked"]
    missing = [name for name in ours if name not in handed.marked]
    if missing and not handed.marked:
        flags("metadata", "the notebook lost its grading metadata; its functions were found by their names")
    elif missing:
        flags("metadata", f"cells that were handed out are gone or lost their metadata: {', '.join(missing[:4])}")
    for name, (metadata, source) in handed.marked.items():
        if name not in ours:
            flags("metadata", f"grading metadata that was not handed out: {name!r}")
            continue
        for key, value in ours[name]["nbgrader"].items():
            if metadata.get(key) != value:
                flags(
                    "metadata",
                    f"grading metadata of {name!r} was changed: {key} is {str(metadata.get(key))[:40]}, not {value}",
                )
        if ours[name]["nbgrader"]["locked"] and source.strip() != ours[name]["source"].strip():
            flags("edited test", f"the cell {name!r} is not as it was handed out; it was not used")
    if handed.doubles:
        flags("metadata", f"cells that are there twice: {', '.join(handed.doubles[:4])}")


class _Attempt:
    """A notebook in its sandbox; a new one when it died, so that no task costs another."""

    def __init__(self, handed, tasks, told, record, sandbox, result, flags):
        self.handed, self.tasks, self.told, self.record, self.sandbox = handed, tasks, told, record, sandbox
        self.result, self.flags, self.session, self.limits = result, flags, None, limits(record)
        self.began, self.suspicious = time.monotonic(), False
        given = set(told["cells"])
        self.own = [number for number, source in enumerate(handed.cells) if source not in given]
        self.stubs = set(told["cells"])

    def run(self):
        outcomes = {}
        tests = private.load(self.record["private"], self.told["chapter"], {task.name for task in self.tasks})
        try:
            for task in self.tasks:
                outcomes[task.name] = self.guarded(task, task.name, self.check)
            for task in self.tasks:
                if task.number:
                    outcomes[task.number["name"]] = self.guarded(task, task.number["name"], self.number)
            self.flags.private_began = True  # nothing that is said from here on reaches the student
            for task in self.tasks:
                outcome, own = outcomes[task.name], tests.get(task.name, [])
                if own and outcome["status"] == "passed":
                    outcome["private"] = {"passed": 0, "of": len(own), "failed": []}
                    for test in own:
                        self.guarded(task, task.name, lambda t, test=test, to=outcome: self.private(t, test, to))
                    outcome["private_points"] = round(task.private_points * outcome["private"]["passed"] / len(own), 4)
                    outcome["points"] += outcome["private_points"]
        finally:
            self.flags.private_began = False
            if self.session:
                self.session.close()
        self.result["tasks"] += list(outcomes.values())

    def guarded(self, task, name, judge):
        """Judge, whatever happens to the sandbox. What another task left behind is not this one's fault: then once more."""
        number, used = name != task.name, self.session is not None
        try:
            if time.monotonic() - self.began > self.limits.total_seconds:
                return self.outcome(
                    task, "stopped", f"the notebook had used up its {self.limits.total_seconds:g} seconds", number
                )
            return judge(task)
        except SandboxDied as death:
            self.session = None
            if used and death.kind in ("protocol", "ended"):
                self.flags("protocol", f"before {name}: {death.reason}")
                return self.guarded(task, name, judge)
            self.flags(
                "killed" if death.kind == "ended" else death.kind, f"{name} {ENDINGS[death.kind]} ({death.reason})"
            )
            return self.outcome(task, "stopped", f"{ENDINGS[death.kind]} ({death.reason})", number)
        except AnswerError as problem:
            self.flags("answer", f"{name}: {problem}")
            return self.outcome(task, "wrong", f"its answer could not be read: {problem}.", number)
        finally:
            if self.session and self.session.pending():
                self.suspicious = True
                self.flags("protocol", f"{name} spoke to the grader out of turn")
            if self.suspicious and self.session:  # what it left behind must not cost or help the next task
                self.session.close()
                self.session = None

    def opened(self):
        if self.session is None:
            self.suspicious = False
            self.session = Session(self.sandbox, self.limits, self.handed.cells, self.own, self.notice)
            for words in self.session.notices:
                self.flags("code", words, public=False)
        return self.session

    def notice(self, words):
        self.suspicious = True
        self.flags("looked", words, public=False)

    def load(self, task, name):
        """The value of a name, or an outcome that says why there is none."""
        values, problem, where = self.opened().load([name])
        number = name != task.name
        if problem:
            kind, words = problem
            if kind == "missing":
                self.flags("missing cell", f"no cell defines {name}")
                return None, self.outcome(
                    task, "missing", f"no cell defines {name}; the name must stay as it was.", number
                )
            if kind == "broken":
                self.flags("does not parse", f"the cell that should define {name}: {words}")
                return None, self.outcome(task, "broken", f"the cell does not parse: {words}.", number)
            self.flags("cell failed", f"before {name} could be asked: {words}")
            return None, self.outcome(task, "broken", f"what it needs could not be run: {words}.", number)
        if len({cell for cell in where.get(name, []) if self.handed.cells[cell] not in self.stubs}) > 1:
            self.flags("defined twice", f"{name} is defined in several cells; the last one counts, as in run all")
        return values[name], None

    def outcome(self, task, status, message, number=False):
        return _outcome(task, self.told, status, message, number)

    def check(self, task):
        from vgg_course import check
        from vgg_course.check import verdict as judging

        judging.LIMIT = 1e9  # the sandbox has its own, and a checker's would break into our talk with it
        value, problem = self.load(task, task.name)
        if problem:
            return problem
        function = getattr(check, task.checker)
        arguments = [value if isinstance(argument, list) else argument for argument in task.arguments]
        try:
            verdict = function(*arguments, **seeded(function, task.seed))
        except Exception as error:  # a checker should not, and a mark must not depend on it
            self.flags(
                "checker", f"check.{task.checker} failed on the answer: {type(error).__name__}: {error}", public=False
            )
            return self.outcome(
                task, "unclear", "the checker could not judge this answer; your instructor will look at it."
            )
        made = self.outcome(task, verdict.status, str(verdict.message)[:2000])
        made["points"] = task.points if verdict else 0
        made["advice"] = verdict.advice
        made["picture"] = verdict.picture  # drawn here from plain numbers: nothing of it is the student's own text
        made["diagnosis"] = next((words for words in mistakes(task.checker) if words in verdict.message), "")
        return made

    def number(self, task):
        value, problem = self.load(task, task.number["name"])
        if problem:
            return problem
        right = task.number["answer"]
        if value is ...:
            return self.outcome(task, "not attempted", "the dots are still there.", number=True)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.outcome(task, "wrong", f"a number is wanted, and this is {type(value).__name__}.", number=True)
        good = abs(value - right) <= 1e-6 * abs(right)
        made = self.outcome(
            task, "passed" if good else "wrong", "right." if good else "not the right number.", number=True
        )
        made["points"] = task.number["points"] if good else 0
        return made

    def private(self, task, test, outcome):
        """Ask one test. What it says is for the instructor."""
        outcome["private"]["failed"].append(f"{test.__name__}: no answer")
        value, problem = self.load(task, task.name)
        if problem:
            return problem
        try:
            test(value)
        except Exception as error:  # whatever the student's code did
            outcome["private"]["failed"][-1] = f"{test.__name__}: {type(error).__name__}: {error}"[:300]
        else:
            outcome["private"]["failed"].pop()
            outcome["private"]["passed"] += 1
        return outcome


def _outcome(task, told, status, message, number=False):
    if number:
        name, of, title = task.number["name"], task.number["points"], f"{task.title}: a number for your section"
    else:
        name, of, title = task.name, task.points + task.private_points, task.title
    return {
        "task": name,
        "chapter": told["chapter"],
        "title": title,
        "checker": task.checker,
        "status": status,
        "message": message,
        "advice": "",
        "picture": "",
        "diagnosis": "",
        "points": 0,
        "of": of,
        "private": None,
        "private_points": 0,
        "private_of": 0 if number else task.private_points,
    }
