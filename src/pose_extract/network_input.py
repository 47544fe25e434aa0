"""From 8-bit pictures to the float planes a network takes: normalising, and fitting a whole frame in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_extract.estimator import FrameBgr
from pose_extract.onnx_session import OnnxModelError, OnnxSession

PAD_GREY = 114
"""Border that OpenMMLab's detectors are trained with."""


def check_input(session: OnnxSession, input_hw: tuple[int, int]) -> None:
    """OnnxModelError unless the file takes (N, 3, H, W), as far as it says what it takes."""
    shape, wanted = session.input_shapes[0], ["N", 3, *input_hw]
    fits = len(shape) == 4 and all(
        not isinstance(has, int) or has == want for has, want in zip(shape[1:], wanted[1:], strict=True)
    )
    if not fits:
        raise OnnxModelError(
            f"{session.path.name}: expected an input {wanted}, the file has {shape}: "
            "this file holds another model than its manifest row says"
        )


class PlaneWriter:
    """Writes a BGR picture as normalised planes, `(p - mean) / std`, into memory that is already there.

    One table of 256 floats per channel makes it exact and about as fast as reading the picture.
    """

    def __init__(self, colour: str, mean: Sequence[float], std: Sequence[float]) -> None:
        """Prepare the tables.

        Args:
            colour: order of the planes, `rgb` or `bgr`.
            mean: per plane, on 0..255.
            std: per plane, likewise.
        """
        if colour not in ("rgb", "bgr") or len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(
                "expected colour rgb or bgr and three values each of mean and std, std above 0; "
                f"got {colour!r}, {tuple(mean)}, {tuple(std)}"
            )
        self._source = (2, 1, 0) if colour == "rgb" else (0, 1, 2)
        levels = np.arange(256, dtype=np.float64)
        self._tables = [((levels - m) / s).astype(np.float32) for m, s in zip(mean, std, strict=True)]

    def write(self, picture_bgr: FrameBgr, planes: NDArray[np.float32]) -> None:
        """(H, W, 3) uint8, or (H, W, 4) whose last channel is left out, into contiguous (3, H, W) float32."""
        import cv2

        channels = cv2.split(picture_bgr)
        for plane, source, table in zip(planes, self._source, self._tables, strict=True):
            cv2.LUT(channels[source], table, dst=plane)


class Letterbox:
    """A whole frame in a network's input: aspect kept, top left, the rest grey, as detectors are trained.

    Its memory is reused: the array of one call is overwritten by the next.
    """

    def __init__(
        self, input_hw: tuple[int, int], colour: str, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        self.input_hw = input_hw
        self._writer = PlaneWriter(colour, mean, std)
        self._canvas = np.full((*input_hw, 3), PAD_GREY, np.uint8)
        self._input = np.empty((1, 3, *input_hw), np.float32)
        self._filled_hw = input_hw

    def fill(self, frame_bgr: FrameBgr) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Draw a frame.

        Returns:
            The input (1, 3, H, W), and (2,) input pixels per frame pixel along x and y.
        """
        import cv2

        height, width = frame_bgr.shape[:2]
        ratio = min(self.input_hw[0] / height, self.input_hw[1] / width)
        new_h, new_w = max(1, int(height * ratio + 0.5)), max(1, int(width * ratio + 0.5))
        if (new_h, new_w) != self._filled_hw:
            self._canvas[:] = PAD_GREY
            self._filled_hw = (new_h, new_w)
        view = self._canvas[:new_h, :new_w]
        if (new_h, new_w) == (height, width):
            view[:] = frame_bgr
        else:
            cv2.resize(frame_bgr, (new_w, new_h), dst=view, interpolation=cv2.INTER_LINEAR)
        self._writer.write(self._canvas, self._input[0])
        return self._input, np.array([new_w / width, new_h / height])
