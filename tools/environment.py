"""Make the environment: `python3 tools/environment.py` (on Windows: `py tools/environment.py`).

It makes `.venv`, installs the pinned requirements and this package, and writes a stamp last. An install that was
interrupted is therefore repeated, and one that is up to date returns at once. Standard library only, and no syntax newer than
Python 3.6: an old Python must get far enough to be told that it is too old.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
NEWEST = (3, 14)  # numpy, as pinned in requirements.txt, has no wheel for a newer one
GIGABYTE = 10**9
NEEDED_GB = 9  # measured on Linux, where torch brings its CUDA libraries: 6.3 GB installed, plus the largest wheels

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed.txt")
LOG = os.path.join(ROOT, "_build", "install.log")
PYTHON = os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")


class Problem(Exception):
    """Something the user can cure. The text is one line and says how."""


def main():
    try:
        if installed() == digest():
            return 0
        check_python()
        check_venv()
        check_disk()
        install()
    except Problem as problem:
        print("error: {}".format(problem), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to continue", file=sys.stderr)
        return 130
    return 0


def digest():
    """What the environment was made from: it changes when the pins or the package's metadata change."""
    state = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            state.update(file.read())
    state.update(ROOT.encode())  # a virtual environment does not survive a move of its folder
    return state.hexdigest()


def installed():
    if not os.path.exists(PYTHON):
        return None  # no stamp counts if the Python it was made with is gone
    try:
        with open(STAMP) as file:
            return file.read().strip()
    except OSError:
        return None


def check_python(version=None):
    version = tuple(version or sys.version_info[:2])
    if not OLDEST <= version <= NEWEST:
        raise Problem(
            "this is Python {}.{}, the course needs {}.{} to {}.{}; install one from https://www.python.org and name it: "
            "make book PYTHON=python{}.{}".format(*(version + OLDEST + NEWEST + OLDEST))
        )


def check_venv():
    try:
        import ensurepip  # noqa: F401  (Debian and Ubuntu ship it apart)
        import venv  # noqa: F401
    except ImportError:
        raise Problem(
            "this Python cannot make virtual environments; on Debian or Ubuntu: sudo apt install python{}.{}-venv".format(
                *sys.version_info[:2]
            )
        ) from None


def check_disk(free=None):
    free = shutil.disk_usage(ROOT).free if free is None else free
    if free < NEEDED_GB * GIGABYTE:
        raise Problem(
            "the environment needs {} GB, this disk has {:.1f} GB free; free some space or clone the course elsewhere".format(
                NEEDED_GB, free / GIGABYTE
            )
        )


def install():
    whole = installed() is not None  # a finished one is updated in place, an unfinished one is made anew
    if whole:
        os.remove(STAMP)
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    with open(LOG, "w"):
        pass
    if not whole:
        say("making .venv with Python {}.{}.{}".format(*sys.version_info[:3]))
        run([sys.executable, "-m", "venv", "--clear", VENV], "making the virtual environment failed")
    say("installing the pinned requirements: a few minutes, about 3 GB to download on Linux, then a silent minute")
    pip("-r", "requirements.txt")
    say("installing the course's own package")
    pip("--no-deps", "--no-build-isolation", "-e", ".")
    with open(STAMP, "w") as file:
        file.write(digest() + "\n")
    say("the environment is ready: .venv")


def pip(*arguments):
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    run(command + list(arguments), "pip could not install the requirements")


def run(command, complaint):
    """Run a command, show its progress, keep all of it in a log."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, errors="replace"
    )
    lines = []
    with open(LOG, "a", encoding="utf-8") as log:
        for line in process.stdout:
            log.write(line)
            lines.append(line)
            if line.strip().startswith(("Collecting", "Downloading", "Installing")):
                print("  " + line.strip()[:100], flush=True)
    if process.wait() != 0:
        raise Problem("{}: {} (log: {})".format(complaint, remedy("".join(lines)), os.path.relpath(LOG, ROOT)))


def remedy(output):
    """The likely cause of a failed install, from what it printed."""
    if "No space left" in output or "Errno 28" in output:
        return "the disk is full; free {} GB and run the same command again".format(NEEDED_GB)
    if any(
        sign in output for sign in ("NewConnectionError", "NameResolutionError", "Temporary failure", "ConnectTimeout")
    ):
        return "the package index cannot be reached; check the network and run the same command again"
    if "No matching distribution" in output or "Could not find a version" in output:
        return "a pinned package is not to be had for this Python or platform; try Python {}.{}".format(*OLDEST)
    return "see the end of the log, then run the same command again"


def say(text):
    print("environment: " + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
