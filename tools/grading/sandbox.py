"""Where students' code runs: no network, no file of yours, limits on time, memory, processes and disk.

``confine(command)`` gives the command line that runs it inside. Three ways, in this order: bubblewrap where it is installed;
namespaces.py, the same from Python alone; a container (docker or podman). ``prove`` tries to break out of one with
inside/probes.py; what does not hold is not used. Nothing is run unprotected unless somebody asks for it by name.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.project import ROOT

MB = 10**6
HERE = Path(__file__).resolve().parent
INSIDE = HERE / "inside"
LIBRARIES = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/etc/ld.so.cache",
    "/etc/alternatives",
)
IMAGE = "vgg-course-grading"  # what tools/grading/Dockerfile builds
CONTAINERS = ("docker", "podman")
UNPROTECTED = "unprotected"


class SandboxError(Exception):
    """No sandbox, or one that leaks. Its text says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one submission may take."""

    seconds: float = 20  # of waiting for one answer; loading may take five times as long
    total_seconds: float = 240  # for all of a submission
    memory: int = 2000 * MB  # bytes, of all its processes together
    disk: int = 64 * MB
    processes: int = 16  # and threads

    def bounds(self):
        """For inside/limits.py."""
        return {"memory": self.memory, "disk": self.disk, "processes": self.processes, "seconds": self.total_seconds}


@dataclass(frozen=True)
class Probe:
    name: str
    held: bool
    found: str

    def __str__(self):
        return f"{'held' if self.held else 'LEAKS':5}  {self.name}: {self.found}"


@dataclass(frozen=True)
class Sandbox:
    """A way to confine: its name, and what it found out about itself."""

    name: str
    probes: tuple[Probe, ...] = ()
    program: str = ""

    @property
    def is_container(self):
        return self.name in CONTAINERS

    def confine(self, command: Sequence[str], limits: Limits, name: str = "") -> list[str]:
        """The command line that runs ``command`` (Python's arguments) inside; ``name`` is a container's."""
        if self.is_container:
            return _container(self, list(command), limits, name)
        build = {"bubblewrap": _bubblewrap, "namespaces": _namespaces, UNPROTECTED: _plain}[self.name]
        return build(self, list(command), limits)

    def start(self, command: Sequence[str], limits: Limits) -> subprocess.Popen:
        """The process, with pipes. Nothing of the caller's environment goes in; it dies with the caller."""
        name = f"vgg-grading-{secrets.token_hex(6)}" if self.is_container else ""
        process = subprocess.Popen(
            self.confine(command, limits, name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_client_environment() if self.is_container else _environment(),
            cwd="/",
            start_new_session=True,
        )
        process.container = [self.program or self.name, name] if name else None
        return process


def _environment():
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLCONFIGDIR": "/tmp",
        "MPLBACKEND": "agg",
    }


def _client_environment():
    """The container's client needs to find its daemon; the container itself gets none of this."""
    kept = ("PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST")
    return {name: os.environ[name] for name in kept if name in os.environ}


def readable() -> list[str]:
    """What may be read inside: Python with its libraries, the course's package without its checkers, and inside/."""
    own = [sys.prefix, sys.base_prefix, str(ROOT / "vgg_course"), str(ROOT / "book" / "results"), str(INSIDE)]
    return [path for path in (*own, *LIBRARIES) if os.path.exists(path)]


def hidden() -> list[str]:
    return [str(ROOT / "vgg_course" / "check")]


# --- three ways ---


def _python(command):
    return [sys.executable, "-I", *command]


def _namespaces(sandbox, command, limits):
    spec = {"reads": readable(), "hides": hidden(), "disk": limits.disk, "files": 1000}
    return [sys.executable, "-I", "-S", str(HERE / "namespaces.py"), json.dumps(spec), *_python(command)]


def _bubblewrap(sandbox, command, limits):
    arguments = [sandbox.program or "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    bound = set()
    for path in readable():
        real = os.path.realpath(path)
        if real not in bound:
            arguments += ["--ro-bind", real, real]
            bound.add(real)
        if real != path and not any(os.path.commonpath([path, other]) == other for other in bound):
            arguments += ["--symlink", real, path]
    arguments += ["--dev", "/dev", "--proc", "/proc", "--size", str(limits.disk), "--tmpfs", "/tmp"]
    for path in hidden():
        arguments += ["--tmpfs", path, "--remount-ro", path]
    return [*arguments, "--remount-ro", "/", "--chdir", "/tmp", "--", *_python(command)]


def _container(sandbox, command, limits, name):
    """Docker or podman. The image brings Python and torch; the course's own code is mounted, so that it is this one."""
    mounts = [str(ROOT / "vgg_course"), str(ROOT / "book" / "results"), str(INSIDE)]
    arguments = [sandbox.program or sandbox.name, "run", "--rm", "--interactive", "--network=none", "--read-only"]
    arguments += ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=65534:65534", "--init", "--ipc=none"]
    arguments += [f"--memory={limits.memory}", f"--memory-swap={limits.memory}", f"--pids-limit={limits.processes + 4}"]
    arguments += ["--cpus=1", f"--tmpfs=/tmp:rw,nosuid,nodev,size={limits.disk}", "--workdir=/tmp"]
    arguments += [f"--name={name}"] if name else []
    for path in mounts:
        arguments += ["--mount", f"type=bind,source={path},target={path},readonly"]
    for path in hidden():
        arguments += [f"--tmpfs={path}:ro,size=4k"]
    for variable, value in _environment().items():
        arguments += ["--env", f"{variable}={value}"]
    return [*arguments, IMAGE, "python", "-I", *command]


def _plain(sandbox, command, limits):
    return _python(command)


# --- which one, and does it hold? ---


def candidates() -> list[Sandbox]:
    """The ways that this machine might have, the best first."""
    found = []
    if os.geteuid() != 0 and (
        program := shutil.which("bwrap")
    ):  # it leaves root root, whom no limit on processes binds
        found.append(Sandbox("bubblewrap", program=program))
    if sys.platform == "linux":
        found.append(Sandbox("namespaces"))
    found += [Sandbox(name, program=program) for name in CONTAINERS if (program := shutil.which(name))]
    return found


def find(limits: Limits = Limits(), wanted: str = "") -> Sandbox:
    """The first sandbox that holds. Raises :class:`SandboxError` when none does."""
    if wanted == UNPROTECTED:
        return Sandbox(UNPROTECTED)
    reasons = []
    for sandbox in candidates():
        if wanted and sandbox.name != wanted:
            continue
        probes = prove(sandbox, limits)
        if all(probe.held for probe in probes):
            return Sandbox(sandbox.name, tuple(probes), sandbox.program)
        reasons += [f"  {sandbox.name}: {probe}" for probe in probes if not probe.held]
    raise SandboxError(
        "no sandbox holds on this machine, so nothing was graded.\n"
        + "\n".join(reasons or ["  neither Linux namespaces nor docker or podman are here"])
        + "\nOn Linux, install bubblewrap (apt install bubblewrap), or allow user namespaces "
        "(Ubuntu 24.04: sysctl kernel.apparmor_restrict_unprivileged_userns=0). Elsewhere, start docker and build the image: "
        f"docker build -t {IMAGE} -f tools/grading/Dockerfile .\n"
        f"Students' code can delete your files and read your gradebook. If you want that: --sandbox {UNPROTECTED}"
    )


def prove(sandbox: Sandbox, limits: Limits = Limits()) -> list[Probe]:
    """Try to break out of a sandbox; one :class:`Probe` for each way."""
    secret = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix=".vgg-canary-", dir=_home()) as near, tempfile.TemporaryDirectory() as far:
        canaries = [Path(folder) / "gradebook.db" for folder in (near, far)]
        for canary in canaries:
            canary.write_text(secret)
        with socket.socket() as listener, socket.socket(socket.AF_UNIX) as local:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            if sys.platform == "linux":
                local.bind("\0vgg-" + secret)
                local.listen()
            plan = limits.bounds() | {
                "canaries": [*map(str, canaries), "/etc/passwd", "/etc/shadow", str(ROOT / "README.md")],
                "folders": [near, far, *readable()[:5], "/", "/etc"],
                "port": listener.getsockname()[1],
                "abstract": "vgg-" + secret,
                "secret": secret,
                "pid": os.getpid(),
            }
            os.environ["VGG_COURSE_PROBE"] = secret
            try:
                return _probes(sandbox, plan, limits)
            finally:
                del os.environ["VGG_COURSE_PROBE"]


def _home():
    home = Path.home()
    return home if os.access(home, os.W_OK) else None


def _probes(sandbox, plan, limits):
    process = None
    try:
        process = sandbox.start(["-S", str(INSIDE / "probes.py"), json.dumps(plan)], limits)
        printed, complaints = process.communicate(timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        if process:
            end(process)
        return [Probe("start", False, f"{type(error).__name__}: {error}")]
    lines = printed.decode(errors="replace").splitlines()
    found = [Probe(line["probe"], line["held"], line["found"]) for line in map(json.loads, lines)]
    if len(found) < 9 or process.returncode:
        reason = complaints.decode(errors="replace").strip()[-300:]
        found.append(Probe("start", False, f"status {process.returncode}; {reason}"))
    return [*found, _ends_with_us(sandbox, limits)]


def _ends_with_us(sandbox, limits):
    """When the process outside is killed, nothing inside goes on."""
    code = "import os, time\nfor _ in range(3): os.fork()\nprint('up', flush=True)\ntime.sleep(600)"
    process = sandbox.start(["-S", "-c", code], limits)
    process.stdout.read(1)
    family = descendants(process.pid)
    end(process)
    deadline = time.monotonic() + 5
    while (left := [pid for pid in family if _lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    held = not left and (sandbox.is_container or len(family) > 3)  # 3 forks make 8 processes, or as many as are allowed
    if sandbox.is_container:
        program, name = process.container
        shown = subprocess.run([program, "ps", "--quiet", "--filter", f"name={name}"], capture_output=True)
        held = shown.returncode == 0 and not shown.stdout.strip()
    return Probe("killing", held, f"{len(left)} of {len(family)} processes left")


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """All processes that a process started, from /proc; those of a namespace hang below its first process."""
    found, new = [], [pid]
    while new:
        parent = new.pop()
        children = _children(parent)
        found += children
        new += children
    return found


def _children(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return [int(child) for task in tasks for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:  # it has ended
        return []


def end(process: subprocess.Popen) -> int:
    """Kill it and all inside; returns its status."""
    process.kill()
    if getattr(process, "container", None):  # a container outlives the client that started it
        program, name = process.container
        subprocess.run([program, "kill", name], capture_output=True)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()
    return process.wait()


# --- limits that only somebody outside can hold ---


class Watch(threading.Thread):
    """Looks after the sum of what the processes of a sandbox take, which no limit on one process holds."""

    def __init__(self, process: subprocess.Popen, limits: Limits):
        super().__init__(daemon=True)
        self.process, self.limits, self.reason = process, limits, ""
        self.most_memory = self.most_processes = 0
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.05) and self.process.poll() is None:
            family = descendants(self.process.pid)
            memory = sum(map(_private_bytes, family))
            self.most_memory, self.most_processes = max(memory, self.most_memory), max(len(family), self.most_processes)
            if len(family) > self.limits.processes - 2:
                self.reason = f"it started {len(family)} processes"
            elif memory > 1.1 * self.limits.memory:
                self.reason = f"it took {memory // MB} MB of memory"
            if self.reason:
                self.process.kill()  # a container has limits of its own
                return

    def stop(self):
        self._over.set()


def _private_bytes(pid):
    """Anonymous and shared memory of a process; pages of files, such as torch's libraries, are everybody's."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(("RssAnon", "RssShmem")))
    except OSError:
        return 0
