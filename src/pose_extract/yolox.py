"""YOLOX person boxes (arXiv 2107.08430), in both forms its ONNX files come in.

OpenMMLab's exports suppress inside the graph and answer like RTMDet's: `dets` (1, N, 5), `labels` (1, N). The
original's answer raw: (1, A, 5 + C) = centre x y and log width height in units of a cell, objectness,
class probabilities, for the cells of strides 8, 16 and 32, row by row. Both take BGR 0..255 as it is,
letterboxed top left with grey 114.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pose_extract.boxes import Boxes, Scores, suppress
from pose_extract.estimator import FrameBgr
from pose_extract.network_input import Letterbox, check_input
from pose_extract.onnx_session import OnnxModelError, OnnxSession
from pose_extract.rtmdet import PERSON, people_in_frame, preprocessing_of, suppressed_people

if TYPE_CHECKING:
    from weights.manifest import Weight

STRIDES = (8, 16, 32)


class YoloX:
    """Person boxes of one frame at a time."""

    def __init__(
        self,
        session: OnnxSession,
        input_hw: tuple[int, int],
        colour: str = "bgr",
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        score_threshold: float = 0.25,
        iou_threshold: float = 0.45,
    ) -> None:
        """Wrap a loaded model.

        Args:
            session: the model.
            input_hw: the input size it was exported at, a multiple of 32.
            colour: `bgr` or `rgb`.
            mean: per channel in that order, on 0..255.
            std: likewise.
            score_threshold: boxes below this are not reported.
            iou_threshold: for raw outputs, of two boxes that overlap by more than this the weaker goes.
        """
        if input_hw[0] % STRIDES[-1] or input_hw[1] % STRIDES[-1]:
            raise ValueError(f"YOLOX takes an input of a multiple of {STRIDES[-1]} pixels, got {input_hw}")
        check_input(session, input_hw)
        self.session = session
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold
        self._letterbox = Letterbox(input_hw, colour, mean, std)
        self._cells, self._strides = grid(input_hw)

    @classmethod
    def from_weight(cls, session: OnnxSession, weight: Weight, score_threshold: float = 0.25) -> YoloX:
        """Take preprocessing from the manifest's row."""
        return cls(session, *preprocessing_of(weight), score_threshold)

    def detect(self, frame_bgr: FrameBgr) -> tuple[Boxes, Scores]:
        """Boxes (P, 4) in frame pixels, clipped to the frame, and scores (P,), best first."""
        filled, scale_xy = self._letterbox.fill(frame_bgr)
        outputs = self.session.run({self.session.input_names[0]: filled})
        if outputs[0].shape[-1] == 5:
            boxes, scores = suppressed_people(outputs, self.score_threshold, self.session.path.name)
        else:
            boxes, scores = self._decode(outputs[0])
        return people_in_frame(boxes, scores, scale_xy, frame_bgr)

    def _decode(self, raw: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if raw.ndim != 3 or raw.shape[:2] != (1, len(self._cells)) or raw.shape[2] < 6:
            raise OnnxModelError(
                f"{self.session.path.name}: expected raw YOLOX outputs (1, {len(self._cells)}, 5 + classes) "
                f"for an input of {self._letterbox.input_hw}, or dets (1, N, 5); got {raw.shape}"
            )
        scores = raw[0, :, 4] * raw[0, :, 5 + PERSON]
        likely = np.flatnonzero(scores >= self.score_threshold)
        boxes = decode_cells(raw[0, likely, :4], self._cells[likely], self._strides[likely])
        kept = suppress(boxes, scores[likely], self.iou_threshold)
        return boxes[kept], scores[likely][kept]


def grid(input_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cells of all strides in the order of the outputs: x y (A, 2) in cells, and the stride (A, 1)."""
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = input_hw[0] // stride, input_hw[1] // stride
        y, x = np.divmod(np.arange(rows * columns), columns)
        cells.append(np.stack([x, y], axis=1))
        strides.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def decode_cells(
    raw: NDArray[np.float32], cells: NDArray[np.float32], strides: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Raw (A, 4) of these cells to boxes (A, 4) x1 y1 x2 y2 in input pixels."""
    center = (raw[:, :2] + cells) * strides
    half = np.exp(raw[:, 2:4]) * strides / 2
    return np.concatenate([center - half, center + half], axis=1)
