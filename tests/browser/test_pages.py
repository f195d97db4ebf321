"""Every page of the built book, as a reader without a network sees it."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from tools.project import HTML, ROOT, branch, chapters, pages, repository_url

RAW = r"\{[a-zA-Z][\w:+.-]*\}`|^\s*(`{3}|:{3,})\s*\{|\{\{|<!-- |\]\(|TODO|FIXME"


def test_every_page_of_the_table_of_contents_is_built_and_no_other():
    built = {
        str(path.relative_to(HTML).with_suffix("")) for path in HTML.rglob("*.html") if "_static" not in path.parts
    }
    assert built == {*pages(), "index", "search", "genindex"}


def test_it_loads_nothing_from_outside(page):
    assert page.outside == []


def test_the_console_is_quiet(page):
    assert page.complaints == []


def test_it_has_a_title_a_heading_and_text(page):
    heading = page.js("() => [...document.querySelectorAll('article h1')].map(h => h.firstChild && h.innerText)")
    assert len(heading) == 1
    assert len(page.js("() => document.querySelector('article').innerText")) > 100
    assert "VGG" in page.tab.title()


def test_every_formula_is_typeset(page):
    formulas, typeset = page.js(
        "() => [...'12'].map((_, i) => document.querySelectorAll('article .math' + (i ? ' mjx-container' : '')).length)"
    )
    assert typeset >= formulas
    assert page.js("() => document.querySelectorAll('mjx-merror').length") == 0
    assert not re.search(r"\\\(|\\\[|\$\$|(?<!\w)\$[^\s$]", prose(page))


def prose(page):
    """The text without code: what stands in a code block may look like anything."""
    return page.js(
        """() => { const copy = document.querySelector('article').cloneNode(true);
        copy.querySelectorAll('pre, code, script, style, mjx-container').forEach(e => e.remove()); return copy.textContent; }"""
    )


def test_no_raw_directive_role_or_markdown_is_shown(page):
    found = re.search(f".*(?:{RAW}).*", prose(page), re.MULTILINE)
    assert not found, found[0]


def test_every_image_is_there_and_says_what_it_shows(page):
    page.tab.wait_for_function("() => [...document.images].every(i => i.complete)")
    images = page.js(
        "() => [...document.images].map(i => [i.src, (i.alt || '').trim(), i.naturalWidth, !!i.closest('article')])"
    )
    for source, alt, width, in_article in images:
        assert width > 0, f"{source} does not load"
        assert alt, f"{source} has no alt text"
        if in_article:
            assert " " in alt, f"{source}: {alt!r} does not say what the image shows"


@pytest.mark.parametrize("name", chapters())
def test_every_figure_of_the_source_is_in_the_page(open_page, name):
    named = re.findall(r"^ +name: (fig-[\w-]+)$", (ROOT / f"{name}.md").read_text(encoding="utf-8"), re.MULTILINE)
    shown = open_page(name).js(
        "() => [...document.querySelectorAll('article figure')].filter(f => f.querySelector('img'))"
        ".flatMap(f => [f.id, ...[...f.querySelectorAll('[id]')].map(e => e.id)])"
    )
    assert sorted(set(named)) == sorted(set(named) & set(shown))


@cache
def anchors(path):
    return set(re.findall(r'\bid="([^"]*)"', Path(path).read_text(encoding="utf-8")))


def test_every_link_inside_the_book_leads_somewhere(page):
    for link in page.js("() => [...document.querySelectorAll('a[href]')].map(a => a.href)"):
        url = urlparse(link)
        if url.scheme != "file":
            continue
        path = Path(unquote(url.path))
        assert path.exists(), f"{page.name} links to {link}"
        assert not url.fragment or url.fragment in anchors(path), f"{page.name} links to {link}: no such place"


@pytest.mark.parametrize("name", pages())
def test_the_colab_button_of_a_chapter_opens_its_student_edition(open_page, name):
    links = open_page(name).js("() => [...document.querySelectorAll('a[href*=\"colab.research\"]')].map(a => a.href)")
    slug = repository_url().removeprefix("https://github.com/")
    edition = f"https://colab.research.google.com/github/{slug}/blob/{branch()}/{name}.ipynb"
    assert set(links) == ({edition} if name in chapters() else set())
    assert (ROOT / f"{name}.ipynb").exists() == (name in chapters())


def test_search_finds_a_word_without_a_server(open_page):
    search = open_page("search?q=receptive")
    search.tab.wait_for_selector("#search-results ul.search li a", timeout=20_000)
    assert search.outside == []
    assert search.complaints == []


def test_solutions_start_closed_and_open_by_keyboard(page):
    for summary in page.tab.query_selector_all("article details > summary"):
        if summary.evaluate("s => s.getRootNode() !== document"):
            continue  # an explorer's own: playwright looks into shadow roots too
        is_open = "s => s.parentElement.open"
        assert not summary.evaluate(is_open), "a solution or a hint is open at first"
        for expected in (True, False):
            summary.focus()
            page.tab.keyboard.press("Enter")
            assert summary.evaluate(is_open) == expected
    for button in page.tab.query_selector_all("article button.toggle-button"):
        assert button.evaluate("b => b.tabIndex") >= 0


@pytest.mark.parametrize("name", [*pages(), "search"])
def test_nothing_sticks_out_on_a_phone(open_page, name):
    phone = open_page(name, viewport={"width": 390, "height": 844})
    assert phone.js("() => document.documentElement.scrollWidth") <= 390
    # Wide things scroll inside their own box instead.
    wide = """() => [...document.querySelectorAll('article *')].filter(e => {
        const box = e.getBoundingClientRect();
        if (box.width == 0 || box.right <= 391 || e.closest('mjx-assistive-mml, .visually-hidden')) return false;
        for (let p = e.parentElement; p && p.tagName != 'ARTICLE'; p = p.parentElement)
            if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)) return false;
        return true; }).map(e => e.outerHTML.slice(0, 120))"""
    assert phone.js(wide) == []


CONTRAST = """() => {
  const parse = c => { const v = c.match(/[\\d.]+/g).map(Number); return [v[0], v[1], v[2], v.length > 3 ? v[3] : 1]; };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => { const up = []; for (; e; e = e.parentElement) up.push(parse(getComputedStyle(e).backgroundColor));
    return up.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]); };
  return [...document.querySelectorAll('article *')].filter(e =>
      [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()) && e.checkVisibility({opacityProperty: true})
      && !e.closest('mjx-container, svg, .headerlink, script, style, button, .toggle-button')).map(e => {
    const back = ground(e), text = over(parse(getComputedStyle(e).color), back);
    const [a, b] = [light(text), light(back)].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.className + ' ' + e.textContent.trim().slice(0, 40)]; }).filter(r => r[0] < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", pages())
def test_text_can_be_read_in_both_color_schemes(open_page, name, scheme):
    visit = open_page(name, color_scheme=scheme)
    assert visit.js("() => document.documentElement.dataset.theme") == scheme
    assert visit.js(CONTRAST) == []


@pytest.mark.parametrize("name", pages())
def test_no_box_stands_behind_a_figure_in_dark_mode(open_page, name):
    """Figures are transparent, in colors that read on the dark page and on the light one, but not on a box in between."""
    visit = open_page(name, color_scheme="dark")
    grounds = "() => [...document.querySelectorAll('article img')].map(i => getComputedStyle(i).backgroundColor)"
    assert set(visit.js(grounds)) <= {"rgba(0, 0, 0, 0)"}
