"""What every result carries: how often, on what, with which versions, when, and by which command."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import torch

from vgg_course.data import Dataset, reduced_cifar10

T = TypeVar("T")
RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"


def summary(values: Sequence[float]) -> dict:
    """Mean, spread (the sample's standard deviation) and extremes, with the values themselves."""
    return {
        "n": len(values),
        "mean": statistics.mean(values),
        "spread": statistics.stdev(values) if len(values) > 1 else None,
        "lowest": min(values),
        "highest": max(values),
        "values": list(values),
    }


def provenance(command: str) -> dict:
    """Where and when, for the machine that this runs on."""
    from importlib.metadata import version

    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("torch", "torchvision")}},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write(name: str, result: dict) -> Path:
    """Write a result, whole or not at all."""
    return _whole(RESULTS / f"{name}.json", json.dumps(result, indent=1) + "\n")


def once(path: Path, work: Callable[[], T]) -> T:
    """What ``work`` gave when it was first done: kept as JSON in ``path``, so that a long experiment can be stopped.

    ``path`` lies under ``build/``: delete it to have the work done anew.
    """
    if not path.exists():
        _whole(path, json.dumps(work()))
    return json.loads(path.read_text(encoding="utf-8"))


def photographs(**arguments) -> Dataset:
    """The reduced CIFAR-10; an experiment does not measure the drawn stand-in."""
    data = reduced_cifar10(**arguments)
    if data.is_drawn:
        raise SystemExit(f"error: this measures photographs, and there are none here: {data.source}")
    return data


def _whole(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    half.write_text(text, encoding="utf-8")
    half.replace(path)
    return path
