"""`fidget poses import | export | inspect` as a user runs them."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fidget.cli.main import main
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip, failed_row
from poses.formats.pyskl import read_pyskl
from poses.formats.record import boxes_around
from poses.layout import LAYOUTS

COCO = LAYOUTS["coco17"]


def annotation(name, joints=17, frames=4, scale=1000.0, **changes):
    rng = np.random.default_rng(len(name))
    made = {
        "frame_dir": name, "label": 3, "img_shape": (1080, 1920), "total_frames": frames,
        "keypoint": (rng.random((1, frames, joints, 2)) * scale).astype(np.float32),
        "keypoint_score": np.full((1, frames, joints), 0.5, np.float32),
    }  # fmt: skip
    return made | changes


def write_pickle(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture
def pickled(tmp_path):
    annotations = [annotation("a"), annotation('dir/é "x"'), annotation("c", label=4)]
    splits = {"train": ["a", "c"], "val": ['dir/é "x"'], "all": ["a"]}
    return write_pickle(tmp_path / "set.pkl", {"split": splits, "annotations": annotations})


def make_clip(clip_id, persons=1, layout=COCO):
    v = len(layout.joints)
    rng = np.random.default_rng(len(clip_id))
    xy_px = rng.random((persons, 3, v, 2), np.float32) * 500
    score = np.full((persons, 3, v), 0.6, np.float32)
    return PoseClip(
        clip_id,
        layout,
        xy_px,
        score,
        boxes_around(xy_px),
        np.arange(3) / 30,
        (600, 800),
        Fraction(30),
        np.arange(persons),
    )


@pytest.fixture
def cache(tmp_path):
    """Three clips: one sound, one without people, one that failed."""
    stamp = SourceStamp("v.mp4", 1, 1)
    with CacheWriter(tmp_path / "poses", CacheMetadata("coco17", {"m": "0" * 64}, {"s": 1})) as writer:
        writer.add(encode_clip(make_clip("good"), stamp))
        writer.add(encode_clip(make_clip("empty", persons=0), stamp))
        writer.add(failed_row("bad", stamp, "no video stream"))
    return tmp_path / "poses"


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_import_of_a_pickle(tmp_path, pickled, capsys):
    out = tmp_path / "poses"
    assert (
        main(["poses", "import", str(pickled), "--layout", "coco17", "-o", str(out), "--fps", "30000/1001"])
        == 0
    )
    cache = PoseCache(out)
    assert cache.clip_ids == ["a", 'dir/é "x"', "c"]
    sha256 = hashlib.sha256(pickled.read_bytes()).hexdigest()
    assert cache.metadata.models == {"import:pyskl": sha256}
    assert cache.metadata.settings["fps"] == "30000/1001"
    clip = cache.read("a")
    assert clip.fps == Fraction(30000, 1001) and clip.frame_hw == (1080, 1920)
    np.testing.assert_allclose(clip.xy_px, annotation("a")["keypoint"], atol=1 / 32)
    assert rows_of(tmp_path / "poses-labels.csv") == [
        ["clip_id", "label", "split"], ["a", "3", "train"], ["a", "3", "all"], ['dir/é "x"', "3", "val"],
        ["c", "4", "train"],
    ]  # fmt: skip
    assert "poses-labels.csv" in capsys.readouterr().out


def test_the_same_import_again_adds_nothing(tmp_path, pickled, capsys):
    command = ["poses", "import", str(pickled), "--layout", "coco17", "-o", str(tmp_path / "poses"), "--json"]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["imported"], result["already_there"]) == (0, 3)
    assert any("30 frames per second" in note for note in result["notes"])
    assert len(PoseCache(tmp_path / "poses")) == 3


def test_a_labels_file_of_somebody_is_left_alone(tmp_path, pickled, capsys):
    (tmp_path / "poses-labels.csv").write_text("mine")
    assert main(["poses", "import", str(pickled), "--layout", "coco17", "-o", str(tmp_path / "poses")]) == 1
    assert (tmp_path / "poses-labels.csv").read_text() == "mine"
    assert len(PoseCache(tmp_path / "poses")) == 3
    assert "was left alone" in capsys.readouterr().err


def test_broken_clips_are_named_and_the_rest_imported(tmp_path, capsys):
    content = [annotation("good"), annotation("short", total_frames=9), annotation("good", label=1)]
    path = write_pickle(tmp_path / "set.pkl", content)
    assert (
        main(["poses", "import", str(path), "--layout", "coco17", "-o", str(tmp_path / "poses"), "--json"])
        == 1
    )
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["imported"] == 1 and set(result["not_imported"]) == {"short", "good"}
    assert "clip 'short' not imported" in captured.err and "two clips of this id" in captured.err


def test_clips_that_no_cache_can_hold_are_named(tmp_path, capsys):
    far = annotation("far", keypoint=np.full((1, 4, 17, 2), 1e9, np.float32))
    content = [annotation("large", img_shape=(10**12, 5)), annotation("lone \udce9"), far, annotation("good")]
    path = write_pickle(tmp_path / "set.pkl", content)
    out = tmp_path / "poses"
    assert main(["poses", "import", str(path), "--layout", "coco17", "-o", str(out), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert set(result["not_imported"]) == {"large", "lone \udce9", "far"}
    assert PoseCache(out).clip_ids == ["good"]


def test_normalised_coordinates_keep_their_precision(tmp_path, capsys):
    path = write_pickle(tmp_path / "set.pkl", [annotation("a", scale=1.0)])
    assert main(["poses", "import", str(path), "--layout", "coco17", "-o", str(tmp_path / "poses")]) == 0
    stored = PoseCache(tmp_path / "poses").read("a")
    np.testing.assert_allclose(stored.xy_px, annotation("a", scale=1.0)["keypoint"], atol=2e-5)
    assert "finer steps" in capsys.readouterr().out


HOSTILE = pickle.dumps({"annotations": [os.system]})


@pytest.mark.parametrize(
    ("content", "options", "status", "words"),
    [
        (HOSTILE, ["--layout", "coco17"], 1, "system"),
        (b"", ["--layout", "coco17"], 1, "empty file"),
        (b"\x80\x04]", ["--layout", "coco17"], 1, "not a whole pickle"),
        (pickle.dumps([]), ["--layout", "coco17"], 1, "found none that can be imported"),
        (pickle.dumps([annotation("a")]), ["--layout", "openpose25"], 1, "layout openpose25 has 25 joints"),
        (pickle.dumps([annotation("a")]), ["--layout", "coc17"], 2, "nearest: coco17"),
        (pickle.dumps([annotation("a")]), [], 2, "--layout: the pyskl format does not name its joints"),
        (pickle.dumps([annotation("a")]), ["--layout", "coco17", "--fps", "0"], 2, "--fps: expected a rate"),
        (pickle.dumps([annotation("a")]), ["--layout", "coco17", "--frame-size", "10"], 2, "--frame-size:"),
        (pickle.dumps([annotation("a")]), ["--layout", "coco17", "--max-gib", "1e-9"], 1, "the 1 allowed"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_and_leaves_nothing(tmp_path, capsys, content, options, status, words):
    path = tmp_path / "set.pkl"
    path.write_bytes(content)
    assert main(["poses", "import", str(path), "-o", str(tmp_path / "poses"), *options]) == status
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["set.pkl"]


def test_other_wrong_usage(tmp_path, capsys):
    assert main(["poses", "import", str(tmp_path / "no.pkl"), "--layout", "coco17", "-o", "x"]) == 2
    (tmp_path / "x.txt").write_text("a")
    assert main(["poses", "import", str(tmp_path / "x.txt"), "--layout", "coco17", "-o", "x"]) == 2
    assert "--format" in capsys.readouterr().err


FORMATS = {"pyskl": "x.pkl", "coco": "x.json", "npz": "x.npz", "csv": "x.csv", "openpose": "x-openpose"}


@pytest.mark.parametrize("format_name", FORMATS)
def test_export_and_import_again(tmp_path, pickled, capsys, format_name):
    source, again, exported = tmp_path / "poses", tmp_path / "again", tmp_path / FORMATS[format_name]
    assert main(["poses", "import", str(pickled), "--layout", "coco17", "-o", str(source)]) == 0
    labels = str(tmp_path / "poses-labels.csv")
    command = [
        "poses",
        "export",
        str(source),
        "--format",
        format_name,
        "-o",
        str(exported),
        "--labels",
        labels,
    ]
    assert main(command) == 0
    back = [
        "poses",
        "import",
        str(exported),
        "--layout",
        "coco17",
        "-o",
        str(again),
        "--frame-size",
        "1920x1080",
    ]
    assert main(back) == 0
    before, after = PoseCache(source), PoseCache(again)
    assert sorted(before.clip_ids) == sorted(after.clip_ids)
    for clip_id in before.clip_ids:
        left, right = before.read(clip_id), after.read(clip_id)
        np.testing.assert_array_equal(left.xy_px, right.xy_px)  # multiples of 1/16 stay what they are
        assert left.frame_hw == right.frame_hw and left.fps == right.fps
        np.testing.assert_allclose(left.time_s, right.time_s, atol=1e-6)
    if format_name in ("pyskl", "coco", "npz"):
        assert sorted(rows_of(tmp_path / "again-labels.csv")) == sorted(rows_of(Path(labels)))


@pytest.mark.parametrize("format_name", FORMATS)
def test_export_names_what_failed_and_what_is_empty(tmp_path, cache, capsys, format_name):
    exported = tmp_path / FORMATS[format_name]
    assert main(["poses", "export", str(cache), "--format", format_name, "-o", str(exported)]) == 1
    error = capsys.readouterr().err
    assert "clip 'bad' not exported: no video stream" in error and "clip 'empty' has nobody in it" in error
    out = tmp_path / "again"
    assert (
        main(
            ["poses", "import", str(exported), "--layout", "coco17", "-o", str(out), "--format", format_name]
        )
        == 0
    )
    again = PoseCache(out)
    assert sorted(again.clip_ids) == ["empty", "good"] and again.read("empty").persons == 0
    assert again.read("empty").frames == 3


def test_export_converts_the_layout(tmp_path, cache, capsys):
    out = tmp_path / "x.pkl"
    main(["poses", "export", str(cache), "--format", "pyskl", "--layout", "openpose18", "-o", str(out)])
    clip = next(read_pyskl(out, LAYOUTS["openpose18"])).clip
    neck = (
        make_clip("good")
        .xy_px[0, 0, [COCO.index("left_shoulder"), COCO.index("right_shoulder")]]
        .mean(axis=0)
    )
    np.testing.assert_allclose(clip.xy_px[0, 0, 1], neck, atol=1 / 32)
    assert (
        main(
            [
                "poses",
                "export",
                str(cache),
                "--format",
                "openpose",
                "--layout",
                "openpose18",
                "-o",
                str(tmp_path / "o"),
            ]
        )
        == 1
    )
    frame = json.loads((tmp_path / "o" / "good" / "good_000000000000_keypoints.json").read_text())
    assert len(frame["people"][0]["pose_keypoints_2d"]) == 54


def test_forms(tmp_path, cache, capsys):
    main(
        [
            "poses",
            "export",
            str(cache),
            "--format",
            "pyskl",
            "--form",
            "list",
            "--float16",
            "-o",
            str(tmp_path / "x.pkl"),
        ]
    )
    loaded = pickle.loads((tmp_path / "x.pkl").read_bytes())
    assert isinstance(loaded, list) and loaded[0]["keypoint"].dtype == np.float16
    main(
        [
            "poses",
            "export",
            str(cache),
            "--format",
            "coco",
            "--form",
            "results",
            "-o",
            str(tmp_path / "x.json"),
        ]
    )
    assert isinstance(json.loads((tmp_path / "x.json").read_text()), list)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "csv", "--form", "list"], "expected no --form for the format csv"),
        (["--format", "pyskl", "--form", "results"], "expected one of dict, list"),
        (["--format", "csv", "--float16"], "--float16"),
        (["--format", "csv", "--layout", "nonsense"], "unknown layout"),
        (["--format", "csv", "-o", "{cache}/x.csv"], "outside the cache"),
        (["--format", "csv", "-o", "{there}"], "--overwrite"),
        (["--format", "csv", "-o", "{folder}"], "written as a file"),
        (["--format", "openpose", "-o", "{there}"], "written as a directory"),
    ],
)
def test_wrong_usage_of_export(tmp_path, cache, capsys, options, words):
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "folder").mkdir()
    places = {"cache": str(cache), "there": str(tmp_path / "there.csv"), "folder": str(tmp_path / "folder")}
    command = [
        "poses",
        "export",
        str(cache),
        "-o",
        str(tmp_path / "x"),
        *(one.format(**places) for one in options),
    ]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_overwriting_when_asked_for(tmp_path, cache):
    (tmp_path / "x.csv").write_text("old")
    assert (
        main(["poses", "export", str(cache), "--format", "csv", "-o", str(tmp_path / "x.csv"), "--overwrite"])
        == 1
    )
    assert (tmp_path / "x.csv").read_text().startswith("clip_id,frame")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,label\n", "expected the columns clip_id, label, split"),
        ("clip_id,label,split\ngood,nod,\n", "expected a class index as label, got 'nod'"),
        ("clip_id,label,split\ngood,1,a\ngood,2,b\n", "has the labels 1 and 2"),
    ],
)
def test_wrong_labels(tmp_path, cache, capsys, text, words):
    (tmp_path / "labels.csv").write_text(text)
    command = ["poses", "export", str(cache), "--format", "csv", "-o", str(tmp_path / "x"), "--labels"]
    assert main([*command, str(tmp_path / "labels.csv")]) == 1
    assert words in capsys.readouterr().err


def test_labels_that_do_not_meet_the_clips_are_counted(tmp_path, cache, capsys):
    (tmp_path / "labels.csv").write_text("clip_id,label\ngood,5\nelsewhere,6\n")
    out = tmp_path / "x.pkl"
    main(
        [
            "poses",
            "export",
            str(cache),
            "--format",
            "pyskl",
            "-o",
            str(out),
            "--labels",
            str(tmp_path / "labels.csv"),
        ]
    )
    printed = capsys.readouterr().out
    assert "without a row in the labels: 1" in printed and "in the labels, but not in the cache: 1" in printed
    assert [one.label for one in read_pyskl(out, COCO)] == [5, None]


def test_inspect_a_cache(cache, capsys):
    assert main(["poses", "inspect", str(cache)]) == 0  # a clip that failed is no fault of the cache
    printed = capsys.readouterr().out
    for words in (
        "coco17 (17 joints)",
        "1 failed, 1 no_person, 1 ok",
        "frames: 6",
        "'good': ok, 1 person, 3 frames of 800x600",
        "clip 'bad' failed: no video stream",
    ):
        assert words in printed
    assert main(["poses", "inspect", str(cache), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["statuses"] == {"ok": 1, "no_person": 1, "failed": 1} and result["models"] == {
        "m": "0" * 64
    }


def test_inspect_a_pickle(tmp_path, pickled, capsys):
    assert main(["poses", "inspect", str(pickled)]) == 0
    printed = capsys.readouterr().out
    assert "keypoint: float32 (M=1 persons, T=4 frames, V=17 joints, C=2: x, y pixels)" in printed
    assert "split: 3 lists of clip ids: train 2, val 1, all 1" in printed
    assert "label: whole numbers 3..4, 2 different" in printed and "as many as in coco17" in printed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([annotation("a"), annotation("a")], "1 clip ids are there twice: ['a']"),
        ([annotation("a", total_frames=7)], "1 clips have total_frames that differ"),
        ([annotation("a", keypoint_score=np.ones((1, 4, 3)))], "keypoint_score whose shape differs"),
        ([annotation("a"), annotation("b", joints=25)], "different numbers of joints: [17, 25]"),
        ([{"frame_dir": "a", "raw_file": "x.pkl", "frame_inds": np.arange(3)}], "compressed form"),
        ({"annotations": [annotation("a")], "split": {"v": ["a", "b"]}}, "split v lists 1 clips that are"),
        ([{"pred_score": [1], "gt_label": 2}], "prediction results"),
        ({"a": np.zeros(3)}, "expected a dict with 'annotations'"),
        (5, "expected a dict with 'annotations'"),
    ],
)  # fmt: skip
def test_inspect_says_what_is_wrong(tmp_path, capsys, content, words):
    assert main(["poses", "inspect", str(write_pickle(tmp_path / "x.pkl", content)), "--json"]) == 1
    assert any(words in problem for problem in json.loads(capsys.readouterr().out)["problems"])


@pytest.mark.parametrize("format_name", FORMATS)
def test_inspect_every_format(tmp_path, cache, capsys, format_name):
    exported = tmp_path / FORMATS[format_name]
    main(["poses", "export", str(cache), "--format", format_name, "-o", str(exported)])
    capsys.readouterr()
    assert main(["poses", "inspect", str(exported), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["clips"] == 2 and result["problems"] == []


def test_inspect_what_is_nothing_of_the_kind(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("a")
    (tmp_path / "x.json").write_text('{"a": 1}')
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "x.npz").write_text("no zip")
    (tmp_path / "x.pkl").write_bytes(HOSTILE)
    expected = {"empty": 2, "x.txt": 2, "absent": 2, "x.json": 1, "x.csv": 1, "x.npz": 1, "x.pkl": 1}
    assert {name: main(["poses", "inspect", str(tmp_path / name)]) for name in expected} == expected
    assert "nothing was run" in capsys.readouterr().err


@pytest.mark.shared
def test_real_coco_whole_bodies(tmp_path, shared_dir, capsys):
    path = shared_dir / "data" / "images" / "coco_wholebody_keypoints.json"
    out = tmp_path / "poses"
    assert main(["poses", "import", str(path), "--layout", "coco_wholebody133", "-o", str(out)]) == 0
    assert main(["poses", "export", str(out), "--format", "coco", "-o", str(tmp_path / "x.json")]) == 0
    assert main(["poses", "inspect", str(tmp_path / "x.json")]) == 0
    assert len(PoseCache(out)) == 4
