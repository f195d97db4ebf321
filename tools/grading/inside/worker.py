"""Runs one submission's code inside the sandbox and answers the grader's calls. It knows no right answer.

    python -I worker.py SETTINGS          SETTINGS is JSON: bounds for limits.py, root (where vgg_course is)

The grader asks on standard input and hears on standard output, in frames of wire.py; what the student prints goes nowhere.
Anything that comes out of here may be the student's invention: the other side takes it for the student's answer, no more.
"""

import io
import json
import os
import pickle
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import limits  # noqa: E402
import slicing  # noqa: E402
import wire  # noqa: E402

TRUSTED = frozenset((
    "abc", "collections", "contextlib", "copy", "dataclasses", "enum", "functools", "itertools", "json", "math", "matplotlib",
    "numpy", "operator", "pathlib", "random", "re", "sklearn", "statistics", "string", "textwrap", "time", "torch",
    "torchvision", "typing", "vgg_course",
))  # fmt: skip
LIBRARY = os.path.dirname(os.__file__)
READABLE = (
    sys.prefix,
    sys.base_prefix,
    HERE,
    "/usr/lib",
    "/lib",
    "/tmp",
    "/dev/null",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/sys/",
)
EVENTS = {
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.fork", "os.forkpty", "os.kill", "os.killpg",
    "pty.spawn", "subprocess.Popen", "socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request",
    "ctypes.dlopen", "ctypes.dlsym", "sys.settrace", "sys.setprofile", "gc.get_objects", "gc.get_referrers", "os.chmod",
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.listdir", "os.scandir", "shutil.rmtree",
}  # fmt: skip


class Alarm:
    """Tells the grader, before it happens, what the student's own lines ask of the system. It stops nothing: walls do."""

    def __init__(self, tell, root):
        self.tell, self.armed, self.readable, self.count = tell, False, (*READABLE, root), 0

    def __call__(self, event, arguments):
        if not self.armed or self.count > 40:
            return
        if event == "open":
            path, mode = arguments[0], str(arguments[1] or "r")
            if not isinstance(path, str | bytes):
                return
            path = os.path.abspath(os.fsdecode(path))
            writes = any(letter in mode for letter in "wax+") or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            known = path.startswith(self.readable) and not writes
            if not known and path != "/dev/null" and self.asked():
                self.say(f"tried to {'write' if writes else 'open'} {path[:120]!r}")
        elif event in EVENTS and self.asked():
            detail = next(
                (str(part)[:80] for part in arguments if isinstance(part, str | tuple | int) and part != ""), ""
            )
            self.say(f"called {event}({detail})")

    def asked(self):
        """Whether the student's line asked, and not a library on its own account."""
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("cell "):
                return True
            if (
                name.startswith("<frozen importlib")
                or "site-packages" in name
                or not name.startswith((LIBRARY, "<", HERE))
            ):
                return False
            frame = frame.f_back
        return False

    def say(self, words):
        self.count += 1
        self.tell(words)


