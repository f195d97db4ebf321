"""The one style that every figure is drawn in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import matplotlib as mpl

STYLE = Path(__file__).with_name("vgg.mplstyle")


def styled(draw: Callable) -> Callable:
    """Draw in the course's style, and leave matplotlib's settings as they were."""

    @wraps(draw)
    def inside(*args, **kwargs):
        style = mpl.rc_params_from_file(STYLE, use_default_template=False)
        before = {name: mpl.rcParams[name] for name in style}
        mpl.rcParams.update(style)
        try:
            return draw(*args, **kwargs)
        finally:  # the style's settings only: those that a notebook makes when it loads its backend must stay
            mpl.rcParams.update(before)

    return inside
