"""Detector, then keypoints in each box: windows of frames between two detections, crops in one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.box_paths import BoxPath, Detections, follow_people, recognise
from pose_extract.estimator import FrameBgr, FramePeople, PersonDetector, PoseModel
from pose_extract.plain_state import plain, restored
from poses.layout import Layout

WINDOW_BYTES = 80 << 20
"""Frames held back at once, so that memory does not grow with the picture: ten of 1080p, three of 4K."""

FALLEN = 0.6
"""A person whose mean joint score is below this share of the window's best is looked for again."""

CONFIDENT = 0.3
"""Joints of this score count when we ask whether they leave the box."""

LEAVING = 0.25
"""A box is doubted where this much more of the confident joints is outside it than where it was detected."""

MARGIN = 0.05
"""Outside means beyond the box by more than this share of its size."""

MOVED_IOU = 0.1
"""A detection that overlaps a doubted box by this may be its person, who has moved."""


class TopDownEstimator:
    """People by a detector, joints by a pose model; implements `estimator.PoseEstimator`.

    The detector looks at every k-th frame and at the last one. Boxes in between lie on straight lines. It
    looks sooner where somebody is seen at one end only, and where keypoints contradict the line: their scores
    fall, or they leave the box. No frame is looked at twice, so a window costs k looks at most.

    Attributes:
        layout: joint set of the answers, the pose model's.
        batch: how many frames it likes to be handed at a time.
        weights: name -> SHA-256 of every weight file in use.
        runtime: what really runs the models.
    """

    def __init__(
        self,
        detector: PersonDetector,
        pose: PoseModel,
        max_persons: int,
        detect_every_frames: int,
        weights: dict[str, str],
        runtime: str,
    ) -> None:
        """Join two loaded models.

        Args:
            detector: boxes of people in a frame.
            pose: joints in boxes.
            max_persons: people wanted per clip; one more is followed, so that a passer-by in front costs
                nobody their place.
            detect_every_frames: k; fewer frames where they are so large that k of them exceed `WINDOW_BYTES`.
            weights: for the record.
            runtime: for the record.
        """
        if max_persons < 1 or detect_every_frames < 1:
            raise ValueError(
                f"expected max_persons and detect_every_frames of at least 1, "
                f"got {max_persons} and {detect_every_frames}"
            )
        self.detector = detector
        self.pose = pose
        self.layout: Layout = pose.layout
        self.max_people = max_persons + 1
        self.detect_every_frames = detect_every_frames
        self.batch = min(detect_every_frames, 5)
        self.weights = weights
        self.runtime = runtime

    def start_clip(self) -> TopDownClip:
        """Begin a new clip; nothing is carried over from another."""
        return TopDownClip(self)


@dataclass(eq=False)
class _Sighting:
    """One person in one frame of a window."""

    path: int
    frame: int
    box_px: NDArray[np.float32]  # (4,)
    box_score: float
    xy_px: NDArray[np.float32]  # (V, 2)
    score: NDArray[np.float32]  # (V,)


