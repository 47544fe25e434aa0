"""`fidget train --videos`: from files on a disk to a report, and what is wrong said in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fidget.training.frame_samples import FRAME_RECIPE, frames_of_clip, write_video
from tests.fidget.training.training_samples import RECIPE, synthetic_rows, write_cache

from fidget.cli.main import main
from fidget.training.run_directory import load_tensors
from protocols.scores import read_scores

_NAMES = [f"day/clip{n:02d}" for n in range(9)]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(_NAMES):
        write_video(place / "videos" / f"{name}.mp4", frames_of_clip(number, height=48, width=64))
    rows = [f"{name},{'train' if n < 6 else 'test'},{n % 3}" for n, name in enumerate(_NAMES)]
    (place / "labels.csv").write_text("\n".join(["clip_id,split,label", *rows]))
    (place / "ghost.csv").write_text("\n".join(["clip_id,split,label", *rows, "day/ghost,test,1"]))
    (place / "broken").mkdir()
    for file in (place / "videos" / "day").iterdir():
        (place / "broken" / file.name).write_bytes(file.read_bytes())
    (place / "broken" / "clip08.mp4").write_bytes(b"no video")
    broken = [row.removeprefix("day/") for row in rows]
    (place / "broken.csv").write_text("\n".join(["clip_id,split,label", *broken]))
    (place / "frames.toml").write_text(FRAME_RECIPE)
    (place / "poses.toml").write_text(RECIPE)
    cached = [*synthetic_rows(8), synthetic_rows(9, persons=0)[8]]
    write_cache(place / "cache", [replace(row, clip_id=f"day/{row.clip_id}") for row in cached])
    (place / "none").mkdir()
    return place


@pytest.fixture(autouse=True)
def here(place, monkeypatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "user"))


def _fidget(words: str) -> int:
    given = {"--videos": "videos", "--protocol": "labels.csv", "-o": "run"}
    named = words.split()
    rest = [w for option, value in given.items() if option not in named for w in (option, value)]
    without = [w for w in rest if not ("--poses-only" in named and w in ("--videos", "videos"))]
    return main(["train", *(w for w in named if w != "--poses-only"), *without, "--set", "train.epochs=1"])


def test_videos_become_a_run(place, capsys) -> None:
    assert _fidget("frames.toml -o first") == 0
    shown = capsys.readouterr().out
    assert "tiny_frames: tsm_r50" in shown and "4 frames of 32 px, segment" in shown
    scores = read_scores(place / "first" / "scores" / "test.parquet")
    assert list(scores.clip_ids) == _NAMES[6:]
    environment = json.loads((place / "first" / "environment.json").read_text())
    assert environment["model"] == "tsm_r50" and environment["frames"] == "4 frames of 32 px, segment"
    assert _fidget("frames.toml -o first") == 0  # the same again: nothing to read, nothing to train
    again = capsys.readouterr().out
    assert "videos read once" not in again and "epoch" not in again


def test_frames_kept_raw_train_to_the_same_weights(place, capsys) -> None:
    assert _fidget("frames.toml -o plain") == 0
    assert _fidget("frames.toml -o kept --frame-cache kept_frames --set input.frame_store=raw") == 0
    assert list((place / "kept_frames").glob("*.frames"))
    weights = [load_tensors(place / run / "checkpoints" / "last.pt")["model"] for run in ("plain", "kept")]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert _fidget("frames.toml -o kept --frame-cache kept_frames --set input.frame_store=jpeg") == 1
    assert "kept holds another run: input.frame_store is 'raw' there" in capsys.readouterr().err


def test_crops_around_the_person_of_a_pose_cache(place, capsys) -> None:
    assert _fidget("frames.toml --poses cache --set input.person_crop=true -o person") == 0
    shown = capsys.readouterr().out
    assert "4 frames of 32 px around the person, segment" in shown
    assert "1 clips without a person are seen whole: day/clip08" in shown


def test_a_clip_without_a_video_is_dropped_where_the_recipe_says_so(capsys) -> None:
    assert _fidget("frames.toml --protocol ghost.csv --set data.missing=drop -o ghost") == 0
    assert "test: 3 clips, 1 missing left out (day/ghost)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("frames.toml --poses cache --poses-only", 2, "recipe tiny_frames is over frames: give --videos DIR"),
        ("poses.toml", 2, "recipe tiny is over poses: give --poses DIR; leave out --videos, for"),
        ("poses.toml --poses cache --frame-cache x", 2, "leave out --videos and --frame-cache, for"),
        ("frames.toml --videos gone", 2, "gone"),
        ("frames.toml --videos none", 2, "none"),
        ("frames.toml --protocol gone.csv", 2, "no such file"),
        (
            "frames.toml --protocol ghost.csv",
            1,
            "test: 1 clips without a video (day/ghost), or --set data.missing",
        ),
        (
            "frames.toml --videos broken --protocol broken.csv",
            1,
            "1 clips whose video cannot be read (clip08:",
        ),
        ("frames.toml --set input.person_crop=true", 2, "give --poses DIR"),
        ("frames.toml --set input.frame_store=jpeg", 2, "keeps decoded frames: give --frame-cache DIR"),
        ("frames.toml --frame-cache x", 2, "--set input.frame_store=jpeg (or raw), or leave it out"),
        ("frames.toml --frame-cache-gib 3", 2, "goes with --frame-cache DIR"),
        ("frames.toml --frame-cache x --frame-cache-gib 0", 2, "a number above 0"),
        ("frames.toml --set input.samplin=dense", 2, "unknown key 'input.samplin'; nearest: sampling"),
        ("frames.toml --set input.stride=2", 2, "stride is for sampling 'dense'"),
        ("frames.toml --set augment.roll_deg=5", 2, "unknown key 'augment.roll_deg'"),
        ("poses.toml --poses cache --poses-only --set augment.hue=0.1", 2, "unknown key 'augment.hue'"),
        ("frames.toml --set augment.hue=0.7", 2, "hue must lie in 0..0.5, got 0.7"),
        ("frames.toml --set model.name=tsm", 1, "unknown model 'tsm'; nearest: tsm_r50"),
        ("frames.toml --set model.name=stgcnpp", 1, "'stgcnpp' takes joints, but input.form is 'frames'"),
        ("frames.toml --set model.options.wdth=3", 1, "no option 'wdth'"),
        ("frames.toml --checkpoint gone.pt", 1, "gone.pt"),
        ("frames.toml --checkpoint resnet50_imagnet", 1, "did you mean 'resnet50_imagenet'?"),
        (
            "frames.toml --set loss.label_embedding=gone.npy",
            1,
            "no file 'gone.npy'; give the labels' vectors",
        ),
    ],
)
def test_wrong_input_is_one_line_and_a_status(place, capsys, words, status, told) -> None:
    assert _fidget(words) == status
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("fidget: ") and shown.count("\n") == 1
    assert not (place / "run").exists()
