from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidget.benchmark.table import Table, csv_text, html, latex, markdown

HOSTILE = (
    '<script>alert("1")</script>\n=2+2,"quoted"\u202e名 | a_b _c_ *d* [x](javascript:y) \\ & % $ # { } ~ ^'
)
SMALL = Table(
    "Title",
    ("name", "top-1"),
    (("ours", "9.50 ± 0.1"), ("theirs", "+10.00"), ("none", "-")),
    ("A note.",),
    "per cent",
)


def test_markdown_is_what_a_reader_expects() -> None:
    assert markdown(SMALL) == (
        "### Title\n\nper cent\n\n"
        "| name   |      top-1 |\n"
        "| ------ | ---------: |\n"
        "| ours   | 9.50 ± 0.1 |\n"
        "| theirs |     +10.00 |\n"
        "| none   |          - |\n"
        "\n* A note.\n"
    )


def test_latex_is_what_a_reader_expects() -> None:
    lines = latex(SMALL).splitlines()
    assert lines[2:7] == [
        r"  \caption{Title (per cent)}",
        r"  \begin{tabular}{lr}",
        r"  \toprule",
        r"  name & top-1 \\",
        r"  \midrule",
    ]
    assert r"  ours & 9.50 $\pm$ 0.1 \\" in lines
    assert r"  \par\smallskip\footnotesize A note." in lines


def test_latex_leaves_no_sign_that_would_act() -> None:
    row = latex(Table("t", ("name",), ((HOSTILE,),))).splitlines()[7]
    known = (
        r"\\(?:textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|[&%$#_{}])(?:\{\})?"
    )
    rest = re.sub(known, "", row.removesuffix(r" \\"))
    assert not set(rest.replace("{[}", "").replace("{]}", "")) & set("\\&%$#_{}~^<>|[]")


def test_a_row_that_begins_with_a_bracket_is_no_option_of_the_line_before() -> None:
    assert r"  {[}1, 2{]} \\" in latex(Table("t", ("a",), (("x",), ("[1, 2]",)))).splitlines()


def test_csv_comes_back_and_holds_no_formula() -> None:
    table = Table("t", ("=head", "b"), (("=1+1", "+2.5"), ("@x", "-"), ("-cmd", "−3"), ('say "a, b"', "名")))
    assert list(csv.reader(io.StringIO(csv_text(table)))) == [
        ["'=head", "b"],
        ["'=1+1", "+2.5"],
        ["'@x", "-"],
        ["'-cmd", "−3"],
        ['say "a, b"', "名"],
    ]


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.inside = tag in ("td", "th")
        if self.inside:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=4), st.text(max_size=20))
def test_any_text_keeps_the_shape_of_every_form(rows: list[tuple[str, str]], title: str) -> None:
    table = Table(title, ("a", "b"), tuple(rows), (title,))
    for line in markdown(table).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    assert len(list(csv.reader(io.StringIO(csv_text(table))))) == 1 + len(rows)
    parser = _Cells()
    parser.feed(html(table))
    assert parser.tags <= {"table", "caption", "thead", "tbody", "tr", "td", "th", "ul", "li"}
    assert len(parser.cells) == 2 * (1 + len(rows))
    body = latex(table).split("\\midrule\n")[1].split("  \\bottomrule")[0]
    assert body.count("\n") == len(rows)


def test_html_shows_hostile_text_as_text() -> None:
    parser = _Cells()
    parser.feed(html(Table(HOSTILE, ("a",), ((HOSTILE,),), (HOSTILE,), HOSTILE)))
    assert "script" not in parser.tags
    assert parser.cells[1] == " ".join(HOSTILE.split()).replace("\u202e", "")


def test_markdown_escapes_what_would_be_markup() -> None:
    line = markdown(Table("t", ("a",), (("a_b _c_ *d* <b> [x](y) [1, 2] a|b \\",),))).splitlines()[4]
    assert line == r"| a_b \_c\_ \*d\* \<b\> [x\](y) [1, 2] a\|b \\ |"


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 cells a row, got 1"):
        Table("t", ("a", "b"), (("x",),))
