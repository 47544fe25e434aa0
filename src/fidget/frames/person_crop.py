"""Where in a clip's pictures its person is: from the boxes of a pose cache, once for the whole clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip


@dataclass(frozen=True)
class PersonCrop:
    """A region around the main subject over all frames of a clip, so that it does not move with the person.

    The main subject is the first of the pose cache. Its boxes are joined over the frames; where a cache holds
    no boxes, as imported ones may, the joints that were found are.

    Attributes:
        margin: added on each side, as a share of the joined box's longer side.
        square: extend the shorter side to the longer one, as far as the picture reaches.
    """

    margin: float = 0.1
    square: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 10:
            raise ValueError(f"margin: expected a share of 0 to 10, got {self.margin}")

    def region_px(self, clip: PoseClip, frame_hw: tuple[int, int]) -> NDArray[np.float32] | None:
        """(4,) left, top, right, bottom within a picture of the clip; None where nobody was found.

        Args:
            clip: poses of the clip, in pixels of its upright frame.
            frame_hw: height and width of the picture, which shows the same at another size.
        """
        joined = _joined_px(clip)
        if joined is None:
            return None
        corners = joined.reshape(2, 2)  # (left and top, right and bottom; x and y)
        sides = corners[1] - corners[0]
        wanted = sides + 2 * self.margin * sides.max()
        if self.square:
            wanted[:] = wanted.max()
        whole = np.array(clip.frame_hw[::-1], np.float64)
        wanted = np.minimum(wanted, whole)
        # Shifted rather than cut where it would reach beyond the picture.
        begin = np.clip(corners.mean(axis=0) - wanted / 2, 0, whole - wanted)
        scale = np.array(frame_hw[::-1]) / whole
        return np.concatenate([begin * scale, (begin + wanted) * scale]).astype(np.float32)


AROUND_PERSON = PersonCrop(margin=0.0, square=False)
"""What recipes with `input.person_crop` crop: the joined box, nothing more."""


def _joined_px(clip: PoseClip) -> NDArray[np.float64] | None:
    """(4,) the main subject in all frames, within the picture; None where there is nothing of it."""
    if not clip.persons:
        return None
    box = clip.box_px[0].astype(np.float64)  # (T, 4)
    box = box[np.isfinite(box).all(axis=1)]
    if len(box):
        low, high = box[:, :2].min(axis=0), box[:, 2:].max(axis=0)
    else:
        points = clip.xy_px[0].reshape(-1, 2).astype(np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            return None
        low, high = points.min(axis=0), points.max(axis=0)
    whole = np.array(clip.frame_hw[::-1], np.float64)
    low, high = np.clip(low, 0, whole), np.clip(high, 0, whole)
    return np.concatenate([low, high]) if np.all(high - low >= 1) else None
