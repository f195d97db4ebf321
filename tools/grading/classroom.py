"""A folder of submissions, several at once. Every result is a file of its own, written when it is complete; a run that was
interrupted goes on where it stopped. What happens to one submission happens in a process of its own.
"""

import contextlib
import hashlib
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

from tools.grading import judge, submissions
from tools.project import ROOT

PATIENCE = 60  # seconds more than a submission's own limit, before its judge is stopped


def file_name(student):
    """A name for files, the same every time and different for different students."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", student).strip("-")[:50]
    return f"{plain or 'student'}-{hashlib.sha256(student.encode()).hexdigest()[:6]}"


def fingerprint(record):
    """Changes when the assignment, the private tests, the checkers or the grader do: then everything is graded anew."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    files = [*(ROOT / "tools" / "grading").rglob("*.py"), *(ROOT / "vgg_course" / "check").glob("*.py")]
    files += Path(record["private"]).glob("*.py") if record["private"] else []
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def of_submission(submission, record_print):
    """Changes when a student hands in again."""
    digest = hashlib.sha256(record_print.encode())
    for paths in submission.files.values():
        for path in paths:
            found = os.lstat(path)
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def grade_all(record, folder, out, confined, at_once=0, say=print):
    """Grade what is new in a folder; returns all results, old and new, by student's name."""
    out, wanted = (
        Path(out),
        submissions.find(folder, record["assignment"], [told["chapter"] for told in record["notebooks"]]),
    )
    kept = out / "results"
    kept.mkdir(parents=True, exist_ok=True)
    record_print, todo, results = fingerprint(record), [], {}
    for submission in wanted:
        path, mark = kept / f"{file_name(submission.student)}.json", of_submission(submission, record_print)
        old = _read(path)
        if old and old.get("fingerprint") == mark:
            results[submission.student] = old
        else:
            todo.append((submission, path, mark))
    if results:
        say(f"{len(results)} of {len(wanted)} are graded already")
    _preload()
    at_once = at_once or max(
        1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    _run(todo, record, confined, at_once, results, len(wanted), say)
    return dict(sorted(results.items()))


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _preload():
    """Once, before forking: the checkers and torch, with a single thread so that a fork is safe."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    from vgg_course import check  # noqa: F401

    torch.set_num_threads(1)


def _run(todo, record, confined, at_once, results, count, say):
    running, waiting = {}, list(reversed(todo))
    limit = judge.limits(record).total_seconds * 2 * len(record["notebooks"]) + PATIENCE
    from tools.grading.remote import Patience

    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                submission, path, mark = waiting.pop()
                running[_start(submission, record, confined, path, mark)] = (submission, path, mark, Patience(limit))
            time.sleep(0.02)
            for pid in list(running):
                submission, path, mark, patience = running[pid]
                ended, status = os.waitpid(pid, os.WNOHANG)
                if not ended and not patience.step():
                    os.killpg(pid, signal.SIGKILL)
                    ended, status = os.waitpid(pid, 0)
                if not ended:
                    continue
                del running[pid]
                result = _read(path)
                if result is None or result.get("fingerprint") != mark:
                    result = _failed(submission, record, path, mark, status)
                results[submission.student] = result
                say(_line(len(results), count, result))
    finally:
        for pid in running:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _line(number, count, result):
    kinds = sorted({flag["kind"] for flag in result["flags"]})
    flags = f"   flagged: {', '.join(kinds)}" if kinds else ""
    return f"[{number}/{count}] {result['student']}: {result['points']:g} of {result['of']:g} ({result['seconds']:.0f} s){flags}"


def _start(submission, record, confined, path, mark):
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return pid
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        _die_with(parent)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = judge.limits(record).memory + 2_000_000_000  # an answer may ask the checker for much, too
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        _write(path, judge.grade(submission, record, confined) | {"fingerprint": mark})
    except BaseException:
        with contextlib.suppress(OSError):
            path.with_suffix(".trouble").write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        os._exit(0)


def _die_with(parent):
    """When the one command is killed, its judges and their sandboxes end with it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _write(path, result):
    """All of it or nothing, whenever the machine stops."""
    new = path.with_suffix(f".{os.getpid()}.new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    path.with_suffix(".trouble").unlink(missing_ok=True)


def _failed(submission, record, path, mark, status):
    """The judge itself failed: nobody's zero, but something to look at."""
    trouble = path.with_suffix(".trouble")
    words = (
        trouble.read_text(encoding="utf-8").strip().splitlines()[-1]
        if trouble.exists()
        else f"it ended with status {status}"
    )
    tasks = []
    for told in record["notebooks"]:
        for task in told["tasks"]:
            from types import SimpleNamespace

            tasks.append(
                judge._outcome(
                    SimpleNamespace(**task), told, "unclear", "it could not be graded; your instructor will look at it."
                )
            )
    result = {
        "student": submission.student,
        "tasks": tasks,
        "files": {c: (p[-1] if p else "") for c, p in submission.files.items()},
    }
    flag = {"kind": "grader", "words": f"the grader itself failed: {words}"[:400], "public": False}
    result |= {"flags": [flag], "points": 0, "of": sum(t["of"] for t in tasks), "seconds": 0, "fingerprint": mark}
    _write(path, result)
    return result
