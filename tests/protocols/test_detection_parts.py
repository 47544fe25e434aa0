"""Detection files that come in parts, and whose videos are stored in unusual ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from protocols import detections
from protocols.detections import Detections, read_detections, write_detections
from protocols.label_tree import LabelTree

TREE = LabelTree("two", ("a", "b"), (), ())


def made(number: int = 10) -> Detections:
    start = np.arange(number) * 1.0
    ids = tuple(f"v{row % 3}" for row in range(number))
    return Detections(TREE, ids, start, start + 0.5, np.arange(number) % 2, start / 10, "m")


def check_same(found: Detections, wanted: Detections) -> None:
    assert found.video_ids == wanted.video_ids and found.method == wanted.method
    for what in ("t_start_s", "t_end_s", "actions", "scores"):
        np.testing.assert_array_equal(getattr(found, what), getattr(wanted, what))
    names, rows = found.videos()
    assert names == tuple(dict.fromkeys(wanted.video_ids))
    assert [names[row] for row in rows] == list(wanted.video_ids)
    assert wanted.videos()[0] == names


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_parts_of_any_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(detections, "_ROWS_AT_ONCE", rows)
    write_detections(tmp_path / "d.parquet", made())
    check_same(read_detections(tmp_path / "d.parquet"), made())
    table = pq.read_table(tmp_path / "d.parquet")
    pq.write_table(table, tmp_path / "groups.parquet", row_group_size=3)
    check_same(read_detections(tmp_path / "groups.parquet"), made())
    pq.write_table(table, tmp_path / "plain.parquet", use_dictionary=False)
    check_same(read_detections(tmp_path / "plain.parquet"), made())


def test_categories_that_no_row_has(tmp_path: Path) -> None:
    write_detections(tmp_path / "d.parquet", made())
    table = pq.read_table(tmp_path / "d.parquet")
    codes = [("x", "v2", "v1", "v0", "y").index(name) for name in made().video_ids]
    ids = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(["x", "v2", "v1", "v0", "y"]))
    pq.write_table(table.set_column(0, "video_id", ids), tmp_path / "categories.parquet")
    check_same(read_detections(tmp_path / "categories.parquet"), made())


def test_names_of_actions_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detections, "_ROWS_AT_ONCE", 4)
    write_detections(tmp_path / "d.parquet", made())
    table = pq.read_table(tmp_path / "d.parquet")
    names = pa.array([TREE.actions[row % 2] for row in range(10)])
    place = table.schema.get_field_index("action")
    pq.write_table(table.set_column(place, "action", names), tmp_path / "names.parquet")
    check_same(read_detections(tmp_path / "names.parquet"), made())


def test_an_empty_file_and_nulls(tmp_path: Path) -> None:
    write_detections(tmp_path / "none.parquet", made(0))
    found = read_detections(tmp_path / "none.parquet")
    assert len(found) == 0 and found.videos()[0] == ()
    write_detections(tmp_path / "d.parquet", made())
    table = pq.read_table(tmp_path / "d.parquet")
    ids = pa.array([None, *made().video_ids[1:]], pa.string())
    pq.write_table(table.set_column(0, "video_id", ids), tmp_path / "null.parquet")
    with pytest.raises(ValueError, match="column video_id holds nulls"):
        read_detections(tmp_path / "null.parquet")
