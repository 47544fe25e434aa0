"""Recordings that detectors see: poses of a cache, frames of videos, files of features.

Each has a clock of its own: the time of every frame, or of every feature.
Letters: F frames or features of a recording, C channels, M persons, V joints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_clip import FrameClip
from fidget.frames.video_clips import VideoClips
from fidget.training.data import PoseClips, few
from skeleton_models.clip_arrays import ClipArrays
from temporal_detection.feature_files import feature_grid, find_features, read_features

Floats = NDArray[np.float64]
Features = NDArray[np.float32]  # (F, C)
Form = Literal["poses", "frames", "features"]


class Recordings(Interface):
    """Where recordings are read.

    Attributes:
        form: what `read` gives: `ClipArrays`, `FrameClip`, or (F, C) features.
        where: their place, for messages.
        status: recording -> `ok`, `no_person` or `failed`.
        problems: failed recording -> why, in one line, where that is known.
        content_hash: 16 hexadecimal digits; changes with any recording's content.
    """

    form: Form
    where: str
    status: Mapping[str, str]
    problems: Mapping[str, str]
    content_hash: str

    @property
    def simulated(self) -> bool:
        """Whether the recordings themselves say that a simulator made them."""

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds of each frame, or feature."""

    def span_s(self, recording: str) -> tuple[float, float]:
        """When a recording begins and ends, seconds."""

    def read(self, recording: str) -> Any:
        """The recording, as `form` says."""


def span_of_frames(frame_time_s: Floats) -> tuple[float, float]:
    """From the first frame to the end of the last, which lasts as long as the one before it."""
    if len(frame_time_s) < 2:
        return float(frame_time_s[0]), float("inf")
    return float(frame_time_s[0]), float(2 * frame_time_s[-1] - frame_time_s[-2])


class PoseRecordings:
    """The rows of a pose cache; see `Recordings` and `PoseClips`.

    Args:
        directory: of the cache.
        layout_name: the joints wanted, empty for the cache's own.

    Raises:
        NotACacheError: the directory holds no pose cache.
        ValueError: the layout has joints that the cache lacks.
    """

    form: Form = "poses"

    def __init__(self, directory: Path | str, layout_name: str = "") -> None:
        self.clips = PoseClips(directory, layout_name)
        self.layout = self.clips.layout
        self.where = self.clips.where
        self.status = self.clips.status
        self.problems: Mapping[str, str] = self.clips.cache.failed()
        self.content_hash = self.clips.cache_hash
        self._times: dict[str, Floats] = {}
        self._read = lru_cache(maxsize=4)(self.clips.read)

    @property
    def simulated(self) -> bool:
        """See `Recordings`."""
        return self.clips.simulated

    @property
    def dimensions(self) -> int:
        """Of the coordinates: 2, or 3."""
        return len(self.clips.cache.metadata.axes)

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds of each frame."""
        if recording not in self._times:
            self._times[recording] = self.clips.cache.row(recording).time_us / 1e6
        return self._times[recording]

    def span_s(self, recording: str) -> tuple[float, float]:
        """When a recording begins and ends, seconds."""
        return span_of_frames(self.frame_time_s(recording))

    def read(self, recording: str) -> ClipArrays:
        """The poses; only to be read."""
        return self._read(recording)


class JoinedPoses:
    """Two pose caches as one; see `Recordings`.

    Args:
        first: the recordings.
        second: more of them.

    Raises:
        ValueError: other joints, other dimensions, or a recording that is in both.
    """

    form: Form = "poses"

    def __init__(self, first: PoseRecordings, second: PoseRecordings) -> None:
        both = sorted(set(first.status) & set(second.status))
        if both or first.layout != second.layout or first.dimensions != second.dimensions:
            raise ValueError(
                f"{first.where} and {second.where} do not go together: layouts {first.layout.name} and "
                f"{second.layout.name}, {first.dimensions} and {second.dimensions} dimensions, "
                f"{len(both)} recordings in both"
            )
        self.layout, self.dimensions, self.where = first.layout, first.dimensions, first.where
        self.status = {**first.status, **second.status}
        self.problems = {**first.problems, **second.problems}
        content = f"{first.content_hash} {second.content_hash}"
        self.content_hash = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.simulated = first.simulated or second.simulated
        self._first, self._second = first, second

    def _of(self, recording: str) -> PoseRecordings:
        return self._first if recording in self._first.status else self._second

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds of each frame."""
        return self._of(recording).frame_time_s(recording)

    def span_s(self, recording: str) -> tuple[float, float]:
        """When a recording begins and ends, seconds."""
        return self._of(recording).span_s(recording)

    def read(self, recording: str) -> ClipArrays:
        """The poses; only to be read."""
        return self._of(recording).read(recording)


