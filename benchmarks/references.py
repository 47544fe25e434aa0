"""What keypoints are compared with: MediaPipe's stored answers, COCO's annotated photographs.

The tests and the accuracy table use the same comparison.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poses.layout import Layout
from poses.oks import oks

GOLDEN = Path(__file__).parents[1] / "tests" / "pose_extract" / "golden"
EVERY_FRAMES = 10  # of which MediaPipe's answers are stored
PHOTOGRAPHS = (785, 40083)
SAME_PERSON_IOU = 0.3  # of the annotated box and the box around the joints that were found

_WHOLE_BODY_PARTS = ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")


def mediapipe_pose(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answers of mediapipe 0.10.21's pose solution (complexity 1) on every tenth frame of a clip.

    Args:
        name: A1, A2, B1 or B2.

    Returns:
        Joints (T, 33, 2) in pixels and visibility (T, 33) in 0..1.
    """
    with np.load(GOLDEN / "mediapipe_pose_every_10th_frame.npz") as golden:
        return golden[f"{name}_xy_px_x16"] / 16, golden[f"{name}_visibility"] / 255


def distance_in_heights(xy_px: NDArray[np.floating], reference_px: NDArray[np.floating]) -> float:
    """Mean distance of joints to the reference's, both (T, V, 2), over the reference person's mean height.

    NaN where any joint is missing, so that an absent joint never improves the figure.
    """
    height = np.ptp(reference_px[..., 1], axis=1).mean()
    return float(np.linalg.norm(xy_px - reference_px, axis=-1).mean() / height)


@dataclass(frozen=True)
class AnnotatedPeople:
    """The P people of one photograph who have joints annotated.

    Attributes:
        frame_bgr: the photograph, (H, W, 3).
        xy_px: (P, V, 2); values of joints that are not labelled do not matter.
        labelled: (P, V).
        box_px: (P, 4) as x1 y1 x2 y2.
        area_px: (P,) of the segmentation.
    """

    frame_bgr: NDArray[np.uint8]
    xy_px: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    box_px: NDArray[np.float64]
    area_px: NDArray[np.float64]

    def similarity(self, xy_px: NDArray[np.floating], layout: Layout) -> NDArray[np.float64]:
        """OKS (P,) of each annotated person and the found one, of (Q, V, 2), who fits best."""
        pairs = oks(xy_px[:, None], self.xy_px, self.labelled, self.area_px, _sigmas(layout))  # (Q, P)
        return pairs.max(axis=0, initial=0.0)

    def found(self, xy_px: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each annotated person (P,) is among the found ones, (Q, V, 2), by the overlap of boxes."""
        from pose_extract.agreement import iou

        boxes = [(*np.nanmin(one, axis=0), *np.nanmax(one, axis=0)) for one in xy_px]
        return np.array(
            [any(iou(tuple(truth), box) >= SAME_PERSON_IOU for box in boxes) for truth in self.box_px]
        )


def annotated_people(shared: Path, image_id: int, whole_body: bool = False) -> AnnotatedPeople:
    """One of the photographs with its annotation in layout coco17, or coco_wholebody133."""
    import cv2

    images = shared / "data" / "images"
    truth = json.loads(
        (images / f"coco_{'wholebody_' * whole_body}keypoints.json").read_text(encoding="utf-8")
    )["annotations"]
    people = [one for one in truth if one["image_id"] == image_id and one["num_keypoints"]]
    parts = _WHOLE_BODY_PARTS if whole_body else _WHOLE_BODY_PARTS[:1]
    joints = np.stack([_joints(one, parts) for one in people])  # (P, V, 3)
    x, y, width, height = np.array([one["bbox"] for one in people], float).T
    return AnnotatedPeople(
        frame_bgr=cv2.imread(str(images / f"{image_id:012d}.jpg")),
        xy_px=joints[..., :2],
        labelled=joints[..., 2] > 0,
        box_px=np.stack([x, y, x + width, y + height], axis=1),
        area_px=np.array([one["area"] for one in people], float),
    )


def _joints(person: dict[str, Any], parts: tuple[str, ...]) -> NDArray[np.float64]:
    return np.concatenate([np.array(person[part], float).reshape(-1, 3) for part in parts])


def _sigmas(layout: Layout) -> tuple[float, ...]:
    if layout.oks_sigmas is None:
        raise ValueError(f"layout {layout.name} has no published OKS sigmas: choose one that has")
    return layout.oks_sigmas
