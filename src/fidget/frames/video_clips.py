"""Videos as clips to learn from: which are there, which are not, and their frames."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_cache import FrameCache
from fidget.frames.frame_clip import FrameClip, FramesRgb
from fidget.frames.index_file import Progress, index_videos
from fidget.frames.person_crop import PersonCrop
from fidget.frames.sampled_decoding import read_frames
from fidget.frames.simulated_videos import any_simulated
from fidget.frames.upright_rgb import scaled_hw
from fidget.frames.video_entry import VideoEntry
from pose_extract.sources import find_videos
from poses.cache_reader import PoseCache

SHORT_SIDE = 256
"""Pixels that the published recipes scale the short side of a frame to before they crop."""


class VideoClips:
    """The videos below a directory as clips, under the ids that `extract-poses` gives them.

    Every video is read once when this is made, and never again while it stays as it is (see `index_videos`).
    What cannot be read is named in `problems`; no other clip stands in for it. Several threads may read.

    Args:
        videos: a directory, or whatever else `extract-poses` takes as one argument.
        clip_ids: those wanted, None for all; ids without a video are simply not in `status`.
        index_file: where to keep what was found of the videos, a Parquet file.
        short_side: pictures are scaled down to this many pixels; None leaves them as large as they are. Where
            a person's region will be cut out of them, they should be larger than the network's input.
        cache: decoded frames on disk, or None to decode whenever frames are read.
        poses: a pose cache of the same videos; it saves counting their frames.
        person_crop: give each clip the region of its person, from `poses`.
        workers: threads that read videos here at the start; by default one for each core.
        progress: called with videos done and to do while they are read.

    Attributes:
        where: the videos' place, for messages.
        status: clip id -> `ok` or `failed`.
        problems: clip id of a failed one -> why, in one line.
        remarks: clip id of a usable one -> what was wrong with its video, in one line.
        without_person: clips in which a person was looked for and not found; all of them is read then.
        checksums: clip id -> a text that is equal for videos equal to the byte; None for failed ones.
        simulated: whether the simulator says that it made one of the videos.
        cache_hash: 16 hexadecimal digits; changes with any video's content and with what is read of it.

    Raises:
        ValueError: the place leads to no video, or a person is wanted without a pose cache.
        OSError: the index cannot be written.
    """

    def __init__(
        self,
        videos: Path,
        clip_ids: Collection[str] | None = None,
        *,
        index_file: Path,
        short_side: int | None = SHORT_SIDE,
        cache: FrameCache | None = None,
        poses: PoseCache | None = None,
        person_crop: PersonCrop | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        if person_crop is not None and poses is None:
            raise ValueError("expected a pose cache to find people in, got none: give --poses as well")
        self.where = str(videos)
        self.cache, self._short_side = cache, short_side
        found = find_videos([str(videos)])
        if found.problems:
            raise ValueError(found.problems[0])
        wanted = None if clip_ids is None else frozenset(clip_ids)
        paths = {s.clip_id: s.path for s in found.sources if wanted is None or s.clip_id in wanted}
        known = None if poses is None else _KnownTimes(poses, paths)
        self.simulated = any_simulated(path.absolute() for path in paths.values())
        entries = index_videos(list(paths.values()), index_file, known, workers, progress)
        self._entries = {clip_id: entries[path] for clip_id, path in paths.items()}
        self.status = {clip_id: "failed" if e.error else "ok" for clip_id, e in self._entries.items()}
        self.problems = {clip_id: e.error for clip_id, e in self._entries.items() if e.error}
        self.remarks = {clip_id: e.problem for clip_id, e in self._entries.items() if e.problem}
        self.checksums = {clip_id: e.checksum or None for clip_id, e in self._entries.items()}
        self._person_px: Mapping[str, NDArray[np.float32]] = {}
        self.without_person: tuple[str, ...] = ()
        if person_crop is not None and poses is not None:
            self._person_px = self._regions(poses, person_crop)
            usable = (clip_id for clip_id, status in self.status.items() if status == "ok")
            self.without_person = tuple(clip_id for clip_id in usable if clip_id not in self._person_px)
        self.cache_hash = self._hash(person_crop)

    def __len__(self) -> int:
        return len(self.status) - len(self.problems)

    def read(self, clip_id: str) -> FrameClip:
        """One clip; no video is opened until its frames are asked for.

        Raises:
            KeyError: there is no such video.
            ValueError: it cannot be read; says why.
        """
        if clip_id not in self._entries:
            raise KeyError(f"{self.where}: no video of clip {clip_id!r}")
        entry = self._entries[clip_id]
        if entry.error:
            raise ValueError(entry.error)
        hw = scaled_hw(entry.frame_hw, self._short_side)
        read = partial(self._frames, entry)
        return FrameClip(clip_id, entry.frames, hw, read, self._person_px.get(clip_id))

    def time_s(self, clip_id: str) -> NDArray[np.float64]:
        """(T,) seconds at which each frame of a video is shown.

        Raises:
            KeyError: there is no such video.
        """
        return self._entries[clip_id].time_us / 1e6

    def entry(self, clip_id: str) -> VideoEntry:
        """What was found of a video, which may be that it cannot be read.

        Raises:
            KeyError: there is no such video.
        """
        return self._entries[clip_id]

    def path(self, clip_id: str) -> Path:
        """Where a video lies.

        Raises:
            KeyError: there is no such video.
        """
        return self._entries[clip_id].path

    def _frames(self, entry: VideoEntry, numbers: NDArray[np.int64]) -> FramesRgb:
        """(K, H, W, 3) of these frame numbers."""
        if self.cache is None:
            return read_frames(entry, numbers, self._short_side)
        return self.cache.read(entry, numbers, self._short_side)

    def _regions(self, poses: PoseCache, crop: PersonCrop) -> dict[str, NDArray[np.float32]]:
        regions: dict[str, NDArray[np.float32]] = {}
        for clip_id in poses.clip_ids:  # in writing order, which is the quick one
            entry = self._entries.get(clip_id)
            if entry is not None and not entry.error:
                hw = scaled_hw(entry.frame_hw, self._short_side)
                region = crop.region_px(poses.read(clip_id), hw)
                if region is not None:
                    regions[clip_id] = region
        return regions

    def _hash(self, person_crop: PersonCrop | None) -> str:
        form = None if self.cache is None else self.cache.form
        clips = sorted(self.checksums.items())
        regions = sorted((clip_id, px.tolist()) for clip_id, px in self._person_px.items())
        content = repr([self._short_side, form, person_crop, clips, regions])
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class _KnownTimes:
    """The times of a video's frames, where a pose cache was made from the very same file.

    Args:
        poses: the cache.
        paths: clip id -> video.
    """

    def __init__(self, poses: PoseCache, paths: Mapping[str, Path]) -> None:
        self._stamps = {
            clip_id: stamp for clip_id, (stamp, status) in poses.stamps().items() if status != "failed"
        }
        self._clip_of = {path: clip_id for clip_id, path in paths.items() if clip_id in self._stamps}
        self._poses = poses

    def __call__(self, path: Path) -> NDArray[np.int64] | None:
        clip_id = self._clip_of.get(path)
        if clip_id is None:
            return None
        stamp = self._stamps[clip_id]
        try:
            status = path.stat()
        except OSError:
            return None
        if (status.st_size, status.st_mtime_ns) != (stamp.bytes, stamp.mtime_ns):
            return None
        return self._poses.row(clip_id).time_us