class VideoRecordings:
    """Videos; see `Recordings`.

    Args:
        clips: the videos, opened.
    """

    form: Form = "frames"

    def __init__(self, clips: VideoClips) -> None:
        self.clips = clips
        self.where = clips.where
        self.status: Mapping[str, str] = clips.status
        self.problems: Mapping[str, str] = clips.problems
        self.content_hash = clips.cache_hash
        self.simulated = clips.simulated

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds at which each frame is shown."""
        return self.clips.time_s(recording)

    def span_s(self, recording: str) -> tuple[float, float]:
        """When a recording begins and ends, seconds."""
        return span_of_frames(self.frame_time_s(recording))

    def read(self, recording: str) -> FrameClip:
        """The video; no frame is decoded until it is asked for."""
        return self.clips.read(recording)


class FeatureRecordings:
    """A directory of feature files, one a recording; see `temporal_detection.feature_files`.

    Args:
        directory: searched in depth; an id is the path below it without suffix.
        duration_s: recording -> duration in seconds, where it is known.
        fps: recording -> frame rate, where it is known; for features at a stride.
        stride_frames: frames from one feature to the next; 0 for features that cover the whole recording in
            equal parts, whatever their number.
        clip_frames: frames that a feature was made of.
        channels_first: files hold (C, F).

    Attributes:
        channels: C.

    Raises:
        ValueError: no feature file, two files of one id, or files of different widths; named.
    """

    form: Form = "features"
    simulated = False  # files of features do not say

    def __init__(
        self,
        directory: Path,
        duration_s: Mapping[str, float],
        fps: Mapping[str, Fraction | None],
        stride_frames: float = 0,
        clip_frames: float = 1,
        channels_first: bool = False,
    ) -> None:
        self.where = str(directory)
        self._first, self._duration_s = channels_first, duration_s
        self._files = find_features(directory)
        self.problems: dict[str, str] = {}
        self.status: dict[str, str] = {}
        self._times: dict[str, Floats] = {}
        widths: dict[int, list[str]] = {}
        digest = hashlib.sha256()
        for recording, file in sorted(self._files.items()):
            try:
                features = self.read(recording)
                times = _clock(recording, duration_s, fps, stride_frames)
                grid = feature_grid(
                    times, len(features), stride_frames=stride_frames or None, clip_frames=clip_frames,
                    name=file.name,
                )  # fmt: skip
                self._times[recording] = grid.seconds(np.arange(len(features)))
                if len(features) < 2:
                    raise ValueError(f"{file.name}: expected at least 2 features, got {len(features)}")
            except (ValueError, OSError) as error:
                self.status[recording], self.problems[recording] = "failed", str(error)
                continue
            self.status[recording] = "ok"
            widths.setdefault(features.shape[1], []).append(recording)
            for part in (recording.encode("utf-8", "surrogatepass"), features, self._times[recording]):
                digest.update(part)
        if len(widths) > 1:
            told = ", ".join(f"{width} in {few(ids)}" for width, ids in widths.items())
            raise ValueError(f"{directory}: expected features of one width, got {told}")
        self.channels = next(iter(widths), 0)
        self.content_hash = digest.hexdigest()[:16]

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds of each feature."""
        return self._times[recording]

    def span_s(self, recording: str) -> tuple[float, float]:
        """From 0 to the duration that the annotations say."""
        return 0.0, self._duration_s[recording]

    def read(self, recording: str) -> Features:
        """(F, C)."""
        return read_features(self._files[recording], channels_first=self._first)


def _clock(
    recording: str, duration_s: Mapping[str, float], fps: Mapping[str, Fraction | None], stride_frames: float
) -> Floats:
    """Times of the frames that features were made of, as the annotations tell them."""
    length_s = duration_s.get(recording, np.nan)
    if not length_s > 0:
        raise ValueError(f"{recording}: feature files need the recording's duration in the annotations")
    if not stride_frames:  # any number of equal parts will do
        return np.array([0.25, 0.75]) * length_s
    rate = fps.get(recording)
    if rate is None:
        raise ValueError(f"{recording}: features at a stride need the frame rate in the annotations")
    return np.arange(max(2, round(length_s * float(rate)))) / float(rate)
