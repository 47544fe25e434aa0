"""Decoded frames on disk: scaled down, kept as JPEG or raw, one file a video, within a budget.

The name of a file is a hash of the video's content and of how its pictures are made: a changed video is
another file, a moved or copied one is the same.

Axis letters: K frames asked for, T frames of a video, H height, W width.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fidget.frames.disk_budget import DiskBudget
from fidget.frames.frame_clip import FramesRgb
from fidget.frames.sampled_decoding import check_numbers, write_frames
from fidget.frames.upright_rgb import scaled_hw
from fidget.frames.video_entry import VideoEntry

SUFFIX = ".frames"
_MAGIC = b"fidgetF1"
_HEADER = struct.Struct("<8sqii")  # magic, T, H, W; then T + 1 offsets as int64, then the pictures
_FULL = 0.9  # of the budget in use, when a video found no room: then no more of them are decoded whole
_FRAMES_AT_MOST = 3000  # of a video that is kept: it is encoded whole in memory


@dataclass(frozen=True)
class CacheForm:
    """How pictures are kept.

    Attributes:
        kind: `jpeg`, or `raw`, which loses nothing and is 10 to 20 times as large.
        quality: of JPEG, 1 to 100.
    """

    kind: Literal["jpeg", "raw"] = "jpeg"
    quality: int = 95

    def __post_init__(self) -> None:
        if self.kind not in ("jpeg", "raw"):
            raise ValueError(f"expected a frame cache of jpeg or raw, got {self.kind!r}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"expected a JPEG quality of 1 to 100, got {self.quality}")

    def encode(self, rgb: NDArray[np.uint8]) -> bytes:
        """One picture (H, W, 3), red first."""
        if self.kind == "raw":
            return rgb.tobytes()
        import cv2

        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1].tobytes()

    def decode(self, content: bytes, picture: NDArray[np.uint8]) -> bool:
        """What `encode` made into (H, W, 3), red first; False if it is nothing of that kind and size."""
        if self.kind == "raw":
            if len(content) != picture.size:
                return False
            picture[...] = np.frombuffer(content, np.uint8).reshape(picture.shape)
            return True
        import cv2

        if not content:
            return False
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None or bgr.shape != picture.shape:
            return False
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=picture)
        return True


class FrameCache:
    """Frames of videos on disk, never more than a budget: the videos that were used longest ago leave.

    Those that were used since this object was made stay; when they fill the budget, nothing more is added,
    and only sampled frames of other videos are decoded (`DiskBudget` says why).

    What is read does not depend on what is kept: pictures go through JPEG also when a video was just decoded.
    Several processes may use one directory; a process that is killed leaves whole files only. Safe to read
    from several threads.

    Args:
        directory: where; made if absent.
        budget_bytes: of all files together.
        form: how pictures are kept.

    Attributes:
        hits: reads that opened no video.
        misses: reads that decoded one.

    Raises:
        ValueError: the budget is below 1.
        OSError: the directory cannot be made.
    """

    def __init__(self, directory: Path, budget_bytes: int, form: CacheForm | None = None) -> None:
        self.directory = directory
        self.form = form or CacheForm()
        self.hits = self.misses = 0
        self._budget = DiskBudget(directory, budget_bytes, SUFFIX)
        self._problem = ""
        self._full = False
        self._guard = threading.Lock()

    def read(self, entry: VideoEntry, numbers: NDArray[np.int64], short_side: int | None) -> FramesRgb:
        """Some frames of a video, from disk if they are there.

        Args:
            entry: the video.
            numbers: (K,) frame numbers, in any order and repeated or not.
            short_side: as in `read_frames`.

        Returns:
            (K, H, W, 3).

        Raises:
            ValueError: as `read_frames`.
        """
        wanted, places = np.unique(np.asarray(numbers, np.int64), return_inverse=True)
        check_numbers(entry, wanted)
        hw = scaled_hw(entry.frame_hw, short_side)
        name = self._name(entry, hw)
        pictures = self._stored(self.directory / name, entry.frames, hw, wanted)
        with self._guard:
            self.hits += pictures is not None
            self.misses += pictures is None
        if pictures is None:
            pictures = self._decoded(entry, hw, wanted, name)
        return pictures if np.array_equal(places, np.arange(len(wanted))) else pictures[places]

    def summary(self) -> str:
        """How much it helped, in one line."""
        reads = self.hits + self.misses
        share = f" ({self.hits / reads:.1%})" if reads else ""
        used, budget = self._budget.used() / 1e6, self._budget.budget_bytes / 1e6
        said = f"frame cache: {self.hits:,} of {reads:,} reads{share} opened no video, "
        said += f"{used:,.1f} MB of {budget:,.1f}" + ", full" * self._full
        return f"{said}; nothing more is kept: {self._problem}" if self._problem else said

    def _name(self, entry: VideoEntry, hw: tuple[int, int]) -> str:
        what = repr([_MAGIC, entry.checksum, entry.frames, hw, self.form])
        return hashlib.sha256(what.encode()).hexdigest()[:32] + SUFFIX

    def _stored(
        self, path: Path, frames: int, hw: tuple[int, int], wanted: NDArray[np.int64]
    ) -> FramesRgb | None:
        """The distinct frames (K, H, W, 3) from their file, now marked as used; None if it is not whole."""
        try:
            with path.open("rb", buffering=0) as file:
                pictures = _pictures(file, self.form, frames, hw, wanted)
            if pictures is None:
                path.unlink(missing_ok=True)
            else:
                os.utime(path)
        except OSError:  # not there, or another process needed the room
            return None
        return pictures

    def _decoded(
        self, entry: VideoEntry, hw: tuple[int, int], wanted: NDArray[np.int64], name: str
    ) -> FramesRgb:
        """The distinct frames from the video, which is kept as a whole unless it is very long."""
        keep = entry.frames <= _FRAMES_AT_MOST and not self._problem and not self._full
        numbers = np.arange(entry.frames) if keep else wanted
        scratch = np.empty((*hw, 3), np.uint8)
        encoded = {n: self.form.encode(scratch) for n in write_frames(entry, numbers, hw, lambda _: scratch)}
        pictures = np.empty((len(wanted), *hw, 3), np.uint8)
        for row, number in enumerate(wanted.tolist()):
            if not self.form.decode(encoded[number], pictures[row]):
                raise ValueError(
                    f"{str(entry.path)!r}: frame {number} of {hw[1]}x{hw[0]} does not go into {self.form}"
                )
        if keep:
            try:
                put = self._budget.put(name, _file(hw, [encoded[number] for number in range(entry.frames)]))
                if not put:
                    self._full = self._budget.used() > _FULL * self._budget.budget_bytes
            except OSError as error:
                self._problem = f"{self.directory}: {error.strerror or error}"
        return pictures


def _pictures(
    file: RawIOBase, form: CacheForm, frames: int, hw: tuple[int, int], wanted: NDArray[np.int64]
) -> FramesRgb | None:
    """(K, H, W, 3) out of a file as `_file` makes it; None if it is none."""
    head = file.read(_HEADER.size + 8 * (frames + 1)) or b""
    if len(head) != _HEADER.size + 8 * (frames + 1) or _HEADER.unpack_from(head) != (_MAGIC, frames, *hw):
        return None
    offsets = np.frombuffer(head, "<i8", offset=_HEADER.size)
    size = file.seek(0, os.SEEK_END)
    pictures = np.empty((len(wanted), *hw, 3), np.uint8)
    for row, number in enumerate(wanted.tolist()):
        begin, end = int(offsets[number]), int(offsets[number + 1])
        if not len(head) <= begin <= end <= size:
            return None
        file.seek(begin)
        if not form.decode(file.read(end - begin) or b"", pictures[row]):
            return None
    return pictures


def _file(hw: tuple[int, int], encoded: list[bytes]) -> bytes:
    begin = _HEADER.size + 8 * (len(encoded) + 1)
    offsets = begin + np.concatenate([[0], np.cumsum([len(content) for content in encoded])]).astype(np.int64)
    return b"".join([_HEADER.pack(_MAGIC, len(encoded), *hw), offsets.astype("<i8").tobytes(), *encoded])
