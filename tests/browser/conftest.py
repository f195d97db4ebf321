"""A real browser over the built book. Pages come from file://, and every request to the outside is noted and refused."""

import os
import shutil
from pathlib import Path

import pytest
from exploring import Shown
from playwright.sync_api import Error, sync_playwright

from tools.project import HTML, pages

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
# No sandbox: it needs rights that a container does not give, and the only pages we open are our own.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REMEDY = "install Chromium or Google Chrome (Debian: apt install chromium), or set CHROME to its executable"


def executable(playwright):
    """CHROME if set, else one on the PATH, else one in its usual place, else playwright's own."""
    if named := os.environ.get("CHROME"):
        return named
    found = [path for name in NAMES if (path := shutil.which(name))]
    found += [path for path in (*PLACES, playwright.chromium.executable_path) if Path(path).exists()]
    return found[0] if found else pytest.fail(f"no browser found; {REMEDY}", pytrace=False)


@pytest.fixture(scope="session")
def browser():
    if not (HTML / "index.html").exists():
        pytest.fail("the book is not built; run: make book", pytrace=False)
    with sync_playwright() as playwright:
        path = executable(playwright)
        try:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except Error as problem:
            pytest.fail(f"the browser {path} does not start; {REMEDY}\n{problem}", pytrace=False)
        yield browser
        browser.close()


class Visit:
    """One page in a tab of its own, with what it asked for and what it complained about."""

    def __init__(self, browser, name, **options):
        self.name, self.outside, self.complaints = name, [], []
        self.context = browser.new_context(**options)
        self.tab = self.context.new_page()
        self.tab.route("**/*", self.guard)
        self.tab.on("console", self.listen)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        file, _, query = name.partition("?")
        self.tab.goto((HTML / f"{file}.html").as_uri() + (f"?{query}" if query else ""), wait_until="load")
        self.tab.evaluate("() => window.MathJax?.startup?.promise")

    def guard(self, route):
        if route.request.url.startswith(("file:", "data:", "blob:")):
            return route.continue_()
        self.outside.append(route.request.url)
        return route.abort()

    def listen(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def js(self, script, *arguments):
        return self.tab.evaluate(script, *arguments)


@pytest.fixture
def open_page(browser):
    """Open pages; their tabs are closed behind each test: a book of open tabs is more than a machine holds."""
    visits = []

    def open_one(name, **options):
        visits.append(Visit(browser, name, **options))
        return visits[-1]

    yield open_one
    for visit in visits:
        visit.context.close()


@pytest.fixture(scope="session", params=pages())
def page(request, browser):
    visit = Visit(browser, request.param)
    yield visit
    visit.context.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open explorers; in the end nothing was asked of the network and the console is quiet."""
    opened = []

    def show(*shown, **options):
        opened.append(Shown(browser, tmp_path / f"{len(opened)}.html", *shown, **options))
        return opened[-1]

    yield show
    for each in opened:
        each.context.close()
        assert each.outside == []
        assert each.complaints == []