class Worker:
    def __init__(self, reader, writer, root):
        self.reader, self.writer, self.root = reader, writer, root
        self.kept, self.told, self.notebook, self.pid = [], set(), None, os.getpid()
        self.alarm = Alarm(self.notice, root)

    # --- talking ---

    def read(self, count):
        data = self.reader.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def notice(self, words):
        if words not in self.told and len(self.told) < 100:
            self.told.add(words)
            wire.send(self.writer, {"notice": words})

    def keep(self, value):
        if len(self.kept) > 100_000:
            raise wire.WireError("too many objects")
        self.kept.append(value)
        return len(self.kept) - 1

    def encoder(self):
        return wire.Encoder(self.keep, self.notice)

    def serve(self):
        while True:
            asked, blob = wire.receive(self.read)
            try:
                answer = getattr(self, "do_" + asked["op"])(asked, blob)
            except wire.WireError as error:
                answer = {"error": {"type": "AnswerError", "message": str(error)}}, b""
            except (
                Exception
            ) as error:  # something of the checker's that does not go in, or of the student's that broke us
                answer = {"error": {"type": "AnswerError", "message": f"{type(error).__name__}: {error}"[:300]}}, b""
            self.alarm.armed = False
            if os.getpid() != self.pid:  # a child that the student's code made, and that came home
                os._exit(0)
            tree, data = answer
            wire.send(self.writer, tree | {"number": asked["number"]}, data)

    # --- what the grader asks ---

    def do_open(self, asked, blob):
        """The cells of a notebook; ``own`` are those that are not as they were handed out."""
        cells = asked["cells"]
        self.notebook = slicing.Notebook(cells)
        notices = slicing.worth_a_look([cells[number] for number in asked["own"]])
        return {"ok": {"notices": notices, "broken": self.notebook.broken}}, b""

    def do_load(self, asked, blob):
        """Run what defines these names, in a module of its own; their values."""
        names = asked["names"]
        missing = [name for name in names if not self.notebook.defines(name)]
        if missing:
            return {"missing": missing, "broken": self.notebook.broken_for(missing[0])}, b""
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        where = {name: self.notebook.defines(name) for name in names}
        for cell, node in self.notebook.slice(names):
            problem = self.execute(cell, node, module.__dict__)
            if problem:
                return {"error": problem, "where": where}, b""
        encoder = self.encoder()
        tree = {name: encoder(module.__dict__.get(name)) for name in names}
        return {"ok": tree, "where": where}, bytes(encoder.blob)

    def execute(self, cell, node, space):
        import ast

        code = compile(ast.Module([node], []), f"cell {cell + 1}", "exec")
        imports = isinstance(node, ast.Import | ast.ImportFrom)
        roots = {a.name for a in node.names} if isinstance(node, ast.Import) else {getattr(node, "module", "") or ""}
        self.alarm.armed = not (imports and {root.split(".")[0] for root in roots} <= TRUSTED)
        try:
            exec(code, space)
        except BaseException as error:
            return described(error)
        finally:
            self.alarm.armed = False
        return None

    def do_call(self, asked, blob):
        """Call a method of something kept; the answer, and what the call changed in its arguments."""
        arguments, keywords, gradients = Unpickler(io.BytesIO(blob), self).load()
        torch = sys.modules.get("torch")
        target, method = self.kept[asked["handle"]], asked["method"]
        changeable = wire.changeable(arguments)
        before = [snapshot(value, torch) for value in changeable]
        encoder = self.encoder()
        if torch is not None:
            encoder.given = {id(v): i for i, v in enumerate(changeable) if isinstance(v, torch.nn.Module)}
        self.alarm.armed = True
        try:
            if torch is not None:
                with torch.set_grad_enabled(gradients):
                    answer = getattr(type(target), method)(target, *arguments, **keywords)
            else:
                answer = getattr(type(target), method)(target, *arguments, **keywords)
        except BaseException as error:
            self.alarm.armed = False
            return {"error": described(error)}, b""
        self.alarm.armed = False
        tree = encoder(answer)
        changes = []
        for place, (value, old) in enumerate(zip(changeable, before, strict=True)):
            change = changed(value, old, torch, encoder)
            if change is not None:
                changes.append([place, change])
        return {"ok": tree, "changes": changes}, bytes(encoder.blob)

    # --- what the student's code asks of the checker ---

    def back(self, number, arguments, keywords):
        """Call a function that the checker handed over."""
        armed, self.alarm.armed = self.alarm.armed, False
        encoder = self.encoder()
        tree = encoder([list(arguments), keywords])
        wire.send(self.writer, {"callback": number, "arguments": tree}, bytes(encoder.blob))
        reply, blob = wire.receive(self.read)
        self.alarm.armed = armed
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return Unpickler(io.BytesIO(blob), self).load()


