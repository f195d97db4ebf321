"""A sandbox of our own from Linux namespaces, for machines without bubblewrap. Run as a program; the standard library only.

    python -I -S namespaces.py SPEC COMMAND ...

SPEC is JSON: reads (paths bound read-only), hides (folders covered by empty ones), disk (bytes of /tmp), files (of /tmp).
The command sees these paths, an empty /tmp, four devices, and its own processes. There is no network but a loopback that is
down. When the caller dies, so does everything inside.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
KEPT = {
    1: 1,
    2: 2,
    4: 4,
    8: 8,
    1024: 1024,
    2048: 2048,
    4096: 1 << 21,
}  # statvfs's flags as mount's, which may not be dropped
DEVICES = ("null", "zero", "random", "urandom")
OLD = "/.old"
libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, kind, flags, data=None):
    encoded = [None if text is None else text.encode() for text in (source, target, kind)]
    must(libc.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode()), f"mount {target}")


def unshare(flags):
    must(libc.unshare(flags), "new namespaces")


def prctl(option, value=0):
    return libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def map_ids(user, group):
    """In the new user namespace we are who we were, and nobody else is anybody."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def bind(path):
    target = path
    if os.path.isdir(OLD + path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(OLD + path, target, None, BIND | REC)
    make_read_only(target)


def make_read_only(target):
    attributes = (ctypes.c_uint64 * 4)(RDONLY | NOSUID | NODEV, 0, 0, 0)
    if libc.syscall(442, -100, target.encode(), 0x8000, attributes, 32) == 0:  # mount_setattr, recursive, Linux 5.12
        return
    found = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in KEPT.items() if found & bit)
    mount(None, target, None, BIND | REMOUNT | RDONLY | NOSUID | NODEV | kept)


def inside_others(path, paths):
    return any(path != other and os.path.commonpath([path, other]) == other for other in paths)


def build(spec):
    """A new root: what may be read, an empty /tmp, a few devices, and /proc of the new processes."""
    mount(None, "/", None, REC | PRIVATE)
    real = {path: os.path.realpath(path) for path in spec["reads"] if os.path.exists(path)}
    links = {path: target for path, target in real.items() if path != target}
    paths = sorted({path for path in real.values() if not inside_others(path, set(real.values()))})
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV, "size=1m,mode=755")
    os.mkdir("/tmp" + OLD)
    must(libc.syscall({"x86_64": 155}.get(os.uname().machine, 41), b"/tmp", ("/tmp" + OLD).encode()), "pivot_root")
    os.chdir("/")
    for path in paths:
        bind(path)
    for path, target in links.items():
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(target, path)
    for path in spec["hides"]:
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", NOSUID | NODEV | RDONLY, "size=4k")
    os.mkdir("/dev")
    for name in DEVICES:
        os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY))
        mount(f"{OLD}/dev/{name}", f"/dev/{name}", None, BIND)
    os.mkdir("/proc")
    with contextlib.suppress(OSError):  # a container may forbid it; Python and torch live without
        mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
    os.makedirs("/tmp", exist_ok=True)
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV, f"size={spec['disk']},nr_inodes={spec['files']},mode=1777")
    must(libc.umount2(OLD.encode(), 2), "leaving the old root")
    os.rmdir(OLD)
    mount(None, "/", None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)
    os.chdir("/tmp")


def forbid_namespaces():
    with contextlib.suppress(OSError), open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def drop_privileges():
    for capability in range(64):
        prctl(24, capability)  # out of the bounding set
    libc.prctl(47, 4, 0, 0, 0)  # no ambient ones
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    must(libc.capset(header, nothing), "giving up privileges")
    prctl(38, 1)  # and no way to get new ones


def first_process(spec, command, stranger):
    """Process 1 inside: builds the walls, starts the command, waits for it; when this ends, all inside end."""
    build(spec)
    if stranger:  # limits on processes do not bind root, so be somebody whom nobody knows
        os.setgroups([])
        os.setresgid(stranger, stranger, stranger)
        os.setresuid(stranger, stranger, stranger)
        prctl(4, 1)  # /proc/self is ours again
        with contextlib.suppress(OSError):
            unshare(NEWUSER)
            map_ids(stranger, stranger)
    forbid_namespaces()
    drop_privileges()
    prctl(1, signal.SIGKILL)  # when the one outside dies, we do
    child = os.fork()
    if child == 0:
        os.setsid()
        os.execve(command[0], command, dict(os.environ))
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def main():
    spec, command = json.loads(sys.argv[1]), sys.argv[2:]
    prctl(1, signal.SIGKILL)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # if memory runs out, the sandbox goes first
    user, group = os.geteuid(), os.getegid()
    new = NEWNS | NEWPID | NEWNET | NEWIPC | NEWUTS
    stranger = 0
    if user == 0:
        stranger = 1_500_000_000 + os.getpid()
        unshare(new)
    else:
        unshare(new | NEWUSER)
        map_ids(user, group)
    child = os.fork()
    if child == 0:
        try:
            first_process(spec, command, stranger)
        except BaseException as error:
            print(f"sandbox: {error}", file=sys.stderr, flush=True)
        os._exit(125)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
