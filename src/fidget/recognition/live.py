"""Actions as they happen: frames of a camera, poses, windows that slide with the clock, events with latency.

Latency is measured on this machine's clock, from the moment at which the newest frame of the window that
decided had arrived here to the moment at which the event was handed out: pose estimation, tracking, the
network and waiting in between. What the camera and its line add before is not seen, nor is the half window
or so for which an action must have gone on before it fills the window.

Memory holds one window of poses and one waiting frame, however long it runs. Letters: T frames, V joints.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fidget.recognition.analysis import AnalysisRules
from fidget.recognition.decisions import Decision, decide, segment_of
from fidget.recognition.network_threads import quicker_threads, threads_of
from fidget.recognition.recogniser import Recogniser
from fidget.recognition.result import Segment
from pose_extract.boxes import iou_matrix
from pose_extract.estimator import FramePeople, PoseEstimator
from pose_extract.tracking import ClipTracker, Tracks
from poses.layout import Layout, convert
from skeleton_models.clip_arrays import ClipArrays

_SAME_PERSON_IOU = 0.3
_FEWEST_FRAMES = 4  # of a window
_FORGOTTEN_S = 10.0  # who was away for longer comes back as someone else


class Arrived(NamedTuple):
    """A frame of the stream.

    Attributes:
        time_s: of the stream's clock, increasing.
        frame_bgr: (H, W, 3) uint8.
        arrived_s: by `time.perf_counter`, when it was there.
    """

    time_s: float
    frame_bgr: NDArray[np.uint8]
    arrived_s: float


class _Taken(NamedTuple):
    """A frame, and when it was taken up."""

    frame: Arrived
    taken_s: float


@dataclass(frozen=True)
class LiveEvent:
    """Something that is said of a person, when it begins to be said.

    Attributes:
        person: number of the person, as long as the place of the body tells them apart.
        time_s: of the newest frame of the window, on the stream's clock.
        segment: what is said of the window.
        latency_s: see the module.
    """

    person: int
    time_s: float
    segment: Segment
    latency_s: float

    def line(self) -> str:
        """For people."""
        said = f"{self.segment.probability:.2f}  {self.segment.words}"
        return f"{self.time_s:8.2f} s  person {self.person}  {said}  ({1000 * self.latency_s:.0f} ms)"

    def to_json(self) -> dict[str, Any]:
        """For programs: one JSON line."""
        plain = asdict(self.segment)
        return {
            "event": "action",
            "person": self.person,
            "time_s": round(self.time_s, 4),
            "latency_s": round(self.latency_s, 5),
            **plain,
        }


class LatencyParts(NamedTuple):
    """Where the time of a window's newest frame went, in seconds; the sum is the window's latency.

    Attributes:
        wait_s: until it was taken up: what was computed for the frame before.
        pose_s: until its people were known; of models that look at several frames at once, until these came.
        network_s: until the event was there: tracking through the window, and the network.
    """

    wait_s: float
    pose_s: float
    network_s: float


@dataclass
class LiveCounts:
    """What a live run did; filled as it goes.

    Attributes:
        frames: looked at.
        latencies_s: of every window that was decided on, whether or not something new was said of it.
        parts: of the same windows.
        first_s: stream time of the first frame.
        last_s: of the last.
    """

    frames: int = 0
    latencies_s: list[float] = field(default_factory=list)
    parts: list[LatencyParts] = field(default_factory=list)
    first_s: float = 0.0
    last_s: float = 0.0

    def distribution_ms(self) -> dict[str, float]:
        """p50, p90, p99 and max of the latencies in milliseconds; empty without any."""
        return distribution_ms(self.latencies_s)

    def parts_ms(self) -> dict[str, dict[str, float]]:
        """The same of each part of them: wait, pose, network."""
        names = [name.removesuffix("_s") for name in LatencyParts._fields]
        columns = np.array(self.parts).T if self.parts else np.zeros((len(names), 0))
        return {name: distribution_ms(column) for name, column in zip(names, columns, strict=True)}

    def line(self) -> str:
        """For people."""
        seconds = max(self.last_s - self.first_s, 0.0)
        head = f"{self.frames} frames of {seconds:.1f} s, {len(self.latencies_s)} windows"
        spread = ", ".join(f"{name} {value:.0f} ms" for name, value in self.distribution_ms().items())
        return f"{head}; latency {spread}" if spread else f"{head}; nobody was there long enough"

    def to_json(self) -> dict[str, Any]:
        """For programs: the last JSON line."""
        return {
            "event": "end",
            "frames": self.frames,
            "seconds": round(max(self.last_s - self.first_s, 0.0), 3),
            "windows": len(self.latencies_s),
            "latency_ms": _rounded(self.distribution_ms()),
            "latency_parts_ms": {name: _rounded(found) for name, found in self.parts_ms().items()},
        }


def distribution_ms(seconds: Sequence[float] | NDArray[np.float64]) -> dict[str, float]:
    """p50, p90, p99 and max in milliseconds; empty without any."""
    if not len(seconds):
        return {}
    found = 1000 * np.asarray(seconds)
    named = {f"p{share}": float(np.percentile(found, share)) for share in (50, 90, 99)}
    return {**named, "max": float(found.max())}


def _rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in found.items()}


class LiveRecogniser:
    """Frames in, events out.

    Args:
        model: that names actions.
        estimator: that finds people; its joints are converted to those of the model.
        rules: windows, decisions.
        max_persons: followed at once.

    Attributes:
        counts: of the run so far.
    """

    def __init__(
        self, model: Recogniser, estimator: PoseEstimator, rules: AnalysisRules, max_persons: int = 2
    ) -> None:
        self._model, self._estimator, self._rules = model, estimator, rules
        self._max_persons = max_persons
        self._window: deque[tuple[float, FramePeople]] = deque()
        self._said: dict[int, Decision] = {}
        self._places: dict[int, tuple[float, NDArray[np.float32]]] = {}  # when and where last seen
        self._born = 0
        self._threads = 1  # of the network
        self.counts = LiveCounts()

    def warm_up(self, frame_hw: tuple[int, int] = (360, 640)) -> None:
        """Compute with nothing, so that the first event does not wait for what is made only once.

        Also sees how many threads are quicker for the network; else it computes with one.
        """
        estimation = self._estimator.start_clip()
        estimation.push([np.zeros((*frame_hw, 3), np.uint8)])
        estimation.finish()
        joints = len(self._model.layout.joints)
        xy_px = np.tile(np.linspace(10, 90, joints, dtype=np.float32)[:, None], (1, _FEWEST_FRAMES, 1, 2))
        poses = ClipArrays(xy_px, np.ones(xy_px.shape[:3], np.float32), frame_hw)

        def compute() -> None:
            self._model.probabilities(1, lambda _: poses, self._rules.all_views)

        compute()
        self._threads = quicker_threads(compute)

    def events(self, frames: Iterator[Arrived]) -> Iterator[LiveEvent]:
        """What is said of the people in the frames, as soon as it is known."""
        estimation = self._estimator.start_clip()
        waiting: deque[_Taken] = deque()  # frames whose people are not known yet
        due_s = -np.inf
        for frame in frames:
            waiting.append(_Taken(frame, time.perf_counter()))
            for people in estimation.push([frame.frame_bgr]):
                due_s = yield from self._take(waiting.popleft(), people, due_s)
        for people in estimation.finish():
            due_s = yield from self._take(waiting.popleft(), people, due_s)

    def _take(self, taken: _Taken, people: FramePeople, due_s: float) -> Generator[LiveEvent, None, float]:
        """One frame's people; returns when the next window is due."""
        found_s, frame = time.perf_counter(), taken.frame
        if not self.counts.frames:
            self.counts.first_s = frame.time_s
        self.counts.frames += 1
        self.counts.last_s = frame.time_s
        self._window.append((frame.time_s, _in_layout(people, self._estimator.layout, self._model.layout)))
        length = self._rules.length
        while frame.time_s - self._window[0][0] > length.window_s:
            self._window.popleft()
        full = frame.time_s - self._window[0][0] >= 0.8 * length.window_s
        if len(self._window) < _FEWEST_FRAMES or not full or frame.time_s < due_s:
            return due_s
        yield from self._decide(frame, taken.taken_s, found_s)
        return frame.time_s + length.step_s

    def _decide(self, frame: Arrived, taken_s: float, found_s: float) -> Iterator[LiveEvent]:
        """What is said of the window that ends with a frame; when it was taken up, and its people known."""
        frame_hw = (frame.frame_bgr.shape[0], frame.frame_bgr.shape[1])
        tracker = ClipTracker(self._model.layout, frame_hw, self._max_persons)
        for _, people in self._window:
            tracker.update(people)
        tracks = tracker.finish()
        seen = (tracks.score > 0).any(axis=2).mean(axis=1) >= self._rules.length.least_seen  # (M,)
        rows = np.flatnonzero(seen)
        if not len(rows):
            self._said.clear()
            return

        def read(number: int) -> ClipArrays:
            one = slice(rows[number], rows[number] + 1)
            return ClipArrays(tracks.xy_px[one], tracks.score[one], frame_hw)

        with threads_of(self._threads):
            found = self._model.probabilities(len(rows), read, self._rules.all_views)
        names = self._names(tracks, rows, frame.time_s)
        now_s = time.perf_counter()
        latency_s = now_s - frame.arrived_s
        self.counts.latencies_s.append(latency_s)
        parts = LatencyParts(taken_s - frame.arrived_s, found_s - taken_s, now_s - found_s)
        self.counts.parts.append(parts)
        start_s, tree = self._window[0][0], self._model.tree
        self._said = {name: self._said[name] for name in names if name in self._said}
        for name, probabilities in zip(names, found, strict=True):
            decision = decide(probabilities, tree, self._rules.decision)
            if self._said.get(name) == decision:
                continue
            self._said[name] = decision
            segment = segment_of(decision, probabilities, start_s, frame.time_s, tree, self._rules.decision)
            yield LiveEvent(name, frame.time_s, segment, latency_s)

    def _names(self, tracks: Tracks, rows: NDArray[np.intp], now_s: float) -> list[int]:
        """A number for each person that stays from window to window."""
        self._places = {k: v for k, v in self._places.items() if now_s - v[0] <= _FORGOTTEN_S}
        names: list[int] = []
        for row in rows:
            shown = np.flatnonzero((tracks.score[row] > 0).any(axis=1))
            box = tracks.box_px[row, shown[-1]]
            free = [name for name in self._places if name not in names]
            shares = [float(iou_matrix(box[None], self._places[name][1][None])[0, 0]) for name in free]
            best = int(np.argmax(shares)) if shares else -1
            if best >= 0 and shares[best] >= _SAME_PERSON_IOU:
                name = free[best]
            else:
                name, self._born = self._born, self._born + 1
            self._places[name] = (now_s, box)
            names.append(name)
        return names


def _in_layout(people: FramePeople, source: Layout, target: Layout) -> FramePeople:
    if source.name == target.name:
        return people
    xy_px, score = convert(people.xy_px, people.score, source, target)
    return FramePeople(xy_px, score, people.box_px, people.box_score)
