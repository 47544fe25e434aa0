"""`fidget detect evaluate` and `diagnose`: what is printed, written and refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.protocols.detection_cases import TREE, VIDEOS, annotated, detected

from fidget.cli.main import main
from protocols.detection import measure_detections
from protocols.detection_table import Instance
from protocols.detections import write_detections


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A detection file, and the table of what happens."""
    instances = [one for one in annotated() if one.t_end_s > one.t_start_s]
    table = tmp_path / "annotations.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        names = [
            "clip_id",
            "label",
            "class_name",
            "group_name",
            "t_start_s",
            "t_end_s",
            "split",
            "duration_s",
        ]
        writer.writerow(names)
        for one in [*instances, Instance(VIDEOS[0], 0.0, 1.0, 7)]:  # so that every action is in the tree
            group = TREE.groups[TREE.group_of[one.label]]
            row = [one.video_id, one.label, TREE.actions[one.label], group]
            writer.writerow([*row, repr(one.t_start_s), repr(one.t_end_s), "val", 40.0])
    return detection_file(tmp_path), table


def detection_file(directory: Path) -> Path:
    path = directory / "val.parquet"
    write_detections(path, detected(annotated()))
    return path


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main([str(word) for word in words])
    out = capsys.readouterr()
    return status, out.out, out.err


@pytest.mark.shared
def test_the_measures_are_those_of_the_library(
    tmp_path: Path, shared_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from protocols.detection_tables import read_detection_table

    place = shared_dir / "data" / "annotations" / "mma52"
    table = read_detection_table("mma52", place)
    instances = table.instances_of("val")
    found = detected(instances, table.tree, 2)
    write_detections(tmp_path / "val.parquet", found)
    videos = [table.video_ids[row] for row in table.rows("val")]
    status, out, _ = printed(
        capsys, "detect", "evaluate", tmp_path / "val.parquet", "--annotations", place, "--json"
    )
    (result,) = json.loads(out)
    assert status == 0 and result["split"] == "val"
    for name, value in measure_detections(found, instances, videos).table().items():
        assert result[name] == pytest.approx(value, abs=1e-12)
    status, out, _ = printed(
        capsys, "detect", "evaluate", tmp_path / "val.parquet", "--annotations", place, "--split", "test"
    )
    assert status == 1
    page = tmp_path / "page.html"
    status, out, _ = printed(
        capsys, "detect", "diagnose", tmp_path / "val.parquet", "--annotations", place, "-o", page,
        "--level", "body",
    )  # fmt: skip
    assert status == 0 and "wrong label" in out
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text and "http" not in text.split("</style>")[1]


def test_a_table_of_instances(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    path, table = files
    words = ("detect", "evaluate", path, "--annotations", table, "--rule", "activitynet", "--classes")
    status, out, err = printed(capsys, *words)
    assert (status, err) == (0, "")
    assert "rule activitynet" in out and "action 7" in out


def test_wrong_words(tmp_path: Path, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    path, table = files
    for words, told in (
        (("--annotations", tmp_path / "nothing"), "expected annotated videos"),
        (("--annotations", table, "--split", "later"), "has the splits val"),
        (("--annotations", table, "--tiou", "0.5,high"), "numbers above 0 and up to 1"),
        (("--annotations", table, "--fps", "fast"), "expected a rate above 0"),
    ):
        status, _, err = printed(capsys, "detect", "evaluate", path, *words)
        assert status == 2 and told in err
    status, _, err = printed(capsys, "detect", "diagnose", path, "--annotations", table, "--at", "0.55")
    assert status == 2 and "must be one of the thresholds" in err


def test_a_missing_file_is_named_and_the_others_are_measured(
    tmp_path: Path, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path, table = files
    status, out, err = printed(
        capsys, "detect", "evaluate", tmp_path / "no.parquet", path, "--annotations", table
    )
    assert status == 1 and "no.parquet" in err and "body groups" in out
