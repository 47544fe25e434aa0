"""Pictures of faces as files: only where somebody asks for them, and never within a pose cache."""

from __future__ import annotations

from pathlib import Path

from fidget.faces.face_crops import each_face
from fidget.faces.face_tracks import FaceTrack
from fidget.frames.video_entry import VideoEntry

WARNING = (
    "these are pictures of people's faces, unlike poses and tracks: keep them as you keep the videos, and "
    "delete them when you are done"
)
_QUALITY = 95


def store_crops(track: FaceTrack, entry: VideoEntry, directory: Path, size: int, aligned: bool) -> int:
    """Write every face of a track as DIRECTORY/clip/personN/frame.jpg.

    Args:
        track: where the face is.
        entry: the clip's video.
        directory: where to.
        size: side of a picture, pixels.
        aligned: turn each picture so that the eyes are level.

    Returns:
        How many pictures.

    Raises:
        ValueError: a frame does not decode, or the clip's name leads out of the directory.
        OSError: a picture cannot be written.
    """
    import cv2

    place = directory / track.clip_id / f"person{track.track_id}"
    if not place.resolve().is_relative_to(directory.resolve()):
        raise ValueError(f"clip {track.clip_id!r}: its name leads out of {directory}; no picture was written")
    place.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # whole colours
    written = 0
    for number, face in each_face(track, entry, size, aligned=aligned):
        good, coded = cv2.imencode(".jpg", face[..., ::-1], options)
        if not good:
            raise ValueError(f"clip {track.clip_id!r}: frame {number} does not go into a JPEG")
        (place / f"{number:06d}.jpg").write_bytes(coded.tobytes())
        written += 1
    return written
