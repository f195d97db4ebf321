"""Results of long runs, measured once and kept: what ``experiments/`` wrote, with seeds, device, versions and date."""

from __future__ import annotations

import json
from pathlib import Path

# In the repository they lie with the book; an installed package has its own copy.
FOLDERS = (Path(__file__).parents[1] / "book" / "results", Path(__file__).parent / "measured")


def load(name: str) -> dict:
    """The result of that name, as ``experiments/<name>.py`` wrote it.

    Raises:
        ValueError: there is no such result.
    """
    for folder in FOLDERS:
        if (path := folder / f"{name}.json").is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    known = sorted(path.stem for folder in FOLDERS for path in folder.glob("*.json"))
    raise ValueError(f"there is no result {name!r}; there are {', '.join(known) or 'none at all'}.")
