"""The one place that calls the package `deepface`: emotions of the face in some frames of a clip.

The package fetches its weights when it first runs, and brings TensorFlow; it is no part of Fidget
(`pip install 'fidget[deepface]'`). Pictures are made on the fly and not stored: whole frames, in which the
package looks for faces itself, or, where poses are given, the face on the person's head, and then it looks
for none. A frame without a face, or with several, is counted and not used: which one is meant is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidget.faces.clip_faces import ClipFaces
from fidget.faces.face_crops import face_crops
from protocols.emotion_sets import emotion_set
from protocols.scores import NO_LABEL, ScoreFile

Analyse = Callable[[NDArray[np.uint8]], Sequence[dict[str, Any]]]
"""A picture (H, W, 3), blue first -> one dictionary a face: `emotion`, label -> per cent."""

METHOD = "DeepFace"
FRAMES = 8
CROP_PX, CROP_MARGIN = 224, 0.1
"""Of faces cut out for the package, which looks at 48 x 48 grey pixels of them."""


@dataclass(frozen=True, eq=False)
class Faces:
    """What was found.

    Attributes:
        scores: over DeepFace's labels, of the clips with a face.
        without: clips in which no frame had exactly one face.
        frames: looked at.
        no_face: of them.
        several: of them.
        left_out: of clips without, why, one line each; only where faces were looked for here.
    """

    scores: ScoreFile
    without: tuple[str, ...]
    frames: int
    no_face: int
    several: int
    left_out: tuple[str, ...] = field(default=())

    def told(self) -> str:
        """The counts in one line."""
        return (
            f"{METHOD}: {self.frames} frames, {self.no_face} without a face, {self.several} with several; "
            f"{len(self.without)} clips left out"
        )


def deepface_analyse(faces_given: bool = False) -> Analyse:
    """The package's function.

    Args:
        faces_given: pictures are faces already: the package looks for none.

    Raises:
        ValueError: the package is not there, or not whole. Its function raises ValueError where the package
            fails, as it does when it cannot fetch its weights.
    """
    try:
        from deepface import DeepFace
    except ImportError as error:
        missing = error.name if error.name not in (None, "deepface") else ""
        which = f"which needs {missing} and does not find it" if missing else "which is not installed"
        raise ValueError(
            f"--deepface needs the package deepface, {which}; pip install {missing or 'deepface'}, or take "
            "--face POSES (face landmarks) or --face SCORES.parquet"
        ) from error
    options: dict[str, Any] = {"detector_backend": "skip"} if faces_given else {}

    def analyse(frame: NDArray[np.uint8]) -> Sequence[dict[str, Any]]:
        try:
            found: Sequence[dict[str, Any]] = DeepFace.analyze(
                frame, actions=["emotion"], silent=True, **options
            )
        except ValueError as error:  # of every kind, also where it cannot fetch its weights
            if "could not be detected" in str(error):
                return ()
            raise ValueError(f"{METHOD}: {error}") from error
        return found

    return analyse


def score_faces(clips: Iterable[tuple[str, Iterable[NDArray[np.uint8]]]], analyse: Analyse) -> Faces:
    """Mean probabilities over the frames with exactly one face.

    Args:
        clips: id, and frames (H, W, 3) with blue first.
        analyse: of a frame; `deepface_analyse()`.

    Raises:
        ValueError: a label that DeepFace is not known to have, or no clip with a face.
    """
    labels = emotion_set("deepface").emotions
    ids, rows, without = [], [], []
    frames = no_face = several = 0
    for clip_id, pictures in clips:
        own = []
        for picture in pictures:
            frames += 1
            found = analyse(picture)
            no_face += len(found) == 0
            several += len(found) > 1
            if len(found) == 1:
                own.append(_probabilities(found[0]["emotion"], labels))
        if own:
            ids.append(clip_id)
            rows.append(np.mean(own, axis=0))
        else:
            without.append(clip_id)
    if not ids:
        raise ValueError(f"{METHOD}: no clip has a frame with exactly one face; looked at {frames} frames")
    scores = np.array(rows, np.float32)
    tree = emotion_set("deepface").tree
    unknown = np.full(len(ids), NO_LABEL, np.int64)
    return Faces(
        ScoreFile(tree, tuple(ids), unknown, scores, METHOD), tuple(without), frames, no_face, several
    )


def _probabilities(emotion: dict[str, float], labels: Sequence[str]) -> NDArray[np.float64]:
    if set(emotion) != set(labels):
        raise ValueError(f"{METHOD}: expected the labels {', '.join(labels)}, got {', '.join(emotion)}")
    shares = np.array([float(emotion[label]) for label in labels])
    return shares / max(shares.sum(), 1e-9)


def score_posed_faces(clip_ids: Iterable[str], faces: ClipFaces, analyse: Analyse) -> Faces:
    """`score_faces` of the faces on the heads of a pose cache's people, without the package's own search.

    Args:
        clip_ids: of the clips.
        faces: of their only person each; a clip with nobody or several people is left out and named.
        analyse: of a picture that is a face; `deepface_analyse(faces_given=True)`.

    Raises:
        ValueError: as `score_faces`.
    """
    left_out: list[str] = []

    def pictures(clip_id: str) -> Iterable[NDArray[np.uint8]]:
        try:
            return posed_crops(faces, clip_id)
        except ValueError as error:
            left_out.append(str(error))
            return ()

    found = score_faces(((clip_id, pictures(clip_id)) for clip_id in clip_ids), analyse)
    return replace(found, left_out=tuple(left_out))


def posed_crops(faces: ClipFaces, clip_id: str, most: int = FRAMES) -> NDArray[np.uint8]:
    """(K, 224, 224, 3), blue first: the face of a clip's only person, eyes level, in evenly spaced frames.

    Raises:
        ValueError: no poses of it, nobody there, several people, no face, or not the video of these poses.
    """
    if clip_id not in faces.poses:
        raise ValueError(f"clip {clip_id!r}: no poses of it in {faces.poses.directory}")
    track = faces.one(clip_id)
    numbers = np.unique(track.sampled(most))
    clip = faces.videos.read(clip_id)
    pictures = face_crops(track, clip, numbers, CROP_PX, margin=CROP_MARGIN, aligned=True)
    return np.ascontiguousarray(pictures[..., ::-1])


def video_frames(directory: Path, clip_id: str, most: int = FRAMES) -> list[NDArray[np.uint8]]:
    """Evenly spaced frames of a clip's video, blue first; empty where there is no such video.

    Args:
        directory: of the videos, whose paths without suffix are clip ids.
        clip_id: of the clip.
        most: frames.

    Raises:
        ValueError: several videos have that name, or it does not decode.
    """
    import av

    place = directory / clip_id
    found = sorted(path for path in place.parent.glob("*") if path.is_file() and path.stem == place.name)
    if not found:
        return []
    if len(found) > 1:
        raise ValueError(f"clip {clip_id!r}: several videos: {', '.join(path.name for path in found)}")
    kept: list[NDArray[np.uint8]] = []
    step = 1
    try:
        with av.open(str(found[0])) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number % step:
                    continue
                kept.append(frame.to_ndarray(format="bgr24"))
                if len(kept) == 2 * most:  # half of them go, and the step doubles: memory stays bounded
                    kept, step = kept[::2], 2 * step
    except av.FFmpegError as error:
        raise ValueError(f"{found[0]}: does not decode: {error}") from error
    chosen = np.round(np.linspace(0, len(kept) - 1, min(most, len(kept)))).astype(int)
    return [kept[index] for index in chosen]