class Unpickler(pickle.Unpickler):
    """The grader's data; what cannot be data is a number."""

    def __init__(self, file, worker):
        super().__init__(file)
        self.worker = worker

    def persistent_load(self, token):
        kind, what = token
        if kind == "callback":
            return lambda *arguments, **keywords: self.worker.back(what, arguments, keywords)
        if kind == "own":
            return self.worker.kept[what]
        import torch

        if kind == "generator":
            return torch.Generator().set_state(torch.frombuffer(bytearray(what), dtype=torch.uint8))

        class Layer(torch.nn.Module):
            """A layer of the checker's."""

            def forward(layer, *arguments):
                return self.worker.back(what, arguments, {})

        return Layer().train(True)


def described(error):
    where, frame = "", error.__traceback__
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        if name.startswith("cell "):
            where = f"{name}, line {frame.tb_lineno}"
        frame = frame.tb_next
    try:
        message = str(error)
    except BaseException:
        message = ""
    told = {
        "type": type(error).__name__[:80],
        "message": message[:600].encode("utf-8", "replace").decode(),
        "where": where,
    }
    quits = isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit)
    full = isinstance(error, OSError) and error.errno in (27, 28, 122)
    return told | {
        "stub": isinstance(error, NotImplementedError),
        "quits": quits,
        "full": full,
        "memory": isinstance(error, MemoryError),
    }


def snapshot(value, torch):
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach().clone()
    if torch is not None and isinstance(value, torch.Generator):
        return value.get_state()
    if torch is not None and isinstance(value, torch.nn.Module):
        return of_module(value) | {
            "state": {name: tensor.detach().clone() for name, tensor in value.state_dict().items()}
        }
    return repr(value) if len(value) < 1000 else None


def of_module(value):
    """Which parts a module has, in which mode they are, and which of its parameters learn."""
    return {
        "parts": dict(value.named_modules()),
        "modes": {name: bool(part.training) for name, part in value.named_modules()},
        "learns": {name: bool(weight.requires_grad) for name, weight in value.named_parameters()},
    }


def changed_module(value, old, torch, encoder):
    new, state = of_module(value), value.state_dict()
    parts = [name for name, part in new["parts"].items() if old["parts"].get(name) is not part]
    parts = [name for name in parts if not any(name.startswith(other + ".") for other in parts)]
    gone = [name for name in old["parts"] if name not in new["parts"]]
    moved = {
        name: tensor
        for name, tensor in state.items()
        if tensor.device.type != "meta"
        and not any(name.startswith(part + ".") for part in parts)
        and (name not in old["state"] or not torch.equal(tensor, old["state"][name]))
    }
    if not parts and not gone and not moved and new["modes"] == old["modes"] and new["learns"] == old["learns"]:
        return None
    told = {"modes": new["modes"], "learns": new["learns"], "gone": gone}
    return {"module": told, "parts": encoder([[name, new["parts"][name]] for name in parts]), "state": encoder(moved)}


def changed(value, old, torch, encoder):
    """What is different now, as data; None if nothing is."""
    if torch is not None and isinstance(value, torch.Tensor):
        if value.device.type == "meta":
            return None
        same = (
            value.shape == old.shape
            and value.dtype == old.dtype
            and torch.equal(torch.nan_to_num(value.detach()), torch.nan_to_num(old))
        )
        return (
            None if same and torch.equal(value.detach().isnan(), old.isnan()) else {"tensor": encoder(value.detach())}
        )
    if torch is not None and isinstance(value, torch.Generator):
        state = value.get_state()
        return None if torch.equal(state, old) else {"generator": encoder(state)}
    if torch is not None and isinstance(value, torch.nn.Module):
        return changed_module(value, old, torch, encoder)
    return None if old is None or repr(value) == old else {"items": encoder(value)}


def main():
    settings = json.loads(sys.argv[1])
    limits.apply(**settings["bounds"])
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    sys.path[0] = settings["root"]
    sys.argv[:] = [""]
    worker = Worker(reader, writer, settings["root"])
    sys.addaudithook(worker.alarm)
    try:
        worker.serve()
    except (EOFError, BrokenPipeError):
        os._exit(0)


if __name__ == "__main__":
    main()
