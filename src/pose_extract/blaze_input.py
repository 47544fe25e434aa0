"""From a crop of a BGR frame into the input tensor of a BlazePose-family model, without a copy too many."""

from __future__ import annotations

import numpy as np

from pose_extract.estimator import FrameBgr
from pose_extract.geometry import Crop, CropWarper, Matrix, invert
from pose_extract.litert_session import LiteRtSession


class CropInput:
    """Draws crops into one model's input: RGB, float32, 0..255 mapped to `low`..`high`.

    What lies outside the frame is black, as in the published graphs.
    """

    def __init__(self, session: LiteRtSession, low: float = 0.0, high: float = 1.0):
        self._session = session
        self._scale, self._low = (high - low) / 255.0, low
        height, width, _ = session.input_shape
        self._warper = CropWarper((height, width))
        self._rgb = np.empty((height, width, 3), np.uint8)

    def draw(self, frame_bgr: FrameBgr, crop: Crop) -> Matrix:
        """Fill the model's input; return the way back, from the model's coordinates to frame pixels.

        The models count from the crop's edge (0 .. width), frames from pixel centres: the returned matrix
        contains the half pixel between the two. That the models count so was tested by mirroring their
        input: a joint and its mirror image add up to the width, not to the width less one.
        """
        import cv2

        drawn, matrix = self._warper.draw(frame_bgr, crop)
        cv2.cvtColor(drawn, cv2.COLOR_BGRA2RGB, dst=self._rgb)
        cv2.addWeighted(
            self._rgb, self._scale, self._rgb, 0.0, self._low, dst=self._session.input(), dtype=cv2.CV_32F
        )
        back = invert(matrix)
        back[:, 2] -= 0.5 * (back[:, 0] + back[:, 1])
        return back
