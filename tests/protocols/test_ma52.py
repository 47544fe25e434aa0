from __future__ import annotations

import csv
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.catalogue import find_protocol
from protocols.ma52 import by_subject, read_ma52, subject_of, subject_splits
from protocols.scores import NO_LABEL
from protocols.subject_split import SHARES, split_subjects, split_table

TRAIN = b"0003_01_0001.mp4 9\r\n0003_01_0002.mp4 51\r\n0009_02_0001.mp4 0\r\n"
VAL = b"0004_01_0001.mp4 9\r\n"
TEST = b"test0000.mp4 0\r\ntest0001.mp4 0"  # no final newline


@pytest.fixture
def lists(tmp_path):
    for name, content in (("train", TRAIN), ("val", VAL), ("test", TEST)):
        (tmp_path / f"{name}_list_videos.txt").write_bytes(content)
    return tmp_path


def test_lists_with_windows_line_ends_and_placeholders(lists):
    table = read_ma52(lists)
    assert table.clip_ids == (
        "0003_01_0001", "0003_01_0002", "0009_02_0001", "0004_01_0001", "test0000", "test0001",
    )  # fmt: skip
    assert table.labels.tolist() == [9, 51, 0, 9, NO_LABEL, NO_LABEL]
    assert table.splits == ("train", "train", "train", "val", "test", "test")
    assert table.subjects == ("0003", "0003", "0009", "0004", "", "")
    assert "placeholders" in table.note
    assert table.tree.actions[51] == "scratching feet"


def test_real_test_labels_are_kept(lists):
    (lists / "test_list_videos.txt").write_text("test0000.mp4 0\ntest0001.mp4 7\n")
    assert read_ma52(lists).labels.tolist()[-2:] == [0, 7]
    (lists / "test_list_videos.txt").write_text("test0000.mp4\ntest0001.mp4\n")  # one column
    assert read_ma52(lists).labels.tolist()[-2:] == [NO_LABEL, NO_LABEL]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0009_01_0001.mp4 52", r"line 2: expected .* label 0..51"),
        ("0009_01_0001.mp4 -1", "line 2"),
        ("0009_01_0001.mp4 nodding", "line 2"),
        ("3", "line 2"),
    ],
)
def test_a_bad_line_is_named(lists, line, words):
    (lists / "val_list_videos.txt").write_text(f"0004_01_0001.mp4 9\n{line}\n")
    with pytest.raises(ValueError, match=words) as caught:
        read_ma52(lists)
    assert "val_list_videos.txt" in str(caught.value)


def test_a_clip_in_two_lists_is_refused(lists):
    (lists / "val_list_videos.txt").write_bytes(TRAIN)
    with pytest.raises(ValueError, match=r"twice: '0003_01_0001'"):
        read_ma52(lists)


def test_a_directory_without_lists(tmp_path):
    with pytest.raises(ValueError, match=r"train_list_videos.txt.*found none"):
        read_ma52(tmp_path)


@pytest.mark.parametrize(
    ("clip_id", "subject"),
    [("0003_01_0001", "0003"), ("videos_train/0193_06_0004", "0193"), ("test0001", ""), ("0003_01_x", "")],
)
def test_subjects_of_names(clip_id, subject):
    assert subject_of(clip_id) == subject


def test_as_a_protocol_under_the_names_of_a_cache(lists):
    clips = [
        "videos_train/0003_01_0001",
        "videos_train/0003_01_0002",
        "videos_train/0009_02_0001",
        "0004_01_0001",
    ]
    protocol = find_protocol(f"ma52:{lists}", [*clips, "more"])
    assert protocol.name == "ma52"
    assert {name: split.clip_ids for name, split in protocol.splits.items()} == {
        "train": tuple(clips[:3]), "val": ("0004_01_0001",),
    }  # fmt: skip
    with pytest.raises(
        ValueError, match=r"no poses of 2 labelled clips, such as '0003_01_0002', '0009_02_0001'"
    ):
        find_protocol(f"ma52:{lists}", ["0003_01_0001", "0004_01_0001"])
    dropped = find_protocol(f"ma52:{lists}", ["0003_01_0001", "0004_01_0001"], without_poses=True)
    assert len(dropped.splits["train"].clip_ids) == 3
    by_who = find_protocol(f"ma52_subjects:{lists}", clips)
    assert {name: split.clip_ids for name, split in by_who.splits.items()} == {
        "train": ("videos_train/0003_01_0001", "videos_train/0003_01_0002", "0004_01_0001"),
        "test": ("videos_train/0009_02_0001",),
    }  # fmt: skip


