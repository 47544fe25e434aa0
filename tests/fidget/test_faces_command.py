from __future__ import annotations

import json
import os

import numpy as np
import pytest
from tests.fidget.faces.face_samples import BrightSquares, cache_of, people, squares_video, times_of

from fidget.cli.main import main
from fidget.faces.clip_faces import ClipFaces, open_faces
from fidget.faces.track_file import read_tracks
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata
from poses.cache_writer import CacheWriter


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What is found of videos stays in the test's directory, and squares are faces."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("fidget.faces.clip_faces.load_face_detector", BrightSquares)
    monkeypatch.setattr("fidget.faces.clip_faces.find_weight", lambda name: name)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Videos and their poses: one person, two people with one face, nobody, a missing video, another one."""
    root = tmp_path_factory.mktemp("faces")
    videos = root / "videos"
    middles = {"one": [(60, 60)], "two": [(60, 60)], "nobody": [], "gone": [(60, 60)], "other": [(60, 60)]}
    (videos / "sub").mkdir(parents=True)
    paths = {
        name: squares_video(videos / "sub" / f"{name}.mp4", [points] * 6) for name, points in middles.items()
    }
    noses = {"two": [[(60, 60)] * 6, [(180, 60)] * 6], "nobody": np.empty((0, 6, 2))}
    clips = [
        (people(noses.get(name, [[(60, 60)] * 6]), clip_id=f"sub/{name}", time_s=times_of(path)), path)
        for name, path in paths.items()
    ]
    cache_of(root / "poses", clips)
    paths["gone"].unlink()
    squares_video(paths["other"], [[(60, 60), (30, 30)]] * 6)
    return root


def test_every_clip_is_told_and_failures_are_named(made, tmp_path, capsys):
    words = ["faces", str(made / "poses"), "--videos", str(made / "videos")]
    assert main([*words, "-o", str(tmp_path / "t.parquet")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "clip 'sub/one' person 3: 6 of 6 frames with a face"
    assert lines[1:3] == [
        "clip 'sub/two' person 3: 6 of 6 frames with a face",
        "clip 'sub/two' person 4: 0 of 6 frames with a face (6 no face)",
    ]
    assert lines[3] == "clip 'sub/nobody': nobody in its poses"
    assert lines[4].startswith("clip 'sub/gone': no video of it in ")
    assert "another file than its poses are from: expected" in lines[5] and "sub/other.mp4" in lines[5]
    assert lines[6] == (
        "5 clips, 3 people: 12 of 18 frames with a face (66.7 %); 1 clips with nobody, 2 not looked at"
    )
    tracks = list(read_tracks(tmp_path / "t.parquet"))
    assert [(track.clip_id, track.track_id) for track in tracks] == [
        ("sub/one", 3), ("sub/two", 3), ("sub/two", 4),
    ]  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["cache", "t.parquet"]  # and no picture anywhere


def test_json(made, capsys):
    assert main(["faces", str(made / "poses"), "--videos", str(made / "videos"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["clips"], told["failed"], told["people"], told["with_face"], told["pictures"]) == (
        5,
        2,
        3,
        12,
        0,
    )
    assert told["simulated"] is False
    assert told["of_clips"][1]["people"][1] == {
        "person": 4, "frames": 6, "with_face": 0, "counts": {"no face": 6},
    }  # fmt: skip
    assert "another file" in told["of_clips"][4]["failed"]


def test_pictures_only_where_asked_for_and_said_aloud(made, tmp_path, capsys):
    words = ["faces", str(made / "poses"), "--videos", str(made / "videos")]
    crops = tmp_path / "crops"
    assert main([*words, "--store-crops", str(crops), "--size", "32", "--max-fps", "12"]) == 1
    said = capsys.readouterr()
    assert "pictures of people's faces" in said.err and "pictures of people's faces" in said.out
    stored = sorted(str(path.relative_to(crops)) for path in crops.rglob("*.jpg"))
    assert stored == [
        f"sub/{clip}/person3/{number:06d}.jpg" for clip in ("one", "two") for number in (0, 3, 5)
    ]
    assert main([*words, "--store-crops", str(crops)]) == 2
    assert "expected an empty directory" in capsys.readouterr().err


def test_wrong_words(made, tmp_path, capsys):
    poses, videos = str(made / "poses"), str(made / "videos")
    (tmp_path / "file").touch()
    for words, status, told in (
        ([poses, "--videos", videos, "--size", "0"], 2, "--size: expected pixels, 1 or more, got 0"),
        ([poses, "--videos", videos, "--max-fps", "-1"], 2, "expected frames a second above 0, got -1"),
        ([poses, "--videos", videos, "--aligned"], 2, "give --store-crops DIR as well"),
        ([poses, "--videos", videos, "-o", f"{poses}/t"], 2, "which holds only poses"),
        ([poses, "--videos", videos, "--store-crops", f"{poses}/sub/x"], 2, "which holds only poses"),
        ([poses, "--videos", videos, "-o", str(tmp_path)], 2, "expected a file, this is a directory"),
        ([poses, "--videos", videos, "--store-crops", str(tmp_path / "file")], 2, "there is something"),
        ([poses, "--videos", str(tmp_path / "nowhere")], 1, "no such file or directory"),
        ([str(tmp_path / "nothing"), "--videos", videos], 2, "expected a pose cache"),
    ):
        assert main(["faces", *words]) == status
        said = capsys.readouterr().err
        assert told in said and said.count("\n") == 1, said


def test_a_cache_without_heads_and_a_missing_detector_are_told_before_videos_are_read(made, tmp_path, capsys):
    with CacheWriter(tmp_path / "hands", CacheMetadata("coco_wholebody133/hands", {}, {})):
        pass
    assert main(["faces", str(tmp_path / "hands"), "--videos", str(made / "videos")]) == 1
    assert "layout 'coco_wholebody133/hands' has no joint of the head" in capsys.readouterr().err


def test_without_the_detector(made, tmp_path, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FIDGET_WEIGHTS", str(tmp_path / "none"))
    assert main(["faces", str(made / "poses"), "--videos", str(made / "videos")]) == 1
    assert "run `fidget weights fetch face_detection_short_range`" in capsys.readouterr().err


def test_the_only_person_or_nobody(made):
    faces = open_faces(PoseCache(made / "poses"), made / "videos", say=lambda line: None)
    assert isinstance(faces, ClipFaces)
    assert len(faces.one("sub/one").face_frames) == 6
    for clip, words in (
        ("sub/two", "expected one person, its poses have 2 people, of whom none is guessed"),
        ("sub/nobody", "expected one person, its poses have nobody"),
        ("sub/gone", "no video of it"),
    ):
        with pytest.raises(ValueError, match=words):
            faces.one(clip)
    with pytest.raises(KeyError, match="no clip 'sub/on'"):
        faces.one("sub/on")
