"""Leave out what the theme would offer and could not keep.

Live code (thebe) needs the network and is declared twice, an error in the console. A Colab button on a page of the
reference part would lead nowhere: only chapters have a student edition.
"""


def without_thebe(app, pagename, templatename, context, doctree):
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context[kind] if "thebe" not in f"{file} {getattr(file, 'attributes', '')}"]


def without_colab(app, pagename, templatename, context, doctree):
    if not pagename.startswith("notebooks/") and pagename in app.env.metadata:
        app.env.metadata[pagename].pop("kernelspec", None)  # by which the theme knows what Colab could open


def setup(app):
    app.connect("html-page-context", without_colab, priority=400)
    app.connect("html-page-context", without_thebe, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
