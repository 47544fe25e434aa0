"""Where every joint of a batch lies on its map: sampled, augmented, cropped and scaled by one kernel.

Axis letters: N rows (clip-major: the views of clip 0 first), M persons, T frames, V joints.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skeleton_models.augment import NEAREST, NOISE_MEAN, NOISE_SCALE, Draw, Stream
from skeleton_models.clip_arrays import PackedClips
from skeleton_models.heatmap_crop import CROP_DRAWS, CropRules, map_frame
from skeleton_models.random_keys import Keys, bits_at, stream_base, uniform_at

LONG_SIDE_PX = 1000.0  # of the picture that a clip without pixels is drawn on: 3D, or a frame too small
_SMALLEST_FRAME_PX = 10  # a frame no larger holds coordinates of another unit, such as 0..1
_CROP = np.uint64(Stream.BUILDER + 1)
_BLOCK, _JITTER = np.uint64(Stream.BLOCK), np.uint64(Stream.JITTER)


class PointSetting(NamedTuple):
    """What holds for all rows.

    Attributes:
        mirror: (V,) int64, the layout's.
        vertical: the axis of 3D clips that points up or down.
        plain: the draws only mirror, at most.
        yaw: from where 3D clips are seen, in radians.
        size: (4,) height and width of the maps in evaluation, then of these.
        rules: of the crop.
        random_crop: training takes a random part of the crop.
    """

    mirror: NDArray[np.int64]
    vertical: int
    plain: bool
    yaw: float
    size: NDArray[np.int64]
    rules: CropRules
    random_crop: bool


def map_points(
    packed: PackedClips,
    positions: NDArray[np.float64],
    drawn: Draw,
    keys: Keys | None,
    setting: PointSetting,
) -> NDArray[np.float32]:
    """(N, M, T, V, 3) x and y on the map, and score; M is the largest number of persons.

    Args:
        packed: the clips, of 2 or 3 dimensions.
        positions: (N, T) frame numbers; every clip has as many rows.
        drawn: the augmentation of each row.
        keys: (N,) of training, or None for evaluation, in which nothing is drawn.
        setting: for all.

    Raises:
        ValueError: clips of another number of dimensions.
    """
    rows, dimensions, training = len(positions), packed.xyz.shape[1], keys is not None
    if dimensions not in (2, 3):
        raise ValueError(f"clips must have 2 or 3 dimensions, got {dimensions}")
    persons, frames = max(int(packed.persons.max()), 1), positions.shape[1]
    points = np.zeros((rows, persons, frames, len(setting.mirror), 3), np.float32)
    if training and not setting.random_crop:
        whole = {"area_low": 1.0, "area_high": 1.0, "aspect_low": 1.0, "aspect_high": 1.0}
        setting = setting._replace(rules=setting.rules._replace(**whole))
    if keys is None:
        keys, setting = np.zeros(rows, np.uint64), setting._replace(plain=dimensions == 2)
    views = rows // len(packed.start)
    motion = _motion(drawn, dimensions, setting)
    _place_clips(packed, views, positions, keys, training, motion, setting, float(drawn.jitter), points)
    return points


class _Motion(NamedTuple):
    """What `augment.Draw` says of each row, for the kernel."""

    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    perspective: NDArray[np.float64]
    flip: NDArray[np.bool_]
    keep: NDArray[np.bool_]
    block: NDArray[np.bool_]
    block_share: NDArray[np.float64]


def _motion(drawn: Draw, dimensions: int, setting: PointSetting) -> _Motion:
    """The draw without its mirror image, seen from the right side."""
    linear = drawn.linear.copy()
    linear[drawn.flip, :, 0] *= -1
    if dimensions == 3 and setting.yaw:
        depth = 3 - setting.vertical
        turn = np.eye(3)
        turn[0, 0] = turn[depth, depth] = np.cos(setting.yaw)
        turn[0, depth], turn[depth, 0] = np.sin(setting.yaw), -np.sin(setting.yaw)
        linear = linear @ turn
    return _Motion(linear, drawn.shift, drawn.perspective, drawn.flip, drawn.keep, drawn.block,
                   drawn.block_share)  # fmt: skip


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_clips(packed, views, positions, keys, training, motion, setting, jitter, points):  # type: ignore[no-untyped-def]
    """Fill points (rows, M, T, V, 3), which are zeros."""
    box, to, size = np.empty(4), np.empty(4), setting.size
    rules = setting.rules
    draws = np.zeros(CROP_DRAWS if training else 0)
    for clip in range(len(packed.start)):
        rows = range(clip * views, (clip + 1) * views)
        _find_box(clip, rows, packed, positions, motion, setting, box)
        unit = max(box[2] - box[0], box[3] - box[1])
        frame_h, frame_w = packed.frame_hw[clip]
        if packed.xyz.shape[1] == 3 or max(frame_h, frame_w) < _SMALLEST_FRAME_PX:
            scale = LONG_SIDE_PX / unit if np.isfinite(unit) and unit > 0 else 1.0
            box *= scale
            frame_h = frame_w = int(LONG_SIDE_PX)
        else:
            scale = 1.0
        for row in rows:
            if training and setting.random_crop:
                base = stream_base(keys[row], _CROP)
                for k in range(CROP_DRAWS):
                    draws[k] = uniform_at(base, np.uint64(k))
            map_frame(box, frame_h, frame_w, size[0], size[1], size[2], size[3], draws, rules, to)
            _place_row(
                clip, row, scale, packed, positions[row], keys, motion, setting, jitter, box, to, points[row]
            )


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _find_box(clip, rows, packed, positions, motion, setting, box):  # type: ignore[no-untyped-def]
    """The box (4,) around all joints of all persons in the sampled frames of a clip's rows."""
    left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
    joints, frames = len(setting.mirror), packed.frames[clip]
    flat = packed.xyz.shape[1] == 2
    for row in rows:
        for m in range(packed.persons[clip]):
            for i in range(positions.shape[1]):
                first = packed.start[clip] + (m * frames + int(positions[row, i])) * joints
                for at in range(first, first + joints):
                    if packed.score[at] > 0 and not np.isnan(packed.xyz[at, 0]):
                        x, y = np.float64(packed.xyz[at, 0]), np.float64(packed.xyz[at, 1])
                        if not flat:
                            x, y = _seen(packed.xyz[at], motion.linear[row], setting.vertical)
                        left, top = min(left, x), min(top, y)
                        right, bottom = max(right, x), max(bottom, y)
    box[0], box[1], box[2], box[3] = left, top, right, bottom


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _seen(point, linear, vertical):  # type: ignore[no-untyped-def]
    """X and y in the picture: of a 2D point itself, of a 3D point its orthographic image, y downwards."""
    if len(point) == 2:
        return np.float64(point[0]), np.float64(point[1])
    x, y = 0.0, 0.0
    for c in range(3):
        x += linear[0, c] * point[c]
        y -= linear[vertical, c] * point[c]
    return x, y


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_row(clip, row, scale, packed, position, keys, motion, setting, jitter, box, to, points):  # type: ignore[no-untyped-def]
    """One row of points (M, T, V, 3)."""
    joints, frames = len(setting.mirror), packed.frames[clip]
    flip, width = motion.flip[row], setting.size[3]
    plain = setting.plain and packed.xyz.shape[1] == 2
    unit = max(box[2] - box[0], box[3] - box[1])
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    base = stream_base(keys[row], _JITTER)
    block = stream_base(keys[row], _BLOCK)
    for i in range(len(position)):
        blocked = uniform_at(block, np.uint64(i)) < motion.block_share[row]
        for m in range(packed.persons[clip]):
            first = packed.start[clip] + (m * frames + int(position[i])) * joints
            for j in range(joints):
                at = first + (setting.mirror[j] if flip else j)
                hidden = not motion.keep[row, j] or (blocked and motion.block[row, j])
                if hidden or not packed.score[at] > 0 or np.isnan(packed.xyz[at, 0]):
                    continue
                x, y = np.float64(packed.xyz[at, 0]), np.float64(packed.xyz[at, 1])
                if packed.xyz.shape[1] == 3:
                    x, y = _seen(packed.xyz[at], motion.linear[row], setting.vertical)
                x, y = x * scale, y * scale
                if not plain:
                    x, y = (x - middle_x) / unit, (y - middle_y) / unit
                    if jitter > 0:
                        own = at - packed.start[clip]  # not the place in the batch
                        x += jitter * _noise(bits_at(base, np.uint64(2 * own)))
                        y += jitter * _noise(bits_at(base, np.uint64(2 * own + 1)))
                    if packed.xyz.shape[1] == 2:
                        linear, tilt = motion.linear[row], motion.perspective[row]
                        near = max(1.0 + tilt[0] * x + tilt[1] * y, NEAREST)
                        x, y = linear[0, 0] * x + linear[0, 1] * y, linear[1, 0] * x + linear[1, 1] * y
                        x, y = x / near, y / near
                    x = (x + motion.shift[row, 0]) * unit + middle_x
                    y = (y + motion.shift[row, 1]) * unit + middle_y
                x, y = (x - to[0]) * to[2], (y - to[1]) * to[3]
                points[m, i, j, 0] = width - x if flip else x
                points[m, i, j, 1] = y
                points[m, i, j, 2] = packed.score[at]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _noise(word):  # type: ignore[no-untyped-def]
    """One number of `augment.noise`."""
    low, total = np.uint64(0xFFFF), np.uint64(0)
    for k in range(4):
        total += (word >> np.uint64(16 * k)) & low
    return (np.float64(total) - NOISE_MEAN) * NOISE_SCALE
