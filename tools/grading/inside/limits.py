"""What binds a process once it is inside: resource limits, and system calls that are refused. Nothing but the standard library.

The walls (files, network, other processes) are the sandbox's; they stand before this runs. What is set here holds in every
kind of sandbox, cannot be taken back, and is inherited by every child.
"""

import ctypes
import os
import platform
import resource
import struct

MB = 10**6

# Calls that a solution never needs: new namespaces and mounts, looking into other processes, the kernel's key store, and
# memory that no limit counts (memfd, System V shared memory). Numbers are the kernel's, by machine.
REFUSED = {
    "x86_64": (0xC000003E, (29, 101, 155, 165, 166, 175, 246, 248, 249, 250, 272, 298, 304, 308, 310, 311, 313, 319, 321, 323)),
    "aarch64": (0xC00000B7, (39, 40, 41, 97, 104, 105, 117, 194, 217, 218, 219, 241, 265, 268, 270, 271, 273, 279, 280, 282)),
}  # fmt: skip
REFUSED_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442)  # io_uring and the new mount calls
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
JOIN_KEYRING = {"x86_64": 250, "aarch64": 219}


def apply(memory, disk, processes, seconds):
    """Bind this process and its children.

    Args:
        memory: bytes of private memory a process.
        disk: bytes of the largest file.
        processes: processes and threads of this user in this sandbox.
        seconds: of processor time a process.
    """
    seconds = int(seconds) + 1
    for name, value in {
        "CORE": 0,
        "CPU": seconds,
        "DATA": memory,
        "AS": memory + 20_000 * MB,  # the libraries of a CUDA torch alone take 10 GB of addresses, and no memory
        "FSIZE": disk,
        "NOFILE": 128,
        "NPROC": processes,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
    }.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
    os.nice(5)
    refuse_calls()


def refuse_calls():
    """A seccomp filter: the calls above fail with EPERM. On a machine whose numbers we do not know, the walls must do."""
    libc, machine = ctypes.CDLL(None, use_errno=True), platform.machine()
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if machine not in REFUSED:
        return
    libc.syscall(JOIN_KEYRING[machine], 1, None)  # a key ring of its own, not the one with the grader's tickets
    architecture, numbers = REFUSED[machine]
    numbers = (*numbers, *REFUSED_EVERYWHERE)

    def step(code, jump_true, jump_false, k):
        return struct.pack("HBBI", code, jump_true, jump_false, k)

    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    refuse, allow, kill = 0x00050001, 0x7FFF0000, 0x80000000
    count = len(numbers)
    program = step(load, 0, 0, 4) + step(equal, 1, 0, architecture) + step(answer, 0, 0, kill) + step(load, 0, 0, 0)
    program += step(at_least, count + 1, 0, 0x40000000)  # the x32 twins of the same calls
    for place, number in enumerate(numbers):
        program += step(equal, count - place, 0, number)
    program += step(answer, 0, 0, allow) + step(answer, 0, 0, refuse)
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    handle = Program(len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(SECCOMP, FILTER, ctypes.byref(handle), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the filter of system calls was not accepted")
