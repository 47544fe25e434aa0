"""The long CSV, as we write it and as others may."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from poses.clip import PoseClip
from poses.formats.long_csv import rate_of, read_csv, write_csv
from poses.formats.record import FormatError, LabelledClip, boxes_around
from poses.layout import Layout

TWO = Layout("two", ("a", "b"), (0, 0), ((0, 1),), (1, 0))


def write(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(tmp_path, text, **options):
    return list(read_csv(write(tmp_path, text), TWO, **options))


def test_what_is_written_byte_by_byte(tmp_path):
    xy_px = np.array([[[[1.5, 0.1], [np.nan] * 2], [[np.nan] * 2] * 2]], np.float32)
    score = np.array([[[0.25, 0], [0, 0]]], np.float32)
    clip = PoseClip(
        'a "b"',
        TWO,
        xy_px,
        score,
        boxes_around(xy_px),
        np.array([0, 0.04]),
        (20, 10),
        Fraction(25),
        np.array([7]),
    )
    write_csv(tmp_path / "x.csv", [LabelledClip(clip)])
    assert (tmp_path / "x.csv").read_bytes() == (
        b"clip_id,frame,time_s,track_id,joint,x_px,y_px,score,width,height\n"
        b'"a ""b""",0,0.0,7,a,1.5,0.1,0.25,10,20\n'
        b'"a ""b""",1,0.04,,,,,,10,20\n'
    )


def test_an_id_with_a_carriage_return_comes_back(tmp_path):
    xy_px = np.array([[[[1.5, 0.5], [2, 3]]]], np.float32)
    score = np.ones((1, 1, 2), np.float32)
    boxes, time_s, ids = boxes_around(xy_px), np.array([0.0]), np.array([7])
    clip = PoseClip("a\rb", TWO, xy_px, score, boxes, time_s, (20, 10), Fraction(25), ids)
    write_csv(tmp_path / "x.csv", [LabelledClip(clip)])
    (back,) = read_csv(tmp_path / "x.csv", TWO)
    assert (back.clip.clip_id, back.clip.persons) == ("a\rb", 1)


def test_as_a_spreadsheet_writes_it(tmp_path):
    """Byte order mark, CRLF, other column order, unknown columns, rows in any order, no final newline."""
    text = (
        "\ufeffjoint,frame,x_px,y_px,score,time_s,track_id,clip_id,remark\r\n"
        "b,1,3,4,0.5,0.1,2,c1,\r\na,0,1,2,1,0.0,2,c1,hello\r\na,0,9,9,1,0.0,1,c1,\r\n\r\na,0,5,6,0,0,1,c2,x"
    )
    first, second = read(tmp_path, text, frame_hw=(40, 30))
    assert first.clip.clip_id == "c1" and first.clip.track_ids.tolist() == [1, 2] and first.clip.fps == 10
    assert first.clip.frame_hw == (40, 30)
    np.testing.assert_array_equal(first.clip.score, np.float32([[[1, 0], [0, 0]], [[1, 0], [0, 0.5]]]))
    assert second.clip.persons == 0  # score 0


def test_the_least_columns(tmp_path):
    [labelled] = read(tmp_path, "clip_id,frame,joint,x_px,y_px\nc,0,a,1,2\nc,2,b,3,4\n", fps=Fraction(50))
    clip = labelled.clip
    np.testing.assert_allclose(clip.time_s, [0, 0.04])
    assert clip.persons == 1 and clip.score[0].tolist() == [[1, 0], [0, 1]] and clip.frame_hw == (5, 4)
    assert "no times in the file: frame / fps taken" in labelled.notes


def test_missing_values_in_rows(tmp_path):
    text = "clip_id,frame,time_s,track_id,joint,x_px,y_px,score\nc,0,0,1,a,,,\nc,0,0,1,b,nan,2,0.9\n"
    text += "c,1,0.1,,,,,\n"
    [labelled] = read(tmp_path, text)
    assert labelled.clip.persons == 0 and labelled.clip.frames == 2


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("c,0,0,1,nose,1,2,1", r"line 3: layout 'two' has no joint 'nose'"),
        ("c,0,0,1,a,1,2", "line 3: expected 8 cells, got 7"),
        ("c,x,0,1,a,1,2,1", "line 3: expected a number as frame, got 'x'"),
        ("c,0.5,0,1,a,1,2,1", "line 3: expected a whole number as frame"),
        ("c,1e30,0,1,a,1,2,1", "line 3: expected a whole number as frame"),
        ("c,0,0,1,a,one,2,1", "line 3: expected a number as x_px"),
        ("c,0,0,1,a,1,2,?", "line 3: expected a number as score"),
        ("c,0,0,0,a,1,2,1", "frame 0, track 0 has 'a' twice"),
        ("c,0,9,0,b,1,2,1", "frame 0 has the times 0.0 and 9.0"),
        ("c,1,0,0,b,1,2,1", "strictly increasing"),
    ],
)
def test_wrong_rows(tmp_path, row, words):
    text = f"clip_id,frame,time_s,track_id,joint,x_px,y_px,score\nc,0,0,0,a,1,2,1\n{row}\nd,0,0,0,a,1,2,1\n"
    with pytest.raises(ValueError, match=words):
        read(tmp_path, text)
    broken = {}
    clips = read(tmp_path, text, on_broken=broken.__setitem__)
    assert [one.clip.clip_id for one in clips] == ["d"] and list(broken) == ["c"]


def test_rows_of_one_clip_that_lie_apart(tmp_path):
    text = "clip_id,frame,joint,x_px,y_px\nc,0,a,1,2\nd,0,a,1,2\nc,1,a,1,2\n"
    with pytest.raises(FormatError, match="rows of clip 'c' lie apart; sort the file"):
        read(tmp_path, text)


def test_wrong_files(tmp_path):
    with pytest.raises(FormatError, match="missing clip_id, frame, joint, x_px, y_px"):
        read(tmp_path, "")
    with pytest.raises(FormatError, match="missing y_px"):
        read(tmp_path, "clip_id,frame,joint,x_px\n")
    with pytest.raises(FormatError, match="field larger than field limit"):
        read(tmp_path, "clip_id,frame,joint,x_px,y_px\n" + '"' + "x" * 200_000)
    assert read(tmp_path, "clip_id,frame,joint,x_px,y_px\n") == []
    # 20,000 track ids in 20,000 frames would ask for gigabytes.
    rows = "".join(f"c,{n},{n},a,1,2\n" for n in range(20_000))
    with pytest.raises(FormatError, match="20000 persons in 20000 frames"):
        read(tmp_path, "clip_id,frame,track_id,joint,x_px,y_px\n" + rows)


@pytest.mark.parametrize(
    ("step_s", "rate"),
    [
        (1 / 30, Fraction(30)),
        (1 / 29, Fraction(29)),
        (1001 / 30000, Fraction(30000, 1001)),
        (0.04, Fraction(25)),
    ],
)
def test_frame_rate_from_times(step_s, rate):
    assert rate_of(np.arange(100) * step_s) == rate
    assert rate_of(np.round(np.arange(100) * step_s, 6)) == rate  # as the cache stores times


def test_no_frame_rate_from_one_frame():
    assert rate_of(np.zeros(1)) is None
