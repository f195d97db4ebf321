"""Leave out what the theme loads for live code (thebe): it needs the network, and declared twice it is a console error."""


def without_thebe(app, pagename, templatename, context, doctree):
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context[kind] if "thebe" not in f"{file} {getattr(file, 'attributes', '')}"]


def setup(app):
    app.connect("html-page-context", without_thebe, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
