"""Live recognition with a person who is known and a network that says what it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from tests.fidget.recognition.recognition_samples import TREE

from fidget.recognition.analysis import AnalysisRules
from fidget.recognition.live import Arrived, LiveCounts, LiveRecogniser
from fidget.recognition.live_frames import LiveFrames
from fidget.recognition.person_windows import WindowLength
from fidget.reports.video_file import write_video
from pose_extract.estimator import FramePeople
from poses.layout import get_layout

RULES = AnalysisRules(WindowLength(0.8, 0.2), all_views=False)
LAYOUT = get_layout("coco17")


class KnownPeople:
    """Finds one body a column: black frames have nobody."""

    layout = LAYOUT
    batch = 1

    def __init__(self, lag: int = 0) -> None:
        self._lag, self._held = lag, []

    def start_clip(self) -> KnownPeople:
        return self

    def push(self, frames) -> list[FramePeople]:
        self._held += [self._people(frame) for frame in frames]
        ready = max(0, len(self._held) - self._lag)
        done, self._held = self._held[:ready], self._held[ready:]
        return done

    def finish(self) -> list[FramePeople]:
        return self._held

    def _people(self, frame) -> FramePeople:
        if frame.max() < 128:
            return FramePeople.nobody(17)
        xy = np.stack([np.linspace(10, 30, 17), np.linspace(5, 40, 17)], 1)[None].astype(np.float32)
        box = np.array([[10, 5, 30, 40]], np.float32)
        return FramePeople(xy, np.full((1, 17), 0.9, np.float32), box, np.ones(1, np.float32))


class Told:
    """Says nodding for two windows, then waving."""

    tree, layout = TREE, LAYOUT

    def __init__(self) -> None:
        self.windows: list[tuple[int, ...]] = []

    def probabilities(self, count, read, all_views=True):
        self.windows += [read(number).xyz.shape for number in range(count)]
        assert not all_views
        return np.array([[0.8, 0.1, 0.1] if len(self.windows) <= 2 else [0.1, 0.1, 0.8]] * count)


def _frames(seconds: float, white: bool = True) -> Iterator[Arrived]:
    picture = np.full((48, 64, 3), 255 if white else 0, np.uint8)
    for number in range(round(seconds * 25)):
        yield Arrived(number / 25, picture, time.perf_counter())


@pytest.mark.parametrize("lag", [0, 3])
def test_what_is_said_anew_is_an_event(lag) -> None:
    model = Told()
    live = LiveRecogniser(model, KnownPeople(lag), RULES)
    events = list(live.events(_frames(2.0)))
    assert [one.segment.words for one in events] == ["nodding", "waving"]
    assert {one.person for one in events} == {0} and all(one.latency_s >= 0 for one in events)
    assert events[1].time_s > events[0].time_s
    assert all(shape[:1] + shape[2:] == (1, 17, 2) and shape[1] <= 21 for shape in model.windows)
    assert live.counts.frames == 50 and len(live.counts.latencies_s) == len(model.windows) >= 5
    for latency_s, parts in zip(live.counts.latencies_s, live.counts.parts, strict=True):
        assert min(parts) >= 0 and sum(parts) == pytest.approx(latency_s)
    end = live.counts.to_json()["latency_parts_ms"]
    assert list(end) == ["wait", "pose", "network"] and end["pose"]["max"] >= end["pose"]["p50"] >= 0
    plain = json.loads(json.dumps(events[0].to_json()))
    assert plain["action"] == "nodding" and plain["status"] == "sure" and plain["latency_s"] >= 0
    assert "nodding" in events[0].line() and "ms" in events[0].line()


def test_a_part_of_the_joints_is_taken_of_the_whole_set() -> None:
    from poses.layout import subset

    model = Told()
    model.layout = subset(LAYOUT, "legs")
    live = LiveRecogniser(model, KnownPeople(), RULES)
    assert len(list(live.events(_frames(2.0)))) == 2
    assert all(shape[2] == len(model.layout.joints) < 17 for shape in model.windows)


def test_warming_up_counts_for_nothing() -> None:
    model = Told()
    live = LiveRecogniser(model, KnownPeople(), RULES)
    live.warm_up()
    assert set(model.windows) == {(1, 4, 17, 2)}
    assert live.counts.frames == 0 and not live.counts.latencies_s


def test_nobody_gives_no_event_and_no_latency() -> None:
    live = LiveRecogniser(Told(), KnownPeople(), RULES)
    assert list(live.events(_frames(2.0, white=False))) == []
    assert live.counts.to_json()["latency_ms"] == {} and "nobody" in live.counts.line()


def test_the_distribution_is_of_all_windows() -> None:
    counts = LiveCounts(3, [0.001 * value for value in range(1, 101)], first_s=0.0, last_s=4.0)
    found = counts.distribution_ms()
    assert list(found) == ["p50", "p90", "p99", "max"]
    assert found["p50"] == pytest.approx(50.5) and found["max"] == pytest.approx(100)
    assert "p90 90 ms" in counts.line()


def test_a_file_is_played_in_real_time_and_late_frames_are_passed_over(tmp_path) -> None:
    path = tmp_path / "a.mp4"
    with write_video(path, (48, 64), Fraction(25)) as video:
        for number in range(25):
            video.add(number / 25, np.full((48, 64, 3), 255, np.uint8))
    begin = time.perf_counter()
    with LiveFrames(str(path)) as frames:
        times = []
        for frame in frames:
            times.append(frame.time_s)
            assert time.perf_counter() - begin >= frame.time_s - 0.01  # never before its time
            time.sleep(0.1)
        assert len(times) + frames.dropped == 25 and frames.dropped > 5
    assert times == sorted(times)
    with LiveFrames(str(path), seconds=0.3) as frames:
        assert len(list(frames)) < 20


@pytest.mark.parametrize("source", ["nowhere.mp4", "ftp://example.com/a"])
def test_a_source_that_is_none_is_named(source) -> None:
    with pytest.raises(ValueError, match=f"--live {source}: expected the number of a webcam"):
        LiveFrames(source)
