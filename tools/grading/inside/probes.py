"""Tries to break out, before any student does: one line of JSON for each attempt. Run inside the sandbox.

    python -I -S probes.py PLAN

A probe is held if the sandbox stopped it. The plan (JSON) names what must stay out of reach.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import limits

MB = 10**6


def files_outside(plan):
    for path in plan["canaries"]:
        try:
            with open(path) as file:
                return False, f"read {path}: {file.read(20)!r}"
        except OSError as error:
            found = error.strerror
    return True, f"{len(plan['canaries'])} files of yours: {found}"


def writing_outside(plan):
    for folder in plan["folders"]:
        try:
            with open(os.path.join(folder, ".vgg-probe"), "w") as file:
                file.write("here")
            return False, f"wrote into {folder}"
        except OSError as error:
            found = error.strerror
    return True, f"{len(plan['folders'])} folders: {found}"


def network(plan):
    tries = [(socket.AF_INET, ("127.0.0.1", plan["port"])), (socket.AF_UNIX, "\0" + plan["abstract"])]
    tries += [(socket.AF_INET, ("192.0.2.1", 80))]  # an address for documentation: nobody is there
    for family, address in tries:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(2)
            try:
                one.connect(address)
                return False, f"connected to {address!r}"
            except OSError as error:
                found = error.strerror or str(error)
    return True, f"this machine and others: {found}"


def environment(plan):
    leaked = [name for name, value in os.environ.items() if plan["secret"] in value]
    return not leaked, f"leaked: {leaked}" if leaked else f"{len(os.environ)} variables, none of yours"


def other_processes(plan):
    try:
        os.kill(plan["pid"], 0)
        mine = False
        with contextlib.suppress(OSError), open(f"/proc/{plan['pid']}/cmdline", "rb") as file:
            mine = b"probes.py" in file.read()  # the same number may be one of ours in here
        if not mine:
            return False, "the grader can be signaled"
    except (ProcessLookupError, PermissionError):
        pass
    seen = [name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []
    return len(seen) < 8, f"{len(seen)} processes to be seen"


def new_namespaces(plan):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) == 0:
        return False, "a new user namespace could be made"
    return True, os.strerror(ctypes.get_errno())


def fork_bomb(plan):
    children = []
    try:
        while len(children) < 4 * plan["processes"]:
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
        return False, f"{len(children)} processes, and no end"
    except OSError as error:
        return True, f"{len(children)} more processes, then: {error.strerror}"
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def memory(plan):
    taken = []
    try:
        while sum(map(len, taken)) < 2 * plan["memory"]:
            taken.append(bytearray(32 * MB))
        return False, f"{sum(map(len, taken)) // MB} MB, and no end"
    except MemoryError:
        return True, f"{sum(map(len, taken)) // MB} MB, then no more"


def disk(plan):
    written, block = 0, b"x" * MB
    try:
        for number in range(64):
            with open(f"/tmp/filled-{number}", "wb", buffering=0) as file:
                for _ in range(plan["disk"] // MB // 4 + 1):
                    written += file.write(block)
        return False, f"{written // MB} MB, and no end"
    except OSError as error:
        return written < 1.5 * plan["disk"] + MB, f"{written // MB} MB, then: {error.strerror}"


PROBES = (
    files_outside,
    writing_outside,
    network,
    environment,
    other_processes,
    new_namespaces,
    fork_bomb,
    memory,
    disk,
)


def main():
    plan = json.loads(sys.argv[1])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits.apply(plan["memory"], plan["disk"], plan["processes"], plan["seconds"])
    for probe in PROBES:
        try:
            held, found = probe(plan)
        except Exception as error:
            held, found = False, f"{type(error).__name__}: {error}"
        print(json.dumps({"probe": probe.__name__.replace("_", " "), "held": held, "found": found}), flush=True)


if __name__ == "__main__":
    main()
