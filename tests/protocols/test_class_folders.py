from __future__ import annotations

import os

import pytest

from pose_extract.sources import VIDEO_SUFFIXES, find_videos
from protocols.catalogue import find_protocol
from protocols.class_folders import VIDEO_SUFFIXES as SUFFIXES
from protocols.class_folders import is_class_folders, read_class_folders
from protocols.label_tree import LabelTree


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_folder_a_class(tmp_path):
    root = touch(tmp_path / "mine", "tap/b.mp4", "nod/a.MOV", "nod/deep/c.avi", "nod/名.mkv")
    touch(root, "nod/.hidden.mp4", ".git/x.mp4", "notes/readme.txt", "loose.mp4", "nod/a.txt")
    table = read_class_folders(root)
    assert table.name == "mine" and table.tree.actions == ("nod", "tap")
    assert table.clip_ids == ("nod/a", "nod/deep/c", "nod/名", "tap/b")
    assert table.labels.tolist() == [0, 0, 0, 1] and set(table.splits) == {""}


def test_a_folder_a_split_above(tmp_path):
    root = touch(tmp_path, "Train/nod/a.mp4", "validation/tap/b.mp4", "train/nod/c.mp4", "test/nod/a.mp4")
    table = read_class_folders(root)
    assert dict(zip(table.clip_ids, table.splits, strict=True)) == {
        "Train/nod/a": "train", "train/nod/c": "train", "test/nod/a": "test", "validation/tap/b": "val",
    }  # fmt: skip
    touch(root, "train/d.mp4")
    with pytest.raises(ValueError, match=r"train/d.mp4: expected <split>/<class>/<video>"):
        read_class_folders(root)


def test_a_class_named_as_a_split_is_a_class_beside_others(tmp_path):
    table = read_class_folders(touch(tmp_path, "train/a.mp4", "bus/b.mp4"))
    assert table.tree.actions == ("bus", "train")


def test_classes_of_a_tree(tmp_path):
    root = touch(tmp_path, "Nod_head/a.mp4", "tap/b.mp4")
    table = read_class_folders(root, LabelTree("two", ("tap", "nod head", "kick")))
    assert table.labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"two has no class 'Nod_head' did you mean 'nodhead'"):
        read_class_folders(root, LabelTree("two", ("tap", "nodhead")))


def test_clips_are_named_as_extraction_names_them(tmp_path):
    assert SUFFIXES == VIDEO_SUFFIXES
    root = touch(tmp_path, "nod/a.mp4", "nod/a.mov", "nod/b.c.mp4", "tap/a.mp4")
    os.close(os.open(os.fsencode(root) + b"/tap/M\xfc.mp4", os.O_CREAT))
    table = read_class_folders(root)
    named = {source.clip_id for source in find_videos([str(root)]).sources}
    assert set(table.clip_ids) == named == {"nod/a.mp4", "nod/a.mov", "nod/b.c", "tap/a", "tap/M\\xfc"}


def test_links_are_followed_once(tmp_path):
    root = touch(tmp_path / "root", "nod/a.mp4")
    (root / "nod" / "again").symlink_to(root)
    touch(tmp_path / "elsewhere", "x.mp4")
    (root / "tap").symlink_to(tmp_path / "elsewhere")
    assert read_class_folders(root).clip_ids == ("nod/a", "tap/x")


def test_nothing_to_read(tmp_path):
    touch(tmp_path, "loose.mp4", "empty/readme.txt")
    assert not is_class_folders(tmp_path)
    with pytest.raises(ValueError, match="expected a folder of videos for each class"):
        read_class_folders(tmp_path)
    assert read_class_folders(touch(tmp_path, "nod/a.mp4")).clip_ids == ("nod/a",)


def test_as_a_protocol(tmp_path):
    root = touch(tmp_path, "train/nod/a.mp4", "test/nod/b.mp4")
    protocol = find_protocol(f"folders:{root}", ["train/nod/a", "test/nod/b"])
    assert protocol.splits["test"].clip_ids == ("test/nod/b",)
    other = touch(tmp_path / "other", "nod/a.mp4")
    with pytest.raises(ValueError, match="no labelled clip is in the split train"):
        find_protocol(f"folders:{other}", ["nod/a"])
