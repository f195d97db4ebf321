"""The target beside an answer, as a picture: one sees what differs before one reads it.

Everything is HTML with its style inside, for a notebook has no style sheet of ours. Lines are drawn in the color of the
text, so that it can be read on a light page and on a dark one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WRITTEN = 8  # rows and columns up to which numbers are written out; larger grids become gray pictures
LARGEST = 10**6  # numbers, beyond which nothing is drawn
SIDE = 150  # pixels of a picture on the screen


def grids(target: Tensor, yours: Tensor) -> str:
    """Two tensors side by side: as tables up to 8x8, as gray pictures and their difference beyond.

    Of more than two dimensions the plane is drawn in which the two are furthest apart. A single number needs no picture.
    """
    import torch

    target, yours = (tensor.detach().double().cpu() for tensor in (target, yours))
    sizes = target.numel(), yours.numel()
    if max(sizes) <= 1 or not min(sizes) or max(sizes) > LARGEST:
        return ""
    same_shape = target.shape == yours.shape
    place = ""
    if same_shape and target.dim() > 2:
        off = (target - yours).abs().nan_to_num(torch.inf)
        at = torch.unravel_index(off.argmax(), off.shape)[:-2]
        target, yours = target[at], yours[at]
        place = f" at [{', '.join(str(int(i)) for i in at)}]"
    target, yours = (_plane(tensor) for tensor in (target, yours))
    if max(*target.shape, *yours.shape) <= WRITTEN:
        off = ~torch.isclose(target, yours, rtol=1e-5, atol=1e-6) if same_shape else torch.zeros_like(yours)
        pictures = [("target" + place, _table(target)), ("yours" + place, _table(yours, off.bool().tolist()))]
    else:
        low, high = float(target.min()), float(target.max())
        pictures = [
            (name + place, _gray(grid, low, high, name)) for name, grid in (("target", target), ("yours", yours))
        ]
        if same_shape:
            off = (target - yours).abs().nan_to_num(torch.inf).clamp(max=1e30)
            words = f"off by up to {float(off.max()):.3g} (dark)"
            pictures.append((words, _gray(-off, -float(off.max()), 0.0, words)))
    return _row(pictures)


def boxes(target: Sequence[float], yours: Sequence[float]) -> str:
    """Two boxes ``(x0, y0, x1, y1)`` in pixels: the target with a full line, yours with a dashed one."""
    corners = [*target, *yours]
    if not all(abs(number) < 1e6 for number in corners):  # also for NaN
        return ""
    xs, ys = corners[::2], corners[1::2]
    wide, high = max(max(xs) - min(xs), 1e-6), max(max(ys) - min(ys), 1e-6)
    scale = SIDE / max(wide, high)

    def drawn(box: Sequence[float], style: str) -> str:
        (left, right), (top, bottom) = sorted(box[::2]), sorted(box[1::2])
        x, y = (left - min(xs)) * scale + 4, (top - min(ys)) * scale + 4
        sides = f'width="{(right - left) * scale:.1f}" height="{(bottom - top) * scale:.1f}"'
        return f'<rect x="{x:.1f}" y="{y:.1f}" {sides} fill="none" stroke="currentColor" stroke-width="2"{style}/>'

    words = "a full line: the target; a dashed line: yours"
    inner = drawn(target, "") + drawn(yours, ' stroke-dasharray="6 4"')
    sides = f'width="{wide * scale + 8:.0f}" height="{high * scale + 8:.0f}"'
    return _row([(words, f'<svg role="img" aria-label="{words}" {sides}>{inner}</svg>')])


def _plane(tensor: Tensor) -> Tensor:
    """What is drawn of a tensor: a vector as one row, and the first plane of what has more dimensions than two."""
    while tensor.dim() > 2 and len(tensor):
        tensor = tensor[0]
    return tensor.reshape(1, -1) if tensor.dim() < 2 else tensor


def _row(pictures: Sequence[tuple[str, str]]) -> str:
    figures = "".join(
        f'<figure style="margin:0"><figcaption>{escape(words)}</figcaption>{drawing}</figure>'
        for words, drawing in pictures
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start;margin-top:.5em">{figures}</div>'


def _table(grid: Tensor, off: Sequence[Sequence[bool]] | None = None) -> str:
    """The numbers; those that are off are bold in a thick frame."""
    rows = []
    for r, row in enumerate(grid.tolist()):
        cells = []
        for c, value in enumerate(row):
            wrong = off is not None and off[r][c]
            style = "color:inherit;border:1px solid currentColor;padding:.1em .4em;text-align:right;background:none;"
            style += "font-weight:bold;outline:2px solid currentColor" if wrong else "opacity:.75" if off else ""
            cells.append(f'<td style="{style}">{value:.4g}{" &ne;" if wrong else ""}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table style="color:inherit;border-collapse:separate;border-spacing:3px;margin:0">{"".join(rows)}</table>'


def _gray(grid: Tensor, low: float, high: float, words: str) -> str:
    """A picture of the numbers, black at ``low`` and white at ``high``."""
    from PIL import Image

    shares = ((grid - low) / (high - low or 1.0)).nan_to_num(0.0).clamp(0, 1)
    file = BytesIO()
    Image.fromarray((255 * shares).round().byte().numpy()).save(file, "PNG")
    rows, columns = grid.shape
    scale = SIDE / max(rows, columns)
    style = f"width:{max(columns * scale, 2):.0f}px;height:{max(rows * scale, 8):.0f}px"
    data, alt = b64encode(file.getvalue()).decode(), f"{words}: {rows}x{columns} numbers in gray"
    return (
        f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}" '
        f'style="{style};image-rendering:pixelated;border:1px solid currentColor;margin:0">'
    )
