"""Faces of the clips of a pose cache, from the videos that it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from fidget.faces.face_joining import TrackSettings
from fidget.faces.face_search import WEIGHT, load_face_detector, track_faces
from fidget.faces.face_tracks import FaceTrack
from fidget.faces.head_region import head_joints
from fidget.frames.video_clips import VideoClips
from pose_extract.sources import VIDEO_SUFFIXES
from poses.cache_reader import PoseCache
from weights.fetch import find_weight
from weights.places import user_cache_dir


def open_faces(
    poses: PoseCache,
    videos: Path,
    settings: TrackSettings | None = None,
    say: Callable[[str], None] = print,
) -> ClipFaces:
    """Faces of a pose cache's clips, from a directory of their videos.

    What is found of each video (times, keyframes; no picture) is kept in the user's cache.

    Args:
        poses: where the heads are.
        videos: a directory, or whatever else `extract-poses` takes as one argument.
        settings: how faces are looked for.
        say: takes a line when videos have to be read.

    Raises:
        MissingWeightError, ValueError: as `ClipFaces`; or the place leads to no video.
        OSError: the user's cache cannot be written.
    """
    check_layout(poses)
    find_weight(WEIGHT)  # before videos are read
    name = hashlib.sha256(str(videos.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    index = user_cache_dir() / "videos" / f"{name}.parquet"
    index.parent.mkdir(parents=True, exist_ok=True)

    def progress(done: int, todo: int) -> None:
        if done in (1, todo):
            say(f"videos read once: {done:,} of {todo:,} new ones")

    clips = VideoClips(
        videos, poses.clip_ids, index_file=index, short_side=None, poses=poses, progress=progress
    )
    return ClipFaces(poses, clips, settings)


def check_layout(poses: PoseCache) -> None:
    """See that a cache's joints say where heads are.

    Raises:
        ValueError: they do not; names the cache and its layout.
    """
    try:
        head_joints(poses.layout)
    except ValueError as error:
        raise ValueError(f"{poses.directory}: {error}") from error


class ClipFaces:
    """Tracks faces clip by clip, when they are asked for. Not for several threads at once.

    Args:
        poses: where the heads are.
        videos: of the same clips.
        settings: how faces are looked for.

    Attributes:
        poses: the cache.
        videos: of the same clips.

    Raises:
        MissingWeightError: the face detector is not on this machine; says which command fetches it.
        ValueError: the cache's layout has no joint of the head.
    """

    def __init__(self, poses: PoseCache, videos: VideoClips, settings: TrackSettings | None = None) -> None:
        check_layout(poses)
        self.poses, self.videos = poses, videos
        self._settings = settings or TrackSettings()
        self._detector = load_face_detector()
        self._stamps = poses.stamps()

    def tracks(self, clip_id: str) -> tuple[FaceTrack, ...]:
        """The face of every person of a clip, in the order of the pose cache; empty where there is nobody.

        Raises:
            KeyError: the cache has no such clip.
            ValueError: its video is missing, does not decode, or is another than the poses are from.
        """
        clip = self.poses.read(clip_id)
        if clip_id not in self.videos.status:
            raise ValueError(
                f"clip {clip_id!r}: no video of it in {self.videos.where}; clips are named by the path "
                "below the directory that extract-poses was given, without suffix: give that directory"
            )
        entry = self.videos.entry(clip_id)
        stamp, _ = self._stamps[clip_id]
        # Imported poses name the file of poses that they come from, simulated ones none.
        extracted = Path(stamp.path).suffix.lower() in VIDEO_SUFFIXES and stamp.bytes > 0
        if extracted and not entry.error and stamp.bytes != entry.bytes:
            raise ValueError(
                f"clip {clip_id!r}: {str(entry.path)!r} is another file than its poses are from: expected "
                f"{stamp.bytes:,} bytes, got {entry.bytes:,}; give the videos that were extracted, or "
                "extract these"
            )
        return track_faces(clip, entry, self._detector, self._settings)

    def one(self, clip_id: str) -> FaceTrack:
        """The face of a clip's only person.

        Raises:
            KeyError: the cache has no such clip.
            ValueError: as `tracks`; or nobody is there, or several people, of whom none is guessed, or no
                frame has a face.
        """
        tracks = self.tracks(clip_id)
        if len(tracks) != 1:
            who = f"{len(tracks)} people, of whom none is guessed" if tracks else "nobody"
            raise ValueError(f"clip {clip_id!r}: expected one person, its poses have {who}")
        if not len(tracks[0].face_frames):
            raise ValueError(f"{tracks[0].told()}: there is no face to use")
        return tracks[0]
