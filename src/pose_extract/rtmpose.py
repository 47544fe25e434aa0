"""RTMPose, RTMW and DWPose (arXiv 2303.07399, 2407.08634, 2307.15880): keypoints of people in given boxes.

Published preparation: the box times 1.25, lengthened to the input's aspect, drawn into the input, converted
to RGB, normalised. Crops of several frames and people share a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.estimator import FrameBgr
from pose_extract.geometry import CropWarper, Matrix, apply, crop_of_box, invert
from pose_extract.network_input import PlaneWriter, check_input
from pose_extract.onnx_session import CPU, OnnxModelError, OnnxSession
from pose_extract.rtmdet import preprocessing_of
from pose_extract.simcc import average_with_mirror, decode_simcc
from poses.layout import Layout, get_layout

if TYPE_CHECKING:
    from weights.manifest import Weight

PADDING = 1.25
"""The box is enlarged by this in training and in the published pipeline."""

RTMW_PEAK = 10.0
"""RTMW is trained to answer 10 where RTMPose answers 1; see `simcc.decode_simcc`."""


class RtmPose:
    """A SimCC pose model; implements `estimator.PoseModel`.

    Attributes:
        layout: joint set of the answers.
        session: the loaded model.
    """

    def __init__(
        self,
        session: OnnxSession,
        layout: Layout,
        input_hw: tuple[int, int],
        colour: str,
        mean: Sequence[float],
        std: Sequence[float],
        split_ratio: float = 2.0,
        peak: float = 1.0,
        flip_test: bool = False,
        batch_crops: int | None = None,
    ) -> None:
        """Wrap a loaded model.

        Args:
            session: the model, one input (N, 3, H, W), outputs simcc_x (N, V, W r) and simcc_y (N, V, H r).
            layout: its joint set.
            input_hw: H and W.
            colour: `rgb` or `bgr`.
            mean: per channel in that order, on 0..255.
            std: likewise.
            split_ratio: r, SimCC bins per input pixel.
            peak: see `simcc.decode_simcc`.
            flip_test: average each crop with its mirror image, at twice the cost.
            batch_crops: crops in one call at most; by default 8 on a CPU, where more cost memory and gain
                nothing, and 32 elsewhere.

        Raises:
            OnnxModelError: the file's input is of another size.
        """
        check_input(session, input_hw)
        batch = session.input_shapes[0][0]
        self.session = session
        self.layout = layout
        self._input_hw = input_hw
        self._writer = PlaneWriter(colour, mean, std)
        self._split_ratio, self._peak, self._flip_test = split_ratio, peak, flip_test
        self._fixed_batch = batch if isinstance(batch, int) else None
        self._batch = self._fixed_batch or batch_crops or (8 if session.provider == CPU else 32)
        self._warper = CropWarper(input_hw)
        self._input = np.zeros((self._batch, 3, *input_hw), np.float32)

    @classmethod
    def from_weight(
        cls, session: OnnxSession, weight: Weight, flip_test: bool = False, batch_crops: int | None = None
    ) -> RtmPose:
        """Take preprocessing, layout and decoding from the manifest's row."""
        if weight.layout is None or weight.simcc_split_ratio is None:
            raise ValueError(
                f"weight {weight.name}: expected layout and simcc_split_ratio in its manifest row"
            )
        return cls(
            session,
            get_layout(weight.layout),
            *preprocessing_of(weight),
            split_ratio=weight.simcc_split_ratio,
            peak=RTMW_PEAK if "rtmw" in weight.groups else 1.0,
            flip_test=flip_test,
            batch_crops=batch_crops,
        )

    def estimate(
        self, frames_bgr: Sequence[FrameBgr], boxes_px: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each frame with boxes (P, 4): xy_px (P, V, 2) in frame pixels and score (P, V)."""
        crops = [
            (frame, box)
            for frame, boxes in zip(frames_bgr, boxes_px, strict=True)
            for box in np.asarray(boxes).reshape(-1, 4)
        ]
        xy_px = np.empty((len(crops), len(self.layout.joints), 2), np.float32)
        score = np.empty((len(crops), len(self.layout.joints)), np.float32)
        for start in range(0, len(crops), self._batch):
            part = slice(start, start + self._batch)
            xy_px[part], score[part] = self._estimate_batch(crops[part])
        ends = np.cumsum([len(boxes) for boxes in boxes_px])[:-1]
        return list(zip(np.split(xy_px, ends), np.split(score, ends), strict=True)) if len(boxes_px) else []

    def _estimate_batch(
        self, crops: Sequence[tuple[FrameBgr, NDArray[np.float32]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        matrices = [self._draw(index, frame, box) for index, (frame, box) in enumerate(crops)]
        simcc_x, simcc_y = self._run(len(crops))  # (N, V, W r), (N, V, H r)
        xy_input, score = decode_simcc(simcc_x, simcc_y, self._split_ratio, self._peak)  # (N, V, 2), (N, V)
        for xy, matrix in zip(xy_input, matrices, strict=True):
            xy[:] = apply(invert(matrix), xy)
        return xy_input, score

    def _draw(self, index: int, frame_bgr: FrameBgr, box_px: NDArray[np.float32]) -> Matrix:
        height, width = self._input_hw
        drawn_bgra, matrix = self._warper.draw(frame_bgr, crop_of_box(box_px, PADDING, width / height))
        self._writer.write(drawn_bgra, self._input[index])
        return matrix

    def _run(self, crops: int) -> tuple[NDArray[Any], NDArray[Any]]:
        filled = self._input[: self._padded(crops)]
        simcc_x, simcc_y = self._vectors(filled, crops)
        if self._flip_test:
            mirrored = np.ascontiguousarray(filled[..., ::-1])
            simcc_x, simcc_y = average_with_mirror(
                simcc_x, simcc_y, *self._vectors(mirrored, crops), self.layout.mirror, self._split_ratio
            )
        return simcc_x, simcc_y

    def _padded(self, crops: int) -> int:
        """Batch to run for so many crops; a GPU prepares for every new size anew, so it sees few of them."""
        if self._fixed_batch:
            return self._fixed_batch
        return crops if self.session.provider == CPU else min(self._batch, 1 << (crops - 1).bit_length())

    def _vectors(self, planes: NDArray[np.float32], crops: int) -> tuple[NDArray[Any], NDArray[Any]]:
        outputs = self.session.run({self.session.input_names[0]: planes})
        named = dict(zip(self.session.output_names, outputs, strict=True))
        simcc_x, simcc_y = named.get("simcc_x", outputs[0]), named.get("simcc_y", outputs[-1])
        height, width = (round(side * self._split_ratio) for side in self._input_hw)
        joints = len(self.layout.joints)
        wanted = ((len(planes), joints, width), (len(planes), joints, height))
        if (simcc_x.shape, simcc_y.shape) != wanted:
            raise OnnxModelError(
                f"{self.session.path.name}: expected SimCC outputs {wanted[0]} and {wanted[1]} "
                f"({joints} joints of {self.layout.name}), got {simcc_x.shape} and {simcc_y.shape}: "
                "this file holds another model than its manifest row says"
            )
        return simcc_x[:crops], simcc_y[:crops]
