"""The one place that calls the package `deepface`: emotions of the face in some frames of a clip.

The package fetches its weights when it first runs, and brings TensorFlow; it is no part of Fidget
(`pip install deepface`). Frames are made on the fly and not stored. A frame without a face, or with several,
is counted and not used: which of several faces is meant is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.emotion_sets import emotion_set
from protocols.scores import NO_LABEL, ScoreFile

Analyse = Callable[[NDArray[np.uint8]], Sequence[dict[str, Any]]]
"""A frame (H, W, 3), blue first -> one dictionary a face: `emotion`, label -> per cent. ValueError: none."""

METHOD = "DeepFace"
FRAMES = 8


@dataclass(frozen=True, eq=False)
class Faces:
    """What was found.

    Attributes:
        scores: over DeepFace's labels, of the clips with a face.
        without: clips in which no frame had exactly one face.
        frames: looked at.
        no_face: of them.
        several: of them.
    """

    scores: ScoreFile
    without: tuple[str, ...]
    frames: int
    no_face: int
    several: int

    def told(self) -> str:
        """The counts in one line."""
        return (
            f"{METHOD}: {self.frames} frames, {self.no_face} without a face, {self.several} with several; "
            f"{len(self.without)} clips left out"
        )


def deepface_analyse() -> Analyse:
    """The package's function.

    Raises:
        ValueError: the package is not there.
    """
    try:
        from deepface import DeepFace
    except ImportError as error:
        raise ValueError(
            "--deepface needs the package deepface, which is not installed; pip install deepface, or take "
            "--face POSES (face landmarks) or --face SCORES.parquet"
        ) from error

    def analyse(frame: NDArray[np.uint8]) -> Sequence[dict[str, Any]]:
        found: Sequence[dict[str, Any]] = DeepFace.analyze(frame, actions=["emotion"], silent=True)
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
            try:
                found = analyse(picture)
            except ValueError:  # what the package raises where it finds no face
                found = ()
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
