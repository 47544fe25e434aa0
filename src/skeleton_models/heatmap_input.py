"""Clips to the input of heatmap networks: sampled, augmented, cropped and drawn, a whole batch at once.

Two kernels: one finds the crop and puts every joint on its map (points, a few kB a clip), one draws them
(`heatmap.render`). `points` stops before the second, for drawing on a GPU (`heatmap_torch.render`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from poses.layout import Layout
from poses.sampling import Convention
from skeleton_models.augment import NEAREST, NOISE_MEAN, NOISE_SCALE, Augment, Draw, Stream, draw, no_draw
from skeleton_models.clip_arrays import ClipArrays, ModelBatch, pack
from skeleton_models.frame_sampling import Sampling, test_positions, training_positions
from skeleton_models.heatmap import UINT8_SCALE, Drawing, joint_drawing, limb_drawing, render
from skeleton_models.heatmap_crop import CROP_DRAWS, CropRules, map_frame
from skeleton_models.random_keys import Keys, bits_at, stream_base, uniform, uniform_at

CUTS: dict[Convention, float] = {"pyskl": 1e-3, "mmaction2": 1e-4}
DTYPES = {"float32": torch.float32, "float16": torch.float16, "uint8": torch.uint8}
LONG_SIDE_PX = 1000.0  # of the picture that a 3D clip is projected on
_CROP, _BLOCK, _JITTER = Stream.BUILDER + 1, np.uint64(Stream.BLOCK), np.uint64(Stream.JITTER)


@dataclass(frozen=True)
class HeatmapInput:
    """Builds (N, C, T, H, W) batches, C joints or limbs; plain settings, no state.

    A clip of 3D joints is projected along the line of sight (orthographic): in training from the direction
    that `augment` turns it to, about `view_yaw_deg`; in evaluation from `view_yaw_deg`. Its box is then
    scaled to 1000 pixels, so that `augment.scale_range` changes nothing; the random crop does. In two
    dimensions the augmentation works about the middle of the persons' box, whose longer side is the unit,
    before the crop that was found without it. Mirroring comes last, as in PYSKL: x becomes W - x in
    training, W - 1 - x (the volume reversed) for the mirrored test clips, of both toolboxes.

    Attributes:
        layout: the joint set of the clips.
        frames: T.
        size_hw: height and width of the maps in training.
        kind: what is drawn.
        sigma: of the Gaussians, in pixels of the map.
        dtype: of the batch; uint8 holds round(255 * value), which `to_float` undoes on the device.
        convention: whose test clips, evaluation geometry and score cut (1e-3 or 1e-4).
        test_hw: of the maps in evaluation; 8/7 of size_hw if None (64 for 56, as published).
        limbs: to draw instead of the layout's, for networks trained with others.
        sampling: see `frame_sampling.training_positions`; `linear` is not for heatmaps.
        test_clips: views of a clip in evaluation; they share one crop, as published.
        test_flip: as many again, mirrored.
        augment: of training.
        crop: the crop's rules; `middle` follows the convention.
        random_crop: training takes a random part of the crop.
        view_yaw_deg: from where 3D clips are seen.
        threads: that share the rows of a batch.

    Raises:
        ValueError: a setting that does not exist or a number out of range; all are named at once.
    """

    layout: Layout
    frames: int = 48
    size_hw: tuple[int, int] = (56, 56)
    kind: Literal["joint", "limb"] = "joint"
    sigma: float = 0.6
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    convention: Convention = "pyskl"
    test_hw: tuple[int, int] | None = None
    limbs: tuple[tuple[int, int], ...] | None = None
    sampling: Sampling = "uniform"
    test_clips: int = 1
    test_flip: bool = False
    augment: Augment = field(default_factory=lambda: Augment(flip_probability=0.5))
    crop: CropRules = field(default_factory=CropRules)
    random_crop: bool = True
    view_yaw_deg: float = 0.0
    threads: int = 1

    def __post_init__(self) -> None:
        numbers = {"frames": self.frames, "test_clips": self.test_clips, "threads": self.threads}
        numbers["size_hw"], numbers["test_hw"] = min(self.size_hw), min(self.test_size_hw)
        problems = [f"{name} must be at least 1, got {n}" for name, n in numbers.items() if n < 1]
        choices = {"kind": ("joint", "limb"), "dtype": tuple(DTYPES), "convention": tuple(CUTS),
                   "sampling": ("uniform", "sorted", "window")}  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                problems.append(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.augment.drop_axis_probability:
            problems.append("drop_axis_probability is for graphs; a map without an axis shows nothing")
        if problems:
            raise ValueError("heatmap input: " + "; ".join(problems))
        self.drawing  # noqa: B018  raises what is wrong with sigma or limbs

    @property
    def test_size_hw(self) -> tuple[int, int]:
        """Height and width of the maps in evaluation."""
        return self.test_hw or (round(self.size_hw[0] * 8 / 7), round(self.size_hw[1] * 8 / 7))

    @property
    def views(self) -> int:
        """Rows a clip in evaluation."""
        return self.test_clips * (1 + self.test_flip)

    @cached_property
    def drawing(self) -> Drawing:
        """What is drawn."""
        cut = CUTS[self.convention]
        if self.kind == "joint":
            return joint_drawing(self.layout, self.sigma, cut)
        return limb_drawing(self.layout, self.sigma, cut, self.limbs)

    def channels(self, dimensions: int = 2) -> int:
        """C of the batches: a network's `in_channels`."""
        return len(self.drawing.pairs)

    def batch(self, clips: Sequence[ClipArrays], keys: Keys | None, out: Tensor | None = None) -> ModelBatch:
        """The batch of some clips.

        Args:
            clips: at least one, all of 2 or all of 3 dimensions; a clip without persons becomes zeros.
            keys: (N,) one a clip for training (`random_keys.clip_keys`), or None for evaluation.
            out: written instead of a new tensor: at least as many rows, the right shape and type; `x` is
                its beginning. New memory costs more than drawing, so a loop takes turns with a few.

        Raises:
            ValueError: clips of another layout, or a tensor that does not fit.
        """
        points = self._points(clips, keys)
        size_hw = self.test_size_hw if keys is None else self.size_hw
        views = 1 if keys is not None else self.views
        rows = len(clips) * views
        shape = (rows, self.channels(), self.frames, *size_hw)
        if out is None:
            out = torch.empty(shape, dtype=DTYPES[self.dtype])
        elif out.dtype != DTYPES[self.dtype] or out.shape[1:] != shape[1:] or len(out) < rows:
            raise ValueError(
                f"out must be {self.dtype} of shape {shape} or longer, got {out.dtype}, {tuple(out.shape)}"
            )
        row = np.arange(len(points), dtype=np.int64)
        target, mirrored = row, np.full(len(row), -1, np.int64)
        if views > self.test_clips > 0 and keys is None:
            target = row + row // self.test_clips * self.test_clips
            mirrored = target + self.test_clips
        x = out[:rows]
        render(points, self.drawing, x.numpy(), target=target, mirrored=mirrored, threads=self.threads)
        return ModelBatch(x=x, views=views)

    def points(self, clips: Sequence[ClipArrays], keys: Keys | None) -> Tensor:
        """(N * test_clips, M, T, V, 3) float32: x and y on the map, and score, for `heatmap_torch.render`.

        M is the largest number of persons. Mirrored test clips are not among the rows: the renderer makes
        them. Arguments as in `batch`.
        """
        return torch.from_numpy(self._points(clips, keys))

    def to_float(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """A batch's values in 0..1, on the batch's device."""
        return x.to(dtype) / UINT8_SCALE if x.dtype == torch.uint8 else x.to(dtype)

    def _points(self, clips: Sequence[ClipArrays], keys: Keys | None) -> NDArray[np.float32]:
        packed = pack(clips, len(self.layout.joints))
        dimensions, training = packed.xyz.shape[1], keys is not None
        if dimensions not in (2, 3):
            raise ValueError(f"clips must have 2 or 3 dimensions, got {dimensions}")
        if keys is None:
            positions = np.concatenate(
                [
                    test_positions(self.sampling, int(n), self.frames, self.test_clips, self.convention)
                    for n in packed.frames
                ]
            )
            drawn = no_draw(len(positions), dimensions, len(self.layout.joints))
            keys, draws = np.zeros(len(positions), np.uint64), np.empty((len(positions), 0))
        else:
            if len(keys) != len(clips):
                raise ValueError(f"expected one key a clip ({len(clips)}), got {len(keys)}")
            drawn = draw(self.augment, keys, self.layout, dimensions)
            positions = training_positions(self.sampling, keys, packed.frames, self.frames, drawn)
            draws = uniform(keys, _CROP, CROP_DRAWS)
        points = np.zeros(
            (len(positions), max(int(packed.persons.max()), 1), self.frames, len(self.layout.joints), 3),
            np.float32,
        )
        size_hw = self.size_hw if training else self.test_size_hw
        setting = _Setting(
            mirror=np.array(self.layout.mirror, np.int64),
            vertical=2 if self.augment.vertical == "z" else 1,
            plain=dimensions == 2 and (not training or self.augment == Augment(
                flip_probability=self.augment.flip_probability)),
            jitter=drawn.jitter,
            size=np.array([*self.test_size_hw, *size_hw], np.int64),
            rules=self.crop._replace(middle=self.convention == "mmaction2"),
        )  # fmt: skip
        if training and not self.random_crop:
            draws = np.zeros((len(draws), CROP_DRAWS))
            setting = setting._replace(rules=setting.rules._replace(
                area_low=1.0, area_high=1.0, aspect_low=1.0, aspect_high=1.0))  # fmt: skip
        motion = self._motion(drawn, dimensions)
        _place_clips(packed, len(positions) // len(clips), positions, keys, draws, motion, setting, points)
        return points

    def _motion(self, drawn: Draw, dimensions: int) -> _Motion:
        """The draw without its mirror image, seen from the right side."""
        linear = drawn.linear.copy()
        linear[drawn.flip, :, 0] *= -1
        if dimensions == 3 and self.view_yaw_deg:
            angle = np.deg2rad(self.view_yaw_deg)
            depth = 1 if self.augment.vertical == "z" else 2
            turn = np.eye(3)
            turn[0, 0] = turn[depth, depth] = np.cos(angle)
            turn[0, depth], turn[depth, 0] = np.sin(angle), -np.sin(angle)
            linear = linear @ turn
        return _Motion(linear, drawn.shift, drawn.perspective, drawn.flip, drawn.keep, drawn.block,
                       drawn.block_share)  # fmt: skip


class _Motion(NamedTuple):
    """What `augment.Draw` says of each row, for the kernel."""

    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    perspective: NDArray[np.float64]
    flip: NDArray[np.bool_]
    keep: NDArray[np.bool_]
    block: NDArray[np.bool_]
    block_share: NDArray[np.float64]


class _Setting(NamedTuple):
    """What holds for all rows: size is test height and width, then the maps' height and width."""

    mirror: NDArray[np.int64]
    vertical: int
    plain: bool
    jitter: float
    size: NDArray[np.int64]
    rules: CropRules


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_clips(packed, views, positions, keys, draws, motion, setting, points):  # type: ignore[no-untyped-def]
    """Fill points (rows, M, T, V, 3), which are zeros."""
    box, to, size = np.empty(4), np.empty(4), setting.size
    for clip in range(len(packed.start)):
        rows = range(clip * views, (clip + 1) * views)
        _find_box(clip, rows, packed, positions, motion, setting, box)
        unit = max(box[2] - box[0], box[3] - box[1])
        frame_h, frame_w = packed.frame_hw[clip]
        if packed.xyz.shape[1] == 3:
            scale = LONG_SIDE_PX / unit if np.isfinite(unit) and unit > 0 else 1.0
            box *= scale
            frame_h = frame_w = int(LONG_SIDE_PX)
        else:
            scale = 1.0
        for row in rows:
            map_frame(
                box, frame_h, frame_w, size[0], size[1], size[2], size[3], draws[row], setting.rules, to
            )
            _place_row(clip, row, scale, packed, positions[row], keys, motion, setting, box, to, points[row])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _find_box(clip, rows, packed, positions, motion, setting, box):  # type: ignore[no-untyped-def]
    """The box (4,) around all joints of all persons in the sampled frames of a clip's rows."""
    box[:2], box[2:] = np.inf, -np.inf
    joints, frames = len(setting.mirror), packed.frames[clip]
    for row in rows:
        for m in range(packed.persons[clip]):
            for i in range(positions.shape[1]):
                first = packed.start[clip] + (m * frames + int(positions[row, i])) * joints
                for at in range(first, first + joints):
                    if packed.score[at] > 0 and not np.isnan(packed.xyz[at, 0]):
                        x, y = _seen(packed.xyz[at], motion.linear[row], setting.vertical)
                        box[0], box[1] = min(box[0], x), min(box[1], y)
                        box[2], box[3] = max(box[2], x), max(box[3], y)


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
def _place_row(clip, row, scale, packed, position, keys, motion, setting, box, to, points):  # type: ignore[no-untyped-def]
    """One row of points (M, T, V, 3)."""
    joints, frames = len(setting.mirror), packed.frames[clip]
    flip, width = motion.flip[row], setting.size[3]
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
                x, y = _seen(packed.xyz[at], motion.linear[row], setting.vertical)
                x, y = x * scale, y * scale
                if not setting.plain:
                    x, y = (x - middle_x) / unit, (y - middle_y) / unit
                    if setting.jitter > 0:
                        own = at - packed.start[clip]  # not the place in the batch
                        x += setting.jitter * _noise(bits_at(base, np.uint64(2 * own)))
                        y += setting.jitter * _noise(bits_at(base, np.uint64(2 * own + 1)))
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
