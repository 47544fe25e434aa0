"""BlazePose, the embedded default: finds people, follows each by a region that moves with the body.

The detector looks at the whole frame only where it must: while nobody is followed, when somebody was just
lost, and every few frames while there is room for more people. Everyone else costs one landmark call a frame.
Keypoints are stored as the model gives them; only the region is derived from the frame before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.blaze_detector import POSE_DETECTOR, BlazeDetector, Detections
from pose_extract.blaze_landmarks import REGION_SCALE, PoseLandmarkModel, PoseLandmarks, SteadyRegion
from pose_extract.blaze_regions import aligned_crop
from pose_extract.blaze_weights import BLAZEPOSE_LAYOUTS, BODY_WEIGHTS
from pose_extract.blaze_wholebody import PersonParts, WholeBodyParts
from pose_extract.estimator import FrameBgr, FramePeople
from pose_extract.geometry import Crop, crop_of_box
from pose_extract.litert_session import litert_runtime
from poses.layout import Layout, convert, get_layout
from weights.fetch import find_weight, weight_sha256

SAME_CENTER_DISTANCE = 0.12
"""Two regions whose middles lie closer than this share of the larger side are taken for one person's; two
people side by side are about 0.15 apart."""
SAME_PERSON_DISTANCE = 0.1
"""Two answers whose joints lie closer on average, as a share of the region's side, are one person."""
EXTRA_ATTEMPTS = 2
"""Detections tried beyond the free places, in case the landmark model sees nobody in the first ones."""
LONG_FRAME = 1.25
"""Frames longer than this times their width, or wider than this times their height, are also looked at in
squares: in the detector's square input people are otherwise small."""


class _Followed:
    """One person who is followed: the latest answer, where to look next, what is known of hands and face."""

    def __init__(self, landmarks: PoseLandmarks):
        self._steady = SteadyRegion(landmarks.span_px)
        self.parts = PersonParts()
        self.update(landmarks)

    def update(self, landmarks: PoseLandmarks) -> None:
        self.landmarks = landmarks
        self.region = self._steady.update(landmarks.span_px)

    def state(self) -> dict[str, Any]:
        return {
            "landmarks": self.landmarks.state(), "steady": self._steady.state(), "parts": self.parts.state(),
        }  # fmt: skip

    @staticmethod
    def of_state(state: Mapping[str, Any]) -> _Followed:
        person = _Followed(PoseLandmarks.of_state(state["landmarks"]))
        person._steady = SteadyRegion.of_state(state["steady"])
        person.region = person._steady.region
        person.parts.restore(state["parts"])
        return person


