"""Check everything: `python -m tools.test`. Stops at the first step that fails and says which one it was."""

import os
import subprocess
import sys
import tempfile
import time

from tools.project import ROOT

PYTHON = sys.executable
# Nothing may be downloaded and nothing is there: the notebooks must run on the drawn stand-in. The book's build, below,
# uses the real pictures where VGG_COURSE_DATA names them.
WITHOUT_DATA = {
    "VGG_COURSE_DATA": None,
    "VGG_COURSE_WEIGHTS": None,
    "VGG_COURSE_OFFLINE": "1",
    "VGG_COURSE_CACHE": "(an empty folder)",
}

STEPS = {
    "style": [PYTHON, "-m", "ruff", "check", "."],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "directions of imports": [PYTHON, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
    "student editions are in sync": [PYTHON, "-m", "tools.notebooks", "--check"],
    "facts in the README": [PYTHON, "-m", "tools.facts", "--check", "README.md"],
    "the cover picture": [PYTHON, "-m", "tools.picture", "--check"],
    "unit tests": [PYTHON, "-m", "pytest", "tests", "--ignore=tests/browser"],
    "student editions run, without data": [
        PYTHON,
        "-m",
        "pytest",
        "-v",
        "--nbmake",
        "--nbmake-timeout=900",
        "notebooks",
    ],
    "the book builds without a warning": [PYTHON, "-m", "tools.book"],
    "the pages in a browser": [PYTHON, "-m", "pytest", "-v", "tests/browser"],
}


def main():
    for number, (name, command) in enumerate(STEPS.items(), 1):
        print(f"\n=== {number} of {len(STEPS)}: {name} ===", flush=True)
        started = time.monotonic()
        if status(command, without_data="without data" in name) != 0:
            sys.exit(
                f"error: failed: {name}. To repeat it alone: {' '.join([PYTHON.replace(str(ROOT), '.'), *command[1:]])}"
            )
        print(f"=== {time.monotonic() - started:.0f} s", flush=True)


def status(command, without_data):
    with tempfile.TemporaryDirectory() as empty:
        changes = {**WITHOUT_DATA, "VGG_COURSE_CACHE": empty} if without_data else {}
        environment = {name: value for name, value in {**os.environ, **changes}.items() if value is not None}
        return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    main()