class TopDownClip:
    """One clip on its way; implements `estimator.ClipEstimation`. Answers lag by a window."""

    def __init__(self, estimator: TopDownEstimator) -> None:
        self._estimator = estimator
        self._frames: list[FrameBgr] = []
        self._start: Detections | None = None  # of the first frame held
        self._window = 0

    def push(self, frames_bgr: Sequence[FrameBgr]) -> list[FramePeople]:
        """Take the next frames; return whatever is finished by now."""
        answers: list[FramePeople] = []
        for frame_bgr in frames_bgr:
            answers += self._take(frame_bgr)
        return answers

    def finish(self) -> list[FramePeople]:
        """No more frames: return the rest."""
        if not self._frames:
            return []
        last = len(self._frames) - 1
        answers = self._answer(self._detect(self._frames[last]) if last else None, last)
        self._frames, self._start = [], None
        return answers

    def state(self) -> dict[str, Any]:
        """See `estimator.ResumableClip`: what was detected in the first of the frames held."""
        start = self._start
        return {"start": start and [plain(one) for one in (start.boxes, start.scores, start.known)]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `estimator.ResumableClip`."""
        start = state["start"]
        self._start = Detections(*(restored(one) for one in start)) if start else None

    def _take(self, frame_bgr: FrameBgr) -> list[FramePeople]:
        if self._start is None:
            self._start = self._detect(frame_bgr)
        if not self._frames:  # the first frame of all, or of those that another process did not answer
            affordable = max(1, WINDOW_BYTES // frame_bgr.nbytes)
            self._window = min(self._estimator.detect_every_frames, affordable)
        if len(self._frames) < self._window:
            self._frames.append(frame_bgr)
            return []
        end = self._detect(frame_bgr)
        answers = self._answer(end, self._window)
        self._frames, self._start = [frame_bgr], end
        return answers

    def _detect(self, frame_bgr: FrameBgr) -> Detections:
        return Detections.of(*self._estimator.detector.detect(frame_bgr))

    def _answer(self, end: Detections | None, last: int) -> list[FramePeople]:
        """Everyone in the frames held; `last` is the frame of `end`, held or the one after."""
        assert self._start is not None
        looks = {0: self._start} | ({last: end} if end is not None else {})

        def look(frame: int) -> Detections:
            if frame not in looks:
                looks[frame] = self._detect(self._frames[frame])
            return looks[frame]

        frame_hw = self._frames[0].shape[:2]
        paths = follow_people(self._start, end, last, look, frame_hw, self._estimator.max_people)
        people = self._pose(paths, range(len(self._frames)))
        people = self._settle_doubts(paths, people, look)
        return [self._frame_people(frame, people) for frame in range(len(self._frames))]

    def _pose(self, paths: Sequence[BoxPath], frames: Sequence[int]) -> list[_Sighting]:
        """Joints of the most prominent people in each of these frames."""
        placed = []
        for frame in frames:
            here = [
                (i, frame, *place) for i, path in enumerate(paths) if (place := path.at(frame)) is not None
            ]
            placed += here[: self._estimator.max_people]
        return self._pose_boxes(placed)

    def _pose_boxes(self, placed: Sequence[tuple[int, int, NDArray[np.float32], float]]) -> list[_Sighting]:
        """Joints in boxes given as path, frame, box (4,), box score; ordered by frame."""
        frames = sorted({frame for _, frame, _, _ in placed})
        if not frames:
            return []
        boxes = [np.array([box for _, f, box, _ in placed if f == frame], np.float32) for frame in frames]
        estimates = self._estimator.pose.estimate([self._frames[frame] for frame in frames], boxes)
        people = []
        for frame, (xy_px, score) in zip(frames, estimates, strict=True):
            here = [place for place in placed if place[1] == frame]
            people += [_Sighting(*place, xy_px[i], score[i]) for i, place in enumerate(here)]
        return people

    def _settle_doubts(
        self, paths: Sequence[BoxPath], people: list[_Sighting], look: Callable[[int], Detections]
    ) -> list[_Sighting]:
        """Where a straight line is contradicted: detect, and take the better answer, or nobody at all."""
        doubts = [_Doubts([p for p in people if p.path == i], path) for i, path in enumerate(paths)]
        again: list[tuple[int, int, NDArray[np.float32], float]] = []
        gone: list[_Sighting] = []
        for person in people:
            doubt = doubts[person.path]
            if not (doubt.fallen(person) or doubt.leaving(person)):
                continue
            detections = look(person.frame)
            index = recognise(paths, person.frame, detections, MOVED_IOU).get(person.path)
            if index is not None:
                score = float(detections.scores[index])
                again.append((person.path, person.frame, detections.boxes[index], score))
            elif doubt.fallen(person):
                gone.append(person)
        better = {(person.path, person.frame): person for person in self._pose_boxes(again)}
        settled = []
        for person in people:
            other = better.get((person.path, person.frame), person)
            if not any(person is left for left in gone):
                settled.append(other if other.score.mean() > person.score.mean() else person)
        return settled

    def _frame_people(self, frame: int, people: Sequence[_Sighting]) -> FramePeople:
        here = [person for person in people if person.frame == frame]
        if not here:
            return FramePeople.nobody(len(self._estimator.layout.joints))
        return FramePeople(
            np.stack([person.xy_px for person in here]),
            np.stack([person.score for person in here]),
            np.stack([person.box_px for person in here]),
            np.array([person.box_score for person in here], np.float32),
        )


class _Doubts:
    """What is usual for one person in one window, and which answers are not."""

    def __init__(self, people: Sequence[_Sighting], path: BoxPath) -> None:
        self._path = path
        self._best = max((float(person.score.mean()) for person in people), default=0.0)
        outside = [_share_outside(person) for person in people if person.frame in path.seen]
        self._usual_outside = min(outside, default=0.0)

    def fallen(self, person: _Sighting) -> bool:
        """Whether the joints' scores have fallen, in a box that no detector has seen."""
        return person.frame not in self._path.seen and float(person.score.mean()) < FALLEN * self._best

    def leaving(self, person: _Sighting) -> bool:
        """Whether joints leave a box that no detector has seen."""
        return person.frame not in self._path.seen and _share_outside(person) > self._usual_outside + LEAVING


def _share_outside(person: _Sighting) -> float:
    """Share of the confident joints that lie outside the box and its margin; 0 where none is confident."""
    confident = person.score >= CONFIDENT
    if not confident.any():
        return 0.0
    low, high = person.box_px[:2], person.box_px[2:]
    margin = MARGIN * (high - low)
    xy_px = person.xy_px[confident]
    return float(np.mean(((xy_px < low - margin) | (xy_px > high + margin)).any(axis=1)))
