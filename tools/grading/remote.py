"""The grader's end of the line: a student's function looks like a function, and runs inside the sandbox.

A checker calls it, reads its answer and judges it, in a process that never sees the student's code. What comes back is
plain data (inside/wire.py); whatever else it is, it cannot be asked to compare itself.
"""

import builtins
import contextlib
import functools
import io
import json
import os
import pickle
import select
import time

from tools.grading.inside import wire
from tools.grading.sandbox import INSIDE, ROOT, Limits, Sandbox, Watch, end

MOST_STEPS = 20_000  # of an iterator, and of callbacks in one call


class SandboxDied(BaseException):
    """The sandbox is gone. No checker may take it for an error of the function, so it is not an Exception."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind, self.reason = kind, reason


class AnswerError(Exception):
    """An answer that cannot leave the sandbox."""


class Patience:
    """Seconds of waiting. A step counts for a second at most: a laptop that slept did not wait."""

    def __init__(self, seconds):
        self.left, self.last = seconds, time.monotonic()

    def step(self):
        now = time.monotonic()
        self.left -= min(now - self.last, 1.0)
        self.last = now
        return self.left > 0


class Session:
    """One sandbox with one notebook inside."""

    def __init__(self, sandbox: Sandbox, limits: Limits, cells, own, notice=lambda words: None):
        self.limits, self.notice, self.callbacks, self.exceptions, self.number = limits, notice, [], {}, 0
        settings = json.dumps({"bounds": limits.bounds(), "root": str(ROOT)})
        self.process = sandbox.start([str(INSIDE / "worker.py"), settings], limits)
        self.watch = Watch(self.process, limits)
        self.watch.start()
        self.out, self.into = self.process.stdout.fileno(), self.process.stdin.fileno()
        for number in (self.out, self.into):
            os.set_blocking(number, False)
        opened = self.ask({"op": "open", "cells": cells, "own": own}, patience=5 * limits.seconds)
        with self.sense():
            self.notices = [str(words)[:200] for words in opened["ok"]["notices"]][:20]

    def close(self):
        self.watch.stop()
        end(self.process)

    def pending(self):
        """Whether something was said that nobody asked for."""
        return bool(select.select([self.out], [], [], 0)[0])

    # --- frames, with patience ---

    def ask(self, tree, blob=b"", patience=None):
        """Send one question; the answer's tree, with the bytes under "blob"."""
        waiting = Patience(patience or self.limits.seconds)
        self.number += 1
        buffer = io.BytesIO()
        wire.send(buffer, tree | {"number": self.number}, blob)
        self._write(buffer.getvalue(), waiting)
        for _ in range(MOST_STEPS):
            try:
                answer, data = wire.receive(lambda count: self._read(count, waiting))
            except wire.WireError as error:
                raise self._died("protocol", f"the submission's process sent {error}") from None
            if not isinstance(answer, dict):
                raise self._died("protocol", "the submission's process sent nonsense")
            if "notice" in answer:
                self.notice(str(answer["notice"])[:300])
            elif "callback" in answer:
                self._call_back(answer, data, waiting)
            elif answer.get("number") != self.number:
                raise self._died("protocol", "the submission's process answered what was not asked")
            else:
                return answer | {"blob": data}
        raise self._died("protocol", "it asked the checker back without end")

    def _read(self, count, waiting):
        parts, left = [], count
        while left:
            ready, _, _ = select.select([self.out], [], [], 0.2)
            if ready:
                data = os.read(self.out, min(left, 1 << 20))
                if not data:
                    raise self._died("ended", "")
                parts.append(data)
                left -= len(data)
            if not waiting.step():
                raise self._died("time", f"no answer within {self.limits.seconds:g} seconds")
        return b"".join(parts)

    def _write(self, data, waiting):
        view = memoryview(data)
        while view:
            _, ready, _ = select.select([], [self.into], [], 0.2)
            if ready:
                try:
                    view = view[os.write(self.into, view) :]
                except BrokenPipeError:
                    raise self._died("ended", "") from None
            if not waiting.step():
                raise self._died("time", f"it did not listen for {self.limits.seconds:g} seconds")

    def _died(self, kind, reason):
        if kind == "ended":
            status = self._status()
            kind, reason = "ended", f"its process ended itself ({status})"
        if self.watch.reason:
            kind, reason = "limit", self.watch.reason
        self.close()
        return SandboxDied(kind, reason)

    def _status(self):
        try:
            code = self.process.wait(timeout=5)
        except Exception:
            return "and left its children"
        signals = {
            137: "killed, probably out of memory",
            139: "a crash of the interpreter",
            152: "out of processor time",
            159: "a forbidden system call",
        }
        complaint = b""
        if code == 125 and self.process.stderr:
            os.set_blocking(self.process.stderr.fileno(), False)
            complaint = self.process.stderr.read(500) or b""
        return signals.get(code, f"status {code}") + (
            ": " + complaint.decode(errors="replace").strip() if complaint else ""
        )

    # --- values ---

    def value(self, tree, blob, given=()):
        decoder = wire.Decoder(blob, self._stand_in)
        decoder.given = given
        try:
            return decoder(tree)
        except wire.WireError as error:
            raise AnswerError(str(error)) from None

    def _stand_in(self, tree, children):
        handle = int(tree["handle"])
        if tree["t"] == "module":
            return remote_module(self, tree, handle, children)
        can = [name for name in tree["can"] if name in METHODS]
        body = {name: METHODS[name] for name in can} | {"__slots__": (), "__repr__": _shown}
        made = type(_identifier(tree["name"]), (Stranger,), body)
        return made(self, handle)

    def load(self, names):
        """Values by name; or the reason why there are none: ("missing" or "broken" or "error", words)."""
        answer = self.ask({"op": "load", "names": names}, patience=5 * self.limits.seconds)
        with self.sense():
            where = {name: [int(cell) for cell in answer.get("where", {}).get(name, [])] for name in names}
            if "missing" in answer:
                broken = answer.get("broken")
                return None, ("broken", str(broken)) if broken else ("missing", str(answer["missing"][0])), where
            if "error" in answer:
                return None, ("error", self.complaint(answer["error"])), where
            return {name: self.value(answer["ok"][name], answer["blob"]) for name in names}, None, where

    @contextlib.contextmanager
    def sense(self):
        """What is read here has a form of its own; anything else was made up."""
        try:
            yield
        except (TypeError, KeyError, ValueError, IndexError, AttributeError, RecursionError):
            raise self._died("protocol", "the submission's process sent nonsense") from None

    def complaint(self, error):
        where = f" ({error['where']})" if error.get("where") else ""
        return f"{error.get('type', 'Error')}: {error.get('message', '')}{where}"

    def call(self, handle, method, arguments, keywords=None):
        """Run a method of something inside; what it changed in tensors, modules and generators is changed here, too."""
        import torch

        buffer = io.BytesIO()
        Pickler(buffer, self).dump((arguments, keywords or {}, torch.is_grad_enabled()))
        answer = self.ask({"op": "call", "handle": handle, "method": method}, buffer.getvalue())
        if "error" in answer:
            with self.sense():
                error = self.exception(answer["error"])
            raise error
        changeable = wire.changeable(arguments)
        for place, change in answer.get("changes", []):
            plain = {
                name: tree if name == "module" else self.value(tree, answer["blob"]) for name, tree in change.items()
            }
            _apply(changeable[place], plain)
        return self.value(answer["ok"], answer["blob"], changeable)

    def exception(self, told):
        """An exception of the same name. Only ordinary ones: none that ends the grader."""
        name, message = _identifier(told.get("type", "Error")), str(told.get("message", ""))[:600]
        if told.get("quits"):
            self.notice(f"raised {name}, which ends a program")
        if name == "AnswerError":
            self.notice(f"gave an answer that cannot be read: {message}")
        if told.get("full"):
            self.notice("filled its disk")
        if told.get("memory"):
            self.notice("ran out of the memory it may take")
        if told.get("stub"):
            return NotImplementedError(message)
        kind = getattr(builtins, name, None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, UnicodeError | OSError):
            kind = self.exceptions.setdefault(name, type(name, (Exception,), {}))
        return kind(message)

    def _call_back(self, answer, data, waiting):
        try:
            arguments, keywords = self.value(answer["arguments"], data)
            result = self.callbacks[int(answer["callback"])](*arguments, **keywords)
            reply = {"ok": True}
            buffer = io.BytesIO()
            Pickler(buffer, self).dump(result)
        except Exception as error:
            reply, buffer = {"error": f"{type(error).__name__}: {error}"[:300]}, io.BytesIO()
        framed = io.BytesIO()
        wire.send(framed, reply, buffer.getvalue())
        self._write(framed.getvalue(), waiting)


