"""Detectors over frames: the segments of `fidget detect run`, and of whom they are."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.fidget.detection.detection_samples import video_samples
from tests.fidget.recognition.frame_run_samples import write_poses
from tests.fidget.recognition.test_frame_recognisers import recognised

from fidget.detection.places import open_videos
from fidget.detection.recipe import load_recipe
from fidget.detection.trained_detector import load_detector
from fidget.detection.training import train_detector
from fidget.recognition.analysis import AnalysisRules, load_model
from fidget.recognition.decisions import DecisionRules
from fidget.recognition.detected import segments_of_found
from fidget.recognition.result import NOBODY
from fidget.training.run import Machines
from poses.clip import PoseClip
from poses.layout import get_layout

RULES = AnalysisRules(decision=DecisionRules(1e-3, 1e-4))
TINY = (
    "input.points=16", "input.stride=1", "input.size=32", "input.short_side=32", "train.epochs=1",
    "train.threads=1", "train.warmup_epochs=0", "model.options.encoder_depth=1", "model.options.width=16",
    "model.options.arch=[1, 0, 1]", "model.options.encoder_width=48", "model.options.encoder_heads=3",
)  # fmt: skip


class Place(NamedTuple):
    videos: Path
    whole: Path
    person: Path


def standing(clip_id: str, persons: int) -> PoseClip:
    """People side by side in 40 frames of a sample's video."""
    xy_px = np.random.default_rng(0).uniform(0, 20, (persons, 40, 17, 2)).astype(np.float32)
    xy_px[..., 0] += 8 + 28 * np.arange(persons)[:, None, None]
    box_px = np.concatenate([xy_px.min(2), xy_px.max(2)], -1)
    return PoseClip(
        clip_id, get_layout("coco17"), xy_px, np.ones(xy_px.shape[:3], np.float32), box_px,
        np.arange(40) / 20, (48, 64), 20, np.arange(persons) + 5,
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    directory = tmp_path_factory.mktemp("frame_detectors")
    table = video_samples(directory / "videos", 9)
    clips = [standing(name, 1) for name in table.video_ids]
    poses = write_poses(directory / "poses", directory / "videos", clips)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(directory / "user"))
        for name, crop in (("whole", "false"), ("person", "true")):
            recipe = load_recipe("sim_adatad_small", [*TINY, f"input.person_crop={crop}"])
            videos = open_videos(
                recipe, directory / "videos", poses if name == "person" else None, None, lambda _: None
            )
            train_detector(recipe, videos, table, directory / name, Machines("cpu"), say=lambda _: None)
    return Place(directory / "videos", directory / "whole", directory / "person")


def expected(run: Path, videos: Path, poses: Path | None, monkeypatch, tmp_path):
    """What `fidget detect run` finds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    detector = load_detector(run, "cpu")
    opened = open_videos(detector.recipe, videos, poses, {"r0"}, lambda _: None)
    (found,) = detector.find(opened, ["r0"])
    return segments_of_found(found, detector.tree, RULES.decision)


@pytest.mark.parametrize("kind", ["whole", "person"])
def test_one_person_has_the_segments_that_the_detector_finds(place, kind, tmp_path, monkeypatch) -> None:
    run: Path = getattr(place, kind)
    poses = write_poses(tmp_path / "poses", place.videos, [standing("r0", 1)])
    found, said, failed = recognised(load_model([run], "cpu"), poses, RULES, tmp_path / "o")
    assert not failed and "trained on simulated data" in said and "not assigned" not in said
    (person,) = found["r0"].persons
    segments = expected(run, place.videos, poses if kind == "person" else None, monkeypatch, tmp_path)
    assert person.track_id == 5 and person.segments and len(person.segments) == len(segments)
    for own, other in zip(person.segments, segments, strict=True):
        assert own.words == other.words
        np.testing.assert_allclose(
            (own.start_s, own.end_s, own.probability),
            (other.start_s, other.end_s, other.probability),
            atol=1e-5,
        )


def test_of_two_people_the_whole_picture_tells_nobody_and_crops_tell_each(place, tmp_path) -> None:
    poses = write_poses(tmp_path / "poses", place.videos, [standing("r0", 2)])
    found, said, _ = recognised(load_model([place.whole], "cpu"), poses, RULES, tmp_path / "whole")
    assert [one.track_id for one in found["r0"].persons] == [NOBODY]
    assert "2 persons: what it says is not assigned to a person" in said
    found, said, _ = recognised(load_model([place.person], "cpu"), poses, RULES, tmp_path / "person")
    one, other = found["r0"].persons
    assert [one.track_id, other.track_id] == [5, 6] and "not assigned" not in said
    assert one.segments != other.segments


def test_a_detector_is_named_alone(place) -> None:
    with pytest.raises(ValueError, match="whole is a detector, whose segments are not fused with anything"):
        load_model([place.person.with_name("whole"), place.person], "cpu")
