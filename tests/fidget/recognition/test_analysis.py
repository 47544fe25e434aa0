"""People of a cache through a detector, and videos found in a cache."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.fidget.fidget_samples import clip_of, row_of, write_cache
from tests.fidget.recognition.recognition_samples import TREE

from fidget.detection.inference import Found
from fidget.recognition.analysis import AnalysisRules, FindingModel, analysed, described, load_model
from fidget.recognition.job import Target, recognise_all, targets_in
from fidget.recognition.person_recordings import PersonRecordings
from fidget.recognition.video_files import OutputRules
from poses.cache_reader import PoseCache


class OneEach:
    """A detector that finds as many actions as the place of the person says."""

    recipe = SimpleNamespace(name="stub", input=SimpleNamespace(form="poses"))
    shapes = SimpleNamespace(layout="coco17")
    tree = TREE

    def find(self, recordings: PersonRecordings, names: list[str], step: Any = None):
        for name in names:
            poses = recordings.read(name)
            assert poses.xyz.shape[0] == 1 and recordings.span_s(name)[0] == 0
            place = int(round(float(poses.xyz[0, 0, 0, 0]) - 50) / 40)
            spans = np.array([[0.0, 0.1], [0.15, 0.2]])[: place + 1]
            yield Found(name, spans, np.full(place + 1, 0.9, np.float32), np.zeros(place + 1, np.int64))


MODEL = FindingModel(OneEach(), "0" * 16, simulated=False)  # type: ignore[arg-type]


def test_a_detector_looks_at_each_person_alone(tmp_path) -> None:
    clip = clip_of("a:b", persons=2)  # the id has the sign that ids of persons are made with
    poses = PersonRecordings(write_cache(tmp_path / "poses", [row_of(clip)]))
    persons = analysed(MODEL, poses, "a:b", AnalysisRules())
    assert [one.track_id for one in persons] == [7, 8]
    assert [len(one.segments) for one in persons] == [1, 2]
    result = described(MODEL, clip, persons, "", ())
    assert not result.calibrated and result.method.startswith("stub: detector")
    assert result.duration_s == pytest.approx(2 * clip.time_s[-1] - clip.time_s[-2])


def test_one_frame_and_nobody_are_told_and_the_rest_is_done(tmp_path) -> None:
    whole = clip_of("whole")
    one = dataclasses.replace(
        whole, clip_id="one", xy_px=whole.xy_px[:, :1], score=whole.score[:, :1],
        box_px=whole.box_px[:, :1], time_s=whole.time_s[:1],
    )  # fmt: skip
    cache = write_cache(tmp_path / "poses", [row_of(one), row_of(clip_of("none", persons=0)), row_of(whole)])
    said: list[str] = []
    result = recognise_all(
        MODEL, cache, [], AnalysisRules(), OutputRules(tmp_path / "out", overlay=False), said.append
    )
    assert not result.failed and len(result.done) == 3
    told = "\n".join(said)
    assert "the video has one frame only" in told and "no person was found" in told
    assert "scores of a detector are not calibrated" in told


def test_a_video_is_the_row_of_its_path_or_of_its_name_and_size(tmp_path) -> None:
    mine, other = tmp_path / "talk.mp4", tmp_path / "elsewhere" / "talk.mp4"
    other.parent.mkdir()
    mine.write_bytes(b"12345"), other.write_bytes(b"12345")
    cache = PoseCache(write_cache(tmp_path / "poses", [row_of(clip_of("talk"), mine)]))
    assert targets_in(cache, [("another/name", mine)]) == ([Target("talk", mine)], [])
    assert targets_in(cache, [("talk", other)]) == ([Target("talk", other)], [])
    other.write_bytes(b"123456")
    targets, problems = targets_in(cache, [("talk", other)], "do so")
    assert not targets and problems == [f"{other}: its poses are not in {tmp_path / 'poses'}; do so"]
    assert targets_in(cache, []) == ([Target("talk", mine)], [])


def test_a_directory_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ValueError, match="expected a run directory of fidget train or fidget detect train"):
        load_model([tmp_path / "nowhere"])
