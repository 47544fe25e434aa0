"""`fidget detect train` and `run` as a new user gives them, right and wrong."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.detection.detection_samples import pose_samples
from tests.fidget.fidget_samples import clip_of, decode, row_of, write_cache

from fidget.cli.main import main
from poses.cache_reader import PoseCache
from protocols.detections import read_detections

TINY = [
    "--set", "train.epochs=1", "--set", "train.warmup_epochs=0", "--set", "train.threads=1",
    "--set", "input.points=64", "--set", "model.options.token_width=16", "--set", "model.options.width=32",
    "--set", "model.options.arch=[1, 0, 2]", "--set", "nms.most=20", "--device", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path, Path]:
    """A pose cache, its table, and a run on them."""
    directory = tmp_path_factory.mktemp("detect")
    poses, _ = pose_samples(directory)
    table = directory / "poses-detection.csv"
    run = directory / "run"
    words = ["sim_skeleton_detector", "--poses", str(poses), "--annotations", str(table), "-o", str(run)]
    assert main(["detect", "train", *words, *TINY]) == 0
    return poses, table, run


def test_a_run_is_measured_by_the_other_verbs(made, capsys) -> None:
    _, table, run = made
    summary = json.loads((run / "summary.json").read_text())
    assert (
        main(["detect", "evaluate", str(run / "detections" / "val.parquet"), "--annotations", str(table)])
        == 0
    )
    assert summary["simulated"] and "mAP" in capsys.readouterr().out


def test_a_cache_is_searched_without_annotations(made, tmp_path, capsys) -> None:
    poses, _, run = made
    out = tmp_path / "found"
    assert main(["detect", "run", str(poses), "--run", str(run), "-o", str(out), "--min-score", "0"]) == 0
    said = capsys.readouterr().out
    assert "8 recordings of" in said and "x real time" in said
    found = read_detections(out / "detections.parquet")
    with open(out / "detections.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stored = json.loads((out / "detections.json").read_text(encoding="utf-8"))
    assert len(rows) == len(found) == sum(map(len, stored["results"].values()))
    assert float(rows[0]["t_start_s"]) == found.t_start_s[0] and float(rows[0]["score"]) == found.scores[0]
    assert found.tree.actions[found.actions[0]] == rows[0]["action_name"]
    ends = {name: max(one["segment"][1] for one in listed) for name, listed in stored["results"].items()}
    assert all(ends[name] <= stored["duration_s"][name] + 1e-9 for name in ends)


def test_an_overlay_shows_what_was_found(made, tmp_path, capsys) -> None:
    poses, _, run = made
    whole = PoseCache(poses).read(PoseCache(poses).clip_ids[0])
    clip = dataclasses.replace(
        whole, clip_id="a/b", xy_px=whole.xy_px[:, :40], score=whole.score[:, :40],
        box_px=whole.box_px[:, :40], time_s=whole.time_s[:40], z=None,
    )  # fmt: skip
    cache, out = write_cache(tmp_path / "cut", [row_of(clip)], clip.layout.name), tmp_path / "found"
    words = ["detect", "run", str(cache), "--run", str(run), "-o", str(out), "--min-score", "0", "--overlay"]
    assert main(words) == 0
    assert "trained on simulated data" in capsys.readouterr().out
    _, pictures = decode(out / "overlays" / "a" / "b.mp4")
    assert len(pictures) == clip.frames
    height, width = pictures[0].shape[:2]
    drawn = round(width * clip.frame_hw[0] / clip.frame_hw[1])
    assert height > drawn + 40  # the timeline lies below
    changed = np.abs(pictures[0].astype(int) - pictures[-1])[drawn + 10 : -30].max(axis=(0, 2)) > 60
    assert changed[: width // 3].sum() == 0 < changed[width // 3 :].sum() < 40  # only the mark of now went on


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "needs RECIPE and --annotations"),
        (["train", "sim_skeleton", "--annotations", "x.csv"], "no recipe 'sim_skeleton'"),
        (["train", "sim_skeleton_detector", "--annotations", "x.csv"], "takes poses: give --poses"),
        (
            ["train", "sim_adatad_small", "--annotations", "x.csv", "--poses", "p"],
            "takes frames: give --videos",
        ),
        (
            ["train", "sim_skeleton_detector", "--annotations", "none.csv", "--poses", "p"],
            "expected annotated videos",
        ),
        (
            ["train", "sim_skeleton_detector", "--annotations", "x", "--poses", "p", "--devices", "0"],
            "at least 1",
        ),
        (["run", "absent.mp4", "--run", "r"], "expected a video, a directory of videos or a pose cache"),
    ],
)
def test_wrong_usage_is_one_line_and_2(words, message, capsys) -> None:
    assert main(["detect", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_place_that_is_no_run_is_named(made, tmp_path, capsys) -> None:
    assert main(["detect", "run", str(made[0]), "--run", str(tmp_path)]) == 1
    assert "expected a run of fidget detect train" in capsys.readouterr().err


def test_of_a_part_of_the_joints_the_whole_set_is_extracted(tmp_path, monkeypatch) -> None:
    from types import SimpleNamespace

    from fidget.cli import detect_run
    from fidget.detection import recordings

    given: list[str] = []

    def extracted(words: list[str]) -> int:
        given.extend(words)
        write_cache(
            tmp_path / "out" / "poses",
            [row_of(clip_of("v", layout="coco_wholebody133"))],
            "coco_wholebody133",
        )
        return 0

    monkeypatch.setattr("pose_extract.command.main", extracted)
    shapes = SimpleNamespace(layout="coco_wholebody133/micro44")
    detector = SimpleNamespace(recipe=SimpleNamespace(input=SimpleNamespace(form="poses")), shapes=shapes)
    video = tmp_path / "v.mp4"
    video.write_bytes(b"")
    args = SimpleNamespace(source=video, trained="run", poses=None, model="auto")
    opened = detect_run._recordings(args, detector, tmp_path / "out")
    assert given[-1] == "coco_wholebody133" and isinstance(opened, recordings.PoseRecordings)
    assert opened.read("v").xyz.shape[2] == len(opened.layout.joints) < 133


def test_the_recipes_are_listed(capsys) -> None:
    assert main(["detect", "train", "--list"]) == 0
    assert "mma82_adatad_large" in capsys.readouterr().out


def test_pasted_clips_are_more_to_train_with_and_are_told(made, tmp_path, capsys) -> None:
    from fidget.benchmark.simulator.simulate import simulate

    poses, table, _ = made
    clips = simulate(tmp_path / "clips", 0.001)
    words = ["sim_skeleton_detector", "--poses", str(poses), "--annotations", str(table), *TINY]
    words += ["-o", str(tmp_path / "run"), "--pasted", str(clips.directory), "--pasted-tracks", "3"]
    assert main(["detect", "train", *words]) == 2
    assert "--pasted and --pasted-labels go together" in capsys.readouterr().err
    assert main(["detect", "train", *words, "--pasted-labels", str(clips.labels)]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "3 of them trimmed clips pasted into motionless tracks" in summary["data"][0]
    assert summary["annotations"] == "poses-detection+3pasted"
