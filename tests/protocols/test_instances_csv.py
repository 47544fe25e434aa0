"""A detection table written and read again."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from protocols.detection_columns import read_detection_columns
from protocols.detection_table import DetectionTable, Instance
from protocols.instances_csv import INSTANCE_COLUMNS, instances_csv
from protocols.label_tree import LabelTree
from protocols.trees import tree

TABLE = DetectionTable(
    "mine",
    tree("mma82"),
    ("a, b", "c", "d"),
    np.array([10.0, 1 / 3, np.nan]),
    (Fraction(29), Fraction(30000, 1001), None),
    ("train", "val", ""),
    ("street", "street", "emotion"),
    ("s1", "s2", ""),
    (Instance("c", 0.1, 0.2, 5), Instance("a, b", 1 / 3, 2.0, 81), Instance("c", 0.0, 0.3, 7)),
    simulated=True,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(instances_csv(TABLE), encoding="utf-8", newline="")
    found = read_detection_columns(path)
    for what in ("name", "tree", "video_ids", "fps", "splits", "domains", "subjects", "simulated"):
        assert getattr(found, what) == getattr(TABLE, what)
    np.testing.assert_array_equal(found.duration_s, TABLE.duration_s)
    assert set(found.instances) == set(TABLE.instances)


def test_lines() -> None:
    lines = instances_csv(TABLE).split("\n")
    assert lines[0] == ",".join(INSTANCE_COLUMNS)
    assert lines[2] == "c,7,0.0,0.3,val,Shaking head,Head,street,s2,0.3333333333333333,10,30000/1001,true"
    assert lines[4] == "d,,,,,,,emotion,,,,,true" and lines[5:] == [""]


@pytest.mark.parametrize(
    "rest", [LabelTree("two", ("up", "down")), LabelTree("two", ("up", "no"), ("g",), (0, 0))]
)
def test_a_tree_of_ones_own(rest: LabelTree, tmp_path: Path) -> None:
    table = replace(TABLE, tree=rest, instances=(Instance("c", 0.1, 0.2, 1), Instance("c", 0.1, 0.2, 0)))
    path = tmp_path / "two.csv"
    path.write_text(instances_csv(table), encoding="utf-8")
    assert read_detection_columns(path).tree == rest


def test_a_file_numbered_as_a_shipped_tree_has_its_unseen_classes(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text(instances_csv(TABLE), encoding="utf-8")
    assert read_detection_columns(path).tree == tree("mma82")
    path.write_text(instances_csv(TABLE).replace("Shaking head", "Waving a flag"), encoding="utf-8")
    with pytest.raises(ValueError, match="classes without a group: class 0"):
        read_detection_columns(path)
