"""From a decoded frame to an upright RGB picture, scaled down in the same step where that is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from pose_extract.upright import Orientation

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter


def scaled_hw(frame_hw: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """Height and width with this short side and the same proportions; nothing is scaled up.

    Args:
        frame_hw: height and width as they are.
        short_side: pixels wanted, None to leave them.

    Raises:
        ValueError: the short side is below 1.
    """
    if short_side is None:
        return frame_hw
    if short_side < 1:
        raise ValueError(f"short_side: expected at least 1 pixel or None, got {short_side}")
    height, width = frame_hw
    shorter = min(height, width)
    if shorter <= short_side:
        return frame_hw
    return (
        max(1, (2 * height * short_side + shorter) // (2 * shorter)),
        max(1, (2 * width * short_side + shorter) // (2 * shorter)),
    )


class UprightRgb:
    """Writes decoded frames of one video as upright RGB pictures of one size.

    Colours are, to the bit, those of `pose_extract.upright.UprightConverter`; its conversion is used and its
    channels are exchanged, since FFmpeg rounds `rgb24` differently from `bgr24` for some formats. Scaling is
    libswscale's average over areas, done in the same step, on the frame as it is stored.

    Args:
        frame_hw: height and width of the pictures, upright.
        orientation: what brings the stored pixels upright.
    """

    def __init__(self, frame_hw: tuple[int, int], orientation: Orientation) -> None:
        from av.video.reformatter import VideoReformatter

        self._height, self._width = frame_hw[::-1] if orientation.transpose else frame_hw
        self._orientation = orientation
        self._reformatter: VideoReformatter = VideoReformatter()

    def write(self, frame: VideoFrame, picture: NDArray[np.uint8]) -> None:
        """One decoded frame into (H, W, 3), C-contiguous.

        Raises:
            av.FFmpegError: FFmpeg cannot convert the frame's pixel format.
        """
        import cv2

        self._orientation.apply(self._stored(frame), picture)
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)

    def _stored(self, frame: VideoFrame) -> NDArray[np.uint8]:
        import av
        from av.video.reformatter import Colorspace

        try:
            bgr = self._reformat(frame, None)
        except av.FFmpegError:  # a reserved colour matrix: assume BT.601, as extraction does
            bgr = self._reformat(frame, Colorspace.ITU601)
        if bgr is frame:  # already BGR; its rows may run from the bottom up
            return cast("NDArray[np.uint8]", frame.to_ndarray())
        plane = bgr.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(self._height, plane.line_size)
        return rows[:, : self._width * 3].reshape(self._height, self._width, 3)  # a view, rows padded

    def _reformat(self, frame: VideoFrame, colorspace: int | None) -> VideoFrame:
        from av.video.reformatter import Interpolation

        same = (frame.height, frame.width) == (self._height, self._width)
        return self._reformatter.reformat(
            frame,
            width=self._width,
            height=self._height,
            format="bgr24",
            src_colorspace=colorspace,
            dst_colorspace=colorspace,
            interpolation=None if same else Interpolation.AREA,
            threads=1,
        )