def _identifier(name):
    name = "".join(letter for letter in str(name) if letter.isalnum() or letter == "_")[:60]
    return name if name.isidentifier() else "object"


def _apply(value, change):
    import torch

    if "tensor" in change and isinstance(change["tensor"], torch.Tensor):
        with torch.no_grad():
            if change["tensor"].shape == value.shape and change["tensor"].dtype == value.dtype:
                value.copy_(change["tensor"])
            else:
                value.data = change["tensor"]
    elif "generator" in change:
        value.set_state(change["generator"])
    elif "module" in change:
        _apply_to_module(value, change)
    elif "items" in change and isinstance(value, list) and isinstance(change["items"], list):
        value[:] = change["items"]
    elif "items" in change and isinstance(value, dict) and isinstance(change["items"], dict):
        value.clear()
        value.update(change["items"])


def _apply_to_module(value, change):
    """What the student's code did to a module: parts in the place of others, modes, which weights learn, and their numbers."""
    told = change["module"]
    for name in told["gone"]:
        _parent(value, str(name))._modules.pop(str(name).rsplit(".", 1)[-1], None)
    for name, part in change["parts"]:
        _parent(value, str(name))._modules[str(name).rsplit(".", 1)[-1]] = part
    for name, part in value.named_modules():
        part.training = bool(told["modes"].get(name, part.training))
    value.load_state_dict(value.state_dict() | change["state"], strict=False)
    for name, weight in value.named_parameters():
        weight.requires_grad_(bool(told["learns"].get(name, weight.requires_grad)))


