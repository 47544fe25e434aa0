"""Where a person's torso is and how long: origin and unit of the normalisation `torso`."""

from __future__ import annotations

import numpy as np
from numba import njit

TORSO_OF_SHOULDERS = 1.35  # length of the torso over the distance of the shoulders, seen from the front
SHORTEST_TORSO = 0.5  # of the longest limb; people's are 0.9, and a tracker that lost the hips gives 0.15
_LOOKS = 16  # frames of a clip in which limbs are measured


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def torso(  # type: ignore[no-untyped-def]
    xyz, score, frames, joints, min_score, first, root, top, left, right, limbs, origin
):
    """The root over the frames into origin (C,), and the median length of the torso, kept from being tiny.

    Where a picture ends at the chest, no frame shows the hips: the shoulders then tell where they would be.
    Without shoulders too, the mean of all joints takes the root's place; without a torso, their root mean
    square distance from the origin is the unit.
    """
    channels = xyz.shape[1]
    foot, head, lengths = np.empty(channels), np.empty(channels), np.empty(frames)
    rooted, measured = 0, 0
    for t in range(frames):
        if not _mean_of(xyz, score, t * joints, root, min_score, foot):
            continue
        if not (first and rooted):
            for c in range(channels):
                origin[c] += foot[c]
            rooted += 1
        if _mean_of(xyz, score, t * joints, top, min_score, head):
            square = 0.0
            for c in range(channels):
                square += (head[c] - foot[c]) ** 2
            lengths[measured] = np.sqrt(square)
            measured += 1
    if not rooted:
        return _without_hips(xyz, score, frames, joints, min_score, left, right, limbs, origin)
    for c in range(channels):
        origin[c] /= rooted
    if measured:
        longest = _longest_limb(xyz, score, frames, joints, min_score, limbs)
        length = max(np.median(lengths[:measured]), SHORTEST_TORSO * longest)
        if length > 1e-6:
            return length
    return _spread(xyz, score, min_score, False, origin)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _without_hips(  # type: ignore[no-untyped-def]
    xyz, score, frames, joints, min_score, left, right, limbs, origin
):
    """Origin and unit of a person whose hips are in no frame; left and right begin with the shoulders."""
    if len(origin) == 2 and len(left) == 2:
        length = _below_the_shoulders(xyz, score, frames, joints, min_score, left[0], right[0], limbs, origin)
        if length > 1e-6:
            return length
    _spread(xyz, score, min_score, True, origin)
    return _spread(xyz, score, min_score, False, origin)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _below_the_shoulders(  # type: ignore[no-untyped-def]
    xyz, score, frames, joints, min_score, left, right, limbs, origin
):
    """Where the hips of an upright person would be in a picture into origin (2,), and the torso's length.

    The length follows from the distance of the shoulders, the median over the frames; 0 where none is seen.
    """
    widths, seen = np.empty(frames), 0
    middle = np.zeros(2)
    for t in range(frames):
        a, b = t * joints + left, t * joints + right
        if score[a] > min_score and score[b] > min_score:
            widths[seen] = np.sqrt((xyz[a, 0] - xyz[b, 0]) ** 2 + (xyz[a, 1] - xyz[b, 1]) ** 2)
            seen += 1
            for c in range(2):
                middle[c] += (xyz[a, c] + xyz[b, c]) / 2
    if not seen:
        return 0.0
    longest = _longest_limb(xyz, score, frames, joints, min_score, limbs)
    length = max(TORSO_OF_SHOULDERS * np.median(widths[:seen]), SHORTEST_TORSO * longest)
    origin[0] = middle[0] / seen
    origin[1] = middle[1] / seen + length  # y of a picture points down
    return length


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _longest_limb(xyz, score, frames, joints, min_score, limbs):  # type: ignore[no-untyped-def]
    """Median over some frames of the length of each one's longest limb; 0 where none is seen."""
    step = max(frames // _LOOKS, 1)
    lengths, measured = np.empty(frames // step + 1), 0
    for t in range(0, frames, step):
        longest = 0.0
        for k in range(len(limbs)):
            a, b = t * joints + limbs[k, 0], t * joints + limbs[k, 1]
            if score[a] > min_score and score[b] > min_score:
                square = 0.0
                for c in range(xyz.shape[1]):
                    square += (xyz[a, c] - xyz[b, c]) ** 2
                longest = max(longest, square)
        if longest > 0:
            lengths[measured] = np.sqrt(longest)
            measured += 1
    return np.median(lengths[:measured]) if measured else 0.0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _spread(xyz, score, min_score, move, origin):  # type: ignore[no-untyped-def]
    """Root mean square distance of all joints from origin (C,); with `move`, origin goes to their mean."""
    count, square = 0, 0.0
    place = np.zeros(len(origin))
    for row in range(len(score)):
        if score[row] > min_score:
            count += 1
            for c in range(len(origin)):
                place[c] += xyz[row, c]
                square += (xyz[row, c] - origin[c]) ** 2
    if move:
        for c in range(len(origin)):
            origin[c] = place[c] / max(count, 1)
    spread = np.sqrt(square / max(count, 1))
    return spread if spread > 1e-6 else 1.0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _mean_of(xyz, score, row, members, min_score, place):  # type: ignore[no-untyped-def]
    """Mean place of some joints of a frame into place (C,); False where one of them is missing."""
    place[:] = 0.0
    for j in members:
        if not score[row + j] > min_score:
            return False
        for c in range(len(place)):
            place[c] += xyz[row + j, c] / len(members)
    return len(members) > 0
