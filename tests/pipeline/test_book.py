"""What the book's build is asked to do, apart from building: no stale output, one place for every name."""

import json
import re
import subprocess
import threading
import urllib.request

import pytest

from tools import book, project, serve
from tools.project import ROOT


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An execution cache that was made under some state of the package."""
    folder = tmp_path / ".jupyter_cache"
    monkeypatch.setattr(book, "CACHE", folder)
    monkeypatch.setattr(book, "STAMP", folder / "depends_on.json")
    book.forget_stale_outputs({"files": "a", "data": False})
    (folder / "output").touch()
    return folder


def test_outputs_are_kept_while_nothing_changes(cache):
    book.forget_stale_outputs({"files": "a", "data": False})
    assert (cache / "output").exists()


@pytest.mark.parametrize("now", [{"files": "b", "data": False}, {"files": "a", "data": True}])
def test_outputs_are_forgotten_when_the_package_or_the_data_changes(cache, now):
    book.forget_stale_outputs(now)
    assert not (cache / "output").exists()
    assert json.loads((cache / "depends_on.json").read_text()) == now


def test_data_that_the_build_itself_downloaded_is_no_change(cache, monkeypatch):
    monkeypatch.setattr(book, "data_is_here", lambda: True)
    book.remember_data()
    book.forget_stale_outputs({"files": "a", "data": True})
    assert (cache / "output").exists()


@pytest.mark.parametrize(
    "name", ["vgg_course/a/b.py", "vgg_course/plots/vgg.mplstyle", "book/results/run.json", "requirements.txt"]
)
def test_the_digest_sees_what_outputs_depend_on(tmp_path, name):
    before = book.digest(tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("1")
    between = book.digest(tmp_path)
    (tmp_path / name).write_text("2")
    assert len({before, between, book.digest(tmp_path)}) == 3


def test_the_book_can_be_served_on_a_free_port(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "HTML", tmp_path)
    (tmp_path / "index.html").write_text("the book")
    with serve.server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/") as answer:
            assert answer.read() == b"the book"
        server.shutdown()


def test_serving_without_a_book_says_how_to_build_one(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "ROOT", tmp_path)
    monkeypatch.setattr(serve, "HTML", tmp_path / "_build" / "html")
    with pytest.raises(SystemExit, match="has no book yet; build it with"):
        serve.main()


def tracked():
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_only_the_configuration_and_what_is_made_from_it_names_the_repository():
    slug = project.repository_url().removeprefix("https://")
    allowed = re.compile(r"^_config\.yml$|\.ipynb$|^README\.md$")  # a README must show addresses that can be clicked
    naming = [path.relative_to(ROOT).as_posix() for path in tracked() if slug.encode() in path.read_bytes()]
    assert [name for name in naming if not allowed.search(name)] == []


def test_every_chapter_has_its_student_edition():
    missing = [page for page in project.chapters() if not (ROOT / f"{page}.ipynb").exists()]
    assert not missing, f"run: make notebooks, and commit ({missing})"


def test_mathjax_lies_in_the_book_with_its_license():
    folder = ROOT / "book" / "_static" / "mathjax"
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert (ROOT / "book" / "_static" / project.config()["sphinx"]["config"]["mathjax_path"]).exists()
    assert len(list(folder.glob("output/chtml/fonts/woff-v2/*.woff"))) > 20
