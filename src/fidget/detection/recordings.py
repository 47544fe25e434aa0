"""Recordings that detectors see: poses of a cache, frames of videos, files of features.

Each has a clock of its own: the time of every frame, or of every feature.
Letters: F frames or features of a recording, C channels, M persons, V joints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds of each frame, or feature."""

    def read(self, recording: str) -> Any:
        """The recording, as `form` says."""


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
    def dimensions(self) -> int:
        """Of the coordinates: 2, or 3."""
        return len(self.clips.cache.metadata.axes)

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds of each frame."""
        if recording not in self._times:
            self._times[recording] = self.clips.cache.row(recording).time_us / 1e6
        return self._times[recording]

    def read(self, recording: str) -> ClipArrays:
        """The poses; only to be read."""
        return self._read(recording)


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

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds at which each frame is shown."""
        return self.clips.time_s(recording)

    def read(self, recording: str) -> FrameClip:
        """The video; no frame is decoded until it is asked for."""
        return self.clips.read(recording)


class FeatureRecordings:
    """A directory of feature files, one a recording: `ID.npy` (F, C), or `ID.npz` with `features` and `time_s`.

    `time_s` (F,) says for which moment each feature stands. Without it the features stand for equal parts of
    the recording, whose duration the annotations have to say.

    Args:
        directory: searched in depth; an id is the path below it without suffix.
        duration_s: recording -> duration in seconds, where it is known.

    Raises:
        ValueError: no feature file, two files of one id, a file that holds no features or NaN, files of
            different widths, or no times; all are named.
    """

    form: Form = "features"

    def __init__(self, directory: Path, duration_s: Mapping[str, float]) -> None:
        self.where = str(directory)
        self.problems: dict[str, str] = {}
        self.status: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._times: dict[str, Floats] = {}
        files = [file for suffix in ("npy", "npz") for file in sorted(directory.rglob(f"*.{suffix}"))]
        twice = []
        for file in files:
            recording = file.relative_to(directory).with_suffix("").as_posix()
            if recording in self._files:
                twice.append(recording)
            self._files[recording] = file
        if not files:
            raise ValueError(f"{directory}: expected feature files (ID.npy or ID.npz), found none")
        if twice:
            raise ValueError(f"{directory}: {len(twice)} recordings have two files: {few(twice)}")
        digest, widths = hashlib.sha256(), {}
        for recording, file in sorted(self._files.items()):
            try:
                features, time_s = _load(file, duration_s.get(recording, np.nan))
            except (ValueError, OSError, KeyError, EOFError) as error:
                self.status[recording], self.problems[recording] = "failed", f"{file.name}: {error}"
                continue
            self.status[recording], self._times[recording] = "ok", time_s
            widths.setdefault(features.shape[1], []).append(recording)
            for part in (recording.encode("utf-8", "surrogatepass"), features.tobytes(), time_s.tobytes()):
                digest.update(part)
        if len(widths) > 1:
            told = ", ".join(f"{width} in {few(ids)}" for width, ids in widths.items())
            raise ValueError(f"{directory}: expected features of one width, got {told}")
        self.channels = next(iter(widths), 0)
        self.content_hash = digest.hexdigest()[:16]

    def frame_time_s(self, recording: str) -> Floats:
        """(F,) seconds of each feature."""
        return self._times[recording]

    def read(self, recording: str) -> Features:
        """(F, C)."""
        return _features_of(self._files[recording])


def _load(file: Path, duration_s: float) -> tuple[Features, Floats]:
    """Features and their times, checked."""
    features = _features_of(file)
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(1))[0])
        raise ValueError(f"feature {row} is not a number")
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as stored:
            if "time_s" in stored:
                time_s = np.asarray(stored["time_s"], np.float64)
                if time_s.shape != (len(features),) or not (np.diff(time_s) > 0).all():
                    raise ValueError(f"expected {len(features)} times that increase, got {time_s.shape}")
                return features, time_s
    if not duration_s > 0:
        raise ValueError("expected `time_s` in an .npz, or a duration in the annotations; there is neither")
    edges = np.linspace(0, duration_s, len(features) + 1)
    return features, (edges[1:] + edges[:-1]) / 2


def _features_of(file: Path) -> Features:
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as stored:
            if "features" not in stored:
                raise ValueError(f"expected an array `features`, got {', '.join(stored) or 'none'}")
            features = stored["features"]
    else:
        features = np.load(file, allow_pickle=False)
    if features.ndim != 2 or len(features) < 2 or features.dtype.kind not in "fiu":
        raise ValueError(
            f"expected features (F, C) of at least 2 moments, got {features.dtype} {features.shape}"
        )
    return np.asarray(features, np.float32)
