"""From a decoded frame to an upright BGR array: colour, size, orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from pose_extract.picture_pool import PicturePool

if TYPE_CHECKING:
    from av import VideoFrame
    from av.buffer import Buffer
    from av.video.reformatter import VideoReformatter

    from pose_extract.estimator import FrameBgr


@dataclass(frozen=True)
class Orientation:
    """What brings stored pixels upright: first exchange rows and columns, then flip.

    Eight values cover every quarter turn and mirror image that a display matrix can ask for.
    """

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @staticmethod
    def from_display_matrix(matrix: bytes) -> Orientation:
        """From nine 32-bit fixed-point numbers, as mp4's `tkhd` stores them (ISO/IEC 14496-12, 8.3.2).

        A stored pixel (x, y) is shown at (a x + c y, b x + d y), where the matrix begins a b u c d v.
        Any other angle is taken to the nearest quarter turn; no matrix means upright.
        """
        if len(matrix) != 36:
            return Orientation()
        a, b, _, c, d = (int(value) for value in np.frombuffer(matrix, np.int32)[:5])
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return Orientation(False, flip_rows=d < 0, flip_columns=a < 0)
        return Orientation(True, flip_rows=b < 0, flip_columns=c < 0)

    @property
    def mirrored(self) -> bool:
        """Whether a mirror image is involved, not a turn alone."""
        return self.transpose ^ self.flip_rows ^ self.flip_columns

    @property
    def rotation_deg(self) -> int:
        """The turn, counter-clockwise as `np.rot90` counts; what is left is a flip of the columns."""
        rows = self.flip_rows
        return (90 if rows else 270) if self.transpose else (180 if rows else 0)

    def apply(self, stored: FrameBgr, upright: FrameBgr) -> None:
        """Write (H, W, 3) as stored, rows padded or not, into (H, W, 3) or (W, H, 3) upright."""
        if not self.rotation_deg and not self.mirrored:
            np.copyto(upright, stored)
            return
        import cv2

        turns = {
            90: cv2.ROTATE_90_COUNTERCLOCKWISE,
            180: cv2.ROTATE_180,
            270: cv2.ROTATE_90_CLOCKWISE,
        }
        if self.rotation_deg:
            cv2.rotate(stored, turns[self.rotation_deg], dst=upright)
        else:
            np.copyto(upright, stored)
        if self.mirrored:
            cv2.flip(upright, 1, dst=upright)


def display_matrix(frame: VideoFrame) -> bytes:
    """The frame's display matrix, empty if it has none.

    It is read off a copy of 8x8 pixels: PyAV's frames and their side data hold each other, and what holds
    the frame itself would keep the decoder's memory until Python next looks for such circles.
    """
    import av
    from av.video.reformatter import Colorspace, Interpolation

    plain, nearest = Colorspace.ITU601, Interpolation.POINT
    try:
        copy = frame.reformat(8, 8, "gray", plain, plain, nearest, threads=1)
    except av.FFmpegError:  # nor will its pixels convert
        return b""
    matrix = copy.side_data.get("DISPLAYMATRIX")
    return b"" if matrix is None else bytes(cast("Buffer", matrix))


class UprightConverter:
    """Turns decoded frames into upright BGR arrays of one size.

    Colour matrix and range are the frame's own (BT.601 where it names none). One reformatter serves the
    whole video, in the caller's thread: a thread pool inside the scaler costs more than it gains here.

    Args:
        width: stored width that every frame is brought to.
        height: stored height that every frame is brought to.
        orientation: what brings the stored pixels upright.
    """

    def __init__(self, width: int, height: int, orientation: Orientation) -> None:
        from av.video.reformatter import VideoReformatter

        self._width = width
        self._height = height
        self._orientation = orientation
        self._reformatter: VideoReformatter = VideoReformatter()
        self._pictures = PicturePool(*((width, height) if orientation.transpose else (height, width)))

    def convert(self, frame: VideoFrame) -> FrameBgr:
        """One decoded frame -> (H, W, 3) uint8 upright, C-contiguous, not shared with the decoder.

        Raises:
            av.FFmpegError: FFmpeg cannot convert the frame's pixel format.
        """
        upright = self._pictures.take()
        self._orientation.apply(self._stored(frame), upright)
        return upright

    def _stored(self, frame: VideoFrame) -> FrameBgr:
        import av
        from av.video.reformatter import Colorspace

        try:
            bgr = self._reformat(frame, None)
        except av.FFmpegError:  # a reserved colour matrix, from damage or an odd encoder: assume BT.601
            bgr = self._reformat(frame, Colorspace.ITU601)
        if bgr is frame:  # already BGR; its rows may run from the bottom up
            return cast("FrameBgr", frame.to_ndarray())
        plane = bgr.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(self._height, plane.line_size)
        return rows[:, : self._width * 3].reshape(self._height, self._width, 3)  # a view, rows padded

    def _reformat(self, frame: VideoFrame, colorspace: int | None) -> VideoFrame:
        return self._reformatter.reformat(
            frame,
            width=self._width,
            height=self._height,
            format="bgr24",
            src_colorspace=colorspace,
            dst_colorspace=colorspace,
            threads=1,
        )
