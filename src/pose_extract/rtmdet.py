"""RTMDet person boxes, in the form OpenMMLab exports to ONNX (RTMDet, arXiv 2212.07784; mmdeploy).

Input (1, 3, H, W): the frame letterboxed top left with grey 114, normalised. Outputs `dets` (1, N, 5) =
x1 y1 x2 y2 score in input pixels and `labels` (1, N); non-maximum suppression lies inside the graph, traced
for a batch of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.boxes import Boxes, Scores, to_frame
from pose_extract.estimator import FrameBgr
from pose_extract.network_input import Letterbox, check_input
from pose_extract.onnx_session import OnnxModelError, OnnxSession

if TYPE_CHECKING:
    from weights.manifest import Weight

PERSON = 0
"""Label of a person in COCO's 80 classes, and the only label of a person detector."""


class RtmDet:
    """Person boxes of one frame at a time."""

    def __init__(
        self,
        session: OnnxSession,
        input_hw: tuple[int, int],
        colour: str,
        mean: Sequence[float],
        std: Sequence[float],
        score_threshold: float = 0.25,
    ) -> None:
        """Wrap a loaded model.

        Args:
            session: the model.
            input_hw: the input size it was exported or is to be run at.
            colour: `bgr` or `rgb`.
            mean: per channel in that order, on 0..255.
            std: likewise.
            score_threshold: boxes below this are not reported.
        """
        check_input(session, input_hw)
        self.session = session
        self.score_threshold = score_threshold
        self._letterbox = Letterbox(input_hw, colour, mean, std)

    @classmethod
    def from_weight(cls, session: OnnxSession, weight: Weight, score_threshold: float = 0.25) -> RtmDet:
        """Take preprocessing from the manifest's row."""
        return cls(session, *preprocessing_of(weight), score_threshold)

    def detect(self, frame_bgr: FrameBgr) -> tuple[Boxes, Scores]:
        """Boxes (P, 4) in frame pixels, clipped to the frame, and scores (P,), best first."""
        filled, scale_xy = self._letterbox.fill(frame_bgr)
        outputs = self.session.run({self.session.input_names[0]: filled})
        boxes, scores = suppressed_people(outputs, self.score_threshold, self.session.path.name)
        return people_in_frame(boxes, scores, scale_xy, frame_bgr)


def preprocessing_of(
    weight: Weight,
) -> tuple[tuple[int, int], str, tuple[float, float, float], tuple[float, float, float]]:
    """Input size, colour, mean and std of a manifest row; ValueError names what it lacks."""
    if weight.input_hw is None or weight.colour is None or weight.mean is None or weight.std is None:
        raise ValueError(f"weight {weight.name}: expected input_hw, colour, mean and std in its manifest row")
    return weight.input_hw, weight.colour, weight.mean, weight.std


def suppressed_people(
    outputs: Sequence[NDArray[Any]], score_threshold: float, file_name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """People in the outputs of an export that suppresses inside the graph: boxes (P, 4), scores (P,).

    Args:
        outputs: dets (1, N, 5) and labels (1, N); without labels every box is a person.
        score_threshold: boxes below this are left out.
        file_name: for the message.

    Raises:
        OnnxModelError: the outputs have another shape.
    """
    dets = outputs[0]
    labels = outputs[1] if len(outputs) > 1 else np.zeros(dets.shape[:2], np.int64)
    if dets.ndim != 3 or dets.shape[0] != 1 or dets.shape[2] != 5 or labels.shape != dets.shape[:2]:
        raise OnnxModelError(
            f"{file_name}: expected outputs dets (1, N, 5) and labels (1, N) of a detector exported with "
            f"suppression, got {', '.join(str(output.shape) for output in outputs)}"
        )
    keep = (dets[0, :, 4] >= score_threshold) & (labels[0] == PERSON)
    return dets[0, keep, :4], dets[0, keep, 4]


def people_in_frame(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    scale_xy: NDArray[np.float64],
    frame_bgr: FrameBgr,
) -> tuple[Boxes, Scores]:
    """Boxes of the letterboxed input as boxes of the frame, best first; what lies outside it is dropped."""
    in_frame, visible = to_frame(boxes, scale_xy, frame_bgr.shape[:2])
    order = np.argsort(-scores, kind="stable")
    order = order[visible[order]]
    return in_frame[order], np.clip(scores[order], 0, 1).astype(np.float32)
