"""Where a measured number comes from: what every file in book/results/ says about itself."""

import platform
from datetime import date

import torch


def device_name() -> str:
    """The processor or the card that did the work."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def provenance(module: str, seconds: float) -> dict:
    """Device, threads, versions, date, wall-clock seconds and the command that repeats it."""
    return {
        "device": device_name(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "seconds": round(seconds),
        "command": f"python -m {module}",
    }
