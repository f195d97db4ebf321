"""Values as data: what crosses the wall between a student's code and the checker. Both sides import this file.

Out of the sandbox come only plain values, tensors, arrays, and modules of torch.nn described by their settings. What is none
of these stays inside and is represented by a number, a *handle*, that can be asked to do a few things. Nothing is unpickled
on the grader's side. Into the sandbox goes pickle, because the grader's data is trusted there.

A frame is two lengths of 8 bytes, a JSON tree, and the bytes of tensors that the tree points into.
"""

import json
import math
import struct
import sys

MOST_JSON, MOST_BYTES = 32_000_000, 256_000_000  # of one frame
DEEPEST, MOST_ITEMS, LONGEST = 40, 200_000, 100_000  # of one value: nesting, items in all, characters
BITS = 3_500  # of a whole number; Python would refuse to print more
HEAD = struct.Struct(">QQ")


class WireError(Exception):
    """A frame or a value that cannot cross."""


# --- frames ---


def send(file, tree, blob=b""):
    text = json.dumps(tree, separators=(",", ":")).encode()
    if len(text) > MOST_JSON or len(blob) > MOST_BYTES:
        raise WireError(f"an answer of {(len(text) + len(blob)) // 10**6} MB is too large")
    file.write(HEAD.pack(len(text), len(blob)) + text + blob)
    file.flush()


def receive(read):
    """The next frame from ``read(n)``, which gives exactly n bytes or raises EOFError."""
    first, second = HEAD.unpack(read(HEAD.size))
    if first > MOST_JSON or second > MOST_BYTES:
        raise WireError("a frame that is too large, or no frame at all")
    try:
        tree = json.loads(read(first))
    except (ValueError, RecursionError) as error:
        raise WireError(f"a frame that is no JSON: {error}") from None
    return tree, read(second)


# --- values to data ---

SETTINGS = {
    "Conv2d": ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"),
    "Linear": ("in_features", "out_features", "bias"),
    "BatchNorm2d": ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    "BatchNorm1d": ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    "MaxPool2d": ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"),
    "AvgPool2d": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    "AdaptiveAvgPool2d": ("output_size",),
    "LocalResponseNorm": ("size", "alpha", "beta", "k"),
    "Flatten": ("start_dim", "end_dim"),
    "ReLU": ("inplace",),
    "LeakyReLU": ("negative_slope", "inplace"),
    "Dropout": ("p", "inplace"),
    "Softmax": ("dim",),
    "Identity": (),
    "Sigmoid": (),
    "Tanh": (),
    "Sequential": (),
    "ModuleList": (),
}
"""Modules of torch.nn that cross as what they are, with the settings that make them."""
SUSPECT = ("__eq__", "__ne__", "__bool__", "__lt__", "__gt__", "__le__", "__ge__", "__sub__", "__rsub__", "__float__")


