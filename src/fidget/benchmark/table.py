"""A table as text: Markdown, LaTeX, CSV, HTML. Cells are text already; whoever makes them rounds them."""

from __future__ import annotations

import csv
import html as html_escapes
import io
import re
import unicodedata
from dataclasses import dataclass

_NUMBER = re.compile(r"\[?[+\-−–]?\d")
_SPACES = re.compile(r"\s+")
_MARKDOWN = re.compile(r"([\\|`*<>~])|(?<!\w)_|_(?!\w)|\](?=[(\[:])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "[": "{[}",  # behind a line's end it would be an option of it
    "]": "{]}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; it checks itself once.

    Attributes:
        title: above the table.
        head: column names.
        rows: cells, as many a row as the head has.
        notes: lines below it: sources, what was simulated, what is missing.
        units: a line below the title, such as `per cent`.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    units: str = ""

    def __post_init__(self) -> None:
        wrong = [len(row) for row in self.rows if len(row) != len(self.head)]
        if wrong:
            raise ValueError(f"table {self.title!r}: expected {len(self.head)} cells a row, got {wrong[0]}")

    def numeric(self) -> tuple[bool, ...]:
        """For each column whether all its cells that say something begin with a number; those stand right."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.head)
        said = [[cell for cell in column if cell not in ("", "-")] for column in columns]
        return tuple(bool(cells) and all(_NUMBER.match(cell) for cell in cells) for cells in said)


def _line(text: str) -> str:
    """Text on one line, without control characters and marks that turn the reading direction."""
    plain = _SPACES.sub(" ", text).strip()
    return "".join(sign for sign in plain if unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))


def markdown(table: Table) -> str:
    """The table as GitHub's Markdown, with a heading above and its notes as a list below."""

    def told(text: str) -> str:
        return _MARKDOWN.sub(lambda found: "\\" + found.group(), _line(text))

    right = table.numeric()
    lines = [[told(cell) for cell in row] for row in (table.head, *table.rows)]
    widths = [max(3, *(_width(line[n]) for line in lines)) for n in range(len(table.head))]

    def joined(line: list[str]) -> str:
        cells = []
        for cell, width, numbers in zip(line, widths, right, strict=True):
            space = " " * (width - _width(cell))
            cells.append(space + cell if numbers else cell + space)
        return f"| {' | '.join(cells)} |"

    rule = ["-" * (w - 1) + ":" if numbers else "-" * w for w, numbers in zip(widths, right, strict=True)]
    said = [f"### {told(table.title)}", ""]
    if table.units:
        said += [told(table.units), ""]
    said += [joined(lines[0]), f"| {' | '.join(rule)} |", *map(joined, lines[1:])]
    if table.notes:
        said += ["", *(f"* {told(note)}" for note in table.notes)]
    return "\n".join(said) + "\n"


def _width(text: str) -> int:
    """Places a text takes on a terminal."""
    return sum(0 if unicodedata.combining(s) else 1 + (unicodedata.east_asian_width(s) in "WF") for s in text)


def latex(table: Table) -> str:
    """The table as LaTeX that needs the package booktabs; its notes stand below the rows."""

    def told(text: str) -> str:
        return "".join(_LATEX.get(sign, sign) for sign in _line(text))

    def joined(row: tuple[str, ...]) -> str:
        return "  " + " & ".join(told(cell) for cell in row) + r" \\"

    columns = "".join("r" if numbers else "l" for numbers in table.numeric())
    caption = told(table.title) + (f" ({told(table.units)})" if table.units else "")
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{caption}}}",
        rf"  \begin{{tabular}}{{{columns}}}",
        r"  \toprule",
        joined(table.head),
        r"  \midrule",
        *(joined(row) for row in table.rows),
        r"  \bottomrule",
        r"  \end{tabular}",
        *(rf"  \par\smallskip\footnotesize {told(note)}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def csv_text(table: Table) -> str:
    """Head and rows as CSV (RFC 4180, but lines end in one line feed); title, units and notes stay out.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_no_formula(_line(cell)) for cell in row] for row in (table.head, *table.rows))
    return text.getvalue()


def _no_formula(text: str) -> str:
    formula = text[:1] in ("=", "@") or (text[:1] in ("+", "-") and text != "-" and not _NUMBER.match(text))
    return f"'{text}" if formula else text


def html(table: Table) -> str:
    """The table as an HTML `<table>`; cells of numeric columns have the class `number`."""

    def told(text: str) -> str:
        return html_escapes.escape(_line(text))

    right = table.numeric()

    def joined(row: tuple[str, ...], tag: str) -> str:
        cells = (
            f'<{tag} class="number">{told(cell)}</{tag}>' if numbers else f"<{tag}>{told(cell)}</{tag}>"
            for cell, numbers in zip(row, right, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    units = f' <span class="units">{told(table.units)}</span>' if table.units else ""
    lines = [
        f"<table>\n<caption>{told(table.title)}{units}</caption>",
        f"<thead>{joined(table.head, 'th')}</thead>",
        "<tbody>",
        *(joined(row, "td") for row in table.rows),
        "</tbody>\n</table>",
    ]
    if table.notes:
        lines += ['<ul class="notes">', *(f"<li>{told(note)}</li>" for note in table.notes), "</ul>"]
    return "\n".join(lines) + "\n"
