"""`fidget benchmark run` over videos: networks over frames beside those over poses, from one protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.benchmark.benchmark_samples import CLIPS, write_place
from tests.fidget.training.frame_samples import FRAME_RECIPE, frames_of_clip, write_video

from fidget.benchmark import adaptation
from fidget.benchmark.clip_sources import BenchmarkVideos
from fidget.benchmark.features import run_features
from fidget.benchmark.fine_tuning import FULL, LIGHT
from fidget.benchmark.finished_run import open_finished_run
from fidget.cli.main import main
from fidget.training.recipe import load_recipe
from fidget.training.videos import VideoPlaces
from protocols.scores import read_scores

_RUN = "benchmark run mma82/cross-domain --labels cache-labels.csv --targets street --samples 20 --device cpu"
_FEW = "--shots none --settings inductive --jobs 1"


def fidget(words: str) -> int:
    return main(words.split())


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    place = write_place(tmp_path_factory.mktemp("frames"))
    for number in range(CLIPS):
        write_video(place / "videos" / f"clip{number:02d}.mp4", frames_of_clip(number))
    flips = FRAME_RECIPE.replace("epochs = 2", "epochs = 1") + "[eval]\ntest_flip = true\n"
    (place / "frames.toml").write_text(flips)
    return place


@pytest.fixture(autouse=True)
def here(place, monkeypatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "user"))


def test_both_kinds_of_methods_measure_the_same_clips(place, capsys) -> None:
    both = f"{_RUN} {_FEW} --poses cache --videos videos --method tiny.toml --method frames.toml -o both"
    assert fidget(f"{both} --budget-kib 64") == 0
    out = capsys.readouterr().out
    assert "--budget-kib is of poses: left out for tiny_frames" in out
    assert "| street |   0 | tiny_frames" in out and "| street |   0 | tiny " in out
    files = {path.stem: read_scores(path) for path in (place / "both" / "scores").iterdir()}
    assert sorted(name.partition("__")[2] for name in files) == [
        "tiny__seed0", "tiny__seed0__64KiB", "tiny_frames__seed0",
    ]  # fmt: skip
    assert len({scores.clip_ids for scores in files.values()}) == 1
    cell = json.loads((place / "both/cells/laboratory-to-street__tiny_frames__seed0.json").read_text())
    assert not any("pose_bytes" in name for name in cell["facts"]) and not cell["simulated"]
    assert fidget(both) == 0
    assert "all 2 cells are there" in capsys.readouterr().out


def test_shots_and_settings_of_frames_without_any_poses(place, capsys, monkeypatch) -> None:
    for settings in (LIGHT, FULL):
        short = replace(settings, passes=8)
        monkeypatch.setitem(adaptation._TUNING, f"{settings.which}_fine_tuning", short)
    words = f"{_RUN} --videos videos --method frames.toml --shots 1 --draws 1 --jobs 1 -o alone"
    every = "--adaptations all --settings inductive,transductive-all"
    assert fidget(f"{words} {every}") == 0
    assert len(list((place / "alone" / "cells").iterdir())) == 2 + 4 * 2
    page = (place / "alone" / "report.html").read_text(encoding="utf-8")
    assert "every method is over frames" in page
    contents = json.loads((place / "alone" / "benchmark.json").read_text())
    assert (contents["poses"], contents["cache_hash"]) == ("", "") and contents["videos_hash"]
    capsys.readouterr()
    assert fidget("benchmark table cross-domain alone --samples 0 --html again.html") == 0
    added = f"{_RUN} --poses cache --method tiny.toml --shots 1 --draws 1 --jobs 1 -o alone"
    assert fidget(f"{added} --adaptations cosine_prototypes --settings inductive") == 0
    contents = json.loads((place / "alone" / "benchmark.json").read_text())
    assert contents["cache_hash"] and contents["videos_hash"] and set(contents["methods"]) == {
        "tiny", "tiny_frames",
    }  # fmt: skip


def test_a_frame_cache_is_for_the_methods_that_keep_frames(place) -> None:
    words = f"{_RUN} {_FEW} --videos videos --method frames.toml --frame-cache kept -o cached"
    assert fidget(f"{words} --set tiny_frames:input.frame_store=raw") == 2  # named by its file
    assert fidget(f"{words} --set frames.toml:input.frame_store=raw --frame-cache-gib 1") == 0
    assert list((place / "kept").glob("*.frames"))


def test_videos_of_the_simulator_make_simulated_results(place, capsys) -> None:
    marker = place / "videos" / "simulation.json"
    marker.write_text('{"simulated": true}')
    try:
        assert fidget(f"{_RUN} {_FEW} --videos videos --method frames.toml -o made") == 0
    finally:
        marker.unlink()
    out = capsys.readouterr().out
    assert "the clips are simulated: so are all results" in out and "(simulated data)" in out


def test_features_of_mirror_images_stay_and_their_labels_change_sides(place) -> None:
    run = next((place / "alone" / "runs").rglob("tiny_frames/seed0"))
    scores = read_scores(run / "scores" / "test.parquet")
    videos = BenchmarkVideos(VideoPlaces(place / "videos"), frozenset(scores.clip_ids))
    opened = open_finished_run(run, videos.open(load_recipe(str(run / "recipe.toml"))), device="cpu")
    plain = run_features(opened, scores.clip_ids, keep=False)
    assert np.allclose(np.exp(plain.log_probs), scores.scores, atol=1e-6)
    opened.test_input = replace(opened.test_input, mirrored=(0, 2, 1))
    turned = run_features(opened, scores.clip_ids, keep=False)
    assert np.array_equal(turned.features, plain.features)
    assert not np.allclose(turned.log_probs, plain.log_probs, atol=1e-6)
    assert np.allclose(turned.log_probs[:, 0], plain.log_probs[:, 0], atol=1e-6)


def test_a_run_over_frames_is_not_opened_with_poses(place) -> None:
    run = next((place / "alone" / "runs").rglob("tiny_frames/seed0"))
    with pytest.raises(ValueError, match="expected videos, got the pose cache"):
        open_finished_run(run, place / "cache", device="cpu")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--poses cache --method frames.toml", "method tiny_frames is over frames: give --videos DIR"),
        ("--videos videos --method tiny.toml", "method tiny is over poses: give --poses DIR"),
        ("--poses cache --videos videos --method tiny.toml", "no method is over frames: leave out --videos"),
        ("--videos gone --method frames.toml", "gone"),
        ("--videos videos --method frames.toml --labels gone.csv", "gone.csv: no such file of labels"),
        ("--videos videos --method frames.toml --budget-kib 4", "--budget-kib is of poses, and every method"),
        ("--videos videos --method frames.toml --frame-cache x", "--frame-cache is for recipes that keep"),
        ("--videos videos --method frames.toml --frame-cache-gib 2", "goes with --frame-cache DIR"),
        ("--videos videos --method frames.toml --set input.person_crop=true", "give --poses DIR"),
    ],
)
def test_wrong_input_is_one_line_and_a_status(place, capsys, words, told) -> None:
    assert fidget(f"{_RUN} {words} -o wrong") == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("fidget: ") and shown.count("\n") == 1
    assert not (place / "wrong" / "benchmark.json").exists()


def test_unseen_classes_of_videos(place, capsys) -> None:
    names = ("moving left", "moving right", "moving nowhere")
    rows = (place / "cache-labels.csv").read_text().splitlines()[1:]
    cut = [row.split(",")[:3] for row in rows]
    lines = ["clip_id,label,split,class_name", *(",".join((*row, names[int(row[1])])) for row in cut)]
    (place / "ungrouped.csv").write_text("\n".join(lines) + "\n")
    words = "benchmark unseen --videos videos --labels ungrouped.csv --method frames.toml --unseen 2"
    few = "--ways conse --samples 0 --jobs 1 --device cpu -o unseen --set eval.test_flip=false"
    assert fidget(f"{words} {few}") == 0
    assert "tiny_frames" in capsys.readouterr().out
    assert fidget("benchmark unseen --poses cache --method frames.toml --unseen 2 -o no") == 2
    assert "method tiny_frames is over frames: give --videos DIR" in capsys.readouterr().err
