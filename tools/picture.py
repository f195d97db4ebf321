"""The picture on the landing page and in the README, drawn by the package from Table 1.

python -m tools.picture            writes book/_static/anatomy.svg
python -m tools.picture --check    fails if the committed picture is not what the code draws
"""

import argparse
import io
import sys

from tools.project import ROOT

PICTURE = ROOT / "book" / "_static" / "anatomy.svg"


def draw():
    """The picture as SVG text, the same bytes at every run."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    from vgg_course import plots
    from vgg_course.configuration import CONFIGURATIONS

    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "vgg", "svg.fonttype": "path"}):
        figure = plots.anatomy(CONFIGURATIONS["D"]).figure
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    picture = draw()
    if not parser.parse_args().check:
        PICTURE.write_text(picture, encoding="utf-8")
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != picture:
        sys.exit(f"{PICTURE.relative_to(ROOT)} is out of date; run: python -m tools.picture")


if __name__ == "__main__":
    main()