class BlazePoseEstimator:
    """BlazePose with LiteRT as a `PoseEstimator`, and for boxes that are handed in as a `PoseModel`.

    Args:
        layout: `blazepose33`, `coco17` or `coco_wholebody133`.
        max_persons: people followed at a time; the largest and most central are taken.
        detect_every_frames: look for more people after this many frames while fewer are followed.
        threads: threads inside one model call.

    Raises:
        ValueError: a layout that BlazePose cannot answer in, or a count below 1.
        MissingWeightError: a weight file is not there; the message says how to get it.
    """

    batch = 2

    def __init__(self, layout: Layout, max_persons: int, detect_every_frames: int, threads: int = 1):
        if layout.name not in BLAZEPOSE_LAYOUTS:
            known = ", ".join(BLAZEPOSE_LAYOUTS)
            raise ValueError(f"blazepose answers in {known}, not in {layout.name!r}: choose one")
        if min(max_persons, detect_every_frames, threads) < 1:
            raise ValueError(
                "max_persons, detect_every_frames and threads are at least 1, got "
                f"{max_persons}, {detect_every_frames} and {threads}"
            )
        self.layout = layout
        self.max_persons = max_persons
        self.detect_every_frames = detect_every_frames
        names = BLAZEPOSE_LAYOUTS[layout.name]
        paths = {name: find_weight(name) for name in names}
        self.weights = {name: weight_sha256(name) for name in names}
        self.runtime = litert_runtime(threads)
        self.detector = BlazeDetector(paths["pose_detection"], POSE_DETECTOR, threads)
        self.landmarks = PoseLandmarkModel(paths["pose_landmark_full"], threads)
        self._own = get_layout("blazepose33")
        self._parts = WholeBodyParts(paths, threads) if len(names) > len(BODY_WEIGHTS) else None

    def start_clip(self) -> BlazePoseClip:
        """Forget the last clip and begin a new one."""
        return BlazePoseClip(self)

    def estimate(
        self, frames_bgr: Sequence[FrameBgr], boxes_px: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """People whose boxes are known: xy_px (P, V, 2) and score (P, V) for each frame.

        A box only tells roughly how the body lies: the first look finds the body's own region, the second
        answers. Where the model sees nobody in a box all scores are 0.
        """
        return [self._in_boxes(frame, boxes) for frame, boxes in zip(frames_bgr, boxes_px, strict=True)]

    def _in_boxes(
        self, frame_bgr: FrameBgr, boxes_px: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        joints = len(self.layout.joints)
        xy_px = np.full((len(boxes_px), joints, 2), np.nan, np.float32)
        score = np.zeros((len(boxes_px), joints), np.float32)
        for person, box in enumerate(boxes_px):
            first = self.landmarks.landmarks(frame_bgr, crop_of_box(box, padding=1.25, aspect=1.0))
            second = first and self.landmarks.landmarks(frame_bgr, first.region)
            if second:
                answer = self.people(frame_bgr, [_Followed(second)])
                xy_px[person], score[person] = answer.xy_px[0], answer.score[0]
        return xy_px, score

    def people(self, frame_bgr: FrameBgr, followed: Sequence[_Followed]) -> FramePeople:
        """Body joints, and hands and face where the layout has them, as one record."""
        found = [person for person in followed if (person.landmarks.score > 0).any()]
        if not found:
            return FramePeople.nobody(len(self.layout.joints))
        body_xy = np.stack([person.landmarks.xy_px for person in found])  # (P, 33, 2)
        body_score = np.stack([person.landmarks.score for person in found])  # (P, 33)
        xy_px, score = body_xy, body_score
        if self.layout.name != self._own.name:
            xy_px, score = convert(body_xy, body_score, self._own, self.layout)
        if self._parts:
            for at, person in enumerate(found):
                self._parts.add(frame_bgr, person.landmarks, person.parts, xy_px[at], score[at])
        # fmin and fmax pass over the NaN of joints that were not found
        box_px = np.concatenate([np.fmin.reduce(xy_px, axis=1), np.fmax.reduce(xy_px, axis=1)], axis=1)
        presence = np.array([person.landmarks.presence for person in found], np.float32)
        return FramePeople(xy_px, score, box_px, np.minimum(presence, np.float32(1)))


class BlazePoseClip:
    """One clip on its way; every frame is answered as soon as it is pushed."""

    def __init__(self, estimator: BlazePoseEstimator):
        self._estimator = estimator
        self._followed: list[_Followed] = []
        self._frames_since_detection = 0
        self._turn = 0

    def push(self, frames_bgr: Sequence[FrameBgr]) -> list[FramePeople]:
        """One answer for each of the next frames."""
        return [self._frame(frame) for frame in frames_bgr]

    def finish(self) -> list[FramePeople]:
        """Nothing is ever held back."""
        return []

    def state(self) -> dict[str, Any]:
        """See `estimator.ResumableClip`."""
        return {
            "followed": [person.state() for person in self._followed],
            "frames_since_detection": self._frames_since_detection,
            "turn": self._turn,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `estimator.ResumableClip`."""
        self._followed = [_Followed.of_state(person) for person in state["followed"]]
        self._frames_since_detection = state["frames_since_detection"]
        self._turn = state["turn"]

    def _frame(self, frame_bgr: FrameBgr) -> FramePeople:
        before = len(self._followed)
        self._follow(frame_bgr)
        self._frames_since_detection += 1
        free = self._estimator.max_persons - len(self._followed)
        lost = len(self._followed) < before
        waited = self._frames_since_detection >= self._estimator.detect_every_frames
        if free and (lost or waited or not self._followed):
            self._look_for_more(frame_bgr, free, thoroughly=lost)
        return self._estimator.people(frame_bgr, self._followed)

    def _follow(self, frame_bgr: FrameBgr) -> None:
        kept: list[_Followed] = []
        for person in self._followed:
            landmarks = self._estimator.landmarks.landmarks(frame_bgr, person.region)
            if landmarks and not any(same_person(landmarks, other.landmarks) for other in kept):
                person.update(landmarks)
                kept.append(person)
        self._followed = kept

    def _look_for_more(self, frame_bgr: FrameBgr, free: int, thoroughly: bool) -> None:
        """Follow more people: in one of the views at a time, or in all of them.

        All of them at a clip's start, when several people are wanted, and when somebody was just lost.
        """
        self._frames_since_detection = 0
        frame_hw = frame_bgr.shape[:2]
        views = views_of(frame_hw)
        thoroughly |= self._turn == 0 and self._estimator.max_persons > 1
        chosen = views if thoroughly else [views[self._turn % len(views)]]
        self._turn += 1
        found = [self._estimator.detector.detect(frame_bgr, view) for view in chosen]
        taken = [person.region for person in self._followed]
        for region in regions_of(found, frame_hw, taken)[: free + EXTRA_ATTEMPTS]:
            landmarks = self._estimator.landmarks.landmarks(frame_bgr, region)
            if landmarks and not any(same_person(landmarks, other.landmarks) for other in self._followed):
                self._followed.append(_Followed(landmarks))
                free -= 1
                if not free:
                    return


def views_of(frame_hw: tuple[int, ...]) -> list[Crop | None]:
    """Where the detector looks: the whole frame (None) and, in a long frame, three squares along it."""
    height, width = frame_hw[:2]
    side = min(height, width)
    if max(height, width) <= LONG_FRAME * side:
        return [None]
    middles = [side / 2, max(height, width) / 2, max(height, width) - side / 2]
    across = side / 2
    centers = [(at, across) if width > height else (across, at) for at in middles]
    return [None, *(Crop((x - 0.5, y - 0.5), (side, side)) for x, y in centers)]


def regions_of(
    found: Sequence[Detections], frame_hw: tuple[int, ...], taken: Sequence[Crop] = ()
) -> list[Crop]:
    """Where detected people are, the most prominent first: large, and near the middle of the frame.

    The detector's first point is the middle of the hips, the second lies on the circle around the body.

    Args:
        found: the detections of one or several views, in frame pixels.
        frame_hw: height and width of the frame.
        taken: regions of people who are followed; detections of them are left out.
    """
    height, width = frame_hw[:2]
    middle, reach = ((width - 1) / 2, (height - 1) / 2), math.hypot(width, height) / 2
    pairs = [
        (float(score), points)
        for one in found
        for score, points in zip(one.score, one.keypoints[:, :2].tolist(), strict=True)
        if math.dist(points[0], points[1]) > 0
    ]
    kept: list[Crop] = []
    for _, points in sorted(pairs, key=lambda pair: -pair[0]):
        region = aligned_crop(points[0], points[1], REGION_SCALE)
        if not any(same_place(region, other) for other in (*taken, *kept)):
            kept.append(region)
    return sorted(kept, key=lambda r: -r.size_px[0] * (1 - math.dist(r.center_px, middle) / (2 * reach)))


def same_place(a: Crop, b: Crop) -> bool:
    """Whether two regions lie so close that they are taken for one person's without another look."""
    return math.dist(a.center_px, b.center_px) < SAME_CENTER_DISTANCE * max(a.size_px[0], b.size_px[0])


def same_person(a: PoseLandmarks, b: PoseLandmarks) -> bool:
    """Whether two answers of one frame show one person: their joints lie in the same places."""
    distance = np.linalg.norm(a.xy_px - b.xy_px, axis=1)
    known = np.isfinite(distance)
    side = min(a.region.size_px[0], b.region.size_px[0])
    return bool(known.any() and distance[known].mean() < SAME_PERSON_DISTANCE * side)
