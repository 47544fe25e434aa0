"""The three single-shot detectors of the BlazePose family: pose, palm, face.

Each looks at a square, and answers for every anchor with a logit, a box and a few keypoints, as offsets
from the anchor in input pixels. Overlapping answers are averaged by score rather than dropped, which
steadies boxes between frames (weighted non-maximum suppression; BlazeFace, 2019, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_extract.blaze_input import CropInput
from pose_extract.estimator import FrameBgr
from pose_extract.geometry import Crop, apply, letterbox_crop
from pose_extract.litert_session import BrokenModelError, LiteRtSession
from pose_extract.ssd_anchors import ssd_anchors

LOGIT_LIMIT = 100.0  # logits are clipped to this before the sigmoid


@dataclass(frozen=True, eq=False, slots=True)
class Detections:
    """What a detector found, best first.

    Attributes:
        box: (D, 4) float32, x1 y1 x2 y2.
        keypoints: (D, K, 2) float32.
        score: (D,) float32 in 0..1.
    """

    box: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True)
class DetectorDesign:
    """What the published graph of a detector says about its input and output.

    Attributes:
        strides: of its anchor layers.
        low: what black is mapped to; white is mapped to 1.
        score_threshold: answers below are nobody.
        overlap_threshold: answers whose boxes overlap more (intersection over union) are one.
    """

    strides: tuple[int, ...]
    low: float
    score_threshold: float = 0.5
    overlap_threshold: float = 0.3


POSE_DETECTOR = DetectorDesign(strides=(8, 16, 32, 32, 32), low=-1.0)
PALM_DETECTOR = DetectorDesign(strides=(8, 16, 16, 16), low=0.0)
FACE_DETECTOR = DetectorDesign(strides=(8, 16, 16, 16), low=-1.0)


class BlazeDetector:
    """One of the detectors, loaded.

    Raises:
        BrokenModelError: the model's outputs do not fit the design's anchors.
    """

    def __init__(self, path: Path, design: DetectorDesign, threads: int = 1):
        self.design = design
        self._session = LiteRtSession(path, outputs=(0, 1), threads=threads)
        self._input = CropInput(self._session, low=design.low)
        self._size = self._session.input_shape[0]
        self._anchors = ssd_anchors(self._size, design.strides)
        answers = self._session.output_shapes[0][1]
        if answers != len(self._anchors):
            raise BrokenModelError(f"{path}: expected {len(self._anchors)} anchors, the model has {answers}")

    def detect(self, frame_bgr: FrameBgr, region: Crop | None = None) -> Detections:
        """Look at the whole frame, or at a region of it; boxes and keypoints in frame pixels.

        A box found in a rotated region is the upright box around its four corners.
        """
        height, width = frame_bgr.shape[:2]
        square = (self._size, self._size)
        back = self._input.draw(frame_bgr, region or letterbox_crop((height, width), square))
        raw, logits = self._session.run()
        found = decode_detections(raw[0], logits[0, :, 0], self._anchors, self._size, self.design)
        if not len(found):
            return found
        corners = apply(back, found.box[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))
        box = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        return Detections(box, apply(back, found.keypoints), found.score)


def decode_detections(
    raw: NDArray[np.float32],
    logits: NDArray[np.float32],
    anchors: NDArray[np.float32],
    input_size: int,
    design: DetectorDesign,
) -> Detections:
    """Detections in input pixels (0 .. input_size, from the edge) out of a detector's two outputs.

    Args:
        raw: (A, 4 + 2 K): centre x, y, width, height, keypoints; offsets from the anchor in input pixels.
        logits: (A,).
        anchors: (A, 2) centres in 0..1.
        input_size: height and width of the input.
        design: its thresholds.
    """
    threshold = np.log(design.score_threshold / (1 - design.score_threshold))
    above = np.flatnonzero(logits >= threshold)
    score = 1 / (1 + np.exp(-np.clip(logits[above], -LOGIT_LIMIT, LOGIT_LIMIT)))
    order = np.argsort(-score, kind="stable")
    above, score = above[order], score[order].astype(np.float32)
    raw, centre = raw[above], anchors[above] * np.float32(input_size)
    middle, half = raw[:, :2] + centre, raw[:, 2:4] / 2
    box = np.concatenate([middle - half, middle + half], axis=1)
    keypoints = raw[:, 4:].reshape(len(raw), (raw.shape[1] - 4) // 2, 2) + centre[:, None]
    return weighted_nms(Detections(box, keypoints, score), design.overlap_threshold)


def weighted_nms(found: Detections, overlap_threshold: float) -> Detections:
    """Join overlapping detections into one: places averaged by score, the best score kept.

    Args:
        found: best first.
        overlap_threshold: intersection over union with the best of a group above which one belongs to it.
    """
    left = np.arange(len(found))
    boxes, keypoints, scores = [], [], []
    while len(left):
        group = overlap(found.box[left[0]], found.box[left]) > overlap_threshold
        group[0] = True
        members = left[group]
        weight = found.score[members] / found.score[members].sum()
        boxes.append(weight @ found.box[members])
        keypoints.append(np.tensordot(weight, found.keypoints[members], axes=1))
        scores.append(found.score[left[0]])
        left = left[~group]
    if not scores:
        return found
    return Detections(np.stack(boxes), np.stack(keypoints), np.array(scores, np.float32))


def overlap(box: Sequence[float] | NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one box (4,) with boxes (D, 4), x1 y1 x2 y2; 0 where both are empty."""
    one = np.asarray(box, np.float32)
    sides = np.minimum(one[2:], boxes[:, 2:]) - np.maximum(one[:2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(one[2:] - one[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    ratio: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio
