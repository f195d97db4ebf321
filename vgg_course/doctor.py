"""Is this machine ready for the course? Every finding says [ok], [note] or [fail], and a fail says what to do."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from vgg_course import sources

PACKAGES = ("torch", "torchvision", "matplotlib", "torchinfo", "safetensors")
NEEDED_GB = 1


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``status`` is ok, note or fail."""

    status: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"[{self.status}]".ljust(7) + self.text + (f"\n       -> {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Report:
    """All findings; shows itself, one finding a line."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """No finding is a fail."""
        return all(finding.status != "fail" for finding in self.findings)

    def __repr__(self) -> str:
        return "\n".join(map(str, self.findings))


def examine() -> Report:
    """Look at everything, even when something is wrong."""
    return Report(tuple(finding for check in CHECKS for finding in check()))


def _python() -> Iterator[Finding]:
    yield Finding("ok", f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("ok", f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Finding("fail", f"{name} is missing", f"{sys.executable} -m pip install {name}")


def _torch_and_torchvision() -> Iterator[Finding]:
    """They are compiled for each other: a torchvision of another torch fails at import."""
    try:
        torch, wanted = metadata.version("torch").partition("+")[0], _torch_wanted_by_torchvision()
    except metadata.PackageNotFoundError:
        return  # said already
    remedy = f"{sys.executable} -m pip install --upgrade torch torchvision   (both from one index)"
    if wanted and wanted != torch:
        yield Finding("fail", f"torchvision is made for torch {wanted}, but this is torch {torch}", remedy)
        return
    try:
        import torchvision  # noqa: F401
    except Exception as error:  # whatever a broken pair raises
        yield Finding("fail", f"torchvision cannot be imported: {error}", remedy)
    else:
        yield Finding("ok", "torch and torchvision are a pair")


def _torch_wanted_by_torchvision() -> str | None:
    """The one version that torchvision's metadata names; None if they leave a choice."""
    found = [re.match(r"torch\s*\(?==\s*([\d.]+)", line) for line in metadata.requires("torchvision") or ()]
    return next((match[1] for match in found if match), None)


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        yield Finding("fail", f"torch cannot be imported: {error}", f"{sys.executable} -m pip install --upgrade torch")
        return
    from vgg_course.training import best_precision

    cpu = torch.device("cpu")
    yield Finding(
        "ok", f"CPU: {os.cpu_count()} cores, torch uses {torch.get_num_threads()}; trains in {best_precision(cpu)}"
    )
    if best_precision(cpu) == "float32":
        yield Finding("note", "this CPU has no native bfloat16: it trains in float32, which takes longer")
    if torch.cuda.is_available():
        gpu = torch.device("cuda")
        yield Finding("ok", f"GPU: {torch.cuda.get_device_name(gpu)}; trains in {best_precision(gpu)}")
    else:
        yield Finding("note", "no CUDA GPU: not needed, every chapter runs on the CPU")


def _data() -> Iterator[Finding]:
    try:
        source = sources.locate()
        if source.folder:
            images = sources.verify(source)
            yield Finding("ok", f"{source}, in {source.folder}; all {images:,} images are the official ones")
        else:
            yield Finding("note", f"{source}")
    except (sources.DataError, OSError) as error:
        yield Finding("fail", "CIFAR-10 cannot be used", str(error))


def _disk() -> Iterator[Finding]:
    cache = sources.cache_folder()
    there = next((folder for folder in (cache, *cache.parents) if folder.is_dir()), Path.cwd())
    free = shutil.disk_usage(there).free / 1e9
    if free < NEEDED_GB:
        remedy = "free some, or set VGG_COURSE_CACHE to a folder on another disk"
        yield Finding("fail", f"{free:.1f} GB free for the cache, {cache}; {NEEDED_GB} GB is needed", remedy)
    elif not os.access(there, os.W_OK):
        yield Finding("fail", f"the cache {cache} cannot be written", "set VGG_COURSE_CACHE to a folder that can")
    else:
        yield Finding("ok", f"{free:.0f} GB free for the cache, {cache}")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _torch_and_torchvision,
    _devices,
    _data,
    _disk,
)
