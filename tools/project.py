"""Where things are. `_config.yml` is the one place that names the repository; `_toc.yml` lists the pages of the book."""

from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"


@cache
def config():
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def repository_url():
    return config()["repository"]["url"].rstrip("/")


def branch():
    return config()["repository"]["branch"]


def book_url():
    return config()["html"]["baseurl"].rstrip("/")


@cache
def pages():
    """The names of the book's pages, in reading order: `book/index`, `notebooks/01_...`, ..."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return (toc["root"], *parts)


def chapters():
    """The pages that are notebooks: each has a student edition beside it."""
    return tuple(page for page in pages() if page.startswith("notebooks/"))
