"""Where a clip's skeletons stand: origin, axes and unit of each clip, who is in it, which frames count.

One kernel looks at every clip of a batch; the writer of the tensors then applies `matrix @ (p - origin)`
together with the augmentation, in one map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from poses.layout import Layout
from skeleton_models.clip_arrays import PackedClips
from skeleton_models.graph_torso import torso

Normalise = Literal["none", "pyskl2d", "pyskl3d", "ctrgcn_ucla", "torso", "mmn"]
NORMALISATIONS: tuple[Normalise, ...] = ("none", "pyskl2d", "pyskl3d", "ctrgcn_ucla", "torso", "mmn")
_NONE, _PYSKL2D, _PYSKL3D, _CTRGCN, _TORSO, _MMN = range(6)


@dataclass(frozen=True)
class Landmarks:
    """The joints of a layout that a normalisation looks at; empty where the layout lacks them.

    Attributes:
        root: joints whose mean is the middle of the hips.
        top: joints whose mean is the upper end of the torso.
        left: left shoulder and left hip.
        right: right shoulder and right hip.
        spine: PreNormalize3D's centre, and the ends of its spine and its shoulder axis: centre, bottom,
            top, right shoulder, left shoulder.
        limbs: (L, 2), the ends of each limb.
    """

    root: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    spine: NDArray[np.int64]
    limbs: NDArray[np.int64]


def landmarks(layout: Layout) -> Landmarks:
    """The landmarks of a layout, by joint name."""

    def found(*groups: tuple[str, ...]) -> NDArray[np.int64]:
        group = next((g for g in groups if set(g) <= set(layout.joints)), ())
        return np.array([layout.index(joint) for joint in group], np.int64)

    left = [j for j in ("left_shoulder", "left_hip") if j in layout.joints]
    spine = found(("spine", "mid_hip", "spine", "right_shoulder", "left_shoulder"))
    if len(spine) and len(layout.joints) != 25:
        spine[0] = len(layout.joints) - 1  # PreNormalize3D takes the last joint where there are not 25
    return Landmarks(
        root=found(("mid_hip",), ("left_hip", "right_hip"), ("spine",), ("belly",)),
        top=found(("neck",), ("shoulder_center",), ("left_shoulder", "right_shoulder")),
        left=np.array([layout.index(joint) for joint in left], np.int64),
        right=np.array([layout.mirror[layout.index(joint)] for joint in left], np.int64),
        spine=spine,
        limbs=np.array(layout.limbs, np.int64).reshape(-1, 2),
    )


class Anchors(NamedTuple):
    """What normalises each clip.

    Attributes:
        order: (N, M) int64, the persons to take, -1 for none.
        origin: (N, C) float64.
        matrix: (N, C, C) float64; `matrix @ (p - origin)` is the normalised place.
        unit: (N,) float64, 0 where the result stays normalised; else the length by which it is scaled back
            before `origin` is added again (`none`).
        count: (N,) int64, frames that count.
        frame_map: (all frames,) int64, the clip's own number of each counted frame, clip after clip; empty
            where all count.
        frame_start: (N,) int64, where each clip's part of `frame_map` begins, if it has one.
    """

    order: NDArray[np.int64]
    origin: NDArray[np.float64]
    matrix: NDArray[np.float64]
    unit: NDArray[np.float64]
    count: NDArray[np.int64]
    frame_map: NDArray[np.int64]
    frame_start: NDArray[np.int64]


def find_anchors(
    packed: PackedClips,
    normalise: Normalise,
    marks: Landmarks,
    *,
    joints: int,
    persons: int,
    min_score: float = 0.0,
    centre: Literal["mean", "first"] = "mean",
    align_yaw: bool = False,
    vertical: Literal["y", "z"] = "y",
) -> Anchors:
    """The anchors of a batch; see `GraphInput` for what each normalisation does."""
    n, channels = len(packed.start), packed.xyz.shape[1]
    mapped = normalise == "pyskl3d"
    anchors = Anchors(
        order=np.empty((n, persons), np.int64),
        origin=np.zeros((n, channels)),
        matrix=np.zeros((n, channels, channels)),
        unit=np.zeros(n),
        count=packed.frames.copy(),
        frame_map=np.empty(packed.frames.sum() if mapped else 0, np.int64),
        frame_start=np.cumsum(packed.frames) - packed.frames if mapped else packed.start,
    )
    depth = -1 if channels == 2 or not align_yaw else (2 if vertical == "y" else 1)
    _find(
        packed, anchors, NORMALISATIONS.index(normalise), joints, min_score, centre == "first", depth,
        (marks.root, marks.top, marks.left, marks.right, marks.spine, marks.limbs),
    )  # fmt: skip
    return anchors


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _find(packed, anchors, kind, joints, min_score, first, depth, marks):  # type: ignore[no-untyped-def]
    """Fill the anchors of every clip."""
    for n in range(len(packed.start)):
        size = packed.frames[n] * joints
        begin, end = packed.start[n], packed.start[n] + packed.persons[n] * size
        order, origin, matrix = anchors.order[n], anchors.origin[n], anchors.matrix[n]
        _choose_persons(packed.score[begin:end], packed.frames[n], joints, min_score, kind == _PYSKL2D, order)
        for c in range(len(origin)):
            matrix[c, c] = 1.0
        if kind == _PYSKL2D:
            for c in range(2):
                origin[c] = packed.frame_hw[n, 1 - c] / 2.0
                matrix[c, c] = 1.0 / max(origin[c], 0.5)
        elif order[0] >= 0 and kind in (_NONE, _MMN):
            xyz, score = packed.xyz[begin:end], packed.score[begin:end]
            sides = _box(xyz, score, order, size, min_score, origin)
            if kind == _NONE:
                anchors.unit[n] = max(sides.max(), 1e-6)
            for c in range(len(origin)):
                matrix[c, c] = 1.0 / anchors.unit[n] if kind == _NONE else 2.0 / (sides[c] + 1e-6)
        elif order[0] >= 0:
            xyz = packed.xyz[begin + order[0] * size : begin + (order[0] + 1) * size]
            score = packed.score[begin + order[0] * size : begin + (order[0] + 1) * size]
            _find_in_person(anchors, n, kind, xyz, score, joints, min_score, first, depth, marks)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _find_in_person(  # type: ignore[no-untyped-def]
    anchors, n, kind, xyz, score, joints, min_score, first, depth, marks
):
    """Anchors that the first person gives to the whole clip."""
    root, top, left, right, spine, limbs = marks
    frames, origin, matrix = len(score) // joints, anchors.origin[n], anchors.matrix[n]
    if kind == _PYSKL3D:
        part = anchors.frame_map[anchors.frame_start[n] : anchors.frame_start[n] + frames]
        anchors.count[n] = _frames_with(score, frames, joints, min_score, part)
        if len(spine):
            _stand_upright(xyz[part[0] * joints : (part[0] + 1) * joints], spine, origin, matrix)
        return
    length = torso(xyz, score, frames, joints, min_score, first, root, top, left, right, limbs, origin)
    if depth > 0:
        _face_forward(xyz, score, frames, joints, min_score, first, left, right, depth, matrix)
    if kind == _TORSO:
        for c in range(len(matrix)):
            for k in range(len(matrix)):
                matrix[c, k] /= length


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _choose_persons(score, frames, joints, min_score, as_stored, order):  # type: ignore[no-untyped-def]
    """Fill order (M,) with the persons seen in most frames first; with `as_stored`, in the clip's order."""
    persons = len(score) // (frames * joints)
    seen = np.zeros(persons, np.int64)
    for m in range(persons):
        for t in range(frames):
            row = (m * frames + t) * joints
            for j in range(joints):
                if score[row + j] > min_score:
                    seen[m] += 1
                    break
            if seen[m] and (persons == 1 or as_stored):
                break  # how often is not asked
    for slot in range(len(order)):
        best = -1
        for m in range(persons):
            if seen[m] > 0 and (best < 0 or (seen[m] > seen[best] and not as_stored)):
                best = m
        order[slot] = best
        if best >= 0:
            seen[best] = 0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _frames_with(score, frames, joints, min_score, part):  # type: ignore[no-untyped-def]
    """Fill part with the frames that have a joint at all; their number."""
    count = 0
    for t in range(frames):
        for row in range(t * joints, (t + 1) * joints):
            if score[row] > min_score:
                part[count] = t
                count += 1
                break
    return count


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _box(xyz, score, order, size, min_score, origin):  # type: ignore[no-untyped-def]
    """Sides (C,) of the box around the persons taken, and its middle into origin (C,)."""
    channels = xyz.shape[1]
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    for m in order:
        for row in range(m * size, (m + 1) * size) if m >= 0 else range(0):
            if score[row] > min_score:
                for c in range(channels):
                    low[c], high[c] = min(low[c], xyz[row, c]), max(high[c], xyz[row, c])
    for c in range(channels):
        origin[c] = (low[c] + high[c]) / 2
    return high - low


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _face_forward(  # type: ignore[no-untyped-def]
    xyz, score, frames, joints, min_score, first, left, right, depth, matrix
):
    """The turn about the vertical that lays the mean line from left to right along x, into matrix."""
    x, z = 0.0, 0.0
    for t in range(frames):
        for k in range(len(left)):
            a, b = t * joints + left[k], t * joints + right[k]
            if score[a] > min_score and score[b] > min_score:
                x += xyz[b, 0] - xyz[a, 0]
                z += xyz[b, depth] - xyz[a, depth]
        if first and (x != 0.0 or z != 0.0):
            break
    length = np.sqrt(x * x + z * z)
    if length > 1e-6:
        matrix[0, 0] = matrix[depth, depth] = x / length
        matrix[0, depth], matrix[depth, 0] = z / length, -z / length


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _stand_upright(frame, spine, origin, matrix):  # type: ignore[no-untyped-def]
    """PreNormalize3D of pyskl: the spine of the first frame along z, then its shoulders along x."""
    place = np.zeros((len(spine), 3))  # a missing joint lies at 0, as there
    for k in range(len(spine)):
        for c in range(3):
            if frame[spine[k], c] == frame[spine[k], c]:
                place[k, c] = frame[spine[k], c]
    ahead, upright, sideways = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    for c in range(3):
        origin[c], ahead[c] = place[0, c], place[2, c] - place[1, c]
    _turn_onto(ahead, 2, upright)
    for c in range(3):
        ahead[c] = 0.0
        for k in range(3):
            ahead[c] += upright[c, k] * (place[3, k] - place[4, k])
    _turn_onto(ahead, 0, sideways)
    for c in range(3):
        for k in range(3):
            value = 0.0
            for i in range(3):
                value += sideways[c, i] * upright[i, k]
            matrix[c, k] = value


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _turn_onto(vector, axis, turn):  # type: ignore[no-untyped-def]
    """The shortest rotation of a vector onto an axis into turn (3, 3); identity where it is undefined.

    Rodrigues' formula about the normal of both, n: c * I + s * [n]x + (1 - c) * n nT.
    """
    first, second = (axis + 1) % 3, (axis + 2) % 3
    across = np.sqrt(vector[first] ** 2 + vector[second] ** 2)
    length = np.sqrt(across**2 + vector[axis] ** 2)
    normal = np.zeros(3)
    cosine, sine = 1.0, 0.0
    if length >= 1e-12 and abs(vector[first]) + abs(vector[second]) >= 1e-6:
        normal[first], normal[second] = vector[second] / across, -vector[first] / across
        cosine = min(max(vector[axis] / length, -1.0), 1.0)
        sine = np.sqrt(1.0 - cosine * cosine)
    for a in range(3):
        for b in range(3):
            turn[a, b] = (1.0 - cosine) * normal[a] * normal[b]
        turn[a, a] += cosine
        b, c = (a + 1) % 3, (a + 2) % 3
        turn[a, b] -= sine * normal[c]
        turn[a, c] += sine * normal[b]
