"""A page of its own for explorers, as tests of them want it."""

# Like the book's: the theme is an attribute, and the page sets the color of the text.
PAGE = """<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>explorers</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
html {{ background: #fff; color: #222832; font-family: sans-serif }}
html[data-theme=dark] {{ background: #14181e; color: #ced6dd }} body {{ margin: 8px }}
</style></head><body>{body}</body></html>"""
ROOT = "document.querySelector('.vgg-explorer').shadowRoot"


class Shown:
    """Explorers on a page of their own, with what the page asked for and complained about."""

    def __init__(self, browser, path, *shown, theme="light", body="{}", **options):
        path.write_text(PAGE.format(theme=theme, body=body.format("".join(e.html() for e in shown))), encoding="utf-8")
        self.outside, self.complaints = [], []
        self.context = browser.new_context(**options)
        self.tab = self.context.new_page()
        self.tab.route("**/*", self.guard)
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.goto(path.as_uri())

    def guard(self, route):
        if route.request.url.startswith(("file:", "about:")):
            return route.continue_()
        self.outside.append(route.request.url)
        return route.abort()

    def js(self, script, *arguments):
        return self.tab.evaluate(script.replace("ROOT", ROOT), *arguments)

    def text(self, selector):
        return self.tab.locator(selector).inner_text()

    def number(self, selector):
        return int(self.tab.locator(f"{selector} data").get_attribute("value"))
