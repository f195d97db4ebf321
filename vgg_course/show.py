"""Records show themselves as tables: the same rows as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Cell = str | int | float | None


def _words(cell: Cell) -> str:
    """Thousands separators for numbers, nothing for None."""
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int | float) and not isinstance(cell, bool) else str(cell)


@dataclass(frozen=True)
class Table:
    """A caption, a header and rows; the ``footer`` rows (totals) stand below a line. Numbers align right, prose left."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    footer: Sequence[Sequence[Cell]] = ()
    prose: bool = False

    def text(self) -> str:
        """Plain text, aligned, for a terminal."""
        body = [[_words(cell) for cell in row] for row in self.rows]
        foot = [[_words(cell) for cell in row] for row in self.footer]
        widths = [max(map(len, column)) for column in zip(self.header, *body, *foot, strict=True)]

        def line(cells: Sequence[str]) -> str:
            first, *rest = (
                c.rjust(w) if i and not self.prose else c.ljust(w)
                for i, (c, w) in enumerate(zip(cells, widths, strict=True))
            )
            return "  ".join([first, *rest]).rstrip()

        rule = "-" * len(line(["x" * w for w in widths]))
        parts = [self.caption, rule, line(self.header), rule, *map(line, body)]
        return "\n".join([*parts, *([rule, *map(line, foot)] if foot else [])])

    def html(self) -> str:
        """An HTML table with a caption, row headers and right-aligned numbers; styled by the page it stands in."""

        align = "left" if self.prose else "right"

        def row(cells: Sequence[Cell], tag: str = "td") -> str:
            first, *rest = [escape(_words(cell)) for cell in cells]
            scope = "col" if tag == "th" else "row"
            tail = "".join(
                f'<{tag} scope="col" style="text-align:{align}">{c}</{tag}>'
                if tag == "th"
                else f'<td style="text-align:{align}">{c}</td>'
                for c in rest
            )
            return f'<tr><th scope="{scope}" style="text-align:left">{first}</th>{tail}</tr>'

        foot = f"<tfoot>{''.join(map(row, self.footer))}</tfoot>" if self.footer else ""
        return (
            f'<table class="vgg-table"><caption>{escape(self.caption)}</caption>'
            f"<thead>{row(self.header, 'th')}</thead><tbody>{''.join(map(row, self.rows))}</tbody>{foot}</table>"
        )


class Shown:
    """A record that shows itself as the table that its ``_table`` makes; its dataclass is made with ``repr=False``."""

    def _table(self) -> Table:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()
