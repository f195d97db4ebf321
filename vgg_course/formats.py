"""Tensors by name in a file, with a few plain facts about them: written whole or not at all, read without running anything.

Two formats, told apart by the name of the file. ``.safetensors``: a header of JSON, then the numbers; there is nothing in
it that could run. Any other name: what ``torch.save`` writes, a zip archive with a pickle inside, which may name any
function to be called while it is read; ``torch.load(..., weights_only=True)`` refuses to call it.

A zip archive has checksums, a safetensors file has none. So ours carry one of their own, and a flipped bit shows in both.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import safetensors.torch
import torch
from torch import Tensor

from vgg_course import checkpoint

FORMAT = "vgg_course"  # marks the files that write() writes
SAFE = ".safetensors"
LONGEST = 100_000_000  # bytes of a header that the library would read
TORCH = (b"PK\3\4", b"\x80\2\x8a")  # what torch.save writes, now and formerly, begins with one of these


class WeightsError(ValueError):
    """Weights that cannot be saved or loaded. Says what is wrong with which file or tensor, and what to do."""


def write(tensors: Mapping[str, Tensor], about: Mapping, path: Path) -> None:
    """Write tensors and plain facts about them, in the format that the name asks for.

    Raises:
        WeightsError: a fact is not plain (text, numbers, lists, dicts), or the file cannot be written; it is as it was.
    """
    try:
        about = json.loads(json.dumps(dict(about)))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path} can keep text, numbers, lists and dicts beside the weights: {error}.") from None
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    if path.suffix == SAFE:  # one text for all facts: of several, the library would write the order drawn by lot
        facts = json.dumps({**about, "digest": _digest(tensors, about)})
        content = safetensors.torch.save(tensors, {FORMAT: facts})
    else:
        content = {**about, "format": FORMAT, "state_dict": tensors}
    try:
        checkpoint.write(content, path)
    except checkpoint.CheckpointError as error:
        raise WeightsError(str(error)) from error


def _digest(tensors: Mapping[str, Tensor], about: Mapping) -> str:
    """Another text if one bit of the tensors, their names or the facts about them is another."""
    names = sorted(tensors)
    words = [checkpoint.digest(tensors[name] for name in names), names, about]
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()


def read(path: Path) -> object:
    """What is in a file, if that is nothing but tensors, containers, text and numbers: tensors by name, if all is well.

    A file of :func:`write` comes back as a dict of the facts, with "format", and the tensors as "state_dict".

    Raises:
        WeightsError: the file is no file of weights, is damaged, or wants to run something.
    """
    if path.is_dir():
        raise WeightsError(f"{path} is a folder, not a file of weights; name the file in it.")
    if not path.is_file():
        raise WeightsError(f"there is no file {path} (looked for from {Path.cwd()}); check the name.")
    try:
        with open(path, "rb") as file:
            head = file.read(512)
        _no_text(path, head)
        if path.suffix == SAFE:
            return _safe(path)
        if head.startswith(b"PK") and not zipfile.is_zipfile(path):
            raise WeightsError(
                f"{path} ends too soon, after {path.stat().st_size:,} bytes: the list of its contents, which comes last, is "
                "missing. Download or copy it again."
            )
        if head.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:  # torch itself would not notice a flipped bit
                damaged = archive.testzip()
            if damaged is not None:
                raise WeightsError(f"{path} is damaged: the checksum of {damaged} is wrong. Download or copy it again.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch wants to warn of, it refuses a moment later
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{path} could not be read: {error}.") from None
    except Exception as error:  # a damaged file makes torch raise nearly anything, and advise to load it unsafely
        raise _unreadable(path, head, error) from None


def _safe(path: Path) -> Mapping:
    """What is in a safetensors file, from us or from anybody."""
    content = path.read_bytes()  # not mapped: whoever overwrote the file would change the tensors
    try:
        tensors, header = safetensors.torch.load(content), _header(content)
    except Exception as error:  # the library's own error, or whatever a type that torch lacks brings about
        raise _unsafe(path, content, error) from None
    metadata = header.pop("__metadata__", {})
    tensors = {name: tensors[name] for name in header}  # as they stand in the file; the library draws lots
    if FORMAT not in metadata:
        return tensors
    try:
        about = json.loads(metadata[FORMAT])
        whole = about.pop("digest") == _digest(tensors, about)
    except Exception:  # a list, a number, half a text
        whole = False
    if not whole:
        raise WeightsError(f"{path} is damaged: its checksum is wrong. Download or copy it again.")
    return {**about, "format": FORMAT, "state_dict": tensors}


def _header(content: bytes) -> dict:
    """The header: for each name type, shape and place, and text under "__metadata__". No name may come twice in it."""

    def once(pairs: list[tuple[str, object]]) -> dict:
        found: dict[str, object] = {}
        for name, value in pairs:
            if name in found:
                raise _Twice(name)
            found[name] = value
        return found

    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")], object_pairs_hook=once)


class _Twice(ValueError):
    """A name that stands twice in a header: JSON allows it, and which of the two counts is up to the reader."""


def _unsafe(path: Path, content: bytes, error: Exception) -> WeightsError:
    """The error for a safetensors file that could not be read: what is likely wrong with it."""
    again = "Download or copy it again."
    if content.startswith(TORCH):
        return WeightsError(f"{path} is a file of torch.save, under the wrong name; call it {path.stem}.pt.")
    if isinstance(error, _Twice):
        return WeightsError(f"{path} has two entries {str(error)!r}; which one counts? Have it written anew.")
    begin = 8 + int.from_bytes(content[:8], "little")
    if len(content) < begin <= 8 + LONGEST:
        return WeightsError(f"{path} ends too soon, after {len(content):,} bytes, within its header. {again}")
    try:
        ends = [entry["data_offsets"][1] for name, entry in _header(content).items() if name != "__metadata__"]
        end = begin + max(ends, default=0)
    except Exception:
        end = len(content)
    if len(content) < end:
        return WeightsError(f"{path} ends too soon, after {len(content):,} of {end:,} bytes. {again}")
    said = (str(error).splitlines() or [""])[0]
    return WeightsError(
        f"{path} could not be read as safetensors. It is damaged, or something else under that name (read as far as: "
        f"{type(error).__name__}: {said}). {again}"
    )


def _no_text(path: Path, head: bytes) -> None:
    """Raise if a file begins as no file of weights does: not at all, or with text."""
    if not head:
        raise WeightsError(f"{path} is empty, 0 bytes: a download that did not begin? Get it again.")
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a Git LFS pointer, a note where the file lies, not the file. Run: git lfs pull")
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < 512 or error.start < 508:  # else the cut went through a letter
            return
        text = head[: error.start].decode("utf-8")
    if any(not c.isprintable() and not c.isspace() for c in text):
        return
    kind = "a web page" if text.lstrip().startswith("<") else "text"
    raise WeightsError(
        f"{path} is {kind}, not weights. It begins with {text[:40]!r}: an error message of the server it came from? Look "
        "into it, and download it again."
    )


def _unreadable(path: Path, head: bytes, error: Exception) -> WeightsError:
    """The error for what torch could not, or would not, read. Its own advice is left out: it is to load unsafely."""
    code = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, UnpicklingError) else None
    if code and code[1].startswith("numpy"):
        return WeightsError(
            f"{path} holds numpy arrays ({code[1]}), and rebuilding them could run code. Where it was made, save tensors "
            "instead: torch.save({name: torch.tensor(array) for name, array in arrays.items()}, path)."
        )
    if code:
        return WeightsError(
            f"{path} is not only weights: reading it would run {code[1]}. It was refused, and nothing of it ran. If you "
            "trust who made it, ask for a file made by torch.save(model.state_dict(), path)."
        )
    if head[8:9] == b"{":
        return WeightsError(f"{path} looks like safetensors, under another name; call it {path.stem}{SAFE}.")
    return WeightsError(
        f"{path} could not be read as weights. It is damaged, cut off, or was not written by torch.save (read as far as: "
        f"{type(error).__name__}). Download or copy it again."
    )
