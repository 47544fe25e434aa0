from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fidget.reports.contact_sheet import SheetEntry, draw_sheet, sheet_frames, write_png
from fidget.reports.preview import spread


def test_the_frames_stand_for_equal_stretches() -> None:
    assert sheet_frames(100) == [12, 37, 62, 87]
    assert sheet_frames(3) == [0, 1, 2]
    assert sheet_frames(1) == [0]


def test_clips_are_spread_over_the_cache() -> None:
    ids = [str(index) for index in range(10)]
    assert spread(ids, 3) == ["0", "3", "6"]
    assert spread(ids, 99) == ids
    assert spread([], 5) == []


def entry(colour: tuple[int, int, int], share: float, frames: int = 4) -> SheetEntry:
    return SheetEntry("é名\n", share, [np.full((100, 80, 3), colour, np.uint8)] * frames)


def test_every_clip_has_its_frames_on_the_sheet() -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]
    sheet = draw_sheet([entry(colour, 1.0) for colour in colours], "five")
    places = []
    for colour in colours:
        rows, columns = np.nonzero((sheet == colour).all(axis=-1))
        assert len(rows) == 4 * 100 * 80
        places.append((int(rows.min()), int(columns.min())))
    assert places == sorted(places)  # in the order given, row by row
    assert len({column for _, column in places}) == 2


def test_the_share_is_green_where_all_is_well_and_red_where_not() -> None:
    def ink(share: float) -> np.ndarray:
        header = draw_sheet([entry((0, 0, 0), share)], "")[54 : 54 + 30, 500:].astype(int)
        return header.reshape(-1, 3)[np.ptp(header.reshape(-1, 3), axis=-1).argmax()]

    good, bad = ink(1.0), ink(0.2)
    assert good.argmax() == 1
    assert bad.argmax() == 2


def test_a_clip_without_frames_and_frames_of_any_shape_fit() -> None:
    shapes = [(2, 1440), (240, 16), (1, 1)]
    odd = [SheetEntry("odd", 0.5, [np.zeros((*shape, 3), np.uint8)] * 4) for shape in shapes]
    sheet = draw_sheet([*odd, SheetEntry("failed", 0.0, [], "moov atom not found")], "t")
    assert sheet.ndim == 3
    assert sheet.shape[1] == 2 * 870 + 10


def test_a_sheet_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "file" / "sheet.png")
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(OSError, match=r"sheet\.png"):
        write_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "sheet.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "sheet.png"]
