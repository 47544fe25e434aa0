"""The format page is enough: its reader reads our caches, and a cache written by hand reads here."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from cache_samples import METADATA, make_clip

from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_schema import SCHEMA, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import encode_clip, failed_row

PAGE = Path(__file__).parents[2] / "docs" / "cache-format.md"
STAMP = SourceStamp("v.mp4", 1, 2)


def reader_of_the_page() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    exec(code, names)
    return names["read_clip"]


def test_the_reader_of_the_page_reads_our_cache(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips = [make_clip(f"dir/ä {number}", rng, number % 3, 4 + number) for number in range(7)]
    with CacheWriter(tmp_path, METADATA, rows_per_shard=3) as writer:
        for clip in clips:
            writer.add(encode_clip(clip, STAMP))
        writer.add(failed_row("bad", STAMP, "no video"))
    cache = PoseCache(tmp_path)
    cache.view()  # must not disturb other readers
    read_clip = reader_of_the_page()
    for clip in clips:
        xy_px, score, time_s = read_clip(tmp_path, clip.clip_id)
        ours = cache.read(clip.clip_id)
        np.testing.assert_array_equal(xy_px.astype(np.float32), ours.xy_px)
        np.testing.assert_array_equal(score.astype(np.float32), ours.score)
        np.testing.assert_array_equal(time_s, ours.time_s)
    with pytest.raises(ValueError, match="no video"):
        read_clip(tmp_path, "bad")


def test_the_page_names_every_column_and_type() -> None:
    page = PAGE.read_text()
    for field in SCHEMA:
        cells = (line.split("|") for line in page.splitlines() if line.startswith("| `"))
        kind_cell = next(cell[2] for cell in cells if f"`{field.name}`" in cell[1])
        kind = str(field.type.value_type) if pa.types.is_list(field.type) else str(field.type).split("<")[0]
        assert kind.replace("double", "float64") in kind_cell
        assert ("nullable" in kind_cell) == field.nullable


def test_plain_pyarrow_reads_every_column(tmp_path: Path) -> None:
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.add(encode_clip(make_clip("a", np.random.default_rng(0)), STAMP))
    table = ds.dataset(tmp_path, format="parquet").to_table()
    assert table.schema.names == SCHEMA.names
    assert pq.read_table(tmp_path)["clip_id"].to_pylist() == ["a"]
    assert pq.read_schema(tmp_path / "_common_metadata").equals(SCHEMA)


def zigzag(values: list[int]) -> list[int]:
    return [2 * value if value >= 0 else -2 * value - 1 for value in values]


def hand_written_row() -> dict[str, object]:
    """One person, three frames, two joints at whole pixels; written from the page, with Python alone."""
    row: dict[str, object] = {
        "clip_id": "by/hand",
        "source_path": "/somewhere/hand.mp4",
        "source_bytes": 77,
        "source_mtime_ns": 1_700_000_000_000_000_000,
        "status": "ok",
        "error": None,
        "width": 640,
        "height": 480,
        "fps_num": 30,
        "fps_den": 1,
        "frames": 3,
        "persons": 1,
        "time_us": [0, 33_333, 66_667],
        "track_ids": [4],
        "xy_step": 1 / 16,
        # joint 0: (10, 20) missing (9, 20); joint 1: missing (1, 2) (1, 3)
        "xy": zigzag([160, 320, 0, 0, 0, 0, 16, 32, -16, 0, 0, 16]),
        "score": [255, 0, 0, 51, 128, 255],
        "box": [*zigzag([16, 32, 48, 64]), -1, -1, -1, -1, *zigzag([-16, 0, 0, 0])],
        "quality": None,
    }
    return row


def hand_checksum(row: dict[str, object]) -> int:
    counts = ("width", "height", "fps_num", "fps_den", "frames", "persons")
    content = (
        np.array([row[name] for name in counts], "<i8").tobytes() + np.array(row["xy_step"], "<f8").tobytes()
    )
    types = {"time_us": "<i8", "track_ids": "<i8", "xy": "<i4", "score": "u1", "box": "<i4"}
    return zlib.crc32(content + b"".join(np.array(row[name], kind).tobytes() for name, kind in types.items()))


HAND_JSON = {"format_version": 1, "layout": "hand2", "models": {}, "settings": {"by": "hand"}}


@pytest.fixture
def hand2(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout of two joints, known to the reader for the time of a test."""
    from poses import layout

    two = layout.Layout("hand2", ("wrist", "tip"), (0, 0), ((0, 1),), (0, 1))
    monkeypatch.setattr(layout, "LAYOUTS", {**layout.LAYOUTS, "hand2": two})


@pytest.mark.parametrize("liberal", [False, True])
@pytest.mark.usefixtures("hand2")
def test_a_cache_written_by_hand_reads(tmp_path: Path, liberal: bool) -> None:
    row = hand_written_row()
    row["checksum"] = hand_checksum(row)
    metadata = {b"fidget": json.dumps(HAND_JSON).encode()}
    if (
        liberal
    ):  # what other writers make of it: inferred int64 and large lists, columns in another order, one more
        table = pa.Table.from_pylist([dict(reversed(list(row.items()))) | {"extra": 1}])
        quality = pa.nulls(1, SCHEMA.field("quality").type)
        table = table.set_column(table.schema.get_field_index("quality"), "quality", quality)
        large = table["xy"].cast(pa.large_list(pa.int64()))
        table = table.set_column(table.schema.get_field_index("xy"), "xy", large)
        table = table.set_column(
            table.schema.get_field_index("status"), "status", table["status"].dictionary_encode()
        ).replace_schema_metadata(metadata)
        pq.write_table(table, tmp_path / "mine.parquet", compression="none")
    else:
        table = pa.Table.from_pylist([row], schema=SCHEMA.with_metadata(metadata))
        pq.write_table(table, tmp_path / "mine.parquet")
        pq.write_metadata(table.schema, tmp_path / "_common_metadata")
    cache = PoseCache(tmp_path)
    assert (cache.metadata.layout, cache.metadata.settings) == ("hand2", {"by": "hand"})
    clip = cache.read("by/hand")
    nan = np.nan
    np.testing.assert_array_equal(
        clip.xy_px[0], [[[10, 20], [nan, nan]], [[nan, nan], [1, 2]], [[9, 20], [1, 3]]]
    )
    np.testing.assert_allclose(clip.score[0], [[1, 0], [0, 0.2], [128 / 255, 1]], atol=1e-7)
    np.testing.assert_array_equal(clip.box_px[0], [[1, 2, 3, 4], [nan] * 4, [0, 2, 3, 4]])
    np.testing.assert_allclose(clip.time_s, [0, 0.033333, 0.066667], atol=1e-12)
    assert (clip.frame_hw, clip.fps, clip.track_ids.tolist()) == ((480, 640), 30, [4])
    np.testing.assert_array_equal(cache.view().read("by/hand")[0], clip.xy_px)
    assert check_cache(tmp_path).problems == ()
    assert cache.stamps() == {
        "by/hand": (SourceStamp("/somewhere/hand.mp4", 77, 1_700_000_000_000_000_000), "ok")
    }
    assert cache.table(("frames", "xy"))["xy"].to_pylist() == [row["xy"]]
