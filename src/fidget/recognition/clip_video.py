"""The video of one clip as recordings for a frame detector: of the whole picture, or of each person alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidget.detection.inference import rules_of
from fidget.detection.inputs import short_side_of
from fidget.detection.recipe import DetectionRecipe
from fidget.detection.recordings import Form, span_of_frames
from fidget.detection.windows import evaluation_windows
from fidget.frames.frame_clip import FrameClip
from fidget.frames.person_crop import AROUND_PERSON
from fidget.frames.video_entry import VideoEntry
from fidget.recognition.window_frames import WindowFrames, all_frames
from poses.clip import PoseClip


@dataclass(frozen=True, eq=False)
class ClipVideo:
    """Recordings of one video; see `fidget.detection.recordings.Recordings`.

    Attributes:
        clips: recording -> its pictures, and the region of its person if it has one.
        time_s: (F,) seconds of the video's frames.
        where: the video, for messages.
    """

    clips: Mapping[str, FrameClip]
    time_s: NDArray[np.float64]
    where: str
    form: Form = "frames"
    content_hash: str = ""
    simulated: bool = False

    @property
    def status(self) -> Mapping[str, str]:
        """All can be looked at."""
        return dict.fromkeys(self.clips, "ok")

    @property
    def problems(self) -> Mapping[str, str]:
        """None."""
        return {}

    def frame_time_s(self, recording: str) -> NDArray[np.float64]:
        """(F,) seconds of each frame."""
        return self.time_s

    def span_s(self, recording: str) -> tuple[float, float]:
        """When the video begins and ends, seconds."""
        return span_of_frames(self.time_s)

    def read(self, recording: str) -> FrameClip:
        """The pictures; none is decoded until it is asked for."""
        return self.clips[recording]


@contextmanager
def opened_for_detection(
    recipe: DetectionRecipe,
    entry: VideoEntry,
    time_s: NDArray[np.float64],
    people: Mapping[str, PoseClip | None],
) -> Iterator[ClipVideo]:
    """A video for a detector over frames; each recording is one pass through it.

    Args:
        recipe: of the detector.
        entry: the video.
        time_s: (F,) seconds of its frames.
        people: recording -> poses of the one person around whom its pictures are cropped; None for all of it.
    """
    windows = evaluation_windows(str(entry.path), time_s, rules_of(recipe, training=False))
    wanted = all_frames([one.grid.frames[one.valid] for one in windows])
    with ExitStack() as stack:
        clips = {}
        for name, person in people.items():
            frames = stack.enter_context(
                WindowFrames(entry, wanted, short_side_of(recipe), recipe.input.threads)
            )
            region = None if person is None else AROUND_PERSON.region_px(person, frames.frame_hw)
            clips[name] = FrameClip(name, entry.frames, frames.frame_hw, frames.read, region)
        yield ClipVideo(clips, time_s, str(entry.path))