class Encoder:
    """Turns one value into a tree and bytes. ``keep(object)`` gives the handle of what stays inside."""

    def __init__(self, keep, notice=lambda words: None):
        self.keep, self.notice, self.blob, self.items = keep, notice, bytearray(), 0
        self.given = {}  # the place among what the call may change, by id: a module that was handed in comes back as itself

    def __call__(self, value, depth=0):
        self.items += 1
        if depth > DEEPEST or self.items > MOST_ITEMS:
            raise WireError("the answer is nested too deeply, or has too many parts")
        if value is None or value is True or value is False:
            return value
        if value is ...:
            return {"t": "dots"}
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return self.tensor(value, torch)
        if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
            return self.array(value, numpy)
        if isinstance(value, int | float | str | complex | bytes):
            return self.plain(value)
        if isinstance(value, range):
            return {"t": "range", "v": [value.start, value.stop, value.step]}
        if isinstance(value, list | tuple | set | frozenset):
            kind = next(k for k in (list, tuple, set, frozenset) if isinstance(value, k))
            self.honest(value, kind)
            return {"t": kind.__name__, "v": [self(item, depth + 1) for item in kind.__iter__(value)]}
        if isinstance(value, dict):
            self.honest(value, dict)
            pairs = dict.items(value)
            return {"t": "dict", "v": [[self(k, depth + 1), self(v, depth + 1)] for k, v in pairs]}
        if torch is not None:
            if isinstance(value, torch.dtype | torch.device):
                return {"t": "torch", "v": str(value)}
            if isinstance(value, torch.nn.Module):
                place = self.given.get(id(value))
                return self.module(value, torch, depth) if place is None else {"t": "given", "v": place}
        return self.handle(value)

    def honest(self, value, kind):
        """A subclass crosses as what it is made of; one that redefines comparison is worth a word to the instructor."""
        if type(value) is not kind and any(
            name in vars(c) for c in type(value).__mro__ for name in SUSPECT if c not in kind.__mro__
        ):
            self.notice(
                f"returned a {kind.__name__} of its own kind, {type(value).__name__!r}, that redefines comparison"
            )

    def plain(self, value):
        kind = next(k for k in (int, float, str, complex, bytes) if isinstance(value, k))
        self.honest(value, kind)
        if kind is int:
            value = int.__index__(value)
            if value.bit_length() > BITS:
                raise WireError(f"a whole number of {value.bit_length()} binary digits is too large")
            return value if abs(value) < 2**53 else {"t": "int", "v": hex(value)}
        if kind is float:
            value = float.__float__(value)
            return {"t": "float", "v": repr(value)} if not math.isfinite(value) else value
        if kind is str:
            value = str.__str__(value)
            if len(value) > LONGEST:
                raise WireError(f"a text of {len(value)} characters is too long")
            return value.encode("utf-8", "replace").decode()
        if kind is complex:
            return {"t": "complex", "v": [repr(value.real), repr(value.imag)]}
        return {"t": "bytes", "v": value[:LONGEST].hex()}

    def tensor(self, value, torch):
        if type(value) not in (torch.Tensor, torch.nn.Parameter):
            self.notice(f"returned a tensor of its own kind, {type(value).__name__!r}")
            value = value.as_subclass(torch.Tensor)
        told = {"t": "tensor", "dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape)}
        told |= {"grad": bool(value.requires_grad), "parameter": isinstance(value, torch.nn.Parameter)}
        if value.device.type == "meta":
            return told | {"at": None}
        value = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        data = value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b""
        return told | self.put(data)

    def put(self, data):
        if len(self.blob) + len(data) > MOST_BYTES:
            raise WireError(f"an answer of more than {MOST_BYTES // 10**6} MB is too large")
        at = len(self.blob)
        self.blob += data
        return {"at": at, "n": len(data)}

    def array(self, value, numpy):
        if value.dtype.hasobject or value.dtype.names or value.dtype.kind not in "biufc":
            return self.handle(value)
        data = numpy.ascontiguousarray(value)
        told = {"t": "array", "dtype": value.dtype.str, "shape": list(value.shape)}
        return told | {"scalar": isinstance(value, numpy.generic)} | self.put(data.tobytes())

    def module(self, value, torch, depth):
        name, kind = type(value).__name__, getattr(torch.nn, type(value).__name__, None)
        children = [[child, self(module, depth + 1)] for child, module in value._modules.items() if module is not None]
        told = {"t": "module", "name": name, "training": bool(value.training), "children": children}
        if (
            type(value) is not kind
            or name not in SETTINGS
            or "forward" in vars(value)
            or value._forward_hooks
            or value._forward_pre_hooks
        ):
            return told | {"handle": self.keep(value)}
        settings = {n: getattr(value, n) for n in SETTINGS[name]}
        if "bias" in settings:
            settings["bias"] = settings["bias"] is not None
        own = {n: t for n, t in (*value._parameters.items(), *value._buffers.items()) if t is not None}
        return told | {"settings": self(settings, depth + 1), "state": self(own, depth + 1)}

    def handle(self, value):
        can = [
            name
            for name in ("__len__", "__getitem__", "__iter__", "__next__", "__call__")
            if hasattr(type(value), name)
        ]
        if (
            any(name in vars(c) for c in type(value).__mro__[:-1] for name in SUSPECT)
            and type(value).__module__ == "__main__"
        ):
            self.notice(f"returned an object of its own kind, {type(value).__name__!r}, that redefines comparison")
        return {"t": "object", "name": type(value).__name__[:60], "can": can, "handle": self.keep(value)}


# --- data to values ---


class Decoder:
    """Turns a tree and its bytes into a value. ``stand_in(tree, children)`` makes what represents a handle."""

    def __init__(self, blob, stand_in):
        self.blob, self.stand_in, self.items, self.given = blob, stand_in, 0, []

    def __call__(self, tree, depth=0):
        self.items += 1
        if depth > 2 * DEEPEST or self.items > 4 * MOST_ITEMS:
            raise WireError("the answer is nested too deeply, or has too many parts")
        if tree is None or isinstance(tree, bool | int | float | str):
            if isinstance(tree, int) and not isinstance(tree, bool) and tree.bit_length() > BITS:
                raise WireError("a whole number that is too large")
            return tree
        try:
            return getattr(self, f"of_{tree['t']}")(tree, depth)
        except WireError:
            raise
        except Exception as error:  # a frame that somebody made up
            raise WireError(f"an answer that makes no sense: {type(error).__name__}: {error}") from None

    def of_given(self, tree, depth):
        return self.given[int(tree["v"])]

    def of_dots(self, tree, depth):
        return ...

    def of_int(self, tree, depth):
        return int(tree["v"][: BITS // 4 + 8], 16)

    def of_float(self, tree, depth):
        return float(tree["v"])

    def of_complex(self, tree, depth):
        return complex(float(tree["v"][0]), float(tree["v"][1]))

    def of_bytes(self, tree, depth):
        return bytes.fromhex(tree["v"])

    def of_range(self, tree, depth):
        return range(*map(int, tree["v"]))

    def of_list(self, tree, depth):
        return [self(item, depth + 1) for item in tree["v"]]

    def of_tuple(self, tree, depth):
        return tuple(self.of_list(tree, depth))

    def of_set(self, tree, depth):
        return set(self.of_list(tree, depth))

    def of_frozenset(self, tree, depth):
        return frozenset(self.of_list(tree, depth))

    def of_dict(self, tree, depth):
        return {self(k, depth + 1): self(v, depth + 1) for k, v in tree["v"]}

    def of_torch(self, tree, depth):
        import torch

        kind, _, name = tree["v"].partition("torch.")
        found = getattr(torch, name, None) if not kind else None
        return found if isinstance(found, torch.dtype) else torch.device("cpu")

    def part(self, tree):
        at, n = int(tree["at"]), int(tree["n"])
        if not 0 <= at <= at + n <= len(self.blob):
            raise WireError("bytes that are not there")
        return self.blob[at : at + n]

    def of_tensor(self, tree, depth):
        import torch

        dtype, shape = getattr(torch, tree["dtype"]), [int(side) for side in tree["shape"]]
        if not isinstance(dtype, torch.dtype) or len(shape) > 20 or any(side < 0 for side in shape):
            raise WireError("a tensor of no kind")
        if tree["at"] is None:
            return torch.empty(shape, dtype=dtype, device="meta")
        data = self.part(tree)
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise WireError("a tensor whose shape is not that of its numbers")
        value = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
        value = value.reshape(shape).clone()
        grad = bool(tree["grad"]) and (dtype.is_floating_point or dtype.is_complex)
        return torch.nn.Parameter(value, grad) if tree["parameter"] and grad else value.requires_grad_(grad)

    def of_array(self, tree, depth):
        import numpy

        dtype, shape = numpy.dtype(tree["dtype"]), [int(side) for side in tree["shape"]]
        if dtype.kind not in "biufc" or dtype.hasobject:
            raise WireError("an array of no kind")
        value = numpy.frombuffer(self.part(tree), dtype=dtype).reshape(shape).copy()
        return value[()] if tree["scalar"] else value

    def of_module(self, tree, depth):
        import torch

        children = [(str(name), self(child, depth + 1)) for name, child in tree["children"]]
        if "handle" in tree:
            return self.stand_in(tree, children)
        kind, name = getattr(torch.nn, tree["name"]), tree["name"]
        if name not in SETTINGS:
            raise WireError(f"no such module: {name}")
        settings = self(tree["settings"], depth + 1)
        with torch.device("meta"):  # no memory before we know how much was sent
            made = kind(**{key: settings[key] for key in SETTINGS[name]})
        for key, child in children:
            made.add_module(key, child)
        made.load_state_dict(made.state_dict() | self(tree["state"], depth + 1), assign=True)
        return made.train(bool(tree["training"])) if not children else _mode(made, tree)

    def of_object(self, tree, depth):
        return self.stand_in(tree, [])


def _mode(made, tree):
    made.training = bool(tree["training"])
    return made


# --- what a call may change ---


def changeable(value, depth=0):
    """Tensors, modules, generators, lists and dictionaries in arguments, in one order on both sides."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor | torch.nn.Module | torch.Generator):
        return [value]
    if depth > 3:
        return []
    if isinstance(value, list | tuple):
        inner = [part for item in value for part in changeable(item, depth + 1)]
        return [value, *inner] if isinstance(value, list) else inner
    if isinstance(value, dict):
        return [value, *(part for item in value.values() for part in changeable(item, depth + 1))]
    return []
