"""Build the book: `python -m tools.book`. Warnings are errors.

The execution cache knows the cells of a notebook and nothing else, so it would show yesterday's output after a change in
the package. We keep a digest of everything else that outputs depend on, and drop the cache when it changes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.project import HTML, ROOT
from vgg_course import sources

CACHE = ROOT / "_build" / ".jupyter_cache"
STAMP = CACHE / "depends_on.json"
NEEDED_GB = 1
INPUTS = (
    "vgg_course/**/*.py",
    "vgg_course/**/*.mplstyle",
    "vgg_course/**/*.js",
    "vgg_course/**/*.css",
    "vgg_course/**/*.html",
    "vgg_course/**/*.json",
    "book/results/*.json",
    "requirements.txt",
)
# Without parallelism: one notebook wants both cores. `--all` because css and js alone would not be copied again.
JUPYTER_BOOK = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
COMMAND = [*JUPYTER_BOOK, "build", "-W", "-n", "--keep-going", "--all", str(ROOT)]


def main():
    started = time.monotonic()
    if shutil.disk_usage(ROOT).free < NEEDED_GB * 10**9:
        sys.exit(
            f"error: building the book needs {NEEDED_GB} GB of free disk; free some and run the same command again"
        )
    for name in ("VGG_COURSE_DATA", "VGG_COURSE_WEIGHTS"):
        if name in os.environ:  # a notebook is executed in its own folder: a relative path would mean another
            os.environ[name] = os.path.abspath(os.environ[name])
    try:
        forget_stale_outputs(depends_on())
    except sources.DataError as problem:
        sys.exit(f"error: {problem}")
    shutil.rmtree(HTML, ignore_errors=True)  # a page that was renamed would live on under its old name
    status = subprocess.run(COMMAND, cwd=ROOT).returncode
    if status != 0:
        sys.exit("error: the book is not good; the warnings above say where (a failing cell shows its traceback)")
    remember_data()
    print(f"\nThe book is in {HTML.relative_to(ROOT)} ({time.monotonic() - started:.0f} s). It shows {pictures()}.")
    print(f"Open {(HTML / 'index.html').as_uri()}\nor run: make serve")


def depends_on():
    weights = Path(os.environ.get("VGG_COURSE_WEIGHTS", "")).is_file()
    return {"files": digest(ROOT), "data": data_is_here(), "weights": weights}


def digest(root):
    state = hashlib.sha256()
    for pattern in INPUTS:
        for path in sorted(root.glob(pattern)):
            content = path.read_bytes()
            state.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return state.hexdigest()


def forget_stale_outputs(now):
    before = json.loads(STAMP.read_text()) if STAMP.exists() else None
    if before == now:
        return
    if before is not None:
        print("something that the outputs depend on has changed: every chapter is executed anew", flush=True)
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    STAMP.write_text(json.dumps(now))


def remember_data():
    """The first build may have downloaded the data: then the next one must not take it for a change."""
    STAMP.write_text(json.dumps({**json.loads(STAMP.read_text()), "data": data_is_here()}))


def data_is_here():
    """Only looks: neither torch nor the network is needed for that."""
    return sources.locate().folder is not None


def pictures():
    return "real CIFAR-10 pictures" if data_is_here() else "drawn stand-ins, because CIFAR-10 is not here"


if __name__ == "__main__":
    main()