def _parent(value, name):
    above = name.rpartition(".")[0]
    try:
        return value.get_submodule(above)
    except AttributeError:  # its parent is gone, too
        return _Nothing()


class _Nothing:
    """Where a part of a part that is gone would be."""

    def __init__(self):
        self._modules = {}


def _checkers_own(kind):
    return kind.__module__.startswith("vgg_course.check") or "<locals>" in kind.__qualname__


class Pickler(pickle.Pickler):
    """The checker's values for the sandbox. Functions stay here and are called back; the checkers' module is not inside."""

    def __init__(self, file, session):
        super().__init__(file)
        self.session = session

    def persistent_id(self, value):
        import types

        import torch

        if isinstance(value, Stranger):
            return "own", value._handle
        if isinstance(value, torch.Generator):
            return "generator", bytes(value.get_state().numpy())
        if isinstance(value, types.FunctionType | types.MethodType | functools.partial):
            module = getattr(value, "__module__", "") or ""
            local = "<" in getattr(value, "__qualname__", "<")
            return self._callback(value) if local or module.startswith(("vgg_course.check", "private")) else None
        if isinstance(value, torch.nn.Module):
            if hasattr(value, "_stranger_handle"):
                return "own", value._stranger_handle
            if "<locals>" in type(value).__qualname__:
                return "layer", self._callback(value.forward)[1]
        elif callable(value) and _checkers_own(type(value)):
            return self._callback(value)
        return None

    def reducer_override(self, value):
        """A dictionary or a list of a checker's own kind goes in as an ordinary one."""
        if _checkers_own(type(value)):
            for kind in (dict, list, tuple):
                if isinstance(value, kind):
                    return kind, (kind(value),)
        return NotImplemented

    def _callback(self, value):
        self.session.callbacks.append(value)
        return "callback", len(self.session.callbacks) - 1


# --- what stands for things inside ---


class Stranger:
    """Something of the student's that is no data. It can be called or indexed if it could inside; comparing asks nobody."""

    __slots__ = ("_handle", "_session")

    def __init__(self, session, handle):
        self._session, self._handle = session, handle

    def _ask(self, method, *arguments, **keywords):
        return self._session.call(self._handle, method, arguments, keywords)


def _shown(stranger):
    return f"<{type(stranger).__name__} object>"


def _length(stranger):
    length = stranger._ask("__len__")
    if not isinstance(length, int) or not 0 <= length < 10**9:
        raise TypeError("a length must be a whole number")
    return length


def _iterate(stranger):
    steps = stranger._ask("__iter__")
    if not isinstance(steps, Stranger) or not hasattr(type(steps), "__next__"):
        raise TypeError("iter() returned no iterator")
    for _ in range(MOST_STEPS):
        try:
            yield steps._ask("__next__")
        except RuntimeError as error:
            if str(error) == "StopIteration":
                return
            raise
        except StopIteration:
            return
    raise AnswerError(f"it goes on after {MOST_STEPS} items")


METHODS = {
    "__call__": lambda stranger, *arguments, **keywords: stranger._ask("__call__", *arguments, **keywords),
    "__getitem__": lambda stranger, index: stranger._ask("__getitem__", index),
    "__len__": _length,
    "__iter__": _iterate,
    "__next__": lambda stranger: stranger._ask("__next__"),
}


def remote_module(session, tree, handle, children):
    """A module of a class of the student's: its parts are as they were described, its forward runs inside."""
    import torch

    def forward(self, *arguments):
        return session.call(handle, "forward", arguments)

    made = type(_identifier(tree["name"]), (torch.nn.Module,), {"forward": forward})()
    made._stranger_handle = handle
    for name, child in children:
        made.add_module(name, child)
    made.training = bool(tree["training"])
    return made
