from __future__ import annotations

import csv
import json

import pytest
from tests.fidget.recognition.recognition_samples import HOSTILE, person, result_of, segment

from fidget.recognition.result import from_json
from fidget.recognition.tables import (
    BORIS_COLUMNS,
    IMPORT_COLUMNS,
    write_boris,
    write_boris_import,
    write_csv,
    write_json,
)

RESULT = result_of(person(3, segment(1, 2.5), segment(2.5, 4, None)), person(7, segment(1.5, 3, "waving")))


def _rows(path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_a_segment(tmp_path) -> None:
    write_csv(tmp_path / "a.csv", RESULT)
    rows = _rows(tmp_path / "a.csv")
    assert [(row["person"], row["status"], row["action"]) for row in rows] == [
        ("3", "sure", "nodding"), ("3", "abstained", ""), ("7", "sure", "waving"),
    ]  # fmt: skip
    assert rows[0]["second_action"] == "waving" and rows[0]["simulated"] == "true"
    assert float(rows[0]["end_s"]) == 2.5


def test_boris_gets_what_it_exports(tmp_path) -> None:
    write_boris(tmp_path / "a.csv", RESULT, "talk.mp4", start_s=1.0)
    rows = _rows(tmp_path / "a.csv")
    assert tuple(rows[0]) == BORIS_COLUMNS and len(rows) == 2  # what is abstained is no event
    assert (rows[1]["Subject"], rows[1]["Behavior"], rows[1]["Behavioral category"]) == (
        "person 7", "waving", "arms",
    )  # fmt: skip
    assert (rows[1]["Start (s)"], rows[1]["Stop (s)"], rows[1]["Duration (s)"]) == ("0.500", "2.000", "1.500")
    assert rows[0]["Behavior type"] == "STATE" and "simulated" in rows[0]["Description"]


def test_boris_imports_pairs_of_events_in_order(tmp_path) -> None:
    write_boris_import(tmp_path / "a.csv", RESULT)
    rows = _rows(tmp_path / "a.csv")
    assert tuple(rows[0]) == IMPORT_COLUMNS == ("time", "subject", "code", "modifier", "comment")
    assert [row["time"] for row in rows] == ["1.000", "1.500", "2.500", "3.000"]
    assert [row["code"] for row in rows].count("nodding") == 2


@pytest.mark.parametrize("sign", ["=", "+", "@"])
def test_no_cell_is_a_formula(tmp_path, sign) -> None:
    name = f"{sign}1+1{HOSTILE}"
    result = result_of(person(3, segment(1, 2, name, words=name)), video_id=name, method=name)
    for write in (
        write_csv,
        write_boris_import,
        lambda path, one: write_boris(path, one, name),
    ):
        write(tmp_path / "a.csv", result)
        cells = [value for row in _rows(tmp_path / "a.csv") for value in row.values()]
        assert any(HOSTILE[:8] in cell for cell in cells)
        assert not any(cell.startswith(("=", "+", "@")) for cell in cells)


def test_the_record_is_plain_json(tmp_path) -> None:
    write_json(tmp_path / "a.json", result_of(person(3), path=HOSTILE), {"made_with": {"x": 1}})
    plain = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert plain["made_with"] == {"x": 1} and from_json(plain).path == HOSTILE
