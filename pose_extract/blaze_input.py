"""From a crop of a BGR frame into the input tensor of a BlazePose-family model, without a copy too many."""

from __future__ import annotations

import numpy as np

from pose_extract.estimator import FrameBgr
from pose_extract.geometry import Crop, Matrix, crop_matrix, invert, warp
from pose_extract.litert_session import LiteRtSession


class CropInput:
    """Draws crops into one model's input: RGB, float32, 0..255 mapped to `low`..`high`.

    What lies outside the frame is black, as in the published graphs.
    """

    def __init__(self, session: LiteRtSession, low: float = 0.0, high: float = 1.0):
        self._session = session
        self._scale, self._low = (high - low) / 255.0, low
        height, width, _ = session.input_shape
        self.out_hw = (height, width)
        self._drawn = np.empty((height, width, 3), np.uint8)

    def draw(self, frame_bgr: FrameBgr, crop: Crop) -> Matrix:
        """Fill the model's input; return the way back, from the model's coordinates to frame pixels.

        The models count from the crop's edge (0 .. width), frames from pixel centres: the returned matrix
        contains the half pixel between the two.
        """
        import cv2

        matrix = crop_matrix(crop, self.out_hw)
        warp(frame_bgr, matrix, self.out_hw, out=self._drawn)
        cv2.cvtColor(self._drawn, cv2.COLOR_BGR2RGB, dst=self._drawn)
        cv2.addWeighted(
            self._drawn, self._scale, self._drawn, 0.0, self._low, dst=self._session.input(), dtype=cv2.CV_32F
        )
        back = invert(matrix)
        back[:, 2] -= 0.5 * (back[:, 0] + back[:, 1])
        return back