def test_splitting_by_subject_needs_known_subjects(lists):
    (lists / "val_list_videos.txt").write_text("9999_01_0001.mp4 9\n")
    with pytest.raises(
        ValueError, match=r"1 subjects are not in the published subject split, such as '9999'"
    ):
        by_subject(read_ma52(lists))


def test_the_published_subject_list_is_whole():
    text = (files("protocols") / "tables" / "ma52_subjects.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(subject_splits()) == 186
    assert Counter(row["split"] for row in rows) == {"train": 82, "val": 52, "test": 52}
    assert [row["subject"] for row in rows] == sorted(row["subject"] for row in rows)


counts = st.integers(3, 24).flatmap(
    lambda subjects: st.lists(
        st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=subjects, max_size=subjects
    )
)


@settings(max_examples=25, deadline=None)
@given(counts)
def test_classes_with_a_subject_for_each_part_are_in_each(rows):
    found = np.array(rows, np.int64)
    parts = split_subjects(found)
    np.testing.assert_array_equal(parts, split_subjects(found))  # nothing is left to chance
    alone = (found > 0).sum(axis=0)
    for action in range(found.shape[1]):
        having = {int(part) for part, count in zip(parts, found[:, action], strict=True) if count}
        # a subject may be the only one of several classes; with many of a class there is always a way
        if alone[action] >= 3 and len(found) >= 12 and (alone >= 8).all():
            assert having == {0, 1, 2}


def test_no_move_and_no_exchange_would_be_better():
    found = np.random.default_rng(5).poisson(3, (12, 6)).astype(np.int64)
    parts = split_subjects(found)

    def cost(of) -> float:  # the same sums, said in another way
        every = np.hstack([found, found.sum(axis=1, keepdims=True)])
        total, weight = every.sum(axis=0), 10_000 // np.maximum(every.sum(axis=0), 1)
        weight[-1] = 10_000 * 6 // total[-1]
        held = np.stack([every[of == part].sum(axis=0) for part in range(3)])
        off = 100 * held - np.array(SHARES)[:, None] * total
        return float((weight * off**2).sum() + 1e15 * ((held == 0) & ((every > 0).sum(axis=0) >= 3)).sum())

    best = cost(parts)
    for one in range(12):
        for part in range(3):
            moved = parts.copy()
            moved[one] = part
            assert cost(moved) >= best
        for other in range(one):
            swapped = parts.copy()
            swapped[[one, other]] = swapped[[other, one]]
            assert cost(swapped) >= best


@pytest.mark.parametrize(
    ("counts", "shares", "words"),
    [
        (np.ones((3, 2), np.int64), (60, 20, 10), "sum of 100"),
        (np.ones((3, 2), np.int64), (100, 0), "above 0"),
        (-np.ones((3, 2), np.int64), SHARES, "0 or more"),
        (np.ones((0, 2), np.int64), SHARES, "expected counts"),
    ],
)
def test_what_cannot_be_split(counts, shares, words):
    with pytest.raises(ValueError, match=words):
        split_subjects(counts, shares)


@pytest.mark.shared
def test_the_official_lists(shared_dir):
    table = read_ma52(shared_dir / "data" / "annotations" / "ma52")
    assert Counter(table.splits) == {"train": 11_250, "val": 5_586, "test": 5_586}
    assert (table.labels == NO_LABEL).sum() == 5_586
    seen = {split: {table.subjects[row] for row in table.rows(split)} for split in ("train", "val")}
    assert seen["train"] == seen["val"] and len(seen["train"]) == 186
    names = (shared_dir / "data" / "annotations" / "ma52" / "label_name.txt").read_text().splitlines()
    assert table.tree.actions == tuple(name.split("\t")[1].strip() for name in names)


@pytest.mark.shared
def test_the_subject_split_is_what_the_program_finds_and_balanced(shared_dir):
    table = read_ma52(shared_dir / "data" / "annotations" / "ma52")
    assert dict(split_table(table)) == dict(subject_splits())
    mine = by_subject(table)
    assert Counter(mine.splits) == {"train": 10_101, "val": 3_370, "test": 3_365}
    seen = {split: {mine.subjects[row] for row in mine.rows(split)} for split in ("train", "val", "test")}
    assert not (seen["train"] & seen["val"] | seen["train"] & seen["test"] | seen["val"] & seen["test"])
    parts = np.stack(
        [np.bincount(mine.labels[mine.rows(split)], minlength=52) for split in ("train", "val", "test")]
    )
    assert (parts > 0).all()  # every class is everywhere
    shares = parts / parts.sum(axis=0)
    large = parts.sum(axis=0) >= 100
    off = np.abs(shares[:, large] - np.array([[0.6], [0.2], [0.2]]))
    assert off.mean() < 0.02 and off.max() < 0.11  # few subjects made most clips of some classes
