"""Colors by role. They are six of Petroff's, the safest set measured for color-blind readers (arXiv:2107.02270).

Color never speaks alone: every mark also carries a label, a hatch or a place. ``TEXT`` has a contrast above 3.9:1 on
the light page and on the dark one, so that one transparent figure serves both.
"""

CONVOLUTION = "#5790fc"
POOL = "#f89c20"
FULLY_CONNECTED = "#e42536"
NORMALIZATION = "#964a8b"
CONTEXT = "#9c9ca1"
HIGHLIGHT = "#e42536"
TEXT = "#7f7f84"

BY_KIND = {
    "input": CONTEXT,
    "convolution": CONVOLUTION,
    "pool": POOL,
    "fully connected": FULLY_CONNECTED,
    "normalization": NORMALIZATION,
}
"""The color of a ledger row, by its kind."""
