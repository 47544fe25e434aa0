"""Augmentation of skeletons: what is drawn for each clip of a batch, and what a draw does to a clip.

Drawing (`draw`) is a pure function of the clips' keys and vectorised over the batch; the kernels of the
input builders apply a draw while they write the batch. `augment_clip` does the same to a single clip in
plain numpy, for whoever wants to look at one.

Units are those of the normalised skeleton a builder works in (torso lengths, metres, -1..1 of the frame);
where a builder works in pixels, the unit is the longer side of the persons' box. x is lateral; `vertical`
says which axis points up or down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from poses.layout import Layout
from skeleton_models.augment_draw import Stream as Stream
from skeleton_models.augment_draw import fill
from skeleton_models.random_keys import Keys, bits, rng_keys, uniform

DEFAULT_PARTS = ("arms", "legs", "hands", "feet", "face")
NEAREST = (
    0.2  # of the view distance: a point that a strong view change puts behind the camera stays before it
)
NOISE_MEAN = 2.0 * 0xFFFF  # of the sum of four numbers 0..65535
NOISE_SCALE = float(np.sqrt(3.0 / (2.0**32 - 1)))  # one over the standard deviation of that sum


@dataclass(frozen=True)
class Augment:
    """How strongly to augment; every default leaves the clip as it is.

    In three dimensions yaw, pitch and roll turn the skeleton. In two dimensions roll turns it in the
    picture, and yaw and pitch are the change of view upon a flat person `view_distance` units away:
    foreshortening and perspective.

    Attributes:
        flip_probability: of the mirror image, left and right joints exchanged.
        yaw_deg: turn about the vertical axis, uniform in -yaw_deg..yaw_deg.
        pitch_deg: turn about the lateral axis (x), likewise.
        roll_deg: turn about the line of sight, likewise.
        view_distance: distance of the 2D view change, in units; above 1.5.
        scale_range: one factor for all axes, uniform.
        stretch: a factor for each axis on its own, 1 - stretch..1 + stretch (pyskl's RandomScale).
        shear: off-diagonal elements, uniform in -shear..shear.
        shift: added to each axis, uniform in -shift..shift.
        jitter: standard deviation of noise on every coordinate of every frame (a sum of four uniforms,
            so never beyond 3.5 deviations).
        drop_joint_probability: of each joint to be missing throughout the clip.
        drop_part_probability: of one of `parts` to be missing throughout the clip.
        parts: of the layout that may be dropped; those that the layout lacks are left out.
        drop_axis_probability: of one axis to be 0 throughout the clip (SkateFormer's recipe).
        drop_block_probability: of some joints to be missing in some of the sampled frames, likewise.
        block_joints: each joint's chance to be of the block, uniform.
        block_frames: each sampled frame's chance to be of the block, uniform.
        crop_range: share of the clip's frames that is kept, at a random place.
        speed_range: pace at the clip's beginning when a sampling spans the clip (its pace then falls or
            rises evenly to 2 - speed at the end), or frames a step in a window; within 0..2.
        reverse_probability: of playing the clip backwards.
        vertical: the axis that points up or down.

    Raises:
        ValueError: a number out of its range; all are named at once.
    """

    flip_probability: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    view_distance: float = 4.0
    scale_range: tuple[float, float] = (1.0, 1.0)
    stretch: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    jitter: float = 0.0
    drop_joint_probability: float = 0.0
    drop_part_probability: float = 0.0
    parts: tuple[str, ...] = DEFAULT_PARTS
    drop_axis_probability: float = 0.0
    drop_block_probability: float = 0.0
    block_joints: tuple[float, float] = (0.2, 0.6)
    block_frames: tuple[float, float] = (0.25, 0.5)
    crop_range: tuple[float, float] = (1.0, 1.0)
    speed_range: tuple[float, float] = (1.0, 1.0)
    reverse_probability: float = 0.0
    vertical: Literal["y", "z"] = "y"

    def __post_init__(self) -> None:
        shares = [name for name in _SHARES if not 0 <= getattr(self, name) <= 1]
        amounts = [name for name in _AMOUNTS if not 0 <= getattr(self, name) < np.inf]
        problems = [f"{name} must lie in 0..1, got {getattr(self, name)}" for name in shares]
        problems += [f"{name} must be at least 0, got {getattr(self, name)}" for name in amounts]
        for name, most in _RANGES:
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                problems.append(f"{name} must be 0 < low <= high <= {most}, got {low}, {high}")
        if not self.view_distance > 1.5:
            problems.append(f"view_distance must be above 1.5, got {self.view_distance}")
        if self.vertical not in ("y", "z"):
            problems.append(f"vertical must be 'y' or 'z', got {self.vertical!r}")
        if problems:
            raise ValueError("augmentation: " + "; ".join(problems))


_SHARES = ("flip_probability", "drop_joint_probability", "drop_part_probability", "reverse_probability",
           "drop_axis_probability", "drop_block_probability", "stretch")  # fmt: skip
_AMOUNTS = ("yaw_deg", "pitch_deg", "roll_deg", "shear", "shift", "jitter")
_RANGES = (("scale_range", np.inf), ("crop_range", 1.0), ("speed_range", 2.0), ("block_joints", 1.0),
           ("block_frames", 1.0))  # fmt: skip


_OFF = Augment()


class Draw(NamedTuple):
    """What was drawn for the clips of a batch.

    A coordinate p (C,) about the origin of the normalised clip becomes
    `linear @ p / (1 + perspective @ p) + shift`; where `flip` is set, joint j is first given the place of
    joint mirror[j] (`linear` holds the mirror image itself).

    Attributes:
        linear: (N, C, C) float64.
        shift: (N, C) float64.
        perspective: (N, C) float64; zeros in three dimensions.
        flip: (N,) bool.
        keep: (N, V) bool, False for joints that are dropped; indices of the joints after the flip.
        axis: (N,) int64, the axis that is set to 0; -1 for none.
        block: (N, V) bool, the joints that are missing in a share of the sampled frames.
        block_share: (N,) float64, that share; frame i of a row is of it where draw i of `Stream.BLOCK` is
            below the share.
        crop: (N, 2) float64, first frame and number of frames as shares of the clip.
        speed: (N,) float64.
        reverse: (N,) bool.
        jitter: standard deviation; the noise itself is drawn in the kernels, from the clip's key.
    """

    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    perspective: NDArray[np.float64]
    flip: NDArray[np.bool_]
    keep: NDArray[np.bool_]
    axis: NDArray[np.int64]
    block: NDArray[np.bool_]
    block_share: NDArray[np.float64]
    crop: NDArray[np.float64]
    speed: NDArray[np.float64]
    reverse: NDArray[np.bool_]
    jitter: float


def no_draw(count: int, channels: int, joints: int) -> Draw:
    """The draw that changes nothing, for evaluation."""
    linear, crop = np.zeros((count, channels, channels)), np.zeros((count, 2))
    linear[:, range(channels), range(channels)] = 1.0
    crop[:, 1] = 1.0
    return Draw(
        linear=linear,
        shift=np.zeros((count, channels)),
        perspective=np.zeros((count, channels)),
        flip=np.zeros(count, np.bool_),
        keep=np.ones((count, joints), np.bool_),
        axis=np.full(count, -1, np.int64),
        block=np.zeros((count, joints), np.bool_),
        block_share=np.zeros(count),
        crop=crop,
        speed=np.ones(count),
        reverse=np.zeros(count, np.bool_),
        jitter=0.0,
    )


def draw(augment: Augment, keys: Keys, layout: Layout, channels: int) -> Draw:
    """What happens to each clip of a batch; depends on the clip's key only.

    Args:
        augment: how strongly.
        keys: (N,), one a clip.
        layout: names the parts and the joints.
        channels: 2 or 3.

    Raises:
        ValueError: channels is neither 2 nor 3.
    """
    if channels not in (2, 3):
        raise ValueError(f"skeletons have 2 or 3 channels, got {channels}")
    drawn = no_draw(len(keys), channels, len(layout.joints))._replace(jitter=augment.jitter)
    if augment != _OFF:
        fill(keys, _amounts(augment), _parts(augment.parts, layout), augment.vertical == "z", *drawn[:-1])
    return drawn


@lru_cache(maxsize=64)
def _amounts(augment: Augment) -> tuple[float, ...]:
    """The numbers of an augmentation, in the order in which the kernel takes them."""
    a = augment
    numbers = (
        a.flip_probability, a.yaw_deg, a.pitch_deg, a.roll_deg, a.view_distance, *a.scale_range, a.stretch,
        a.shear, a.shift, a.drop_joint_probability, a.drop_part_probability, a.drop_axis_probability,
        a.drop_block_probability, *a.block_joints, *a.block_frames, *a.crop_range, *a.speed_range,
        a.reverse_probability,
    )  # fmt: skip
    return tuple(float(number) for number in numbers)


@lru_cache(maxsize=64)
def _parts(names: tuple[str, ...], layout: Layout) -> NDArray[np.bool_]:
    """(P, V) whose joints are whose, of the parts that the layout has."""
    parts = [layout.parts[name] for name in names if name in layout.parts]
    holds = np.zeros((len(parts), len(layout.joints)), np.bool_)
    for place, part in enumerate(parts):
        holds[place, list(part)] = True
    return holds


def augment_clip(
    xyz: NDArray[np.float32], augment: Augment, layout: Layout, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One clip, augmented in space and time, in plain numpy.

    Args:
        xyz: (M, T, V, C), normalised, NaN where a joint is missing.
        augment: how strongly.
        layout: names the parts, the joints and their mirror images.
        rng: source of the draws.

    Returns:
        (M, T', V, C), a new array; T' is below T where a part of the clip was cropped.
    """
    key = rng_keys(rng)
    return apply_draw(xyz, draw(augment, key, layout, xyz.shape[-1]), 0, layout, key)


def apply_draw(
    xyz: NDArray[np.float32], drawn: Draw, clip: int, layout: Layout, keys: Keys
) -> NDArray[np.float32]:
    """What draw `clip` of a batch does to its skeleton; arguments and result as in `augment_clip`."""
    first, frames = crop_frames(xyz.shape[1], drawn.crop[clip])
    points = xyz.astype(np.float64)
    if drawn.jitter:
        points += drawn.jitter * noise(keys[clip : clip + 1], points.size).reshape(points.shape)
    points = points[:, first : first + frames]  # (M, T', V, C)
    if drawn.reverse[clip]:
        points = points[:, ::-1]
    if drawn.flip[clip]:
        points = points[:, :, list(layout.mirror)]
    depth = np.maximum(1 + points @ drawn.perspective[clip], NEAREST)
    points = points @ drawn.linear[clip].T / depth[..., None] + drawn.shift[clip]
    if drawn.axis[clip] >= 0:
        points[..., drawn.axis[clip]] *= 0.0
    points[:, :, ~drawn.keep[clip]] = np.nan
    blocked = uniform(keys[clip : clip + 1], Stream.BLOCK, points.shape[1])[0] < drawn.block_share[clip]
    block_frames, block_joints = np.ix_(blocked, drawn.block[clip])
    points[:, block_frames, block_joints] = np.nan
    return points.astype(np.float32)


def crop_frames(frames: int, crop: NDArray[np.float64]) -> tuple[int, int]:
    """First frame and number of frames (at least 1) of a crop (2,) of shares."""
    count = max(1, round(float(crop[1]) * frames))
    return min(round(float(crop[0]) * frames), frames - count), count


def noise(keys: Keys, count: int) -> NDArray[np.float64]:
    """(N, count) numbers of mean 0 and deviation 1: sums of four uniforms of 16 bits, as the kernels draw."""
    words = bits(keys, Stream.JITTER, count)
    total = sum((words >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    return (np.asarray(total, np.float64) - NOISE_MEAN) * NOISE_SCALE
