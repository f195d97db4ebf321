"""A long computation on disk, so that it can go on: written whole or not at all, read safely or not at all.

A checkpoint is a dict of tensors, numbers, text, lists and dicts, as ``torch.save`` writes it. Reading runs nothing that
stands in the file (``weights_only=True``), and every byte of it is held against the checksums that the file carries:
torch itself would not notice a flipped bit.
"""

from __future__ import annotations

import glob
import hashlib
import os
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol

import torch
from torch import Tensor, nn

from vgg_course.distributed import on_first

REMEDY = "Delete it, or name another file, to begin anew"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, read or gone on with. Says why and what to do; nothing was changed."""


def write(content: Mapping | bytes, path: Path) -> None:
    """Write beside the place, then move there in one step: whoever looks finds the old file or the new one, whole.

    Bytes are written as they are, a mapping as ``torch.save`` does.

    Raises:
        CheckpointError: there is no such folder, or no room. The file that was there is as before.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(half, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk, not in a buffer, before the old file goes
        os.replace(half, path)
    except (OSError, RuntimeError) as error:  # when a disk is full, torch raises a RuntimeError of its own
        reason = error if isinstance(error, OSError) else error.__context__ or error
        kept = "What was there is as before" if path.exists() else "Nothing was left behind"
        raise CheckpointError(
            f"{path} could not be written: {str(reason).splitlines()[0]}. {kept}. Make room, or name a file in a folder that "
            "can be written."
        ) from error
    finally:
        half.unlink(missing_ok=True)


def tidy(path: Path) -> None:
    """Delete the half-written files that a killed run may have left beside ``path``."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        left.unlink(missing_ok=True)


def read(path: Path) -> dict:
    """What :func:`write` wrote, with tensors on the CPU.

    Raises:
        CheckpointError: it is damaged, cut off, something else, or wants to run code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch wants to warn of, it refuses a moment later
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise CheckpointError(
            f"{path} is no checkpoint of this course: to read it, code would have to run that stands in it. It was "
            f"refused, and nothing of it ran. {REMEDY}."
        ) from None
    except OSError as error:
        raise CheckpointError(f"the checkpoint {path} could not be read: {error}.") from None
    except Exception as error:  # a damaged file makes zipfile and torch raise nearly anything
        raise CheckpointError(
            f"the checkpoint {path} is damaged or cut off, or is none ({type(error).__name__}: "
            f"{(str(error).splitlines() or [''])[0]}). {REMEDY}."
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, which is no checkpoint. {REMEDY}.")
    return content


def digest(tensors: Iterable[Tensor]) -> str:
    """A short text that is another if a single bit, shape or type of the tensors is another."""
    state = hashlib.sha256()
    for tensor in tensors:
        values = tensor.detach().cpu().contiguous()
        state.update(f"{values.dtype} {tuple(values.shape)} ".encode())
        state.update(values.flatten().view(torch.uint8).numpy())
    return state.hexdigest()[:32]


def differences(there: object, here: Mapping[str, object]) -> list[str]:
    """What differs between two runs, said part by part. A part that is text of several lines shows the first that differs."""
    if not isinstance(there, Mapping):
        return ["it does not say of which run it is"]
    return [
        _difference(part, there.get(part), here.get(part))
        for part in {**here, **there}
        if there.get(part) != here.get(part)
    ]


def _difference(part: str, there: object, here: object) -> str:
    if isinstance(there, str) and isinstance(here, str) and "\n" in there + here:
        lines, ours = there.splitlines(), here.splitlines()
        place = next((i for i, pair in enumerate(zip(lines, ours, strict=False)) if pair[0] != pair[1]), None)
        if place is None:
            return f"{part} has {len(lines)} lines there and {len(ours)} here"
        there, here = lines[place].strip(), ours[place].strip()
    return f"{part} is {there} there and {here} here"


# --- a run that goes on ---


class Run(Protocol):
    """What can be saved and gone on with."""

    model: nn.Module

    def identity(self) -> dict[str, object]: ...
    def state(self) -> dict[str, object]: ...
    def restore(self, state: dict) -> None: ...


class Saved:
    """The checkpoint of a run. Process 0 reads and writes; what it finds, good or bad, all processes get."""

    def __init__(self, run: Run, path: str | os.PathLike) -> None:
        self.run, self.path = run, Path(path).expanduser()
        self.identity = run.identity()
        self.start = digest(run.model.state_dict().values())  # of the model as it came

    def __str__(self) -> str:
        """For the end of an error message: what is left."""
        return f"{self.path} has the state after epoch {self.done}, the last good one, and the model is back there"

    def save(self) -> None:
        content = {"run": self.identity, "start": self.start, "state": self.run.state()}
        on_first(lambda: write(content, self.path))

    def resume(self) -> None:
        """Go on where the file says; without a file, write the first one, so that a place that cannot be written shows."""
        content = on_first(self._found)
        if content is None:
            self.save()
        else:
            self.start = content["start"]
            self._restore(content)

    def go_back(self) -> None:
        """Return to the last finished epoch."""
        self._restore(on_first(lambda: read(self.path)))

    def _restore(self, content: dict) -> None:
        try:
            self.run.restore(content["state"])
            self.done = len(content["state"]["epochs"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError):
            raise _incomplete(self.path) from None

    def _found(self) -> dict | None:
        """What the file has, if it is of this run; None if there is nothing to go on with."""
        if self.path.is_dir():
            raise CheckpointError(f"the checkpoint {self.path} is a folder; name a file, as {self.path / 'run.pt'}.")
        if not self.path.parent.is_dir():
            raise CheckpointError(f"there is no folder {self.path.parent} to keep {self.path.name} in; make it first.")
        tidy(self.path)
        if not self.path.exists():
            return None
        content = read(self.path)
        try:
            run, start = content["run"], content["start"]
            begun, now = len(content["state"]["epochs"]) > 0, digest(content["state"]["weights"].values())
        except (KeyError, TypeError, AttributeError):
            raise _incomplete(self.path) from None
        differing = differences(run, self.identity)
        if not differing and self.start not in (start, now):
            differing = ["the weights of the model are neither those that it began with nor those it had reached"]
        if differing and begun:
            raise CheckpointError(
                f"{self.path} is the checkpoint of another run: {'; '.join(differing)}. To go on with that run, make the "
                "same call with a model made in the same way; for a new run, name another file, or delete this one."
            )
        return None if differing else content


def _incomplete(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is no checkpoint of a training run, or lacks a part. {REMEDY}.")
