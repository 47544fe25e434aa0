from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from protocols.detection_table import Instance
from protocols.mma52_detection import is_mma52, read_mma52

HEAD = "id,video_id,start_frame,end_frame,class,total_frames,fps"
OLDER = ",video_id,start_frame,end_frame,class,total_frames"


def write(path, head, *rows, end="\r\n"):
    path.write_text(end.join([head, *rows]), newline="")  # without a final newline
    return path


@pytest.fixture
def current(tmp_path):
    write(tmp_path / "train.csv", HEAD, "0,train0000,23,71,9,168,30.0", "1,train0000,0,29,21,168,30.0")
    write(tmp_path / "val.csv", HEAD, "0,val0000,29,58,0,290,29.0", end="\n")
    write(tmp_path / "test.csv", HEAD, "0,test0000,0,20,1,166,30", "1,test0001,0,20,2,232,29")
    return tmp_path


def test_seconds_are_frames_over_each_videos_own_rate(current):
    table = read_mma52(current)
    assert table.video_ids == ("train0000", "val0000", "test0000", "test0001")
    assert table.fps == (Fraction(30), Fraction(29), Fraction(30), Fraction(29))
    assert table.duration_s.tolist() == [168 / 30, 10.0, 166 / 30, 8.0]
    assert table.instances == (
        Instance("train0000", 23 / 30, 71 / 30, 9),
        Instance("train0000", 0.0, 29 / 30, 21),
        Instance("val0000", 1.0, 2.0, 0),
    )
    assert table.splits == ("train", "val", "test", "test")


def test_placeholders_of_the_test_part_are_refused(current):
    table = read_mma52(current)
    assert table.withheld == ("test",)
    assert [one.label for one in table.instances_of("val")] == [0]
    with pytest.raises(ValueError, match="instances of 'test' are kept back"):
        table.instances_of("test")
    with pytest.raises(ValueError, match=r"no video is in the split 'val' of street; there are the splits"):
        table.instances_of("val", "street")


def test_real_test_rows_are_kept(current):
    write(current / "test.csv", HEAD, "0,test0000,0,20,1,166,30", "1,test0001,5,20,2,232,29")
    assert len(read_mma52(current).instances_of("test")) == 2


def test_the_older_release_needs_a_frame_rate(tmp_path):
    write(tmp_path / "train.csv", OLDER, "0,196_01_0005_L,0,227,28,228", "1,196_01_0005_l,0,30,21,60")
    with pytest.raises(ValueError, match=r"states no frame rate .*--fps 30"):
        read_mma52(tmp_path)
    table = read_mma52(tmp_path, Fraction(30))
    assert table.video_ids == ("196_01_0005_L", "196_01_0005_l")  # case is kept
    assert table.subjects == ("196", "196")
    assert table.instances[1].t_end_s == 1.0 and "30 was taken" in table.note
    rates = {"196_01_0005_L": Fraction(29), "196_01_0005_l": Fraction(30)}
    assert read_mma52(tmp_path, rates).duration_s.tolist() == [228 / 29, 2.0]
    with pytest.raises(ValueError, match="line 3: expected a frame rate of '196_01_0005_l'"):
        read_mma52(tmp_path, {"196_01_0005_L": Fraction(29)})


def test_a_stated_rate_is_never_replaced(current):
    assert read_mma52(current, Fraction(25)).fps == read_mma52(current).fps


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,train0000,0,20,52,168,30.0", r"line 3: expected a class 0..51, got 52"),
        ("1,train0000,0,20,1,169,30.0", r"line 3: video 'train0000' has duration_s"),
        ("1,train0000,0,20,1,168,29.0", r"line 3: video 'train0000' has .*fps 29"),
        ("1,train0000,0.5,20,1,168,30.0", "line 3: expected a video and whole numbers"),
        ("1,train0000,-1,20,1,168,30.0", "line 3: expected a video and whole numbers"),
        ("1,,0,20,1,168,30.0", "line 3: expected a video and whole numbers"),
        ("1,train0001,0,20,1,168,0", "line 3: expected a frame rate of 'train0001'"),
        ("1,train0001,0,20,1,168", "line 3: expected 7 values as in the head, got 6"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, words):
    path = write(tmp_path / "train.csv", HEAD, "0,train0000,23,71,9,168,30.0", row)
    with pytest.raises(ValueError, match=words) as caught:
        read_mma52(path)
    assert "train.csv" in str(caught.value)


def test_what_is_no_annotation_file(tmp_path):
    with pytest.raises(ValueError, match=r"expected train.csv, val.csv or test.csv"):
        read_mma52(tmp_path)
    path = write(tmp_path / "train.csv", "clip_id,label", "a,0")
    with pytest.raises(ValueError, match="start_frame, end_frame, class, total_frames missing"):
        read_mma52(path)
    assert not is_mma52(path) and not is_mma52(tmp_path) and not is_mma52(tmp_path / "none")


@pytest.mark.shared
def test_the_current_release(shared_dir):
    directory = shared_dir / "data" / "annotations" / "mma52"
    assert is_mma52(directory)
    table = read_mma52(directory)
    assert Counter(table.splits) == {"train": 4_534, "val": 1_475, "test": 519}
    assert len(table.instances_of("train")) == 13_698 and len(table.instances_of("val")) == 4_735
    assert set(table.fps) == {Fraction(29), Fraction(30)} and table.withheld == ("test",)
    rate_of = dict(zip(table.video_ids, table.fps, strict=True))
    slower = sum(rate_of[one.video_id] == 29 for one in table.instances_of("val"))
    assert slower == 1_038  # 22 % of the rows
    durations = dict(zip(table.video_ids, table.duration_s, strict=True))
    assert all(0 <= one.t_start_s < one.t_end_s <= durations[one.video_id] for one in table.instances)


@pytest.mark.shared
def test_the_older_release(shared_dir):
    table = read_mma52(shared_dir / "data" / "annotations" / "mma52" / "old_release", Fraction(30))
    assert len(table.instances_of("train")) == 13_708 and len(table.instances_of("val")) == 4_746
    alike = Counter(
        one.lower() for one, split in zip(table.video_ids, table.splits, strict=True) if split == "train"
    )
    assert sum(count > 1 for count in alike.values()) == 28
    assert {len(subject) for subject in table.subjects} == {0, 2, 3}  # four ids begin with 93_
