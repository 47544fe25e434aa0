"""docs/results.md is what the program writes from the measured numbers."""

from __future__ import annotations

from benchmarks import results_page


def test_the_page_is_what_the_program_writes() -> None:
    assert results_page.PAGE.read_text(encoding="utf-8") == results_page.page()


def test_every_table_has_rows() -> None:
    tables = results_page.page().split("\n\n|")[1:]
    measured = [results_page.ROOT / "results" / f"{name}.csv" for name in results_page.ACCURACY_FILES]
    measured += [
        results_page.ROOT / "benchmarks" / "results" / f"{name}.csv" for name in results_page._SPEED_TABLES
    ]
    assert len(tables) >= sum(path.exists() for path in measured) >= 7
    assert all(table.count("\n|") >= 2 for table in tables)
