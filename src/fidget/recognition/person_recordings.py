"""A pose cache as recordings of one person each, so that a detector tells people apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidget.detection.recordings import PoseRecordings
from skeleton_models.clip_arrays import ClipArrays


class PersonRecordings(PoseRecordings):
    """See `PoseRecordings`; each id is one made by `person_id`.

    Args:
        directory: of the cache.
        layout_name: the joints wanted, empty for the cache's own.

    Raises:
        NotACacheError: the directory holds no pose cache.
        ValueError: the layout has joints that the cache lacks.
    """

    @staticmethod
    def person_id(recording: str, person: int) -> str:
        """The id of one person of a recording, by its place in the cache's row."""
        return f"{person}:{recording}"

    def frame_time_s(self, recording: str) -> NDArray[np.float64]:
        """(F,) seconds of each frame."""
        return super().frame_time_s(recording.split(":", 1)[1])

    def read(self, recording: str) -> ClipArrays:
        """The poses of the one person; only to be read."""
        person, clip_id = recording.split(":", 1)
        poses = super().read(clip_id)
        one = slice(int(person), int(person) + 1)
        return ClipArrays(poses.xyz[one], poses.score[one], poses.frame_hw)
